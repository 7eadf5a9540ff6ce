package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// Whatever the account's secrets are, no command says one, in no encoding, in
// no output and in no file, whatever goes wrong.
func TestNoSecretLeavesTheAccount(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	c := &canary{rig: r, t: t}
	c.run("plan")
	// AWS's refusals may repeat what was sent to it.
	r.rule(
		sandbox.FaultRule{Service: "ssm", Operation: "PutParameter", Times: 2, Fault: sandbox.Fault{Lost: sandbox.LostAfter}},
		sandbox.FaultRule{Service: "secretsmanager", Operation: "PutSecretValue", Times: 1, Fault: sandbox.Fault{Code: "InvalidParameterException", Message: "no"}},
	)
	c.run("apply --yes --log-level debug --stats")
	r.calm()
	c.run("apply --yes -o json --log-level debug --log-format json")
	c.collect("/bp/fleets/staging/fleet-secret", "/bp/fleets/production/fleet-secret")
	c.scan()

	known := map[string]string{
		"/bp/fleets/staging/fleet-secret": "canary-fleet+secret/=&%\"ümlaut\"-0001",
		"/bp/laravel/app-key":             "base64:" + base64.StdEncoding.EncodeToString([]byte("canary laravel application key 2")),
		"/bp/rds/master-credentials":      `{"username":"admin","password":"canary-Master\\word-0003"}`,
		"/bp/oauth/secrets":               `{"GOOGLE_CLIENT_SECRET":"canary-google-0004"}`,
	}
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		for name, value := range known {
			if strings.HasPrefix(name, "/bp/fleets/") {
				_, err := ssm.NewFromConfig(cfg).PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeSecureString, Overwrite: aws.Bool(true)})
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			if _, err := secretsmanager.NewFromConfig(cfg).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &name, SecretString: &value}); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, value := range known {
		c.hide(value)
	}
	c.hide("canary-Master\\word-0003", "canary-google-0004")

	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	for _, line := range []string{
		"validate", "render --out templates", "render -o json", "plan", "plan --verbose", "plan -o json", "plan -o markdown", "plan --out plan.sealed", "status", "status -o json",
		"sandbox show", "destroy", "destroy -o json", "apply", "apply -o json",
	} {
		c.run(line + " --log-level debug --stats")
	}
	r.breaks(stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Times: 1, Message: "cannot update"})
	c.run("apply --yes --log-level debug")
	c.run("status")
	c.run("apply --yes")
	r.rule(sandbox.FaultRule{Service: "ssm", Fault: sandbox.Fault{Code: "AccessDeniedException", Message: "User is not authorized"}})
	c.run("plan --log-level debug")
	r.calm()
	c.run("destroy --yes --allow-destroy --approve unprotect:bp-data --approve unprotect:bp-network --log-level debug")
	c.run("plan -o json")
	c.run("apply --yes -o json --approve recover:bp-data")
	c.scan()
}

// A secret that is there as plain text, from the system before, is as secret.
func TestPlainSecretIsNotShown(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	c := &canary{rig: r, t: t}
	c.run("plan")
	c.hide("canary-plain-secret-0005")
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		put(ctx, t, cfg, "/bp/fleets/staging/fleet-secret", "canary-plain-secret-0005")
	})
	if s := c.run("plan -o json"); !strings.Contains(s.out, "secret-plain") {
		t.Errorf("the plan does not tell of a plain secret: %s", s.out)
	}
	for _, line := range []string{"plan --verbose --log-level debug", "plan -o markdown", "apply --yes --log-level debug", "status -o json", "destroy -o json"} {
		c.run(line)
	}
	c.scan()
}

// A hidden parameter of a user's own template stays hidden.
func TestHiddenParameterIsNotShown(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	c := &canary{rig: r, t: t}
	r.write("specs/own.yaml", "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: bp-own}\nspec: {template: ./own-template.yaml, parameters: {Pin: {stack: bp-network, output: VpcId}}}\n")
	r.write("specs/own-template.yaml", "Parameters:\n  Pin: {Type: String, NoEcho: true}\nResources:\n  Thing:\n    Type: AWS::SNS::Topic\n    Properties: {DisplayName: !Ref Pin}\n")
	c.run("plan --log-level debug")
	c.want(0, "apply --yes --stack bp-own")
	var vpc string
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		vpc = outputOf(ctx, t, cfg, "bp-network", "VpcId")
	})
	c.said = nil
	c.hide(vpc)
	r.edit("DisplayName: !Ref Pin", "DisplayName: !Sub \"x-${Pin}\"", "specs/own-template.yaml")
	c.run("plan --verbose --stack bp-own")
	c.run("plan -o json --stack bp-own")
	c.run("apply --yes --stack bp-own --log-level debug")
	c.scan()
}

// canary remembers all that was said, and looks for secrets in it.
type canary struct {
	*rig
	t       *testing.T
	said    []said
	secrets []string
}

func (c *canary) run(line string) said {
	s := c.rig.run(line)
	if s.code == exitFault {
		c.t.Errorf("reconcile %s: %s", line, s.err)
	}
	c.said = append(c.said, s)
	return s
}

func (c *canary) want(code int, line string) {
	if s := c.run(line); s.code != code {
		c.t.Fatalf("reconcile %s: exit code %d, want %d\n%s", line, s.code, code, s.all())
	}
}

func (c *canary) hide(values ...string) { c.secrets = append(c.secrets, values...) }

// collect hides what was generated.
func (c *canary) collect(parameters ...string) {
	c.t.Helper()
	c.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		for _, name := range parameters {
			out, err := ssm.NewFromConfig(cfg).GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
			if err != nil {
				c.t.Fatal(err)
			}
			c.hide(*out.Parameter.Value)
		}
		for _, name := range []string{"/bp/laravel/app-key", "/bp/rds/master-credentials", "/bp/redis/auth-token", "/bp/asset-ops/secret"} {
			out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
			if err != nil {
				c.t.Fatal(err)
			}
			c.hide(*out.SecretString)
		}
	})
}

// scan looks at every output and every file but the specs and the account itself.
func (c *canary) scan() {
	c.t.Helper()
	texts := map[string]string{}
	for i, s := range c.said {
		texts["reconcile "+s.line+" #"+string(rune('a'+i%26))] = s.all()
	}
	err := filepath.WalkDir(c.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(c.dir, name)
		if err != nil || rel == filepath.FromSlash(defaultSandbox) || strings.HasPrefix(rel, "specs") {
			return err
		}
		body, err := os.ReadFile(name)
		texts[rel] = string(body)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if len(c.secrets) == 0 || len(texts) == 0 {
		c.t.Fatal("nothing to look for, or nowhere to look")
	}
	for _, secret := range c.secrets {
		for how, form := range disguises(secret) {
			for where, text := range texts {
				if strings.Contains(text, form) {
					c.t.Errorf("%s has a secret, %s: %.12s…", where, how, form)
				}
			}
		}
	}
}

// disguises are the forms in which a text gets around.
func disguises(s string) map[string]string {
	quoted, _ := json.Marshal(s) // a string always marshals
	inner := string(quoted[1 : len(quoted)-1])
	twice, _ := json.Marshal(inner)
	return map[string]string{
		"raw": s, "in JSON": inner, "in JSON in JSON": string(twice[1 : len(twice)-1]),
		"in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="), "in base64url": strings.TrimRight(base64.URLEncoding.EncodeToString([]byte(s)), "="),
		"in a query": url.QueryEscape(s), "in a path": url.PathEscape(s), "in hex": hex.EncodeToString([]byte(s)),
	}
}
