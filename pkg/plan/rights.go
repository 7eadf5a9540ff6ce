package plan

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
)

// AWS takes a role away from no stack: an operation that names none goes on
// with the last one (CloudFormation's UpdateStack, RoleARN), and an IAM policy
// that is a boundary of roles is not deleted (IAM's DeletePolicy). So what
// spec.github made for CloudFormation stays as long as a stack is there that
// was made with it.

// lacksRights blocks steps that would take CloudFormation's role, or the
// boundary of all roles, from under stacks that are there.
func (c *computation) lacksRights(st *stackState) *problem {
	own := c.d.Own
	switch {
	case own.Role != "" || own.Stack == "" || st.live == nil:
		return nil
	case st.spec.Name == own.Stack:
		if id := leavingRight(st.before, st.after); id != "" {
			if users := c.others(own.Stack); users != nil {
				return kept(st.spec.Name, fmt.Sprintf("it would delete %s, and AWS takes no role from stacks that were made with one: %s", id, sample(users)))
			}
		}
	case strings.HasSuffix(st.live.Role, ":role/"+own.Stack+"-exec"):
		return kept(st.spec.Name, "the stack was made with CloudFormation's role "+st.live.Role+", which AWS takes from no stack and which makes roles with its boundary alone")
	}
	return nil
}

func kept(target, why string) *problem {
	return &problem{code: "github-removed", target: target,
		reason: "spec.github is not in the specs any more, and cannot go while the platform stands: " + why +
			". Put it back; a repository loses its access when spec.github names another one, and all of it goes with the platform",
		command: "reconcile destroy"}
}

// leavingRight is a role or policy of the deployed template that goes.
func leavingRight(before, after cfn.Template) string {
	for _, id := range before.LogicalIDs() {
		t := before.Resources[id].Type
		if _, stays := after.Resources[id]; !stays && (t == "AWS::IAM::Role" || t == "AWS::IAM::ManagedPolicy") {
			return id
		}
	}
	return ""
}

// others are the platform's stacks that are there, but for one.
func (c *computation) others(than string) []string {
	var out []string
	for _, live := range c.owned() {
		if live.Name != than {
			out = append(out, live.Name)
		}
	}
	return out
}

// sample names a few.
func sample(names []string) string {
	const shown = 3
	if more := len(names) - shown; more > 1 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// lacksAudience blocks a stack whose roles trust an OIDC provider that is not
// there or does not take the audience that they ask for: nobody could assume
// them, and IAM says so only when somebody tries.
func (c *computation) lacksAudience(st *stackState) *problem {
	for _, id := range st.after.LogicalIDs() {
		r := st.after.Resources[id]
		if r.Type != "AWS::IAM::Role" {
			continue
		}
		arn, audience := federated(r.Properties["AssumeRolePolicyDocument"])
		_, address, ok := strings.Cut(arn, ":oidc-provider/")
		if !ok {
			continue
		}
		n := NamedResource{TypeProvider, "https://" + address}
		live, read := c.l.Named[n.Key()]
		switch {
		case !read:
			c.more.named[n] = true
		case live.ID != arn:
			return &problem{code: "provider-missing", target: st.spec.Name + "/" + id,
				reason:  fmt.Sprintf("roles of stack %s trust the OIDC provider %s, which the account does not have; without spec.github.oidcProviderArn it is made", st.spec.Name, arn),
				command: "aws iam list-open-id-connect-providers"}
		case !contains(live.Audiences, audience):
			return &problem{code: "provider-audience", target: st.spec.Name + "/" + id,
				reason: fmt.Sprintf("roles of stack %s trust the OIDC provider %s for the audience %s, which is not among its client ids (%s)",
					st.spec.Name, arn, audience, orElse(strings.Join(live.Audiences, ", "), "it has none")),
				command: fmt.Sprintf("aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn %s --client-id %s", arn, audience)}
		}
	}
	return nil
}

// federated is the provider that a trust policy names by its ARN, and the
// audience that it asks for; both empty where it does neither.
func federated(trust any) (arn, audience string) {
	document, _ := trust.(map[string]any)
	statements, _ := document["Statement"].([]any)
	for _, s := range statements {
		statement, _ := s.(map[string]any)
		principal, _ := statement["Principal"].(map[string]any)
		condition, _ := statement["Condition"].(map[string]any)
		equals, _ := condition["StringEquals"].(map[string]any)
		provider, _ := principal["Federated"].(string)
		_, address, _ := strings.Cut(provider, ":oidc-provider/")
		if wanted, ok := equals[address+":aud"].(string); ok && address != "" {
			return provider, wanted
		}
	}
	return "", ""
}
