package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// What somebody changed by hand shows, with what it was deployed as.
func TestHandEditsShow(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const group = "asg-staging-gpu-default"
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		_, err := autoscaling.NewFromConfig(cfg).UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: aws.String(group), MaxSize: aws.Int32(3)})
		if err != nil {
			t.Fatal(err)
		}
		ec2Call(t, box, "CreateLaunchTemplateVersion", "LaunchTemplateName=lt-staging-gpu-default&SourceVersion=1&LaunchTemplateData.InstanceType=g5.xlarge", "launchTemplateName")
	})
	s := r.want(2, "plan --detailed-exitcode", "! ", "bp-gpu-fleet-staging-gpu-default", "MaxSize", "InstanceType", "g5.xlarge")
	s.saysNot(t, "production", "LaunchTemplateSpecification.Version") // the group runs the version that was deployed
	if p := r.plan(""); len(p.Drift) != 2 || !p.Empty() {
		t.Errorf("drift: %+v", p.Drift)
	}
	r.want(0, "plan -o markdown", "MaxSize")
	r.want(0, "status", "out-of-sync", "2 settings edited by hand")
	r.want(0, "apply --yes")
}

// The autoscaler owns how many instances there are: that is no hand edit.
func TestAutoscalerOwnsDesired(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		_, err := autoscaling.NewFromConfig(cfg).SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{
			AutoScalingGroupName: aws.String("asg-staging-gpu-default"), DesiredCapacity: aws.Int32(4)})
		if err != nil {
			t.Fatal(err)
		}
	})
	r.empty()
	r.want(0, "status", "staging/gpu-default")
	// A step that would take running instances away says so, with the numbers.
	r.edit(`"max_size": 10`, `"max_size": 2`, "specs/fleet-templates.json")
	r.want(0, "plan", "capacity:bp-gpu-fleet-staging-gpu-default", "wants 4", "its maximum becomes 2")
	s := r.want(4, "apply --yes", "--approve capacity:bp-gpu-fleet-staging-gpu-default")
	s.saysNot(t, "capacity:bp-gpu-fleet-production-gpu-default")
	r.want(0, "apply --yes --approve capacity:bp-gpu-fleet-staging-gpu-default")
	r.empty()
	r.want(0, "status -o json", `"desired": 2`)
}

// The specs own desired_config: what the backend wrote is put back. The Admin
// UI owns the bundle of a fleet that names none: it is left alone.
func TestSharedParameters(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const config, bundle = "/bp/fleets/staging/gpu-default/desired_config", "/bp/fleets/staging/gpu-default/active_bundle"
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		put(ctx, t, cfg, config, `{"version":1,"template_slug":"gpu-default","instance_type":"g6e.2xlarge","ami_ssm_parameter":"/bp/ami/fleets/staging/gpu-default","enabled":false}`)
		put(ctx, t, cfg, bundle, "bundles/by-hand/manifest.json")
	})
	s := r.want(2, "plan --detailed-exitcode", config, "g6e.2xlarge", "0 to add, 1 to change, 0 to destroy")
	s.saysNot(t, bundle)
	r.want(0, "apply --yes", "1 step done")
	r.empty()
	if got := r.parameter(config); !strings.Contains(got, "g4dn.xlarge") {
		t.Errorf("%s is %s", config, got)
	}
	if got := r.parameter(bundle); got != "bundles/by-hand/manifest.json" {
		t.Errorf("%s is %s", bundle, got)
	}
}

// Stacks of the names that the specs want, made by somebody else, stay as they are.
func TestForeignStack(t *testing.T) {
	t.Parallel()
	for name, description := range map[string]string{
		"no mark":           "by hand",
		"another's mark":    "theirs [reconcile owner=studio digest=0123456789abcdef0123456789abcdef]",
		"a mark of no form": "[reconcile owner=bp]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			r.run("plan")
			const theirs = `{"Description":"` + "%" + `","Resources":{"Q":{"Type":"AWS::SQS::Queue"}}}`
			template := strings.Replace(theirs, "%", description, 1)
			r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
				c := cloudformation.NewFromConfig(cfg)
				if _, err := c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("bp-cicd"), TemplateBody: &template}); err != nil {
					t.Fatal(err)
				}
				awaitStatus(ctx, t, c, "bp-cicd", types.StackStatusCreateComplete)
			})
			r.want(4, "plan", "bp-cicd", "never touched")
			r.want(4, "apply --yes", "never touched")
			r.want(4, "status", "never touched", "bp-network", "absent")
			r.want(4, "apply --yes --stack bp-cicd", "never touched")
			r.want(0, "destroy --yes --allow-destroy", "Nothing is left to destroy")
			if got := r.template("bp-cicd"); got != template {
				t.Errorf("the template is now %s", got)
			}
			r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
				out, err := cloudformation.NewFromConfig(cfg).ListStacks(ctx, &cloudformation.ListStacksInput{})
				if err != nil || len(out.StackSummaries) != 1 {
					t.Errorf("stacks: %v %v", out.StackSummaries, err)
				}
			})
		})
	}
}

// A fleet that only SSM knows is told of and left alone, by destroy too.
func TestForeignFleet(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const config = "/bp/fleets/production/by-hand/desired_config"
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) { put(ctx, t, cfg, config, "{}") })
	r.want(0, "plan --detailed-exitcode", "production/by-hand is in SSM and not in the specs", "No changes.")
	r.want(0, "apply --yes")
	r.want(1, "destroy --yes --allow-destroy --fleet production/by-hand", "selects nothing")
	r.want(0, "destroy --yes --allow-destroy --fleet */gpu-default")
	if got := r.parameter(config); got != "{}" {
		t.Errorf("%s is %q", config, got)
	}
}

// parameter is the value of a plain parameter.
func (r *rig) parameter(name string) (value string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &name})
		if err != nil {
			r.t.Fatal(err)
		}
		value = *out.Parameter.Value
	})
	return value
}

// outputOf is an output of a stack.
func outputOf(ctx context.Context, t testing.TB, cfg aws.Config, stack, output string) string {
	t.Helper()
	out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out.Stacks[0].Outputs {
		if *o.OutputKey == output {
			return *o.OutputValue
		}
	}
	t.Fatalf("stack %s has no output %s", stack, output)
	return ""
}
