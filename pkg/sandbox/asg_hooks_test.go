package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// states counts the instances of the group by life-cycle state.
func (r *refreshes) states() map[types.LifecycleState]int {
	r.t.Helper()
	m := map[types.LifecycleState]int{}
	for _, i := range r.group().Instances {
		m[i.LifecycleState]++
	}
	return m
}

func (r *refreshes) want(want map[types.LifecycleState]int) {
	r.t.Helper()
	if d := cmp.Diff(want, r.states()); d != "" {
		r.t.Error(d)
	}
}

func (r *refreshes) desire(n int32) {
	r.t.Helper()
	must[*autoscaling.SetDesiredCapacityOutput](r.t)(r.c.SetDesiredCapacity(r.t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(fleetName), DesiredCapacity: &n}))
}

func (r *refreshes) hook(name, transition, result string, heartbeat int32) {
	r.t.Helper()
	must[*autoscaling.PutLifecycleHookOutput](r.t)(r.c.PutLifecycleHook(r.t.Context(), &autoscaling.PutLifecycleHookInput{
		AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: &name, LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_" + transition), DefaultResult: &result, HeartbeatTimeout: &heartbeat,
	}))
}

func (r *refreshes) answer(hook, instance, result string) error {
	_, err := r.c.CompleteLifecycleAction(r.t.Context(), &autoscaling.CompleteLifecycleActionInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: &hook, InstanceId: &instance, LifecycleActionResult: &result})
	return err
}

// An instance that launches waits for its hooks, all of them; one that is
// abandoned is replaced, and its activity says why.
func TestLaunchHooks(t *testing.T) {
	r := newRefreshes(t, 0)
	r.hook("ready", "LAUNCHING", "ABANDON", 300)
	r.hook("seen", "LAUNCHING", "CONTINUE", 600)
	r.desire(1)
	first := *r.group().Instances[0].InstanceId
	r.want(map[types.LifecycleState]int{types.LifecycleStatePending: 1})
	wantCode(t, r.answer("ready", first, "CONTINUE"), "ValidationError")
	r.clk.pass(time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStatePendingWait: 1})
	if a := r.activities()[0]; a.StatusCode != types.ScalingActivityStatusCodeMidLifecycleAction || a.EndTime != nil {
		t.Errorf("the activity is %s", a.StatusCode)
	}
	r.clk.pass(3 * time.Minute)
	must[*autoscaling.RecordLifecycleActionHeartbeatOutput](t)(r.c.RecordLifecycleActionHeartbeat(t.Context(), &autoscaling.RecordLifecycleActionHeartbeatInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: aws.String("ready"), InstanceId: &first}))
	r.clk.pass(4 * time.Minute) // more than the 300 s since it began to wait
	r.want(map[types.LifecycleState]int{types.LifecycleStatePendingWait: 1})
	if err := r.answer("ready", first, "CONTINUE"); err != nil {
		t.Fatal(err)
	}
	r.want(map[types.LifecycleState]int{types.LifecycleStatePendingWait: 1}) // for the other hook
	if err := r.answer("seen", first, "CONTINUE"); err != nil {
		t.Fatal(err)
	}
	r.want(map[types.LifecycleState]int{types.LifecycleStatePendingProceed: 1})
	r.clk.pass(time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStateInService: 1})

	r.desire(2)
	r.clk.pass(time.Minute)
	r.clk.pass(5 * time.Minute) // nobody answers: the default result
	var told string
	for _, a := range r.activities() {
		if a.StatusCode == types.ScalingActivityStatusCodeCancelled {
			told = *a.StatusMessage
		}
	}
	if !strings.Contains(told, "Instance failed to complete user's Lifecycle Action") || !strings.Contains(told, "was abandoned: Heartbeat Timeout") {
		t.Errorf("the activity says %q", told)
	}
	r.want(map[types.LifecycleState]int{types.LifecycleStateInService: 1, types.LifecycleStatePending: 1, types.LifecycleStateTerminating: 1})
	out := must[*autoscaling.DescribeLifecycleHooksOutput](t)(r.c.DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookNames: []string{"ready"}}))
	if h := out.LifecycleHooks[0]; len(out.LifecycleHooks) != 1 || *h.GlobalTimeout != 30000 || *h.HeartbeatTimeout != 300 || *h.DefaultResult != "ABANDON" {
		t.Errorf("hooks %+v", out.LifecycleHooks)
	}
}

// An instance that ends waits too, and is no capacity meanwhile: EC2 shuts it
// down when its actions are complete or the hook is deleted.
func TestTerminationHooks(t *testing.T) {
	r := newRefreshes(t, 2)
	r.hook("drain", "TERMINATING", "CONTINUE", 900)
	r.desire(0)
	r.want(map[types.LifecycleState]int{types.LifecycleStateTerminatingWait: 2})
	if _, body := raw(t, r.box, "ec2", "DescribeInstanceStatus", ""); strings.Count(body, "<name>running</name>") != 2 {
		t.Errorf("EC2 says %s", body)
	}
	if err := r.answer("drain", *r.group().Instances[0].InstanceId, "CONTINUE"); err != nil {
		t.Fatal(err)
	}
	r.want(map[types.LifecycleState]int{types.LifecycleStateTerminatingWait: 1, types.LifecycleStateTerminatingProceed: 1})
	r.clk.pass(2 * time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStateTerminatingWait: 1})
	must[*autoscaling.DeleteLifecycleHookOutput](t)(r.c.DeleteLifecycleHook(t.Context(), &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: aws.String("drain")}))
	r.want(map[types.LifecycleState]int{types.LifecycleStateTerminatingProceed: 1})
	r.clk.pass(2 * time.Minute)
	r.want(map[types.LifecycleState]int{})
	_, err := r.c.DeleteLifecycleHook(t.Context(), &autoscaling.DeleteLifecycleHookInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: aws.String("drain")})
	wantCode(t, err, "ValidationError")
	wantCode(t, r.answer("drain", "i-0", "CONTINUE"), "ValidationError")
	_, err = r.c.PutLifecycleHook(t.Context(), &autoscaling.PutLifecycleHookInput{AutoScalingGroupName: aws.String(fleetName), LifecycleHookName: aws.String("h"), LifecycleTransition: aws.String("autoscaling:EC2_INSTANCE_LAUNCHING"), HeartbeatTimeout: aws.Int32(10)})
	wantCode(t, err, "ValidationError")
}

// Hooks of a template, as resources and in the group's own list; two groups may
// have hooks of one name.
func TestHooksOfTemplates(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s, c := newStacks(t, box, clk), autoscaling.NewFromConfig(config(box))
	m := fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet").set("Fleet", "LifecycleHookSpecificationList", []any{map[string]any{"LifecycleHookName": "boot", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING", "HeartbeatTimeout": 60, "DefaultResult": "CONTINUE"}})
	resources := m["Resources"].(map[string]any)
	other := map[string]any{}
	for k, v := range resources["Fleet"].(map[string]any)["Properties"].(map[string]any) {
		other[k] = v
	}
	other["AutoScalingGroupName"] = "other"
	resources["Other"] = map[string]any{"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": other}
	for _, group := range []string{"Fleet", "Other"} {
		resources["Drain"+group] = map[string]any{"Type": "AWS::AutoScaling::LifecycleHook", "Properties": map[string]any{
			"AutoScalingGroupName": map[string]any{"Ref": group}, "LifecycleHookName": "drain", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING", "HeartbeatTimeout": 120,
		}}
	}
	m["Outputs"] = map[string]any{"Hook": map[string]any{"Value": map[string]any{"Ref": "DrainFleet"}}}
	st := s.create("fleet", m)
	s.want(st, cfntypes.StackStatusCreateComplete)
	if *st.Outputs[0].OutputValue != "drain" {
		t.Errorf("Ref gives %s", *st.Outputs[0].OutputValue)
	}
	names := func() (out []string) {
		for _, h := range must[*autoscaling.DescribeLifecycleHooksOutput](t)(c.DescribeLifecycleHooks(t.Context(), &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: aws.String(fleetName)})).LifecycleHooks {
			out = append(out, *h.LifecycleHookName+" "+*h.DefaultResult)
		}
		return out
	}
	if d := cmp.Diff([]string{"boot CONTINUE", "drain ABANDON"}, names()); d != "" {
		t.Error(d)
	}
	s.want(s.update("fleet", m.set("DrainFleet", "DefaultResult", "CONTINUE")), cfntypes.StackStatusUpdateComplete)
	if d := cmp.Diff([]string{"boot CONTINUE", "drain CONTINUE"}, names()); d != "" {
		t.Error(d)
	}
	delete(resources, "DrainFleet")
	delete(m, "Outputs")
	s.want(s.update("fleet", m), cfntypes.StackStatusUpdateComplete)
	if d := cmp.Diff([]string{"boot CONTINUE"}, names()); d != "" {
		t.Error(d)
	}
}

// Standby takes an instance out of the capacity, and back.
func TestStandby(t *testing.T) {
	r := newRefreshes(t, 2)
	ids := []string{*r.group().Instances[0].InstanceId}
	enter := func(decrement bool) error {
		_, err := r.c.EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{AutoScalingGroupName: aws.String(fleetName), InstanceIds: ids, ShouldDecrementDesiredCapacity: &decrement})
		return err
	}
	exit := func() error {
		_, err := r.c.ExitStandby(t.Context(), &autoscaling.ExitStandbyInput{AutoScalingGroupName: aws.String(fleetName), InstanceIds: ids})
		return err
	}
	wantCode(t, exit(), "ValidationError")
	if err := enter(true); err != nil {
		t.Fatal(err)
	}
	r.want(map[types.LifecycleState]int{types.LifecycleStateEnteringStandby: 1, types.LifecycleStateInService: 1})
	r.clk.pass(time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStateStandby: 1, types.LifecycleStateInService: 1})
	if n := *r.group().DesiredCapacity; n != 1 {
		t.Errorf("desired %d", n)
	}
	if err := exit(); err != nil {
		t.Fatal(err)
	}
	r.clk.pass(time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStateInService: 2})
	if err := enter(false); err != nil { // another is launched in its place
		t.Fatal(err)
	}
	r.clk.pass(time.Minute)
	r.want(map[types.LifecycleState]int{types.LifecycleStateStandby: 1, types.LifecycleStateInService: 2})
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), MinSize: aws.Int32(2), MaxSize: aws.Int32(2)}))
	wantCode(t, exit(), "ValidationError")
	ids = []string{*r.group().Instances[1].InstanceId}
	wantCode(t, enter(true), "ValidationError")
}
