package report

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
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

// spare is kept free for the line that says what is left out.
func (p *page) spare() int { return 100 + len(p.full()) }

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

func (p *page) where(t plan.Target) string {
	parts := []string{code(t.Platform), "account " + code(t.Account), code(t.Region)}
	specs := ""
	if p.o.Folder != "" {
		specs = "specs in " + code(p.o.Folder)
	}
	if t.Revision != "" {
		specs = strings.TrimSpace(strings.TrimPrefix(specs+" at "+code(short(t.Revision)), " "))
		if p.o.Folder == "" {
			specs = "specs at " + code(short(t.Revision))
		}
	}
	if specs != "" {
		parts = append(parts, specs)
	}
	return strings.Join(parts, " · ")
}

// short is a commit as people write it, and everything else as it is.
func short(revision string) string {
	hex, dirty, found := strings.Cut(revision, "-dirty")
	if len(hex) == 40 && strings.Trim(hex, "0123456789abcdef") == "" {
		hex = hex[:12]
	}
	if found {
		return hex + "-dirty" + dirty
	}
	return hex
}

// at names spec lines, as links where there are some.
func (p *page) at(sources ...spec.Source) string {
	var out []string
	for i, s := range sources {
		if i == 1 && len(sources) > manySources {
			out = append(out, counted(len(sources)-i, "line")+" more")
			break
		}
		where := code(place(s))
		if where == "" {
			continue
		}
		if p.o.Link != nil {
			if url := p.o.Link(s); url != "" {
				where = "[" + where + "](" + url + ")"
			}
		}
		out = append(out, where)
	}
	return strings.Join(out, ", ")
}

// items writes a list under a title, as far as room allows, and says how many
// there are more.
func items(title string, list []string, room int) string {
	if len(list) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n#### %s\n\n", title)
	for i, item := range list {
		if b.Len()+len(item) > room && i > 0 {
			fmt.Fprintf(&b, "- …and %d more\n", len(list)-i)
			break
		}
		b.WriteString(item + "\n")
	}
	return b.String()
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

// footer leads to the run.
func (p *page) footer() string {
	if p.o.Full == "" {
		return ""
	}
	return "\n[The run and its report](" + p.o.Full + ")\n"
}

// full says where the whole report is.
func (p *page) full() string {
	if p.o.Full == "" {
		return "the plan's artifact, or `reconcile plan`, has all of it"
	}
	return "[the full report](" + p.o.Full + ") has all of it"
}

// entries writes what the plan does. What does not fit is told by its title
// alone, and then by its number; what is dangerous comes first to the room.
func (m *planMarkdown) entries(tail int) {
	all := m.o.entries(m.p)
	if len(all) == 0 {
		return
	}
	m.linef("\n#### Changes\n")
	titles, blocks := make([]string, len(all)), make([]string, len(all))
	for i, e := range all {
		titles[i] = "- " + m.title(e) + "\n"
		blocks[i] = m.block(e, len(all) <= openEntries)
	}
	shown, left := fit(all, titles, blocks, m.room(tail))
	for i, text := range shown {
		// A block of HTML ends at an empty line, and a list before a block too.
		if i > 0 && strings.HasPrefix(shown[i-1], "- ") && !strings.HasPrefix(text, "- ") {
			m.WriteString("\n")
		}
		m.WriteString(text)
	}
	folded := 0
	for _, text := range shown {
		if strings.HasPrefix(text, "- ") {
			folded++
		}
	}
	switch {
	case left > 0:
		m.linef("\n…and %s more. This comment is cut: %s.", counted(left, "step"), m.full())
	case folded > 0:
		m.linef("\nOf %s only the title is here: %s.", counted(folded, "entry"), m.full())
	}
}

// room is what is left for the entries.
func (m *planMarkdown) room(tail int) int {
	if m.o.MaxBytes == 0 {
		return 1 << 40
	}
	return m.o.MaxBytes - m.Len() - tail - m.spare()
}

// fit chooses for each entry its block, its title or nothing, so that all fit
// into the room. It gives what is shown, in order, and how many steps are not.
func fit(all []entry, titles, blocks []string, room int) (shown []string, left int) {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case all[a].dangerous == all[b].dangerous:
			return 0
		case all[a].dangerous:
			return -1
		}
		return 1
	})
	text := make([]string, len(all))
	for _, i := range order {
		if n := len(titles[i]); n <= room {
			text[i], room = titles[i], room-n
		} else {
			left += len(all[i].steps)
		}
	}
	for _, i := range order {
		more := len(blocks[i]) - len(text[i]) + 1
		if text[i] != "" && more <= room {
			text[i], room = blocks[i], room-more
		}
	}
	return slices.DeleteFunc(text, func(s string) bool { return s == "" }), left
}

// What is short enough to be read at once stands open: few entries, and of
// those the ones with few lines.
const (
	openEntries = 6
	openLines   = 12
)

// title says what an entry does in one line of HTML.
func (m *planMarkdown) title(e entry) string {
	s := e.steps[0]
	title := fmt.Sprintf("<code>%s</code> ", symbolOf(s.Action))
	if len(e.steps) > 1 {
		each := ""
		if s.Kind == plan.KindStack {
			each = " each"
		}
		title += fmt.Sprintf("<b>%s</b>: %s%s", counted(len(e.steps), kindName(s)), markup(e.head), each)
		if names := compact(e.names()); len(names) <= longestNames {
			title += " · <code>" + markupCode(names) + "</code>"
		}
	} else {
		title += fmt.Sprintf("%s <code>%s</code>: %s", kindName(s), markupCode(s.Target), markup(e.head))
	}
	if len(m.o.lackingIn(e)) > 0 {
		title += " · needs approval"
	}
	if e.blocked() {
		title += " · blocked"
	}
	return title
}

// fewSources is how many spec lines stand in a title; more stand below it.
const fewSources = 2

// anchor is a spec line in HTML, as a link where there is one.
func (p *page) anchor(s spec.Source) string {
	where := "<code>" + markupCode(place(s)) + "</code>"
	if p.o.Link != nil {
		if url := p.o.Link(s); url != "" {
			return `<a href="` + html.EscapeString(url) + `">` + where + "</a>"
		}
	}
	return where
}

// longestNames is how long the names of an entry may be to stand in its title.
const longestNames = 100

// lackingIn are the approvals that an entry needs and that are not given.
func (o Options) lackingIn(e entry) []plan.Approval { return o.lacking(plan.Plan{Steps: e.steps}) }

// block is an entry that can be opened: where it comes from, and the diff.
func (m *planMarkdown) block(e entry, few bool) string {
	title, lines := m.title(e), e.lines()
	var above []string
	if names := compact(e.names()); len(e.steps) > 1 && len(names) > longestNames {
		above = append(above, code(names))
	}
	if at := e.sources(); len(at) > fewSources {
		above = append(above, "from "+m.at(at...))
	}
	b := page{o: m.o}
	open := ""
	if few && len(lines) <= openLines && len(lines) > 0 {
		open = " open"
	}
	if at := e.sources(); len(at) <= fewSources {
		for _, s := range at {
			title += " · " + m.anchor(s)
		}
	}
	if len(lines) == 0 && above == nil {
		return title + "\n\n"
	}
	fmt.Fprintf(&b, "<details%s><summary>%s</summary>\n\n", open, title)
	if above != nil {
		b.linef("%s\n", strings.Join(above, "  \n"))
	}
	if len(lines) > 0 {
		b.fenced("diff", lines)
		b.WriteByte('\n')
	}
	b.WriteString("</details>\n\n")
	return b.String()
}
