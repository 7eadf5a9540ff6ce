package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
)

// TestWhatIsKeptComesBack: a stack keeps its things with their tags; a thing
// made by hand has none of AWS's. An import takes both and says whose they are.
func TestWhatIsKeptComesBack(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	ctx := t.Context()
	kept := func(typeName string, properties map[string]any) any {
		return map[string]any{"Type": typeName, "DeletionPolicy": "Retain", "Properties": properties}
	}
	m := tree{"Resources": map[string]any{
		"Bucket": kept("AWS::S3::Bucket", map[string]any{"BucketName": "kept"}),
		"Log":    kept("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/kept"}),
		"Param":  kept("AWS::SSM::Parameter", map[string]any{"Name": "/kept", "Type": "String", "Value": "v"}),
		"Repo":   kept("AWS::ECR::Repository", map[string]any{"RepositoryName": "kept"}),
		"Secret": kept("AWS::SecretsManager::Secret", map[string]any{"Name": "kept", "SecretString": "s"}),
	}}
	old := s.create("old", m)
	must[*cloudformation.DeleteStackOutput](t)(s.c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("old")}))
	s.want(s.settle(*old.StackId), cfntypes.StackStatusDeleteComplete)

	secrets, buckets, logs := secretsmanager.NewFromConfig(config(box)), s3.NewFromConfig(config(box)), cloudwatchlogs.NewFromConfig(config(box))
	tags := func(what string) map[string]string {
		t.Helper()
		out := map[string]string{}
		switch what {
		case "kept", "by-hand":
			return tagMap(must[*s3.GetBucketTaggingOutput](t)(buckets.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &what})).TagSet)
		case "secret":
			for _, tag := range must[*secretsmanager.DescribeSecretOutput](t)(secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("kept")})).Tags {
				out[*tag.Key] = *tag.Value
			}
		case "log group":
			return must[*cloudwatchlogs.ListTagsForResourceOutput](t)(logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{
				ResourceArn: aws.String("arn:aws:logs:us-east-1:123456789012:log-group:/kept")})).Tags
		case "parameter":
			for _, tag := range must[*ssm.ListTagsForResourceOutput](t)(ssm.NewFromConfig(config(box)).ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{
				ResourceId: aws.String("/kept"), ResourceType: ssmtypes.ResourceTypeForTaggingParameter})).TagList {
				out[*tag.Key] = *tag.Value
			}
		case "repository":
			for _, tag := range must[*ecr.ListTagsForResourceOutput](t)(ecr.NewFromConfig(config(box)).ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{
				ResourceArn: aws.String("arn:aws:ecr:us-east-1:123456789012:repository/kept")})).Tags {
				out[*tag.Key] = *tag.Value
			}
		}
		return out
	}
	all := []string{"kept", "secret", "log group", "parameter", "repository"}
	for _, what := range all {
		if got := tags(what); got["owner"] != "platform" || got["aws:cloudformation:stack-id"] != *old.StackId {
			t.Errorf("%s without its stack has the tags %v", what, got)
		}
	}

	must[*s3.CreateBucketOutput](t)(buckets.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("by-hand")}))
	m["Resources"].(map[string]any)["Hand"] = kept("AWS::S3::Bucket", map[string]any{"BucketName": "by-hand"})
	arn := must[*secretsmanager.DescribeSecretOutput](t)(secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("kept")})).ARN
	item := func(id, typeName, property, value string) cfntypes.ResourceToImport {
		return cfntypes.ResourceToImport{LogicalResourceId: &id, ResourceType: aws.String("AWS::" + typeName), ResourceIdentifier: map[string]string{property: value}}
	}
	set := must[*cloudformation.CreateChangeSetOutput](t)(s.c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: aws.String("new"), ChangeSetName: aws.String("i"), ChangeSetType: cfntypes.ChangeSetTypeImport, TemplateBody: m.body(t),
		ResourcesToImport: []cfntypes.ResourceToImport{
			item("Bucket", "S3::Bucket", "BucketName", "kept"), item("Hand", "S3::Bucket", "BucketName", "by-hand"), item("Log", "Logs::LogGroup", "LogGroupName", "/kept"),
			item("Param", "SSM::Parameter", "Name", "/kept"), item("Repo", "ECR::Repository", "RepositoryName", "kept"), item("Secret", "SecretsManager::Secret", "Id", *arn),
		},
	}))
	clk.pass(time.Minute)
	must[*cloudformation.ExecuteChangeSetOutput](t)(s.c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: set.Id}))
	s.want(s.settle("new"), cfntypes.StackStatusImportComplete)
	for _, what := range append(all, "by-hand") {
		got := tags(what)
		if got["aws:cloudformation:stack-id"] != *set.StackId || got["aws:cloudformation:stack-name"] != "new" || got["aws:cloudformation:logical-id"] == "" {
			t.Errorf("%s in its new stack has the tags %v", what, got)
		}
		if what != "by-hand" && got["owner"] != "platform" {
			t.Errorf("%s lost its tags: %v", what, got)
		}
	}
	value := must[*secretsmanager.GetSecretValueOutput](t)(secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("kept")}))
	if *value.SecretString != "s" {
		t.Error("the secret has another value")
	}
}
