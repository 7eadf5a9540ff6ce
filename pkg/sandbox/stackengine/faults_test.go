package stackengine_test

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/pkg/sandbox/stackengine"
)

// A fault lets operations pass before it strikes, and strikes as often as it
// says; by chance, the same seed meets the same.
func TestFaultsAfterOthersAndByChance(t *testing.T) {
	w := newWorld(t)
	w.e.State.Faults = []stackengine.Fault{{Type: "AWS::SNS::Topic", After: 2, Times: 1, Message: "the third one"}}
	w.unchecked = true
	w.create("s", "Resources: {A: {Type: AWS::SNS::Topic}, B: {Type: AWS::SNS::Topic, DependsOn: A}, C: {Type: AWS::SNS::Topic, DependsOn: B}, D: {Type: AWS::SNS::Topic, DependsOn: C}}")
	if ev := w.events("s"); strings.Count(ev, "the third one") != 1 || !strings.Contains(ev, "The following resource(s) failed to create: [C].") {
		t.Error(ev)
	}
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "  T%d: {Type: AWS::SNS::Topic}\n", i)
	}
	struck := func(seed uint64) string {
		w := newWorld(t)
		w.e.State.Seed = seed
		w.e.State.Faults = []stackengine.Fault{{Type: "AWS::SNS::Topic", After: 50, Chance: 0.5, Delay: 600}}
		w.create("s", "Resources:\n"+b.String())
		if f := w.e.State.Faults[0]; f.Seen != 100 || f.Used < 10 || f.Used > 40 {
			t.Errorf("of %d operations %d were hit, after 50, half by chance", f.Seen, f.Used)
		}
		var slow []string // without ids, which differ between seeds anyway
		for _, line := range strings.Split(w.events("s"), "\n") {
			if f := strings.Fields(line); len(f) > 2 && f[2] == "CREATE_COMPLETE" && len(f[0]) > 4 {
				slow = append(slow, f[1])
			}
		}
		return strings.Join(slow, " ")
	}
	first := struck(7)
	if struck(7) != first {
		t.Error("the same seed meets other faults")
	}
	if struck(8) == first {
		t.Error("another seed meets the same faults")
	}
}
