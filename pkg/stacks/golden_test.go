package stacks_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

// platforms are the specs whose templates are held in testdata/golden.
func platforms() map[string]spec.Set {
	return map[string]spec.Set{
		"shipped": shipped(), "tls": withTLS(), "other": other(), "twenty-fleets": many(20), "github": onGitHub(),
	}
}

// TestGolden shows every template in full, dashboards also as the document that they are: a change of a template is a change
// of its file. UPDATE=1 writes them.
func TestGolden(t *testing.T) {
	for name, set := range platforms() {
		d := render(t, set)
		var want []string
		for _, s := range d.Stacks {
			if name == "twenty-fleets" && s.Fleet != "" && s.Fleet != "production/fleet-000" {
				continue // all alike
			}
			body, err := cfn.Render(s.Template, cfn.YAML)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, s.Name+".yaml")
			golden(t, filepath.Join("testdata", "golden", name, s.Name+".yaml"), body)
			if board, ok := s.Template.Resources["Dashboard"]; ok {
				file := "dashboard-" + board.Properties["DashboardName"].(string) + ".json"
				want = append(want, file)
				golden(t, filepath.Join("testdata", "golden", name, file), pretty(t, document(t, board.Properties["DashboardBody"])))
			}
		}
		want = append(want, "desired.json")
		golden(t, filepath.Join("testdata", "golden", name, "desired.json"), pretty(t, aside(d)))
		checkFiles(t, filepath.Join("testdata", "golden", name), want)
	}
}

// document is the JSON that a string property holds.
func document(t *testing.T, v any) any {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(text(t, v)), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// aside is what Desired holds beside templates.
func aside(d plan.Desired) any {
	type stack struct {
		Name         string
		Tags         map[string]string
		Capabilities []string
		DependsOn    []string
		After        []plan.StepID
		Protect      bool
		Stateful     []string
		Sources      map[string]spec.Source
	}
	out := struct {
		Stacks  []stack
		Desired plan.Desired
	}{Desired: d}
	for _, s := range d.Stacks {
		out.Stacks = append(out.Stacks, stack{s.Name, s.Tags, s.Capabilities, s.DependsOn, s.After, s.Protect, s.Stateful, s.Sources})
	}
	out.Desired.Stacks = nil
	return out
}

func pretty(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); UPDATE=1 accepts it:\n%s", path, diff)
	}
}

// checkFiles fails on goldens of stacks that are no more.
func checkFiles(t *testing.T, dir string, want []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(want, e.Name()) {
			if os.Getenv("UPDATE") != "" {
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
				continue
			}
			t.Errorf("%s: no such stack", filepath.Join(dir, e.Name()))
		}
	}
}

// TestSchemas holds every resource against AWS's own schemas.
func TestSchemas(t *testing.T) {
	for name, set := range platforms() {
		for _, p := range stacks.Check(render(t, set)) {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// TestLint asks a judge that nobody here wrote. Every rule that a template
// leaves out says why in its metadata.
func TestLint(t *testing.T) {
	t.Parallel()
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("cfn-lint is not installed")
		}
		t.Skip("cfn-lint is not installed")
	}
	if testing.Short() {
		t.Skip("slow")
	}
	for name, set := range platforms() {
		d := render(t, set)
		dir := t.TempDir()
		args := []string{"--format", "parseable", "--regions", d.Target.Region, "--"}
		for _, s := range d.Stacks {
			if name == "twenty-fleets" && s.Fleet != "" && s.Fleet != "production/fleet-000" {
				continue
			}
			ignoredChecksSayWhy(t, s)
			path := filepath.Join(dir, s.Name+".json")
			if err := os.WriteFile(path, pretty(t, stacks.Offline(s.Template, d.Target.Account, d.Target.Region)), 0o644); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
		out, err := exec.Command(linter, args...).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: cfn-lint: %v\n%s", name, err, strings.ReplaceAll(string(out), dir+"/", ""))
		}
	}
}

func ignoredChecksSayWhy(t *testing.T, s plan.Stack) {
	t.Helper()
	meta, ok := plain(t, s.Template.Metadata).(map[string]any)
	if !ok || meta["cfn-lint"] == nil {
		return
	}
	reasons, _ := at(t, meta, "Reconcile", "IgnoredChecks").(map[string]any)
	for _, rule := range at(t, meta, "cfn-lint", "config", "ignore_checks").([]any) {
		if why, _ := reasons[rule.(string)].(string); len(why) < 20 {
			t.Errorf("%s ignores %s without saying why", s.Name, rule)
		}
	}
}

// TestOfflineClosesEverything: a template with an open reference cannot be read by others.
func TestOfflineClosesEverything(t *testing.T) {
	for name, set := range platforms() {
		d := render(t, set)
		for _, s := range d.Stacks {
			closed := stacks.Offline(s.Template, d.Target.Account, d.Target.Region)
			if open := cfn.Refs(closed); len(open) > 0 {
				t.Errorf("%s: %s: still open: %v", name, s.Name, open)
			}
			if body, err := cfn.Canonical(closed); err != nil || bytes.Contains(body, []byte("Reconcile::")) {
				t.Errorf("%s: %s: a reference is left: %v", name, s.Name, err)
			}
		}
	}
}
