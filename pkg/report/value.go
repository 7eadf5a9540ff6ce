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

// longValue is how many characters of a value are shown unless all are wanted.
const longValue = 120

const afterApply = "(known after apply)"

// value shows a property value on one line.
func (o Options) value(v any) string {
	s := plainValue(v)
	if n := utf8.RuneCountInString(s); n > longValue && !o.Verbose {
		return string([]rune(s)[:longValue]) + fmt.Sprintf("… (%d more characters)", n-longValue)
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

// documentOf is the line diff of a change: its own, or that of two values that
// are documents.
func documentOf(c plan.Change) string {
	before, _ := c.Before.(string)
	after, _ := c.After.(string)
	if c.Document != "" || c.Unknown || before == "" || after == "" {
		return c.Document
	}
	return cfn.DocumentDiff(before, after)
}

// transition is "old -> new" of a change, or the one that there is.
func (o Options) transition(c plan.Change) string {
	after := o.value(c.After)
	if c.Unknown {
		after = afterApply
	}
	switch propertySymbol(c) {
	case symbolCreate:
		return after
	case symbolDelete:
		return o.value(c.Before) + " -> null"
	}
	return o.value(c.Before) + " -> " + after
}

// note says what a property change does to its resource.
func note(c plan.Change) string {
	switch c.Replace {
	case plan.ReplaceYes:
		return "# forces replacement"
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
