package plan_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// TestNamesAreLookedForOnlyWhereSomethingIsMade: an unchanged platform asks
// for no name, a new stack for all of its own, an addition for its own, and a
// kept thing leads to the stack that made it.
func TestNamesAreLookedForOnlyWhereSomethingIsMade(t *testing.T) {
	bucket := func(name string) cfn.Resource {
		return cfn.Resource{Type: plan.TypeBucket, DeletionPolicy: "Retain", Properties: props{"BucketName": name}}
	}
	d := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"},
		Stacks: []plan.Stack{
			{Name: "a", Template: cfn.Template{Resources: map[string]cfn.Resource{
				"Old": bucket("old"), "Database": {Type: "AWS::RDS::DBInstance", DeletionPolicy: "Retain"},
				"Generated": {Type: plan.TypeSecret}, "Joined": {Type: plan.TypeBucket, Properties: props{"BucketName": props{"Fn::Sub": "x"}}},
			}}},
			{Name: "b", Template: cfn.Template{Resources: map[string]cfn.Resource{"B": bucket("b")}}},
		},
	}
	asked := func(d plan.Desired, l plan.Live) plan.ReadSet {
		t.Helper()
		r, err := plan.More(d, l, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	there := deployed(t, d)
	if r := asked(d, there); !r.Empty() {
		t.Errorf("unchanged: %+v", r)
	}
	delete(there.Stacks, "a")
	named := []plan.NamedResource{{Type: plan.TypeBucket, Name: "old"}}
	if diff := cmp.Diff(plan.ReadSet{Named: named}, asked(d, there), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a new stack (-want +got):\n%s", diff)
	}
	there.Named = map[string]plan.LiveNamed{named[0].Key(): {Exists: true, ID: "old", Owner: "bp", Maker: "arn:a"}}
	if diff := cmp.Diff(plan.ReadSet{Remains: []string{"arn:a"}}, asked(d, there), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a kept bucket (-want +got):\n%s", diff)
	}
	there.Remains = map[string]map[string]plan.LiveResource{"arn:a": {}}
	if r := asked(d, there); !r.Empty() {
		t.Errorf("everything is read: %+v", r)
	}

	there = deployed(t, d)
	d.Stacks[1].Template.Resources = map[string]cfn.Resource{"B": bucket("b"), "C": bucket("c")}
	if diff := cmp.Diff(plan.ReadSet{Named: []plan.NamedResource{{Type: plan.TypeBucket, Name: "c"}}}, asked(d, there), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("an addition (-want +got):\n%s", diff)
	}
}

// TestBusy: what is waited for before a plan is what the plan is about.
func TestBusy(t *testing.T) {
	topic := func(display any) cfn.Template {
		return cfn.Template{Resources: map[string]cfn.Resource{"T": res("AWS::SNS::Topic", props{"DisplayName": display})}, Outputs: map[string]cfn.Output{"O": {Value: "x"}}}
	}
	d := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"},
		Stacks: []plan.Stack{{Name: "low", Template: topic("a")}, {Name: "top", Template: topic(cfn.StackOutput("low", "O"))}, {Name: "aside", Template: topic("b"), Fleet: "staging/gpu"}},
		Fleets: []plan.Fleet{{ID: "staging/gpu", Stack: "aside"}},
	}
	l := deployed(t, d)
	orphan := l.Stacks["low"]
	orphan.Name = "orphan"
	l.Stacks["orphan"] = orphan
	l.Stacks["foreign"] = plan.LiveStack{Name: "foreign"}
	for name, s := range l.Stacks {
		s.Status = "UPDATE_IN_PROGRESS"
		l.Stacks[name] = s
	}
	names := func(stacks []plan.LiveStack, err error) []string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, s := range stacks {
			out = append(out, s.Name)
		}
		return out
	}
	for want, sel := range map[string]plan.Selection{
		"[aside low orphan top]": {}, "[low top]": {Stacks: []string{"top"}}, "[aside]": {Fleets: []string{"staging/*"}},
	} {
		if got := names(plan.Busy(d, l, sel)); fmt.Sprint(got) != want {
			t.Errorf("apply %+v waits for %v, want %s", sel, got, want)
		}
	}
	for want, sel := range map[string]plan.Selection{
		"[aside low orphan top]": {}, "[top]": {Stacks: []string{"top"}}, "[aside]": {Fleets: []string{"staging/*"}},
	} {
		if got := names(plan.DestroyBusy(d, l, plan.DestroyOptions{Select: sel})); fmt.Sprint(got) != want {
			t.Errorf("destroy %+v waits for %v, want %s", sel, got, want)
		}
	}
	if _, err := plan.Busy(d, l, plan.Selection{Stacks: []string{"nothing"}}); err == nil {
		t.Error("a selection of nothing is no error")
	}
}
