package stacks_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

func TestMain(m *testing.M) {
	if handled, code := spec.ChildMain(os.Args, os.Stdin, os.Stdout); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// TestShippedSpecs renders the repository's own specs: they are the platform
// of the goldens, nothing in them is refused, and everything has a line.
func TestShippedSpecs(t *testing.T) {
	set, err := spec.Load(t.Context(), spec.LoadOptions{Dir: "../../cmd/reconcile/testdata/specs", Name: "specs"})
	if err != nil {
		t.Fatal(err)
	}
	d := render(t, set)
	for _, p := range stacks.Check(d) {
		t.Errorf("%s:%d: %s", p.Source.File, p.Source.Line, p)
	}
	want := render(t, shipped())
	if len(d.Stacks) != len(want.Stacks) {
		t.Fatalf("%d stacks, not %d", len(d.Stacks), len(want.Stacks))
	}
	for i, s := range d.Stacks {
		got, err := cfn.Render(s.Template, cfn.YAML)
		if err != nil {
			t.Fatal(err)
		}
		expected, err := cfn.Render(want.Stacks[i].Template, cfn.YAML)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(expected), string(got)); diff != "" {
			t.Errorf("%s is not the golden's (-want +got):\n%s", s.Name, diff)
		}
		if s.Source.Line == 0 {
			t.Errorf("%s comes from no line", s.Name)
		}
		for target, source := range s.Sources {
			if source.Line == 0 {
				t.Errorf("%s: %s comes from no line", s.Name, target)
			}
		}
	}
}
