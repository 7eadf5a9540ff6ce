package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

const mediaBucket = "bp-media-123456789012"

// keepsakes are the values of what outlives the stacks.
func (r *rig) keepsakes() map[string]string {
	r.t.Helper()
	out := map[string]string{}
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		for _, name := range []string{"/bp/laravel/app-key", "/bp/oauth/secrets", "/bp/asset-ops/secret", "/bp/redis/auth-token"} {
			v, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)})
			if err != nil {
				r.t.Fatal(err)
			}
			out[name] = *v.SecretString
		}
		master, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("/bp/rds/master-credentials")})
		if err != nil {
			r.t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal([]byte(*master.SecretString), &document); err != nil {
			r.t.Fatal(err)
		}
		out["master password"], _ = document["password"].(string)
		object, err := s3.NewFromConfig(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(mediaBucket), Key: aws.String("a")})
		if err != nil {
			r.t.Fatal(err)
		}
		body, err := io.ReadAll(object.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		out["object"] = string(body)
	})
	return out
}

// What a destroy keeps comes back with the next apply, with all that is in it,
// and nobody needs to visit a console.
func TestWhatIsKeptComesBack(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := s3.NewFromConfig(cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(mediaBucket), Key: aws.String("a"), Body: strings.NewReader("data")}); err != nil {
			t.Fatal(err)
		}
		if _, err := secretsmanager.NewFromConfig(cfg).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: aws.String("/bp/oauth/secrets"), SecretString: aws.String(oauthDocument("synced"))}); err != nil {
			t.Fatal(err)
		}
	})
	before := r.keepsakes()
	r.want(0, destroyAll, "a later apply imports what is kept: bp-data/AccessLogsBucket").saysNot(t, "generated names")

	p := r.plan("")
	step, ok := p.Step("import/bp-data")
	if !ok || len(step.Approvals) > 0 || step.Blocked != nil {
		t.Fatalf("steps: %v", steps(p))
	}
	imported := map[string]string{}
	for _, i := range step.Body.Stack.Imports {
		for property, id := range i.Identifier {
			imported[i.Resource] = property + "=" + strings.SplitN(id, ":secret:", 2)[0]
		}
	}
	secret := "Id=arn:aws:secretsmanager:us-east-1:123456789012"
	want := map[string]string{
		"AccessLogsBucket": "BucketName=bp-access-logs-123456789012", "LogsBucket": "BucketName=bp-logs-123456789012",
		"MediaBucket": "BucketName=bp-media-123456789012", "ModelsBucket": "BucketName=bp-models-123456789012",
		"AssetOpsSecret": secret, "LaravelKey": secret, "MasterSecret": secret, "OAuthSecrets": secret, "RedisSecret": secret,
	}
	if diff := cmp.Diff(want, imported); diff != "" {
		t.Errorf("imports (-want +got):\n%s", diff)
	}
	r.want(0, "plan", "> stack bp-data: import 9 resources", "> AWS::S3::Bucket MediaBucket (bp-media-123456789012)", "Plan: 10 to import, ")
	r.want(0, "plan -o markdown", "10 to import")
	r.want(0, "apply --yes", "imported 9 resources")
	r.empty()
	after := r.keepsakes()
	for name := range before {
		if before[name] == "" || before[name] != after[name] {
			t.Errorf("%s is another one than before", name)
		}
	}
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := cloudformation.NewFromConfig(cfg).DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: aws.String(mediaBucket)})
		if err != nil || *out.StackResources[0].StackName != "bp-data" {
			t.Errorf("the bucket does not belong to its stack: %v", err)
		}
	})

	// And once more: the second life is like the first.
	r.want(0, destroyAll)
	r.want(0, "apply --yes", "imported 9 resources")
	r.empty()
}

// What was changed while nothing managed it, by hand or in the specs, is as the
// specs say after the step that follows the import.
func TestImportedResourcesBecomeAsTheSpecsSay(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, destroyAll)
	models := aws.String("bp-models-123456789012")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := s3.NewFromConfig(cfg).PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: models,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}}); err != nil {
			t.Fatal(err)
		}
	})
	r.edit("  owner: platform-team", "  owner: another-team", "specs/platform.yaml")
	r.want(0, "plan --verbose", "~ AWS::S3::Bucket ModelsBucket", "VersioningConfiguration", "Enabled")
	r.want(0, "apply --yes")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := s3.NewFromConfig(cfg).GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: models})
		if err != nil || out.Status != types.BucketVersioningStatusEnabled {
			t.Errorf("versioning is %s, %v", out.Status, err)
		}
		tags, err := s3.NewFromConfig(cfg).GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: models})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags.TagSet {
			if *tag.Key == "Owner" && *tag.Value != "another-team" {
				t.Errorf("the bucket keeps the tag Owner=%s", *tag.Value)
			}
		}
	})
	r.empty()
}

// A thing that only has the name stands in the way, by its name, before
// anything is tried; with our mark it is imported, and the rest goes on.
func TestForeignBucketStandsInTheWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := s3.NewFromConfig(cfg).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(mediaBucket)}); err != nil {
			t.Fatal(err)
		}
	})
	s := r.want(4, "apply --yes", "MediaBucket (bucket bp-media-123456789012) cannot be created", "does not carry this platform's mark, the tag reconcile:owner=bp",
		"aws s3api put-bucket-tagging --bucket bp-media-123456789012")
	s.saysNot(t, "ROLLBACK")
	if p := r.plan(""); len(p.Steps) == 0 || p.Summary.Blocked == 0 {
		t.Errorf("after the apply of the rest: %v", steps(p))
	}
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := s3.NewFromConfig(cfg).PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String(mediaBucket),
			Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(plan.OwnerTag), Value: aws.String("bp")}}}}); err != nil {
			t.Fatal(err)
		}
	})
	r.want(0, "apply --yes", "imported 1 resource")
	r.empty()
}

// A bucket of another stack is never taken.
func TestBucketOfAnotherStackStandsInTheWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	body := `{"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "` + mediaBucket + `", "Tags": [{"Key": "reconcile:owner", "Value": "bp"}]}}}}`
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := cloudformation.NewFromConfig(cfg).CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("legacy"), TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
	})
	r.want(4, "apply --yes", "it exists and belongs to stack legacy", "aws cloudformation describe-stacks --stack-name legacy")
}

// A secret that is on its way out is restored, not made anew.
func TestSecretScheduledForDeletionStandsInTheWay(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, destroyAll)
	const name = "/bp/laravel/app-key"
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := secretsmanager.NewFromConfig(cfg).DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
	})
	r.want(4, "apply --yes", "LaravelKey (secret /bp/laravel/app-key) is scheduled for deletion", "aws secretsmanager restore-secret --secret-id /bp/laravel/app-key")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := secretsmanager.NewFromConfig(cfg).RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
	})
	r.want(0, "apply --yes", "imported 9 resources")
	r.empty()
}

// A first creation that fails leaves nothing to import (RetainExceptOnCreate).
func TestFailedFirstCreationNeedsNoImport(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.breaks(stackengine.Fault{Stack: "bp-data", Logical: "Redis", Phase: stackengine.PhaseCreate, Times: 1, Message: "no capacity"})
	r.want(5, "apply --yes", "no capacity")
	p := r.plan("")
	for _, s := range p.Steps {
		if s.Action == plan.ActionImport || s.Blocked != nil && !strings.Contains(s.Blocked.Reason, "recover") {
			t.Errorf("%s %s: %+v", s.Action, s.ID, s.Blocked)
		}
	}
	r.want(0, "apply --yes --approve recover:bp-data")
	r.empty()
}

// An update after an import that fails goes back to what was imported, and
// keeps it; the next apply goes on from there.
func TestFailureAfterTheImportKeepsWhatWasImported(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, destroyAll)
	r.breaks(stackengine.Fault{Stack: "bp-data", Logical: "Redis", Phase: stackengine.PhaseCreate, Times: 1, Message: "no capacity"})
	r.want(5, "apply --yes", "imported 9 resources", "no capacity")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := s3.NewFromConfig(cfg).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(mediaBucket)}); err != nil {
			t.Error(err)
		}
	})
	r.want(0, "apply --yes").saysNot(t, "import")
	r.empty()
}

// An import that fails leaves a stack that holds nothing: it is deleted, when
// approved, and the next attempt imports again.
func TestFailedImportIsTriedAgain(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, destroyAll)
	r.breaks(stackengine.Fault{Stack: "bp-data", Logical: "MediaBucket", Phase: stackengine.PhaseCreate, Times: 1, Message: "not now"})
	r.want(5, "apply --yes", "not now")
	r.want(4, "apply --yes", "its first import failed and was rolled back", "recover:bp-data")
	r.want(0, "apply --yes --approve recover:bp-data", "imported 9 resources")
	r.empty()
}

// A bucket that left a stack, and was kept, comes back into the same stack by
// an import that leaves the rest of it alone.
func TestBucketComesBackIntoItsStack(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const doc = "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: bp-extra}\nspec: {template: ./extra.json}\n"
	template := func(bucket string) string {
		return `{"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "extra"}}` + bucket + `},
  "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}}}`
	}
	const bucket = `, "Archive": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
    "Properties": {"BucketName": "bp-archive-123456789012", "VersioningConfiguration": {"Status": "Enabled"}}}`
	r.write("specs/extra.yaml", doc)
	r.write("specs/extra.json", template(bucket))
	r.want(0, "apply --yes")
	r.write("specs/extra.json", template(""))
	r.want(0, "apply --yes --allow-destroy", "DeletionPolicy Retain keeps the thing itself")
	r.empty()
	r.write("specs/extra.json", template(bucket))
	s := r.want(0, "plan", "> stack bp-extra: import 1 resource", "> AWS::S3::Bucket Archive (bp-archive-123456789012)", "Plan: 1 to import, 0 to add, 1 to change, 0 to destroy.")
	s.saysNot(t, "Topic")
	r.want(0, "apply --yes", "imported 1 resource")
	r.empty()
}
