package apply

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run applies and fails the test when the fake's rules were broken.
func run(t *testing.T, f *fake, p plan.Plan, o Options) Result {
	t.Helper()
	r, err := Run(context.Background(), p, f, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range f.wrong {
		t.Error(w)
	}
	if len(r.Steps) != len(p.Steps) {
		t.Fatalf("%d results for %d steps", len(r.Steps), len(p.Steps))
	}
	return r
}

// chain is three stacks, each reading the one before.
func chain() []wish {
	return []wish{
		{name: "bp-a", template: topic("a")},
		{name: "bp-b", template: topic(cfn.StackOutput("bp-a", "Value")), needs: []string{"bp-a"}},
		{name: "bp-c", template: topic(cfn.StackOutput("bp-b", "Value")), needs: []string{"bp-b"}},
	}
}

func TestRunConverges(t *testing.T) {
	f := newFake()
	r := run(t, f, computePlan(f, chain()...), Options{})
	want := "stack/bp-a done\nstack/bp-b done\nstack/bp-c done\n"
	if diff := cmp.Diff(want, outcomes(r)); diff != "" || !r.Done() {
		t.Errorf("first run (-want +got):\n%s", diff)
	}
	if got := f.find("bp-b").Template.Resources["Topic"].Properties["DisplayName"]; got != "value of a" {
		t.Errorf("bp-b was deployed with %q", got)
	}
	if p := computePlan(f, chain()...); !p.Empty() {
		t.Errorf("the second plan has %d steps", len(p.Steps))
	}
	wishes := chain()
	wishes[0].template = topic("z")
	run(t, f, computePlan(f, wishes...), Options{})
	if got := f.find("bp-b").Template.Resources["Topic"].Properties["DisplayName"]; got != "value of z" {
		t.Errorf("after an edit bp-b was deployed with %q", got)
	}
}

func TestRunSkipsDependantsAndGoesOn(t *testing.T) {
	f := newFake()
	f.ends["bp-b"] = "ROLLBACK_COMPLETE"
	p := computePlan(f, append(chain(), wish{name: "bp-other", template: topic("x")})...)
	r := run(t, f, p, Options{})
	want := []StepResult{
		{Step: "stack/bp-a", Target: "bp-a", Outcome: OutcomeDone, Message: "is CREATE_COMPLETE"},
		{
			Step: "stack/bp-b", Target: "bp-b", Outcome: OutcomeFailed, RolledBack: true, Command: "reconcile plan",
			Message: "stack bp-b ended in ROLLBACK_COMPLETE; the next plan proposes to delete the empty stack and create it again (specs/bp-b.yaml:1)",
			Causes:  []Cause{{Stack: "bp-b", Resource: "R", Reason: "scripted"}},
		},
		{Step: "stack/bp-c", Target: "bp-c", Outcome: OutcomeSkipped, Message: "skipped because of stack/bp-b", Cause: "stack/bp-b"},
		{Step: "stack/bp-other", Target: "bp-other", Outcome: OutcomeDone, Message: "is CREATE_COMPLETE"},
	}
	if diff := cmp.Diff(want, r.Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	delete(f.ends, "bp-b")
	r = run(t, f, computePlan(f, chain()...), Options{})
	if got := outcomes(r); got != "recover/bp-b done\nstack/bp-b done\nstack/bp-c done\n" {
		t.Errorf("the next plan:\n%s", got)
	}
}

func TestRunRefusesWholePlans(t *testing.T) {
	good := computePlan(newFake(), chain()...)
	cases := map[string]func(*plan.Plan){
		"error finding":   func(p *plan.Plan) { p.Findings = []plan.Finding{{Severity: plan.SeverityError, Code: "wrong-account"}} },
		"newer format":    func(p *plan.Plan) { p.FormatVersion = "2.0" },
		"step twice":      func(p *plan.Plan) { p.Steps = append(p.Steps, p.Steps[0]) },
		"need after":      func(p *plan.Plan) { p.Steps[0].Needs = []plan.StepID{"stack/bp-c"} },
		"no body":         func(p *plan.Plan) { p.Steps[0].Body = plan.Body{} },
		"unknown action":  func(p *plan.Plan) { p.Steps[0].Action = plan.ActionImport },
		"another's stack": func(p *plan.Plan) { p.Steps[0].Body.Stack = &plan.StackBody{Owner: "other", Template: &cfn.Template{}} },
		"unknown recovery": func(p *plan.Plan) {
			p.Steps[0].Action = plan.ActionRecover
			p.Steps[0].Body = plan.Body{Recover: &plan.RecoverBody{Operation: "force"}}
		},
		"delete by no kind": func(p *plan.Plan) { p.Steps[0].Kind = "object" },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			p := good
			p.Steps = append([]plan.Step{}, good.Steps...)
			spoil(&p)
			f := newFake()
			_, err := Run(context.Background(), p, f, Options{}, nil)
			var refused *RefusedError
			var invalid *PlanError
			if !errors.As(err, &refused) && !errors.As(err, &invalid) {
				t.Errorf("error %v", err)
			}
			if len(f.log) > 0 {
				t.Errorf("%d requests were made", len(f.log))
			}
		})
	}
}
