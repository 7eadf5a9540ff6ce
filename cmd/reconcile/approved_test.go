package main

import (
	"regexp"
	"strings"
	"testing"

	"reconcile/pkg/github/githubtest"
)

// Only what the merged pull request's own check run was given is applied; all
// else changes nothing, GitHub's silence too.
func TestApprovedByPull(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.branch("ana", "more-tasks", "maxTasks: 4", "maxTasks: 5")
	s.opens(12, "more-tasks")
	head, name := s.head("more-tasks"), "reconcile/plan (specs)"
	s.clone("main", "main")
	s.git("main", "merge", "-q", "--squash", "origin/more-tasks")
	s.git("main", "commit", "-q", "-m", "More tasks (#12)")
	commit := s.git("main", "rev-parse", "HEAD")
	s.rig.env = append(s.rig.env, "GITHUB_API_URL="+s.hub.URL, "GITHUB_REPOSITORY="+s.hub.Repository, "GITHUB_TOKEN="+githubtest.Token, "GITHUB_REF=refs/heads/main")
	const apply = "apply --yes --approved-by-pr --specs main/specs"
	refused := func(says ...string) string {
		t.Helper()
		return s.rig.want(4, apply, append(says, "nothing was changed")...).err
	}

	said := refused("commit "+commit[:12]+" is not the merge of a pull request", "next: reconcile apply --approved-effects ")
	effects := regexp.MustCompile(`has the effects ([0-9a-f]{64})`).FindStringSubmatch(said)[1]
	s.hub.AddPull(githubtest.Pull{Number: 20, Head: head, Base: "trunk", Merged: true, Merge: commit})
	s.hub.AddCheck(githubtest.Check{Name: name, SHA: commit, Conclusion: "success", External: effects, App: githubtest.App{Slug: "github-actions"}})
	refused("is not the merge of a pull request")
	s.hub.Merge(12, commit)
	s.hub.AddCheck(githubtest.Check{Name: name, SHA: head, Conclusion: "success", External: effects, App: githubtest.App{Slug: "somebody"}})
	s.hub.AddCheck(githubtest.Check{Name: "reconcile/plan (other)", SHA: head, Conclusion: "success", External: effects, App: githubtest.App{Slug: "github-actions"}})
	refused(`pull request 12 was merged without a finished check run "reconcile/plan (specs)" of its last commit `+head[:12], "asked in https://github.com/acme/platform/pull/12#issuecomment-")
	check := func(conclusion, external string) {
		s.hub.AddCheck(githubtest.Check{Name: name, SHA: head, Conclusion: conclusion, External: external, App: githubtest.App{Slug: "github-actions"}})
	}
	check("failure", effects)
	refused("had no plan that can be applied")
	check("success", strings.Repeat("1", 64))
	refused("the plan does something else than what pull request 12 approved (effects 111111111111)")
	s.rig.want(4, apply+" --approved-effects "+strings.Repeat("2", 64), "than what pull request 12 approved")
	s.comment(12, 0, "### Nothing was applied", "reconcile apply --approved-effects "+effects, "MaxCapacity = 5")
	check("neutral", effects)
	s.hub.Limit("/check-runs", 3600)
	refused("what was approved is not known", "rate limit")
	s.hub.Limit("/pulls", 3600)
	refused("what was approved is not known", "rate limit")
	s.rig.edit("maxTasks: 5", "maxTasks: 6", "main/specs/platform.yaml")
	refused("the specs are at no commit")
	s.rig.edit("maxTasks: 6", "maxTasks: 5", "main/specs/platform.yaml")
	s.rig.want(1, apply+" --fleet staging/gpu-default", "leave out the plan's file, --fleet and --stack")

	s.rig.want(0, apply, "Apply complete")
	s.rig.want(0, apply, "No changes.")
	if all := s.hub.Comments(12); len(all) != 1 || all[0].Edits > 2 {
		t.Errorf("%d comments, the first with %d edits", len(all), all[0].Edits)
	}
}
