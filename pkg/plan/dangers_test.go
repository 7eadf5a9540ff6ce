package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func TestDangersAreTheWorstFirst(t *testing.T) {
	line := func(n int) spec.Source { return spec.Source{File: "p.yaml", Line: n} }
	property := func(resource, path string, before, after any) plan.Change {
		return plan.Change{Resource: resource, Type: "T", Action: plan.ActionUpdate, Path: "Properties." + path, Before: before, After: after, Source: line(9)}
	}
	p := plan.Plan{Steps: []plan.Step{
		{ID: "log-group/g", Kind: plan.KindLogGroup, Target: "g", Action: plan.ActionUpdate, Risk: "events are deleted", Source: line(1)},
		{ID: "stack/s", Kind: plan.KindStack, Target: "s", Action: plan.ActionUpdate, Source: line(2), Changes: []plan.Change{
			{Resource: "Old", Type: "T", Action: plan.ActionDelete, Source: line(3)},
			{Resource: "Data", Type: "T", Action: plan.ActionReplace, Path: "Properties.Name", Replace: plan.ReplaceYes, Source: line(4)},
			property("Data", "EngineVersion", "16.10", "16.9"), property("Data", "EngineVersion", "16.9", "16.10"),
			property("Data", "DBInstanceClass", "db.t4g.2xlarge", "db.t4g.large"), property("Data", "DBInstanceClass", "db.t4g.large", "db.m7g.medium"),
			property("Data", "MultiAZ", true, false), property("Data", "MultiAZ", false, true),
			property("Scaling", "MaxCapacity", 4, "3"), property("Scaling", "MaxCapacity", 3, 4),
		}, Approvals: []plan.Approval{{Kind: plan.ApproveReplace, Target: "s/Data", Why: "is replaced"}, {Kind: plan.ApproveDestroy, Target: "s/Data", Why: "starts empty"}}},
		{ID: "parameter/x", Kind: plan.KindParameter, Target: "/x", Action: plan.ActionDelete, Source: line(5)},
	}}
	var got []string
	for _, d := range plan.Dangers(p) {
		mark := ""
		if d.Approval != nil {
			mark = "!"
		}
		got = append(got, mark+string(d.Kind)+" "+d.Target+": "+d.Why+" @"+string(rune('0'+d.Source.Line)))
	}
	want := []string{
		"!destroy s/Data: starts empty @4", "!replace s/Data: is replaced @4",
		"delete s/Old: Old (T) is deleted @3", "delete /x: parameter /x is deleted @5",
		"downgrade s/Data: EngineVersion of Data goes down from 16.10 to 16.9 @9",
		"downgrade s/Data: DBInstanceClass of Data goes down from db.t4g.2xlarge to db.t4g.large @9",
		"downgrade s/Data: MultiAZ of Data goes down from true to false @9",
		"downgrade s/Scaling: MaxCapacity of Scaling goes down from 4 to 3 @9",
		"risk g: events are deleted @1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
