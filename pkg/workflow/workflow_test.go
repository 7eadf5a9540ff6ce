package workflow_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
	"reconcile/pkg/workflow"
)

const root = "../.."

func ours() workflow.Options {
	return workflow.Options{Action: "./", Branch: "main", Folders: []workflow.Folder{
		{Specs: "specs", Environment: "production-infra", Account: "PRODUCTION", Region: "us-east-1"},
	}}
}

func twoAccounts() workflow.Options {
	return workflow.Options{
		Action: "example/reconcile@0123456789abcdef0123456789abcdef01234567 # v1.0.0", Branch: "trunk",
		Folders: []workflow.Folder{
			{Specs: "accounts/staging", Environment: "staging-infra", Account: "STAGING", Region: "eu-west-1"},
			{Specs: "accounts/production", Environment: "production-infra", Account: "PRODUCTION", Region: "us-east-1"},
		},
	}
}

// This repository runs the workflows that it gives to others. UPDATE=1 writes them.
func TestOwnWorkflows(t *testing.T) {
	all, err := workflow.Files(ours())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range all {
		file := filepath.Join(root, ".github", "workflows", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
			t.Errorf("%s is not what pkg/workflow writes (%v): UPDATE=1 go test ./pkg/workflow", name, err)
		}
	}
}

// everyWorkflow is this repository's own, the release, and those of others.
func everyWorkflow(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	found, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = b
	}
	others, err := workflow.Files(twoAccounts())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range others {
		out["two/"+name] = b
	}
	if len(out) < 12 {
		t.Fatalf("only %d workflows", len(out))
	}
	return out
}

type document struct {
	On          yaml.Node         `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Jobs        map[string]job    `yaml:"jobs"`
}

type job struct {
	If          string            `yaml:"if"`
	Timeout     int               `yaml:"timeout-minutes"`
	Permissions map[string]string `yaml:"permissions"`
	Environment string            `yaml:"environment"`
	Concurrency struct {
		Cancel bool `yaml:"cancel-in-progress"`
	} `yaml:"concurrency"`
	Steps []step `yaml:"steps"`
}

type step struct {
	Uses string            `yaml:"uses"`
	Run  string            `yaml:"run"`
	Env  map[string]string `yaml:"env"`
	With map[string]string `yaml:"with"`
}

// assumes tells whether a job takes a role of AWS.
func (j job) assumes() bool {
	return slices.ContainsFunc(j.Steps, func(s step) bool { return strings.HasPrefix(s.Uses, "aws-actions/configure-aws-credentials@") })
}

// The rules for workflows that can reach AWS (facts: security 3.1,
// failure-modes G5 to G7, I1 to I3, I20).
func TestWorkflowsAreHardened(t *testing.T) {
	pin := regexp.MustCompile(`^(\./|[A-Za-z0-9-]+/[A-Za-z0-9._/-]+@[0-9a-f]{40})$`)
	for name, b := range everyWorkflow(t) {
		var w document
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: permissions at the top are %v, want {}", name, w.Permissions)
		}
		if strings.Contains(string(b), "pull_request_target") || strings.Contains(string(b), "workflow_run") {
			t.Errorf("%s runs with rights on what somebody else wrote", name)
		}
		if strings.Contains(string(b), "secrets[") || strings.Contains(string(b), "toJSON(secrets)") {
			t.Errorf("%s hands all secrets to a job", name)
		}
		if strings.Contains(string(b), "#M") || strings.Contains(string(b), "#S") || strings.Contains(string(b), "#P") || strings.Contains(string(b), "BRANCH") || strings.Contains(string(b), "ACTION\n") {
			t.Errorf("%s has places that nobody filled in", name)
		}
		for id, j := range w.Jobs {
			at := name + "/" + id
			if j.Timeout == 0 {
				t.Errorf("%s has no timeout", at)
			}
			if j.Permissions == nil {
				t.Errorf("%s says no permissions", at)
			}
			if token := j.Permissions["id-token"] == "write"; token && !j.assumes() && name != "release.yml" {
				t.Errorf("%s gets a token and assumes no role", at)
			}
			if j.Permissions["contents"] == "write" && name != "release.yml" {
				t.Errorf("%s may write to the repository", at)
			}
			for _, s := range j.Steps {
				if s.Uses != "" && !pin.MatchString(s.Uses) {
					t.Errorf("%s uses %s, which is not pinned to a commit", at, s.Uses)
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
					t.Errorf("%s leaves its token in the checkout", at)
				}
				if strings.Contains(s.Run, "${{") {
					t.Errorf("%s pastes an expression into a shell: %s", at, s.Run)
				}
			}
		}
	}
}

// Who may change AWS runs on the branch, in an environment, is not cancelled at
// work, and hands its signals to the program.
func TestWhatAppliesIsGuarded(t *testing.T) {
	for name, b := range everyWorkflow(t) {
		if !strings.Contains(string(b), "AWS_DEPLOY_ROLE_ARN_") {
			continue
		}
		var w document
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "pull_request") {
			t.Errorf("%s applies for a pull request", name)
		}
		if strings.Contains(string(b), "cancel-in-progress: true") {
			t.Errorf("%s kills an apply at work", name)
		}
		for id, j := range w.Jobs {
			if j.Environment == "" || !strings.Contains(j.If, "github.ref == 'refs/heads/") {
				t.Errorf("%s/%s: environment %q, if %q", name, id, j.Environment, j.If)
			}
			for _, s := range j.Steps {
				for _, line := range strings.Split(s.Run, "\n") {
					if regexp.MustCompile(`reconcile (apply|destroy|unlock)\b`).MatchString(line) && !strings.HasPrefix(strings.TrimSpace(line), "exec ") {
						t.Errorf("%s/%s: the shell would keep the signal: %s", name, id, line)
					}
				}
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["ref"] == "" {
					t.Errorf("%s/%s applies the commit of the event, not the branch", name, id)
				}
			}
		}
	}
}

// Who writes to GitHub has the token and the one right for it.
func TestWhoWritesToGitHubMay(t *testing.T) {
	writes := map[string]string{"reconcile comment": "pull-requests", "reconcile drift --issue": "issues"}
	found := map[string]bool{}
	for name, b := range everyWorkflow(t) {
		var w document
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		for id, j := range w.Jobs {
			needed := map[string]bool{}
			for _, s := range j.Steps {
				for command, right := range writes {
					if !strings.Contains(s.Run, command) {
						continue
					}
					found[command], needed[right] = true, true
					if j.Permissions[right] != "write" || s.Env["GITHUB_TOKEN"] == "" {
						t.Errorf("%s/%s: %s without %s: write or without a token", name, id, command, right)
					}
				}
			}
			for _, right := range writes {
				if j.Permissions[right] == "write" && !needed[right] {
					t.Errorf("%s/%s may write %s and does not", name, id, right)
				}
			}
		}
	}
	if len(found) != len(writes) {
		t.Errorf("found only %v", found)
	}
}

// What a merge starts applies what its pull request approved, and can read that.
func TestPushIsHeldAgainstItsPullRequest(t *testing.T) {
	seen := 0
	for name, b := range everyWorkflow(t) {
		if !regexp.MustCompile(`(?m)^    branches: `).Match(b) {
			continue
		}
		var w document
		if err := yaml.Unmarshal(b, &w); err != nil {
			t.Fatal(err)
		}
		for id, j := range w.Jobs {
			for _, s := range j.Steps {
				if !strings.Contains(s.Run, "reconcile apply") {
					continue
				}
				seen++
				if !strings.Contains(s.Run, "--approved-by-pr") || j.Permissions["checks"] != "read" || j.Permissions["pull-requests"] != "write" || s.Env["GITHUB_TOKEN"] == "" {
					t.Errorf("%s/%s applies what nobody approved: %s", name, id, s.Run)
				}
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d workflows apply a push", seen)
	}
}

// What a merge starts steps aside for a newer merge; a person is told instead.
func TestPushStepsAside(t *testing.T) {
	all, err := workflow.Files(ours())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range all {
		if push := regexp.MustCompile(`(?m)^  push:`).Match(b); push != strings.Contains(string(b), "--step-aside") {
			t.Errorf("%s: started by a push: %v, and --step-aside is given otherwise", name, push)
		}
	}
}

// The step that looks for drift fails by name when there is some, as it fails
// when it could not look.
func TestDriftIsNotSilent(t *testing.T) {
	all, err := workflow.Files(ours())
	if err != nil {
		t.Fatal(err)
	}
	var w document
	if err := yaml.Unmarshal(all["drift.yml"], &w); err != nil {
		t.Fatal(err)
	}
	steps := w.Jobs["drift"].Steps
	for code, says := range map[string]string{"0": "", "2": "::error title=Drift::", "3": ""} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "reconcile"), []byte("#!/bin/sh\necho a summary\nexit "+code+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "-e", "-c", steps[len(steps)-1].Run)
		summary := filepath.Join(dir, "summary")
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "SPECS=specs", "GITHUB_STEP_SUMMARY="+summary)
		out, err := cmd.Output()
		if (err == nil) != (code == "0") || fmt.Sprint(cmd.ProcessState.ExitCode()) != code {
			t.Errorf("drift ends with %s, the step with %d", code, cmd.ProcessState.ExitCode())
		}
		if !strings.HasPrefix(string(out), says) || says == "" && len(out) > 0 {
			t.Errorf("drift ends with %s, and the step says %q", code, out)
		}
		if b, err := os.ReadFile(summary); err != nil || string(b) != "a summary\n" {
			t.Errorf("the summary is %q (%v)", b, err)
		}
	}
}

// The roles trust these workflows by their names.
func TestTrustedByName(t *testing.T) {
	all, err := workflow.Files(ours())
	if err != nil {
		t.Fatal(err)
	}
	holds := func(text string) (names []string) {
		for name, b := range all {
			if strings.Contains(string(b), text) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	if got := holds("AWS_DEPLOY_ROLE_ARN_"); !slices.Equal(got, stacks.ApplyWorkflows()) {
		t.Errorf("%v assume the role that applies, %v are trusted", got, stacks.ApplyWorkflows())
	}
	for text, want := range map[string]string{"AWS_PLAN_ROLE_ARN_": stacks.PlanWorkflow, "AWS_DRIFT_ROLE_ARN_": stacks.DriftWorkflow} {
		if got := holds(text); !slices.Equal(got, []string{want}) {
			t.Errorf("%v read %s, %s is trusted", got, text, want)
		}
	}
	for _, a := range stacks.Accesses(spec.Platform{GitHub: &spec.GitHub{Repository: "example/platform", ApplyEnvironment: "production-infra"}}) {
		if !strings.HasSuffix(a.Name, "_ROLE_ARN_"+ours().Folders[0].Account) {
			t.Errorf("bootstrap says %s, which no workflow reads", a.Name)
		}
	}
}

func TestFilesRefuse(t *testing.T) {
	for why, change := range map[string]func(*workflow.Options){
		"no folder":          func(o *workflow.Options) { o.Folders = nil },
		"a tag":              func(o *workflow.Options) { o.Action = "example/reconcile@v1" },
		"a line in a branch": func(o *workflow.Options) { o.Branch = "main]\n  x: y" },
		"a folder outside":   func(o *workflow.Options) { o.Folders[0].Specs = "a b" },
		"a hostile region":   func(o *workflow.Options) { o.Folders[0].Region = "x}" },
		"one environment":    func(o *workflow.Options) { o.Folders[1].Environment = o.Folders[0].Environment },
	} {
		o := twoAccounts()
		change(&o)
		if _, err := workflow.Files(o); err == nil {
			t.Errorf("%s is taken", why)
		}
	}
}

// actionlint is a judge that nobody here wrote.
func TestActionlint(t *testing.T) {
	linter, err := exec.LookPath("actionlint")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("actionlint is not installed")
		}
		t.Skip("actionlint is not installed")
	}
	dir := t.TempDir()
	var args []string
	for name, b := range everyWorkflow(t) {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.Command(linter, args...).CombinedOutput(); err != nil {
		t.Errorf("actionlint: %v\n%s", err, out)
	}
}
