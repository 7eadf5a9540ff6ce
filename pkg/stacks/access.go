package stacks

import (
	"regexp"
	"strings"

	"reconcile/pkg/spec"
)

// Access is a value that a workflow reads: which role it assumes.
type Access struct {
	Kind        string // "secret" or "variable" of GitHub
	Name        string // AWS_DEPLOY_ROLE_ARN_PRODUCTION
	Environment string // that holds it; empty: the repository
	Role        string // ARN
}

var notInNames = regexp.MustCompile(`[^A-Z0-9]+`)

// Accesses are what a platform's repository must hold so that its workflows get
// their roles; nil without spec.github. The names end in the first word of the
// environment, as other workflows know them (facts: contracts): staging-infra
// has AWS_DEPLOY_ROLE_ARN_STAGING. The role that changes AWS is a secret of its
// environment, so that no job outside of it reads even its name.
func Accesses(p spec.Platform) []Access {
	if p.GitHub == nil {
		return nil
	}
	at := platform{Platform: p}
	suffix := AccessSuffix(p.GitHub.ApplyEnvironment)
	return []Access{
		{"secret", "AWS_DEPLOY_ROLE_ARN_" + suffix, p.GitHub.ApplyEnvironment, at.ownRoleARN("apply")},
		{"variable", "AWS_PLAN_ROLE_ARN_" + suffix, p.GitHub.PlanEnvironment, at.ownRoleARN("plan")},
		{"variable", "AWS_DRIFT_ROLE_ARN_" + suffix, "", at.ownRoleARN("drift")},
	}
}

// AccessSuffix is the end of the names for an environment.
func AccessSuffix(environment string) string {
	word := strings.ToUpper(strings.TrimSuffix(environment, "-infra"))
	return strings.Trim(notInNames.ReplaceAllString(word, "_"), "_")
}
