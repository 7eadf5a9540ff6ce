package report

import (
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/plan"
)

// PlanMarkdown writes a plan for those who review it: totals and dangers first,
// what is different from the last time, then a collapsed diff for each step,
// with steps that do the same told as one. With Options.MaxBytes it ends at the
// end of an item and says what is left out; dangers are told always.
func PlanMarkdown(w io.Writer, p plan.Plan, o Options) error {
	o.Color = false
	if o.MaxDocument == 0 {
		o.MaxDocument = 80 // the block is collapsed
	}
	m := planMarkdown{page: newPage(o), p: p, hazards: o.hazards(p)}
	m.head()
	m.WriteString(m.findings("Cannot be applied", plan.SeverityError, m.share(3)))
	m.dangers()
	m.consent()
	m.since()
	m.WriteString(m.blocked())
	m.WriteString(m.findings("Warnings", plan.SeverityWarning, m.share(5)))
	m.WriteString(m.findings("Notes", plan.SeverityNote, m.share(8)))
	tail := m.drift() + m.end() + m.footer()
	m.entries(len(tail))
	m.WriteString(tail)
	return m.flush(w)
}

type planMarkdown struct {
	*page
	p       plan.Plan
	hazards []hazard
}

// PlanTitle is a plan in a sentence.
func PlanTitle(p plan.Plan, o Options) string {
	if p.Empty() {
		return nothing(p)
	}
	title := totals(p.Summary)
	if n := len(o.lacking(p)); n > 0 {
		title += " " + counted(n, "approval") + " missing."
	}
	if unsound(p) {
		title += " It cannot be applied."
	}
	return title
}

// share is a part of the room that is left; a large number when there is no bound.
func (m *planMarkdown) share(part int) int {
	if m.o.MaxBytes == 0 {
		return 1 << 40
	}
	return max(0, m.o.MaxBytes-m.Len()-m.spare()) / part
}

func (m *planMarkdown) head() {
	title := nothing(m.p)
	if !m.p.Empty() {
		title = totals(m.p.Summary)
	}
	m.linef("### %s\n", escape(title))
	m.linef("%s", m.where(m.p.Target))
	if more := furtherTotals(m.p.Summary); more != "" {
		m.linef("\n%s", escape(more))
	}
}

func (m *planMarkdown) blocked() string {
	var list []string
	for _, g := range blockades(m.p) {
		line := "- " + code(g.first.Target) + ": " + escape(g.first.Blocked.Reason)
		if c := g.first.Blocked.Command; c != "" {
			line += "  \n  unblock: " + code(m.o.complete(c))
		}
		if len(g.waiting) > 0 {
			line += "  \n  with it wait: " + escape(some(g.waiting))
		}
		list = append(list, line)
	}
	return items(blockedTitle(m.p), list, m.share(4))
}

func (m *planMarkdown) findings(title string, severity plan.Severity, room int) string {
	var list []string
	for _, f := range shownFindings(m.p, severity, m.o.Verbose) {
		line := "- "
		if f.Target != "" && !strings.Contains(f.Message, f.Target) {
			line += code(f.Target) + ": "
		}
		line += escape(f.Message)
		if at := m.at(f.Source); at != "" {
			line += " (" + at + ")"
		}
		if f.Command != "" {
			line += "  \n  next: " + code(m.o.complete(f.Command))
		}
		list = append(list, line)
	}
	return items(title, list, room)
}

// since says what is different from what the page said before.
func (m *planMarkdown) since() {
	if m.o.Before == nil {
		return
	}
	s := sinceThen(*m.o.Before, m.p)
	line := "**Since the last plan"
	if s.head != "" {
		line = "**Since the push of " + code(short(s.head))
	}
	var parts []string
	for _, part := range []struct {
		word  string
		names []string
	}{{"new", s.added}, {"different", s.changed}, {"gone", s.gone}} {
		if len(part.names) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(part.names), part.word, code(some(part.names))))
		}
	}
	switch {
	case s.unknown:
		line += ":** it does something else"
	case s.arranged:
		line += ":** the same steps, in another order or with another role of CloudFormation"
	case parts == nil:
		line += ":** it does the same"
	default:
		line += ":** " + strings.Join(parts, ", ")
		if s.same > 0 {
			line += ", " + counted(s.same, "step") + " as before"
		}
	}
	m.linef("\n%s.", line)
}

func (m *planMarkdown) drift() string {
	var list []string
	for _, c := range m.p.Drift {
		name := c.Resource
		if c.Stack != "" {
			name = c.Stack + "/" + c.Resource
		}
		if c.Path == "" {
			list = append(list, "- "+code(name)+" is gone")
			continue
		}
		list = append(list, fmt.Sprintf("- %s %s: %s, deployed was %s", code(name), code(shortPath(c.Path)), code(m.o.show(c.Before)), code(m.o.show(c.After))))
	}
	return items("Edited by hand since it was deployed", list, m.share(4))
}

func (m *planMarkdown) end() string {
	if unsound(m.p) {
		return ""
	}
	var b strings.Builder
	if m.p.Empty() && len(m.p.NotRead) > 0 {
		fmt.Fprintf(&b, "\nNot looked at: %s.\n", escape(strings.Join(m.p.NotRead, ", ")))
	}
	if text := standing(m.p, m.o); text != "" && !m.o.Verbose && len(text) < m.share(4) {
		fmt.Fprintf(&b, "\n%s\n", escape(text))
	}
	return b.String()
}
