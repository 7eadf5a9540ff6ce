package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// PlanText writes a plan for people: what needs their consent, what is
// blocked, the steps in order, hand edits, findings, and the totals last,
// where a terminal leaves them in sight, with the command that gives consent.
func PlanText(w io.Writer, p plan.Plan, o Options) error {
	t := planText{page: newPage(o), p: p, used: map[symbol]bool{}, column: 1}
	if replaces(p) {
		t.column = len(symbolReplace)
	}
	t.header()
	t.findings("Cannot be applied", plan.SeverityError)
	t.approvals()
	t.blocked()
	t.steps()
	t.drift()
	t.findings("Warnings", plan.SeverityWarning)
	t.findings("Notes", plan.SeverityNote)
	t.totals()
	t.consent()
	return t.flush(w)
}

type planText struct {
	*page
	p      plan.Plan
	used   map[symbol]bool
	column int // that symbols take
}

// section starts a part of the page, with an empty line before it.
func (t *planText) section(title string) {
	t.linef("\n%s", t.bold(title))
}

// mark is a symbol, colored, in its column.
func (t *planText) mark(s symbol) string {
	t.used[s] = true
	return strings.Repeat(" ", max(0, t.column-len(s))) + t.symbol(s)
}

// replaces tells whether the symbol for a replacement, which is wide, is needed.
func replaces(p plan.Plan) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
		return symbolOf(s.Action) == symbolReplace || slices.ContainsFunc(byResource(s.Changes), func(g []plan.Change) bool { return strongest(g) == symbolReplace })
	})
}

func (t *planText) header() {
	what := "Plan for "
	if t.p.Destroy {
		what = "Plan to destroy "
	}
	line := what + clean(t.p.Target.Platform) + " in account " + clean(t.p.Target.Account) + ", " + clean(t.p.Target.Region)
	if r := t.p.Target.Revision; r != "" {
		line += ", specs at " + clean(r)
	}
	t.linef("%s", t.bold(line))
}

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
			if !unsound(t.p) {
				names = "named in the command below"
			}
			t.linef("  %s %s of %s", t.red(string(g.approvals[0].Kind)), counted(len(g.approvals), "resource"), clean(g.stack))
			t.paragraph(6, names)
			continue
		}
		a := g.approvals[0]
		given := ""
		if t.o.given(a) {
			given = t.green(" (given)")
		}
		t.linef("  %s%s%s", t.red(string(a.Kind)), ":"+clean(a.Target), given)
		t.paragraph(6, a.Why)
	}
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

// consents groups the approvals of a plan, in its order.
func consents(p plan.Plan) []consentGroup {
	var out []consentGroup
	for _, s := range p.Steps {
		replaces := consentGroup{stack: s.Target}
		for _, a := range s.Approvals {
			if a.Kind == plan.ApproveReplace {
				replaces.approvals = append(replaces.approvals, a)
			}
		}
		for _, a := range s.Approvals {
			switch {
			case a.Kind != plan.ApproveReplace || len(replaces.approvals) < manyReplaces:
				out = append(out, consentGroup{stack: s.Target, approvals: []plan.Approval{a}})
			case a.Target == replaces.approvals[0].Target:
				out = append(out, replaces)
			}
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
func refusable(p plan.Plan, refused, waiting []plan.Step) []plan.Step {
	var out []plan.Step
	for _, s := range p.Steps {
		in := func(o plan.Step) bool { return o.ID == s.ID }
		if len(s.Approvals) > 0 && (slices.ContainsFunc(refused, in) || slices.ContainsFunc(waiting, in) || s.Blocked == nil) {
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

func (t *planText) blocked() {
	groups := blockades(t.p)
	if len(groups) == 0 {
		return
	}
	t.section(blockedTitle(t.p))
	for _, g := range groups {
		t.linef("  %s", clean(g.first.Target))
		t.paragraph(6, g.first.Blocked.Reason)
		if c := g.first.Blocked.Command; c != "" {
			t.command(6, "unblock: ", flagged(t.o.complete(c)))
		}
		if len(g.waiting) > 0 {
			t.paragraph(6, "with it wait: "+strings.Join(g.waiting, ", "))
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
		} else {
			g.waiting = append(g.waiting, clean(s.Target))
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

func (t *planText) findings(title string, severity plan.Severity) {
	for _, f := range shownFindings(t.p, severity, t.o.Verbose) {
		if title != "" {
			t.section(title)
			title = ""
		}
		message := f.Message
		if f.Target != "" && !strings.Contains(message, f.Target) {
			message = f.Target + ": " + message
		}
		if at := place(f.Source); at != "" {
			message += " (" + at + ")"
		}
		t.item(2, t.severity(severity, "*"), 4, message)
		if f.Command != "" {
			t.command(4, "next: ", flagged(t.o.complete(f.Command)))
		}
	}
}

// severity colors text by how bad it is.
func (k ink) severity(s plan.Severity, text string) string {
	switch s {
	case plan.SeverityError:
		return k.red(text)
	case plan.SeverityWarning:
		return k.yellow(text)
	}
	return text
}

func (t *planText) drift() {
	if len(t.p.Drift) == 0 {
		return
	}
	t.section("Edited by hand since it was deployed")
	for _, c := range t.p.Drift {
		name := c.Resource
		if c.Stack != "" {
			name = c.Stack + "/" + c.Resource
		}
		if c.Path == "" {
			t.linef("  %s %s  %s is gone%s", t.mark(symbolDrift), clean(name), clean(c.Type), t.source(c))
			continue
		}
		t.linef("  %s %s  %s: %s, deployed was %s%s", t.mark(symbolDrift), clean(name), clean(shortPath(c.Path)),
			t.o.show(c.Before), t.o.show(c.After), t.source(c))
	}
}

func (t *planText) source(c plan.Change) string {
	if at := place(c.Source); at != "" {
		return t.dim("  # " + at)
	}
	return ""
}

// totals ends the page: what the symbols mean, then the sentence that scripts
// look for.
func (t *planText) totals() {
	if len(t.used) > 0 {
		var means []string
		for _, l := range legend {
			if t.used[l.symbol] {
				means = append(means, t.symbol(l.symbol)+" "+t.dim(l.text))
			}
		}
		t.linef("\n%s", strings.Join(means, "   "))
	}
	t.WriteByte('\n')
	if t.p.Empty() {
		t.linef("%s", t.green(nothing(t.p)))
		if len(t.p.NotRead) > 0 {
			t.paragraph(0, "Not looked at: "+strings.Join(t.p.NotRead, ", ")+".")
		}
		t.standing()
		return
	}
	t.linef("%s", t.bold(totals(t.p.Summary)))
	if more := furtherTotals(t.p.Summary); more != "" {
		t.linef("%s", more)
	}
	t.standing()
}

// standing is one line for the notes that are not shown and ask for something.
func (t *planText) standing() {
	if t.o.Verbose {
		return
	}
	if text := standing(t.p, t.o); text != "" {
		t.paragraph(0, text)
	}
}

// nothing is the sentence for a plan without steps.
func nothing(p plan.Plan) string {
	switch {
	case p.Destroy:
		return "No changes. Nothing is left to destroy."
	case len(p.Drift) > 0:
		return "No changes to deploy, but " + counted(len(p.Drift), "setting") + " edited by hand. Your infrastructure does not match the configuration."
	}
	return "No changes. Your infrastructure matches the configuration."
}

func totals(s plan.Summary) string {
	return fmt.Sprintf("Plan: %d to add, %d to change, %d to destroy.", s.Add, s.Change, s.Destroy)
}

func furtherTotals(s plan.Summary) string {
	var parts []string
	if s.Replace > 0 {
		parts = append(parts, fmt.Sprintf("%d to replace", s.Replace))
	}
	if s.Drift > 0 {
		parts = append(parts, fmt.Sprintf("%d drifted", s.Drift))
	}
	if s.Blocked > 0 {
		parts = append(parts, counted(s.Blocked, "step")+" blocked")
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + "."
}
