package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

const token1, token2, token3 = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"

func TestSecretStages(t *testing.T) {
	c := sm.NewFromConfig(config(open(t, sandbox.Options{})))
	ctx, id := t.Context(), aws.String("/bp/oauth/secrets")
	made := must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, &sm.CreateSecretInput{Name: id}))
	if made.VersionId != nil || !strings.HasPrefix(*made.ARN, "arn:aws:secretsmanager:us-east-1:123456789012:secret:/bp/oauth/secrets-") {
		t.Errorf("%+v", made)
	}
	stages := func() map[string][]string {
		return must[*sm.DescribeSecretOutput](t)(c.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: id})).VersionIdsToStages
	}
	if s := stages(); len(s) != 0 {
		t.Errorf("never set, but has %v", s)
	}
	for i, token := range []string{token1, token2, token3} {
		in := &sm.PutSecretValueInput{SecretId: made.ARN, SecretString: aws.String(strings.Repeat("v", i+1)), ClientRequestToken: aws.String(token)}
		must[*sm.PutSecretValueOutput](t)(c.PutSecretValue(ctx, in))
		again := must[*sm.PutSecretValueOutput](t)(c.PutSecretValue(ctx, in)) // a retry after a lost answer
		if *again.VersionId != token {
			t.Errorf("retry made version %s", *again.VersionId)
		}
	}
	if d := cmp.Diff(map[string][]string{token3: {"AWSCURRENT"}, token2: {"AWSPREVIOUS"}}, stages()); d != "" {
		t.Error(d)
	}
	_, err := c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: id, SecretString: aws.String("other"), ClientRequestToken: aws.String(token3)})
	wantCode(t, err, "ResourceExistsException")
	prev := must[*sm.GetSecretValueOutput](t)(c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: id, VersionStage: aws.String("AWSPREVIOUS")}))
	if *prev.SecretString != "vv" {
		t.Errorf("previous %q", *prev.SecretString)
	}
	_, err = c.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String(token2)})
	wantCode(t, err, "InvalidParameterException")
	must[*sm.UpdateSecretVersionStageOutput](t)(c.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: id, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: aws.String(token2), RemoveFromVersionId: aws.String(token3)}))
	if d := cmp.Diff(map[string][]string{token2: {"AWSCURRENT"}, token3: {"AWSPREVIOUS"}}, stages()); d != "" {
		t.Error(d)
	}
}

func TestSecretDeletion(t *testing.T) {
	clk := newClock()
	c := sm.NewFromConfig(config(open(t, sandbox.Options{Now: clk.now})))
	ctx, id := t.Context(), aws.String("s")
	in := &sm.CreateSecretInput{Name: id, SecretString: aws.String("v"), ClientRequestToken: aws.String(token1), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}
	first := must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, in))
	if retry := must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, in)); *retry.ARN != *first.ARN {
		t.Error("a retried create made another secret")
	}
	_, err := c.CreateSecret(ctx, &sm.CreateSecretInput{Name: id, SecretString: aws.String("w")})
	wantCode(t, err, "ResourceExistsException")
	_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(6)})
	wantCode(t, err, "InvalidParameterException")
	_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7), ForceDeleteWithoutRecovery: aws.Bool(true)})
	wantCode(t, err, "InvalidParameterException")
	del := must[*sm.DeleteSecretOutput](t)(c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id, RecoveryWindowInDays: aws.Int64(7)}))
	if !del.DeletionDate.Equal(clk.now().Add(7 * 24 * time.Hour)) {
		t.Errorf("deletion date %s", del.DeletionDate)
	}
	_, err = c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: id})
	wantCode(t, err, "InvalidRequestException")
	_, err = c.CreateSecret(ctx, &sm.CreateSecretInput{Name: id})
	wantCode(t, err, "InvalidRequestException")
	_, err = c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id})
	wantCode(t, err, "InvalidRequestException")
	list := func(planned bool) int {
		return len(must[*sm.ListSecretsOutput](t)(c.ListSecrets(ctx, &sm.ListSecretsInput{IncludePlannedDeletion: &planned})).SecretList)
	}
	if list(false) != 0 || list(true) != 1 {
		t.Errorf("listed %d, with planned deletions %d", list(false), list(true))
	}
	must[*sm.RestoreSecretOutput](t)(c.RestoreSecret(ctx, &sm.RestoreSecretInput{SecretId: id}))
	must[*sm.GetSecretValueOutput](t)(c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: id}))
	must[*sm.DeleteSecretOutput](t)(c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id}))
	clk.pass(30 * 24 * time.Hour)
	_, err = c.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: id})
	wantCode(t, err, "ResourceNotFoundException")
	second := must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, &sm.CreateSecretInput{Name: id}))
	if *second.ARN == *first.ARN {
		t.Error("the new secret has the ARN of the old one")
	}
	must[*sm.DeleteSecretOutput](t)(c.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: id, ForceDeleteWithoutRecovery: aws.Bool(true)}))
	must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, &sm.CreateSecretInput{Name: id}))
}

func TestSecretRefusals(t *testing.T) {
	c := sm.NewFromConfig(config(open(t, sandbox.Options{})))
	ctx := t.Context()
	_, err := c.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("a b")})
	wantCode(t, err, "ValidationException")
	_, err = c.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("a"), SecretString: aws.String(strings.Repeat("x", 65537))})
	wantCode(t, err, "ValidationException")
	_, err = c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String("a"), SecretString: aws.String("v")})
	wantCode(t, err, "ResourceNotFoundException")
	must[*sm.CreateSecretOutput](t)(c.CreateSecret(ctx, &sm.CreateSecretInput{Name: aws.String("a"), SecretBinary: []byte{0, 1, 2}}))
	got := must[*sm.GetSecretValueOutput](t)(c.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String("a")}))
	if d := cmp.Diff([]byte{0, 1, 2}, got.SecretBinary); d != "" {
		t.Error(d)
	}
	_, err = c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String("a")})
	wantCode(t, err, "InvalidRequestException")
	pw := must[*sm.GetRandomPasswordOutput](t)(c.GetRandomPassword(ctx, &sm.GetRandomPasswordInput{PasswordLength: aws.Int64(12), ExcludePunctuation: aws.Bool(true), ExcludeUppercase: aws.Bool(true)}))
	if p := *pw.RandomPassword; len(p) != 12 || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		t.Errorf("password %q", p)
	}
}
