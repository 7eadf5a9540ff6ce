package stackengine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

// validation is what DescribeEvents has of early validation, a line each.
func (w *world) validation(in *cfn.DescribeEventsInput) string {
	w.t.Helper()
	var b strings.Builder
	in.Filters = &types.EventFilter{FailedEvents: ptr(true)}
	for _, ev := range must[cfn.DescribeEventsOutput](w, in).OperationEvents {
		if ev.EventType == types.EventTypeValidationError {
			fmt.Fprintf(&b, "%s %s %s %s %s: %s\n", ev.OperationType, ev.ValidationFailureMode, *ev.ValidationName, *ev.LogicalResourceId, *ev.ValidationPath, *ev.ValidationStatusReason)
		}
	}
	return b.String()
}

func TestEarlyWarnings(t *testing.T) {
	w, _, parent := newNest(t)
	full := map[string]bool{"data": true, "kept": true, "app": true}
	w.e.Holds = func(_ context.Context, r stackengine.Resource) bool { return full[r.PhysicalID] }
	groups := stackengine.Usage{Quota: "Auto Scaling groups per region", Limit: 3, Used: 2}
	w.e.Usage = func(typeName string) (stackengine.Usage, bool) {
		return groups, typeName == "AWS::AutoScaling::AutoScalingGroup"
	}
	w.create("s", `
Resources:
  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: data}}
  Kept: {Type: AWS::S3::Bucket, DeletionPolicy: Retain, Properties: {BucketName: kept}}
  Empty: {Type: AWS::S3::Bucket, Properties: {BucketName: empty}}
  Images: {Type: AWS::ECR::Repository, Properties: {RepositoryName: app}}
  Stays: {Type: AWS::SNS::Topic}
`)
	w.e.State.MaxStacks = len(w.e.State.Names)
	body := `
Resources:
  Stays: {Type: AWS::SNS::Topic}
  One: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: "0", MaxSize: "1", LaunchConfigurationName: lc, AvailabilityZones: [us-east-1a]}}
  Two: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {MinSize: "0", MaxSize: "1", LaunchConfigurationName: lc, AvailabilityZones: [us-east-1a]}}
` + strings.TrimPrefix(parent, "\nResources:\n")
	out := w.change("s", "c", "UPDATE", body)
	if out.Status != types.ChangeSetStatusCreateComplete || out.ExecutionStatus != types.ExecutionStatusAvailable {
		t.Fatal(brief(out))
	}
	const want = `CREATE_CHANGESET WARN BUCKET_EMPTINESS_VALIDATION Data /Resources/Data: S3 bucket is not empty
CREATE_CHANGESET WARN ECR_REPOSITORY_DELETE_READINESS Images /Resources/Images: ECR repository still contains images and EmptyOnDelete is not set
CREATE_CHANGESET WARN SERVICE_QUOTA Inner /Resources/Inner: This operation would exceed the Stack count quota.
CREATE_CHANGESET WARN SERVICE_QUOTA One /Resources/One: This operation would exceed the Auto Scaling groups per region quota.
CREATE_CHANGESET WARN SERVICE_QUOTA Two /Resources/Two: This operation would exceed the Auto Scaling groups per region quota.
`
	wantText(t, "warnings", w.validation(&cfn.DescribeEventsInput{ChangeSetName: out.ChangeSetId}), want)
	groups.Used, w.e.State.MaxStacks = 1, 0
	full = nil
	quiet := w.change("s", "d", "UPDATE", body)
	wantText(t, "within the quotas", w.validation(&cfn.DescribeEventsInput{ChangeSetName: quiet.ChangeSetId}), "")
	// A warning beside a failure does not name a check of its own.
	full = map[string]bool{"data": true}
	failed := w.change("s", "e", "UPDATE", "Resources: {Stays: {Type: AWS::SNS::Topic, Properties: {Colour: red}}}")
	if got := *failed.StatusReason; !strings.Contains(got, "[AWS::EarlyValidation::PropertyValidation]") {
		t.Error(got)
	}
}

func TestEarlyValidationOfOperations(t *testing.T) {
	w := newWorld(t)
	const bad = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {Colour: red}}, Queue: {Type: AWS::SQS::Queue}}"
	created := must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: ptr(bad)})
	w.settle()
	const finding = " FAIL PROPERTY_VALIDATION Topic /Resources/Topic/Properties: Unsupported property [Colour]\n"
	wantText(t, "by operation", w.validation(&cfn.DescribeEventsInput{OperationId: created.OperationId}), "CREATE_STACK"+finding)
	wantText(t, "by stack", w.validation(&cfn.DescribeEventsInput{StackName: ptr("s")}), "CREATE_STACK"+finding)
	const reason = "Validation failure detected. See the operation's FAILED event for details."
	ev := w.events("s")
	if !strings.Contains(ev, "ROLLBACK_IN_PROGRESS") || !strings.Contains(ev, reason) || strings.Contains(ev, "Queue") || w.status("s") != "ROLLBACK_COMPLETE" {
		t.Errorf("%s\n%s", w.status("s"), ev)
	}
	w.delete("s")
	w.create("s", strings.Replace(bad, ", Properties: {Colour: red}", "", 1))
	w.skipEvents("s")
	updated := must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: ptr("s"), TemplateBody: ptr(strings.Replace(bad, "Queue", "Another", 1))})
	w.settle()
	wantText(t, "an update", w.validation(&cfn.DescribeEventsInput{OperationId: updated.OperationId}), "UPDATE_STACK"+finding)
	if ev := w.events("s"); w.status("s") != "UPDATE_ROLLBACK_COMPLETE" || strings.Contains(ev, "Another") || strings.Contains(ev, "Queue") {
		t.Errorf("%s\n%s", w.status("s"), ev)
	}
	// It can be switched off; then the handler refuses.
	w.unchecked, w.seen = true, 0
	w.create("u", bad)
	if ev := w.events("u"); !strings.Contains(ev, "extraneous key [Colour] is not permitted") {
		t.Error(ev)
	}
}
