package sandbox_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// Early validation sees objects, images and the quota of groups.
func TestEarlyValidationSeesTheServices(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now, Scale: 1, Quotas: sandbox.Quotas{Groups: 1}})
	s := newStacks(t, box, clk)
	repository := func(name string, empty bool) map[string]any {
		return resource("AWS::ECR::Repository", map[string]any{"RepositoryName": name, "EmptyOnDelete": empty})
	}
	s.want(s.create("s", template(map[string]any{
		"Full": resource("AWS::S3::Bucket", map[string]any{"BucketName": "full"}), "Empty": resource("AWS::S3::Bucket", map[string]any{"BucketName": "empty"}),
		"Images": repository("images", false), "Forced": repository("forced", true), "Topic": resource("AWS::SNS::Topic", map[string]any{}),
	})), cfntypes.StackStatusCreateComplete)
	ctx := t.Context()
	must[*s3.PutObjectOutput](t)(s3.NewFromConfig(config(box)).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("full"), Key: aws.String("k"), Body: strings.NewReader("v")}))
	for _, name := range []string{"images", "forced"} {
		must[*ecr.PutImageOutput](t)(ecr.NewFromConfig(config(box)).PutImage(ctx, &ecr.PutImageInput{RepositoryName: &name, ImageManifest: aws.String("{}"), ImageTag: aws.String("v1")}))
	}
	group := resource("AWS::AutoScaling::AutoScalingGroup", map[string]any{"MinSize": "0", "MaxSize": "0", "LaunchTemplate": map[string]any{"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}})
	set := must[*cloudformation.CreateChangeSetOutput](t)(s.c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: aws.String("s"), ChangeSetName: aws.String("c"), TemplateBody: template(map[string]any{"Topic": resource("AWS::SNS::Topic", map[string]any{}), "One": group, "Two": group}).body(t),
	}))
	clk.pass(time.Minute)
	var got []string
	for _, ev := range must[*cloudformation.DescribeEventsOutput](t)(s.c.DescribeEvents(ctx, &cloudformation.DescribeEventsInput{ChangeSetName: set.Id})).OperationEvents {
		got = append(got, fmt.Sprintf("%s %s %s", ev.ValidationFailureMode, *ev.ValidationName, *ev.LogicalResourceId))
	}
	want := []string{
		"WARN BUCKET_EMPTINESS_VALIDATION Full", "WARN ECR_REPOSITORY_DELETE_READINESS Images", "WARN SERVICE_QUOTA One", "WARN SERVICE_QUOTA Two",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if out := must[*cloudformation.DescribeChangeSetOutput](t)(s.c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: set.Id})); out.ExecutionStatus != cfntypes.ExecutionStatusAvailable {
		t.Errorf("%s %s", out.Status, aws.ToString(out.StatusReason))
	}
}
