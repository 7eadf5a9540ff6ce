package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func (r *refreshes) alarm(state string) {
	r.t.Helper()
	operation, form := "SetAlarmState", "AlarmName=errors&StateReason=test&StateValue="+state
	if state == "" {
		operation, form = "PutMetricAlarm", "AlarmName=errors&Namespace=n&MetricName=m&Period=60&EvaluationPeriods=1&Threshold=1&Statistic=Sum&ComparisonOperator=GreaterThanThreshold"
	}
	if status, body := raw(r.t, r.box, "monitoring", operation, form); status != 200 {
		r.t.Fatal(status, body)
	}
}

// An alarm ends a refresh wherever it is, at a checkpoint and while it bakes,
// or turns it around.
func TestRefreshWatchesAlarms(t *testing.T) {
	r := newRefreshes(t, 2)
	r.alarm("")
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), LaunchTemplate: fleetLaunch("1")}))
	next := r.version(g5)
	watch := &types.AlarmSpecification{Alarms: []string{"errors"}}
	if err := r.start(next, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(0), CheckpointPercentages: []int32{50, 100}, AlarmSpecification: watch, AutoRollback: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.clk.pass(20 * time.Minute)
	if d := cmp.Diff(map[string]int{"1": 1, "2": 1}, r.versions()); d != "" {
		t.Error("at the checkpoint", d)
	}
	_, err := r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), LaunchTemplate: fleetLaunch("2")})
	wantCode(t, err, "ValidationError") // the refresh has a desired configuration
	r.alarm("ALARM")
	if out := r.last(); out.Status != types.InstanceRefreshStatusRollbackInProgress || !strings.Contains(*out.RollbackDetails.RollbackReason, "errors") || out.Preferences.AlarmSpecification.Alarms[0] != "errors" {
		t.Errorf("after the alarm: %s, %+v", out.Status, out.RollbackDetails)
	}
	r.until(types.InstanceRefreshStatusRollbackSuccessful)
	if d := cmp.Diff(map[string]int{"1": 2}, r.versions()); d != "" {
		t.Error(d)
	}
	// An alarm that rings already fails it at once; without a way back it stays.
	if err := r.start(next, &types.RefreshPreferences{AlarmSpecification: watch}); err != nil {
		t.Fatal(err)
	}
	if out := r.until(types.InstanceRefreshStatusFailed); *out.PercentageComplete != 0 || !strings.Contains(*out.StatusReason, "errors") {
		t.Errorf("%d %%: %s", *out.PercentageComplete, *out.StatusReason)
	}
	r.alarm("OK")
	if err := r.start(next, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(0), BakeTime: aws.Int32(3600), InstanceWarmup: aws.Int32(0), AlarmSpecification: watch}); err != nil {
		t.Fatal(err)
	}
	r.until(types.InstanceRefreshStatusBaking)
	r.alarm("ALARM")
	r.until(types.InstanceRefreshStatusFailed)
	if d := cmp.Diff(map[string]int{"2": 2}, r.versions()); d != "" {
		t.Error(d)
	}
}

// Above 100 % healthy, instances are launched before others end. Standby is
// waited for, ignored or ended.
func TestRefreshLaunchesFirst(t *testing.T) {
	r := newRefreshes(t, 2)
	next := r.version(g5)
	if err := r.start(next, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(100), MaxHealthyPercentage: aws.Int32(110), InstanceWarmup: aws.Int32(60)}); err != nil {
		t.Fatal(err)
	}
	most := 0
	for r.last().EndTime == nil {
		if n := r.states()[types.LifecycleStateInService]; n < 2 {
			t.Fatalf("%d of 2 are in service", n)
		}
		most = max(most, len(r.versionsList()))
		r.clk.pass(5 * time.Second)
	}
	if most != 3 || r.last().Status != types.InstanceRefreshStatusSuccessful {
		t.Errorf("at most %d instances, %s", most, r.last().Status)
	}
	must[*autoscaling.EnterStandbyOutput](t)(r.c.EnterStandby(t.Context(), &autoscaling.EnterStandbyInput{AutoScalingGroupName: aws.String(fleetName), InstanceIds: []string{r.versionsList()[0]}, ShouldDecrementDesiredCapacity: aws.Bool(true)}))
	for _, c := range []struct {
		standby types.StandbyInstances
		status  types.InstanceRefreshStatus
		left    int
	}{{types.StandbyInstancesWait, types.InstanceRefreshStatusFailed, 2}, {types.StandbyInstancesIgnore, types.InstanceRefreshStatusSuccessful, 2}, {types.StandbyInstancesTerminate, types.InstanceRefreshStatusSuccessful, 1}} {
		if err := r.start(next, &types.RefreshPreferences{StandbyInstances: c.standby, InstanceWarmup: aws.Int32(0)}); err != nil {
			t.Fatal(err)
		}
		r.until(c.status)
		r.clk.pass(2 * time.Minute)
		if n := len(r.versionsList()); n != c.left {
			t.Errorf("%s: %d instances are left, want %d", c.standby, n, c.left)
		}
	}
	wantCode(t, r.start(next, &types.RefreshPreferences{StandbyInstances: "Refresh"}), "ValidationError")
}

func (r *refreshes) versionsList() []string {
	r.t.Helper()
	var out []string
	for _, i := range r.group().Instances {
		if i.LifecycleState != types.LifecycleStateTerminating {
			out = append(out, *i.InstanceId)
		}
	}
	return out
}

// policyStack is a stack of one fleet with an update policy and its instances.
type policyStack struct {
	*refreshes
	s *stacks
	m tree
}

func newPolicyStack(t *testing.T, policy map[string]any, instances int32) *policyStack {
	t.Helper()
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	p := &policyStack{&refreshes{t, autoscaling.NewFromConfig(config(box)), clk, box}, newStacks(t, box, clk), fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet")}
	if policy != nil {
		p.fleet()["UpdatePolicy"] = policy
	}
	p.m.set("Fleet", "DefaultInstanceWarmup", 60)
	p.s.want(p.s.create("fleet", p.m), cfntypes.StackStatusCreateComplete)
	p.desire(instances)
	clk.pass(2 * time.Minute)
	return p
}

func (p *policyStack) fleet() map[string]any {
	return p.m["Resources"].(map[string]any)["Fleet"].(map[string]any)
}

// launch sets the instance type of the launch template: a new version.
func (p *policyStack) launch(instanceType string) {
	data := p.m["Resources"].(map[string]any)["Template"].(map[string]any)["Properties"].(map[string]any)["LaunchTemplateData"].(map[string]any)
	data["InstanceType"] = instanceType
}

// begin starts an update and does not wait.
func (p *policyStack) begin() {
	p.t.Helper()
	must[*cloudformation.UpdateStackOutput](p.t)(p.s.c.UpdateStack(p.t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("fleet"), TemplateBody: p.m.body(p.t)}))
	p.clk.pass(2 * time.Minute)
}

// The native policy: the stack's update waits for the refresh, an alarm fails
// it, and the stack's rollback refreshes back.
func TestInstanceRefreshPolicy(t *testing.T) {
	native := map[string]any{"AutoScalingInstanceRefresh": map[string]any{"Strategy": "Rolling", "Preferences": map[string]any{"AlarmSpecification": map[string]any{"Alarms": []any{"errors"}}, "BakeTime": 600}}}
	p := newPolicyStack(t, native, 2)
	p.alarm("")
	p.launch("g5.xlarge")
	p.begin()
	out := p.last()
	if pr := out.Preferences; *pr.MinHealthyPercentage != 100 || *pr.MaxHealthyPercentage != 110 || !*pr.SkipMatching || *pr.InstanceWarmup != 60 || pr.StandbyInstances != types.StandbyInstancesWait || out.DesiredConfiguration != nil {
		t.Errorf("preferences %+v, desired %+v", pr, out.DesiredConfiguration)
	}
	wantCode(t, p.rollback(), "IrreversibleInstanceRefresh") // it is the stack's
	p.until(types.InstanceRefreshStatusBaking)
	p.s.want(p.s.settle("fleet"), cfntypes.StackStatusUpdateComplete)
	if d := cmp.Diff(map[string]int{"2": 2}, p.versions()); d != "" {
		t.Error(d)
	}
	// An update that changes nothing to launch, starts none.
	p.s.want(p.s.update("fleet", p.m.set("Fleet", "MaxSize", "5")), cfntypes.StackStatusUpdateComplete)
	if again := p.last(); *again.InstanceRefreshId != *out.InstanceRefreshId {
		t.Error("a change of MaxSize starts a refresh")
	}

	p.launch("g6.xlarge")
	p.begin()
	p.until(types.InstanceRefreshStatusBaking)
	p.alarm("ALARM")
	st := p.s.settle("fleet")
	p.s.want(st, cfntypes.StackStatusUpdateRollbackFailed) // the alarm still rings: the way back fails, too
	if all := strings.Join(p.s.reasons(*st.StackId), "\n"); !strings.Contains(all, "ended with status Failed. The alarm errors went into the ALARM state.") {
		t.Error(all)
	}
	p.alarm("OK")
	must[*cloudformation.ContinueUpdateRollbackOutput](t)(p.s.c.ContinueUpdateRollback(t.Context(), &cloudformation.ContinueUpdateRollbackInput{StackName: aws.String("fleet")}))
	p.s.want(p.s.settle("fleet"), cfntypes.StackStatusUpdateRollbackComplete)
	if d := cmp.Diff(map[string]int{"2": 2}, p.versions()); d != "" {
		t.Error(d)
	}

	// CancelUpdateStack is the rollback of a rollout.
	p.begin()
	must[*cloudformation.CancelUpdateStackOutput](t)(p.s.c.CancelUpdateStack(t.Context(), &cloudformation.CancelUpdateStackInput{StackName: aws.String("fleet")}))
	p.s.want(p.s.settle("fleet"), cfntypes.StackStatusUpdateRollbackComplete)
	all := must[*autoscaling.DescribeInstanceRefreshesOutput](t)(p.c.DescribeInstanceRefreshes(t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(fleetName)})).InstanceRefreshes
	if all[0].Status != types.InstanceRefreshStatusSuccessful || all[1].Status != types.InstanceRefreshStatusCancelled {
		t.Errorf("the last refreshes are %s and %s", all[1].Status, all[0].Status)
	}
	if d := cmp.Diff(map[string]int{"2": 2}, p.versions()); d != "" {
		t.Error(d)
	}
	// A refresh that somebody else started is in the way.
	if err := p.start(nil, &types.RefreshPreferences{BakeTime: aws.Int32(7200)}); err != nil {
		t.Fatal(err)
	}
	p.launch("g5.2xlarge")
	p.s.want(p.s.update("fleet", p.m), cfntypes.StackStatusUpdateRollbackComplete)
}

// What CloudFormation refuses of a policy.
func TestUpdatePoliciesThatAreRefused(t *testing.T) {
	p := newPolicyStack(t, nil, 0)
	for name, policy := range map[string]map[string]any{
		"both":        {"AutoScalingInstanceRefresh": map[string]any{"Strategy": "Rolling"}, "AutoScalingRollingUpdate": map[string]any{}},
		"no strategy": {"AutoScalingInstanceRefresh": map[string]any{}},
		"unknown":     {"AutoScalingInstanceRefresh": map[string]any{"Strategy": "Rolling", "Preference": map[string]any{}}},
		"preferences": {"AutoScalingInstanceRefresh": map[string]any{"Strategy": "Rolling", "Preferences": map[string]any{"MinHealthyPercentage": 101}}},
		"pause":       {"AutoScalingRollingUpdate": map[string]any{"PauseTime": "PT61M"}},
		"too many":    {"AutoScalingRollingUpdate": map[string]any{"MinInstancesInService": 4}},
	} {
		p.fleet()["UpdatePolicy"] = policy
		p.m.set("Fleet", "HealthCheckGracePeriod", len(name))
		st := p.s.update("fleet", p.m)
		if all := strings.Join(p.s.reasons(*st.StackId), "\n"); st.StackStatus != cfntypes.StackStatusUpdateRollbackComplete || !strings.Contains(all, "HandlerErrorCode: InvalidRequest") {
			t.Errorf("%s: %s\n%s", name, st.StackStatus, all)
		}
	}
}

// AutoScalingRollingUpdate goes in batches, keeps its minimum in service,
// suspends processes meanwhile and waits for signals if it is to.
func TestRollingUpdatePolicy(t *testing.T) {
	p := newPolicyStack(t, map[string]any{"AutoScalingRollingUpdate": map[string]any{"MaxBatchSize": 1, "MinInstancesInService": 2, "PauseTime": "PT2M", "SuspendProcesses": []any{"AZRebalance"}}}, 2)
	p.launch("g5.xlarge")
	p.begin()
	if s := p.group().SuspendedProcesses; len(s) != 1 || *s[0].ProcessName != "AZRebalance" {
		t.Errorf("suspended %+v", s)
	}
	for must[*cloudformation.DescribeStacksOutput](t)(p.s.c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: aws.String("fleet")})).Stacks[0].StackStatus == cfntypes.StackStatusUpdateInProgress {
		if n := p.states()[types.LifecycleStateInService]; n < 2 {
			t.Fatalf("%d instances are in service", n)
		}
		p.clk.pass(5 * time.Second)
	}
	p.s.want(p.s.settle("fleet"), cfntypes.StackStatusUpdateComplete)
	p.clk.pass(2 * time.Minute)
	if d := cmp.Diff(map[string]int{"2": 2}, p.versions()); d != "" || len(p.group().SuspendedProcesses) != 0 {
		t.Error(d, p.group().SuspendedProcesses)
	}

	p.fleet()["UpdatePolicy"] = map[string]any{"AutoScalingRollingUpdate": map[string]any{"MaxBatchSize": 2, "WaitOnResourceSignals": true, "PauseTime": "PT10M"}}
	p.launch("g6.xlarge")
	p.begin()
	for _, id := range p.versionsList() {
		must[*cloudformation.SignalResourceOutput](t)(p.s.c.SignalResource(t.Context(), &cloudformation.SignalResourceInput{StackName: aws.String("fleet"), LogicalResourceId: aws.String("Fleet"), UniqueId: &id, Status: cfntypes.ResourceSignalStatusSuccess}))
	}
	p.s.want(p.s.settle("fleet"), cfntypes.StackStatusUpdateComplete)
	p.launch("g6e.xlarge")
	p.begin()
	p.clk.pass(15 * time.Minute) // no signal comes, and none while it rolls back either
	st := p.s.settle("fleet")
	if all := strings.Join(p.s.reasons(*st.StackId), "\n"); !strings.Contains(all, "Received 0 SUCCESS signal(s) out of 2. Unable to satisfy 100% MinSuccessfulInstancesPercent requirement") {
		t.Error(all)
	}
	p.s.want(st, cfntypes.StackStatusUpdateRollbackFailed)
}

// WillReplace makes a new group; sizes that a template does not change are kept
// only if the policy says so.
func TestReplacingAndScheduledActionPolicies(t *testing.T) {
	p := newPolicyStack(t, map[string]any{"AutoScalingReplacingUpdate": map[string]any{"WillReplace": true}}, 1)
	p.launch("g5.xlarge")
	st := p.s.update("fleet", p.m)
	p.s.want(st, cfntypes.StackStatusUpdateRollbackComplete)
	if all := strings.Join(p.s.reasons(*st.StackId), "\n"); !strings.Contains(all, "CloudFormation cannot update a stack when a custom-named resource requires replacing.") {
		t.Error(all)
	}
	p.m.set("Fleet", "AutoScalingGroupName", "renamed")
	p.fleet()["CreationPolicy"] = map[string]any{"ResourceSignal": map[string]any{"Count": 1, "Timeout": "PT5M"}}
	p.s.want(p.s.update("fleet", p.m), cfntypes.StackStatusUpdateRollbackComplete) // nobody signals
	if n := len(must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(p.c.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{})).AutoScalingGroups); n != 1 || *p.group().DesiredCapacity != 1 {
		t.Errorf("%d groups are left", n)
	}

	p = newPolicyStack(t, map[string]any{"AutoScalingScheduledAction": map[string]any{"IgnoreUnmodifiedGroupSizeProperties": true}}, 1)
	by := func(n int32) {
		must[*autoscaling.UpdateAutoScalingGroupOutput](t)(p.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), MaxSize: &n}))
	}
	by(9)
	p.s.want(p.s.update("fleet", p.m.set("Fleet", "Cooldown", "60")), cfntypes.StackStatusUpdateComplete)
	if n := *p.group().MaxSize; n != 9 {
		t.Errorf("MaxSize is %d", n)
	}
	delete(p.fleet(), "UpdatePolicy")
	p.s.want(p.s.update("fleet", p.m.set("Fleet", "Cooldown", "70")), cfntypes.StackStatusUpdateComplete)
	if n := *p.group().MaxSize; n != 4 {
		t.Errorf("without the policy MaxSize is %d", n)
	}
}
