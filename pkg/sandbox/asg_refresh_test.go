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

// refreshes drives one group through instance refreshes, in virtual time.
type refreshes struct {
	t   *testing.T
	c   *autoscaling.Client
	clk *clock
	box *sandbox.Sandbox
}

const fleetName = "staging-gpu-default"

func newRefreshes(t *testing.T, instances int32) *refreshes {
	t.Helper()
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet").set("Fleet", "MaxSize", "10")), cfntypes.StackStatusCreateComplete)
	r := &refreshes{t, autoscaling.NewFromConfig(config(box)), clk, box}
	must[*autoscaling.SetDesiredCapacityOutput](t)(r.c.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(fleetName), DesiredCapacity: &instances}))
	clk.pass(2 * time.Minute)
	return r
}

// version makes another version of the fleet's launch template from the first.
func (r *refreshes) version(data string) *types.DesiredConfiguration {
	r.t.Helper()
	status, body := raw(r.t, r.box, "ec2", "CreateLaunchTemplateVersion", "LaunchTemplateName="+fleetName+"&SourceVersion=1&LaunchTemplateData."+data)
	_, after, ok := strings.Cut(body, "<versionNumber>")
	number, _, _ := strings.Cut(after, "<")
	if status != 200 || !ok {
		r.t.Fatalf("%d %s", status, body)
	}
	return &types.DesiredConfiguration{LaunchTemplate: fleetLaunch(number)}
}

// fleetLaunch names a version of the fleet's launch template.
func fleetLaunch(version string) *types.LaunchTemplateSpecification {
	return &types.LaunchTemplateSpecification{LaunchTemplateName: aws.String(fleetName), Version: &version}
}

const g5 = "InstanceType=g5.xlarge"

func (r *refreshes) start(d *types.DesiredConfiguration, p *types.RefreshPreferences) error {
	_, err := r.c.StartInstanceRefresh(r.t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName), DesiredConfiguration: d, Preferences: p})
	return err
}

func (r *refreshes) rollback() error {
	_, err := r.c.RollbackInstanceRefresh(r.t.Context(), &autoscaling.RollbackInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName)})
	return err
}

func (r *refreshes) last() types.InstanceRefresh {
	r.t.Helper()
	out := must[*autoscaling.DescribeInstanceRefreshesOutput](r.t)(r.c.DescribeInstanceRefreshes(r.t.Context(), &autoscaling.DescribeInstanceRefreshesInput{AutoScalingGroupName: aws.String(fleetName)}))
	return out.InstanceRefreshes[0]
}

func (r *refreshes) group() types.AutoScalingGroup {
	r.t.Helper()
	return must[*autoscaling.DescribeAutoScalingGroupsOutput](r.t)(r.c.DescribeAutoScalingGroups(r.t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{fleetName}})).AutoScalingGroups[0]
}

// versions counts the living instances by template version.
func (r *refreshes) versions() map[string]int {
	r.t.Helper()
	m := map[string]int{}
	for _, i := range r.group().Instances {
		if i.LifecycleState != types.LifecycleStateTerminating {
			m[*i.LaunchTemplate.Version]++
		}
	}
	return m
}

// until lets time pass until the refresh has the status.
func (r *refreshes) until(want types.InstanceRefreshStatus) types.InstanceRefresh {
	r.t.Helper()
	for range 2000 {
		if out := r.last(); out.Status == want {
			return out
		} else if out.EndTime != nil {
			r.t.Fatalf("it ended %s (%s), want %s", out.Status, aws.ToString(out.StatusReason), want)
		}
		r.clk.pass(10 * time.Second)
	}
	r.t.Fatalf("it is still %s, want %s", r.last().Status, want)
	return types.InstanceRefresh{}
}

// A refresh replaces what was there, never more at once than the minimum of
// healthy instances allows; the group takes the desired configuration over
// when it succeeds.
func TestRefreshReplacesEverything(t *testing.T) {
	r := newRefreshes(t, 4)
	if err := r.start(r.version(g5), &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(50), InstanceWarmup: aws.Int32(60), BakeTime: aws.Int32(600)}); err != nil {
		t.Fatal(err)
	}
	if s := r.last().Status; s != types.InstanceRefreshStatusPending {
		t.Errorf("it begins %s", s)
	}
	wantCode(t, r.start(nil, nil), "InstanceRefreshInProgress")
	for r.last().Status != types.InstanceRefreshStatusBaking {
		ready := 0
		for _, i := range r.group().Instances {
			if i.LifecycleState == types.LifecycleStateInService {
				ready++
			}
		}
		if ready < 2 {
			t.Fatalf("%d of 4 instances are in service", ready)
		}
		r.clk.pass(5 * time.Second)
	}
	if out := r.last(); *out.PercentageComplete != 100 || *out.InstancesToUpdate != 0 || out.EndTime != nil {
		t.Errorf("baking: %d %%, %d to update", *out.PercentageComplete, *out.InstancesToUpdate)
	}
	if d := cmp.Diff(map[string]int{"2": 4}, r.versions()); d != "" {
		t.Error(d)
	}
	if r.group().LaunchTemplate != nil {
		t.Error("the group has the desired configuration before the refresh succeeded")
	}
	r.until(types.InstanceRefreshStatusSuccessful)
	if g := r.group(); g.LaunchTemplate == nil || *g.LaunchTemplate.Version != "2" || g.MixedInstancesPolicy != nil {
		t.Errorf("the group launches from %+v", g.LaunchTemplate)
	}
	_, err := r.c.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName)})
	wantCode(t, err, "ActiveInstanceRefreshNotFound")
	wantCode(t, r.rollback(), "ActiveInstanceRefreshNotFound")
}

// At a checkpoint it waits; there it can be rolled back, and the group never
// had the new configuration.
func TestRefreshCheckpointAndRollback(t *testing.T) {
	r := newRefreshes(t, 4)
	pinned := r.version(g5)
	// The group's own version must be a number, too.
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), LaunchTemplate: fleetLaunch("1")}))
	if err := r.start(pinned, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(0), CheckpointPercentages: []int32{25, 100}, CheckpointDelay: aws.Int32(7200)}); err != nil {
		t.Fatal(err)
	}
	r.clk.pass(time.Hour)
	if out := r.last(); out.Status != types.InstanceRefreshStatusInProgress || *out.PercentageComplete != 25 || *out.InstancesToUpdate != 3 || *out.Preferences.CheckpointDelay != 7200 {
		t.Errorf("at the checkpoint: %s, %d %%, %d to update", out.Status, *out.PercentageComplete, *out.InstancesToUpdate)
	}
	if d := cmp.Diff(map[string]int{"1": 3, "2": 1}, r.versions()); d != "" {
		t.Error(d)
	}
	if err := r.rollback(); err != nil {
		t.Fatal(err)
	}
	if s := r.last().Status; s != types.InstanceRefreshStatusRollbackInProgress {
		t.Errorf("after the rollback began: %s", s)
	}
	wantCode(t, r.rollback(), "IrreversibleInstanceRefresh")
	out := r.until(types.InstanceRefreshStatusRollbackSuccessful)
	if d := out.RollbackDetails; *d.PercentageCompleteOnRollback != 25 || *d.InstancesToUpdateOnRollback != 3 || *out.PercentageComplete != 0 {
		t.Errorf("rollback details %+v, %d %%", d, *out.PercentageComplete)
	}
	if d := cmp.Diff(map[string]int{"1": 4}, r.versions()); d != "" {
		t.Error(d)
	}
	// A last checkpoint under 100 % is where a refresh ends.
	if err := r.start(pinned, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(0), CheckpointPercentages: []int32{50}, CheckpointDelay: aws.Int32(60)}); err != nil {
		t.Fatal(err)
	}
	if out := r.until(types.InstanceRefreshStatusSuccessful); *out.PercentageComplete != 50 {
		t.Errorf("it ended at %d %%", *out.PercentageComplete)
	}
}

// The three refreshes that AWS does not roll back (failure-modes F3).
func TestRefreshWithoutWayBack(t *testing.T) {
	for name, desired := range map[string]func(*refreshes) *types.DesiredConfiguration{
		"no desired configuration": func(*refreshes) *types.DesiredConfiguration { return nil },
		"$Latest": func(r *refreshes) *types.DesiredConfiguration {
			d := r.version(g5)
			d.LaunchTemplate.Version = aws.String("$Latest")
			return d
		},
		"Systems Manager parameter": func(r *refreshes) *types.DesiredConfiguration {
			return r.version("ImageId=resolve:ssm:/bp/ami/fleets/staging/gpu-default")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRefreshes(t, 1)
			d := desired(r)
			err := r.start(d, &types.RefreshPreferences{AutoRollback: aws.Bool(true)})
			wantCode(t, err, "ValidationError")
			if err := r.start(d, nil); err != nil {
				t.Fatal(err)
			}
			err = r.rollback()
			wantCode(t, err, "IrreversibleInstanceRefresh")
			if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(strings.TrimPrefix(name, "no "))) {
				t.Error(err)
			}
		})
	}
}

// What already matches is skipped, if that is asked for; protected instances
// are waited for, ignored or replaced.
func TestRefreshSkipsAndProtects(t *testing.T) {
	r := newRefreshes(t, 2)
	same := &types.DesiredConfiguration{LaunchTemplate: fleetLaunch("1")}
	if err := r.start(same, &types.RefreshPreferences{SkipMatching: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	if out := r.until(types.InstanceRefreshStatusSuccessful); *out.PercentageComplete != 100 {
		t.Errorf("%d %%", *out.PercentageComplete)
	}
	first := r.group().Instances[0].InstanceId
	protect := func(on bool) {
		t.Helper()
		must[*autoscaling.SetInstanceProtectionOutput](t)(r.c.SetInstanceProtection(t.Context(), &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: aws.String(fleetName), InstanceIds: []string{*first}, ProtectedFromScaleIn: &on}))
	}
	protect(true)
	next := r.version(g5)
	if err := r.start(next, nil); err != nil {
		t.Fatal(err)
	}
	if out := r.until(types.InstanceRefreshStatusFailed); *out.PercentageComplete != 50 { // after an hour
		t.Errorf("failed at %d %%", *out.PercentageComplete)
	}
	if err := r.start(next, &types.RefreshPreferences{ScaleInProtectedInstances: types.ScaleInProtectedInstancesIgnore, SkipMatching: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.until(types.InstanceRefreshStatusSuccessful)
	if d := cmp.Diff(map[string]int{"1": 1, "2": 1}, r.versions()); d != "" {
		t.Error(d)
	}
	if err := r.start(next, &types.RefreshPreferences{ScaleInProtectedInstances: types.ScaleInProtectedInstancesRefresh, SkipMatching: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.until(types.InstanceRefreshStatusSuccessful)
	if d := cmp.Diff(map[string]int{"2": 2}, r.versions()); d != "" {
		t.Error(d)
	}
}

// A refresh whose launches fail waits an hour, then fails or rolls back by
// itself; cancelling leaves what was replaced.
func TestRefreshThatFails(t *testing.T) {
	r := newRefreshes(t, 2)
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), LaunchTemplate: fleetLaunch("1")}))
	next := r.version(g5)
	capacity := sandbox.FaultRule{Service: "ec2", Operation: "RunInstances", Fault: sandbox.Fault{Code: "InsufficientInstanceCapacity"}}
	if err := r.box.AddFault(capacity); err != nil {
		t.Fatal(err)
	}
	if err := r.start(next, nil); err != nil {
		t.Fatal(err)
	}
	began := r.clk.now()
	out := r.until(types.InstanceRefreshStatusFailed)
	if took := r.clk.now().Sub(began); took < time.Hour || !strings.Contains(*out.StatusReason, "We currently do not have sufficient g5.xlarge capacity in the Availability Zone you requested (us-east-1b).") {
		t.Errorf("after %s: %s", took, *out.StatusReason)
	}
	if err := r.start(next, &types.RefreshPreferences{AutoRollback: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.until(types.InstanceRefreshStatusRollbackInProgress)
	if err := r.box.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	r.until(types.InstanceRefreshStatusRollbackSuccessful)
	r.clk.pass(5 * time.Minute)
	if d := cmp.Diff(map[string]int{"1": 2}, r.versions()); d != "" {
		t.Error(d)
	}
	if err := r.start(next, &types.RefreshPreferences{MinHealthyPercentage: aws.Int32(50), InstanceWarmup: aws.Int32(600)}); err != nil {
		t.Fatal(err)
	}
	r.clk.pass(time.Minute)
	must[*autoscaling.CancelInstanceRefreshOutput](t)(r.c.CancelInstanceRefresh(t.Context(), &autoscaling.CancelInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName)}))
	if s := r.last().Status; s != types.InstanceRefreshStatusCancelling {
		t.Errorf("after the cancel: %s", s)
	}
	r.until(types.InstanceRefreshStatusCancelled)
	if d := cmp.Diff(map[string]int{"1": 1, "2": 1}, r.versions()); d != "" {
		t.Error(d)
	}
}

// Preferences outside of what the API reference allows are refused.
func TestRefreshPreferences(t *testing.T) {
	r := newRefreshes(t, 0)
	for name, p := range map[string]*types.RefreshPreferences{
		"minimum":             {MinHealthyPercentage: aws.Int32(101)},
		"maximum":             {MinHealthyPercentage: aws.Int32(90), MaxHealthyPercentage: aws.Int32(99)},
		"maximum alone":       {MaxHealthyPercentage: aws.Int32(110)},
		"too far apart":       {MinHealthyPercentage: aws.Int32(50), MaxHealthyPercentage: aws.Int32(160)},
		"delay alone":         {CheckpointDelay: aws.Int32(60)},
		"checkpoints go down": {CheckpointPercentages: []int32{50, 20}},
	} {
		t.Run(name, func(t *testing.T) { wantCode(t, r.start(nil, p), "ValidationError") })
	}
	_, err := r.c.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName), DesiredConfiguration: &types.DesiredConfiguration{
		LaunchTemplate: fleetLaunch("9")}})
	wantCode(t, err, "ValidationError")
}
