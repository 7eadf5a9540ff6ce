//go:build unix

package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox"
)

const errorAlarm = "staging-p2-gpu-default-error-rate"

// fleetRig is the deployed platform with n workers of the staging fleet in service.
func fleetRig(t testing.TB, n int) *rig {
	r := deployedRig(t)
	if n > 0 {
		r.want(0, fmt.Sprintf("sandbox mutate --scale %s=%d", stagingGroup, n))
		r.want(0, "sandbox mutate --advance 10m")
	}
	return r
}

// promote gives the staging fleet another AMI, as a build does.
func (r *rig) promote(ami string) {
	r.t.Helper()
	r.want(0, "sandbox mutate --publish "+ami)
	r.want(0, "sandbox mutate --parameter /bp/ami/fleets/staging/gpu-default="+ami)
}

func (r *rig) ring(state string) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		byHand(r.t, box, "monitoring", "", "Action=SetAlarmState&Version=2010-08-01&AlarmName="+errorAlarm+"&StateReason=test&StateValue="+state)
	})
}

// running are the group's instances in service by launch template version.
func (r *rig) running() map[string][]string {
	r.t.Helper()
	out := map[string][]string{}
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		groups, err := autoscaling.NewFromConfig(cfg).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{stagingGroup}})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, i := range groups.AutoScalingGroups[0].Instances {
			if i.LifecycleState == types.LifecycleStateInService {
				v := aws.ToString(i.LaunchTemplate.Version)
				out[v] = append(out[v], aws.ToString(i.InstanceId))
			}
		}
	})
	return out
}

// works makes an instance a worker that holds a job, or one that is done.
func (r *rig) works(id string, busy bool) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := autoscaling.NewFromConfig(cfg).SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{
			AutoScalingGroupName: aws.String(stagingGroup), InstanceIds: []string{id}, ProtectedFromScaleIn: aws.Bool(busy)}); err != nil {
			r.t.Fatal(err)
		}
	})
}

const ami2, ami3 = "ami-0000000000000002a", "ami-0000000000000003a"

// A rollout replaces what runs and nothing where nothing runs; killed midway,
// the same command finishes it; a change that launches nothing else replaces nothing.
func TestRollout(t *testing.T) {
	t.Parallel()
	r := fleetRig(t, 0)
	r.promote(ami2)
	r.want(0, "plan", "a rollout", "no instance is in service: nothing is replaced")
	r.want(0, "apply --yes")
	r.empty()

	r.want(0, "sandbox mutate --scale "+stagingGroup+"=3")
	r.want(0, "sandbox mutate --advance 10m")
	if got := r.running(); len(got["2"]) != 3 {
		t.Fatalf("the fleet runs %v", got)
	}
	r.edit(`"max_size": 10`, `"max_size": 12`, "specs/fleet-templates.json")
	p := r.plan("")
	for _, s := range p.Steps {
		if s.Rollout != nil {
			t.Errorf("%s is a rollout of %+v", s.ID, *s.Rollout)
		}
	}
	r.promote(ami3)
	p = r.plan("")
	s, ok := p.Step("rollout/" + stagingFleet)
	if !ok || s.Rollout == nil || s.Rollout.InService != 3 || s.Rollout.FromImage != ami2 || s.Rollout.ToImage != ami3 || s.Rollout.Minutes < 10 {
		t.Fatalf("%v: %+v", steps(p), s.Rollout)
	}
	first := r.start("apply --yes")
	for first.after(1) {
		if strings.Contains(first.all.String(), "a rollout") {
			first.signal(t, syscall.SIGKILL)
			break
		}
	}
	if code := first.end(t); code != -1 {
		t.Fatalf("it ended with %d before it was killed:\n%s", code, first.all)
	}
	r.want(0, "apply --yes")
	r.empty()
	if got := r.running(); len(got) != 1 || len(got["3"]) != 3 {
		t.Errorf("after the rollout the fleet runs %v", got)
	}
}

// An alarm that rings ends a rollout. While it rings the way back fails, too:
// the plan then leads through the recovery.
func TestRolloutThatAnAlarmEnds(t *testing.T) {
	t.Parallel()
	r := fleetRig(t, 2)
	before := r.parameter("/bp/ami/fleets/staging/gpu-default")
	r.promote(ami2)
	r.rule(sandbox.FaultRule{Service: "cloudformation", Operation: "ExecuteChangeSet", Times: 1, Fault: sandbox.Fault{Delay: 2 * time.Second}})
	s := r.start("apply --yes")
	if !s.after(1) {
		t.Fatal("ended early")
	}
	r.ring("ALARM")
	if code := s.end(t); code != exitApplyFailed || !strings.Contains(flat(s.all.String()), "went into the ALARM state") {
		t.Fatalf("exit code %d\n%s", code, s.all)
	}
	r.want(0, "plan", "UPDATE_ROLLBACK_FAILED", "recover:"+stagingFleet)
	r.ring("OK")
	r.want(0, "sandbox mutate --parameter /bp/ami/fleets/staging/gpu-default="+before)
	// The image before is the older one: going back to it is said, too.
	r.want(0, "apply --yes --approve recover:"+stagingFleet+" --approve downgrade:"+stagingFleet+"/LaunchTemplate")
	r.empty()
	if got := r.running(); len(got) != 1 || len(got["2"]) != 0 {
		t.Errorf("after the recovery the fleet runs %v", got)
	}
}

// Without capacity for new instances a rollout gives up and leaves the old ones
// at work; a worker with a job is waited for, or kept where the spec says so.
func TestRolloutMeetsScarcityAndWork(t *testing.T) {
	t.Parallel()
	r := fleetRig(t, 2)
	before := r.parameter("/bp/ami/fleets/staging/gpu-default")
	r.promote(ami2)
	for _, kind := range []string{"g4dn.xlarge", "g5.xlarge"} {
		r.want(0, "sandbox fault "+kind+" --capacity")
	}
	r.want(5, "apply --yes", "ended with status Failed", "UPDATE_ROLLBACK_COMPLETE")
	if got := r.running(); len(got["1"]) != 2 {
		t.Fatalf("after the failed rollout the fleet runs %v", got)
	}
	r.want(0, "plan", "was rolled back", "rolls out "+ami2+" again", "reconcile ami use staging/gpu-default "+before).
		saysNot(t, "Edited by hand")
	r.calm()

	busy := r.running()["1"][0]
	r.works(busy, true)
	r.want(5, "apply --yes", "1 instance protected by a job: waited for", "protected from scale in", "UPDATE_ROLLBACK_COMPLETE")
	r.edit(`template: "gpu-default"`, "template: \"gpu-default\"\n\t\trollout: busyWorkers: \"keep\"", "specs/fleets.cue")
	r.want(0, "apply --yes", "kept as they are until they end by themselves")
	got := r.running()
	if len(got) != 2 || len(got["1"]) != 1 || got["1"][0] != busy {
		t.Errorf("the fleet runs %v, the worker with a job is %s", got, busy)
	}
	r.empty()
}

// A rollout under way is shown, and ended while the apply that waits for it
// has the lock; ended again it says so, and so does one that is over.
func TestRolloutIsEnded(t *testing.T) {
	t.Parallel()
	r := fleetRig(t, 2)
	r.want(0, "rollout status", "staging/gpu-default", "no rollout in the last six weeks", "production/gpu-default", "no instance runs")
	r.want(4, "rollout rollback staging/gpu-default", "no rollout of staging/gpu-default is under way", "--rev OLD --allow-rollback", "/bp/ami/fleets/staging/gpu-default")
	r.want(1, "rollout cancel", "name one fleet")
	r.want(4, "rollout cancel */gpu-default", "names 2 fleets")

	r.promote(ami2)
	r.works(r.running()["1"][0], true)
	r.works(r.running()["1"][1], true)
	r.pace(sandbox.PaceReal) // who looks on must find it under way
	r.leaves(ami2)
	r.want(0, "sandbox mutate --advance 5m")
	r.want(0, "rollout status staging/gpu-default", "UPDATE_IN_PROGRESS", "2 instances to replace", "alarm "+errorAlarm+" is", "protected", "pauses at 25 %, 100 %",
		"next: reconcile rollout rollback staging/gpu-default")
	r.lockedBy("somebody@ci", time.Minute)
	r.want(0, "rollout cancel staging/gpu-default", "goes back", "the lock is held by somebody@ci")
	r.pace(sandbox.PaceFast)
	r.want(0, "rollout rollback staging/gpu-default", "back already")
	if got := r.running(); len(got["1"]) != 2 {
		t.Errorf("after the rollback the fleet runs %v", got)
	}
	r.want(0, "rollout cancel staging/gpu-default", "went back already")
	r.want(0, "history", "reconcile rollout cancel staging/gpu-default")
	r.want(0, "rollout status staging/gpu-default -o json", `"status": "UPDATE_ROLLBACK_COMPLETE"`)
}

// leaves begins the rollout of an AMI as a command that was killed leaves it:
// nobody looks on.
func (r *rig) leaves(ami string) {
	r.t.Helper()
	old := r.plan("").Steps[0].Rollout.FromImage
	body := strings.ReplaceAll(r.template(stagingFleet), old, ami)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := cloudformation.NewFromConfig(cfg).UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: aws.String(stagingFleet), TemplateBody: aws.String(body),
			ClientRequestToken: aws.String("rc-killed"), Capabilities: []cfntypes.Capability{cfntypes.CapabilityCapabilityIam, cfntypes.CapabilityCapabilityNamedIam}}); err != nil {
			r.t.Fatal(err)
		}
	})
}

func (r *rig) pace(p sandbox.Pace) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		if err := box.SetPace(p); err != nil {
			r.t.Fatal(err)
		}
	})
}
