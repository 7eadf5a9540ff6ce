package apply

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// everyKind is one plan of one or two steps for each kind of step.
func everyKind() map[string]func(f *fake) plan.Plan {
	direct := func(kind plan.Kind, a plan.Action, b plan.Body) plan.Plan {
		return stepPlan(plan.Step{ID: "direct", Kind: kind, Target: "/x", Action: a, Body: b, Base: plan.BaseAfter("x")})
	}
	stuck := func(f *fake, status, operation string) plan.Plan {
		s := f.deploy("bp-a", owner, topic("old"))
		s.Status = status
		return stepPlan(plan.Step{
			ID: plan.RecoverID("bp-a"), Kind: plan.KindStack, Target: "bp-a", Action: plan.ActionRecover, Base: plan.FingerprintStack(&s.LiveStack),
			Body: plan.Body{Recover: &plan.RecoverBody{Name: "bp-a", ID: s.ID, Status: status, Operation: operation}},
		})
	}
	protection := func(f *fake, a plan.Action) plan.Plan {
		s := f.deploy("bp-a", owner, topic("old"))
		s.Protected = a == plan.ActionUnprotect
		step := deleteStep(s)
		step.Action = a
		return stepPlan(step)
	}
	return map[string]func(f *fake) plan.Plan{
		"create": func(f *fake) plan.Plan { return computePlan(f, chain()[:2]...) },
		"update": func(f *fake) plan.Plan {
			f.deploy("bp-b", owner, topic("old"))
			f.deploy("bp-a", owner, topic("a"))
			return computePlan(f, chain()[:2]...)
		},
		"capacity": func(f *fake) plan.Plan {
			f.deploy("bp-a", owner, topic("old"))
			p := computePlan(f, wish{name: "bp-a", template: topic("new")})
			p.Steps[0].Body.Stack.Capacity = []plan.Capacity{{Group: "g"}}
			return p
		},
		"our own operation": func(f *fake) plan.Plan {
			s := f.deploy("bp-a", owner, topic("old"))
			p := computePlan(f, wish{name: "bp-a", template: topic("new")})
			f.begin(s, "rc-other", "UPDATE_IN_PROGRESS", func() { s.Status = "UPDATE_COMPLETE" })
			return p
		},
		"delete":    func(f *fake) plan.Plan { return stepPlan(deleteStep(f.deploy("bp-a", owner, topic("old")))) },
		"protect":   func(f *fake) plan.Plan { return protection(f, plan.ActionProtect) },
		"unprotect": func(f *fake) plan.Plan { return protection(f, plan.ActionUnprotect) },
		"recover":   func(f *fake) plan.Plan { return stuck(f, "ROLLBACK_COMPLETE", plan.RecoverDelete) },
		"continue":  func(f *fake) plan.Plan { return stuck(f, "UPDATE_ROLLBACK_FAILED", plan.RecoverContinueRollback) },
		"rollback":  func(f *fake) plan.Plan { return stuck(f, "UPDATE_FAILED", plan.RecoverRollback) },
		"new parameter": func(f *fake) plan.Plan {
			return parameterStepFor(plan.ActionCreate, plan.ParameterBody{Name: "/x", Type: "String", Value: "v"}, nil)
		},
		"parameter": func(f *fake) plan.Plan {
			f.parameters["/x"] = *stored("old", 2)
			return parameterStepFor(plan.ActionUpdate, plan.ParameterBody{Name: "/x", Type: "String", Value: cfn.ParameterValue("/x")}, stored("older", 2))
		},
		"replaced parameter": func(f *fake) plan.Plan {
			f.parameters["/x"] = *stored("old", 2)
			return parameterStepFor(plan.ActionReplace, plan.ParameterBody{Name: "/x", Type: "StringList", Value: "v"}, stored("old", 2))
		},
		"no parameter": func(f *fake) plan.Plan {
			f.parameters["/x"] = *stored("old", 2)
			return parameterStepFor(plan.ActionDelete, plan.ParameterBody{Name: "/x"}, stored("old", 2))
		},
		"secret": func(f *fake) plan.Plan {
			f.secrets["/x"] = plan.LiveSecret{}
			return direct(plan.KindSecret, plan.ActionCreate, plan.Body{Secret: &plan.SecretBody{Name: "/x"}})
		},
		"log group": func(*fake) plan.Plan {
			return direct(plan.KindLogGroup, plan.ActionCreate, plan.Body{LogGroup: &plan.LogGroupBody{Name: "/x", RetentionDays: 1}})
		},
		"no log group": func(f *fake) plan.Plan {
			f.logGroups["/x"] = plan.LiveLogGroup{}
			return direct(plan.KindLogGroup, plan.ActionDelete, plan.Body{LogGroup: &plan.LogGroupBody{Name: "/x"}})
		},
	}
}

// TestEveryAnswerMayFail spoils each answer of each kind of step in each way:
// the step always ends, once, and what did not end well says what and what next.
func TestEveryAnswerMayFail(t *testing.T) {
	failures := []Failure{
		connectionLost(), {Code: "InternalFailure", Message: "5xx"}, {Code: "X", Message: "x", Kind: FailureAbsent}, {Code: "X", Message: "x", Kind: FailureBusy},
		{Code: "X", Message: "x", Kind: FailureConflict}, {Code: "X", Message: "x", Kind: FailureDenied}, {Message: "interrupted", Kind: FailureCanceled},
	}
	for name, arrange := range everyKind() {
		t.Run(name, func(t *testing.T) {
			clean := newFake()
			if r := run(t, clean, arrange(clean), Options{}); r.Failed() {
				t.Fatalf("without a fault:\n%s", outcomes(r))
			}
			for spoiled := range clean.log {
				for _, failure := range failures {
					for _, late := range []bool{false, true} {
						f := newFake()
						p := arrange(f)
						fault := func(Request) *Failure {
							if len(f.log) == spoiled+1 {
								return &failure
							}
							return nil
						}
						if f.before = fault; late {
							f.before, f.after = nil, fault
						}
						what := fmt.Sprintf("answer %d (%s) %+v, late %v", spoiled, clean.log[spoiled].Op, failure, late)
						r, err := Run(context.Background(), p, f, Options{}, nil)
						if err != nil || len(f.wrong) > 0 {
							t.Fatalf("%s: %v, %q", what, err, f.wrong)
						}
						if failure.Kind == FailureCanceled != r.Interrupted {
							t.Errorf("%s: interrupted is %v", what, r.Interrupted)
						}
						for _, s := range r.Steps {
							bad := s.Outcome != OutcomeDone && s.Outcome != OutcomeSkipped
							if s.Outcome == "" || bad && s.Message == "" || bad && s.Command == "" && !r.Interrupted || strings.Contains(s.Message, "nil") {
								t.Errorf("%s: %+v", what, s)
							}
						}
					}
				}
			}
		})
	}
}

// A stranger's answer and a broken port.
func TestPort(t *testing.T) {
	f := newFake()
	f.queue = []Response{{ID: 999, Done: true}, {ID: 1}} // nobody waits for it; progress without progress
	if r := run(t, f, computePlan(f, chain()...), Options{}); !r.Done() {
		t.Error(outcomes(r))
	}
	broken := newFake()
	broken.pick = func(int) int { broken.queue = nil; broken.queue = append(broken.queue, Response{}); return 0 }
	r, err := Run(context.Background(), computePlan(newFake(), chain()...), broken, Options{}, nil)
	if err == nil || !r.Interrupted || len(r.Steps) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestTemplateParameters(t *testing.T) {
	f := newFake()
	f.deploy("bp-a", owner, topic("a"))
	p := computePlan(f, wish{name: "bp-b", template: topic("b")})
	b := p.Steps[0].Body.Stack
	b.Parameters = map[string]any{"Plain": "x", "Read": cfn.StackOutput("bp-a", "Value")}
	b.Capabilities = []string{"CAPABILITY_IAM"}
	b.Tags = map[string]string{"k": "v"}
	run(t, f, p, Options{})
	for _, r := range f.log {
		if c := r.Create; c != nil {
			if fmt.Sprint(c.Parameters) != "map[Plain:x Read:value of a]" || fmt.Sprint(c.Capabilities, c.Tags) != "[CAPABILITY_IAM] map[k:v]" || !c.New {
				t.Errorf("%+v", c)
			}
			want, err := cfn.DigestOf(*b.Template, b.Tags, c.Parameters)
			if m, _ := cfn.ParseMarker(c.Template.Description); err != nil || m.Digest != want || m.Owner != owner {
				t.Errorf("marker %+v", m)
			}
		}
	}
	b.Parameters["Odd"] = cfn.LogicalRef("X")
	p.Steps[0].Base, p.Steps[0].Action = plan.FingerprintStack(&f.find("bp-b").LiveStack), plan.ActionUpdate
	if got := run(t, f, p, Options{}).Steps[0]; got.Outcome != OutcomeFailed || !strings.Contains(got.Message, "template parameter Odd is no text") {
		t.Errorf("%+v", got)
	}
}

func TestResultPredicates(t *testing.T) {
	r := Result{Steps: []StepResult{{Outcome: OutcomeBlocked}}}
	if !r.Blocked() || r.Done() || r.Failed() || r.Refused() {
		t.Errorf("%+v", r)
	}
	err := error(&RefusedError{Findings: []plan.Finding{{Code: "wrong-account", Message: "it is another account"}}})
	if want := "the plan has errors and is not applied: wrong-account: it is another account"; err.Error() != want {
		t.Error(err)
	}
	err = fmt.Errorf("apply: %w", &PlanError{Step: "stack/x", Reason: "why"})
	var invalid *PlanError
	if !errors.As(err, &invalid) || err.Error() != "apply: invalid plan: step stack/x: why" {
		t.Error(err)
	}
}

func TestBlockedStepsAreLeft(t *testing.T) {
	f := newFake()
	p := computePlan(f, append(chain(), wish{name: "bp-other", template: topic("x")})...)
	p.Steps[1].Blocked = &plan.Blocked{Reason: "an image is missing", Command: "docker push"}
	r := run(t, f, p, Options{})
	if got := outcomes(r); got != "stack/bp-a done\nstack/bp-b blocked\nstack/bp-c skipped\nstack/bp-other done\n" {
		t.Error(got)
	}
	if got := r.Steps[1]; got.Message != "an image is missing (specs/bp-b.yaml:1)" || got.Command != "docker push" {
		t.Errorf("%+v", got)
	}
}

func TestMentions(t *testing.T) {
	v := map[string]any{
		"a": map[string]any{"Ref": "A"},
		"b": []any{map[string]any{"Fn::GetAtt": "B.Arn"}, map[string]any{"Fn::GetAtt": []any{"C", "Arn"}}, map[string]any{"Fn::GetAtt": 1}},
		"c": map[string]any{"Fn::Sub": "x ${D} ${E.Arn} ${!F} ${G"},
		"d": map[string]any{"Fn::Sub": []any{"${H}", map[string]any{"V": map[string]any{"Ref": "I"}}}},
		"e": map[string]any{"Fn::Sub": 1},
	}
	found := map[string]bool{}
	mentions(v, func(name string, byRef bool) { found[fmt.Sprint(name, byRef)] = true })
	for _, want := range []string{"Atrue", "Bfalse", "Cfalse", "Dtrue", "Efalse", "Htrue", "Itrue"} {
		if !found[want] {
			t.Errorf("%s is missing in %v", want, found)
		}
		delete(found, want)
	}
	delete(found, "false") // the attribute of nothing
	if len(found) > 0 {
		t.Errorf("and %v", found)
	}
}
