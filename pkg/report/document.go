package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// documentOf is the line diff of a change: its own, or that of two values that
// are documents. JSON is told by its paths instead of by line numbers.
func documentOf(c plan.Change) []string {
	before, bok := cfn.Text(c.Before)
	after, aok := cfn.Text(c.After)
	if bok && aok && !c.Sensitive {
		if l := jsonDiff(before, after); l != nil {
			return l
		}
		if c.Document == "" && !c.Unknown && before != "" && after != "" {
			return cleanLines(cfn.DocumentDiff(before, after))
		}
	}
	return cleanLines(c.Document)
}

// jsonDiff compares two JSON documents line by line, each run of changed lines
// under its path; nil when one of them is none.
func jsonDiff(before, after string) []string {
	b, bok := parseDocument(before)
	a, aok := parseDocument(after)
	if !bok || !aok {
		return nil
	}
	var old, now documentText
	old.value("", "", "", b)
	now.value("", "", "", a)
	script := edits(old, now)
	slide(script)
	out := []string{}
	for i := 0; i < len(script); i++ {
		if n := run(script[i:]); n > 0 {
			out = append(out, hunk(script[i:i+n])...)
			i += n - 1
		}
	}
	return out
}

// edit is a line of the one document, of the other, or of both.
type edit struct {
	kind     udiff.OpKind
	old, now documentLine // of a line of both, both
}

// line is what the edit shows.
func (e edit) line() documentLine {
	if e.kind == udiff.Delete {
		return e.old
	}
	return e.now
}

// edits makes old to now, with all lines that stay.
func edits(old, now documentText) []edit {
	text := old.String()
	d, err := udiff.ToUnifiedDiff("", "", text, udiff.Lines(text, now.String()), len(old))
	if err != nil {
		return nil
	}
	var out []edit
	for _, h := range d.Hunks {
		from, to := h.FromLine-1, h.ToLine-1
		for _, l := range h.Lines {
			e := edit{kind: l.Kind}
			if l.Kind != udiff.Insert {
				e.old = old[from]
				from++
			}
			if l.Kind != udiff.Delete {
				e.now = now[to]
				to++
			}
			out = append(out, e)
		}
	}
	return out
}

// run is how many changed lines follow each other.
func run(script []edit) int {
	n := 0
	for n < len(script) && script[n].kind != udiff.Equal {
		n++
	}
	return n
}

// slide moves runs of lines that only come or only go to where they begin with
// what they are about: an entry of a list from its opening bracket on, not from
// the closing one of the entry before.
func slide(script []edit) {
	for i := 0; i < len(script); i++ {
		n := run(script[i:])
		if n == 0 {
			continue
		}
		kind := script[i].kind
		if !slices.ContainsFunc(script[i:i+n], func(e edit) bool { return e.kind != kind }) {
			up, down := room(script, i, n)
			best := i
			for at := i - up; at <= i+down; at++ {
				if weight(script[at].line()) < weight(script[best].line()) {
					best = at
				}
			}
			shift(script, i, n, best, kind)
			i = max(i, best)
		}
		i += n - 1
	}
}

// room is by how many lines the run of n at i can move up and down: the line
// that it leaves must be like the one that it takes.
func room(script []edit, i, n int) (up, down int) {
	same := func(a, b int) bool { return script[a].line().text == script[b].line().text }
	for i-up > 0 && script[i-up-1].kind == udiff.Equal && same(i-up-1, i+n-up-1) {
		up++
	}
	for i+n+down < len(script) && script[i+n+down].kind == udiff.Equal && same(i+n+down, i+down) {
		down++
	}
	return up, down
}

// shift moves the run of n at i to best.
func shift(script []edit, i, n, best int, kind udiff.OpKind) {
	for k := i; k < best; k++ { // down
		script[k] = both(script[k].line())
		script[k+n].kind = kind
	}
	for k := i - 1; k >= best; k-- { // up
		script[k].kind = kind
		script[k+n] = both(script[k+n].line())
	}
}

func both(l documentLine) edit { return edit{kind: udiff.Equal, old: l, now: l} }

// weight is less the better a run begins with a line.
func weight(l documentLine) int {
	trimmed := strings.TrimLeft(l.text, " ")
	w := 2 * (len(l.text) - len(trimmed))
	if strings.HasPrefix(trimmed, "}") || strings.HasPrefix(trimmed, "]") {
		w++
	}
	return w
}

// paired is how many values change, each in its place and on its own line, when
// that is all that the run does.
func paired(script []edit) int {
	n := len(script) / 2
	if len(script)%2 != 0 {
		return 0
	}
	for i := range n {
		old, now := script[i], script[n+i]
		if old.kind != udiff.Delete || now.kind != udiff.Insert || !sameKey(old.old.path, now.now.path) || old.old.value == "" || now.now.value == "" {
			return 0
		}
	}
	return n
}

// sameKey tells whether two paths end in the same key: what stands before may
// have moved in a list.
func sameKey(a, b string) bool {
	return a[strings.LastIndexByte(a, '.')+1:] == b[strings.LastIndexByte(b, '.')+1:]
}

// hunk writes a run of changed lines: a value that changes on one line if it
// fits, else the path and the lines, without what all are indented by.
func hunk(script []edit) []string {
	if pairs := paired(script); pairs > 1 {
		var out []string
		for i := range pairs {
			out = append(out, hunk([]edit{script[i], script[pairs+i]})...)
		}
		return out
	}
	first := script[0].line()
	if len(script) == 2 && script[0].kind == udiff.Delete && script[1].kind == udiff.Insert {
		old, now := script[0].old, script[1].now
		if sameKey(old.path, now.path) && old.value != "" && now.value != "" && utf8.RuneCountInString(old.path+old.value+now.value) <= longest {
			return []string{"~ " + clean(old.path+": "+old.value+" -> "+now.value)}
		}
	}
	depth := -1
	for _, e := range script {
		l := e.line().text
		if n := len(l) - len(strings.TrimLeft(l, " ")); depth < 0 || n < depth {
			depth = n
		}
	}
	out := []string{"@@ " + clean(first.path)}
	for _, e := range script {
		sign := "+"
		if e.kind == udiff.Delete {
			sign = "-"
		}
		out = append(out, sign+e.line().text[depth:])
	}
	return out
}

func parseDocument(s string) (any, bool) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil || dec.More() {
		return nil, false
	}
	return v, true
}

// documentText is JSON for people: what fits on a line stands on one, and no
// line has a comma for the sake of the next.
type documentText []documentLine

// documentLine knows where it stands, and its value if that ends on it.
type documentLine struct{ text, path, value string }

func (d documentText) String() string {
	var b strings.Builder
	for _, l := range d {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

// How many columns a value may have to stand on one line. Of an object that
// changes the key must be seen, so that fewer of them do.
const (
	longest       = 120
	longestObject = 48
)

func (d *documentText) value(indent, name, path string, v any) {
	one := inline(v)
	list, _ := v.([]any)
	object, _ := v.(map[string]any)
	table := slices.ContainsFunc(list, func(e any) bool { _, is := e.([]any); return is }) // a line for each
	most := longest
	if object != nil {
		most = longestObject
	}
	fits := path != "" && !table && utf8.RuneCountInString(name+one) <= most
	switch {
	case fits || len(list) == 0 && len(object) == 0:
		d.add(indent+name+one, path, one)
	case list != nil:
		d.add(indent+name+"[", path, "")
		for i, e := range list {
			d.value(indent+"  ", "", fmt.Sprintf("%s[%d]", path, i), e)
		}
		d.add(indent+"]", path, "")
	default:
		d.add(indent+name+"{", path, "")
		for _, key := range slices.Sorted(maps.Keys(object)) {
			d.value(indent+"  ", inline(key)+": ", strings.TrimPrefix(path+"."+key, "."), object[key])
		}
		d.add(indent+"}", path, "")
	}
}

func (d *documentText) add(line, path, value string) {
	if path == "" {
		path = "document"
	}
	*d = append(*d, documentLine{clean(line), path, value})
}

// inline is JSON on one line, with the spaces that people put.
func inline(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = inline(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, inline(key)+": "+inline(v[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	b, err := cfn.Canonical(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// limited cuts lines off and says how many there are more.
func limited(lines []string, most int) []string {
	if most == 0 || len(lines) <= most+1 {
		return lines
	}
	return append(slices.Clone(lines[:most]), fmt.Sprintf("… %d more lines", len(lines)-most))
}
