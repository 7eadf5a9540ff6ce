package sandbox_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// The steps that a rotation takes with the labels: the pending version is not
// the current one until its label is moved (failure-modes E20).
func TestPendingVersionOfASecret(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	c, ctx, name := secretsmanager.NewFromConfig(config(box)), t.Context(), aws.String("/bp/key")
	first := must[*secretsmanager.CreateSecretOutput](t)(c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: aws.String("one")}))
	pending := must[*secretsmanager.PutSecretValueOutput](t)(c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: aws.String("two"), VersionStages: []string{"AWSPENDING"}}))
	value := func(stage string) string {
		t.Helper()
		return *must[*secretsmanager.GetSecretValueOutput](t)(c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: name, VersionStage: &stage})).SecretString
	}
	if got := value("AWSCURRENT") + " " + value("AWSPENDING"); got != "one two" {
		t.Errorf("while it is pending: %s", got)
	}
	must[*secretsmanager.UpdateSecretVersionStageOutput](t)(c.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: name, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: pending.VersionId, RemoveFromVersionId: first.VersionId}))
	if got := value("AWSCURRENT") + " " + value("AWSPREVIOUS") + " " + value("AWSPENDING"); got != "two one two" {
		t.Errorf("after the move: %s", got)
	}
	must[*secretsmanager.UpdateSecretVersionStageOutput](t)(c.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: name, VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: pending.VersionId}))
	got := map[string][]string{}
	for _, v := range must[*secretsmanager.ListSecretVersionIdsOutput](t)(c.ListSecretVersionIds(ctx, &secretsmanager.ListSecretVersionIdsInput{SecretId: name})).Versions {
		got[*v.VersionId] = v.VersionStages
	}
	if d := cmp.Diff(map[string][]string{*first.VersionId: {"AWSPREVIOUS"}, *pending.VersionId: {"AWSCURRENT"}}, got); d != "" {
		t.Error(d)
	}
}

// A secret that is scheduled for deletion cannot be referred to; restored, it can.
func TestReferenceToADeletedSecret(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s, c, ctx, name := newStacks(t, box, clk), secretsmanager.NewFromConfig(config(box)), t.Context(), aws.String("/bp/key")
	must[*secretsmanager.CreateSecretOutput](t)(c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: aws.String("never shown")}))
	must[*secretsmanager.DeleteSecretOutput](t)(c.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: name}))
	m := template(map[string]any{"P": resource("AWS::SSM::Parameter", map[string]any{"Type": "String", "Value": "{{resolve:secretsmanager:/bp/key}}"})})
	st := s.create("gone", m)
	all := strings.Join(s.reasons(*st.StackId), "\n")
	if !strings.Contains(all, "marked for deletion") || strings.Contains(all, "never shown") {
		t.Error(all)
	}
	must[*secretsmanager.RestoreSecretOutput](t)(c.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: name}))
	s.want(s.create("back", m), cfntypes.StackStatusCreateComplete)
}

// A SecureString needs a key that exists (failure-modes E14), and a version has
// at most ten labels (aws-limits 4.2).
func TestParameterKeysAndLabels(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s, c, ctx := newStacks(t, box, clk), ssmClient(box), t.Context()
	in := &ssm.PutParameterInput{Name: aws.String("/bp/key"), Value: aws.String("v"), Type: ssmtypes.ParameterTypeSecureString, KeyId: aws.String("alias/mine")}
	_, err := c.PutParameter(ctx, in)
	wantCode(t, err, "InvalidKeyId")
	s.want(s.create("key", template(map[string]any{
		"Key":   resource("AWS::KMS::Key", map[string]any{"KeyPolicy": map[string]any{}}),
		"Alias": resource("AWS::KMS::Alias", map[string]any{"AliasName": "alias/mine", "TargetKeyId": map[string]any{"Ref": "Key"}}),
	})), cfntypes.StackStatusCreateComplete)
	must[*ssm.PutParameterOutput](t)(c.PutParameter(ctx, in))
	label := func(labels ...string) error {
		_, err := c.LabelParameterVersion(ctx, &ssm.LabelParameterVersionInput{Name: in.Name, Labels: labels})
		return err
	}
	if err := label("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, label("k"), "ParameterVersionLabelLimitExceeded")
}
