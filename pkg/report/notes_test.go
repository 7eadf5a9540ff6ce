package report

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"reconcile/pkg/plan"
)

func noteOf(code, targetName, message string) plan.Finding {
	return plan.Finding{Severity: plan.SeverityNote, Code: code, Target: targetName, Message: message}
}

func TestNotesAreSilentWhereNothingMatters(t *testing.T) {
	step := func(target string, a plan.Action) []plan.Step {
		return []plan.Step{{ID: "x", Kind: plan.KindStack, Target: target, Action: a}}
	}
	http := noteOf("http-only", "bp-compute", "plain HTTP: a domain is missing")
	social := noteOf("secret-unset", "/bp/oauth/secrets", "social login is not configured: the keys are empty")
	left := noteOf("fleet-unmanaged", "staging/old", "fleet staging/old is in SSM and not in the specs; it is left alone")
	idle := noteOf("approval-idle", "bp-old", "the approval destroy:bp-old allows nothing in this plan: remove it")
	kept := noteOf("kept", target.Platform, "log groups are kept")
	for name, c := range map[string]struct {
		note      plan.Finding
		steps     []plan.Step
		shown     bool
		line      string
		destroyed bool
	}{
		"chosen, nothing changes":           {http, nil, false, "", false},
		"chosen, its stack changes":         {http, step("bp-compute", plan.ActionUpdate), false, "", false},
		"chosen, its stack is made":         {http, step("bp-compute", plan.ActionCreate), true, "", false},
		"to do, nothing changes":            {social, nil, false, "1 note: social login is not configured (reconcile plan --verbose)", false},
		"to do, another stack changes":      {social, step("bp-compute", plan.ActionUpdate), false, "1 note: social login is not configured (reconcile plan --verbose)", false},
		"to do, it is made":                 {social, step("/bp/oauth/secrets", plan.ActionCreate), true, "", false},
		"a fleet's stack goes":              {left, step("bp-gpu-fleet-staging-old", plan.ActionDelete), true, "", false},
		"a fleet's parameter goes":          {left, step("/bp/fleets/staging/old/desired_config", plan.ActionDelete), true, "", false},
		"another fleet's stack goes":        {left, step("bp-gpu-fleet-staging-older", plan.ActionDelete), false, "1 note: fleet staging/old is in SSM and not in the specs (reconcile plan --verbose)", false},
		"a name with a colon":               {idle, nil, false, "1 note: the approval destroy:bp-old allows nothing in this plan (reconcile plan --verbose)", false},
		"of the platform":                   {kept, step("bp-network", plan.ActionDelete), true, "", true},
		"of the platform, nothing is there": {kept, nil, false, "1 note: log groups are kept (reconcile destroy --verbose)", true},
	} {
		p := plan.Plan{Target: target, Steps: c.steps, Findings: []plan.Finding{c.note}, Destroy: c.destroyed}
		for format, write := range map[string]func(io.Writer, plan.Plan, Options) error{"text": PlanText, "markdown": PlanMarkdown} {
			got := written(t, func(w io.Writer) error { return write(w, p, Options{}) })
			if shown := strings.Contains(got, "Notes\n"); shown != c.shown {
				t.Errorf("%s, %s: shown is %t:\n%s", name, format, shown, got)
			}
			if strings.Contains(got, "1 note: ") != (c.line != "") || format == "text" && !strings.Contains(got, c.line) {
				t.Errorf("%s, %s: want the line %q in\n%s", name, format, c.line, got)
			}
			all := written(t, func(w io.Writer) error { return write(w, p, Options{Verbose: true}) })
			if !strings.Contains(all, "Notes\n") || strings.Contains(all, "1 note: ") {
				t.Errorf("%s, %s: verbose does not show it, or twice:\n%s", name, format, all)
			}
		}
		if got := written(t, func(w io.Writer) error { return PlanJSON(w, p) }); !strings.Contains(got, c.note.Code) {
			t.Errorf("%s: not in the JSON", name)
		}
	}
}

func TestErrorsAndWarningsAlwaysShow(t *testing.T) {
	p := plan.Plan{Target: target, Findings: []plan.Finding{
		{Severity: plan.SeverityError, Code: "wrong-account", Target: "1", Message: "another account"},
		{Severity: plan.SeverityWarning, Code: "drift", Target: "bp-data", Message: "not asked"},
	}}
	got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) })
	if strings.Contains(got, "No changes") || !strings.Contains(got, "No plan, because of errors.") {
		t.Errorf("says that nothing changes where nothing was compared:\n%s", got)
	}
	if !strings.Contains(got, "Cannot be applied\n  * 1: another account") || !strings.Contains(got, "Warnings\n  * bp-data: not asked") {
		t.Errorf("got\n%s", got)
	}
}

func TestAConsentThatTwoStepsNeedIsToldOnce(t *testing.T) {
	gone := []plan.Approval{{Kind: plan.ApproveDestroy, Target: "bp-data", Why: "it goes"}}
	p := plan.Plan{Target: target, Destroy: true, Steps: []plan.Step{
		{ID: "release/bp-data", Kind: plan.KindStack, Target: "bp-data", Action: plan.ActionUpdate, Approvals: gone},
		{ID: "stack/bp-data", Kind: plan.KindStack, Target: "bp-data", Action: plan.ActionDelete, Needs: []plan.StepID{"release/bp-data"}, Approvals: gone},
	}}
	got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) })
	if n := strings.Count(got, "it goes"); n != 1 {
		t.Errorf("told %d times:\n%s", n, got)
	}
	if n := strings.Count(got, "--approve destroy:bp-data"); n != 1 {
		t.Errorf("asked for %d times:\n%s", n, got)
	}
}

func TestACauseThatBlocksManyIsToldOnce(t *testing.T) {
	p := plan.Plan{Target: target, Summary: plan.Summary{Blocked: 6}}
	add := func(name, reason, command string) {
		s := plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionCreate}
		if reason != "" {
			s.Blocked = &plan.Blocked{Reason: reason, Command: command}
		}
		p.Steps = append(p.Steps, s)
	}
	add("a", "no image", "docker push one && docker push two")
	add("b", "needs stack/a, which is blocked", "docker push one && docker push two")
	add("c", "no AMI", "reconcile ami build")
	add("d", "no image", "docker push one && docker push two")
	add("e", "needs stack/d, which is blocked", "docker push one && docker push two")
	add("f", "needs parameter/x, which is blocked", "do this")
	add("g", "", "")
	again := p.Steps[1]
	for _, id := range []plan.StepID{"protect/b", "release/a"} { // a stack has several steps, and is told once
		again.ID, again.Target = id, string(id[len(id)-1:])
		p.Steps = append(p.Steps, again)
	}
	p.Findings = []plan.Finding{{Severity: plan.SeverityWarning, Code: "image-missing", Target: "a", Message: "no image"}}
	want := `
Blocked; 1 step can run
  a
      no image
      unblock: docker push one && docker push two
      with it wait: b, d, e
  c
      no AMI
      unblock: reconcile ami build --sandbox
  f
      needs parameter/x, which is blocked
      unblock: do this

Steps, in order
`
	got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{Flags: []string{"--sandbox"}}) })
	if !strings.Contains(got, want) {
		t.Errorf("want%s\ngot\n%s", want, got)
	}
	if strings.Contains(got, "Warnings") {
		t.Errorf("says again as a warning why it is blocked:\n%s", got)
	}
	p.Steps = nil
	for i := range 50 {
		add(fmt.Sprint("fleet-", i), fmt.Sprint("fleet ", i, " has no AMI"), "x")
	}
	if got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) }); !strings.Contains(got, "  … and 40 more\n") || !strings.Contains(got, "Blocked; no step can run") {
		t.Errorf("got\n%s", got)
	}
}
