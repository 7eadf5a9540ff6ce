package spec

import (
	"fmt"
	"sort"
	"strings"
)

// Issue is one finding of validation, at a place in a file.
type Issue struct {
	File   string `json:"file"` // as the user named it
	Line   int    `json:"line"` // from 1
	Column int    `json:"column"`
	// Path of the field, "spec.network.cidr"; empty for a whole file.
	Path string `json:"path,omitempty"`
	// Rule is a stable identifier, "domain-elb-name".
	Rule string `json:"rule"`
	// Message says what is wrong.
	Message string `json:"message"`
	// Suggestion says the nearest right thing, if there is one.
	Suggestion string `json:"suggestion,omitempty"`
}

// String is "file:line:column: path: message; suggestion".
func (i Issue) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", i.File, i.Line, i.Column)
	if i.Path != "" {
		b.WriteString(i.Path + ": ")
	}
	b.WriteString(i.Message)
	if i.Suggestion != "" {
		b.WriteString("; " + i.Suggestion)
	}
	return b.String()
}

// Issues are the findings of one pass, sorted by place. As an error they mean
// that the specs are invalid, not that reading them failed.
type Issues []Issue

// Error lists the issues, one a line.
func (is Issues) Error() string {
	lines := make([]string, len(is))
	for i, issue := range is {
		lines[i] = issue.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders the issues by place and drops exact repetitions.
func (is Issues) sorted() Issues {
	sort.SliceStable(is, func(a, b int) bool {
		x, y := is[a], is[b]
		switch {
		case x.File != y.File:
			return x.File < y.File
		case x.Line != y.Line:
			return x.Line < y.Line
		case x.Column != y.Column:
			return x.Column < y.Column
		case x.Path != y.Path:
			return x.Path < y.Path
		case x.Rule != y.Rule:
			return x.Rule < y.Rule
		case x.Message != y.Message:
			return x.Message < y.Message
		}
		return x.Suggestion < y.Suggestion
	})
	var out Issues
	for i, issue := range is {
		if i == 0 || issue != is[i-1] {
			out = append(out, issue)
		}
	}
	return out
}

// add appends an issue at a place.
func (is *Issues) add(at Source, path, rule, message string) {
	is.suggest(at, path, rule, message, "")
}

// suggest appends an issue with a suggestion.
func (is *Issues) suggest(at Source, path, rule, message, suggestion string) {
	*is = append(*is, Issue{
		File: at.File, Line: max(at.Line, 1), Column: max(at.Column, 1),
		Path: path, Rule: rule, Message: message, Suggestion: suggestion,
	})
}

// count is a number with its noun: "1 item", "2 items".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// quote shows a text of the spec in a message: quoted, and never more than 80
// characters, so that a message cannot carry a file away.
func quote(s string) string {
	const limit = 80
	runes := []rune(s)
	if len(runes) > limit {
		return fmt.Sprintf("%q…", string(runes[:limit]))
	}
	return fmt.Sprintf("%q", s)
}
