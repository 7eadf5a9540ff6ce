package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// longValue is how many characters of a value are shown at most unless all are
// wanted; on a narrow terminal it is less.
const longValue = 120

func (o Options) longValue() int { return max(24, min(longValue, o.width()-24)) }

const afterApply = "(known after apply)"

// show is a property value on one line.
func (o Options) show(v any) string {
	s := inert(plainValue(v))
	most := o.longValue()
	if n := utf8.RuneCountInString(s); n > most && !o.Verbose {
		return string([]rune(s)[:most]) + fmt.Sprintf("… (%d more characters)", n-most)
	}
	return s
}

func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if v == cfn.Masked {
			return v
		}
		return quoted(v)
	case map[string]any:
		if s, ok := cfn.Text(v); ok {
			return quoted(s)
		}
	}
	b, err := cfn.Canonical(v)
	if err != nil {
		return clean(fmt.Sprint(v))
	}
	return clean(string(b))
}

// quoted shows text as CloudFormation sees it: what reads as a number or a
// boolean is one, and a document keeps its own quotes.
func quoted(s string) string {
	if _, err := strconv.ParseFloat(s, 64); err == nil || s == "true" || s == "false" {
		return clean(s)
	}
	q := strconv.Quote(s)
	if strings.Contains(s, `"`) && !strings.Contains(s, "'") && len(q) == len(s)+2+strings.Count(s, `"`) {
		return "'" + s + "'"
	}
	return q
}

// transition is "old -> new" of a row, or the one that there is.
func (r row) transition() string {
	switch {
	case r.before == "" || r.before == r.after:
		return r.after // masked, the two are alike
	case r.after == "":
		return r.before + " -> null"
	}
	return r.before + " -> " + r.after
}

const forces = "# forces replacement"

// note says what a property change does to its resource.
func note(c plan.Change) string {
	switch c.Replace {
	case plan.ReplaceYes:
		return forces
	case plan.ReplaceMaybe:
		return "# may force replacement"
	}
	return ""
}

// place is "specs/platform.yaml:12", or nothing.
func place(s spec.Source) string {
	if s.File == "" {
		return ""
	}
	if s.Line == 0 {
		return clean(s.File)
	}
	return clean(s.File) + ":" + strconv.Itoa(s.Line)
}
