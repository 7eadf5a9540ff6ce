package report

import (
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/plan"
)

// PlanText writes a plan for people: what needs their consent, what is
// blocked, the steps in order, hand edits, findings, and the totals last,
// where a terminal leaves them in sight.
func PlanText(w io.Writer, p plan.Plan, o Options) error {
	t := planText{page: newPage(o), p: p, used: map[symbol]bool{}}
	t.header()
	t.findings("Cannot be applied", plan.SeverityError)
	t.approvals()
	t.blocked()
	t.steps()
	t.drift()
	t.findings("Warnings", plan.SeverityWarning)
	t.findings("Notes", plan.SeverityNote)
	t.totals()
	return t.flush(w)
}

type planText struct {
	*page
	p    plan.Plan
	used map[symbol]bool
}

// section starts a part of the page, with an empty line before it.
func (t *planText) section(title string) {
	t.linef("\n%s", t.bold(title))
}

// mark is a symbol, colored, in a column of three.
func (t *planText) mark(s symbol) string {
	t.used[s] = true
	return strings.Repeat(" ", 3-len(s)) + t.symbol(s)
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

func (t *planText) approvals() {
	title := false
	destroys := 0
	for _, s := range t.p.Steps {
		for _, a := range s.Approvals {
			if !title {
				t.section("Needs your approval")
				title = true
			}
			if a.Kind == plan.ApproveDestroy {
				destroys++
			}
			t.linef("  %s %s", t.red(string(a.Kind)), clean(a.Target))
			t.paragraph(6, a.Why)
			t.linef("      %s", t.bold("--approve "+shellWord(a.String())))
		}
	}
	if destroys > 1 {
		t.linef("  --allow-destroy approves all %d destroys listed", destroys)
	}
}

func (t *planText) blocked() {
	if t.p.Summary.Blocked == 0 && !hasBlocked(t.p) {
		return
	}
	t.section("Blocked; the other steps can run")
	for _, s := range t.p.Steps {
		if s.Blocked == nil {
			continue
		}
		t.linef("  %s", clean(s.Target))
		t.paragraph(6, s.Blocked.Reason)
		if s.Blocked.Command != "" {
			t.linef("      unblock: %s", t.bold(clean(s.Blocked.Command)))
		}
	}
}

func hasBlocked(p plan.Plan) bool {
	for _, s := range p.Steps {
		if s.Blocked != nil {
			return true
		}
	}
	return false
}

func (t *planText) findings(title string, severity plan.Severity) {
	for _, f := range t.p.Findings {
		if f.Severity != severity {
			continue
		}
		if title != "" {
			t.section(title)
			title = ""
		}
		head := f.Target
		if head == "" {
			head = f.Code
		}
		line := "  " + t.severity(severity, clean(head))
		if at := place(f.Source); at != "" {
			line += t.dim("  # " + at)
		}
		t.linef("%s", line)
		t.paragraph(6, f.Message)
		if f.Command != "" {
			t.linef("      %s %s", "next:", t.bold(clean(f.Command)))
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
			t.o.value(c.Before), t.o.value(c.After), t.source(c))
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
		t.WriteByte('\n')
		for _, l := range legend {
			if t.used[l.symbol] {
				t.linef("  %s %s", t.mark(l.symbol), t.dim(l.text))
			}
		}
	}
	t.WriteByte('\n')
	if t.p.Empty() {
		t.linef("%s", t.green(nothing(t.p)))
		if len(t.p.NotRead) > 0 {
			t.paragraph(0, "Not looked at: "+strings.Join(t.p.NotRead, ", ")+".")
		}
		return
	}
	t.linef("%s", t.bold(totals(t.p.Summary)))
	if more := furtherTotals(t.p.Summary); more != "" {
		t.linef("%s", more)
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

// shellWord quotes an argument if a shell would change it.
func shellWord(s string) string {
	s = clean(s)
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,", r) {
			return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
		}
	}
	return s
}
