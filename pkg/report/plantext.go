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
	t := planText{page: newPage(o), p: p, used: map[symbol]bool{}, column: 1, told: map[string]int{}}
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
	column int            // that symbols take
	told   map[string]int // what a step does → the first that does it
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
		color := t.green
		if unsound(t.p) {
			color = t.red
		}
		t.linef("%s", color(nothing(t.p)))
		if unsound(t.p) {
			return
		}
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
	case unsound(p):
		return "No plan, because of errors."
	case p.Destroy:
		return "No changes. Nothing is left to destroy."
	case len(p.Drift) > 0:
		return "No changes to deploy, but " + counted(len(p.Drift), "setting") + " edited by hand. Your infrastructure does not match the configuration."
	}
	return "No changes. Your infrastructure matches the configuration."
}

func totals(s plan.Summary) string {
	imports := ""
	if s.Import > 0 {
		imports = fmt.Sprintf("%d to import, ", s.Import)
	}
	return fmt.Sprintf("Plan: %s%d to add, %d to change, %d to destroy.", imports, s.Add, s.Change, s.Destroy)
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
