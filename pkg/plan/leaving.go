package plan

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
)

// A fleet that leaves the specs has halves in what is shared: rows of a
// dashboard, the retention of a log group. They go after its stack went, so
// that a deletion that nobody approved changes nothing of the fleet.

const typeDashboard = "AWS::CloudWatch::Dashboard"

// leavingFleets are the fleets whose stacks are there and not in the specs, by
// stack.
func (c *computation) leavingFleets() map[string]string {
	out := map[string]string{}
	for _, name := range sortedKeys(c.l.Stacks) {
		live := c.l.Stacks[name]
		a, known := c.statuses[live.Status]
		if c.g.nodes[ID(KindStack, name)] != nil || !known || a.Class == StatusAbsent || live.Status == "DELETE_COMPLETE" ||
			markerOf(live).Owner != c.d.Target.Platform {
			continue
		}
		if !c.read(&live) {
			c.unread[name] = true
			continue
		}
		if _, fleet := metadata(live.Template); fleet != "" {
			out[name] = fleet
		}
	}
	return out
}

// rows are the dashboards of a stack that lose something while they show fleets
// that leave, and the stacks of those.
func (c *computation) rows(st *stackState, ds []cfn.Difference) (dashboards, stacks []string) {
	for _, d := range ds {
		_, stays := st.after.Resources[d.Resource]
		if d.Type != typeDashboard || d.Path == "" || !stays || contains(dashboards, d.Resource) {
			continue
		}
		body := st.before.Resources[d.Resource].Properties["DashboardBody"]
		fleets := c.leavingFleets()
		shown := false
		for _, name := range sortedKeys(fleets) {
			_, slug, _ := strings.Cut(fleets[name], "/")
			if !mentions(body, map[string]bool{slug: true}) {
				continue
			}
			shown = true
			if !contains(stacks, name) {
				stacks = append(stacks, name)
			}
		}
		if shown {
			dashboards = append(dashboards, d.Resource)
		}
	}
	return dashboards, stacks
}

// writers are the stacks of fleets that leave and write to a log group.
func (c *computation) writers(group string) []string {
	var out []string
	for _, name := range sortedKeys(c.leavingFleets()) {
		if strings.Contains(canonical(c.l.Stacks[name].Template), "log-group:"+group+":") {
			out = append(out, name)
		}
	}
	return out
}

// lateSteps adds what waited until the deletions were planned: nobody else
// waits for it.
func (c *computation) lateSteps() {
	for _, late := range c.late {
		var ends []StepID
		var staying []string
		for _, name := range late.after {
			if end := c.endOf(name); end != "" {
				ends = append(ends, end)
			} else {
				staying = append(staying, name)
			}
		}
		if len(staying) > 0 {
			c.find(Finding{Severity: SeverityWarning, Code: "still-used", Target: late.step.Target, Source: late.step.Source,
				Message: fmt.Sprintf("%s stays as it is for now: this plan does not delete %s, whose fleets write to it", late.step.Target, strings.Join(staying, ", ")),
				Command: "reconcile plan"})
			continue
		}
		late.step.Reason += "; the fleet that needed it as it is leaves first"
		c.add(nil, late.step, ends...)
	}
}

// endOf is the step that deletes a stack; empty when the plan has none.
func (c *computation) endOf(stack string) StepID {
	for _, id := range []StepID{ID(KindStack, stack), RecoverID(stack)} {
		if s := c.steps[id]; s != nil {
			return id
		}
	}
	return ""
}

// lateStep waits for the end of stacks.
type lateStep struct {
	step  Step
	after []string
}
