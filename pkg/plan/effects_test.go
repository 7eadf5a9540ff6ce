package plan_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// TestEffectsAreOfWhatIsDone: the same specs on the same account have the same
// effects from another commit, with another tool, at another time and read
// back from a file.
func TestEffectsAreOfWhatIsDone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was, d := someDesired(rt), someDesired(rt)
		l := deployed(t, was)
		p := compute(rt, d, l)
		want := plan.Effects(p)
		if len(want) != 64 {
			rt.Fatalf("effects %q", want)
		}
		again := d
		again.Target.Revision, again.Target.Specs = "another", "another"
		again.Stacks = slices.Clone(d.Stacks)
		for i := range again.Stacks {
			again.Stacks[i].Source = spec.Source{File: "elsewhere.yaml", Line: 7}
			again.Stacks[i].Template = cfn.Seal(again.Stacks[i].Template, "bp", "digest", "another")
			delete(again.Stacks[i].Template.Outputs, cfn.DigestOutput)
		}
		moved := l
		moved.Stacks = map[string]plan.LiveStack{}
		for name, s := range l.Stacks {
			s.Updated = s.Updated.Add(time.Hour)
			moved.Stacks[name] = s
		}
		moved.Parameters = map[string]plan.LiveParameter{}
		for name, v := range l.Parameters {
			v.Version += 3
			moved.Parameters[name] = v
		}
		q, err := plan.Compute(again, moved, plan.Options{Tool: "another"})
		if err != nil {
			rt.Fatal(err)
		}
		if got := plan.Effects(q); got != want {
			rt.Fatalf("the same has other effects:\n%s\n%s", show(p), show(q))
		}
		var back plan.Plan
		if err := json.Unmarshal([]byte(encode(rt, q)), &back); err != nil {
			rt.Fatal(err)
		}
		if got := plan.Effects(back); got != want {
			rt.Fatal("a plan that was saved has other effects")
		}
	})
}

// TestEffectsTellDifferences: whatever a step does differently shows.
func TestEffectsTellDifferences(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := compute(rt, someDesired(rt), deployed(t, someDesired(rt)))
		want := plan.Effects(p)
		if p.Empty() {
			return
		}
		i := rapid.IntRange(0, len(p.Steps)-1).Draw(rt, "step")
		q := p
		q.Steps = slices.Clone(p.Steps)
		s := &q.Steps[i]
		s.Changes, s.Approvals = slices.Clone(s.Changes), slices.Clone(s.Approvals)
		switch rapid.IntRange(0, 6).Draw(rt, "edit") {
		case 0:
			s.Action += "x"
		case 1:
			s.Changes = append(s.Changes, plan.Change{Resource: "X", Action: plan.ActionDelete})
		case 2:
			s.Approvals = append(s.Approvals, plan.Approval{Kind: plan.ApproveDestroy, Target: "x"})
		case 3:
			s.Blocked = &plan.Blocked{Reason: "new"}
		case 4:
			q.Steps = slices.Delete(q.Steps, i, i+1)
		case 5:
			q.Target.Account += "0"
		case 6:
			if s.Body.Stack == nil || s.Body.Stack.Template == nil {
				return
			}
			body, template := *s.Body.Stack, *s.Body.Stack.Template
			template.Outputs = map[string]cfn.Output{"Other": {Value: "v"}}
			body.Template = &template
			s.Body.Stack = &body
		}
		if plan.Effects(q) == want {
			rt.Fatalf("a difference does not show in step %s", s.ID)
		}
	})
}

// TestEffectsForgetTheMoment: instances that come and go change no effect, and
// the bound that is put on them does.
func TestEffectsForgetTheMoment(t *testing.T) {
	of := func(c plan.Capacity) string {
		return plan.StepEffects(plan.Step{ID: "stack/f", Body: plan.Body{Stack: &plan.StackBody{Capacity: []plan.Capacity{c}}}})
	}
	if of(plan.Capacity{Group: "g", Max: 2, Desired: 1}) != of(plan.Capacity{Group: "g", Max: 2, Desired: 2, InService: 2, Protected: 1}) {
		t.Error("the autoscaler's numbers are effects")
	}
	if of(plan.Capacity{Group: "g", Max: 2}) == of(plan.Capacity{Group: "g", Max: 1}) {
		t.Error("a lower maximum is no effect")
	}
}

// TestEffectsHaveTheOrder: a step that waits for another one does the same as
// before; the plan does not.
func TestEffectsHaveTheOrder(t *testing.T) {
	a, b := plan.Step{ID: "stack/a"}, plan.Step{ID: "stack/b", Needs: []plan.StepID{"stack/a"}}
	free := b
	free.Needs = nil
	if plan.StepEffects(b) != plan.StepEffects(free) {
		t.Error("what a step waits for is an effect of its own")
	}
	if plan.Effects(plan.Plan{Steps: []plan.Step{a, b}}) == plan.Effects(plan.Plan{Steps: []plan.Step{a, free}}) {
		t.Error("another order has the same effects")
	}
}

// TestEffectsHaveTheRole: the same steps with other rights are another plan,
// but for steps in which CloudFormation takes on no role.
func TestEffectsHaveTheRole(t *testing.T) {
	of := func(kind plan.Kind, target, role string) string {
		return plan.Effects(plan.Plan{Target: plan.Target{Platform: "bp", Role: role}, Steps: []plan.Step{{ID: "s", Kind: kind, Target: target}}})
	}
	for _, c := range []struct {
		kind   plan.Kind
		target string
		shows  bool
	}{{plan.KindStack, "bp-network", true}, {plan.KindStack, "bp-reconcile", false}, {plan.KindParameter, "/bp/x", false}} {
		same := of(c.kind, c.target, "") == of(c.kind, c.target, "arn:aws:iam::123456789012:role/other")
		if same == c.shows {
			t.Errorf("%s %s: the role shows: %v, want %v", c.kind, c.target, !same, c.shows)
		}
	}
}
