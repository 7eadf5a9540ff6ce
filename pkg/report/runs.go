package report

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// manyAlike is from how many on steps that do the same, one after the other,
// are told as one.
const manyAlike = 8

// stepRun is a step, or several of a kind that do the same.
type stepRun struct {
	steps []plan.Step
	first int // number of the first
	head  string
	rows  []row
}

// runs cuts a plan's steps into those that are told as one.
func (o Options) runs(p plan.Plan) []stepRun {
	var out []stepRun
	for i := 0; i < len(p.Steps); {
		n := 1
		if !o.Verbose {
			n = o.alike(p.Steps[i:])
		}
		if n < manyAlike {
			n = 1
		}
		r := stepRun{steps: p.Steps[i : i+n], first: i + 1}
		if n == 1 {
			r.head, r.rows = o.tell(p.Steps[i])
		} else {
			o.anonymous = true
			r.head, r.rows = headline(p.Steps[i]), nil
			if p.Steps[i].Kind == plan.KindStack {
				r.rows = o.body(p.Steps[i])
			}
			o.anonymous = false
		}
		out = append(out, r)
		i += n
	}
	return out
}

// alike is how many steps from the first on do the same: make or take away a
// value each, or the same resources of a stack each.
func (o Options) alike(steps []plan.Step) int {
	o.anonymous = true
	like := o.likeness(steps[0])
	n := 1
	for n < len(steps) && like != "" && o.likeness(steps[n]) == like {
		n++
	}
	return n
}

// likeness is equal for steps that may be told as one, and empty for one that
// stands alone.
func (o Options) likeness(s plan.Step) string {
	if s.Body.Recover != nil || s.Risk != "" && len(s.Approvals) == 0 {
		return ""
	}
	like := fmt.Sprint(s.Kind, " ", s.Action, " ", s.Blocked != nil, " ", generated(s))
	if s.Kind != plan.KindStack {
		if s.Action != plan.ActionCreate && s.Action != plan.ActionDelete {
			return ""
		}
		return like
	}
	var b strings.Builder
	b.WriteString(like + " " + headline(s))
	for _, r := range o.body(s) {
		fmt.Fprintf(&b, "\n%d %s %s %s %s", r.kind, r.mark, r.text, r.before, r.after)
	}
	return b.String()
}

// targets are the names that the steps of a run work on: all of what goes away,
// and of the rest some.
func (r stepRun) targets() string {
	out := make([]string, len(r.steps))
	for i, s := range r.steps {
		out[i] = clean(s.Target)
	}
	if r.steps[0].Action == plan.ActionDelete {
		return strings.Join(out, ", ")
	}
	return some(out)
}

// manyNames is how many names are told before the rest is counted.
const manyNames = 10

// some is the first of many names, and how many more there are.
func some(names []string) string {
	if len(names) <= manyNames+1 {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:manyNames], ", ") + fmt.Sprintf(" and %d more", len(names)-manyNames)
}

// title says what the steps of a run do, without their names.
func (r stepRun) title() string {
	each := ""
	if r.steps[0].Kind == plan.KindStack {
		each = " each"
	}
	return fmt.Sprintf("%s: %s%s (steps %d to %d)", counted(len(r.steps), kindName(r.steps[0])), r.head, each, r.first, r.first+len(r.steps)-1)
}
