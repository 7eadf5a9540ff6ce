package report

import (
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// manyReplaces is from how many on the replacements in one stack are listed
// as one; the steps below say why each is.
const manyReplaces = 4

func (t *planText) approvals() {
	title := "Needs your approval"
	for _, g := range consents(t.p) {
		if title != "" {
			t.section(title)
			title = ""
		}
		if len(g.approvals) > 1 {
			names := strings.Join(g.resources(), ", ")
			all := !slices.ContainsFunc(g.approvals, func(a plan.Approval) bool { return !t.o.given(a) })
			if !unsound(t.p) && !all {
				names = "named in the command below"
			}
			given := ""
			if all {
				given = t.green(" (given)")
			}
			t.linef("  %s %s of %s%s", t.red(clean(string(g.approvals[0].Kind))), counted(len(g.approvals), "resource"), clean(g.stack), given)
			t.paragraph(6, names)
			continue
		}
		a := g.approvals[0]
		given := ""
		if t.o.given(a) {
			given = t.green(" (given)")
		}
		t.linef("  %s%s%s", t.red(clean(string(a.Kind))), ":"+clean(a.Target), given)
		t.paragraph(6, a.Why)
	}
}

// spent tells, after an approval's name, that the one of the specs was used.
func (o Options) spent(a plan.Approval) string {
	if by := o.Spent[a.String()]; by != "" {
		return ", whose approval in the specs was used by " + by + " and does not count again"
	}
	return ""
}

func (o Options) given(a plan.Approval) bool { return o.Given != nil && o.Given(a) }

// consentGroup is one approval, or all replacements in one stack.
type consentGroup struct {
	stack     string
	approvals []plan.Approval
}

func (g consentGroup) resources() []string {
	out := make([]string, len(g.approvals))
	for i, a := range g.approvals {
		out[i] = strings.TrimPrefix(a.Target, g.stack+"/")
	}
	return out
}

// consents groups the approvals of a plan, in its order, each once: a step that
// prepares another one may need the same consent.
func consents(p plan.Plan) []consentGroup {
	var out []consentGroup
	told := map[string]bool{}
	for _, s := range p.Steps {
		replaces := consentGroup{stack: s.Target}
		for _, a := range s.Approvals {
			if a.Kind == plan.ApproveReplace {
				replaces.approvals = append(replaces.approvals, a)
			}
		}
		for _, a := range s.Approvals {
			switch again := told[a.String()]; {
			case again:
			case a.Kind != plan.ApproveReplace || len(replaces.approvals) < manyReplaces:
				out = append(out, consentGroup{stack: s.Target, approvals: []plan.Approval{a}})
			case a.Target == replaces.approvals[0].Target:
				out = append(out, replaces)
			}
			told[a.String()] = true
		}
	}
	return out
}

// consent says, at the end, what happens without the approvals that are
// missing, and the one command that gives all of them.
func (t *planText) consent() {
	refused, waiting := Unapproved(t.p, t.o.Given)
	if len(refused) == 0 || unsound(t.p) {
		return
	}
	t.WriteByte('\n')
	line := counted(len(refused), "step") + " will be refused without your approval"
	if len(waiting) > 0 {
		line += ", and " + counted(len(waiting), "step") + " that " + agree(len(waiting), "needs", "need") + " " + agree(len(refused), "it", "them") + " will be skipped"
	}
	t.paragraph(0, line+". With all of it:")
	t.command(2, "", t.o.approving(t.p, refusable(t.p, refused, waiting)))
}

// unsound tells whether an error finding forbids to apply the plan at all.
func unsound(p plan.Plan) bool {
	return slices.ContainsFunc(p.Findings, func(f plan.Finding) bool { return f.Severity == plan.SeverityError })
}

// refusable are the steps that need consent, those that wait for one included.
func refusable(p plan.Plan, groups ...[]plan.Step) []plan.Step {
	in := map[plan.StepID]bool{}
	for _, g := range groups {
		for _, s := range g {
			in[s.ID] = true
		}
	}
	var out []plan.Step
	for _, s := range p.Steps {
		if len(s.Approvals) > 0 && (in[s.ID] || s.Blocked == nil) {
			out = append(out, s)
		}
	}
	return out
}

// Unapproved is what a run without further consent would leave out: the steps
// that a guard refuses, and those that are skipped because they need one.
// Steps that the plan blocks are neither.
func Unapproved(p plan.Plan, given func(plan.Approval) bool) (refused, skipped []plan.Step) {
	out := map[plan.StepID]bool{}
	for _, s := range p.Steps {
		if s.Blocked != nil {
			continue
		}
		lacks := slices.ContainsFunc(s.Approvals, func(a plan.Approval) bool { return given == nil || !given(a) })
		waits := slices.ContainsFunc(s.Needs, func(id plan.StepID) bool { return out[id] })
		switch {
		case waits:
			skipped = append(skipped, s)
		case lacks:
			refused = append(refused, s)
		default:
			continue
		}
		out[s.ID] = true
	}
	return refused, skipped
}
