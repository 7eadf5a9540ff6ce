package stacks

import (
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/permission"
	"reconcile/pkg/plan"
)

// Workflows that take each role. Their names are part of the trust: a token
// tells which file its job was written in.
const (
	PlanWorkflow  = "plan.yml"
	DriftWorkflow = "drift.yml"
)

// ApplyWorkflows are the workflows that may change AWS.
func ApplyWorkflows() []string { return []string{"apply.yml", "fleet.yml", "unlock.yml"} }

const (
	tokenIssuer   = "token.actions.githubusercontent.com"
	tokenAudience = "sts.amazonaws.com"
)

// Sessions are as long as the longest apply: a database takes most of an hour.
const (
	shortSession = 3600
	applySession = 4 * 3600
)

func (p *platform) ownRole(name string) string { return p.reconcile() + "-" + name }

func (p *platform) ownRoleARN(name string) string {
	return p.globalARN("iam", "role/"+p.ownRole(name))
}

func (p *platform) boundaryARN() string { return p.globalARN("iam", "policy/"+p.ownRole("boundary")) }

// execARN is the role that CloudFormation acts with; empty without GitHub.
func (p *platform) execARN() string {
	if p.GitHub == nil {
		return ""
	}
	return p.ownRoleARN("exec")
}

// reconcileRoles adds what workflows need to the program's own stack: the OIDC
// provider, a role for each kind of workflow, CloudFormation's role for all
// other stacks, and the boundary of all of them (facts: security 3.1, 3.3).
func (p *platform) reconcileRoles(s *stack, others []plan.Stack) {
	if p.GitHub == nil {
		return
	}
	s.cause("spec.github", "Boundary", "ExecRole", "PlanRole", "ApplyRole", "DriftRole", "Provider")
	place := p.place()
	s.add("Boundary", cfn.Resource{Type: "AWS::IAM::ManagedPolicy", Properties: props{
		"ManagedPolicyName": p.ownRole("boundary"),
		"Description":       "The most that reconcile, CloudFormation for it, and the roles that it makes can do",
		"PolicyDocument":    policy(p.boundary(place)...),
	}})
	own, users := p.types(others)
	s.add("ExecRole", p.ownRoleOf("exec", "CloudFormation makes the platform's resources with this role", shortSession,
		p.cloudFormationTrust(place), allows(permission.Exec(own, users, p.boundaryARN(), place))))
	provider := any(p.GitHub.OIDCProviderARN)
	if p.GitHub.OIDCProviderARN == "" {
		provider = cfn.LogicalRef("Provider")
		s.add("Provider", cfn.Resource{Type: "AWS::IAM::OIDCProvider", Properties: props{
			"Url": "https://" + tokenIssuer, "ClientIdList": texts(tokenAudience),
		}})
	}
	for _, r := range []struct {
		role        permission.Role
		id, says    string
		seconds     int
		subject     string
		match       string
		workflowRef list
	}{
		{permission.RolePlan, "PlanRole", "Workflows plan a pull request with this role; it writes nothing", shortSession,
			p.planSubject(), "StringLike", p.workflowRefs("refs/pull/*/merge", PlanWorkflow)},
		{permission.RoleApply, "ApplyRole", "Workflows apply what is merged with this role", applySession,
			"environment:" + p.GitHub.ApplyEnvironment, "StringEquals", p.workflowRefs("refs/heads/"+p.GitHub.Branch, ApplyWorkflows()...)},
		{permission.RoleDrift, "DriftRole", "Workflows look for drift with this role; it writes nothing", shortSession,
			"ref:refs/heads/" + p.GitHub.Branch, "StringEquals", p.workflowRefs("refs/heads/"+p.GitHub.Branch, DriftWorkflow)},
	} {
		trust := on(props{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": props{"Federated": provider}},
			"StringEquals", tokenIssuer+":aud", tokenAudience)
		on(trust, "StringEquals", tokenIssuer+":sub", p.GitHub.Subject(r.subject))
		on(trust, r.match, tokenIssuer+":job_workflow_ref", r.workflowRef)
		if p.GitHub.RepositoryID != "" {
			on(trust, "StringEquals", tokenIssuer+":repository_id", p.GitHub.RepositoryID)
		}
		s.add(r.id, p.ownRoleOf(string(r.role), r.says, r.seconds, trust, allows(permission.Of(r.role, place))))
		s.output(r.id+"Arn", r.says, cfn.GetAtt(r.id, "Arn"))
	}
}

// planSubject: jobs of a pull request have an environment only where the spec
// gives them one.
func (p *platform) planSubject() string {
	if e := p.GitHub.PlanEnvironment; e != "" {
		return "environment:" + e
	}
	return "pull_request"
}

func (p *platform) workflowRefs(ref string, files ...string) list {
	var out list
	for _, f := range files {
		out = append(out, p.GitHub.Repository+"/.github/workflows/"+f+"@"+ref)
	}
	return out
}

func (p *platform) ownRoleOf(name, description string, seconds int, trust props, statements list) cfn.Resource {
	return cfn.Resource{Type: "AWS::IAM::Role", Properties: props{
		"RoleName":                 p.ownRole(name),
		"Description":              description,
		"MaxSessionDuration":       seconds,
		"PermissionsBoundary":      cfn.LogicalRef("Boundary"),
		"AssumeRolePolicyDocument": policy(trust),
		"Policies":                 list{props{"PolicyName": "own", "PolicyDocument": policy(statements...)}},
	}}
}

// cloudFormationTrust: where CloudFormation tells for whom it acts, it must be
// for a stack of this platform (I16).
func (p *platform) cloudFormationTrust(place permission.Place) props {
	trust := props{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": props{"Service": "cloudformation.amazonaws.com"}}
	on(trust, "StringEqualsIfExists", "aws:SourceAccount", p.Account)
	var arns list
	for _, s := range place.Stacks {
		arns = append(arns, p.arn("cloudformation", "stack/"+s+"/*"))
	}
	return on(trust, "ArnLikeIfExists", "aws:SourceArn", arns)
}

// place: every stack of ours begins with the platform's name; a user's own
// stack is called as its document is.
func (p *platform) place() permission.Place {
	at := permission.Place{
		Partition: p.partition(), Region: p.Region, Account: p.Account, Platform: p.Name,
		Bucket: p.bucket("reconcile"), Exec: p.execARN(), Stacks: []string{p.Name + "-*"},
	}
	for _, s := range p.set.Stacks {
		if !strings.HasPrefix(s.Name, p.Name+"-") {
			at.Stacks = append(at.Stacks, s.Name)
		}
	}
	slices.Sort(at.Stacks)
	return at
}

// types are those of the resources in our stacks and in users' stacks. Fleets
// come and go without a change of the roles, so their types always count.
func (p *platform) types(others []plan.Stack) (own, users []string) {
	theirs := map[string]bool{}
	for _, doc := range p.set.Stacks {
		theirs[doc.Name] = true
	}
	found := map[bool]map[string]bool{true: {}, false: {}}
	for _, r := range permission.Resources() {
		found[false][r.Type] = true
	}
	for _, s := range others {
		for _, r := range s.Template.Resources {
			if theirs[s.Name] {
				found[true][r.Type] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found[false])), slices.Sorted(maps.Keys(found[true]))
}

// boundary is everything but what could lift it, see permission.Bounded.
func (p *platform) boundary(place permission.Place) list {
	out := list{props{"Sid": "ServicesOfAPlatform", "Effect": "Allow", "NotAction": texts(permission.Unbounded()...), "Resource": "*"}}
	out = append(out, allows(permission.Bounded(p.boundaryARN(), place))...)
	for _, d := range permission.Denied(place) {
		s := deny(oneOrMore(d.Resources), d.Actions...)
		s["Sid"] = d.Sid
		out = append(out, s)
	}
	return out
}

func allows(statements []permission.Statement) list {
	var out list
	for _, s := range statements {
		a := allow(oneOrMore(s.Resources), s.Actions...)
		for operator, keys := range s.Conditions {
			for key, value := range keys {
				on(a, operator, key, value)
			}
		}
		out = append(out, a)
	}
	return out
}

func oneOrMore(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return texts(values...)
}

// bind gives every role of a stack the boundary: CloudFormation may make no
// other (I18).
func (p *platform) bind(others []plan.Stack) {
	if p.GitHub == nil {
		return
	}
	for _, s := range others {
		for id, r := range s.Template.Resources {
			if r.Type != "AWS::IAM::Role" {
				continue
			}
			r.Properties = maps.Clone(r.Properties)
			if r.Properties == nil {
				r.Properties = props{}
			}
			r.Properties["PermissionsBoundary"] = p.boundaryARN()
			s.Template.Resources[id] = r
		}
	}
}
