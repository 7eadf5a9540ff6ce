package workflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"reconcile/pkg/workflow"
)

// Findings reach code scanning whole, and for the pull request that they are of.
func TestFindingsAreUploaded(t *testing.T) {
	all, err := workflow.Files(ours())
	if err != nil {
		t.Fatal(err)
	}
	var w document
	if err := yaml.Unmarshal(all["validate.yml"], &w); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(w.Jobs["validate"].Steps, func(s step) bool { return strings.Contains(s.Run, "code-scanning/sarifs") })
	if at < 0 || w.Jobs["validate"].Permissions["security-events"] != "write" {
		t.Fatal("no step uploads findings, or its token may not")
	}
	dir := t.TempDir()
	fake := "#!/bin/bash\nfor a; do echo \"$a\"; case $a in sarif=@*) base64 -d \"${a#sarif=@}\" | gunzip;; esac; done\n"
	if err := os.WriteFile(filepath.Join(dir, "gh"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func() string {
		cmd := exec.Command("bash", "-eo", "pipefail", "-c", w.Jobs["validate"].Steps[at].Run)
		cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"), "RUNNER_TEMP="+dir,
			"GITHUB_REPOSITORY=acme/platform", "GITHUB_SHA=0123", "GITHUB_REF=refs/pull/7/merge")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if got := run(); got != "" {
		t.Errorf("without findings of any kind: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "findings.sarif"), []byte("{the findings}"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := run()
	for _, want := range []string{"POST\n", "repos/acme/platform/code-scanning/sarifs\n", "commit_sha=0123\n", "ref=refs/pull/7/merge\n", "{the findings}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// A platform whose roles trust an environment for plans has its plans made there,
// where the role's variable is.
func TestPlansInTheirEnvironment(t *testing.T) {
	o := twoAccounts()
	o.Folders[0].Plan = "staging-plan"
	all, err := workflow.Files(o)
	if err != nil {
		t.Fatal(err)
	}
	var w document
	if err := yaml.Unmarshal(all["plan.yml"], &w); err != nil {
		t.Fatal(err)
	}
	if got := w.Jobs["plan"].Environment; got != "${{ matrix.plan }}" || !strings.Contains(string(all["plan.yml"]), "account: STAGING, region: eu-west-1, plan: staging-plan}") {
		t.Errorf("environment %q in\n%s", got, all["plan.yml"])
	}
}
