package apply

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// desired is what the wishes ask for, with a parameter, a secret and a log
// group beside them.
func desired(wishes []wish) plan.Desired {
	d := plan.Desired{
		Target:     plan.Target{Platform: owner},
		Parameters: []plan.Parameter{{Name: "/key", Type: secureString, Generate: "hex48", Policy: plan.PolicyCreate}},
		LogGroups:  []plan.LogGroup{{Name: "/logs", RetentionDays: 30}},
	}
	for _, w := range wishes {
		d.Stacks = append(d.Stacks, plan.Stack{Name: w.name, Template: w.template, Protect: len(w.needs) > 1})
	}
	last := wishes[len(wishes)-1].name
	d.Parameters = append(d.Parameters, plan.Parameter{Name: "/last", Type: "String", Value: cfn.StackOutput(last, "Value"), Policy: plan.PolicyOwn})
	d.Secrets = []plan.Secret{{Name: "/secret", Stack: last, Generate: "laravel-key"}}
	return d
}

// live is all that the fake has.
func (f *fake) live() plan.Live {
	l := plan.Live{
		Stacks: map[string]plan.LiveStack{}, Parameters: map[string]plan.LiveParameter{}, Secrets: map[string]plan.LiveSecret{},
		LogGroups: map[string]plan.LiveLogGroup{}, Groups: map[string]plan.LiveGroup{},
	}
	for _, s := range f.stacks {
		if s.Status == "DELETE_COMPLETE" {
			continue
		}
		stack := s.LiveStack
		stack.Described, stack.Resources = true, map[string]plan.LiveResource{}
		if stack.Template == nil {
			stack.Template = &cfn.Template{}
		}
		if stack.Status != "ROLLBACK_COMPLETE" {
			for id, r := range stack.Template.Resources {
				stack.Resources[id] = plan.LiveResource{Type: r.Type, PhysicalID: id, Status: "CREATE_COMPLETE"}
			}
		}
		if s.next != nil {
			stack.Token = s.token
		}
		l.Stacks[s.Name] = stack
	}
	for name, p := range f.parameters {
		l.Parameters[name] = p
	}
	for name, s := range f.secrets {
		l.Secrets[name] = s
	}
	for name, g := range f.logGroups {
		l.LogGroups[name] = g
	}
	return l
}

// Plan and apply as the program does them, killed at any message: from any
// settled state the next runs end with nothing left to do.
func TestKilledRunsConvergeWithTheRealPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		f.secrets["/secret"] = plan.LiveSecret{ARN: "arn:secret"}
		wishes := drawWishes(t)
		drawLive(t, f, wishes)
		drawOrder(t, f)
		d := desired(wishes)
		compute := func() plan.Plan {
			p, err := plan.Compute(d, f.live(), plan.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		once := func(p plan.Plan) {
			o := Options{AllowAll: map[plan.ApprovalKind]bool{
				plan.ApproveRecover: true, plan.ApproveReplace: true, plan.ApproveDestroy: true, plan.ApproveUnprotect: true,
			}}
			if _, err := Run(context.Background(), p, f, o, nil); err != nil {
				t.Fatal(err)
			}
			for _, w := range f.wrong {
				t.Fatal(w)
			}
		}
		p := compute()
		for range rapid.IntRange(0, 4).Draw(t, "kills") {
			if rapid.Bool().Draw(t, "new plan") {
				p = compute()
			}
			f.crash = rapid.IntRange(1, 60).Draw(t, "killed at")
			once(p)
			f.crash, f.queue = 0, nil
			if rapid.Bool().Draw(t, "operations end") {
				f.settle()
			}
		}
		for range 4 {
			var stacks []plan.LiveStack
			for _, name := range union(f.live().Stacks, nil) {
				stacks = append(stacks, f.live().Stacks[name])
			}
			if _, err := Settle(context.Background(), stacks, owner, f, nil); err != nil {
				t.Fatal(err)
			}
			once(compute())
		}
		if left := compute(); !left.Empty() {
			t.Fatalf("still to do: %+v", left.Steps)
		}
		if p := f.parameters["/key"]; p.Version != 1 {
			t.Fatalf("the generated parameter is version %d", p.Version)
		}
		if s := f.secrets["/secret"]; s.Versions != 1 {
			t.Fatalf("the secret was written %d times", s.Versions)
		}
	})
}
