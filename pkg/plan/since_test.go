package plan_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// evolved draws what specs become: some things of one state, some of another.
func evolved(t *rapid.T, was plan.Desired) plan.Desired {
	if rapid.Bool().Draw(t, "all anew") {
		return someDesired(t)
	}
	d := was
	d.Stacks = append([]plan.Stack(nil), was.Stacks...)
	d.LogGroups = append([]plan.LogGroup(nil), was.LogGroups...)
	if n := len(d.Stacks); rapid.Bool().Draw(t, "drop the last") && n > 1 {
		d.Stacks, d.Secrets = d.Stacks[:n-1], nil
	}
	if rapid.Bool().Draw(t, "move lines") {
		for i := range d.Stacks {
			d.Stacks[i].Source = spec.Source{File: "moved.yaml", Line: i + 1}
		}
	}
	i := rapid.IntRange(0, len(d.Stacks)-1).Draw(t, "which")
	if rapid.Bool().Draw(t, "change one") {
		d.Stacks[i] = someStack(t, plan.Desired{Stacks: d.Stacks[:i], Parameters: d.Parameters}, i)
	}
	if rapid.Bool().Draw(t, "another group") {
		d.LogGroups = append(d.LogGroups, plan.LogGroup{Name: "/g/new", RetentionDays: 30})
	}
	return d
}

func since(t rapid.TB, was, d plan.Desired) *plan.Since {
	t.Helper()
	s, err := plan.ChangedSince(was, d)
	if err != nil {
		t.Fatal(err)
	}
	s.Commit = "0123456789ab"
	return &s
}

// does is a step without what the rest of its plan decides.
func does(t rapid.TB, s plan.Step) string {
	s.Needs, s.Reason, s.Risk, s.Source = nil, "", "", spec.Source{}
	if s.Blocked != nil && strings.HasPrefix(s.Blocked.Reason, "needs ") {
		s.Blocked = nil // another step is, which counts itself
	}
	s.Approvals = slices.Clone(s.Approvals)
	for i := range s.Approvals {
		s.Approvals[i].Why = ""
	}
	s.Changes = slices.Clone(s.Changes)
	for i := range s.Changes {
		s.Changes[i].Source = spec.Source{}
	}
	return encode(t, s)
}

// Where AWS is as the specs before say, a plan limited to what changed since is
// the whole plan.
func TestChangedSinceIsTheWholePlan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was := someDesired(rt)
		d := evolved(rt, was)
		l := deployed(t, was)
		whole := compute(rt, d, l)
		limited, err := plan.Compute(d, l, plan.Options{Tool: "test", Select: plan.Selection{Since: since(rt, was, d)}})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(whole.Steps, limited.Steps); diff != "" {
			rt.Fatalf("(-whole +limited):\n%s", diff)
		}
	})
}

// Wherever AWS is, whatever the change of the specs made or altered in the plan
// is the step of something that was selected. (A selected thing has no step
// where it only follows one that was pending before and is left out.)
func TestChangedSinceMissesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was := someDesired(rt)
		d := evolved(rt, was)
		l := deployed(t, someDesired(rt))
		if rapid.Bool().Draw(rt, "trouble") {
			trouble(rt, l)
		}
		before := map[plan.StepID]string{}
		for _, s := range compute(rt, was, l).Steps {
			before[s.ID] = does(rt, s)
		}
		changes := since(rt, was, d)
		limited, err := plan.Compute(d, l, plan.Options{Tool: "test", Select: plan.Selection{Since: changes}})
		if err != nil {
			rt.Fatal(err)
		}
		selected := slices.Concat(limited.Since.Compared, changes.Gone)
		for _, s := range compute(rt, d, l).Steps {
			if before[s.ID] != does(rt, s) && !slices.Contains(selected, plan.ID(s.Kind, s.Target)) {
				rt.Fatalf("step %s changed and is not selected; that were %v; (-before +now):\n%s", s.ID, selected, cmp.Diff(before[s.ID], does(rt, s)))
			}
		}
	})
}

// What was left out is said, in a note for people and as data.
func TestChangedSinceSaysWhatItLeftOut(t *testing.T) {
	stack := func(name, cidr string, needs ...string) plan.Stack {
		s := plan.Stack{Name: name, DependsOn: needs}
		s.Template.Resources = map[string]cfn.Resource{"Vpc": res("AWS::EC2::VPC", props{"CidrBlock": cidr})}
		return s
	}
	target := plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"}
	was := plan.Desired{Target: target, Stacks: []plan.Stack{stack("a", "10.0.0.0/16"), stack("b", "10.0.0.0/16", "a"), stack("c", "10.0.0.0/16"), stack("d", "10.0.0.0/16")}}
	d := plan.Desired{Target: target, Stacks: []plan.Stack{stack("a", "10.1.0.0/16"), was.Stacks[1], was.Stacks[2]}}
	s := since(t, was, d)
	if diff := cmp.Diff(plan.Since{Commit: "0123456789ab", IDs: []plan.StepID{"stack/a", "stack/b"}, Gone: []plan.StepID{"stack/d"}}, *s); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p, err := plan.Compute(d, deployed(t, was), plan.Options{Select: plan.Selection{Since: s}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&plan.Limits{Commit: "0123456789ab", Compared: []plan.StepID{"stack/a", "stack/b"}, LeftOut: []plan.StepID{"stack/c"}}, p.Since); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	said := ""
	for _, f := range p.Findings {
		if f.Code == "changed-since" {
			said = f.Message
		}
	}
	if want := "only what the change since 0123456789ab can affect was compared, 2 things of the specs; left out are 1 other: c"; said != want {
		t.Errorf("got %q, want %q", said, want)
	}
	if _, there := p.Step("stack/d"); !there {
		t.Errorf("the stack that left the specs is not deleted:\n%s", show(p))
	}
	was.Target.Region = "eu-west-1"
	if s, err := plan.ChangedSince(was, d); err != nil || !strings.Contains(s.Everything, "region") {
		t.Errorf("got %+v, %v", s, err)
	}
}
