package report

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
)

func TestACommandToRunNextIsComplete(t *testing.T) {
	o := Options{Flags: []string{"--sandbox", "--specs other"}, Select: []string{"--fleet 'staging/*'"}}
	for command, want := range map[string]string{
		"reconcile apply":                              "reconcile apply --sandbox --specs other --fleet 'staging/*'",
		"reconcile plan --verbose":                     "reconcile plan --sandbox --specs other --fleet 'staging/*' --verbose",
		"reconcile apply --stack bp-data":              "reconcile apply --sandbox --specs other --stack bp-data",
		"reconcile apply --approve destroy:a":          "reconcile apply --sandbox --specs other --fleet 'staging/*' --approve destroy:a",
		"reconcile apply --sandbox --approve d:x":      "reconcile apply --specs other --fleet 'staging/*' --sandbox --approve d:x",
		"reconcile render --stack bp-data":             "reconcile render --sandbox --specs other --stack bp-data",
		"reconcile secrets sync":                       "reconcile secrets sync --sandbox --specs other",
		"aws ssm delete-parameter --name /bp/x":        "aws ssm delete-parameter --name /bp/x",
		"docker push a:b && docker push c:d":           "docker push a:b && docker push c:d",
		"reconcile destroy --resource bp-data/Redis":   "reconcile destroy --sandbox --specs other --fleet 'staging/*' --resource bp-data/Redis",
		"reconcile apply --fleet production/gpu-other": "reconcile apply --sandbox --specs other --fleet production/gpu-other",
	} {
		if got := o.complete(command); got != want {
			t.Errorf("complete(%q)\n got %s\nwant %s", command, got, want)
		}
	}
	if got := (Options{}).complete("reconcile apply"); got != "reconcile apply" {
		t.Errorf("without flags: %s", got)
	}
}

// A command that does not fit goes on over several lines; a shell reads it as
// one, and no word of it is cut.
func TestALongCommandCanBePasted(t *testing.T) {
	for _, command := range []string{
		"reconcile apply --sandbox --approve replace:bp-network/PrivateSubnet1RouteTableAssociation --approve destroy:bp-data --approve 'destroy:a b'",
		"docker push registry.example.com/one-image:latest && docker push registry.example.com/another-image:latest",
	} {
		p := newPage(Options{Width: 60})
		p.command(6, "next: ", flagged(command))
		lines := strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n")
		if len(lines) < 3 || lines[0] != "      next:" {
			t.Fatalf("got\n%s", p.String())
		}
		joined := strings.TrimPrefix(strings.ReplaceAll(p.String(), " \\\n", " "), "      next:\n")
		if diff := cmp.Diff(command, strings.Join(strings.Fields(joined), " ")); diff != "" {
			t.Errorf("(-want +pasted):\n%s", diff)
		}
	}
}

// dangerous is a plan of which a part needs consent.
func dangerous(destroy bool) plan.Plan {
	p := plan.Plan{Target: target, Destroy: destroy}
	add := func(name string, needs []plan.StepID, approvals ...plan.Approval) {
		p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionUpdate, Needs: needs, Approvals: approvals})
	}
	add("free", nil)
	add("guarded", nil, plan.Approval{Kind: plan.ApproveReplace, Target: "guarded/A", Why: "A is replaced"})
	add("waits", []plan.StepID{"stack/guarded"}, plan.Approval{Kind: plan.ApproveDestroy, Target: "waits", Why: "stack waits is deleted"})
	add("follows", []plan.StepID{"stack/waits", "stack/free"})
	return p
}

func TestUnapproved(t *testing.T) {
	for name, c := range map[string]struct {
		given            string
		refused, skipped []plan.StepID
	}{
		"nothing":    {"", []plan.StepID{"stack/guarded"}, []plan.StepID{"stack/waits", "stack/follows"}},
		"the first":  {"replace:guarded/A", []plan.StepID{"stack/waits"}, []plan.StepID{"stack/follows"}},
		"the second": {"destroy:waits", []plan.StepID{"stack/guarded"}, []plan.StepID{"stack/waits", "stack/follows"}},
		"both":       {"replace:guarded/A destroy:waits", nil, nil},
	} {
		refused, skipped := Unapproved(dangerous(false), func(a plan.Approval) bool { return strings.Contains(c.given, a.String()) })
		if diff := cmp.Diff([][]plan.StepID{c.refused, c.skipped}, [][]plan.StepID{ids(refused), ids(skipped)}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func ids(steps []plan.Step) []plan.StepID {
	var out []plan.StepID
	for _, s := range steps {
		out = append(out, s.ID)
	}
	return out
}

func TestConsentEndsThePlan(t *testing.T) {
	o := Options{Flags: []string{"--sandbox"}}
	got := written(t, func(w io.Writer) error { return PlanText(w, dangerous(false), o) })
	want := `
1 step will be refused without your approval, and 2 steps that need it will be skipped. With all of
it:
  reconcile apply --sandbox --approve replace:guarded/A --approve destroy:waits
`
	if !strings.HasSuffix(got, want) {
		t.Errorf("want at the end%s\ngot\n%s", want, got)
	}
	o.Given = func(plan.Approval) bool { return true }
	if got := written(t, func(w io.Writer) error { return PlanText(w, dangerous(false), o) }); strings.Contains(got, "will be refused") || !strings.Contains(got, "replace:guarded/A (given)") {
		t.Errorf("asks for what was given:\n%s", got)
	}
	p := dangerous(false)
	p.Findings = []plan.Finding{{Severity: plan.SeverityError, Code: "x", Message: "no"}}
	if got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) }); strings.Contains(got, "With all of it") {
		t.Errorf("offers to approve what cannot be applied:\n%s", got)
	}
}

func TestManyDestroysAreApprovedAsAWhole(t *testing.T) {
	p := dangerous(true)
	for _, name := range []string{"x", "y", "z"} {
		s := p.Steps[2]
		s.Approvals = []plan.Approval{{Kind: plan.ApproveDestroy, Target: name}}
		p.Steps = append(p.Steps, s, s)
	}
	if got := strings.Join(Options{}.approving(p, p.Steps), " "); got != "reconcile destroy --allow-destroy --approve replace:guarded/A" {
		t.Errorf("destroy: %s", got)
	}
	p.Destroy = false
	if got := strings.Join(Options{}.approving(p, p.Steps), " "); got != "reconcile apply --approve replace:guarded/A --approve destroy:waits --approve destroy:x --approve destroy:y --approve destroy:z" {
		t.Errorf("apply: %s", got)
	}
}
