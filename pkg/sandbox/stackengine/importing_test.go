package stackengine_test

import (
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// left makes a stack that leaves a log group /kept and a secret behind.
func left(w *world) (secretARN string) {
	w.create("old", `
Resources:
  Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}
  Key: {Type: AWS::SecretsManager::Secret, DeletionPolicy: Retain, Properties: {Name: kept}}
`)
	for _, r := range must[cfn.DescribeStackResourcesOutput](w, &cfn.DescribeStackResourcesInput{StackName: ptr("old")}).StackResources {
		if *r.LogicalResourceId == "Key" {
			secretARN = *r.PhysicalResourceId
		}
	}
	w.delete("old")
	return secretARN
}

func importing(stack, body string, items ...types.ResourceToImport) *cfn.CreateChangeSetInput {
	return &cfn.CreateChangeSetInput{StackName: &stack, ChangeSetName: ptr("i"), ChangeSetType: "IMPORT", TemplateBody: &body, ResourcesToImport: items}
}

func logItem(id, name string) types.ResourceToImport {
	return types.ResourceToImport{LogicalResourceId: &id, ResourceType: ptr("AWS::Logs::LogGroup"), ResourceIdentifier: map[string]string{"LogGroupName": name}}
}

const onlyLog = "Resources: {Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}}"

// An import brings what is named into a new stack, a secret by its ARN; what
// the update after it declares more is written, and the deletion keeps it.
func TestImportIntoANewStack(t *testing.T) {
	w := newWorld(t)
	arn := left(w)
	body := strings.Replace(onlyLog, "Resources: {", "Resources: {Key: {Type: AWS::SecretsManager::Secret, DeletionPolicy: Retain, Properties: {Name: kept}}, ", 1)
	out := must[cfn.CreateChangeSetOutput](w, importing("s", body, logItem("Log", "/kept"),
		types.ResourceToImport{LogicalResourceId: ptr("Key"), ResourceType: ptr("AWS::SecretsManager::Secret"), ResourceIdentifier: map[string]string{"Id": arn}}))
	w.pass(5 * time.Second)
	d := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
	if d.Status != "CREATE_COMPLETE" || len(d.Changes) != 2 || d.Changes[0].ResourceChange.Action != "Import" || *d.Changes[0].ResourceChange.PhysicalResourceId != arn {
		t.Fatalf("%s: %+v", d.Status, d.Changes)
	}
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id})
	w.settle()
	if got := w.status("s"); got != "IMPORT_COMPLETE" {
		t.Fatal(got)
	}
	more := strings.Replace(body, "LogGroupName: /kept", "LogGroupName: /kept, RetentionInDays: 7", 1)
	must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: &more})
	w.settle()
	if got := w.status("s"); got != "UPDATE_COMPLETE" {
		t.Error(got)
	}
	if got := must[cfn.DescribeStackResourcesOutput](w, &cfn.DescribeStackResourcesInput{PhysicalResourceId: &arn}).StackResources; *got[0].StackName != "s" {
		t.Errorf("the secret belongs to %s", *got[0].StackName)
	}
	w.delete("s")
	for _, key := range []string{"AWS::Logs::LogGroup|/kept", "AWS::SecretsManager::Secret|" + arn} {
		if item := w.e.State.Items[key]; item == nil || item.Owner != "" {
			t.Errorf("after the deletion: %s %+v", key, item)
		}
	}
}

// What AWS refuses of an import, in its words.
func TestRefusedImports(t *testing.T) {
	w := newWorld(t)
	left(w)
	w.create("net", network)
	w.create("taken", "Resources: {Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /taken}}}")
	with := func(resource string) string {
		return strings.Replace(onlyLog, "Resources: {", "Resources: {"+resource+", ", 1)
	}
	added := strings.Replace(network, "Outputs:", `
  Kept: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}
Outputs:`, 1)
	log := logItem("Log", "/kept")
	tagged := importing("s", onlyLog, log)
	tagged.Tags = []types.Tag{{Key: ptr("a"), Value: ptr("b")}}
	for name, c := range map[string]struct {
		in   *cfn.CreateChangeSetInput
		want string
	}{
		"nothing named":      {importing("s", onlyLog), "ValidationError: Must Provide at least one resource to import"},
		"twice":              {importing("s", onlyLog, log, log), "ValidationError: Every resource to import must have unique LogicalResourceId"},
		"not in template":    {importing("s", onlyLog, logItem("Other", "/kept")), "ValidationError: The logical resource ids [Other] provided in ResourceToImport do not exist in the template."},
		"identifier":         {importing("s", onlyLog, types.ResourceToImport{LogicalResourceId: ptr("Log"), ResourceType: ptr("AWS::Logs::LogGroup"), ResourceIdentifier: map[string]string{"Name": "/kept"}}), "ValidationError: Invalid resource identifier for resource type AWS::Logs::LogGroup. Expected [LogGroupName]"},
		"type":               {importing("s", onlyLog, types.ResourceToImport{LogicalResourceId: ptr("Log"), ResourceType: ptr("AWS::SSM::Parameter"), ResourceIdentifier: map[string]string{"Name": "/kept"}}), "ValidationError: Resource type of [Log] passed in ResourceToImport does not match with resource type defined in the template. Resource type in ResourceToImport: AWS::SSM::Parameter; Resource type in Template: AWS::Logs::LogGroup."},
		"creates beside":     {importing("s", with("New: {Type: AWS::SNS::Topic}"), log), "ValidationError: Resources [New] is missing from ResourceToImport list"},
		"no deletion policy": {importing("s", strings.Replace(onlyLog, "DeletionPolicy: Retain, ", "", 1), log), "ValidationError: The following resources to import [Log] must have DeletionPolicy attribute specified in the template."},
		"outputs":            {importing("s", onlyLog+"\nOutputs: {O: {Value: x}}", log), "ValidationError: As part of the import operation, you cannot modify or add [Outputs]"},
		"tags":               {tagged, "ValidationError: As part of the import operation, you cannot modify or add [Tags]"},
		"changes beside":     {importing("net", edit(added, "10.0.0.0/24", "10.0.9.0/24"), logItem("Kept", "/kept")), "ValidationError: You have modified resources [Subnet] in your template that are not being imported. Update, create or delete operations cannot be executed during import operations."},
		"nothing new":        {importing("taken", "Resources: {Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /taken}}}", logItem("Log", "/taken")), "ValidationError: The template should contain at least one new resource to import."},
	} {
		if got := refuses[cfn.CreateChangeSetOutput](w, c.in); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if c.in.StackName != nil && *c.in.StackName == "s" && w.e.State.Names["s"] != "" {
			t.Errorf("%s leaves a stack behind", name)
		}
	}
	fails := func(in *cfn.CreateChangeSetInput) string {
		out := must[cfn.CreateChangeSetOutput](w, in)
		w.pass(5 * time.Second)
		d := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
		if d.Status != "FAILED" || d.ExecutionStatus != "UNAVAILABLE" {
			return string(d.Status)
		}
		return *d.StatusReason
	}
	none := strings.Replace(onlyLog, "/kept", "/none", 1)
	if got := fails(importing("a", none, logItem("Log", "/none"))); got != "Resource of type 'AWS::Logs::LogGroup' with identifier '/none' was not found." {
		t.Error(got)
	}
	taken := strings.Replace(onlyLog, "/kept", "/taken", 1)
	if got := fails(importing("b", taken, logItem("Log", "/taken"))); got != "/taken already exists in stack "+w.e.State.Names["taken"] {
		t.Error(got)
	}
}

// Automatic import takes what has an explicit name that the template holds,
// and is kept by its policy; a failed creation leaves it where it was.
func TestAutomaticImport(t *testing.T) {
	w := newWorld(t)
	arn := left(w)
	set := func(name, body string) *cfn.DescribeChangeSetOutput {
		out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
			StackName: &name, ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, ImportExistingResources: ptr(true)})
		w.pass(5 * time.Second)
		return must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
	}
	d := set("a", strings.Replace(onlyLog, "DeletionPolicy: Retain, ", "", 1))
	if want := "CloudFormation is attempting to import some resources because they already exist in your account. The resources must have the DeletionPolicy attribute set to 'Retain' or 'RetainExceptOnCreate' in the template for successful import. The affected resources are Log ({LogGroupName=/kept})"; d.Status != "FAILED" || *d.StatusReason != want {
		t.Errorf("%s: %s", d.Status, *d.StatusReason)
	}
	d = set("b", "Resources: {Key: {Type: AWS::SecretsManager::Secret, DeletionPolicy: Retain, Properties: {Name: kept}}}")
	if d.Status != "FAILED" {
		t.Errorf("a secret, whose identifier no template can hold: %s %+v", d.Status, d.Changes)
	}
	d = set("c", strings.Replace(strings.Replace(onlyLog, "Retain", "RetainExceptOnCreate", 1), "Resources: {", "Resources: {Bad: {Type: AWS::EC2::Subnet, DependsOn: Log, Properties: {VpcId: vpc-00000000000000000, CidrBlock: 10.0.0.0/24}}, ", 1))
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: d.ChangeSetId})
	w.settle()
	if got := w.status("c"); got != "ROLLBACK_COMPLETE" {
		t.Error(got)
	}
	for _, key := range []string{"AWS::Logs::LogGroup|/kept", "AWS::SecretsManager::Secret|" + arn} {
		if item := w.e.State.Items[key]; item == nil || item.Owner != "" {
			t.Errorf("%s: %+v", key, item)
		}
	}
}
