package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
)

// finish orders what was found into a plan.
func (c *computation) finish(tool string, destroy bool) (Plan, error) {
	c.backendRows()
	needs := make(map[StepID][]StepID, len(c.steps))
	for id, s := range c.steps {
		needs[id] = s.Needs
	}
	order, cycle := topological(needs)
	if cycle != nil {
		return Plan{}, &CycleError{Cycle: cycle}
	}
	since := c.limits(c.sel)
	p := Plan{
		FormatVersion: FormatVersion, Tool: tool, Target: c.d.Target, Destroy: destroy,
		Steps: make([]Step, 0, len(order)), Findings: sortFindings(c.findings), Drift: c.drift,
		NotRead: append([]string(nil), c.l.NotRead...), Applied: AppliedIn(c.l, c.d.Target.Platform), Since: since,
	}
	for _, id := range order {
		p.Steps = append(p.Steps, *c.steps[id])
	}
	sort.Strings(p.NotRead)
	sort.SliceStable(p.Drift, func(i, j int) bool {
		a, b := p.Drift[i], p.Drift[j]
		return fmt.Sprint(a.Stack, "\x00", a.Resource, "\x00", a.Path) < fmt.Sprint(b.Stack, "\x00", b.Resource, "\x00", b.Path)
	})
	p.Summary = summarize(p)
	d, err := p.digest()
	p.Digest = d
	return p, err
}

// digest is the hash of everything that a reader or apply relies on.
func (p Plan) digest() (string, error) {
	p.Tool, p.Digest = "", ""
	b, err := cfn.Canonical(p)
	if err != nil {
		return "", fmt.Errorf("digest of the plan: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// DigestMatches tells whether a plan that was saved is as it was computed.
func (p Plan) DigestMatches() bool {
	d, err := p.digest()
	return err == nil && d == p.Digest
}

// sortFindings orders by severity, code and target, and drops repetitions.
func sortFindings(in []Finding) []Finding {
	rank := map[Severity]int{SeverityError: 0, SeverityWarning: 1, SeverityNote: 2}
	key := func(f Finding) string {
		return fmt.Sprintf("%d\x00%s\x00%s\x00%s\x00%s\x00%s:%08d", rank[f.Severity], f.Code, f.Target, f.Message, f.Command, f.Source.File, f.Source.Line)
	}
	sort.SliceStable(in, func(i, j int) bool { return key(in[i]) < key(in[j]) })
	var out []Finding
	for i, f := range in {
		if i == 0 || key(f) != key(in[i-1]) {
			out = append(out, f)
		}
	}
	return out
}

// summarize counts resources. What a stack changes beside its resources
// (outputs, tags) counts as one change when nothing else of it does.
func summarize(p Plan) Summary {
	var s Summary
	for _, step := range p.Steps {
		if step.Blocked != nil {
			s.Blocked++
		}
		switch step.Action {
		case ActionProtect, ActionUnprotect, ActionRecover:
			// Beside the stack's own step they are no change of their own.
			if _, counted := p.Step(ID(KindStack, step.Target)); !counted {
				s.Change++
			}
			continue
		}
		s.count(step)
	}
	hands := map[string]bool{}
	for _, ch := range p.Drift {
		hands[ch.Stack+"\x00"+ch.Resource] = true
	}
	s.Drift = len(hands)
	return s
}

func (s *Summary) count(step Step) {
	strongest := map[string]Change{}
	for _, ch := range step.Changes {
		if step.Kind == KindStack && (strings.Contains(ch.Resource, ".") || ch.Resource == "Transform") {
			continue
		}
		if had, ok := strongest[ch.Resource]; !ok || weight(ch.Action) > weight(had.Action) {
			strongest[ch.Resource] = ch
		}
	}
	if len(strongest) == 0 && len(step.Changes) > 0 {
		s.Change++
	}
	for _, ch := range strongest {
		switch ch.Action {
		case ActionImport:
			s.Import++
		case ActionCreate:
			s.Add++
		case ActionReplace:
			s.Replace++
			s.Add++
			s.Destroy++
		case ActionDelete:
			if !ch.Retained {
				s.Destroy++
			}
		default:
			s.Change++
		}
	}
}

func weight(a Action) int {
	switch a {
	case ActionReplace:
		return 3
	case ActionDelete, ActionCreate:
		return 2
	}
	return 1
}
