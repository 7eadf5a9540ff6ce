package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"reconcile/pkg/spec"
)

// Issues writes what validation found, each with its place, what is wrong and
// the nearest right thing; with Options.Source also the line and a caret.
func Issues(w io.Writer, issues spec.Issues, o Options) error {
	p := newPage(o)
	files := map[string][]string{}
	secret := map[string]bool{} // lines that hold one, whatever else is found in them
	for _, i := range issues {
		if i.Rule == spec.RuleSecret {
			secret[lineOf(i)] = true
		}
	}
	for _, i := range issues {
		where := clean(i.File) + ":" + strconv.Itoa(i.Line) + ":" + strconv.Itoa(i.Column)
		message := clean(i.Message)
		if i.Path != "" {
			message = clean(i.Path) + ": " + message
		}
		p.linef("%s: %s %s", p.bold(where), message, p.dim("["+clean(i.Rule)+"]"))
		if !secret[lineOf(i)] {
			p.excerpt(i, files)
		}
		if i.Suggestion != "" {
			p.linef("    %s %s", p.green("help:"), clean(i.Suggestion))
		}
	}
	return p.flush(w)
}

func lineOf(i spec.Issue) string { return i.File + ":" + strconv.Itoa(i.Line) }

// widestExcerpt is how much of a line is shown; one may hold a whole file.
const widestExcerpt = 160

func (p *page) excerpt(i spec.Issue, files map[string][]string) {
	if p.o.Source == nil || i.Line < 1 {
		return
	}
	lines, ok := files[i.File]
	if !ok {
		if body, err := p.o.Source(i.File); err == nil {
			lines = strings.Split(string(body), "\n")
		}
		files[i.File] = lines
	}
	if i.Line > len(lines) {
		return
	}
	line := []rune(strings.TrimSuffix(lines[i.Line-1], "\r"))
	column := min(max(i.Column, 1), len(line)+1)
	from := max(0, column-widestExcerpt/2)
	to := min(len(line), from+widestExcerpt)
	number := strconv.Itoa(i.Line)
	before := excerptText(line[from:max(from, min(column-1, to))])
	p.linef("    %s %s", p.dim(number+" |"), before+excerptText(line[min(len(line), from+column-1-from):to]))
	p.linef("    %s %s%s", p.dim(strings.Repeat(" ", len(number))+" |"), strings.Repeat(" ", utf8.RuneCountInString(before)), p.red("^"))
}

func excerptText(line []rune) string {
	return clean(strings.ReplaceAll(string(line), "\t", "    "))
}

// IssuesJSON writes the issues as one JSON document: {"valid": …, "issues": […]}.
func IssuesJSON(w io.Writer, issues spec.Issues) error {
	if issues == nil {
		issues = spec.Issues{}
	}
	return writeJSON(w, struct {
		Valid  bool        `json:"valid"`
		Issues spec.Issues `json:"issues"`
	}{len(issues) == 0, issues}, "  ")
}

// IssuesGitHub writes the issues as workflow commands, which GitHub shows at
// the lines of a pull request.
func IssuesGitHub(w io.Writer, issues spec.Issues) error {
	var b strings.Builder
	for _, i := range issues {
		fmt.Fprintf(&b, "::error file=%s,line=%d,col=%d,title=%s::%s\n",
			commandProperty(i.File), i.Line, i.Column, commandProperty(i.Rule), commandText(issueText(i)))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write issues: %w", err)
	}
	return nil
}

// commandText escapes the message of a workflow command, so that no text can
// end it and begin another.
func commandText(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(clean(s))
}

func commandProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(commandText(s))
}
