package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func (t *planText) steps() {
	if len(t.p.Steps) == 0 {
		return
	}
	t.section("Steps, in order")
	number := make(map[plan.StepID]int, len(t.p.Steps))
	for i, s := range t.p.Steps {
		number[s.ID] = i + 1
	}
	digits := len(strconv.Itoa(len(t.p.Steps)))
	for i, s := range t.p.Steps {
		t.step(fmt.Sprintf("%*d.", digits, i+1), s, number)
	}
}

// maxNeeds is how many earlier steps are named before a step says "and others".
const maxNeeds = 6

func (t *planText) step(number string, s plan.Step, numbers map[plan.StepID]int) {
	var after []string
	for _, id := range s.Needs {
		if n := numbers[id]; n > 0 {
			after = append(after, strconv.Itoa(n))
		}
	}
	line := fmt.Sprintf("%s %s %s %s", t.dim(number), t.mark(symbolOf(s.Action)), kindName(s), t.bold(clean(s.Target)))
	line += ": " + verb(s)
	if n := created(s.Changes); n > 0 && s.Action == plan.ActionCreate && s.Kind == plan.KindStack {
		line += " " + counted(n, "resource")
	}
	if s.Blocked != nil {
		line += t.red(" (blocked)")
	}
	if len(after) > maxNeeds {
		after = append(after[:maxNeeds], fmt.Sprintf("%d others", len(after)-maxNeeds))
	}
	if len(after) > 0 {
		line += t.dim(" after " + strings.Join(after, ", "))
	}
	if at := place(s.Source); at != "" {
		line += t.dim("  # " + at)
	}
	t.linef("%s", line)
	margin := len(number) + 5
	if s.Risk != "" && len(s.Approvals) == 0 {
		t.paragraph(margin, "risk: "+s.Risk)
	}
	if r := s.Body.Recover; r != nil {
		t.paragraph(margin, "the stack is "+r.Status)
		if len(r.Resources) > 0 {
			t.paragraph(margin, "touches "+strings.Join(r.Resources, ", "))
		}
	}
	t.changes(margin, s)
	if t.o.Verbose {
		t.details(margin, s)
	}
}

func (t *planText) details(margin int, s plan.Step) {
	if len(s.Unknown) > 0 {
		t.paragraph(margin, "known after apply: "+strings.Join(s.Unknown, ", "))
	}
	if s.Reason != "" {
		t.paragraph(margin, "because "+s.Reason)
	}
	if s.Rollback != "" {
		t.paragraph(margin, "to undo: "+s.Rollback)
	}
}

func created(changes []plan.Change) int {
	n := 0
	for _, c := range changes {
		if c.Action == plan.ActionCreate && c.Path == "" && !strings.Contains(c.Resource, ".") {
			n++
		}
	}
	return n
}

// changes writes what a step changes, one resource after the other.
func (t *planText) changes(margin int, s plan.Step) {
	groups := byResource(s.Changes)
	width := 0
	for _, g := range groups {
		width = max(width, lipgloss.Width(clean(g[0].Type)))
	}
	for _, g := range groups {
		if s.Kind != plan.KindStack {
			t.properties(margin, g, s.Source)
			continue
		}
		t.resource(margin, width, s, g)
	}
}

// byResource groups changes that follow each other.
func byResource(changes []plan.Change) [][]plan.Change {
	var out [][]plan.Change
	for i, c := range changes {
		if i == 0 || c.Resource != changes[i-1].Resource {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], c)
	}
	return out
}

func (t *planText) resource(margin, width int, s plan.Step, g []plan.Change) {
	first := g[0]
	mark := strongest(g)
	line := strings.Repeat(" ", margin) + t.mark(mark) + " " + pad(clean(first.Type), width)
	if width > 0 {
		line += "  "
	}
	line += clean(first.Resource)
	if first.Physical != "" && mark != symbolCreate {
		line += " (" + clean(first.Physical) + ")"
	}
	if first.Action == plan.ActionDelete && first.Path == "" && first.Retained {
		line += t.dim("  the thing itself is kept")
	}
	if at := place(first.Source); at != "" && first.Source != s.Source {
		line += t.dim("  # " + at)
	}
	t.linef("%s", line)
	t.properties(margin+4, g, first.Source)
	if mark == symbolCreate && t.o.Verbose {
		t.created(margin+4, s, first.Resource)
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-lipgloss.Width(s)))
}

// properties writes the changes of one resource; said is the place that stands
// above them already.
func (t *planText) properties(margin int, g []plan.Change, said spec.Source) {
	for _, c := range g {
		if c.Path == "" && c.After == nil && !c.Unknown {
			continue
		}
		line := strings.Repeat(" ", margin) + t.mark(propertySymbol(c)) + " " + clean(shortPath(c.Path))
		if c.Path == "" {
			line = strings.Repeat(" ", margin) + t.mark(propertySymbol(c)) + " value"
		}
		document := documentOf(c)
		if document == "" {
			line += " = " + t.o.transition(c)
		}
		if n := note(c); n != "" {
			line += "  " + t.magenta(n)
		}
		if at := place(c.Source); at != "" && c.Source != said {
			line += t.dim("  # " + at)
		}
		t.linef("%s", line)
		t.document(margin+6, document)
	}
}

// document writes a line diff.
func (t *planText) document(margin int, text string) {
	if text == "" {
		return
	}
	for _, l := range cleanLines(text) {
		painted := l
		switch {
		case strings.HasPrefix(l, "+"):
			painted = t.green(l)
		case strings.HasPrefix(l, "-"):
			painted = t.red(l)
		case strings.HasPrefix(l, "@@"):
			painted = t.dim(l)
		}
		t.linef("%s", strings.TrimRight(strings.Repeat(" ", margin)+painted, " "))
	}
}

// created writes the properties of a resource that a step creates.
func (t *planText) created(margin int, s plan.Step, id string) {
	b := s.Body.Stack
	if b == nil || b.Template == nil {
		return
	}
	shown := b.Template.Resources[id].Shown()
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		t.linef("%s%s = %s", strings.Repeat(" ", margin), clean(name), t.o.value(shown[name]))
	}
}

// shortPath leaves out what every path starts with.
func shortPath(path string) string { return strings.TrimPrefix(path, "Properties.") }
