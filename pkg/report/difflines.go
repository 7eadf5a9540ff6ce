package report

import (
	"strings"

	"reconcile/pkg/plan"
)

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
