package stackengine_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox/stackengine"
)

func TestDrift(t *testing.T) {
	w := newWorld(t)
	w.create("net", network)
	detect := func() *cfn.DescribeStackDriftDetectionStatusOutput {
		t.Helper()
		out := must[cfn.DetectStackDriftOutput](w, &cfn.DetectStackDriftInput{StackName: ptr("net")})
		in := &cfn.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: out.StackDriftDetectionId}
		if got := must[cfn.DescribeStackDriftDetectionStatusOutput](w, in).DetectionStatus; got != "DETECTION_IN_PROGRESS" {
			t.Error(got)
		}
		if got := refuses[cfn.DetectStackDriftOutput](w, &cfn.DetectStackDriftInput{StackName: ptr("net")}); !strings.HasPrefix(got, "ValidationError: Drift detection is already in progress for stack") {
			t.Error(got)
		}
		w.pass(time.Minute)
		return must[cfn.DescribeStackDriftDetectionStatusOutput](w, in)
	}
	if got := detect(); got.StackDriftStatus != "IN_SYNC" || *got.DriftedStackResourceCount != 0 {
		t.Errorf("%s", got.StackDriftStatus)
	}
	w.e.Locked(func(s *stackengine.State) {
		for key, item := range s.Items {
			switch item.LogicalID {
			case "Group":
				item.Properties = json.RawMessage(`{"GroupDescription":"by hand","VpcId":"vpc-1"}`)
			case "Log":
				delete(s.Items, key)
			}
		}
	})
	if got := detect(); got.StackDriftStatus != "DRIFTED" || *got.DriftedStackResourceCount != 2 {
		t.Errorf("%s %d", got.StackDriftStatus, *got.DriftedStackResourceCount)
	}
	if got := w.stack("net").DriftInformation.StackDriftStatus; got != "DRIFTED" {
		t.Error(got)
	}
	var b strings.Builder
	for _, d := range must[cfn.DescribeStackResourceDriftsOutput](w, &cfn.DescribeStackResourceDriftsInput{StackName: ptr("net")}).StackResourceDrifts {
		fmt.Fprintf(&b, "%s %s\n", *d.LogicalResourceId, d.StackResourceDriftStatus)
		for _, p := range d.PropertyDifferences {
			fmt.Fprintf(&b, "  %s %s: %s, not %s\n", p.DifferenceType, *p.PropertyPath, *p.ActualValue, strings.Split(*p.ExpectedValue, "-")[0])
		}
	}
	want := `Group MODIFIED
  NOT_EQUAL /GroupDescription: by hand, not web servers
  NOT_EQUAL /VpcId: vpc-1, not vpc
Log DELETED
Subnet IN_SYNC
Topic IN_SYNC
Vpc IN_SYNC
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	modified := must[cfn.DescribeStackResourceDriftsOutput](w, &cfn.DescribeStackResourceDriftsInput{
		StackName: ptr("net"), StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{"MODIFIED"},
	}).StackResourceDrifts
	if len(modified) != 1 {
		t.Errorf("%d modified", len(modified))
	}
	if got := must[cfn.DetectStackResourceDriftOutput](w, &cfn.DetectStackResourceDriftInput{StackName: ptr("net"), LogicalResourceId: ptr("Group")}).StackResourceDrift.StackResourceDriftStatus; got != "MODIFIED" {
		t.Error(got)
	}
}

func TestImport(t *testing.T) {
	w := newWorld(t)
	w.create("old", "Resources: {Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept}}}")
	w.delete("old")
	body := "Resources: {Log: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain, Properties: {LogGroupName: /kept, RetentionInDays: 7}}}"
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: ptr("s"), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, ImportExistingResources: ptr(true),
	})
	w.pass(5 * time.Second)
	d := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
	if d.Status != "CREATE_COMPLETE" || d.Changes[0].ResourceChange.Action != "Import" || *d.Changes[0].ResourceChange.PhysicalResourceId != "/kept" {
		t.Fatalf("%s: %+v", d.Status, d.Changes)
	}
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: out.Id})
	w.settle()
	if got := w.status("s") + "\n" + w.resources("s"); got != "CREATE_COMPLETE\nLog IMPORT_COMPLETE </kept>\n" {
		t.Error(got)
	}
	if got := w.e.State.Items["AWS::Logs::LogGroup|/kept"].Owner; got != *w.stack("s").StackId {
		t.Errorf("owner %q", got)
	}
}

// Validation before the deployment: the change set fails, and only
// DescribeEvents says why (B10).
func TestEarlyValidation(t *testing.T) {
	w := newWorld(t)
	w.create("first", "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: data}}}")
	body := `
Resources:
  Bad: {Type: AWS::IAM::Policy, Properties: {Colour: red, PolicyName: p, Users: [u]}}
  Taken: {Type: AWS::S3::Bucket, Properties: {BucketName: data}}
`
	out := w.change("s", "c", "CREATE", body)
	want := "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation, AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
	if out.Status != "FAILED" || *out.StatusReason != want {
		t.Errorf("%s: %s", out.Status, *out.StatusReason)
	}
	if got := refuses[cfn.DescribeEventsOutput](w, &cfn.DescribeEventsInput{ChangeSetName: ptr("c")}); got != "ValidationError: One of ChangeSetName, OperationId or StackName must be specified" {
		t.Error(got)
	}
	var b strings.Builder
	for _, ev := range must[cfn.DescribeEventsOutput](w, &cfn.DescribeEventsInput{ChangeSetName: out.ChangeSetId, Filters: &types.EventFilter{FailedEvents: ptr(true)}}).OperationEvents {
		fmt.Fprintf(&b, "%s %s %s at %s: %s\n", ev.EventType, *ev.ValidationName, *ev.LogicalResourceId, *ev.ValidationPath, *ev.ValidationStatusReason)
	}
	wantEvents := `VALIDATION_ERROR PROPERTY_VALIDATION Bad at /Resources/Bad/Properties: Required property [PolicyDocument] not found
VALIDATION_ERROR PROPERTY_VALIDATION Bad at /Resources/Bad/Properties: Unsupported property [Colour]
VALIDATION_ERROR NAME_CONFLICT_VALIDATION Taken at /Resources/Taken: Resource of type 'AWS::S3::Bucket' with identifier 'data' already exists.
`
	if diff := cmp.Diff(wantEvents, b.String()); diff != "" {
		t.Error(diff)
	}
	// It can be switched off; then the handlers refuse.
	without := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: ptr("s"), ChangeSetName: ptr("d"), ChangeSetType: "CREATE", TemplateBody: &body, DisableValidation: ptr(true), Capabilities: allCapabilities,
	})
	w.pass(5 * time.Second)
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: without.Id})
	w.settle()
	if got := w.status("s"); got != "ROLLBACK_COMPLETE" {
		t.Error(got)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	w.e.Pages = map[string]int{"ListStacks": 2, "DescribeStacks": 2, "ListStackResources": 2, "DescribeStackEvents": 3, "ListChangeSets": 1}
	for i := range 5 {
		w.create(fmt.Sprintf("s%d", i), "Description: number\nResources: {A: {Type: AWS::SNS::Topic}, B: {Type: AWS::SNS::Topic}, C: {Type: AWS::SNS::Topic}}")
		w.pass(time.Second)
	}
	w.delete("s2")

	var names []string
	list := &cfn.ListStacksInput{}
	for pages := 0; ; pages++ {
		out := must[cfn.ListStacksOutput](w, list)
		for _, s := range out.StackSummaries {
			names = append(names, *s.StackName+" "+string(s.StackStatus)+" "+*s.TemplateDescription)
		}
		if pages == 1 { // what is new comes first and repeats nothing
			w.create("later", "Resources: {A: {Type: AWS::SNS::Topic}}")
		}
		if list.NextToken = out.NextToken; list.NextToken == nil {
			break
		}
	}
	want := []string{"s4 CREATE_COMPLETE number", "s3 CREATE_COMPLETE number", "s2 DELETE_COMPLETE number", "s1 CREATE_COMPLETE number", "s0 CREATE_COMPLETE number"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	filtered := must[cfn.ListStacksOutput](w, &cfn.ListStacksInput{StackStatusFilter: []types.StackStatus{"DELETE_COMPLETE"}}).StackSummaries
	if len(filtered) != 1 || *filtered[0].StackName != "s2" {
		t.Errorf("%d deleted", len(filtered))
	}
	w.pass(91 * 24 * time.Hour)
	if got := must[cfn.ListStacksOutput](w, &cfn.ListStacksInput{StackStatusFilter: []types.StackStatus{"DELETE_COMPLETE"}}).StackSummaries; len(got) != 0 {
		t.Error("a deleted stack is listed after 91 days")
	}

	names = nil
	all := &cfn.DescribeStacksInput{}
	for {
		out := must[cfn.DescribeStacksOutput](w, all)
		for _, s := range out.Stacks {
			names = append(names, *s.StackName)
		}
		if all.NextToken = out.NextToken; all.NextToken == nil {
			break
		}
	}
	if diff := cmp.Diff([]string{"later", "s4", "s3", "s1", "s0"}, names); diff != "" {
		t.Error(diff)
	}
	if got := strings.Count(w.events("s0"), "\n"); got != 11 {
		t.Errorf("%d events on all pages", got)
	}
	page := must[cfn.ListStackResourcesOutput](w, &cfn.ListStackResourcesInput{StackName: ptr("s0")})
	rest := must[cfn.ListStackResourcesOutput](w, &cfn.ListStackResourcesInput{StackName: ptr("s0"), NextToken: page.NextToken})
	if len(page.StackResourceSummaries) != 2 || len(rest.StackResourceSummaries) != 1 || rest.NextToken != nil {
		t.Error("resources by page")
	}
	if got := refuses[cfn.ListStacksOutput](w, &cfn.ListStacksInput{NextToken: page.NextToken}); got != "ValidationError: Invalid NextToken" {
		t.Error(got)
	}
}

func TestTemplatesAndSummaries(t *testing.T) {
	w := newWorld(t)
	body := `
AWSTemplateFormatVersion: 2010-09-09
Description: a role
Parameters: {Env: {Type: String, Default: prod, AllowedValues: [prod, test]}}
Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: !Ref Env, AssumeRolePolicyDocument: {}}}, T: {Type: AWS::SNS::Topic}}
`
	v := must[cfn.ValidateTemplateOutput](w, &cfn.ValidateTemplateInput{TemplateBody: &body})
	if *v.Description != "a role" || v.Capabilities[0] != "CAPABILITY_NAMED_IAM" || *v.CapabilitiesReason != "The following resource(s) require capabilities: [AWS::IAM::Role]" || *v.Parameters[0].DefaultValue != "prod" {
		t.Errorf("%+v", v)
	}
	sum := must[cfn.GetTemplateSummaryOutput](w, &cfn.GetTemplateSummaryInput{TemplateBody: &body})
	if diff := cmp.Diff([]string{"AWS::IAM::Role", "AWS::SNS::Topic"}, sum.ResourceTypes); diff != "" {
		t.Error(diff)
	}
	if got := sum.ResourceIdentifierSummaries[0].ResourceIdentifiers; !cmp.Equal(got, []string{"RoleName"}) {
		t.Error(got)
	}
	set := w.change("s", "c", "CREATE", body)
	if got := *must[cfn.GetTemplateOutput](w, &cfn.GetTemplateInput{ChangeSetName: set.ChangeSetId}).TemplateBody; got != body {
		t.Error("the change set's template differs")
	}
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: set.ChangeSetId})
	w.settle()
	if w.template("s") != body {
		t.Error("the stack's template differs")
	}
	got := must[cfn.DescribeStackResourcesOutput](w, &cfn.DescribeStackResourcesInput{PhysicalResourceId: ptr("prod")}).StackResources
	if len(got) != 2 || *got[0].StackName != "s" {
		t.Errorf("%d resources of the owner", len(got))
	}
	detail := must[cfn.DescribeStackResourceOutput](w, &cfn.DescribeStackResourceInput{StackName: ptr("s"), LogicalResourceId: ptr("R")}).StackResourceDetail
	if *detail.PhysicalResourceId != "prod" || *detail.Metadata != "{}" {
		t.Errorf("%+v", detail)
	}
	if limits := must[cfn.DescribeAccountLimitsOutput](w, &cfn.DescribeAccountLimitsInput{}).AccountLimits; *limits[1].Value != 2000 {
		t.Error("stack limit")
	}
}

func TestUnknownOperation(t *testing.T) {
	w := newWorld(t)
	if got := refuses[cfn.ListTypesOutput](w, &cfn.ListTypesInput{}); got != "InvalidAction: Could not find operation ListTypes for version 2010-05-15" {
		t.Error(got)
	}
}
