package spec

import (
	"fmt"
	"strings"
)

// ruleGitHub holds what would otherwise be found out by a workflow that is
// refused by AWS, or by a trust policy that trusts nobody.
func (l *loader) ruleGitHub(_ *Set, p *Platform) {
	g := p.GitHub
	if g == nil {
		return
	}
	if (g.OwnerID == "") != (g.RepositoryID == "") {
		given, absent, owner := "ownerId", "repositoryId", "repos/"+g.Repository
		if g.OwnerID == "" {
			name, _, _ := strings.Cut(g.Repository, "/")
			given, absent, owner = absent, given, "users/"+name
		}
		l.issues.suggest(p.At("spec.github."+given), "spec.github."+absent, "github-ids", "is missing: a token names owner and repository both by number, or neither",
			"gh api "+owner+" --jq .id prints it; or remove "+given)
	}
	if name := g.Repository; strings.HasSuffix(name, ".git") {
		l.issues.suggest(p.At("spec.github.repository"), "spec.github.repository", "github-repository", quote(name)+" ends in .git, as no repository's name does", "write "+quote(strings.TrimSuffix(name, ".git")))
	}
	if b := g.Branch; strings.HasPrefix(b, "refs/") || strings.HasSuffix(b, "/") || strings.Contains(b, "..") || strings.Contains(b, "//") {
		l.issues.suggest(p.At("spec.github.branch"), "spec.github.branch", "github-branch", quote(b)+" is no branch name", "write the name alone, such as main")
	}
	if g.PlanEnvironment != "" && strings.EqualFold(g.PlanEnvironment, g.ApplyEnvironment) {
		l.issues.suggest(p.At("spec.github.environments.plan"), "spec.github.environments.plan", "github-environments",
			"is the environment that applies: who plans a pull request could take the role that changes AWS", "name another one, or remove plan")
	}
	l.ruleProvider(p)
}

func (l *loader) ruleProvider(p *Platform) {
	const path = "spec.github.oidcProviderArn"
	if p.GitHub.OIDCProviderARN == "" {
		return
	}
	parts := strings.Split(p.GitHub.OIDCProviderARN, ":") // arn:partition:iam::account:resource
	if want := partition(p.Region); parts[1] != want {
		l.issues.add(p.At(path), path, "github-provider", fmt.Sprintf("is in partition %s; region %s is in %s", parts[1], p.Region, want))
	}
	if parts[4] != p.Account {
		l.issues.add(p.At(path), path, "github-provider", fmt.Sprintf("is in account %s; the platform is in %s", parts[4], p.Account))
	}
}
