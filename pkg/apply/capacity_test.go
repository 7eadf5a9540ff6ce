package apply

import (
	"strings"
	"testing"

	"reconcile/pkg/plan"
)

// TestIdleGroupsAreReadAgain: a step that was planned while its groups were
// idle needs no approval, and is refused when one of them runs by then.
func TestIdleGroupsAreReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		groups map[string]plan.LiveGroup
		want   Outcome
		says   string
	}{
		"still idle":           {map[string]plan.LiveGroup{"a": {}, "b": {Desired: 2, InService: 2}}, OutcomeDone, ""},
		"gone":                 {nil, OutcomeDone, ""},
		"the first runs":       {map[string]plan.LiveGroup{"a": {Desired: 1}}, OutcomeRefused, "group a: the step would stop 1 instances (0 of them protected), and the plan said 0"},
		"the second runs more": {map[string]plan.LiveGroup{"a": {}, "b": {Desired: 3, InService: 2, Protected: 1}}, OutcomeRefused, "group b: the step would stop 1 instances (1 of them protected), and the plan said 0"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"update", "delete"} {
				f := newFake()
				f.groups = c.groups
				s := f.deploy("bp-a", owner, topic("old"))
				p := computePlan(f, wish{name: "bp-a", template: topic("new")})
				if kind == "delete" {
					p = stepPlan(deleteStep(s))
				}
				p.Steps[0].Body.Stack.Capacity = []plan.Capacity{{Group: "a"}, {Group: "b", Max: 2, Desired: 1}}
				got := run(t, f, p, Options{}).Steps[0]
				if got.Outcome != c.want || !strings.Contains(got.Message, c.says) {
					t.Errorf("%s: %s: %s", kind, got.Outcome, got.Message)
				}
				if c.want == OutcomeRefused && mutations(f) > 0 {
					t.Errorf("%s: %d writes", kind, mutations(f))
				}
			}
		})
	}
}
