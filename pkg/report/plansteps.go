package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconcile/pkg/plan"
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
	for _, r := range t.o.runs(t.p) {
		n := fmt.Sprintf("%*d.", digits, r.first)
		if len(r.steps) > 1 {
			t.together(n, r)
			continue
		}
		t.step(n, r, number)
	}
}

// together tells of several steps that do the same.
func (t *planText) together(number string, r stepRun) {
	s := r.steps[0]
	line := fmt.Sprintf("%s %s %s", t.dim(number), t.mark(symbolOf(s.Action)), t.bold(r.title()))
	if s.Blocked != nil {
		line += t.red(" (blocked)")
	}
	t.linef("%s", line)
	margin := len(number) + t.column + 2
	t.rows(margin, s, r.rows)
	t.paragraph(margin, r.targets())
}

func (t *planText) step(number string, r stepRun, numbers map[plan.StepID]int) {
	s := r.steps[0]
	line := fmt.Sprintf("%s %s %s %s: %s", t.dim(number), t.mark(symbolOf(s.Action)), kindName(s), t.bold(clean(s.Target)), r.head)
	if s.Blocked != nil {
		line += t.red(" (blocked)")
	}
	if at := place(s.Source); at != "" {
		line += t.dim("  # " + at)
	}
	t.linef("%s", line)
	margin := len(number) + t.column + 2
	if s.Risk != "" && len(s.Approvals) == 0 {
		t.paragraph(margin, "risk: "+s.Risk)
	}
	if r := s.Body.Recover; r != nil {
		t.paragraph(margin, "the stack is "+r.Status)
		if len(r.Resources) > 0 {
			t.paragraph(margin, "touches "+strings.Join(r.Resources, ", "))
		}
	}
	t.rows(margin, s, t.alike(s, r.rows, numbers))
	if t.o.Verbose {
		t.details(margin, s, numbers)
	}
}

// headline says what a step does, in the words that follow its name.
func headline(s plan.Step) string {
	line := verb(s)
	if s.Kind == plan.KindStack && s.Action == plan.ActionCreate {
		if n := created(s.Changes); n > 0 {
			line += " " + counted(n, "resource")
		}
	}
	if s.Action == plan.ActionImport {
		line += " " + counted(len(s.Changes), "resource")
	}
	if s.Action == plan.ActionCreate && generated(s) {
		line += " with a generated value"
	}
	if s.ID == plan.ContractID(s.Target) {
		line += ", what its users let go of"
	}
	if s.Rollout != nil {
		line += ", a rollout"
	}
	return line
}

// details are what only some readers ask for.
func (t *planText) details(margin int, s plan.Step, numbers map[plan.StepID]int) {
	var after []int
	for _, id := range s.Needs {
		if n := numbers[id]; n > 0 {
			after = append(after, n)
		}
	}
	if len(after) > 0 {
		slices.Sort(after)
		t.paragraph(margin, "after "+strings.Trim(strings.ReplaceAll(fmt.Sprint(after), " ", ", "), "[]"))
	}
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

// alike is the rows of a step, or one that names the step before which does
// the same: many fleets are made in the same way.
func (t *planText) alike(s plan.Step, rows []row, numbers map[plan.StepID]int) []row {
	if t.o.Verbose || len(rows) == 0 || rows[0].kind != rowSentence {
		return rows
	}
	var b strings.Builder
	for _, r := range rows {
		if r.kind != rowSentence {
			return rows
		}
		b.WriteString(string(r.mark) + r.text + "\n")
	}
	same := headline(s) + "\n" + b.String()
	if n := t.told[same]; n > 0 {
		return []row{{kind: rowSentence, text: "as step " + strconv.Itoa(n)}}
	}
	t.told[same] = numbers[s.ID]
	return rows
}

// rows writes what a step does.
func (t *planText) rows(margin int, s plan.Step, rows []row) {
	indent := strings.Repeat(" ", margin)
	deeper := "" // properties of a resource stand below it
	if s.Kind == plan.KindStack {
		deeper = strings.Repeat(" ", t.column+1)
	}
	for _, r := range rows {
		switch r.kind {
		case rowSentence:
			if r.mark == "" {
				t.paragraph(margin, r.text)
				continue
			}
			t.item(margin, t.mark(r.mark), margin+t.column+1, r.text)
		case rowDocument:
			t.linef("%s", strings.TrimRight(indent+deeper+strings.Repeat(" ", t.column+3)+t.diffLine(r.text), " "))
		default:
			line := indent
			if r.kind == rowProperty {
				line += deeper
			}
			line += t.mark(r.mark) + " " + r.text
			if transition := r.transition(); transition != "" {
				line += " = " + transition
			}
			if r.note != "" {
				line += "  " + t.magenta(r.note)
			}
			if r.at != "" {
				line += t.dim("  # " + r.at)
			}
			t.linef("%s", line)
		}
	}
}

// diffLine colors a line of a diff.
func (k ink) diffLine(l string) string {
	switch {
	case strings.HasPrefix(l, "+"):
		return k.green(l)
	case strings.HasPrefix(l, "-"):
		return k.red(l)
	case strings.HasPrefix(l, "@@"), strings.HasPrefix(l, "…"):
		return k.dim(l)
	case strings.HasPrefix(l, "~ "):
		return k.yellow("~") + l[1:]
	}
	return l
}
