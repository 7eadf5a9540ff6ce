package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"reconcile/pkg/permission"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// recorded runs commands and notes which calls each made.
type recorded struct {
	*rig
	calls map[string]map[string]bool // command → "service operation"
}

var statsLine = regexp.MustCompile(`(?m)^(\S+(?: \S+)*) {2,}(\S+) {2,}\d+ calls?`)

func (r *recorded) want(code int, line string, says ...string) {
	r.t.Helper()
	s := r.rig.want(code, line+" --stats", says...)
	command, rest, _ := strings.Cut(line, " ")
	if command == "ami" {
		what, _, _ := strings.Cut(rest, " ")
		command += " " + what
	}
	found := statsLine.FindAllStringSubmatch(s.err, -1)
	if len(found) == 0 {
		r.t.Fatalf("%s: no calls in\n%s", line, s.err)
	}
	for _, m := range found {
		if r.calls[command] == nil {
			r.calls[command] = map[string]bool{}
		}
		r.calls[command][m[1]+" "+m[2]] = true
	}
}

// Each command is allowed what it calls, on the ways through the life of a
// platform: bootstrap, first apply, changes, a failure and its recovery, a
// fleet that goes, the end, and what is kept and imported again.
func TestCommandsAreAllowedTheirCalls(t *testing.T) {
	t.Parallel()
	r := &recorded{newRig(t, ""), map[string]map[string]bool{}}
	r.edit("  owner:", "  github: {repository: example/platform}\n  owner:", "specs/platform.yaml")
	r.want(0, "bootstrap --yes", "gh secret set AWS_DEPLOY_ROLE_ARN_PRODUCTION --repo example/platform --env production-infra --body arn:aws:iam::123456789012:role/bp-reconcile-apply")
	r.want(0, "plan", "bp-compute")
	r.breaks(stackengine.Fault{Stack: "bp-data", Type: "AWS::ElastiCache::CacheCluster", Phase: stackengine.PhaseCreate, Times: 1, Message: "no capacity"})
	r.want(5, "apply --yes", "no capacity")
	r.want(0, "plan")
	r.want(0, "apply --yes --approve recover:bp-data")
	r.want(0, "plan", "No changes.")
	r.want(0, "status")
	r.want(0, "drift", "No drift")
	r.want(0, "drift --detect", "No drift")
	r.want(0, "history")
	r.want(0, "comment --pr 1 --dry-run")
	r.edit("owner: ", "owner: another-", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-cicd", Phase: stackengine.PhaseUpdate, Times: 1, Message: "not now"})
	r.want(5, "apply --yes", "not now")
	r.want(0, "comment --pr 1 --dry-run")
	r.want(0, "apply --yes")
	r.want(0, "destroy --yes --allow-destroy --fleet staging/gpu-default")
	r.want(0, destroyAll)
	r.want(0, "bootstrap --yes")
	r.want(0, "comment --pr 1 --dry-run")
	r.want(0, "apply --yes", "imported")
	r.want(0, "plan", "No changes.")
	image := r.registers("BuildTime=2101-01-02T00:00:00Z")
	packs(t, r.rig, "made", image)
	r.want(0, "ami build staging/gpu-default --worker worker")
	r.want(0, "ami use production/gpu-default "+image+" --yes")
	r.want(0, "ami list", image)
	r.want(0, "plan", image)
	r.want(0, "unlock --yes")

	r.allowed()
	for _, command := range []string{"plan", "comment", "status", "apply", "destroy", "bootstrap", "history", "unlock", "drift", "ami build", "ami use", "ami list"} {
		if len(r.calls[command]) == 0 {
			t.Errorf("%s was not recorded", command)
		}
	}
	for _, call := range []string{"CloudFormation CreateChangeSet", "CloudFormation DeleteStack", "SSM PutParameter", "S3 PutObject"} {
		if !r.calls["apply"][call] {
			t.Errorf("the scenario did not make apply call %s", call)
		}
	}
}

// allowed holds that each command's role allows what it called.
func (r *recorded) allowed() {
	r.t.Helper()
	for command, calls := range r.calls {
		for call := range calls {
			if !slices.ContainsFunc(permission.Calls(), func(c permission.Call) bool {
				return c.Service+" "+c.Operation == call && slices.Contains(c.Commands, permission.Command(command))
			}) {
				r.t.Errorf("%s calls %s, which its role does not allow: see pkg/permission", command, call)
			}
		}
	}
}

// A plan in a file is applied with CloudFormation's role too, wherever the
// specs are: without it the workflow's role would be refused.
func TestSealedPlanActsWithTheRole(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.edit("  owner:", "  github: {repository: example/platform}\n  owner:", "specs/platform.yaml")
	r.want(0, "bootstrap --yes")
	r.want(0, "plan --out plan.sealed --stack bp-network")
	r.want(0, "apply plan.sealed --yes --specs nowhere")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		out, err := cloudformation.NewFromConfig(cfg).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String("bp-network")})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(out.Stacks[0].RoleARN); got != "arn:aws:iam::123456789012:role/bp-reconcile-exec" {
			t.Errorf("bp-network was made with the role %q", got)
		}
	})
	// AWS takes the role from no stack again, so what made it stays in the specs.
	r.edit("  github: {repository: example/platform}\n", "", "specs/platform.yaml")
	s := r.want(4, "apply --yes --stack bp-reconcile --stack bp-network", "0 steps done", "spec.github is not in the specs any more",
		"it would delete ApplyRole, and AWS takes no role from stacks that were made with one: bp-network", "made with CloudFormation's role arn:aws:iam::123456789012:role/bp-reconcile-exec")
	s.saysNot(t, "failed")
	r.want(0, "destroy --yes --stack bp-network --allow-destroy --approve unprotect:bp-network")
}

// What spec.github brings comes before the steps that use it, also on a
// platform that was there before.
func TestRolesComeBeforeTheirUsers(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("  owner:", "  github: {repository: example/platform}\n  owner:", "specs/platform.yaml")
	p := r.plan("")
	for _, s := range p.Steps {
		if s.Kind == plan.KindStack && s.Target != "bp-reconcile" && !slices.Contains(s.Needs, "stack/bp-reconcile") {
			t.Errorf("%s does not wait for the role and the boundary: %v", s.ID, s.Needs)
		}
	}
	if len(p.Steps) < 3 {
		t.Errorf("only %v", steps(p))
	}
}

// AWS takes one OIDC provider for an address: one that exists is told of before
// anything is made, with the line that reuses it.
func TestProviderThatExists(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.edit("  owner:", "  github: {repository: example/platform}\n  owner:", "specs/platform.yaml")
	r.run("plan") // makes the account
	iam := func(form string) {
		r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
			if err := signedQuery(ctx, cfg, "iam", "https://iam.amazonaws.com/", "Version=2010-05-08&"+form); err != nil {
				t.Fatal(err)
			}
		})
	}
	iam("Action=CreateOpenIDConnectProvider&Url=https%3A%2F%2Ftoken.actions.githubusercontent.com&ClientIDList.member.1=vault")
	const arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	r.want(4, "bootstrap --yes", "OIDC provider", "reuse it with spec.github.oidcProviderArn: "+arn)
	r.edit("repository: example/platform", "repository: example/platform, oidcProviderArn: \""+arn+"\"", "specs/platform.yaml")
	// Nobody could take the roles while the provider does not know their audience.
	r.want(4, "bootstrap --yes", "stack bp-reconcile trust the OIDC provider "+arn+" for the audience sts.amazonaws.com", "client ids (vault)",
		"aws iam add-client-id-to-open-id-connect-provider", "--open-id-connect-provider-arn "+arn, "--client-id sts.amazonaws.com")
	iam("Action=AddClientIDToOpenIDConnectProvider&ClientID=sts.amazonaws.com&OpenIDConnectProviderArn=" + url.QueryEscape(arn))
	r.want(0, "bootstrap --yes").saysNot(t, "OIDCProvider Provider")
	r.want(0, "bootstrap --yes", "No changes.", "gh variable set AWS_PLAN_ROLE_ARN_PRODUCTION")
}

// signedQuery sends one request of a service that this program has no client for.
func signedQuery(ctx context.Context, cfg aws.Config, service, address, form string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(form))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), service, "us-east-1", time.Now()); err != nil {
		return err
	}
	answer, err := cfg.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(answer.Body)
		return fmt.Errorf("%s: %s", answer.Status, body)
	}
	return nil
}
