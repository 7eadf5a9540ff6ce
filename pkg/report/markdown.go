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
	for _, g := range consents(m.p) {
		m.heading(&title)
		a := g.approvals[0]
		if len(g.approvals) > 1 {
			m.linef("- **%s** %s of %s: %s", escape(string(a.Kind)), counted(len(g.approvals), "resource"), code(g.stack), escape(strings.Join(g.resources(), ", ")))
			continue
		}
		m.linef("- **%s** %s: %s", escape(string(a.Kind)), code(a.Target), escape(a.Why))
	}
	if title == "" {
		m.linef("\nThe command that approves all of it:\n")
		m.fenced("", []string{clean(strings.Join(m.o.approving(m.p, m.p.Steps), " "))})
	}
	title = blockedTitle(m.p)
	for _, g := range blockades(m.p) {
		m.heading(&title)
		line := "- " + code(g.first.Target) + ": " + escape(g.first.Blocked.Reason)
		if c := g.first.Blocked.Command; c != "" {
			line += "  \n  unblock: " + code(m.o.complete(c))
		}
		if len(g.waiting) > 0 {
			line += "  \n  with it wait: " + escape(some(g.waiting))
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
	for _, f := range shownFindings(m.p, severity, m.o.Verbose) {
		m.heading(&title)
		line := "- "
		if f.Target != "" && !strings.Contains(f.Message, f.Target) {
			line += code(f.Target) + ": "
		}
		line += escape(f.Message)
		if at := place(f.Source); at != "" {
			line += " (" + code(at) + ")"
		}
		if f.Command != "" {
			line += "  \n  next: " + code(m.o.complete(f.Command))
		}
		m.linef("%s", line)
	}
}

// spare is kept free for the line that says what is left out.
const spare = 200

func (m *planMarkdown) steps() {
	if len(m.p.Steps) == 0 {
		return
	}
	m.linef("\n#### Steps, in order\n")
	o := m.o
	if o.MaxDocument == 0 {
		o.MaxDocument = 80 // the block is collapsed
	}
	// A block of HTML ends at an empty line, so one follows each.
	runs := o.runs(m.p)
	for _, r := range runs {
		block := m.stepBlock(r, len(runs) <= openSteps)
		if m.o.MaxBytes > 0 && m.Len()+len(block)+spare > m.o.MaxBytes {
			m.linef("\n…and %s more; see the plan's artifact or run `reconcile plan`.", counted(len(m.p.Steps)-r.first+1, "step"))
			return
		}
		m.WriteString(block)
	}
}

// What is short enough to be read at once stands open: few steps, and of those
// the ones with few lines.
const (
	openSteps = 6
	openLines = 12
)

// stepBlock is one block that can be collapsed. The diff inside colors by the
// first column.
func (m *planMarkdown) stepBlock(r stepRun, few bool) string {
	s := r.steps[0]
	title := fmt.Sprintf("<code>%s</code> ", symbolOf(s.Action))
	lines := diffLines(s, r.rows)
	if len(r.steps) > 1 {
		title += html.EscapeString(r.title())
		lines = append(lines, row{kind: rowSentence, text: r.targets()}.diff()...)
	} else {
		title += fmt.Sprintf("%s <code>%s</code>: %s", kindName(s), html.EscapeString(clean(s.Target)), html.EscapeString(clean(r.head)))
	}
	if s.Blocked != nil {
		title += " (blocked)"
	}
	if len(lines) == 0 {
		return title + "\n\n"
	}
	b := page{o: m.o}
	open := ""
	if few && len(lines) <= openLines {
		open = " open"
	}
	fmt.Fprintf(&b, "<details%s><summary>%s</summary>\n\n", open, title)
	b.fenced("diff", lines)
	b.WriteString("\n</details>\n\n")
	return b.String()
}

// fenced writes a block of code.
func (p *page) fenced(language string, lines []string) {
	fence := fenceFor(lines)
	p.linef("%s%s\n%s\n%s", fence, language, strings.Join(lines, "\n"), fence)
}

// diffLines shows what a step does with + - ! in the first column.
func diffLines(s plan.Step, rows []row) []string {
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
	for _, r := range rows {
		out = append(out, r.diff()...)
	}
	return out
}

// diff is a row as lines of a diff: a property that changes is one that goes
// and one that comes.
func (r row) diff() []string {
	tail := ""
	if r.note != "" {
		tail += "  " + r.note
	}
	if r.at != "" {
		tail += "  # " + r.at
	}
	first := map[symbol]string{symbolCreate: "+ ", symbolDelete: "- "}[r.mark]
	if first == "" {
		first = "! "
	}
	switch r.kind {
	case rowDocument:
		if strings.HasPrefix(r.text, "+") || strings.HasPrefix(r.text, "-") {
			return []string{r.text[:1] + "       " + r.text[1:]}
		}
		if rest, ok := strings.CutPrefix(r.text, "~ "); ok {
			return []string{"!       " + rest}
		}
		return []string{strings.TrimRight("        "+r.text, " ")}
	case rowSentence:
		if r.mark == "" {
			first = "  "
		}
		// A block of code does not wrap by itself.
		p := newPage(Options{Width: 96})
		p.item(0, strings.TrimSuffix(first, " "), 4, r.text)
		return cleanLines(p.String())
	}
	indent := ""
	if r.kind == rowProperty {
		indent = "  "
	}
	if r.kind == rowResource && r.mark == symbolReplace {
		tail = "  (replaced)" + tail
	}
	if r.before != "" && r.before == r.after {
		return []string{"! " + indent + r.text + " = " + r.after + tail} // masked
	}
	var out []string
	if r.before != "" {
		out = append(out, "- "+indent+r.text+" = "+r.before+tail)
	}
	if r.after != "" {
		sign := "+ "
		if r.before == "" && r.mark == symbolUpdate {
			sign = first // it stays what it is, and stands for something new
		}
		out = append(out, sign+indent+r.text+" = "+r.after+tail)
	}
	switch {
	case len(out) == 0 && r.kind == rowProperty:
		return []string{"    " + r.text + tail}
	case len(out) == 0:
		return []string{first + r.text + tail}
	case len(out) == 2:
		out[0] = strings.TrimSuffix(out[0], tail)
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
		m.linef("- %s %s: %s, deployed was %s", code(name), code(shortPath(c.Path)), code(m.o.show(c.Before)), code(m.o.show(c.After)))
	}
}

func (m *planMarkdown) end() {
	if unsound(m.p) {
		return
	}
	if m.p.Empty() && len(m.p.NotRead) > 0 {
		m.linef("\nNot looked at: %s.", escape(strings.Join(m.p.NotRead, ", ")))
	}
	if text := standing(m.p, m.o); text != "" && !m.o.Verbose {
		m.linef("\n%s", escape(text))
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
