package cloud_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// named is a template with one resource of each type that is looked for.
func named(names map[string]string) cfn.Template {
	t := cfn.Template{Description: "Named things", Resources: map[string]cfn.Resource{}}
	add := func(id, typeName, property string, more map[string]any) {
		if names[id] == "" {
			return
		}
		properties := map[string]any{property: names[id]}
		for k, v := range more {
			properties[k] = v
		}
		t.Resources[id] = cfn.Resource{Type: typeName, DeletionPolicy: "Retain", Properties: properties}
	}
	add("Bucket", plan.TypeBucket, "BucketName", nil)
	add("Secret", plan.TypeSecret, "Name", nil)
	add("Parameter", plan.TypeParameter, "Name", map[string]any{"Type": "String", "Value": "v"})
	add("LogGroup", plan.TypeLogGroup, "LogGroupName", nil)
	add("Repository", plan.TypeRepository, "RepositoryName", nil)
	return t
}

// TestNamed: of what a new stack would make, the read says whether something
// has the name already, whose it is, and which stack has it or had it.
func TestNamed(t *testing.T) {
	box, err := sandbox.Open(sandbox.Options{Seed: "named"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx := t.Context()
	c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: box, Endpoint: "https://sandbox.invalid", StaticCredentials: true, PollScale: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	account, err := c.Account(ctx)
	if err != nil {
		t.Fatal(err)
	}
	config := aws.Config{Region: "us-east-1", HTTPClient: box, BaseEndpoint: aws.String("https://sandbox.invalid"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})}
	secrets, buckets := secretsmanager.NewFromConfig(config), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	p := c.Port(ctx)
	defer p.Close()

	names := map[string]string{"Bucket": "media", "Secret": "/bp/master", "Parameter": "/bp/where", "LogGroup": "/bp/events", "Repository": "bp-backend"}
	template := named(names)
	digest, err := cfn.DigestOf(template, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: account, Region: "us-east-1"}, Stacks: []plan.Stack{{Name: "bp-new", Template: template}}}
	read := func() (map[string]plan.LiveNamed, map[string]map[string]plan.LiveResource) {
		t.Helper()
		live, err := c.Read(ctx, d, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		return live.Named, live.Remains
	}
	key := func(id string) string {
		return plan.NamedResource{Type: template.Resources[id].Type, Name: names[id]}.Key()
	}
	want := map[string]plan.LiveNamed{}
	for id := range names {
		want[key(id)] = plan.LiveNamed{}
	}
	got, _ := read()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nothing is there (-want +got):\n%s", diff)
	}

	made := must(t, p, apply.Request{Op: apply.OpCreateChangeSet, Stack: "bp-old", Token: "t-set", Create: &apply.ChangeSetInput{
		Name: "rc-t", StackName: "bp-old", New: true, Template: cfn.Seal(template, "bp", digest, ""), Tags: map[string]string{plan.OwnerTag: "bp", "Service": "data"}}})
	must(t, p, apply.Request{Op: apply.OpExecuteChangeSet, Stack: made.ChangeSet.StackID, ChangeSet: made.ChangeSet.ARN, Token: "t"})
	if end := must(t, p, apply.Request{Op: apply.OpWatchStack, Stack: made.ChangeSet.StackID, Token: "t"}); end.Stack.Status != "CREATE_COMPLETE" {
		t.Fatalf("%+v", end.Stack)
	}
	secret, err := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("/bp/master")})
	if err != nil {
		t.Fatal(err)
	}
	for id, name := range names {
		live := plan.LiveNamed{Exists: true, ID: name, Owner: "bp", Tagged: true, Stack: "bp-old", Maker: made.ChangeSet.StackID}
		if id == "Secret" {
			live.ID = *secret.ARN
		}
		want[key(id)] = live
	}
	got, remains := read()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of another stack (-want +got):\n%s", diff)
	}
	if len(remains) > 0 {
		t.Errorf("remains %v of a stack that is there", remains)
	}

	must(t, p, apply.Request{Op: apply.OpDeleteStack, Stack: made.ChangeSet.StackID, Token: "d"})
	must(t, p, apply.Request{Op: apply.OpWatchStack, Stack: made.ChangeSet.StackID, Token: "d"})
	d.Stacks[0].Template.Resources["Database"] = cfn.Resource{Type: "AWS::RDS::DBInstance", DeletionPolicy: "Retain"}
	for k, live := range want {
		live.Stack = ""
		want[k] = live
	}
	got, remains = read()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if r := remains[made.ChangeSet.StackID]["Bucket"]; r.Status != "DELETE_SKIPPED" || r.PhysicalID != "media" {
		t.Errorf("remains %+v", remains)
	}

	if _, err := secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: aws.String("/bp/master")}); err != nil {
		t.Fatal(err)
	}
	if _, err := buckets.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: aws.String("media"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(plan.OwnerTag), Value: aws.String("studio")}}}}); err != nil {
		t.Fatal(err)
	}
	got, _ = read()
	if live := got[key("Secret")]; !live.Deleting || !live.Exists {
		t.Errorf("a secret on its way out: %+v", live)
	}
	if live := got[key("Bucket")]; live.Owner != "studio" || live.Tagged {
		t.Errorf("another platform's bucket: %+v", live)
	}
}
