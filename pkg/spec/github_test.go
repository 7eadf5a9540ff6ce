package spec_test

import (
	"testing"

	"reconcile/pkg/spec"
)

// A token has one of two forms of subject, and a repository has one of them.
func TestSubject(t *testing.T) {
	for want, g := range map[string]spec.GitHub{
		"repo:example/platform:environment:production-infra":              {Repository: "example/platform"},
		"repo:example@9919/platform@1296269:environment:production-infra": {Repository: "example/platform", OwnerID: "9919", RepositoryID: "1296269"},
	} {
		if got := g.Subject("environment:production-infra"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
