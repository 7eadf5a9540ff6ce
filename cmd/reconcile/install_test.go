package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// install puts the desired state into the account with one call for each thing,
// as an apply leaves it and at a fraction of what an apply costs. The plan that
// follows it must be empty, which is its test.
func (s *scale) install(ctx context.Context, d plan.Desired) {
	s.t.Helper()
	in := installer{scale: s, d: d, known: map[cfn.Ref]string{}}
	config := sdk(s.box, "us-east-1")
	in.cfn, in.ssm = cloudformation.NewFromConfig(config), ssm.NewFromConfig(config)
	in.logGroups(ctx, cloudwatchlogs.NewFromConfig(config))
	stacks, parameters, secrets := d.Stacks, d.Parameters, d.Secrets
	for len(stacks)+len(parameters) > 0 {
		before := len(stacks) + len(parameters)
		parameters = in.parameters(ctx, parameters)
		stacks = in.stacks(ctx, stacks)
		if len(stacks)+len(parameters) == before {
			s.t.Fatalf("%d stacks wait for each other, the first is %s", len(stacks), stacks[0].Name)
		}
		_ = s.clock.Sleep(ctx, 4*time.Hour)
		in.outputs(ctx)
		secrets = in.secrets(ctx, secretsmanager.NewFromConfig(config), secrets, stacks)
	}
	if len(secrets) > 0 {
		s.t.Fatalf("no stack has secret %s", secrets[0].Name)
	}
}

type installer struct {
	*scale
	d     plan.Desired
	known map[cfn.Ref]string
	cfn   *cloudformation.Client
	ssm   *ssm.Client
}

func (in *installer) must(err error) {
	in.t.Helper()
	if err != nil {
		in.t.Fatal(err)
	}
}

func (in *installer) logGroups(ctx context.Context, c *cloudwatchlogs.Client) {
	for _, l := range in.d.LogGroups {
		_, err := c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &l.Name,
			Tags: map[string]string{"ManagedBy": "reconcile", "reconcile:owner": in.d.Target.Platform}})
		in.must(err)
		_, err = c.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &l.Name, RetentionInDays: aws.Int32(int32(l.RetentionDays))})
		in.must(err)
	}
}

// lookup knows outputs of stacks that are there, and every parameter of the account.
func (in *installer) lookup(ctx context.Context) func(cfn.Ref) (string, bool) {
	return func(r cfn.Ref) (string, bool) {
		if v, ok := in.known[r]; ok || r.Stack != "" {
			return v, ok
		}
		out, err := in.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &r.Parameter})
		if err != nil {
			return "", false
		}
		in.known[r] = *out.Parameter.Value
		return in.known[r], true
	}
}

// parameters writes those whose values are known and returns the others.
func (in *installer) parameters(ctx context.Context, all []plan.Parameter) (left []plan.Parameter) {
	for _, p := range all {
		value, ok := cfn.Resolve(p.Value, in.lookup(ctx)).(string)
		if p.Generate != "" {
			value, ok = strings.Repeat("0", 96), true
		}
		if !ok {
			left = append(left, p)
			continue
		}
		_, err := in.ssm.PutParameter(ctx, &ssm.PutParameterInput{
			Name: &p.Name, Type: ssmtypes.ParameterType(p.Type), DataType: aws.String(p.DataType), Value: &value,
			Tags: []ssmtypes.Tag{{Key: aws.String("ManagedBy"), Value: aws.String("reconcile")}, {Key: aws.String("reconcile:owner"), Value: &in.d.Target.Platform}}})
		in.must(err)
	}
	return left
}

// stacks creates those whose references are known and returns the others.
func (in *installer) stacks(ctx context.Context, all []plan.Stack) (left []plan.Stack) {
	for _, s := range all {
		t := cfn.ResolveTemplate(s.Template, in.lookup(ctx))
		digest, err := cfn.DigestOf(t, s.Tags, nil)
		if err != nil { // open references
			left = append(left, s)
			continue
		}
		body, err := cfn.Canonical(cfn.Seal(t, in.d.Target.Platform, digest, in.d.Target.Revision))
		in.must(err)
		create := &cloudformation.CreateStackInput{StackName: &s.Name, TemplateBody: aws.String(string(body)), EnableTerminationProtection: &s.Protect}
		for _, c := range s.Capabilities {
			create.Capabilities = append(create.Capabilities, cfntypes.Capability(c))
		}
		for k, v := range s.Tags {
			create.Tags = append(create.Tags, cfntypes.Tag{Key: aws.String(k), Value: aws.String(v)})
		}
		_, err = in.cfn.CreateStack(ctx, create)
		in.must(err)
	}
	return left
}

// secrets writes the values of those whose stacks are made, before there is a
// task that reads them, and returns the others.
func (in *installer) secrets(ctx context.Context, client *secretsmanager.Client, all []plan.Secret, open []plan.Stack) (left []plan.Secret) {
	for _, secret := range all {
		if slices.ContainsFunc(open, func(s plan.Stack) bool { return s.Name == secret.Stack }) {
			left = append(left, secret)
			continue
		}
		value := "base64:" + strings.Repeat("A", 43) + "="
		if secret.Generate == "oauth-empty" {
			value = oauthDocument("")
		}
		_, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &secret.Name, SecretString: &value})
		in.must(err)
	}
	return left
}

// oauthDocument has all keys that the tasks select: one that lacks a key lets
// none of them start, on AWS as in the sandbox.
func oauthDocument(value string) string {
	document := map[string]string{}
	for _, key := range []string{
		"google_client_id", "google_client_secret", "tiktok_client_id", "tiktok_client_secret",
		"apple_client_id", "apple_client_secret", "apple_key_id", "apple_team_id", "apple_private_key_p8_b64",
	} {
		document[key] = value
	}
	text, err := json.Marshal(document)
	if err != nil {
		return err.Error() // texts always marshal
	}
	return string(text)
}

func (in *installer) outputs(ctx context.Context) {
	for next := (*string)(nil); ; {
		out, err := in.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{NextToken: next})
		in.must(err)
		for _, s := range out.Stacks {
			if s.StackStatus != cfntypes.StackStatusCreateComplete {
				in.t.Fatalf("%s is %s: %s", *s.StackName, s.StackStatus, aws.ToString(s.StackStatusReason))
			}
			for _, o := range s.Outputs {
				in.known[cfn.Ref{Stack: *s.StackName, Output: *o.OutputKey}] = *o.OutputValue
			}
		}
		if next = out.NextToken; next == nil {
			return
		}
	}
}
