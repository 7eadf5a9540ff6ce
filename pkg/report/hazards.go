package report

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// hazard is a danger, or several that are the same but for their names.
type hazard struct {
	first    plan.Danger
	why      string
	targets  []string
	sources  []spec.Source
	needs    bool // an approval that is not given yet
	approved bool
}

// hazards groups the dangers of a plan, in their order.
func (o Options) hazards(p plan.Plan) []hazard {
	steps := stepsOf(p)
	var out []hazard
	at := map[string]int{}
	for _, d := range plan.Dangers(p) {
		rename := nameless(steps[d.Step])
		where := place(d.Source)
		// The line differs from fleet to fleet, and stands beside as a link.
		why := strings.TrimSuffix(d.Why, " ("+where+")")
		approved := d.Approval != nil && o.given(*d.Approval)
		key := fmt.Sprint(d.Kind, "\n", rename(why), "\n", rename(d.Target), "\n", approved)
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, hazard{first: d, why: why, approved: approved, needs: d.Approval != nil && !approved})
		} else {
			out[i].why = rename(out[i].why)
		}
		h := &out[i]
		if !slices.Contains(h.targets, d.Target) {
			h.targets = append(h.targets, d.Target)
		}
		if where != "" && len(h.sources) < manySources && !slices.ContainsFunc(h.sources, func(s spec.Source) bool { return place(s) == where }) {
			h.sources = append(h.sources, d.Source)
		}
	}
	return out
}

// manySources is how many spec lines stand beside what they cause.
const manySources = 4

// hazardNoun is what a kind of danger is called in counts.
func hazardNoun(k plan.DangerKind) string {
	switch k {
	case plan.DangerKind(plan.ApproveDestroy), plan.DangerDelete:
		return "deletion"
	case plan.DangerKind(plan.ApproveReplace):
		return "replacement"
	case plan.DangerKind(plan.ApproveCapacity):
		return "capacity cut"
	case plan.DangerKind(plan.ApproveUnprotect):
		return "lifted protection"
	case plan.DangerKind(plan.ApproveRecover):
		return "recovery"
	case plan.DangerDowngrade:
		return "downgrade"
	}
	return "risk"
}

// hazardCounts says how many dangers there are of each kind.
func hazardCounts(hs []hazard) string {
	var order []string
	n := map[string]int{}
	for _, h := range hs {
		noun := hazardNoun(h.first.Kind)
		if n[noun] == 0 {
			order = append(order, noun)
		}
		n[noun] += len(h.targets)
	}
	parts := make([]string, len(order))
	for i, noun := range order {
		parts[i] = counted(n[noun], noun)
	}
	return strings.Join(parts, ", ")
}

// lacking are the approvals that a plan needs and nobody gave, each once.
func (o Options) lacking(p plan.Plan) []plan.Approval {
	var out []plan.Approval
	told := map[string]bool{}
	for _, s := range p.Steps {
		for _, a := range s.Approvals {
			if !o.given(a) && !told[a.String()] {
				told[a.String()] = true
				out = append(out, a)
			}
		}
	}
	return out
}
