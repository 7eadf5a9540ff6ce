package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"reconcile/pkg/github/githubtest"
)

// A change lives: a pull request and its comment, a merge, the apply of what was
// approved and of nothing else, a hand edit, its ticket, the fix; and a fork that
// means ill. Git is a bare repository with clones, GitHub speaks over HTTP, AWS
// is the sandbox, and CI runs the shell of the shipped workflows.
func TestStory(t *testing.T) {
	t.Parallel()
	s := newStory(t)

	// Ana asks for one more task. The comment says what that does.
	s.branch("ana", "more-tasks", "maxTasks: 4", "maxTasks: 5")
	s.opens(12, "more-tasks")
	s.ci("plan.yml", 12, 0)
	s.comment(12, 0, "### Plan: 0 to add, 1 to change, 0 to destroy.", "-   MaxCapacity = 4\n+   MaxCapacity = 5", "/pull/12/files/")

	// She merges; what was approved is applied, and the pull request is told.
	s.merges(12, "more-tasks")
	s.ci("apply.yml", 0, 0)
	s.comment(12, 1, "### Applied: 1 step", "bp-compute")
	s.ci("apply.yml", 0, 0) // again: nothing is left

	// Ben pushes once more and merges before the plan of that is there: it is not
	// applied, and the pull request is asked.
	s.branch("ben", "budget", "monthlyBudgetUSD: 200", "monthlyBudgetUSD: 300")
	s.opens(13, "budget")
	s.ci("plan.yml", 13, 0)
	s.branch("ben", "budget", "maxTasks: 5", "maxTasks: 6")
	s.pushes(13, "budget")
	s.merges(13, "budget")
	s.ci("apply.yml", 0, 4, "merged without a finished check run", "nothing was changed")
	asked := s.comment(13, 1, "### Nothing was applied: this plan needs an approval", "-   MaxCapacity = 5\n+   MaxCapacity = 6", "1 new (`bp-compute`)")
	s.rig.want(2, "plan --detailed-exitcode --specs main/specs", "2 to change")

	// The command of the question applies that plan.
	s.inputs = regexp.MustCompile(`gh workflow run apply\.yml --ref main -f effects=([0-9a-f]{64})\n`).FindStringSubmatch(asked)[1]
	s.ci("apply.yml", 0, 0)
	s.inputs = ""
	s.comment(13, 1, "### Applied: 2 steps")

	s.overtaken()

	// Somebody edits a group by hand. Drift opens a ticket, the fix closes it.
	s.rig.want(0, "sandbox mutate bp-gpu-fleet-staging-gpu-default/Group /MaxSize 12")
	s.ci("drift.yml", 0, 2, "::error title=Drift::", "drift of fleet staging/gpu-default: https://github.com/acme/platform/issues/")
	s.ticket("Drift of fleet staging/gpu-default", "open", "| `MaxSize` | `12` | `10` |")
	s.rig.want(0, "drift --fix --yes --specs main/specs", "put back what was deployed")
	s.ci("drift.yml", 0, 0, "closed https://github.com/acme/platform/issues/")
	s.ticket("Drift of fleet staging/gpu-default", "closed")

	s.fork()
}

// overtaken is a pull request that was merged without a plan: what it was asked is
// settled by the next merge, whose first try ends before its first step.
func (s *story) overtaken() {
	s.t.Helper()
	s.branch("carl", "alarms", "monthlyBudgetUSD: 300", "monthlyBudgetUSD: 400")
	s.opens(15, "alarms")
	s.merges(15, "alarms")
	s.ci("apply.yml", 0, 4)
	s.comment(15, 0, "### Nothing was applied: this plan needs an approval")
	s.branch("dora", "eight", "maxTasks: 6", "maxTasks: 8")
	s.opens(16, "eight")
	s.ci("plan.yml", 16, 0)
	s.merges(16, "eight")
	s.rig.want(0, "sandbox fault cloudformation.DescribeStacks --error AccessDenied --times 99")
	s.ci("apply.yml", 0, 1, "AccessDenied")
	s.comment(16, 1, "### Nothing was applied\n", "It ended before its first step: read what AWS has: AccessDenied", "goes on: `reconcile apply")
	s.comment(15, 0, "### Nothing was applied: this plan needs an approval")
	s.rig.want(0, "sandbox fault --clear")
	s.ci("apply.yml", 0, 0)
	s.comment(16, 1, "### Applied: 2 steps")
	s.comment(15, 0, "### Applied with a later merge", s.git("origin.git", "rev-parse", "main")[:12])
}

// fork is a pull request by a stranger: it is validated without a token, and
// what stands in its specs stays text.
func (s *story) fork() {
	s.t.Helper()
	hostile := `\n::error::pwned\n</details>\n# Approved by @acme/owners ![x](https://evil.example/x.png) \e[2J`
	s.branch("mallory", "ill", "owner: platform-team", `owner: platform-team
  approvals:
    - {kind: replace, target: "bp-*", reason: "`+hostile+`", expires: "2999-01-01"}
  ignore:
    - {stack: bp-compute, resource: "`+hostile+`", path: X, reason: "`+hostile+`", expires: "2999-01-01"}`)
	leak := filepath.Join(s.dir("mallory"), "specs", "leak.yaml")
	const name = "the secret of the machine"
	s.rig.write("secret.yaml", "apiVersion: "+name)
	must(s.t, os.Symlink(s.dir("secret.yaml"), leak))
	must(s.t, os.WriteFile(filepath.Join(s.dir("mallory"), "specs", "leak.cue"), []byte("import \"tool/os\"\ntoken: os.Getenv & {GITHUB_TOKEN: string}\n"), 0o644))
	s.git("mallory", "add", "specs")
	s.git("mallory", "commit", "-q", "-m", "leak")
	s.git("mallory", "push", "-q", "-f", "origin", "ill")
	s.opens(14, "ill")
	before := len(s.hub.Requests())
	said := s.ci("validate.yml", 14, 3, "specs/platform.yaml")
	if n := len(s.hub.Requests()); n != before {
		s.t.Errorf("the fork's validation asked GitHub %d times", n-before)
	}
	s.plain(said, "\x1b", "\n::error::", "\n# Approved", name)

	// A maintainer who plans it by hand reads it as text.
	s.git("mallory", "rm", "-q", "-f", "specs/leak.yaml", "specs/leak.cue")
	s.branch("mallory", "ill", `\e[2J`, "")
	s.clone("ill", "ill")
	page := s.rig.want(3, "comment --pr 14 --dry-run --specs ill/specs")
	page.says(s.t, "pwned")
	s.plain(page.out, "\x1b", "\n::error::", "\n# Approved", "@acme", "](https://evil")
}

// plain holds that hostile text is no more than text.
func (s *story) plain(said string, never ...string) {
	s.t.Helper()
	for _, bad := range never {
		if strings.Contains(said, bad) {
			s.t.Errorf("%q is in\n%s", bad, said)
		}
	}
}

// story is a company: a rig with the deployed platform, a bare repository, and a
// GitHub.
type story struct {
	t      testing.TB
	rig    *rig
	hub    *githubtest.Server
	inputs string         // effects that a person starts the apply with
	heads  map[int]string // pull request → branch
}

func newStory(t testing.TB) *story {
	t.Helper()
	for _, tool := range []string{"git", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	s := &story{t: t, rig: deployedRig(t), hub: githubtest.New(), heads: map[int]string{}}
	t.Cleanup(s.hub.Close)
	binary, err := plainBinary()
	must(t, err)
	s.rig.env = append(s.rig.env, "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), sandboxEnv+"="+s.rig.path(defaultSandbox))
	s.git(".", "init", "-q", "--bare", "-b", "main", "origin.git")
	s.git(".", "clone", "-q", "origin.git", "seed")
	must(t, os.Rename(s.rig.path("specs"), filepath.Join(s.dir("seed"), "specs")))
	s.git("seed", "checkout", "-q", "-B", "main")
	s.git("seed", "add", "specs")
	s.git("seed", "commit", "-q", "-m", "the platform")
	s.git("seed", "push", "-q", "origin", "main")
	s.git(".", "clone", "-q", "--bare", "origin.git", "fork.git")
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *story) dir(name string) string { return s.rig.path(name) }

func (s *story) git(dir string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "gc.auto=0", "-c", "core.fsync=none"}, args...)...)
	cmd.Dir = s.dir(dir)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME="+dir, "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME="+dir, "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// origin is where a branch lives: mallory's in the fork.
func origin(branch string) string {
	if branch == "ill" {
		return "fork.git"
	}
	return "origin.git"
}

// clone makes a fresh checkout of a branch.
func (s *story) clone(dir, branch string) {
	s.t.Helper()
	must(s.t, os.RemoveAll(s.dir(dir)))
	s.git(".", "clone", "-q", "-b", branch, origin(branch), dir)
}

// branch edits the platform on a branch and pushes it.
func (s *story) branch(who, branch, old, new string) {
	s.t.Helper()
	if _, err := os.Stat(s.dir(who)); err != nil {
		s.git(".", "clone", "-q", origin(branch), who)
		s.git(who, "checkout", "-q", "-b", branch)
	}
	s.rig.edit(old, new, who+"/specs/platform.yaml")
	s.git(who, "commit", "-q", "-a", "-m", "Change the platform")
	s.git(who, "push", "-q", "origin", branch)
}

func (s *story) head(branch string) string {
	s.t.Helper()
	return s.git(origin(branch), "rev-parse", branch)
}

func (s *story) opens(number int, branch string) {
	s.t.Helper()
	s.heads[number] = branch
	diff := s.git(origin(branch), "diff", "main..."+branch, "--", "specs/platform.yaml")
	s.hub.AddPull(githubtest.Pull{Number: number, Head: s.head(branch), Fork: origin(branch) == "fork.git",
		Patches: map[string]string{"specs/platform.yaml": diff[strings.Index(diff, "@@"):]}})
}

func (s *story) pushes(number int, branch string) { s.hub.Push(number, s.head(branch)) }

// merges merges a pull request on GitHub.
func (s *story) merges(number int, branch string) {
	s.t.Helper()
	s.clone("main", "main")
	s.git("main", "merge", "-q", "--no-ff", "-m", fmt.Sprintf("Merge pull request #%d", number), "origin/"+branch)
	s.git("main", "push", "-q", "origin", "main")
	s.hub.Merge(number, s.git("main", "rev-parse", "HEAD"))
}

// ci runs a workflow, for a pull request or for the branch.
func (s *story) ci(file string, pull, code int, says ...string) string {
	s.t.Helper()
	s.clone("checkout", "main")
	temp := s.t.TempDir()
	w := workflowRun{t: s.t, checkout: s.dir("checkout"), files: map[string]string{}, values: map[string]string{
		"matrix.specs": "specs", "github.token": githubtest.Token, "inputs.effects": s.inputs, "github.event_name == 'push' && 'true' || ''": "true",
		"github.event.pull_request.head.repo.full_name == github.repository && (!github.event.repository.private || vars.CODE_SCANNING == 'on')": fmt.Sprint(origin(s.heads[pull]) == "origin.git")}}
	w.env = append(w.env, s.rig.env...)
	for name, value := range map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_API_URL": s.hub.URL, "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": s.hub.Repository, "GITHUB_RUN_ID": "77",
		"GITHUB_WORKSPACE": w.checkout, "RUNNER_TEMP": temp, "GITHUB_REF": "refs/heads/main",
		"GITHUB_WORKFLOW_REF": s.hub.Repository + "/.github/workflows/" + file + "@refs/heads/main",
	} {
		w.env = append(w.env, name+"="+value)
	}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		w.files[name] = filepath.Join(temp, name)
	}
	if pull > 0 {
		branch := s.heads[pull]
		s.git("checkout", "pull", "-q", "--no-ff", "--no-rebase", "--no-edit", s.dir(origin(branch)), branch)
		event := filepath.Join(temp, "event.json")
		must(s.t, os.WriteFile(event, []byte(fmt.Sprintf(`{"pull_request":{"head":{"sha":%q}}}`, s.head(branch))), 0o600))
		w.env = append(w.env, "GITHUB_EVENT_PATH="+event, fmt.Sprintf("GITHUB_REF=refs/pull/%d/merge", pull))
		w.values["github.event.pull_request.number"] = fmt.Sprint(pull)
	}
	got, said := w.job(file)
	if got != code {
		s.t.Fatalf("%s ended with %d, want %d:\n%s", file, got, code, said)
	}
	for _, word := range says {
		if !strings.Contains(flat(said), flat(word)) {
			s.t.Errorf("%s does not say %q:\n%s", file, word, said)
		}
	}
	return said
}

// comment holds what the n-th comment of a pull request says, and that there is
// none after it.
func (s *story) comment(number, n int, says ...string) string {
	s.t.Helper()
	all := s.hub.Comments(number)
	if len(all) != n+1 {
		s.t.Fatalf("pull request %d has %d comments, want %d", number, len(all), n+1)
	}
	for _, word := range says {
		if !strings.Contains(all[n].Body, word) {
			s.t.Errorf("comment %d of %d does not say %q:\n%s", n, number, word, all[n].Body)
		}
	}
	return all[n].Body
}

// ticket holds the state of the one issue and what it says.
func (s *story) ticket(title, state string, says ...string) {
	s.t.Helper()
	all := s.hub.Issues()
	if len(all) != 1 || all[0].Title != title || all[0].State != state {
		s.t.Fatalf("issues: %+v", all)
	}
	for _, word := range says {
		if !strings.Contains(all[0].Body, word) {
			s.t.Errorf("the ticket does not say %q:\n%s", word, all[0].Body)
		}
	}
}
