package plan

import (
	"fmt"
	"strings"
)

// orphans plans the deletion of stacks that we own and the specs do not have,
// and refuses when they are so many that the specs look broken.
func (c *computation) orphans() {
	all := map[string]*doomed{}
	owned := 0
	for _, name := range sortedKeys(c.l.Stacks) {
		live := c.l.Stacks[name]
		action, known := c.statuses[live.Status]
		if markerOf(live).Owner != c.d.Target.Platform || live.Status == "DELETE_COMPLETE" {
			continue
		}
		owned++
		if c.g.nodes[ID(KindStack, name)] != nil || !c.all && !c.sel.Since.gone(name) {
			continue
		}
		if !known {
			c.find(Finding{Severity: SeverityError, Code: "unknown-status", Target: name,
				Message: fmt.Sprintf("stack %s has the status %q, which this version of reconcile does not know", name, live.Status)})
			continue
		}
		d := &doomed{live: live, action: action, reason: "the specs do not have the stack", narrow: "--stack " + name + " "}
		for _, user := range c.d.Stacks {
			if st := c.stacks[user.Name]; st != nil && st.mode == modeUpdate && uses(st, name) {
				d.users = append(d.users, ID(KindStack, user.Name))
			}
		}
		all[name] = d
	}
	if err := c.deletions(all); err != nil {
		c.find(Finding{Severity: SeverityError, Code: "cycle", Target: "stacks", Message: err.Error()})
	}
	c.renames(all)
	c.massDeletion(all, owned)
}

// uses tells whether the deployed template reads another stack.
func uses(st *stackState, name string) bool {
	needs, _ := metadata(st.live.Template)
	for _, n := range needs {
		if n == name {
			return true
		}
	}
	return false
}

// massDeletion refuses an empty or sharply smaller platform unless every
// single deletion was approved by its name.
func (c *computation) massDeletion(all map[string]*doomed, owned int) {
	for name, d := range all {
		if d.live.Status == "DELETE_IN_PROGRESS" {
			delete(all, name) // nobody can stop it any more
		}
	}
	limit := max(1, owned/10)
	if len(all) == 0 || len(all) <= limit && len(c.d.Stacks) > 0 {
		return
	}
	given := map[string]bool{}
	for _, a := range c.approved {
		given[a.String()] = true
	}
	var flags []string
	open := 0
	for _, name := range sortedKeys(all) {
		a := Approval{Kind: ApproveDestroy, Target: name}.String()
		flags = append(flags, "--approve "+a)
		if !given[a] {
			open++
		}
	}
	if open == 0 {
		return
	}
	what := fmt.Sprintf("the specs would delete %d of %s that this platform owns", len(all), count(owned, "stack"))
	if len(c.d.Stacks) == 0 {
		what = fmt.Sprintf("the specs are empty and would delete all of %s that this platform owns", count(owned, "stack"))
	}
	c.find(Finding{Severity: SeverityError, Code: "mass-deletion", Target: c.d.Target.Platform,
		Message: fmt.Sprintf("%s: %s. If that is meant, name every one; --allow-destroy is not enough. If not, look whether files of the specs are missing",
			what, strings.Join(sortedKeys(all), ", ")),
		Command: "reconcile apply " + strings.Join(flags, " ")})
}

// renames tells of a stack that goes while another of the same content comes.
func (c *computation) renames(all map[string]*doomed) {
	if len(all) == 0 {
		return
	}
	gone := map[string]string{}
	for _, name := range sortedKeys(all) {
		gone[string(markerOf(all[name].live).Digest)] = name
	}
	for _, s := range c.d.Stacks {
		st := c.stacks[s.Name]
		if st == nil || st.mode != modeCreate {
			continue
		}
		r := c.resolver()
		st.resolveWith(r)
		if old, ok := gone[string(c.digest(st, r))]; ok {
			c.find(Finding{Severity: SeverityWarning, Code: "renamed", Target: s.Name, Source: s.Source,
				Message: fmt.Sprintf("stack %s has the content of %s, which is deleted: a new name is a new stack, and nothing is moved from the old one", s.Name, old)})
		}
	}
}
