package plan

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
)

// What a deletion keeps still stands in something: a database in its subnets,
// security groups and groups of RDS. AWS deletes none of these under it, so a
// deletion that went ahead would end halfway, and one that left the thing to
// nobody would only move the failure to the stack of the network. So the stack
// of such a thing stays whole, and with it the stacks that it needs.

// occupied are the types that AWS does not delete while something is in them.
func occupied(resourceType string) bool { return unmovable(resourceType) || grouping(resourceType) }

// grouping are the types that only list things for others: nothing that they
// list is in use because of them.
func grouping(resourceType string) bool {
	for _, suffix := range []string{"SubnetGroup", "ParameterGroup", "OptionGroup"} {
		if strings.HasSuffix(resourceType, suffix) {
			return true
		}
	}
	return false
}

// standing blocks the deletion of a stack that keeps something which stands in
// what is not kept with it.
func (c *computation) standing(d *doomed) *problem {
	t, let := d.live.Template, d.letGo()
	var keepers, flags []string
	lost := false
	grounds := map[string]map[string]bool{} // by stack, logical ids
	for _, id := range t.LogicalIDs() {
		r := t.Resources[id]
		there, ok := d.live.Resources[id]
		if !retained(r.DeletionPolicy) || let[id] || grouping(r.Type) || !ok || there.Status == "DELETE_COMPLETE" {
			continue
		}
		if !c.footing(d, id, grounds) {
			continue
		}
		full := d.live.Name + "/" + id
		keepers = append(keepers, fmt.Sprintf("%s (%s)", id, r.Type))
		lost = lost || parting(r) != "Snapshot"
		flags = append(flags, fmt.Sprintf("--resource %s --approve %s", full, Approval{Kind: ApproveDestroy, Target: full}))
	}
	if keepers == nil {
		return nil
	}
	var under []string
	reason := "stack " + d.live.Name + " stays whole"
	for _, name := range sortedKeys(grounds) {
		where := strings.Join(sortedKeys(grounds[name]), ", ")
		if name != d.live.Name {
			where += " of stack " + name
			reason = "stack " + d.live.Name + " stays whole, and so do the stacks that it needs"
		}
		under = append(under, where)
	}
	verb, it, goes := "is kept and stands in", "it", "it goes"
	if len(keepers) > 1 {
		verb, it, goes = "are kept and stand in", "them", "they go"
	}
	if lost {
		goes += " with all data"
	} else {
		goes += ", and a final snapshot stays"
	}
	return &problem{code: "kept-in-use", target: d.live.Name,
		reason: fmt.Sprintf("%s %s %s, which AWS does not delete under %s: %s. Named, %s",
			strings.Join(keepers, ", "), verb, strings.Join(under, "; "), it, reason, goes),
		command: "reconcile destroy " + d.narrow + strings.Join(flags, " ")}
}

// footing finds what a resource that is kept stands in and does not keep, in
// its own stack and in those that it needs, and adds it to grounds.
func (c *computation) footing(d *doomed, id string, grounds map[string]map[string]bool) (found bool) {
	t, let := d.live.Template, d.letGo()
	note := func(stack, id string) {
		if grounds[stack] == nil {
			grounds[stack] = map[string]bool{}
		}
		grounds[stack][id], found = true, true
	}
	var documents strings.Builder
	seen := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		seen[id] = true
		documents.WriteString(canonical(t.Resources[id].Properties))
		for _, r := range logicalRefs(t.Resources[id].Properties) {
			if _, parameter := t.Parameters[r.id]; parameter {
				documents.WriteString(canonical(d.live.Parameters[r.id]))
			}
			used, ok := t.Resources[r.id]
			if !ok || seen[r.id] || !occupied(used.Type) {
				continue
			}
			if !retained(used.DeletionPolicy) || let[r.id] {
				note(d.live.Name, r.id)
			}
			visit(r.id)
		}
	}
	visit(id)
	for _, name := range d.needs {
		live, ok := c.l.Stacks[name]
		if !ok || live.Status == "DELETE_COMPLETE" || markerOf(live).Owner != c.d.Target.Platform {
			continue
		}
		if !c.read(&live) {
			c.unread[name] = true
			continue
		}
		for _, other := range sortedKeys(live.Resources) {
			r := live.Resources[other]
			if occupied(r.Type) && len(r.PhysicalID) >= shortestHandle && strings.Contains(documents.String(), `"`+r.PhysicalID+`"`) {
				note(name, other)
			}
		}
	}
	return found
}

// letGo are the resources of the stack that are not to be kept.
func (d *doomed) letGo() map[string]bool {
	out := make(map[string]bool, len(d.named)+len(d.along))
	for _, id := range slices.Concat(d.named, d.along) {
		out[id] = true
	}
	return out
}

// company are the groups that are kept for nothing but the resources that go:
// they hold no data, and nobody would find them again under their names.
func company(t *cfn.Template, named []string) []string {
	goes := map[string]bool{}
	for _, id := range named {
		goes[id] = true
	}
	var out []string
	for _, id := range t.LogicalIDs() {
		r := t.Resources[id]
		if goes[id] || !grouping(r.Type) || !retained(r.DeletionPolicy) {
			continue
		}
		users, others := 0, 0
		for _, user := range t.LogicalIDs() {
			if !slices.ContainsFunc(logicalRefs(t.Resources[user].Properties), func(r logicalRef) bool { return r.id == id }) {
				continue
			}
			if users++; !goes[user] {
				others++
			}
		}
		if users > 0 && others == 0 {
			out = append(out, id)
		}
	}
	return out
}
