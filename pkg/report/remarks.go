package report

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// Remark is something to say at a line of a spec.
type Remark struct {
	At      spec.Source
	Level   plan.Severity
	Title   string
	Message string
}

// IssueRemarks are the findings of validation at their lines.
func IssueRemarks(issues spec.Issues) []Remark {
	out := make([]Remark, len(issues))
	for i, issue := range issues {
		out[i] = Remark{At: spec.Source{File: issue.File, Line: issue.Line, Column: issue.Column}, Level: plan.SeverityError,
			Title: clean(issue.Rule), Message: issueText(issue)}
	}
	return out
}

// issueText is a finding in one line, without its place.
func issueText(i spec.Issue) string {
	message := i.Message
	if i.Path != "" {
		message = i.Path + ": " + message
	}
	if i.Suggestion != "" {
		message += "; " + i.Suggestion
	}
	return clean(message)
}

// PlanRemarks says at each line of the specs what comes of it: what forbids the
// plan, the dangers, then in one remark a line what changes because of it.
func PlanRemarks(p plan.Plan, o Options) []Remark {
	var out []Remark
	for _, f := range p.Findings {
		if f.Severity != plan.SeverityNote && f.Source.File != "" {
			out = append(out, Remark{At: f.Source, Level: f.Severity, Title: clean(f.Code), Message: clean(f.Message)})
		}
	}
	for _, h := range o.hazards(p) {
		message := fmt.Sprintf("%s: %s", compact(h.targets), clean(h.why))
		if h.needs {
			message += " (needs an approval)"
		}
		for _, at := range h.sources {
			out = append(out, Remark{At: at, Level: plan.SeverityWarning, Title: hazardNoun(h.first.Kind), Message: message})
		}
	}
	return append(out, o.changeRemarks(p)...)
}

// manyChanges is how many changes a remark names.
const manyChanges = 5

func (o Options) changeRemarks(p plan.Plan) []Remark {
	type line struct {
		at    spec.Source
		says  []string
		total int
	}
	var order []string
	lines := map[string]*line{}
	for _, e := range o.entries(p) {
		for _, s := range e.steps {
			for _, c := range s.Changes {
				at := c.Source
				if at.File == "" {
					at = s.Source
				}
				key := place(at)
				if key == "" || takesTags(c) || follows(c) {
					continue
				}
				l := lines[key]
				if l == nil {
					l = &line{at: at}
					lines[key], order = l, append(order, key)
				}
				l.total++
				if l.total <= manyChanges {
					l.says = append(l.says, o.changeText(s, c))
				}
			}
		}
	}
	out := make([]Remark, len(order))
	for i, key := range order {
		l := lines[key]
		text := strings.Join(l.says, "\n")
		if l.total > manyChanges {
			text += fmt.Sprintf("\nand %s more", counted(l.total-manyChanges, "change"))
		}
		out[i] = Remark{At: l.at, Level: plan.SeverityNote, Title: counted(l.total, "change"), Message: text}
	}
	return out
}

// changeText is one change in a line.
func (o Options) changeText(s plan.Step, c plan.Change) string {
	name := clean(s.Target)
	if s.Kind == plan.KindStack {
		name += "/" + clean(c.Resource)
	}
	if c.Path == "" {
		return fmt.Sprintf("%s %s", symbolOf(c.Action), name)
	}
	r := row{after: afterApply}
	if !c.Unknown {
		r.after = o.show(essence(c.After))
	}
	if c.Before != nil {
		r.before = o.show(essence(c.Before))
	}
	return fmt.Sprintf("%s %s %s = %s", strongest([]plan.Change{c}), name, clean(shortPath(c.Path)), r.transition())
}
