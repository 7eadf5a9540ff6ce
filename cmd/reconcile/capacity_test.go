package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"reconcile/pkg/sandbox"
)

const (
	stagingGroup = "asg-staging-gpu-default"
	stagingFleet = "bp-gpu-fleet-staging-gpu-default"
)

// desire sets how many instances the fleet wants, as the autoscaler does.
func (r *rig) desire(n int32) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := autoscaling.NewFromConfig(cfg).SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String(stagingGroup), DesiredCapacity: aws.Int32(n)}); err != nil {
			r.t.Fatal(err)
		}
	})
}

// desired is how many instances the fleet wants; -1 without its group.
func (r *rig) desired() int32 {
	r.t.Helper()
	n := int32(-1)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := autoscaling.NewFromConfig(cfg).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{stagingGroup}})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(out.AutoScalingGroups) > 0 {
			n = *out.AutoScalingGroups[0].DesiredCapacity
		}
	})
	return n
}

// What the fleet wants is never a change, and no edit beside it touches it.
func TestDesiredCapacitySurvivesAnEdit(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.desire(3)
	r.empty()
	r.edit(`["g4dn.xlarge", "g5.xlarge"] // Spot`, `["g5.xlarge", "g4dn.xlarge"] // Spot`, "specs/fleets.cue")
	s := r.want(0, "plan", stagingFleet)
	s.saysNot(t, "capacity:")
	r.want(0, "apply --yes")
	if n := r.desired(); n != 3 {
		t.Errorf("after an unrelated edit the fleet wants %d, want 3", n)
	}
	r.empty()
}

// A fleet that is idle when the plan is made, and runs when its step comes, is
// not stopped: apply reads the group again.
func TestFleetThatWakesUpIsNotStopped(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit(`"max_size": 10`, `"max_size": 2`, "specs/fleet-templates.json")
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml") // the fleets come after this
	r.want(0, "plan").saysNot(t, "capacity:")
	r.rule(sandbox.FaultRule{Service: "cloudformation", Operation: "ExecuteChangeSet", Times: 1, Fault: sandbox.Fault{Delay: 2 * time.Second}})
	s := r.start("apply --yes")
	if !s.after(1) {
		t.Fatal("ended early")
	}
	r.desire(4)
	if code := s.end(t); code != exitRefused {
		t.Errorf("exit code %d\n%s", code, s.all)
	}
	if n := r.desired(); n != 4 {
		t.Errorf("the fleet wants %d, want 4\n%s", n, s.all)
	}
	if !strings.Contains(s.all.String(), "would stop 2 instances") {
		t.Errorf("the refusal is not told:\n%s", s.all)
	}
	r.want(0, "apply --yes --approve capacity:"+stagingFleet)
	r.empty()
}

// Taking a fleet away that runs needs two consents, with the numbers of now.
func TestRunningFleetIsNotRemovedSilently(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.desire(3)
	line := "destroy --yes --fleet staging/gpu-default"
	r.want(4, line, "capacity:"+stagingFleet, "wants 3", "destroy:"+stagingFleet)
	r.want(4, line+" --allow-destroy", "capacity:"+stagingFleet)
	r.want(4, line+" --approve capacity:"+stagingFleet, "destroy:"+stagingFleet)
	if n := r.desired(); n != 3 {
		t.Fatalf("the fleet wants %d", n)
	}
	r.want(0, line+" --allow-destroy --approve capacity:"+stagingFleet)
	if n := r.desired(); n != -1 {
		t.Errorf("the group is still there and wants %d", n)
	}
}
