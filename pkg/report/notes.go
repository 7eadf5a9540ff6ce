package report

import (
	"slices"
	"strings"

	"reconcile/pkg/plan"
)

// shownFindings are the findings of a severity that a reader of this plan
// wants: not a warning that stands under the blocked steps, and no note about
// something that the plan leaves alone.
func shownFindings(p plan.Plan, severity plan.Severity, all bool) []plan.Finding {
	var out []plan.Finding
	for _, f := range p.Findings {
		if f.Severity != severity {
			continue
		}
		if severity == plan.SeverityWarning && blockedBy(p, f) {
			continue
		}
		if severity == plan.SeverityNote && !all && !concerns(p, f) {
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

func blockedBy(p plan.Plan, f plan.Finding) bool {
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
		return s.Blocked != nil && s.Blocked.Reason == f.Message
	})
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

// concerns tells whether a step works on what a note is about.
func concerns(p plan.Plan, f plan.Finding) bool {
	if p.Empty() {
		return false
	}
	if f.Target == "" || f.Target == p.Target.Platform {
		return true
	}
	return slices.ContainsFunc(p.Steps, func(s plan.Step) bool {
		if chosen(f.Code) && s.Action != plan.ActionCreate {
			return false
		}
		return s.Target == f.Target || ofFleet(s, f.Target)
	})
}

// ofFleet tells whether a step works on a fleet, STAGE/SLUG: on its parameters
// or on its stack.
func ofFleet(s plan.Step, fleet string) bool {
	stage, slug, ok := strings.Cut(fleet, "/")
	if !ok || stage == "" {
		return false
	}
	return strings.Contains(s.Target, "/"+fleet+"/") || s.Kind == plan.KindStack && strings.HasSuffix(s.Target, "-"+stage+"-"+slug)
}

// standing sums up the notes that are not shown and leave something to do.
func standing(p plan.Plan, o Options) string {
	var open []string
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityNote && !chosen(f.Code) && !concerns(p, f) {
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

// firstClause is a sentence up to where it begins to explain.
func firstClause(s string) string {
	if i := strings.IndexAny(s, ":;"); i > 0 {
		return s[:i]
	}
	return strings.TrimSuffix(s, ".")
}
