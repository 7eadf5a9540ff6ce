package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox"
)

// An approval that came with a plan in a file is used up by it, like one that
// came with the specs.
func TestApprovalInASealedPlanCountsOnce(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const stack = "bp-gpu-fleet-production-gpu-default"
	r.edit("  region: us-east-1\n", "  region: us-east-1\n  approvals:\n    - {kind: destroy, target: "+stack+", expires: 2126-01-31}\n", "specs/platform.yaml")
	r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
	r.want(0, "plan --out sealed")
	r.want(0, "apply sealed --yes", "Apply complete")
	r.want(0, "plan --verbose", "approval destroy:"+stack+" was used by run")
	r.want(4, "apply sealed --yes", "not approved: destroy:"+stack, "whose approval in the specs was used by run", "does not count again", "--approve destroy:"+stack)
	r.want(0, "apply sealed --yes --approve destroy:"+stack, "already gone") // somebody's own consent
}

// What happened while a plan in a file waited for the lock is seen: each step
// looks again, and the ones that moved are refused, and no other.
func TestSealedPlanLooksAgainAfterItWaited(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	r.edit(`"g4dn.xlarge", "g5.xlarge"`, `"g5.xlarge", "g4dn.xlarge"`, "specs/fleets.cue")
	r.want(0, "plan --out sealed")
	s := r.waits("apply sealed --yes")
	template := strings.Replace(r.template("bp-compute"), `"MaxCapacity":4`, `"MaxCapacity":8`, 1)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		c := cloudformation.NewFromConfig(cfg)
		_, err := c.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: aws.String("bp-compute"), TemplateBody: &template,
			Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}})
		if err != nil {
			t.Fatal(err)
		}
		awaitStatus(ctx, t, c, "bp-compute", types.StackStatusUpdateComplete)
	})
	r.want(0, "unlock --yes", "unlocked")
	if code := s.end(t); code != exitRefused {
		t.Fatalf("exit code %d\n%s", code, s.all)
	}
	if text := flat(s.all.String()); !strings.Contains(text, "bp-compute moved since the plan") || !strings.Contains(text, "done parameter /bp/fleets/staging/gpu-default/desired_config") {
		t.Errorf("%s", s.all)
	}
}

// A drift that somebody else mended meanwhile is not mended again.
func TestDriftFixLooksAgainAfterItWaited(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	by := func(value string) {
		r.want(0, "sandbox mutate bp-gpu-fleet-staging-gpu-default/Group /MaxSize "+value)
	}
	by("7")
	s := r.waits("drift --fix --yes")
	by("10")
	r.want(0, "unlock --yes", "unlocked")
	if code := s.end(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, s.all)
	}
	if text := flat(s.all.String()); !strings.Contains(text, "what is left to do now") || strings.Contains(text, "reverted") {
		t.Errorf("%s", s.all)
	}
}

// waits starts a command and lets it wait for somebody else's lock.
func (r *rig) waits(line string) *started {
	r.t.Helper()
	r.lockedBy("ana@laptop", 10*time.Minute)
	s := r.start(line)
	if !s.sees("waiting for the lock, held by ana@laptop") {
		r.t.Fatalf("ended early: %d\n%s", s.end(r.t), s.all)
	}
	return s
}
