package report

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// entry is one step for a reviewer, or several that do the same wherever they
// stand in the plan.
type entry struct {
	steps []plan.Step
	head  string
	rows  []row
	// dangerous entries have what a reviewer must not overlook.
	dangerous bool
}

// entries cuts a plan into what is told as one: steps whose changes are the
// same but for their own names.
func (o Options) entries(p plan.Plan) []entry {
	danger := map[plan.StepID]bool{}
	for _, d := range plan.Dangers(p) {
		danger[d.Step] = true
	}
	many := map[string]int{}
	for _, s := range p.Steps {
		many[makes(s)]++
	}
	var out []entry
	at := map[string]int{}
	for _, s := range p.Steps {
		key := o.sameness(s)
		if values := makes(s); values != "" && many[values] >= manyAlike {
			key = values
		}
		if i, ok := at[key]; ok && key != "" {
			out[i].steps = append(out[i].steps, s)
			out[i].dangerous = out[i].dangerous || danger[s.ID]
			continue
		}
		at[key] = len(out)
		out = append(out, entry{steps: []plan.Step{s}, dangerous: danger[s.ID]})
	}
	for i := range out {
		o.fill(&out[i])
	}
	return out
}

// fill tells an entry by its first step, without that one's names where there
// are several.
func (o Options) fill(e *entry) {
	s := e.steps[0]
	if len(e.steps) == 1 {
		e.head, e.rows = o.tell(s)
		return
	}
	e.head = headline(s)
	if values := makes(s); values != "" && slices.ContainsFunc(e.steps, func(other plan.Step) bool { return o.sameness(other) != o.sameness(s) }) {
		return // each has a value of its own
	}
	e.rows = o.namelessRows(s)
}

// makes is equal for steps that each make, or take away, a value of the same
// kind; empty for all others.
func makes(s plan.Step) string {
	if s.Kind == plan.KindStack || s.Action != plan.ActionCreate && s.Action != plan.ActionDelete || s.Risk != "" && len(s.Approvals) == 0 {
		return ""
	}
	name := s.Target[strings.LastIndexByte(s.Target, '/')+1:]
	if s.Kind != plan.KindParameter {
		name = ""
	}
	return fmt.Sprint("makes ", s.Kind, " ", s.Action, " ", name, " ", s.Blocked != nil, " ", generated(s))
}

// sameness is equal for steps that do the same but for their names; empty for
// one that stands alone.
func (o Options) sameness(s plan.Step) string {
	if s.Body.Recover != nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprint(&b, s.Kind, " ", s.Action, " ", s.Blocked != nil, " ", generated(s), " ", nameless(s)(s.Target), " ", headline(s), " ", nameless(s)(s.Risk))
	for _, a := range s.Approvals {
		fmt.Fprint(&b, "\n", a.Kind, " ", nameless(s)(a.Target))
	}
	for _, r := range o.namelessRows(s) {
		fmt.Fprintf(&b, "\n%d %s %s %s %s %s", r.kind, r.mark, r.text, r.before, r.after, r.note)
	}
	return b.String()
}

// namelessRows are the rows of a step in which its own names have a
// placeholder. What a value was before, where the new one is not known, is
// different for each and tells nothing.
func (o Options) namelessRows(s plan.Step) []row {
	o.anonymous = true
	rows := o.body(s)
	out := make([]row, len(rows))
	rename := nameless(s)
	for i, r := range rows {
		r.text, r.before, r.after, r.note = rename(r.text), rename(r.before), rename(r.after), rename(r.note)
		if r.after == afterApply && r.before != "" {
			r.before = "…"
		}
		r.at = ""
		out[i] = r
	}
	return out
}

const (
	fleetName = "‹fleet›"
	stepName  = "‹name›"
)

// nameless replaces the names of a step's own fleet and target. The stage
// stays: what happens in production is told apart.
func nameless(s plan.Step) func(string) string {
	pairs := []string{}
	if slug := slugOf(s); slug != "" {
		pairs = append(pairs, slug, fleetName)
	} else if len(s.Target) >= 4 {
		pairs = append(pairs, s.Target, stepName)
	}
	return strings.NewReplacer(pairs...).Replace
}

// slugOf is the name of the fleet that a step belongs to, without its stage:
// its stack is PLATFORM-gpu-fleet-STAGE-SLUG, its parameters have
// /fleets/STAGE/SLUG/ in their names, its log group ends in /gpu-workers/SLUG.
func slugOf(s plan.Step) string {
	slug := ""
	switch s.Kind {
	case plan.KindStack:
		if _, rest, ok := strings.Cut(s.Target, "-fleet-"); ok {
			_, slug, _ = strings.Cut(rest, "-")
		}
	case plan.KindParameter:
		if _, rest, ok := strings.Cut(s.Target, "/fleets/"); ok {
			if parts := strings.Split(rest, "/"); len(parts) > 2 {
				slug = parts[1]
			}
		}
	case plan.KindLogGroup:
		_, slug, _ = strings.Cut(s.Target, "/gpu-workers/")
	}
	if len(slug) < 3 {
		return ""
	}
	return slug
}

// names are the targets of an entry's steps.
func (e entry) names() []string {
	out := make([]string, len(e.steps))
	for i, s := range e.steps {
		out[i] = s.Target
	}
	return out
}

// sources are the spec lines behind an entry, each once: first those of the
// properties that change, then that of the step.
func (e entry) sources() []spec.Source {
	var out []spec.Source
	seen := map[string]bool{}
	add := func(at spec.Source) {
		if key := place(at); key != "" && !seen[key] {
			seen[key] = true
			out = append(out, at)
		}
	}
	for _, s := range e.steps {
		for _, c := range s.Changes {
			if c.Path != "" {
				add(c.Source)
			}
		}
		if len(out) == 0 || len(e.steps) > 1 {
			add(s.Source)
		}
	}
	return out
}

// lines are what an entry does, as a diff.
func (e entry) lines() []string { return diffLines(e.steps[0], e.rows) }

// blocked tells whether an entry's steps are blocked; all are, or none is.
func (e entry) blocked() bool { return e.steps[0].Blocked != nil }
