package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

//go:embed plan.html
var planPage string

// htmlPlan is a plan as the page shows it: text only, which the template
// escapes.
type htmlPlan struct {
	Title, More, Digest string
	Where               []string
	Needs, Others       []htmlDanger
	Counts              string // of the dangers
	Errors, Warnings    []htmlRemark
	Notes, Blocked      []htmlRemark
	Entries             []htmlEntry
	Drift               []string
	Consent, Standing   string
}

type htmlPlace struct{ Text, URL string }

type htmlDanger struct {
	Kind, Why string
	Targets   []string
	At        []htmlPlace
	Approved  bool
}

type htmlRemark struct {
	Target, Text, Command string
	At                    []htmlPlace
}

type htmlEntry struct {
	Symbol, Class, Title, Head string
	Names                      []string
	At                         []htmlPlace
	Lines                      []htmlLine
	Needs, Blocked, Open       bool
}

type htmlLine struct{ Class, Text string }

// PlanHTML writes the whole plan as one page that needs nothing else: no
// script, no font, no picture. Nothing of it is cut.
func PlanHTML(w io.Writer, p plan.Plan, o Options) error {
	o.Color, o.MaxDocument = false, 100_000
	return o.htmlPlan(p).write(w)
}

func (o Options) htmlPlan(p plan.Plan) htmlPlan {
	h := htmlPlan{Title: nothing(p), More: furtherTotals(p.Summary), Digest: p.Digest, Standing: standing(p, o)}
	if !p.Empty() {
		h.Title = totals(p.Summary)
	}
	h.Where = []string{clean(p.Target.Platform), "account " + clean(p.Target.Account), clean(p.Target.Region)}
	if o.Folder != "" {
		h.Where = append(h.Where, "specs in "+clean(o.Folder))
	}
	if p.Target.Revision != "" {
		h.Where = append(h.Where, "revision "+clean(p.Target.Revision))
	}
	hs := o.hazards(p)
	h.Counts = hazardCounts(hs)
	for _, d := range hs {
		one := htmlDanger{Kind: clean(string(d.first.Kind)), Why: clean(d.why), Targets: cleaned(d.targets), At: o.places(d.sources), Approved: d.approved}
		if d.needs {
			h.Needs = append(h.Needs, one)
		} else {
			h.Others = append(h.Others, one)
		}
	}
	if len(o.lacking(p)) > 0 && !unsound(p) {
		h.Consent = clean(strings.Join(o.approving(p, p.Steps), " "))
	}
	h.Errors, h.Warnings, h.Notes = o.remarks(p, plan.SeverityError), o.remarks(p, plan.SeverityWarning), o.remarks(p, plan.SeverityNote)
	for _, g := range blockades(p) {
		r := htmlRemark{Target: clean(g.first.Target), Text: clean(g.first.Blocked.Reason), Command: clean(o.complete(g.first.Blocked.Command))}
		if len(g.waiting) > 0 {
			r.Text += "; with it wait: " + strings.Join(g.waiting, ", ")
		}
		h.Blocked = append(h.Blocked, r)
	}
	for _, e := range o.entries(p) {
		h.Entries = append(h.Entries, o.htmlEntry(e))
	}
	for _, c := range p.Drift {
		h.Drift = append(h.Drift, o.drifted(c))
	}
	return h
}

// drifted is a hand edit in a sentence.
func (o Options) drifted(c plan.Change) string {
	name := clean(c.Resource)
	if c.Stack != "" {
		name = clean(c.Stack) + "/" + name
	}
	if c.Path == "" {
		return name + " is gone"
	}
	return fmt.Sprintf("%s %s: %s, deployed was %s", name, clean(shortPath(c.Path)), o.show(c.Before), o.show(c.After))
}

func (o Options) htmlEntry(e entry) htmlEntry {
	s := e.steps[0]
	h := htmlEntry{
		Symbol: string(symbolOf(s.Action)), Class: string(s.Action), Title: kindName(s) + " " + clean(s.Target), Head: clean(e.head),
		At: o.places(e.sources()), Needs: len(o.lackingIn(e)) > 0, Blocked: e.blocked(),
	}
	if len(e.steps) > 1 {
		h.Title, h.Names = counted(len(e.steps), kindName(s)), cleaned(e.names())
	}
	for _, l := range e.lines() {
		h.Lines = append(h.Lines, htmlLine{map[byte]string{'+': "add", '-': "del", '!': "mod"}[(l + " ")[0]], l})
	}
	h.Open = len(h.Lines) <= openLines
	return h
}

func (o Options) remarks(p plan.Plan, severity plan.Severity) []htmlRemark {
	var out []htmlRemark
	for _, f := range shownFindings(p, severity, true) {
		r := htmlRemark{Text: clean(f.Message), Command: clean(o.complete(f.Command)), At: o.places([]spec.Source{f.Source})}
		if !strings.Contains(f.Message, f.Target) {
			r.Target = clean(f.Target)
		}
		out = append(out, r)
	}
	return out
}

func (o Options) places(sources []spec.Source) []htmlPlace {
	var out []htmlPlace
	for _, s := range sources {
		if where := place(s); where != "" {
			one := htmlPlace{Text: where}
			if o.Link != nil {
				one.URL = o.Link(s)
			}
			out = append(out, one)
		}
	}
	return out
}

func cleaned(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = clean(n)
	}
	return out
}

// IssuesHTML is the page of specs that are invalid.
func IssuesHTML(w io.Writer, issues spec.Issues, o Options) error {
	h := htmlPlan{Title: "The specs are invalid: " + counted(len(issues), "finding")}
	if o.Folder != "" {
		h.Where = []string{"specs in " + clean(o.Folder)}
	}
	for _, i := range issues {
		h.Errors = append(h.Errors, htmlRemark{Text: issueText(i), At: o.places([]spec.Source{{File: i.File, Line: i.Line, Column: i.Column}})})
	}
	return h.write(w)
}

// FailureHTML is the page where no plan could be made.
func FailureHTML(w io.Writer, reason string, o Options) error {
	h := htmlPlan{Title: "No plan could be made", Errors: []htmlRemark{{Text: clean(reason)}}}
	if o.Folder != "" {
		h.Where = []string{"specs in " + clean(o.Folder)}
	}
	return h.write(w)
}

func (h htmlPlan) write(w io.Writer) error {
	t, err := template.New("plan").Parse(planPage)
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	if err := t.Execute(w, h); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
