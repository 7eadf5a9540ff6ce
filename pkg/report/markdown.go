package report

import (
	"fmt"
	"html"
	"io"
	"strings"

	"reconcile/pkg/plan"
)

// PlanMarkdown writes a plan for a pull request: totals first, then what needs
// attention, then one collapsed block a step. With Options.MaxBytes the last
// blocks give way to a line that says how many are left out.
func PlanMarkdown(w io.Writer, p plan.Plan, o Options) error {
	o.Color = false
	m := planMarkdown{page: newPage(o), p: p}
	m.head()
	m.attention()
	m.steps()
	m.drift()
	m.end()
	return m.flush(w)
}

type planMarkdown struct {
	*page
	p plan.Plan
}

func (m *planMarkdown) head() {
	title := nothing(m.p)
	if !m.p.Empty() {
		title = totals(m.p.Summary)
	}
	m.linef("### %s\n", escape(title))
	var where []string
	where = append(where, code(m.p.Target.Platform), "account "+code(m.p.Target.Account), code(m.p.Target.Region))
	if m.p.Target.Revision != "" {
		where = append(where, "specs at "+code(m.p.Target.Revision))
	}
	m.linef("%s", strings.Join(where, " · "))
	if more := furtherTotals(m.p.Summary); more != "" {
		m.linef("\n%s", more)
	}
}

func (m *planMarkdown) attention() {
	m.findings("Cannot be applied", plan.SeverityError)
	title := "Needs approval"
	for _, s := range m.p.Steps {
		for _, a := range s.Approvals {
			m.heading(&title)
			m.linef("- **%s** %s: %s  \n  %s", escape(string(a.Kind)), code(a.Target), escape(a.Why), code("--approve "+shellWord(a.String())))
		}
	}
	title = "Blocked; the other steps can run"
	for _, s := range m.p.Steps {
		if s.Blocked == nil {
			continue
		}
		m.heading(&title)
		line := "- " + code(s.Target) + ": " + escape(s.Blocked.Reason)
		if s.Blocked.Command != "" {
			line += "  \n  unblock: " + code(s.Blocked.Command)
		}
		m.linef("%s", line)
	}
	m.findings("Warnings", plan.SeverityWarning)
	m.findings("Notes", plan.SeverityNote)
}

// heading writes a title the first time it is asked for.
func (m *planMarkdown) heading(title *string) {
	if *title != "" {
		m.linef("\n#### %s\n", *title)
		*title = ""
	}
}

func (m *planMarkdown) findings(title string, severity plan.Severity) {
	for _, f := range m.p.Findings {
		if f.Severity != severity {
			continue
		}
		m.heading(&title)
		line := "- "
		if f.Target != "" {
			line += code(f.Target) + ": "
		}
		line += escape(f.Message)
		if at := place(f.Source); at != "" {
			line += " (" + code(at) + ")"
		}
		if f.Command != "" {
			line += "  \n  next: " + code(f.Command)
		}
		m.linef("%s", line)
	}
}

// room is kept free for the line that says what is left out.
const room = 200

func (m *planMarkdown) steps() {
	if len(m.p.Steps) == 0 {
		return
	}
	m.linef("\n#### Steps, in order\n")
	// A block of HTML ends at an empty line, so one follows each.
	for i, s := range m.p.Steps {
		block := m.stepBlock(s)
		if m.o.MaxBytes > 0 && m.Len()+len(block)+room > m.o.MaxBytes {
			m.linef("\n…and %s more; see the plan's artifact or run `reconcile plan`.", counted(len(m.p.Steps)-i, "step"))
			return
		}
		m.WriteString(block)
	}
}

// stepBlock is one collapsed block. The diff inside colors by the first column.
func (m *planMarkdown) stepBlock(s plan.Step) string {
	var b strings.Builder
	title := fmt.Sprintf("<code>%s</code> %s <code>%s</code>: %s", symbolOf(s.Action), kindName(s), html.EscapeString(clean(s.Target)), html.EscapeString(verb(s)))
	if n := created(s.Changes); n > 0 && s.Kind == plan.KindStack && s.Action == plan.ActionCreate {
		title += " " + counted(n, "resource")
	}
	if s.Blocked != nil {
		title += " (blocked)"
	}
	lines := diffLines(m.o, s)
	if len(lines) == 0 {
		return title + "\n\n"
	}
	fence := fenceFor(lines)
	fmt.Fprintf(&b, "<details><summary>%s</summary>\n\n%sdiff\n%s\n%s\n\n</details>\n\n", title, fence, strings.Join(lines, "\n"), fence)
	return b.String()
}

// diffLines shows a step's changes with + - ! in the first column.
func diffLines(o Options, s plan.Step) []string {
	var out []string
	if r := s.Body.Recover; r != nil {
		out = append(out, "! the stack is "+clean(r.Status))
		for _, id := range r.Resources {
			out = append(out, "!   touches "+clean(id))
		}
	}
	if s.Risk != "" && len(s.Approvals) == 0 {
		out = append(out, "! risk: "+clean(s.Risk))
	}
	for _, g := range byResource(s.Changes) {
		first := g[0]
		name := clean(first.Resource)
		if first.Type != "" {
			name = clean(first.Type) + " " + name
		}
		if at := place(first.Source); at != "" {
			name += "  # " + at
		}
		switch strongest(g) {
		case symbolCreate:
			out = append(out, "+ "+name)
		case symbolDelete:
			if first.Retained {
				name += "  (the thing itself is kept)"
			}
			out = append(out, "- "+name)
		case symbolReplace:
			out = append(out, "! "+name+"  (replaced)")
		default:
			out = append(out, "! "+name)
		}
		for _, c := range g {
			out = append(out, diffOf(o, c)...)
		}
	}
	return out
}

func diffOf(o Options, c plan.Change) []string {
	if c.Path == "" && c.After == nil && !c.Unknown {
		return nil
	}
	path := clean(shortPath(c.Path))
	if path == "" {
		path = "value"
	}
	tail := ""
	if n := note(c); n != "" {
		tail = "  " + n
	}
	if document := documentOf(c); document != "" {
		out := []string{"    " + path + tail}
		for _, l := range cleanLines(document) {
			if strings.HasPrefix(l, "+") || strings.HasPrefix(l, "-") {
				out = append(out, l[:1]+"     "+l[1:])
				continue
			}
			out = append(out, strings.TrimRight("      "+l, " "))
		}
		return out
	}
	var out []string
	if c.Before != nil {
		out = append(out, "-   "+path+" = "+o.value(c.Before)+tail)
	}
	switch {
	case c.Unknown:
		out = append(out, "+   "+path+" = "+afterApply+tail)
	case c.After != nil:
		out = append(out, "+   "+path+" = "+o.value(c.After)+tail)
	}
	return out
}

func (m *planMarkdown) drift() {
	title := "Edited by hand since it was deployed"
	for _, c := range m.p.Drift {
		m.heading(&title)
		name := c.Resource
		if c.Stack != "" {
			name = c.Stack + "/" + c.Resource
		}
		if c.Path == "" {
			m.linef("- %s is gone", code(name))
			continue
		}
		m.linef("- %s %s: %s, deployed was %s", code(name), code(shortPath(c.Path)), code(m.o.value(c.Before)), code(m.o.value(c.After)))
	}
}

func (m *planMarkdown) end() {
	if m.p.Empty() && len(m.p.NotRead) > 0 {
		m.linef("\nNot looked at: %s.", escape(strings.Join(m.p.NotRead, ", ")))
	}
}

// fenceFor is a code fence longer than any run of backticks inside.
func fenceFor(lines []string) string {
	longest := 2
	for _, l := range lines {
		longest = max(longest, backticks(l))
	}
	return strings.Repeat("`", longest+1)
}

func backticks(s string) int {
	longest, run := 0, 0
	for _, r := range s {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// code is an inline code span that its content cannot leave.
func code(s string) string {
	s = clean(s)
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", backticks(s)+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		return fence + " " + s + " " + fence
	}
	return fence + s + fence
}

// broken is a space of no width. GitHub finds mentions, references and links
// in the rendered text, where an escape is gone, so they must be interrupted.
const broken = "&#8203;"

// escape makes text that Markdown and GitHub show as it is: no markup, no
// mention of people, no reference to issues, no link.
func escape(s string) string {
	var b strings.Builder
	s = clean(s)
	for i, r := range s {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '@', '#':
			b.WriteString(string(r) + broken)
		case ':':
			b.WriteByte(':')
			if strings.HasPrefix(s[i+1:], "//") {
				b.WriteString(broken)
			}
		case '.':
			b.WriteByte('.')
			if strings.HasSuffix(strings.ToLower(s[:i]), "www") {
				b.WriteString(broken)
			}
		case '\\', '`', '*', '_', '[', ']', '|', '~', '!':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
