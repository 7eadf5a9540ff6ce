// Package report turns findings, plans, events and results into text for
// people and JSON for programs, on an io.Writer.
//
// It decides nothing: what is in the data is shown, in the order in which it
// stands there. It reads no file and no clock of its own and never calls AWS.
// Values may be hostile; control characters and terminal escapes never reach
// the output. Start with PlanText, PlanMarkdown, Issues and NewProgress.
package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// Options of everything that writes text for people.
type Options struct {
	Color   bool // ANSI colors
	Verbose bool // every property of what is created, values in full
	Width   int  // columns for wrapping; 0 means 100
	// Source reads a spec file, for excerpts; nil means none.
	Source func(file string) ([]byte, error)
	// Flags are those of this invocation that a command to run next needs too:
	// "--sandbox". Select are those that narrow what it works on.
	Flags, Select []string
	Rev           string // git revision of the specs, which plan and apply take; empty: none
	// Given tells whether a consent was given already; nil means none was.
	Given func(plan.Approval) bool
	// Spent are the approvals of the specs that do not count again,
	// "KIND:TARGET", and by what each was used.
	Spent map[string]string
	// MaxDocument is how many lines of a document's diff are shown; 0 means 24.
	MaxDocument int
	// MaxBytes bounds Markdown, which GitHub refuses above 65,536 characters in a
	// comment; 0 means no bound.
	MaxBytes int
	Review

	anonymous bool // without the ids by which resources of the same make differ
}

// Review is what a page for reviewers has beside the plan.
type Review struct {
	Folder string                   // of the specs, where a pull request may have several
	Link   func(spec.Source) string // URL of a spec line, "" where there is none; nil means no links
	Full   string                   // URL under which the whole report is; "" means it is only named
	// Before is what the page said the last time; nil means nothing is said about it.
	Before *Snapshot
}

func (o Options) width() int {
	if o.Width > 20 {
		return o.Width
	}
	return 100
}

// page collects text and writes it at once.
type page struct {
	strings.Builder
	ink
	o Options
}

func newPage(o Options) *page { return &page{ink: ink{o.Color}, o: o} }

func (p *page) linef(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

func (p *page) flush(w io.Writer) error {
	if _, err := io.WriteString(w, p.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// paragraph writes text indented, wrapped at the page's width. Words stay whole.
func (p *page) paragraph(indent int, text string) { p.item(indent, "", indent, text) }

// item is a paragraph that begins with head, which may be colored, after
// indent columns; its further lines begin after margin columns.
func (p *page) item(indent int, head string, margin int, text string) {
	line, width := strings.Repeat(" ", indent)+head, indent+lipgloss.Width(head)
	empty := head == ""
	for _, word := range words(text) {
		n := utf8.RuneCountInString(word)
		if !empty && width+1+n > p.o.width() && width > margin {
			p.linef("%s", line)
			line, width, empty = strings.Repeat(" ", margin), margin, true
		}
		if !empty {
			line, width = line+" ", width+1
		}
		line, width, empty = line+word, width+n, false
	}
	if !empty {
		p.linef("%s", line)
	}
}

// words are what a line may be broken between: a count stays with its noun.
func words(text string) []string {
	var out []string
	count := ""
	for _, word := range strings.Fields(clean(text)) {
		if _, err := strconv.Atoi(word); err == nil && count == "" {
			count = word + " "
			continue
		}
		out = append(out, count+word)
		count = ""
	}
	if count != "" {
		out = append(out, strings.TrimSuffix(count, " "))
	}
	return out
}

// Line makes text that somebody else wrote safe for one line of a terminal or of
// a workflow's log.
func Line(s string) string { return clean(s) }

// clean makes text safe for one line of a terminal: whatever does not print,
// from escapes to marks that turn the direction of writing, becomes visible.
func clean(s string) string {
	s = inert(s)
	safe := true
	for _, r := range s {
		if !unicode.IsPrint(r) {
			safe = false
			break
		}
	}
	if safe {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// inert keeps a text from being a command to the runner of a workflow, which
// reads all output: a line that begins with "::", and "##[" anywhere. A line
// may begin with any word.
func inert(s string) string {
	if !strings.Contains(s, "::") && !strings.Contains(s, "##[") {
		return s
	}
	s = strings.ReplaceAll(s, "##[", `##\[`)
	var b strings.Builder
	for i := range len(s) {
		if strings.HasPrefix(s[i:], "::") && (i == 0 || s[i-1] <= ' ' || s[i-1] >= 0x7f) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// cleanLines is clean for text of several lines; tabs become spaces.
func cleanLines(s string) []string {
	if s == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = clean(strings.ReplaceAll(strings.TrimSuffix(l, "\r"), "\t", "    "))
	}
	return lines
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "y") {
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// agree is the form of a word that goes with a count.
func agree(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
