package stackengine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"
)

// announced renders what a change set announces, with and without property
// values.
func (w *world) announced(out *cfn.DescribeChangeSetOutput) string {
	w.t.Helper()
	var b strings.Builder
	for _, values := range []bool{false, true} {
		in := &cfn.DescribeChangeSetInput{ChangeSetName: out.ChangeSetId, IncludePropertyValues: &values}
		for {
			page := must[cfn.DescribeChangeSetOutput](w, in)
			for _, c := range page.Changes {
				writeChange(&b, c.ResourceChange)
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				break
			}
		}
		if !values {
			b.WriteString("with values:\n")
		}
	}
	return b.String()
}

func writeChange(b *strings.Builder, c *types.ResourceChange) {
	fmt.Fprintf(b, "%s %s %s %s %v\n", c.Action, *c.LogicalResourceId, c.Replacement, c.PolicyAction, c.Scope)
	for _, d := range c.Details {
		t := d.Target
		fmt.Fprintf(b, "  %s %s", t.Attribute, t.RequiresRecreation)
		for _, s := range []*string{t.Name, t.Path} {
			if s != nil {
				fmt.Fprintf(b, " %s", *s)
			}
		}
		fmt.Fprintf(b, ": %s %s", d.ChangeSource, d.Evaluation)
		if d.CausingEntity != nil {
			fmt.Fprintf(b, " by %s", *d.CausingEntity)
		}
		if t.AttributeChangeType != "" {
			fmt.Fprintf(b, " (%s", t.AttributeChangeType)
			for _, s := range []*string{t.BeforeValue, t.AfterValue} {
				if s != nil {
					fmt.Fprintf(b, " %s", *s)
				}
			}
			b.WriteString(")")
		}
		b.WriteString("\n")
	}
	for _, s := range []*string{c.BeforeContext, c.AfterContext} {
		if s != nil {
			fmt.Fprintf(b, "  %s\n", *s)
		}
	}
}

// The announcements of real change sets, recorded by LocalStack's snapshot
// tests; the name says which. Where several recordings agree, the newest.
func TestAnnouncements(t *testing.T) {
	topic := "Resources: {Foo: {Type: AWS::SNS::Topic, Properties: {TopicName: topic-1}}}"
	dynamic := `
Resources:
  Foo: {Type: AWS::SNS::Topic, Properties: {TopicName: topic-1}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt Foo.TopicName}}
`
	parameters := `
Parameters: {TopicName: {Type: String, Default: topic-1}}
Resources:
  Foo: {Type: AWS::SNS::Topic, Properties: {TopicName: !Ref TopicName}}
  Parameter: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !GetAtt Foo.TopicName}}
`
	inPlace := `
Resources:
  Topic1: {Type: AWS::SNS::Topic, Properties: {TopicName: topic-name-1, DisplayName: display-value-1}}
  Topic2: {Type: AWS::SNS::Topic, Properties: {TopicName: topic-name-2, DisplayName: !GetAtt Topic1.DisplayName}}
`
	byRef := edit(inPlace, "!GetAtt Topic1.DisplayName", "!Ref Topic1")
	tests := map[string]struct {
		before, after, want string
	}{
		"test_change_sets::test_direct_update": {topic, edit(topic, "topic-1", "topic-2"), `
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName: DirectModification Static
with values:
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName /Properties/TopicName: DirectModification Static (Modify topic-1 topic-2)
  {"Properties":{"TopicName":"topic-1"}}
  {"Properties":{"TopicName":"topic-2"}}
`},
		"test_change_sets::test_dynamic_update": {dynamic, edit(dynamic, "topic-1", "topic-2"), `
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName: DirectModification Static
Modify Parameter False  [Properties]
  Properties Never Value: ResourceAttribute Static by Foo.TopicName
with values:
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName /Properties/TopicName: DirectModification Static (Modify topic-1 topic-2)
  {"Properties":{"TopicName":"topic-1"}}
  {"Properties":{"TopicName":"topic-2"}}
Modify Parameter False  [Properties]
  Properties Never Value /Properties/Value: ResourceAttribute Static by Foo.TopicName (Modify topic-1 {{changeSet:KNOWN_AFTER_APPLY}})
  Properties Never Value /Properties/Value: DirectModification Dynamic (Modify topic-1 {{changeSet:KNOWN_AFTER_APPLY}})
  {"Properties":{"Type":"String","Value":"topic-1"}}
  {"Properties":{"Type":"String","Value":"{{changeSet:KNOWN_AFTER_APPLY}}"}}
`},
		"test_change_sets::test_parameter_changes": {parameters, edit(parameters, "topic-1", "topic-2"), `
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName: ParameterReference Static by TopicName
  Properties Always TopicName: DirectModification Dynamic
Modify Parameter False  [Properties]
  Properties Never Value: ResourceAttribute Static by Foo.TopicName
with values:
Modify Foo True ReplaceAndDelete [Properties]
  Properties Always TopicName /Properties/TopicName: ParameterReference Static by TopicName (Modify topic-1 topic-2)
  {"Properties":{"TopicName":"topic-1"}}
  {"Properties":{"TopicName":"topic-2"}}
Modify Parameter False  [Properties]
  Properties Never Value /Properties/Value: ResourceAttribute Static by Foo.TopicName (Modify topic-1 {{changeSet:KNOWN_AFTER_APPLY}})
  Properties Never Value /Properties/Value: DirectModification Dynamic (Modify topic-1 {{changeSet:KNOWN_AFTER_APPLY}})
  {"Properties":{"Type":"String","Value":"topic-1"}}
  {"Properties":{"Type":"String","Value":"{{changeSet:KNOWN_AFTER_APPLY}}"}}
`},
		"test_change_set_fn_get_attr::test_direct_attribute_value_change": {inPlace, edit(inPlace, "display-value-1", "display-value-2"), `
Modify Topic1 False  [Properties]
  Properties Never DisplayName: DirectModification Static
Modify Topic2 False  [Properties]
  Properties Never DisplayName: ResourceAttribute Dynamic by Topic1.DisplayName
with values:
Modify Topic1 False  [Properties]
  Properties Never DisplayName /Properties/DisplayName: DirectModification Static (Modify display-value-1 display-value-2)
  {"Properties":{"DisplayName":"display-value-1","TopicName":"topic-name-1"}}
  {"Properties":{"DisplayName":"display-value-2","TopicName":"topic-name-1"}}
`},
		"test_change_set_ref::test_direct_attribute_value_change": {byRef, edit(byRef, "display-value-1", "display-value-2"), `
Modify Topic1 False  [Properties]
  Properties Never DisplayName: DirectModification Static
with values:
Modify Topic1 False  [Properties]
  Properties Never DisplayName /Properties/DisplayName: DirectModification Static (Modify display-value-1 display-value-2)
  {"Properties":{"DisplayName":"display-value-1","TopicName":"topic-name-1"}}
  {"Properties":{"DisplayName":"display-value-2","TopicName":"topic-name-1"}}
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.create("s", test.before)
			out := w.change("s", "c", "UPDATE", test.after)
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), w.announced(out)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.ChangeSetId})
			w.settle()
			if got := w.status("s"); got != "UPDATE_COMPLETE" {
				t.Error(got)
			}
		})
	}
}

// What documentation says but no recording shows; kept as a golden to read.
func TestMoreAnnouncements(t *testing.T) {
	base := `
Resources:
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties: {MinSize: "0", MaxSize: "3", LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}, VPCZoneIdentifier: [!Ref Subnet]}
  Policy:
    Type: AWS::AutoScaling::ScalingPolicy
    Properties: {AutoScalingGroupName: !Ref Group, ScalingAdjustment: 1, AdjustmentType: ChangeInCapacity}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {InstanceType: g4dn.xlarge, ImageId: ami-1}}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: !Ref Vpc, CidrBlock: 10.0.0.0/24}
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16, Tags: [{Key: Name, Value: main}]}
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
  Database:
    Type: AWS::RDS::DBInstance
    UpdateReplacePolicy: Snapshot
    Properties: {DBInstanceClass: db.t4g.medium, Engine: mariadb, AllocatedStorage: "20"}
`
	tests := []struct{ name, after string }{
		{"a launch template's new version may replace the group", edit(base, "ami-1", "ami-2")},
		{"a conditional change of a property", edit(base, "[!Ref Subnet]", "[!Ref Subnet, subnet-12345678]")},
		{"tags of a template", edit(base, "Value: main", "Value: other")},
		{"a policy alone", edit(base, "DeletionPolicy: Retain", "DeletionPolicy: Delete")},
		{"metadata alone", edit(base, "    DeletionPolicy: Retain", "    DeletionPolicy: Retain\n    Metadata: {Owner: me}")},
		{"a database is snapshotted, a bucket retained", edit(base, "AllocatedStorage: \"20\"", "AllocatedStorage: \"20\", DBName: bp", `
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain`, "")},
		{"a reference to what is new", base + `
  Key: {Type: AWS::KMS::Key, Properties: {KeyPolicy: {Version: 2012-10-17, Statement: []}}}
  Log: {Type: AWS::Logs::LogGroup, Properties: {KmsKeyId: !GetAtt Key.Arn}}
`},
		{"another subnet: a chain of replacements", edit(base, "10.0.0.0/24", "10.0.1.0/24")},
	}
	var b strings.Builder
	for _, test := range tests {
		w := newWorld(t)
		w.create("s", base)
		out := w.change("s", "c", "UPDATE", test.after)
		fmt.Fprintf(&b, "# %s\n%s\n", test.name, w.announced(out))
	}
	golden(t, "announcements.txt", b.String())
}

func TestStackTagsChangeResources(t *testing.T) {
	w := newWorld(t)
	body := "Resources: {Foo: {Type: AWS::SNS::Topic}, Bar: {Type: AWS::SNS::TopicPolicy, Properties: {Topics: [!Ref Foo], PolicyDocument: {}}}}"
	w.create("s", body)
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: ptr("s"), ChangeSetName: ptr("c"), TemplateBody: &body, Tags: []types.Tag{{Key: ptr("Project"), Value: ptr("x")}},
	})
	w.pass(5 * time.Second)
	got := w.announced(must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id}))
	want := `Modify Foo False  [Tags]
  Tags Never: DirectModification Static
with values:
Modify Foo False  [Tags]
  Tags Never: DirectModification Static
`
	if !strings.HasPrefix(got, want) {
		t.Errorf("got:\n%s", got)
	}
}

func TestChangeSetLife(t *testing.T) {
	w := newWorld(t)
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: ptr(network), ClientToken: ptr("t1")})
	describe := func() *cfn.DescribeChangeSetOutput {
		return must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
	}
	var seen []string
	for range 5 {
		d := describe()
		seen = append(seen, fmt.Sprintf("%s %s", d.Status, d.ExecutionStatus))
		w.pass(time.Second)
	}
	want := []string{"CREATE_PENDING UNAVAILABLE", "CREATE_IN_PROGRESS UNAVAILABLE", "CREATE_IN_PROGRESS UNAVAILABLE", "CREATE_IN_PROGRESS UNAVAILABLE", "CREATE_COMPLETE AVAILABLE"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if got := w.status("net"); got != "REVIEW_IN_PROGRESS: User Initiated" {
		t.Error(got)
	}

	// A lost answer: the same request again gives the same change set (B7).
	again := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: ptr(network), ClientToken: ptr("t1")})
	if *again.Id != *out.Id {
		t.Errorf("another change set: %s", *again.Id)
	}
	for token, want := range map[string]string{
		"t2": "AlreadyExistsException: ChangeSet c cannot be created due to a mismatch with existing attribute ClientToken",
		"t1": "AlreadyExistsException: ChangeSet c cannot be created due to a mismatch with existing attribute Template",
	} {
		body := edit(network, "10.0.0.0/16", "10.1.0.0/16")
		got := refuses[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, ClientToken: &token})
		if got != want {
			t.Errorf("token %s: %s", token, got)
		}
	}
	// A2: an update of what was never created.
	if got := refuses[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("u"), TemplateBody: ptr(network)}); got != "ValidationError: Stack [net] does not exist" {
		t.Error(got)
	}

	sibling := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("d"), ChangeSetType: "CREATE", TemplateBody: ptr(network)})
	if got := refuses[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: sibling.Id}); got != "InvalidChangeSetStatus: ChangeSet ["+*sibling.Id+"] cannot be executed in its current status of [CREATE_PENDING]" {
		t.Error(got)
	}
	w.pass(5 * time.Second)
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id, ClientRequestToken: ptr("run-1")})
	if got := describe().ExecutionStatus; got != "EXECUTE_IN_PROGRESS" {
		t.Error(got)
	}
	if got := refuses[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: sibling.Id}); got != "InvalidChangeSetStatus: ChangeSet ["+*sibling.Id+"] cannot be executed in its current execution status of [OBSOLETE]" {
		t.Error(got)
	}
	w.settle()
	if got := describe().ExecutionStatus; got != "EXECUTE_COMPLETE" {
		t.Error(got)
	}
	for _, ev := range must[cfn.DescribeStackEventsOutput](w, &cfn.DescribeStackEventsInput{StackName: ptr("net")}).StackEvents {
		if ev.ResourceStatus != "REVIEW_IN_PROGRESS" && (ev.ClientRequestToken == nil || *ev.ClientRequestToken != "run-1") {
			t.Fatalf("event %s has no token", *ev.EventId)
		}
	}
	list := must[cfn.ListChangeSetsOutput](w, &cfn.ListChangeSetsInput{StackName: ptr("net")}).Summaries
	if len(list) != 2 || *list[0].ChangeSetName != "c" {
		t.Errorf("%d change sets", len(list))
	}

	// Deleting is asynchronous: the name is not free at once (B6).
	must[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: sibling.Id})
	if got := refuses[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("net"), ChangeSetName: ptr("d"), TemplateBody: ptr(network)}); !strings.HasPrefix(got, "AlreadyExistsException: ChangeSet d") {
		t.Error(got)
	}
	w.pass(2 * time.Second)
	if got := refuses[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: ptr("d"), StackName: ptr("net")}); got != "ChangeSetNotFound: ChangeSet [d] does not exist" {
		t.Error(got)
	}
	must[cfn.DeleteChangeSetOutput](w, &cfn.DeleteChangeSetInput{ChangeSetName: sibling.Id})
}

func TestEmptyChangeSet(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	out := w.change("net", "c", "UPDATE", network)
	if out.Status != "FAILED" || out.ExecutionStatus != "UNAVAILABLE" || *out.StatusReason != "The submitted information didn't contain changes. Submit different information to create a change set." {
		t.Errorf("%s %s", out.Status, *out.StatusReason)
	}
	if got := refuses[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.ChangeSetId}); got != "InvalidChangeSetStatus: ChangeSet ["+*out.ChangeSetId+"] cannot be executed in its current status of [FAILED]" {
		t.Error(got)
	}
	if got := refuses[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("net"), TemplateBody: ptr(network)}); got != "ValidationError: No updates are to be performed." {
		t.Error(got)
	}
	// Text alone is no change, an output is (aws-limits 4.7).
	for body, empty := range map[string]bool{
		"Description: new\n" + network:                                      true,
		edit(network, "CidrBlock: 10.0.0.0/24", "CidrBlock: '10.0.0.0/24'"): true,
		network + "  Digest: {Value: abc}\n":                                false,
	} {
		out := w.change("net", fmt.Sprintf("c%d", len(body)), "UPDATE", body)
		if got := out.Status == "FAILED"; got != empty {
			t.Errorf("empty %v for\n%s", got, body)
		}
		if len(out.Changes) > 0 {
			t.Errorf("%d changes", len(out.Changes))
		}
	}
}

func TestChangeSetPages(t *testing.T) {
	w := newWorld(t)
	w.e.Pages = map[string]int{"DescribeChangeSet": 2}
	out := w.change("net", "c", "CREATE", network)
	if len(out.Changes) != 2 || out.NextToken == nil {
		t.Fatalf("%d changes on the first page", len(out.Changes))
	}
	if got := strings.Count(w.announced(out), "Add "); got != 10 {
		t.Errorf("%d changes on all pages, twice", got)
	}
	if got := refuses[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.ChangeSetId, NextToken: ptr("bad")}); got != "ValidationError: Invalid NextToken" {
		t.Error(got)
	}
}
