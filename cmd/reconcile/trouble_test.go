package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

const quota = "Resource handler returned message: the account's limit of load balancers is reached"

// A creation that fails says why, stops only what needs it, and is made good
// by its deletion, with consent, and another creation.
func TestFailedCreation(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.run("plan")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Type: "AWS::ElasticLoadBalancingV2::LoadBalancer", Phase: stackengine.PhaseCreate, Times: 1, Message: quota, Code: "ServiceLimitExceeded"})
	s := r.want(5, "apply --yes", quota, "LoadBalancer", "16 steps done", "1 failed", "3 skipped", "ROLLBACK_COMPLETE")
	s.saysNot(t, "Resource creation cancelled", "goroutine")

	want := []string{
		"recover recover/bp-compute", "create stack/bp-compute", "create stack/bp-monitoring",
		"create stack/bp-gpu-fleet-production-gpu-default", "create stack/bp-gpu-fleet-staging-gpu-default",
	}
	if d := cmp.Diff(want, steps(r.plan(""))); d != "" {
		t.Errorf("the plan after the failure (-want +got):\n%s", d)
	}
	r.want(0, "plan", "recover:bp-compute", "ROLLBACK_COMPLETE", "--approve recover:bp-compute")
	r.want(0, "status", "degraded", "its creation failed and was rolled back")
	r.want(4, "apply --yes", "--approve recover:bp-compute")
	r.want(0, "apply --yes --approve recover:bp-compute")
	r.empty()
}

// An update that fails is rolled back; the next apply does it.
func TestFailedUpdate(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 6", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Times: 1, Message: "Rate of updates exceeded for the target", Code: "Throttling"})
	r.want(5, "apply --yes", "Rate of updates exceeded for the target", "rolled the stack back", "1 failed")
	r.want(2, "plan --detailed-exitcode", "0 to add, 1 to change, 0 to destroy", "its last update failed and was rolled back")
	r.want(0, "status", "UPDATE_ROLLBACK_COMPLETE", "out-of-sync")
	r.want(0, "apply --yes")
	r.empty()
	// The same failure, then the specs go back: nothing is left to do.
	r.edit("maxTasks: 6", "maxTasks: 7", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Times: 1, Message: "No"})
	r.want(5, "apply --yes")
	r.edit("maxTasks: 7", "maxTasks: 6", "specs/platform.yaml")
	r.want(0, "plan --detailed-exitcode", "No changes.")
}

// A rollback that fails is continued, with consent, and the update follows.
func TestFailedRollback(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 6", "specs/platform.yaml")
	r.edit("maxTasks: 3", "maxTasks: 5", "specs/platform.yaml")
	r.breaks(
		stackengine.Fault{Stack: "bp-compute", Logical: "BackendScaling", Phase: stackengine.PhaseUpdate, Message: "update refused", Delay: 60},
		stackengine.Fault{Stack: "bp-compute", Type: "AWS::ApplicationAutoScaling::ScalableTarget", Phase: stackengine.PhaseUpdate, Message: "update refused", Delay: 60, Times: 1},
		stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseRollback, Message: "rollback refused"},
	)
	r.want(5, "apply --yes", "UPDATE_ROLLBACK_FAILED", "rollback refused")
	p := r.plan("")
	if len(p.Steps) == 0 || p.Steps[0].ID != "recover/bp-compute" || p.Steps[0].Body.Recover.Operation != "continue-rollback" {
		t.Fatalf("the plan: %v", steps(p))
	}
	r.want(0, "plan", "recover:bp-compute", "continued without skipping anything")
	r.want(4, "apply --yes", "--approve recover:bp-compute")
	// While the cause is there the rollback fails again, and says what is in the way.
	r.want(5, "apply --yes --approve recover:bp-compute", "rollback refused", "no resource was skipped")
	r.calm()
	r.want(0, "apply --yes --approve recover:bp-compute")
	if got := steps(r.plan("")); len(got) > 0 {
		r.want(0, "apply --yes")
	}
	r.empty()
}

// A deletion that fails is tried once more, with consent.
func TestFailedDeletion(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit(`for stage in ["staging", "production"]`, `for stage in ["production"]`, "specs/fleets.cue")
	r.breaks(stackengine.Fault{Stack: "bp-gpu-fleet-staging-gpu-default", Type: "AWS::IAM::Role", Phase: stackengine.PhaseDelete, Times: 1, Message: "the role is in use"})
	const gone = "--approve destroy:bp-gpu-fleet-staging-gpu-default"
	r.want(5, "apply --yes "+gone, "the role is in use", "DELETE_FAILED")
	s := r.want(0, "plan", "recover:bp-gpu-fleet-staging-gpu-default", "DELETE_FAILED")
	if !strings.Contains(s.out, gone) {
		t.Errorf("the plan does not name %s:\n%s", gone, s.out)
	}
	r.want(4, "apply --yes "+gone)
	r.want(0, "apply --yes --approve recover:bp-gpu-fleet-staging-gpu-default "+gone)
	r.empty()
}

// DELETE_FAILED while the specs want the stack: deleted once more and made anew.
func TestFailedDeletionOfAWantedStack(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.breaks(stackengine.Fault{Stack: "bp-gpu-fleet-staging-gpu-default", Type: "AWS::IAM::Role", Phase: stackengine.PhaseDelete, Times: 1, Message: "the role is in use"})
	r.want(5, "destroy --yes --fleet staging/gpu-default --allow-destroy", "the role is in use")
	r.want(0, "plan", "recover:bp-gpu-fleet-staging-gpu-default")
	r.want(4, "apply --yes")
	r.want(0, "apply --yes --approve recover:bp-gpu-fleet-staging-gpu-default")
	r.empty()
}

// Creations and updates that somebody stopped half-way, with rollback off.
func TestStoppedHalfway(t *testing.T) {
	t.Parallel()
	const stack = "bp-gpu-fleet-staging-gpu-default"
	t.Run("CREATE_FAILED", func(t *testing.T) {
		t.Parallel()
		r := deployedRig(t)
		template := r.template(stack)
		r.want(0, "destroy --yes --allow-destroy --stack "+stack)
		r.breaks(stackengine.Fault{Stack: stack, Type: "AWS::IAM::Role", Phase: stackengine.PhaseCreate, Times: 1, Message: "no such luck"})
		r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
			c := cloudformation.NewFromConfig(cfg)
			_, err := c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String(stack), TemplateBody: &template,
				DisableRollback: aws.Bool(true), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}})
			if err != nil {
				t.Fatal(err)
			}
			awaitStatus(ctx, t, c, stack, types.StackStatusCreateFailed)
		})
		r.want(0, "plan", "CREATE_FAILED", "recover:"+stack)
		r.want(4, "apply --yes")
		r.converges(stack)
	})
	t.Run("UPDATE_FAILED", func(t *testing.T) {
		t.Parallel()
		r := deployedRig(t)
		r.breaks(stackengine.Fault{Stack: stack, Type: "AWS::AutoScaling::AutoScalingGroup", Phase: stackengine.PhaseUpdate, Times: 1, Message: "no such luck"})
		template := strings.Replace(r.template(stack), `"MaxSize":"10"`, `"MaxSize":"9"`, 1)
		r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
			c := cloudformation.NewFromConfig(cfg)
			_, err := c.UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: aws.String(stack), TemplateBody: &template,
				DisableRollback: aws.Bool(true), Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}})
			if err != nil {
				t.Fatal(err)
			}
			awaitStatus(ctx, t, c, stack, types.StackStatusUpdateFailed)
		})
		r.want(0, "plan", "UPDATE_FAILED", "recover:"+stack)
		r.want(4, "apply --yes")
		r.converges(stack)
	})
}

// A change set that never ran leaves an empty stack of the name: it is used.
func TestLeftOverChangeSet(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "apply --yes --stack bp-cicd")
	template := r.template("bp-cicd")
	r.want(0, "sandbox reset")
	r.run("plan")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		_, err := cloudformation.NewFromConfig(cfg).CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{StackName: aws.String("bp-cicd"),
			ChangeSetName: aws.String("somebody"), ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: &template})
		if err != nil {
			t.Fatal(err)
		}
	})
	r.want(0, "plan --stack bp-cicd", "left over from a change set that never ran")
	r.want(0, "apply --yes")
	r.empty()
}

// Somebody else's operation is named and never joined; the rest is done.
func TestSomebodyElsesOperation(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 6", "specs/platform.yaml")
	r.edit("backupDays: 7", "backupDays: 8", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Delay: 3_000_000}) // 50 minutes of ours: it ends below
	template := strings.Replace(r.template("bp-compute"), `"MaxCapacity":4`, `"MaxCapacity":8`, 1)
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		_, err := cloudformation.NewFromConfig(cfg).UpdateStack(ctx, &cloudformation.UpdateStackInput{StackName: aws.String("bp-compute"),
			TemplateBody: &template, Capabilities: []types.Capability{types.CapabilityCapabilityNamedIam}, ClientRequestToken: aws.String("a-colleague")})
		if err != nil {
			t.Fatal(err)
		}
	})
	r.want(0, "plan", "stack bp-compute is busy", "UPDATE_IN_PROGRESS")
	r.want(0, "status", "busy")
	r.want(4, "apply --yes", "stack bp-compute is busy", "1 step done", "describe-stack-events --stack-name bp-compute")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		if _, err := box.Advance(time.Hour); err != nil {
			t.Fatal(err)
		}
		awaitStatus(ctx, t, cloudformation.NewFromConfig(cfg), "bp-compute", types.StackStatusUpdateComplete)
	})
	r.calm()
	r.want(0, "apply --yes")
	r.empty()
}

// template is the deployed template of a stack.
func (r *rig) template(stack string) (body string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := cloudformation.NewFromConfig(cfg).GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack})
		if err != nil {
			r.t.Fatal(err)
		}
		body = *out.TemplateBody
	})
	return body
}

// converges applies with the consent to recover, as often as the plan asks.
func (r *rig) converges(stack string) {
	r.t.Helper()
	var last said
	for range 3 {
		last = r.run("apply --yes --approve recover:" + stack)
		if !slices.Contains([]int{0, 4}, last.code) {
			r.t.Fatalf("exit code %d\n%s", last.code, last.all())
		}
		if last.code == 0 && strings.Contains(r.run("plan").out, "No changes.") {
			return
		}
	}
	r.t.Errorf("does not converge:\n%s", last.all())
}

func awaitStatus(ctx context.Context, t testing.TB, c *cloudformation.Client, stack string, want types.StackStatus) {
	t.Helper()
	var have types.StackStatus
	for ctx.Err() == nil {
		out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		if err != nil {
			t.Fatal(err)
		}
		if have = out.Stacks[0].StackStatus; have == want {
			return
		}
		if !strings.HasSuffix(string(have), "_IN_PROGRESS") {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("stack %s is %s, want %s", stack, have, want)
}
