package stackengine_test

import (
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

const network = `
Parameters:
  Description: {Type: String, Default: web servers}
Resources:
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24, AvailabilityZone: !Select [0, !GetAZs ""]}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties: {GroupDescription: !Ref Description, VpcId: !Ref Vpc}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {DisplayName: !Sub "alerts of ${Group.GroupId}"}
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /net/log}
Outputs:
  VpcId: {Value: !Ref Vpc}
  GroupId: {Value: !GetAtt Group.GroupId}
`

func edit(body string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(body)
}

func TestCreate(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	golden(t, "create.txt", w.events("net"))
	if got := w.status("net"); got != "CREATE_COMPLETE" {
		t.Error(got)
	}
	outputs := w.stack("net").Outputs
	if len(outputs) != 2 || !strings.HasPrefix(*outputs[1].OutputValue, "vpc-") || !strings.HasPrefix(*outputs[0].OutputValue, "sg-") {
		t.Errorf("outputs %v", outputs)
	}
}

// A replacement creates the new resource before the old one goes, what refers
// to it follows, and the clean-up deletes what the template dropped.
func TestUpdateWithReplacement(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	before := w.resources("net")
	w.skipEvents("net")
	w.update("net", edit(network, "Default: web servers", "Default: all servers", `
  Log:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: /net/log}`, `
  Queue:
    Type: AWS::SQS::Queue`))
	golden(t, "replace.txt", w.events("net"))
	golden(t, "replace-resources.txt", before+"---\n"+w.resources("net"))
	if got := w.status("net"); got != "UPDATE_COMPLETE" {
		t.Error(got)
	}
}

func TestFailedUpdateRollsBack(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	before, template := w.resources("net"), w.template("net")
	w.skipEvents("net")
	w.fail("Topic", stackengine.PhaseUpdate, 1, "Topic policy is malformed.")
	w.update("net", edit(network, "Default: web servers", "Default: all servers", "Outputs:", `
  Queue:
    Type: AWS::SQS::Queue
Outputs:`))
	golden(t, "failed-update.txt", w.events("net"))
	if got := w.status("net"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	if after := w.resources("net"); plain(after) != plain(before) {
		t.Errorf("resources before:\n%safter:\n%s", before, after)
	}
	if w.template("net") != template || *w.stack("net").Parameters[0].ParameterValue != "web servers" {
		t.Error("the template or its parameters were not restored")
	}
	// The stack is as it was: the same update succeeds now.
	w.update("net", edit(network, "Default: web servers", "Default: all servers"))
	if got := w.status("net"); got != "UPDATE_COMPLETE" {
		t.Error(got)
	}
}

// plain leaves out the statuses, which tell of the rollback.
func plain(resources string) string {
	return strings.NewReplacer("UPDATE_COMPLETE", "COMPLETE", "CREATE_COMPLETE", "COMPLETE").Replace(resources)
}

func (w *world) template(stack string) string {
	w.t.Helper()
	return *must[cfn.GetTemplateOutput](w, &cfn.GetTemplateInput{StackName: &stack}).TemplateBody
}

func TestFailedCreateRollsBack(t *testing.T) {
	w := newWorld(t)
	w.fail("Group", stackengine.PhaseCreate, 1, "You have exceeded the number of security groups.")
	w.create("net", network)
	golden(t, "failed-create.txt", w.events("net"))
	if got := w.status("net"); got != "ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	// It can only be deleted (A1).
	got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("net"), TemplateBody: ptr(network)})
	want := "ValidationError: Stack:" + *w.stack("net").StackId + " is in ROLLBACK_COMPLETE state and can not be updated."
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w.delete("net")
	w.create("net", network)
	if got := w.status("net"); got != "CREATE_COMPLETE" {
		t.Error(got)
	}
}

func TestDelete(t *testing.T) {
	w := newWorld(t)
	id := w.create("net", edit(network, `
  Log:
    Type: AWS::Logs::LogGroup`, `
  Log:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Retain`))
	w.skipEvents("net")
	w.delete("net")
	golden(t, "delete.txt", w.events(id))
	w.seen = 0
	if got := w.status(id); got != "DELETE_COMPLETE" {
		t.Error(got)
	}
	// Deleted stacks answer to their ARN alone.
	if got := refuses[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: ptr("net")}); got != "ValidationError: Stack with id net does not exist" {
		t.Error(got)
	}
	// What was retained still exists and is nobody's.
	if w.e.State.Items["AWS::Logs::LogGroup|/net/log"].Owner != "" {
		t.Error("the retained log group has an owner")
	}
	w.unchecked = true
	w.create("net", network)
	if got := w.status("net"); !strings.HasPrefix(got, "ROLLBACK_COMPLETE") {
		t.Errorf("a second log group of the same name: %s", got)
	}
	if events := w.events("net"); !strings.Contains(events, "Resource of type 'AWS::Logs::LogGroup' with identifier '/net/log' already exists.") {
		t.Errorf("no conflict in\n%s", events)
	}
}

func TestDeleteFailsAndRetains(t *testing.T) {
	w := newWorld(t)
	id := w.create("net", network)
	w.skipEvents("net")
	w.fail("Vpc", stackengine.PhaseDelete, 0, "The vpc has dependencies and cannot be deleted.")
	w.delete("net")
	if got := w.status("net"); got != "DELETE_FAILED: The following resource(s) failed to delete: [Vpc]. " {
		t.Errorf("%q", got)
	}
	if got := refuses[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: ptr("net"), RetainResources: []string{"Topic"}}); got != "ValidationError: The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state." {
		t.Error(got)
	}
	must[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: ptr("net"), RetainResources: []string{"Vpc"}})
	w.settle()
	golden(t, "delete-failed.txt", w.events(id))
	if got := w.status(id); got != "DELETE_COMPLETE" {
		t.Error(got)
	}
}

func TestForceDelete(t *testing.T) {
	w := newWorld(t)
	id := w.create("net", network)
	force := &cfn.DeleteStackInput{StackName: ptr("net"), DeletionMode: types.DeletionModeForceDeleteStack}
	want := "ValidationError: Invalid operation on stack [" + id + "]. You can activate DeletionMode FORCE_DELETE_STACK in a delete stack operation only when the stack is in the DELETE_FAILED state."
	if got := refuses[cfn.DeleteStackOutput](w, force); got != want {
		t.Error(got)
	}
	w.fail("Vpc", stackengine.PhaseDelete, 0, "no")
	w.delete("net")
	must[cfn.DeleteStackOutput](w, force)
	w.settle()
	if got := w.status(id); got != "DELETE_COMPLETE" {
		t.Error(got)
	}
}

// A rollback that fails stops; it can be continued, and what cannot be
// restored can be skipped (A3, A4).
func TestContinueUpdateRollback(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	w.skipEvents("net")
	w.fail("Topic", stackengine.PhaseUpdate, 1, "Topic policy is malformed.")
	w.fail("Topic", stackengine.PhaseRollback, 2, "Topic cannot be restored.")
	w.update("net", edit(network, "alerts of", "news of"))
	if got := w.status("net"); got != "UPDATE_ROLLBACK_FAILED: The following resource(s) failed to update: [Topic]. " {
		t.Errorf("%q", got)
	}
	if got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("net"), TemplateBody: ptr(network)}); !strings.HasSuffix(got, "is in UPDATE_ROLLBACK_FAILED state and can not be updated.") {
		t.Error(got)
	}
	must[cfn.ContinueUpdateRollbackOutput](w, &cfn.ContinueUpdateRollbackInput{StackName: ptr("net")})
	w.settle()
	if got := w.status("net"); !strings.HasPrefix(got, "UPDATE_ROLLBACK_FAILED") {
		t.Error(got)
	}
	if got := refuses[cfn.ContinueUpdateRollbackOutput](w, &cfn.ContinueUpdateRollbackInput{StackName: ptr("net"), ResourcesToSkip: []string{"Vpc"}}); got != "ValidationError: The following resource(s) to skip are not in UPDATE_FAILED state: [Vpc]" {
		t.Error(got)
	}
	must[cfn.ContinueUpdateRollbackOutput](w, &cfn.ContinueUpdateRollbackInput{StackName: ptr("net"), ResourcesToSkip: []string{"Topic"}})
	w.settle()
	golden(t, "continue-rollback.txt", w.events("net"))
	if got := w.status("net"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
}

func TestRollbackDisabled(t *testing.T) {
	w := newWorld(t)
	w.fail("Topic", stackengine.PhaseCreate, 1, "no topics today")
	must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("net"), TemplateBody: ptr(network), DisableRollback: ptr(true)})
	w.settle()
	if got := w.status("net"); got != "CREATE_FAILED: The following resource(s) failed to create: [Topic]. " {
		t.Errorf("%q", got)
	}
	if got := w.resources("net"); !strings.Contains(got, "Log CREATE_COMPLETE") || !strings.Contains(got, "Topic CREATE_FAILED") {
		t.Error(got)
	}
	must[cfn.RollbackStackOutput](w, &cfn.RollbackStackInput{StackName: ptr("net")})
	w.settle()
	if got := w.status("net"); got != "ROLLBACK_COMPLETE" {
		t.Error(got)
	}

	w.create("other", edit(network, "/net/log", "/other/log"))
	w.skipEvents("other")
	w.fail("Topic", stackengine.PhaseUpdate, 1, "no topics today")
	next := edit(network, "/net/log", "/other/log", "web servers", "all servers")
	must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("other"), TemplateBody: &next, DisableRollback: ptr(true)})
	w.settle()
	if got := w.status("other"); got != "UPDATE_FAILED: The following resource(s) failed to update: [Topic]. " {
		t.Errorf("%q", got)
	}
	must[cfn.RollbackStackOutput](w, &cfn.RollbackStackInput{StackName: ptr("other")})
	w.settle()
	if got := w.status("other"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	updated := w.events("other")
	w.seen = 0
	golden(t, "rollback-disabled.txt", w.events("net")+"---\n"+updated)
}

func TestCancelUpdate(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	if got := refuses[cfn.CancelUpdateStackOutput](w, &cfn.CancelUpdateStackInput{StackName: ptr("net")}); got != "ValidationError: CancelUpdateStack cannot be called from current stack status" {
		t.Error(got)
	}
	w.skipEvents("net")
	must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("net"), TemplateBody: ptr(edit(network, "web servers", "all servers"))})
	w.pass(3e9)
	must[cfn.CancelUpdateStackOutput](w, &cfn.CancelUpdateStackInput{StackName: ptr("net")})
	w.settle()
	golden(t, "cancel.txt", w.events("net"))
	if got := w.status("net"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
}

func TestOnFailure(t *testing.T) {
	for onFailure, want := range map[types.OnFailure]string{
		types.OnFailureDelete:    "DELETE_COMPLETE",
		types.OnFailureDoNothing: "CREATE_FAILED: The following resource(s) failed to create: [Topic]. ",
		types.OnFailureRollback:  "ROLLBACK_COMPLETE",
	} {
		w := newWorld(t)
		w.fail("Topic", stackengine.PhaseCreate, 1, "no")
		out := must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("net"), TemplateBody: ptr(network), OnFailure: onFailure})
		w.settle()
		if got := w.status(*out.StackId); got != want {
			t.Errorf("%s: %q", onFailure, got)
		}
	}
}

func TestCreationTimesOut(t *testing.T) {
	w := newWorld(t)
	slow := "Resources: {Db: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceClass: db.t4g.medium, Engine: mariadb, AllocatedStorage: '20'}}}"
	must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("db"), TemplateBody: &slow, TimeoutInMinutes: ptr(int32(5))})
	w.settle()
	if got := w.events("db"); !strings.Contains(got, "Stack creation time exceeded the specified timeout. The following resource(s) failed to create: [Db]. Rollback requested by user.") {
		t.Error(got)
	}
}

func TestTerminationProtection(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	must[cfn.UpdateTerminationProtectionOutput](w, &cfn.UpdateTerminationProtectionInput{StackName: ptr("net"), EnableTerminationProtection: ptr(true)})
	if got := refuses[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: ptr("net")}); got != "ValidationError: Stack [net] cannot be deleted while TerminationProtection is enabled" {
		t.Error(got)
	}
	if !*w.stack("net").EnableTerminationProtection {
		t.Error("not shown")
	}
	must[cfn.UpdateTerminationProtectionOutput](w, &cfn.UpdateTerminationProtectionInput{StackName: ptr("net"), EnableTerminationProtection: ptr(false)})
	w.delete("net")
}

// A state that is closed and opened at any moment of an operation ends as one
// that stays open.
func TestReopenedAnyTime(t *testing.T) {
	story := func(w *world, at int) {
		w.fail("Topic", stackengine.PhaseUpdate, 1, "no")
		w.create("net", network)
		must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("net"), TemplateBody: ptr(edit(network, "web servers", "all servers"))})
		for i := 0; ; i++ {
			next, ok := w.e.Next()
			if !ok {
				return
			}
			w.now = next
			if i == at {
				w.reopen()
			}
			w.stack("net")
		}
	}
	straight := newWorld(t)
	story(straight, -1)
	want := straight.events("net")
	for at := range 20 {
		w := newWorld(t)
		story(w, at)
		if got := w.events("net"); got != want {
			t.Fatalf("reopened at step %d:\n%s\nwant:\n%s", at, got, want)
		}
	}
}
