package report

import (
	"strings"

	"reconcile/pkg/plan"
)

// shownFindings are the findings of a severity that a reader of this plan
// wants: not a warning that stands under the blocked steps, and no note about
// something that the plan leaves alone.
func shownFindings(p plan.Plan, severity plan.Severity, all bool) []plan.Finding {
	var out []plan.Finding
	is := subjectsOf(p)
	for _, f := range p.Findings {
		if f.Severity != severity {
			continue
		}
		if severity == plan.SeverityWarning && is.reasons[f.Message] {
			continue
		}
		if severity == plan.SeverityNote && !all && !is.concern(p, f) {
			continue
		}
		out = append(out, f)
	}
	if all {
		return out
	}
	return merged(out)
}

// manyFindings is from how many on findings of one kind are told as one.
const manyFindings = 4

// merged joins findings that say the same of different things.
func merged(in []plan.Finding) []plan.Finding {
	shape := func(f plan.Finding) string {
		return f.Code + "\n" + strings.ReplaceAll(f.Message, f.Target, "\n") + "\n" + strings.ReplaceAll(f.Command, f.Target, "\n")
	}
	others := map[string][]string{}
	for _, f := range in {
		if f.Target != "" {
			others[shape(f)] = append(others[shape(f)], f.Target)
		}
	}
	told := map[string]bool{}
	var out []plan.Finding
	for _, f := range in {
		like := others[shape(f)]
		switch {
		case len(like) < manyFindings:
			out = append(out, f)
		case !told[shape(f)]:
			told[shape(f)] = true
			f.Message += "; the same for " + some(like[1:])
			out = append(out, f)
		}
	}
	return out
}

// chosen are the notes on what the specs choose, by their codes: worth a word
// when the thing is made, and nothing that is left to do.
func chosen(code string) bool {
	switch code {
	case "http-only", "backend-fleets", "security-exception":
		return true
	}
	return false
}

// subjects are what the steps of a plan work on.
type subjects struct {
	touched map[string]bool // stacks, parameters and fleets, STAGE/SLUG
	made    map[string]bool // those of them that are created
	reasons map[string]bool // why steps are blocked
}

func subjectsOf(p plan.Plan) subjects {
	is := subjects{touched: map[string]bool{}, made: map[string]bool{}, reasons: map[string]bool{}}
	for _, s := range p.Steps {
		for _, name := range namesOf(s) {
			is.touched[name] = true
			if s.Action == plan.ActionCreate {
				is.made[name] = true
			}
		}
		if s.Blocked != nil {
			is.reasons[s.Blocked.Reason] = true
		}
	}
	return is
}

// namesOf is the target of a step and the fleets that it may belong to: a
// parameter has STAGE/SLUG in its name, a stack ends in -STAGE-SLUG.
func namesOf(s plan.Step) []string {
	out := []string{s.Target}
	parts := strings.Split(s.Target, "/")
	for i := 1; i+2 < len(parts); i++ {
		out = append(out, parts[i]+"/"+parts[i+1])
	}
	if s.Kind == plan.KindStack {
		for rest := s.Target; ; {
			_, after, ok := strings.Cut(rest, "-")
			if !ok {
				break
			}
			if stage, slug, ok := strings.Cut(after, "-"); ok {
				out = append(out, stage+"/"+slug)
			}
			rest = after
		}
	}
	return out
}

// concern tells whether a step works on what a note is about.
func (is subjects) concern(p plan.Plan, f plan.Finding) bool {
	switch {
	case p.Empty():
		return false
	case f.Target == "" || f.Target == p.Target.Platform:
		return true
	case chosen(f.Code):
		return is.made[f.Target]
	}
	return is.touched[f.Target]
}

// standing sums up the notes that are not shown and leave something to do.
func standing(p plan.Plan, o Options) string {
	var open []string
	is := subjectsOf(p)
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityNote && !chosen(f.Code) && !is.concern(p, f) {
			open = append(open, firstClause(f.Message))
		}
	}
	if open == nil {
		return ""
	}
	command := "reconcile plan --verbose"
	if p.Destroy {
		command = "reconcile destroy --verbose"
	}
	return counted(len(open), "note") + ": " + strings.Join(open, "; ") + " (" + o.complete(command) + ")"
}

// firstClause is a sentence up to where it begins to explain; the colon in a
// name (destroy:bp-old, an ARN) explains nothing.
func firstClause(s string) string {
	for i := 1; i < len(s)-1; i++ {
		if (s[i] == ':' || s[i] == ';') && s[i+1] == ' ' {
			return s[:i]
		}
	}
	return strings.TrimSuffix(s, ".")
}
