package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// properties are the changes of one resource; said is the place that stands
// above them already.
func (o Options) properties(g []plan.Change, said spec.Source) []row {
	var out []row
	for i := 0; i < len(g); i++ {
		c := g[i]
		if c.Path == "" && c.After == nil && !c.Unknown {
			continue
		}
		n := 1
		if !o.Verbose {
			n = elements(g[i:])
		}
		var r row
		if n > 1 {
			r = o.list(g[i : i+n])
			i += n - 1
		} else {
			r = o.property(c)
		}
		if c.Source != said {
			r.at = place(c.Source)
		}
		document := documentOf(c)
		if n > 1 {
			document = nil
		}
		if len(document) > 0 {
			r.before, r.after = "", ""
		}
		out = append(out, r)
		if !o.Verbose {
			document = limited(document, o.documentLines())
		}
		for _, l := range document {
			out = append(out, row{kind: rowDocument, text: l})
		}
	}
	return out
}

// documentLines is how much of a document's diff is shown.
func (o Options) documentLines() int {
	if o.MaxDocument > 0 {
		return o.MaxDocument
	}
	return 24
}

func (o Options) property(c plan.Change) row {
	r := row{kind: rowProperty, mark: propertySymbol(c), text: clean(shortPath(c.Path)), note: note(c)}
	if c.Path == "" {
		r.text = "value"
	}
	if takesTags(c) {
		return row{kind: rowProperty, mark: symbolUpdate, text: "takes the stack's tags"}
	}
	if c.Before != nil {
		r.before = o.show(c.Before)
	}
	switch {
	case follows(c) && !o.Verbose:
		text, _ := cfn.Text(c.After)
		r.before, r.after = "", clean(text)+" "+afterApply
	case c.Unknown:
		r.after = afterApply
	case c.After != nil:
		r.after = o.show(c.After)
	}
	return r
}

// elements is how many of the changes are entries of one list that come or go.
func elements(g []plan.Change) int {
	list := listOf(g[0])
	n := 0
	for n < len(g) && list != "" && listOf(g[n]) == list {
		n++
	}
	return max(n, 1)
}

// listOf is the list of which a change adds or removes a whole entry.
func listOf(c plan.Change) string {
	open := strings.LastIndexByte(c.Path, '[')
	if open < 0 || !strings.HasSuffix(c.Path, "]") || c.Document != "" || (c.Before == nil) == (c.After == nil) {
		return ""
	}
	if _, err := strconv.Atoi(c.Path[open+1 : len(c.Path)-1]); err != nil {
		return ""
	}
	return c.Path[:open]
}

// list is the row for entries of one list that come and go.
func (o Options) list(g []plan.Change) row {
	r := row{kind: rowProperty, text: clean(shortPath(listOf(g[0]))), mark: symbolUpdate}
	var before, after []string
	unknown := 0
	for _, c := range g {
		if n := note(c); n != "" && r.note != forces {
			r.note = n
		}
		switch {
		case c.Before != nil:
			before = append(before, o.show(c.Before))
		case c.Unknown:
			unknown++
		default:
			after = append(after, o.show(c.After))
		}
	}
	r.before, r.after = o.several(before), o.several(after)
	if unknown > 0 {
		entries := afterApply
		if unknown > 1 {
			entries = counted(unknown, "entry") + " " + afterApply
		}
		r.after = strings.TrimPrefix(r.after+", "+entries, ", ")
	}
	switch {
	case before == nil:
		r.mark = symbolCreate
	case r.after == "":
		r.mark = symbolDelete
	}
	return r
}

// several shows values one after the other, or how many there are.
func (o Options) several(values []string) string {
	text := strings.Join(values, ", ")
	if utf8.RuneCountInString(text) > o.longValue() {
		return counted(len(values), "entry")
	}
	return text
}

// shortPath leaves out what every path starts with.
func shortPath(path string) string { return strings.TrimPrefix(path, "Properties.") }
