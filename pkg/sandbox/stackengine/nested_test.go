package stackengine_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

// newNest is a world with templates in a bucket, and a parent of them.
func newNest(t *testing.T) (w *world, store map[string]string, parent string) {
	w = newWorld(t)
	store = map[string]string{
		"https://s3.amazonaws.com/b/child.yaml": `
Parameters: {Name: {Type: String}, Ports: {Type: CommaDelimitedList}}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref Name, DisplayName: !Join ["-", !Ref Ports]}}
Outputs: {Arn: {Value: !Ref Topic}, Says: {Value: !GetAtt Topic.DisplayName}}
`,
	}
	w.e.Fetch = func(_ context.Context, url string) (string, error) {
		if body, ok := store[url]; ok {
			return body, nil
		}
		return "", errors.New("The specified key does not exist.") //nolint:revive // AWS's text
	}
	return w, store, `
Resources:
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://s3.amazonaws.com/b/child.yaml
      Parameters: {Name: news, Ports: [80, 443]}
      Tags: [{Key: own, Value: tag}]
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Select [5, !Split [":", !GetAtt Inner.Outputs.Arn]], DelaySeconds: 1}}
Outputs: {Says: {Value: !GetAtt Inner.Outputs.Says}}
`
}

func (w *world) child(parent, logical string) *types.Stack {
	w.t.Helper()
	r := must[cfn.DescribeStackResourceOutput](w, &cfn.DescribeStackResourceInput{StackName: &parent, LogicalResourceId: &logical})
	return &must[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: r.StackResourceDetail.PhysicalResourceId}).Stacks[0]
}

func TestNestedStacks(t *testing.T) {
	w, store, parent := newNest(t)
	w.create("s", parent)
	if got := w.status("s"); got != "CREATE_COMPLETE" {
		t.Fatalf("%s\n%s", got, w.events("s"))
	}
	c := w.child("s", "Inner")
	if id := *w.stack("s").StackId; *c.ParentId != id || *c.RootId != id || !strings.HasPrefix(*c.StackName, "s-Inner-") || len(c.Tags) != 1 || c.StackStatus != "CREATE_COMPLETE" {
		t.Errorf("the nested stack is %+v", c)
	}
	if got := *w.stack("s").Outputs[0].OutputValue; got != "80-443" {
		t.Errorf("output %s", got)
	}
	// A change set cannot know whether the nested template changed.
	out := w.change("s", "same", "UPDATE", parent)
	if len(out.Changes) == 0 || out.Changes[0].ResourceChange.Details[0].ChangeSource != "Automatic" || out.Changes[0].ResourceChange.Details[0].Evaluation != "Dynamic" {
		t.Errorf("change set %+v", out.Changes)
	}
	w.skipEvents("s")
	w.execute(out.ChangeSetId)
	if ev := w.events("s"); strings.Contains(ev, "Inner") {
		t.Errorf("an unchanged nested stack is touched:\n%s", ev)
	}
	// The template behind the URL changes; the parent's update brings it in.
	const url = "https://s3.amazonaws.com/b/child.yaml"
	store[url] = strings.Replace(store[url], `!Join ["-"`, `!Join ["+"`, 1)
	w.update("s", parent)
	if got := *w.stack("s").Outputs[0].OutputValue; got != "80+443" || w.child("s", "Inner").StackStatus != "UPDATE_COMPLETE" {
		t.Errorf("after the update: %s\n%s", got, w.events("s"))
	}
	id := w.child("s", "Inner").StackId
	w.reopen()
	w.delete("s")
	if got := must[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: id}).Stacks[0].StackStatus; got != "DELETE_COMPLETE" || len(w.e.State.Items) != 0 {
		t.Errorf("the nested stack is %s, %d things are left", got, len(w.e.State.Items))
	}
}

// A failure inside fails the parent, which takes everything back.
func TestNestedStackFails(t *testing.T) {
	w, store, parent := newNest(t)
	w.fail("Topic", stackengine.PhaseCreate, 1, "no more topics")
	w.create("broken", parent)
	if got := w.status("broken"); !strings.HasPrefix(got, "ROLLBACK_COMPLETE") {
		t.Errorf("%s\n%s", got, w.events("broken"))
	}
	if ev := w.events("broken"); !strings.Contains(ev, "was not successfully created: The following resource(s) failed to create: [Topic].") {
		t.Errorf("events:\n%s", ev)
	}
	w.delete("broken")

	w.create("s", parent)
	const url = "https://s3.amazonaws.com/b/child.yaml"
	before := store[url]
	store[url] = strings.Replace(before, `!Join ["-"`, `!Join ["+"`, 1)
	w.fail("Queue", stackengine.PhaseUpdate, 1, "no")
	w.update("s", strings.Replace(parent, "DelaySeconds: 1", "DelaySeconds: 2", 1))
	if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("%s\n%s", got, w.events("s"))
	}
	c := w.child("s", "Inner")
	for _, o := range c.Outputs {
		if *o.OutputKey == "Says" && *o.OutputValue != "80-443" {
			t.Errorf("the nested stack says %s after the rollback", *o.OutputValue)
		}
	}
	w.fail("Topic", stackengine.PhaseUpdate, 1, "no")
	w.update("s", strings.Replace(parent, "[80, 443]", "[81]", 1))
	if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" || w.child("s", "Inner").StackStatus != "UPDATE_ROLLBACK_COMPLETE" {
		t.Errorf("%s\n%s", got, w.events("s"))
	}
	delete(store, url)
	w.create("lost", parent)
	if got := w.events("lost"); !strings.Contains(got, "S3 error: The specified key does not exist.") {
		t.Errorf("events:\n%s", got)
	}
	store[url] = strings.ReplaceAll(strings.ReplaceAll(parent, "Name: news, Ports: [80, 443]", ""), "!GetAtt Inner.Outputs.Says", "x")
	w.create("endless", store[url])
	if got := w.status("endless"); !strings.HasPrefix(got, "ROLLBACK_COMPLETE") {
		t.Errorf("a template that nests itself: %s", got)
	}
}
