package stackengine_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox/stackengine"
)

// What handlers refuse, as the event of the failed resource says it.
func TestHandlersRefuse(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"a property that is missing": {
			"Resources: {A: {Type: AWS::EC2::SecurityGroup, Properties: {GroupName: x}}}",
			"Properties validation failed for resource A with message:\n#: required key [GroupDescription] not found",
		},
		"a property that is unknown": {
			"Resources: {A: {Type: AWS::ECS::TaskDefinition, Properties: {ContainerDefinitions: [{Name: a, Image: b, Entrypoint: [task]}]}}}",
			"#/ContainerDefinitions/0: extraneous key [Entrypoint] is not permitted",
		},
		"a name that another stack has": {
			"Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /taken}}}",
			"/taken already exists in stack arn:aws:cloudformation:us-east-1:123456789012:stack/first/",
		},
		"a subnet that is not there": {
			"Resources: {A: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer, Properties: {Subnets: [subnet-0123456789abcdef0]}}}",
			"The subnet ID 'subnet-0123456789abcdef0' does not exist",
		},
		"an import that is not there": {
			"Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue nope}}}",
			"No export named nope found.",
		},
	}
	for name, test := range tests {
		w := newWorld(t)
		w.unchecked = true
		w.create("first", "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /taken}}}")
		w.create("s", test.body)
		if got := w.status("s"); got != "ROLLBACK_COMPLETE" {
			t.Errorf("%s: %s", name, got)
		}
		found := false
		for _, ev := range must[cfn.DescribeStackEventsOutput](w, &cfn.DescribeStackEventsInput{StackName: ptr("s")}).StackEvents {
			found = found || ev.ResourceStatus == "CREATE_FAILED" && strings.Contains(*ev.ResourceStatusReason, test.want)
		}
		if !found {
			t.Errorf("%s: no %q in\n%s", name, test.want, w.events("s"))
		}
	}
}

// A resource that was never made is only crossed off (stratospheric #204).
func TestRollbackOfWhatWasNeverMade(t *testing.T) {
	w := newWorld(t)
	w.unchecked = true
	w.create("first", "Resources: {A: {Type: AWS::ECR::Repository, Properties: {RepositoryName: app}}}")
	w.create("s", "Resources: {Registry: {Type: AWS::ECR::Repository, Properties: {RepositoryName: app}}}")
	golden(t, "never-made.txt", w.events("s"))
}

// Custom-named resources cannot be replaced: the name is still taken.
func TestReplacementOfANamedResource(t *testing.T) {
	w := newWorld(t)
	body := "Resources: {Group: {Type: AWS::EC2::SecurityGroup, Properties: {GroupName: web, GroupDescription: one}}}"
	w.create("s", body)
	w.update("s", edit(body, "one", "two"))
	if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	id := *must[cfn.ListStackResourcesOutput](w, &cfn.ListStackResourcesInput{StackName: ptr("s")}).StackResourceSummaries[0].PhysicalResourceId
	want := "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename " + id + " and update the stack again."
	if got := w.events("s"); !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}

func TestRetainExceptOnCreate(t *testing.T) {
	body := "Resources: {Data: {Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate, Properties: {BucketName: data}}, Topic: {Type: AWS::SNS::Topic, DependsOn: Data}}"
	w := newWorld(t)
	w.fail("Topic", stackengine.PhaseCreate, 1, "no")
	w.create("s", body)
	if w.e.State.Items["AWS::S3::Bucket|data"] != nil {
		t.Error("the bucket of a failed creation was kept")
	}
	w.delete("s")
	w.create("s", body)
	w.delete("s")
	if item := w.e.State.Items["AWS::S3::Bucket|data"]; item == nil || item.Owner != "" {
		t.Errorf("the bucket of a deleted stack: %+v", item)
	}

	// Retain keeps it even then, unless the request says otherwise.
	for except, kept := range map[bool]bool{false: true, true: false} {
		w := newWorld(t)
		w.fail("Topic", stackengine.PhaseCreate, 1, "no")
		retain := edit(body, "RetainExceptOnCreate", "Retain")
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &retain, RetainExceptOnCreate: &except})
		w.settle()
		if got := w.e.State.Items["AWS::S3::Bucket|data"] != nil; got != kept {
			t.Errorf("RetainExceptOnCreate %v: kept %v", except, got)
		}
	}
}

func TestUpdateReplacePolicy(t *testing.T) {
	w := newWorld(t)
	body := "Resources: {Group: {Type: AWS::EC2::SecurityGroup, UpdateReplacePolicy: Retain, Properties: {GroupDescription: one}}}"
	w.create("s", body)
	before := len(w.e.State.Items)
	w.update("s", edit(body, "one", "two"))
	if got := w.events("s"); !strings.Contains(got, "DELETE_SKIPPED") || strings.Contains(got, "DELETE_IN_PROGRESS") {
		t.Error(got)
	}
	if len(w.e.State.Items) != before+1 {
		t.Errorf("%d items", len(w.e.State.Items))
	}
}

// A clean-up that fails does not fail the update; what is left is nobody's.
func TestCleanupFails(t *testing.T) {
	w := newWorld(t)
	w.create("s", "Resources: {A: {Type: AWS::SNS::Topic}, B: {Type: AWS::SNS::Topic}}")
	w.fail("B", stackengine.PhaseDelete, 0, "no")
	w.update("s", "Resources: {A: {Type: AWS::SNS::Topic}}")
	if got := w.status("s"); got != "UPDATE_COMPLETE: Update successful. One or more resources could not be deleted." {
		t.Error(got)
	}
	if got := w.resources("s"); strings.Contains(got, "B ") {
		t.Error(got)
	}
}

func TestExports(t *testing.T) {
	producer := "Resources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: x}}}\nOutputs: {O: {Value: !GetAtt T.DisplayName, Export: {Name: shared}}}"
	consumer := "Resources: {C: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub ['v ${x}', {x: !ImportValue shared}]}}}\nOutputs: {O: {Value: !GetAtt C.DisplayName}}"
	w := newWorld(t)
	w.create("p", producer)
	w.create("c", consumer)
	if got := *w.stack("c").Outputs[0].OutputValue; got != "v x" {
		t.Error(got)
	}
	exports := must[cfn.ListExportsOutput](w, &cfn.ListExportsInput{}).Exports
	if len(exports) != 1 || *exports[0].Value != "x" {
		t.Errorf("%v", exports)
	}
	if got := must[cfn.ListImportsOutput](w, &cfn.ListImportsInput{ExportName: ptr("shared")}).Imports; !cmp.Equal(got, []string{"c"}) {
		t.Error(got)
	}

	// A9: the delete is accepted, and the stack is again what it was.
	w.delete("p")
	if got := w.status("p"); got != "CREATE_COMPLETE: Export shared cannot be deleted as it is in use by c" {
		t.Error(got)
	}
	// A10
	w.update("p", edit(producer, "DisplayName: x", "DisplayName: y"))
	if got := w.status("p"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	if got := w.events("p"); !strings.Contains(got, "Export shared cannot be updated as it is in use by c") {
		t.Error(got)
	}
	w.create("q", producer)
	if got := w.events("q"); !strings.Contains(got, "ROLLBACK_IN_PROGRESS                        Export with name shared is already exported by stack p. Rollback requested by user.") {
		t.Error(got)
	}
	w.delete("c")
	w.delete("p")
	if got := refuses[cfn.ListImportsOutput](w, &cfn.ListImportsInput{ExportName: ptr("shared")}); got != "ValidationError: Export 'shared' is not imported by any stack." {
		t.Error(got)
	}
	w.reopen()
	if got := must[cfn.ListExportsOutput](w, &cfn.ListExportsInput{}).Exports; len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestStackPolicy(t *testing.T) {
	body := "Resources: {A: {Type: AWS::SNS::Topic, Properties: {TopicName: one}}, B: {Type: AWS::SNS::Topic, Properties: {DisplayName: x}}}"
	policy := `{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"},{"Effect":"Deny","Action":["Update:Replace","Update:Delete"],"Principal":"*","Resource":"LogicalResourceId/A"}]}`
	w := newWorld(t)
	w.create("s", body)
	must[cfn.SetStackPolicyOutput](w, &cfn.SetStackPolicyInput{StackName: ptr("s"), StackPolicyBody: &policy})
	if got := must[cfn.GetStackPolicyOutput](w, &cfn.GetStackPolicyInput{StackName: ptr("s")}).StackPolicyBody; *got != policy {
		t.Error(*got)
	}
	for body, want := range map[string]string{
		edit(body, "one", "two"): "Action denied by stack policy: Statement [#2] does not allow [Update:Replace] for resource [LogicalResourceId/A]",
		"Resources: {B: {Type: AWS::SNS::Topic, Properties: {DisplayName: x}}}": "Action denied by stack policy: Statement [#2] does not allow [Update:Delete] for resource [LogicalResourceId/A]",
	} {
		w.update("s", body)
		if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" {
			t.Error(got)
		}
		if got := w.events("s"); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	allow := `{"Statement":[{"Effect":"Allow","Action":"Update:*","Principal":"*","Resource":"*"}]}`
	must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(edit(body, "one", "two")), StackPolicyDuringUpdateBody: &allow})
	w.settle()
	if got := w.status("s"); got != "UPDATE_COMPLETE" {
		t.Error(got)
	}
}

func TestTokens(t *testing.T) {
	body := "Resources: {A: {Type: AWS::SNS::Topic}}"
	w := newWorld(t)
	create := &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body, ClientRequestToken: ptr("t-1")}
	first := must[cfn.CreateStackOutput](w, create)
	w.settle()
	second := must[cfn.CreateStackOutput](w, create)
	if *first.StackId != *second.StackId || *first.OperationId != *second.OperationId {
		t.Error("a repeated request made something else")
	}
	// B26
	want := "TokenAlreadyExistsException: A client request token already exists."
	if got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(body + " "), ClientRequestToken: ptr("t-1")}); got != want {
		t.Error(got)
	}
	del := &cfn.DeleteStackInput{StackName: first.StackId, ClientRequestToken: ptr("t-2")}
	must[cfn.DeleteStackOutput](w, del)
	must[cfn.DeleteStackOutput](w, del)
	w.settle()
	must[cfn.DeleteStackOutput](w, del)
	if got := strings.Count(w.events(*first.StackId), "DELETE_IN_PROGRESS                          User Initiated"); got != 1 {
		t.Errorf("deleted %d times", got)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	body := `
Parameters: {Password: {Type: String, NoEcho: true}}
Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Password}}}
`
	w := newWorld(t)
	secret := []types.Parameter{{ParameterKey: ptr("Password"), ParameterValue: ptr("hunter2-hunter2")}}
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("s"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, Parameters: secret})
	w.pass(5 * time.Second)
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id})
	w.settle()
	next := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("s"), ChangeSetName: ptr("d"), UsePreviousTemplate: ptr(true), Parameters: []types.Parameter{{ParameterKey: ptr("Password"), ParameterValue: ptr("other-other")}}})
	w.pass(5 * time.Second)
	var seen []any
	for _, in := range []any{
		&cfn.DescribeStacksInput{}, &cfn.DescribeStackEventsInput{StackName: ptr("s")},
		&cfn.DescribeChangeSetInput{ChangeSetName: next.Id, IncludePropertyValues: ptr(true)}, &cfn.DescribeEventsInput{StackName: ptr("s")},
	} {
		answer, err := w.e.Handle(context.Background(), "", in)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, answer)
	}
	raw, err := json.Marshal(seen)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"hunter2", "other-other"} {
		if strings.Contains(string(raw), s) {
			t.Errorf("%s shows in %s", s, raw)
		}
	}
	if !strings.Contains(string(raw), "****") {
		t.Error("nothing is masked")
	}
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: next.Id})
	w.settle()
	if got := w.status("s"); got != "UPDATE_COMPLETE" {
		t.Error(got)
	}
}

func TestParametersOfSSM(t *testing.T) {
	body := `
Parameters: {Image: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /ami}}
Resources:
  A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Image}}
  B: {Type: AWS::SNS::Topic, Properties: {DisplayName: '{{resolve:ssm:/ami:1}}'}}
Outputs: {O: {Value: !GetAtt A.DisplayName}}
`
	value := "ami-1"
	w := newWorld(t)
	w.e.Parameter = func(name, _ string) (string, bool) { return value, name == "/ami" }
	spy := &recorder{}
	w.e.Providers = map[string]stackengine.Provider{"AWS::SNS::Topic": spy}
	w.create("s", body)
	p := w.stack("s").Parameters[0]
	if *p.ParameterValue != "/ami" || *p.ResolvedValue != "ami-1" || *w.stack("s").Outputs[0].OutputValue != "ami-1" {
		t.Errorf("%s → %s", *p.ParameterValue, *p.ResolvedValue)
	}
	if got := spy.made["B"].Properties["DisplayName"]; got != "ami-1" {
		t.Errorf("the provider was told %v", got)
	}
	// A value that moved is a change of the parameter; behind a dynamic
	// reference it is none, its text did not change (B17).
	value = "ami-2"
	out := w.change("s", "c", "UPDATE", body)
	if len(out.Changes) != 1 || *out.Changes[0].ResourceChange.LogicalResourceId != "A" {
		t.Errorf("%d changes", len(out.Changes))
	}
}
