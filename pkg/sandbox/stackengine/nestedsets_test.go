package stackengine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// whole makes a change set of the hierarchy and waits.
func (w *world) whole(stack, name, kind, body string) *cfn.DescribeChangeSetOutput {
	w.t.Helper()
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: &name, ChangeSetType: types.ChangeSetType(kind), TemplateBody: &body, Capabilities: allCapabilities, IncludeNestedStacks: ptr(true),
	})
	w.pass(20 * time.Second)
	return w.set(out.Id)
}

func (w *world) set(id *string) *cfn.DescribeChangeSetOutput {
	w.t.Helper()
	return must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: id, IncludePropertyValues: ptr(true)})
}

// inside is the change set of the nested stack of the first change.
func (w *world) inside(root *cfn.DescribeChangeSetOutput) *cfn.DescribeChangeSetOutput {
	w.t.Helper()
	for _, c := range root.Changes {
		if c.ResourceChange.ChangeSetId != nil {
			return w.set(c.ResourceChange.ChangeSetId)
		}
	}
	w.t.Fatalf("no change of %+v has a change set", root)
	return nil
}

// brief is a change set in one line.
func brief(cs *cfn.DescribeChangeSetOutput) string {
	var changes []string
	for _, c := range cs.Changes {
		changes = append(changes, fmt.Sprintf("%s %s", c.ResourceChange.Action, *c.ResourceChange.LogicalResourceId))
	}
	reason := ""
	if cs.StatusReason != nil {
		reason = ": " + *cs.StatusReason
	}
	return fmt.Sprintf("%s/%s%s %s", cs.Status, cs.ExecutionStatus, reason, changes)
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

const childURL = "https://s3.amazonaws.com/b/child.yaml"

func TestNestedChangeSets(t *testing.T) {
	w, store, parent := newNest(t)
	root := w.whole("s", "first", "CREATE", parent)
	child := w.inside(root)
	wantText(t, "root", brief(root), "CREATE_COMPLETE/AVAILABLE [Add Inner Add Queue]")
	wantText(t, "child", brief(child), "CREATE_COMPLETE/UNAVAILABLE: Executable from root change set [Add Topic]")
	if *child.ParentChangeSetId != *root.ChangeSetId || *child.RootChangeSetId != *root.ChangeSetId || root.ParentChangeSetId != nil || !*root.IncludeNestedStacks || !strings.HasPrefix(*child.ChangeSetName, "first-Inner-") {
		t.Errorf("root %+v\nchild %+v", root, child)
	}
	inner := w.stack(*child.StackId)
	if inner.StackStatus != "REVIEW_IN_PROGRESS" || *inner.ParentId != *root.StackId {
		t.Errorf("the nested stack is %+v", inner)
	}
	wantText(t, "executing the child", refuses[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: child.ChangeSetId}),
		"InvalidChangeSetStatus: ChangeSet ["+*child.ChangeSetId+"] cannot be executed in its current execution status of [UNAVAILABLE]")
	if got := refuses[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: child.ChangeSetId}); !strings.Contains(got, "Delete the root change set ["+*root.ChangeSetId) {
		t.Error(got)
	}
	w.reopen()
	w.execute(root.ChangeSetId)
	if got := w.status("s"); got != "CREATE_COMPLETE" || *w.child("s", "Inner").StackId != *child.StackId || *w.child("s", "Inner").ChangeSetId != *child.ChangeSetId {
		t.Fatalf("%s\n%s", got, w.events("s"))
	}
	wantText(t, "root, executed", brief(w.set(root.ChangeSetId)), "CREATE_COMPLETE/EXECUTE_COMPLETE [Add Inner Add Queue]")
	wantText(t, "child, executed", brief(w.set(child.ChangeSetId)), "CREATE_COMPLETE/EXECUTE_COMPLETE [Add Topic]")
	if got := refuses[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: root.ChangeSetId}); !strings.Contains(got, "[EXECUTE_COMPLETE]") {
		t.Error(got)
	}

	// Nothing changes anywhere: the child says so, and so does the root.
	none := w.whole("s", "none", "UPDATE", parent)
	wantText(t, "nothing changes", brief(none), "FAILED/UNAVAILABLE: The submitted information didn't contain changes. Submit different information to create a change set. []")
	// The parent alone changes; the child's set fails and the root's does not.
	alone := w.whole("s", "alone", "UPDATE", strings.Replace(parent, "DelaySeconds: 1", "DelaySeconds: 2", 1))
	wantText(t, "the parent alone", brief(alone), "CREATE_COMPLETE/AVAILABLE [Modify Queue]")
	must[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: alone.ChangeSetId})
	wantText(t, "being deleted", string(w.set(alone.ChangeSetId).Status), "DELETE_PENDING")
	w.settle()
	list := must[cfn.ListChangeSetsOutput](w, &cfn.ListChangeSetsInput{StackName: child.StackId})
	for _, s := range list.Summaries {
		if strings.HasPrefix(*s.ChangeSetName, "alone-") {
			t.Errorf("the root's deletion leaves %+v", s)
		}
	}

	// The template behind the URL changes.
	store[childURL] = strings.Replace(store[childURL], `!Join ["-"`, `!Join ["+"`, 1)
	root = w.whole("s", "inside", "UPDATE", parent)
	wantText(t, "root", brief(root), "CREATE_COMPLETE/AVAILABLE [Modify Inner]")
	wantText(t, "child", brief(w.inside(root)), "CREATE_COMPLETE/UNAVAILABLE: Executable from root change set [Modify Topic]")
	w.execute(root.ChangeSetId)
	if got := *w.stack("s").Outputs[0].OutputValue; got != "80+443" {
		t.Errorf("%s\n%s", got, w.events("s"))
	}
	// A child that cannot be: its own set says why, the root's says whose.
	store[childURL] = strings.Replace(store[childURL], "Parameters: {", "Parameters: {More: {Type: String}, ", 1)
	root = w.whole("s", "broken", "UPDATE", strings.Replace(parent, "DelaySeconds: 1", "DelaySeconds: 3", 1))
	if got := brief(root); !strings.HasPrefix(got, "FAILED/UNAVAILABLE: Nested change set arn:") || !strings.HasSuffix(got, " was not successfully created: Currently in FAILED. []") {
		t.Error(got)
	}
	list = must[cfn.ListChangeSetsOutput](w, &cfn.ListChangeSetsInput{StackName: child.StackId})
	if last := list.Summaries[len(list.Summaries)-1]; *last.StatusReason != "Parameters: [More] must have values" || *last.ParentChangeSetId != *root.ChangeSetId {
		t.Errorf("%+v", last)
	}
}

// What a hierarchy made for itself goes with it: by the deletion of the root's
// change set, of its stack, or when the execution never came to it.
func TestNestedChangeSetsLeaveNothing(t *testing.T) {
	w, _, parent := newNest(t)
	child := w.inside(w.whole("s", "one", "CREATE", parent)).StackId
	must[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{StackName: ptr("s"), ChangeSetName: ptr("one")})
	w.settle()
	wantText(t, "after the root's deletion", w.status(*child), "DELETE_COMPLETE")

	child = w.inside(w.whole("s", "two", "CREATE", parent)).StackId
	w.delete("s")
	wantText(t, "after the stack's deletion", w.status(*child), "DELETE_COMPLETE")

	first := "Resources:\n  First: {Type: AWS::SQS::Queue}\n" + strings.TrimPrefix(strings.Replace(parent, "Type: AWS::CloudFormation::Stack", "Type: AWS::CloudFormation::Stack\n    DependsOn: First", 1), "\nResources:\n")
	root := w.whole("s", "three", "CREATE", first)
	inner := w.inside(root)
	w.fail("First", "create", 1, "no")
	w.execute(root.ChangeSetId)
	wantText(t, "the nested stack that was never made", w.status(*inner.StackId), "DELETE_COMPLETE")
	wantText(t, "its change set", string(w.set(inner.ChangeSetId).ExecutionStatus), "OBSOLETE")
	w.delete("s")

	w.e.State.MaxStacks = len(w.e.State.Names) + 1
	body := parent
	wantText(t, "above the quota", refuses[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: ptr("full"), ChangeSetName: ptr("c"), ChangeSetType: types.ChangeSetTypeCreate, TemplateBody: &body, IncludeNestedStacks: ptr(true),
	}), "LimitExceededException: Limit for stack has been exceeded")
	if len(w.e.State.Names) != w.e.State.MaxStacks-1 {
		t.Errorf("the refused request leaves %v", w.e.State.Names)
	}
}

// What a nested stack is given may show only in the execution: values are then
// unknown, and whether a resource is made is Dynamic.
func TestNestedChangeSetsOfWhatIsNotKnown(t *testing.T) {
	w, store, _ := newNest(t)
	store[childURL] = `
Parameters: {Name: {Type: String, AllowedPattern: "[a-z]+"}, Zone: {Type: CommaDelimitedList}}
Conditions:
  Far: !Equals [!Ref Name, far]
  Never: !And [!Condition Far, !Equals [a, b]]
Resources:
  Sure: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Select [1, !Ref Zone], TopicName: !If [Far, x, y]}}
  Maybe: {Type: AWS::SNS::Topic, Condition: Far}
  Not: {Type: AWS::SNS::Topic, Condition: Never}
`
	parent := `
Resources:
  Source: {Type: AWS::SNS::Topic, Properties: {TopicName: near}}
  Inner:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://s3.amazonaws.com/b/child.yaml
      Parameters: {Name: !GetAtt Source.TopicName, Zone: !Ref Source}
`
	root := w.whole("s", "c", "CREATE", parent)
	child := w.inside(root)
	wantText(t, "child", brief(child), "CREATE_COMPLETE/UNAVAILABLE: Executable from root change set [Dynamic Maybe Add Sure]")
	if got := *child.Changes[1].ResourceChange.AfterContext; !strings.Contains(got, `"DisplayName":"{{changeSet:KNOWN_AFTER_APPLY}}","TopicName":"{{changeSet:KNOWN_AFTER_APPLY}}"`) {
		t.Error(got)
	}
	if dynamic := child.Changes[0].ResourceChange; dynamic.Replacement != "" || len(dynamic.Details) != 0 || dynamic.PhysicalResourceId != nil {
		t.Errorf("%+v", dynamic)
	}
	store[childURL] = strings.ReplaceAll(store[childURL], "!Select [1, !Ref Zone]", "!Select [0, !Ref Zone]")
	w.execute(root.ChangeSetId)
	if got := w.status("s"); got != "CREATE_COMPLETE" {
		t.Fatalf("%s\n%s", got, w.events("s"))
	}
	// The source is replaced, so nobody knows what becomes of Maybe.
	moved := w.whole("s", "moved", "UPDATE", strings.Replace(parent, "TopicName: near", "TopicName: far", 1))
	wantText(t, "child of what is replaced", brief(w.inside(moved)), "CREATE_COMPLETE/UNAVAILABLE: Executable from root change set [Dynamic Maybe Modify Sure]")
	w.execute(moved.ChangeSetId)
	if got := w.resources(*child.StackId); !strings.Contains(got, "Maybe CREATE_COMPLETE") {
		t.Errorf("%s: %s", w.status("s"), got)
	}
	// Outputs of one that changes are unknown to its neighbour; those of one that stays are not.
	store[childURL] = "Parameters: {In: {Type: String}}\nResources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref In}}}\nOutputs: {Out: {Value: !GetAtt T.DisplayName}}"
	chain := `
Resources:
  A: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://s3.amazonaws.com/b/child.yaml", Parameters: {In: one}}}
  B: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: "https://s3.amazonaws.com/b/child.yaml", Parameters: {In: !GetAtt A.Outputs.Out}}}
`
	w.create("chain", chain)
	wantText(t, "a chain without changes", string(w.whole("chain", "same", "UPDATE", chain).Status), "FAILED")
	wantText(t, "a chain", brief(w.whole("chain", "other", "UPDATE", strings.Replace(chain, "In: one", "In: two", 1))), "CREATE_COMPLETE/AVAILABLE [Modify A Modify B]")
}
