package stacks_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"reconcile/pkg/permission"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

// Every type that any of our templates holds is in the table of what
// CloudFormation may do, and names that a template gives are within it.
func TestExecCoversEveryType(t *testing.T) {
	table := permission.Resources()
	seen := map[string]bool{}
	for name, set := range platforms() {
		d := render(t, set)
		for _, s := range d.Stacks {
			if s.Name == set.Platform.Name+"-reconcile" {
				continue // made without that role
			}
			for id, r := range s.Template.Resources {
				seen[r.Type] = true
				if !slices.ContainsFunc(table, func(p permission.Resource) bool { return p.Type == r.Type }) {
					t.Errorf("%s: %s/%s is a %s, for which permission.Resources has nothing", name, s.Name, id, r.Type)
				}
				if r.Type == "AWS::IAM::Role" && set.Platform.GitHub != nil && r.Properties["PermissionsBoundary"] == nil {
					t.Errorf("%s/%s has no boundary: CloudFormation could not make it", s.Name, id)
				}
			}
		}
	}
	for _, r := range table {
		if !seen[r.Type] {
			t.Errorf("permission.Resources allows for %s, which no template holds", r.Type)
		}
	}
}

// A resource with a name of its own has one that the role's ARNs match.
func TestExecCoversEveryName(t *testing.T) {
	named := map[string]struct{ property, arn string }{
		"AWS::S3::Bucket":             {"BucketName", "arn:aws:s3:::"},
		"AWS::ECR::Repository":        {"RepositoryName", "arn:aws:ecr:us-east-1:123456789012:repository/"},
		"AWS::SSM::Parameter":         {"Name", "arn:aws:ssm:us-east-1:123456789012:parameter"},
		"AWS::SecretsManager::Secret": {"Name", "arn:aws:secretsmanager:us-east-1:123456789012:secret:"},
		"AWS::Lambda::Function":       {"FunctionName", "arn:aws:lambda:us-east-1:123456789012:function:"},
		"AWS::IAM::InstanceProfile":   {"InstanceProfileName", "arn:aws:iam::123456789012:instance-profile/"},
	}
	place := permission.Place{Partition: "aws", Region: "us-east-1", Account: "123456789012", Platform: "bp", Stacks: []string{"bp-*"}}
	found := 0
	for _, s := range render(t, onGitHub()).Stacks {
		for id, r := range s.Template.Resources {
			n, ok := named[r.Type]
			if !ok || r.Properties[n.property] == nil {
				continue
			}
			found++
			arn := n.arn + text(t, r.Properties[n.property])
			if !slices.ContainsFunc(permission.Exec([]string{r.Type}, nil, "b", place), func(p permission.Statement) bool {
				return slices.ContainsFunc(p.Resources, func(pattern string) bool { return pattern != "*" && permission.Matches(pattern, arn) })
			}) {
				t.Errorf("%s/%s: %s is outside of what CloudFormation's role may touch", s.Name, id, arn)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d names", found)
	}
}

// IAM's quotas: 10,240 characters of inline policies for a role, 2,048 of
// trust, 6,144 for a managed policy, without white space.
func TestPolicySizes(t *testing.T) {
	d := render(t, onGitHub())
	own := stackNamed(t, d, "bp-reconcile")
	for id, r := range own.Template.Resources {
		size := func(what string, v any, most int) {
			b, err := json.Marshal(plain(t, v))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s: %d of %d", id, what, len(b), most)
			if len(b) > most {
				t.Errorf("%s: %s has %d characters, IAM takes %d", id, what, len(b), most)
			}
		}
		switch r.Type {
		case "AWS::IAM::Role":
			size("policy", at(t, plain(t, r.Properties["Policies"]), 0, "PolicyDocument"), 10_240)
			size("trust", r.Properties["AssumeRolePolicyDocument"], 2_048)
		case "AWS::IAM::ManagedPolicy":
			size("policy", r.Properties["PolicyDocument"], 6_144)
		}
	}
}

// The trust names one repository, one workflow file, one context, in exactly
// one of GitHub's two forms (facts: failure-modes I14, I15).
func TestTrust(t *testing.T) {
	byName := onGitHub()
	named := *byName.Platform.GitHub
	named.OwnerID, named.RepositoryID, named.PlanEnvironment = "", "", "staging-plan"
	named.OIDCProviderARN = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
	byName.Platform.GitHub = &named
	const issuer = "token.actions.githubusercontent.com:"
	for _, c := range []struct {
		set            spec.Set
		role, sub      string
		operator, file string
		id             any
	}{
		{onGitHub(), "PlanRole", "repo:example@9919/platform@1296269:pull_request", "StringLike", "plan.yml@refs/pull/*/merge", "1296269"},
		{onGitHub(), "ApplyRole", "repo:example@9919/platform@1296269:environment:production-infra", "StringEquals", "apply.yml@refs/heads/main", "1296269"},
		{onGitHub(), "DriftRole", "repo:example@9919/platform@1296269:ref:refs/heads/main", "StringEquals", "drift.yml@refs/heads/main", "1296269"},
		{byName, "PlanRole", "repo:example/platform:environment:staging-plan", "StringLike", "plan.yml@refs/pull/*/merge", nil},
		{byName, "ApplyRole", "repo:example/platform:environment:production-infra", "StringEquals", "apply.yml@refs/heads/main", nil},
	} {
		d := render(t, c.set)
		trust := plain(t, at(t, plain(t, resource(t, d, "bp-reconcile", c.role).Properties), "AssumeRolePolicyDocument", "Statement", 0))
		conditions := at(t, trust, "Condition").(map[string]any)
		equals := conditions["StringEquals"].(map[string]any)
		if equals[issuer+"sub"] != c.sub || equals[issuer+"aud"] != "sts.amazonaws.com" || equals[issuer+"repository_id"] != c.id {
			t.Errorf("%s trusts %v, want the subject %s", c.role, equals, c.sub)
		}
		if got := at(t, trust, "Condition", c.operator, issuer+"job_workflow_ref", 0); got != "example/platform/.github/workflows/"+c.file {
			t.Errorf("%s trusts the workflow %v", c.role, got)
		}
		for operator := range conditions {
			if strings.HasPrefix(operator, "ForA") {
				t.Errorf("%s: %s is true where the claim is absent", c.role, operator)
			}
		}
		_, makes := stackNamed(t, d, "bp-reconcile").Template.Resources["Provider"]
		if makes == (c.set.Platform.GitHub.OIDCProviderARN != "") {
			t.Errorf("a provider is made: %v, one is named: %q", makes, c.set.Platform.GitHub.OIDCProviderARN)
		}
	}
}

// Without spec.github there is the bucket alone, and no role has a boundary.
func TestNoRolesWithoutGitHub(t *testing.T) {
	d := render(t, shipped())
	ids := slices.Sorted(maps.Keys(stackNamed(t, d, "bp-reconcile").Template.Resources))
	if !slices.Equal(ids, []string{"Bucket", "BucketPolicy"}) {
		t.Errorf("the stack holds %v", ids)
	}
	if d.Own.Role != "" {
		t.Errorf("CloudFormation's role is %s", d.Own.Role)
	}
	if role := render(t, onGitHub()).Own.Role; role != "arn:aws:iam::123456789012:role/bp-reconcile-exec" {
		t.Errorf("CloudFormation's role is %s", role)
	}
}

// A user's own stack is within reach of the roles, by its name and its types.
func TestUsersStackIsWithinReach(t *testing.T) {
	set := onGitHub()
	set.Stacks = []spec.Stack{userStack("queue")}
	d := render(t, set)
	b, err := json.Marshal(plain(t, stackNamed(t, d, "bp-reconcile").Template.Resources))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"stack/queue/*", "stack/bp-*/*"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no role reaches %s", want)
		}
	}
	if n := len(stacks.ApplyWorkflows()); n == 0 {
		t.Error("no workflow applies")
	}
}
