package main

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox"
)

// studio is the platform with a stack of the user's own, applied.
func studio(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, "testdata/platforms/studio-eu")
	r.want(0, "apply --yes")
	return r
}

// A chain of a user's own stacks comes and goes in the order of what they need.
func TestOwnStacksComeAndGoInOrder(t *testing.T) {
	t.Parallel()
	r := studio(t)
	r.write("specs/second.yaml", `apiVersion: reconcile/v1
kind: Stack
metadata: {name: studio-eu-alarm}
spec:
  template: ./alarm.yaml
  parameters: {Queue: {stack: studio-eu-queue, output: QueueArn}}
---
apiVersion: reconcile/v1
kind: Stack
metadata: {name: studio-eu-last}
spec: {template: ./last.yaml, dependsOn: [studio-eu-alarm]}
`)
	r.write("specs/alarm.yaml", "Parameters: {Queue: {Type: String}}\nResources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Select [5, !Split [\":\", !Ref Queue]]}\nOutputs: {Arn: {Value: !Ref T}}\n")
	r.write("specs/last.yaml", "Resources: {P: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /studio/last, Value: x}}}\n")
	if got := strings.Join(steps(r.plan("")), ", "); got != "create stack/studio-eu-alarm, create stack/studio-eu-last" {
		t.Errorf("the plan: %s", got)
	}
	r.want(0, "apply --yes")
	r.empty()

	// A stack that others read cannot go alone.
	r.edit("name: studio-eu-queue", "name: studio-eu-other", "specs/stack.yaml")
	r.want(3, "plan", "studio-eu-queue")
	r.edit("name: studio-eu-other", "name: studio-eu-queue", "specs/stack.yaml")

	for _, f := range []string{"second.yaml", "alarm.yaml", "last.yaml"} {
		r.remove("specs/" + f)
	}
	p := r.plan("")
	if len(p.Steps) != 2 || p.Steps[0].Target != "studio-eu-last" || p.Steps[1].Target != "studio-eu-alarm" {
		t.Errorf("the plan: %v", steps(p))
	}
	r.want(4, "apply --yes --allow-destroy", "name every one")
	r.want(0, "apply --yes --approve destroy:studio-eu-last --approve destroy:studio-eu-alarm")
	r.empty()
}

// What somebody else still imports cannot be deleted; when they are gone, the
// very same command does it.
func TestDeletionOfWhatIsImported(t *testing.T) {
	t.Parallel()
	r := studio(t)
	r.edit("QueueUrl: {Value: !Ref Jobs}", "QueueUrl: {Value: !Ref Jobs, Export: {Name: the-queue}}", "specs/queue.yaml")
	r.want(0, "apply --yes")
	theirs := `{"Resources":{"T":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Fn::ImportValue":"the-queue"}}}}}`
	r.region("eu-west-1", func(ctx context.Context, c *cloudformation.Client) {
		if _, err := c.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("theirs"), TemplateBody: &theirs}); err != nil {
			t.Fatal(err)
		}
		awaitStatus(ctx, t, c, "theirs", types.StackStatusCreateComplete)
	})
	r.remove("specs/stack.yaml")
	r.remove("specs/queue.yaml")
	const consent = "apply --yes --approve destroy:studio-eu-queue"
	r.want(5, consent, "the-queue", "theirs")
	r.want(5, consent, "theirs")
	r.region("eu-west-1", func(ctx context.Context, c *cloudformation.Client) {
		if _, err := c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("theirs")}); err != nil {
			t.Fatal(err)
		}
		for {
			out, err := c.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("theirs")})
			if err != nil || out.Stacks[0].StackStatus == types.StackStatusDeleteComplete {
				return
			}
		}
	})
	r.want(0, consent)
	r.empty()
}

// region reaches into another region of the sandbox.
func (r *rig) region(name string, use func(ctx context.Context, c *cloudformation.Client)) {
	r.t.Helper()
	r.box(func(ctx context.Context, box *sandbox.Sandbox, _ aws.Config) {
		use(ctx, cloudformation.NewFromConfig(sdk(box, name)))
	})
}
