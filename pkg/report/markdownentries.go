package report

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

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
	text, left := fit(all, titles, blocks, m.room(tail))
	shown, folded := m.gather(all, titles, text)
	for i, text := range shown {
		// A block of HTML ends at an empty line, and a list before a block too.
		if i > 0 && strings.HasPrefix(shown[i-1], "- ") && !strings.HasPrefix(text, "- ") {
			m.WriteString("\n")
		}
		m.WriteString(text)
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
// into the room. It gives what is shown of each, and how many steps are not.
func fit(all []entry, titles, blocks []string, room int) (text []string, left int) {
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
	text = make([]string, len(all))
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
	return text, left
}

// gather makes one line of titles that follow each other and say the same of
// different steps. It gives what is shown, in order, and of how many entries
// only the title.
func (m *planMarkdown) gather(all []entry, titles, text []string) (shown []string, folded int) {
	plain := func(i int) string {
		e := all[i]
		if text[i] == "" || text[i] != titles[i] || len(e.steps) > 1 || e.dangerous || e.blocked() || len(m.o.lackingIn(e)) > 0 {
			return ""
		}
		return fmt.Sprint(e.steps[0].Kind, " ", e.steps[0].Action, " ", e.head)
	}
	for i := 0; i < len(all); i++ {
		if text[i] == "" {
			continue
		}
		if text[i] == titles[i] {
			folded++
		}
		first := i
		names := []string{all[i].steps[0].Target}
		for key := plain(i); key != "" && i+1 < len(all) && plain(i+1) == key; i++ {
			names = append(names, all[i+1].steps[0].Target)
		}
		if len(names) < manyAlikeNames {
			i = first
			shown = append(shown, text[i])
			continue
		}
		s := all[first].steps[0]
		folded += len(names) - 1
		shown = append(shown, fmt.Sprintf("- <code>%s</code> <b>%s</b>: %s · <code>%s</code>\n", symbolOf(s.Action), counted(len(names), kindName(s)), markup(all[first].head), markupCode(compact(names))))
	}
	return shown, folded
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
