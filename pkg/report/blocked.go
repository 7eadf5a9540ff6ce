package report

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// manyBlocked is how many causes are told unless everything is wanted.
const manyBlocked = 10

func (t *planText) blocked() {
	if len(blockades(t.p)) > 0 {
		t.section(blockedTitle(t.p))
		t.blockades(t.p)
	}
}

// blockades writes what is blocked: each cause with what lifts it and with
// what waits for it.
func (p *page) blockades(of plan.Plan) {
	groups := blockades(of)
	for i, g := range groups {
		if i == manyBlocked && !p.o.Verbose && len(groups) > manyBlocked+1 {
			p.linef("  … and %d more", len(groups)-i)
			break
		}
		p.linef("  %s", clean(g.first.Target))
		p.paragraph(6, g.first.Blocked.Reason)
		if c := g.first.Blocked.Command; c != "" {
			p.command(6, "unblock: ", flagged(p.o.complete(c)))
		}
		if len(g.waiting) > 0 {
			p.paragraph(6, "with it wait: "+some(g.waiting))
		}
	}
}

func blockedTitle(p plan.Plan) string {
	n := 0
	for _, s := range p.Steps {
		if s.Blocked == nil {
			n++
		}
	}
	switch n {
	case 0:
		return "Blocked; no step can run"
	case 1:
		return "Blocked; 1 step can run"
	}
	return fmt.Sprintf("Blocked; the other %d steps can run", n)
}

// blockade is a step that is blocked by itself and those that wait for it.
type blockade struct {
	first   plan.Step
	waiting []string
}

// blockades groups the blocked steps of a plan: a cause is told once, for all
// steps that have the same and for those that need one of them.
func blockades(p plan.Plan) []*blockade {
	var out []*blockade
	at := map[plan.StepID]*blockade{}
	told := map[plan.Blocked]*blockade{}
	for _, s := range p.Steps {
		if s.Blocked == nil {
			continue
		}
		g := told[*s.Blocked]
		if root, ok := waitsFor(*s.Blocked); ok && at[root] != nil {
			g = at[root]
		}
		if g == nil {
			g = &blockade{first: s}
			out = append(out, g)
			told[*s.Blocked] = g
		} else if target := clean(s.Target); s.Target != g.first.Target && !slices.Contains(g.waiting, target) {
			g.waiting = append(g.waiting, target)
		}
		at[s.ID] = g
	}
	return out
}

// waitsFor is the step that blocks another one, as the plan's sentence has it.
func waitsFor(b plan.Blocked) (plan.StepID, bool) {
	rest, ok := strings.CutPrefix(b.Reason, "needs ")
	if !ok {
		return "", false
	}
	root, ok := strings.CutSuffix(rest, ", which is blocked")
	return plan.StepID(root), ok
}
