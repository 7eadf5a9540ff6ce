package plan

import (
	"fmt"
	"maps"
	"strings"

	"reconcile/pkg/cfn"
)

// What leaves a stack while others still run on it goes in two steps around
// theirs: the stack's own step has all that the specs want and keeps what
// leaves (expand), the users are pointed elsewhere, and the contract step takes
// away what nobody uses any more. AWS would refuse to delete a subnet that has
// network interfaces in it, and would delete a cache under its clients.

// contraction is the second half of a stack's change.
type contraction struct {
	final cfn.Template // as the specs want it, with what is known put in
	ids   []string     // logical ids that leave
	users []string     // stacks that use them as they are deployed
	base  string       // for a contraction without an expansion
	also  []StepID
	r     *resolver
	seen  bool
}

// hold keeps in the stack's own step what others use as they are deployed. It
// gives the differences that are left for that step; the rest is st.contract's.
func (c *computation) hold(st *stackState, r *resolver, ds []cfn.Difference, base string, also []StepID) []cfn.Difference {
	var ids []string
	for _, d := range ds {
		if d.Path == "" && d.Kind == cfn.Remove && !strings.Contains(d.Resource, ".") {
			ids = append(ids, d.Resource)
		}
	}
	rows, leaving := c.rows(st, ds)
	if len(ids)+len(rows) == 0 || !st.canHold() || c.usesGone(st) {
		return ds
	}
	users := c.usersOf(st, ids)
	if len(users) == 0 {
		ids = nil
	}
	ids, users = append(ids, rows...), append(users, leaving...)
	if len(users) == 0 {
		return ds
	}
	st.contract = &contraction{final: st.after, ids: ids, users: users, base: base, also: also, r: r}
	st.after = st.holding(st.after)
	return st.compare()
}

// canHold tells whether the deployed resources can stand in the wanted
// template: what they refer to beside resources must be in it as it was.
func (st *stackState) canHold() bool {
	if canonical(st.before.Transform) != canonical(st.after.Transform) {
		return false
	}
	for _, pair := range [][2]map[string]any{
		{st.before.Parameters, st.after.Parameters}, {st.before.Mappings, st.after.Mappings}, {st.before.Conditions, st.after.Conditions},
	} {
		for name, v := range pair[0] {
			if canonical(v) != canonical(pair[1][name]) {
				return false
			}
		}
	}
	return true
}

// usesGone tells whether the stack runs on one that leaves the specs: that one
// waits for the stack's own step, which must therefore let go of it at once.
func (c *computation) usesGone(st *stackState) bool {
	needs, _ := metadata(st.live.Template)
	for _, name := range needs {
		if _, there := c.l.Stacks[name]; there && c.g.nodes[ID(KindStack, name)] == nil {
			return true
		}
	}
	return false
}

// holding adds what leaves, as it is deployed, to a template.
func (st *stackState) holding(t cfn.Template) cfn.Template {
	t.Resources, t.Outputs = maps.Clone(t.Resources), maps.Clone(t.Outputs)
	for _, id := range st.contract.ids {
		t.Resources[id] = st.before.Resources[id]
	}
	for name, o := range st.before.Outputs {
		if _, stays := t.Outputs[name]; stays || name == cfn.DigestOutput || name == cfn.RevisionOutput {
			continue
		}
		if t.Outputs == nil {
			t.Outputs = map[string]cfn.Output{}
		}
		t.Outputs[name] = o
	}
	return t
}

// usersOf are the stacks that run, as they are deployed, on the given resources
// of a stack: their templates hold the id of one of them, or an output that reads it.
func (c *computation) usersOf(st *stackState, ids []string) []string {
	tokens := st.handles(ids)
	if len(tokens) == 0 {
		return nil
	}
	var out []string
	for _, name := range sortedKeys(c.l.Stacks) {
		live := c.l.Stacks[name]
		a, known := c.statuses[live.Status]
		if name == st.spec.Name || !known || a.Class == StatusAbsent || live.Status == "DELETE_COMPLETE" || markerOf(live).Owner != c.d.Target.Platform {
			continue
		}
		if !c.read(&live) {
			c.unread[name] = true
			continue
		}
		if needs, _ := metadata(live.Template); !contains(needs, st.spec.Name) {
			continue
		}
		text := canonical(live.Template) + canonical(live.Parameters)
		for _, token := range tokens {
			if strings.Contains(text, token) {
				out = append(out, name)
				break
			}
		}
	}
	return out
}

// shortestHandle keeps ports and the like from being taken for an id.
const shortestHandle = 8

// handles are the texts by which others know resources of the stack: values of
// the outputs that read them, and the ids behind those.
func (st *stackState) handles(ids []string) []string {
	wanted, set := map[string]bool{}, map[string]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	note := func(s string) {
		if len(s) >= shortestHandle {
			set[strings.Trim(canonical(s), `"`)] = true
		}
	}
	for name, o := range st.before.Outputs {
		for _, r := range logicalRefs(o.Value) {
			if wanted[r.id] {
				note(st.live.Outputs[name])
				note(st.live.Resources[r.id].PhysicalID)
			}
		}
	}
	return sortedKeys(set)
}

// contracts plans the second halves, after all that the users do.
func (c *computation) contracts() {
	for _, id := range c.g.order {
		if n := c.g.nodes[id]; n.kind == KindStack {
			c.contractStack(c.stacks[c.d.Stacks[n.index].Name])
		}
	}
}

// contractStack plans one; those of its users come first, which may hold
// things that still use its own.
func (c *computation) contractStack(st *stackState) {
	if st == nil || st.contract == nil || st.contract.seen {
		return
	}
	k, name := st.contract, st.spec.Name
	k.seen = true
	also := append([]StepID(nil), k.also...)
	var waiting []string
	for _, user := range k.users {
		c.contractStack(c.stacks[user])
		step, moves := c.steps[ID(KindStack, user)]
		last, contracted := c.steps[ContractID(user)]
		rescue, recovers := c.steps[RecoverID(user)]
		node := c.g.nodes[ID(KindStack, user)]
		switch {
		case contracted:
			also = append(also, last.ID)
		case moves:
			also = append(also, step.ID)
		case recovers && node == nil && rescue.Body.Recover.Operation == RecoverRetryDelete:
			also = append(also, rescue.ID) // its recovery is its end
		case recovers || !c.all && (node == nil || !c.planned[node.id]):
			waiting = append(waiting, user)
		}
	}
	if len(waiting) > 0 {
		c.find(Finding{Severity: SeverityWarning, Code: "still-used", Target: name, Source: st.spec.Source,
			Message: fmt.Sprintf("%s of stack %s stay for now: this plan does not move their users, %s",
				strings.Join(k.ids, ", "), name, strings.Join(waiting, ", ")),
			Command: "reconcile plan"})
		return
	}
	base := k.base
	if first, ok := c.steps[ID(KindStack, name)]; ok {
		base = BaseAfter(first.ID)
		also = append(also, first.ID)
		first.Reason += fmt.Sprintf("; %s stay as they are until nothing uses them, then %s follows", strings.Join(k.ids, ", "), ContractID(name))
	}
	// The second half starts from what the first leaves.
	half := *st
	half.before, half.after, half.contract, half.liveOutputs = st.after, k.final, nil, nil
	ds := cfn.Diff(half.before, half.after)
	half.touched, half.named = touches(ds), nil
	changes := half.changes(ds)
	sortChanges(changes)
	step := Step{
		ID: ContractID(name), Kind: KindStack, Target: name, Action: ActionUpdate, Base: base,
		Changes: changes, Unknown: sortedKeys(k.r.unknown), Source: st.spec.Source,
		Reason:   fmt.Sprintf("%s used by %s until their steps are done", count(len(k.ids), "resource"), strings.Join(k.users, ", ")),
		Rollback: "what is deleted is made anew by applying the revision before",
	}
	if len(step.Unknown) == 0 {
		step.Unknown = nil
	}
	step.Body.Stack = &StackBody{
		Name: name, ID: st.live.ID, Owner: c.d.Target.Platform, Template: c.withMetadata(&half), Tags: nonEmpty(st.spec.Tags),
		Parameters: st.spec.Parameters, Capabilities: st.spec.Capabilities,
	}
	c.dangers(&half, &step)
	if p := c.lacks(st, k.r); p != nil {
		c.block(&step, p)
	}
	c.add(st.node, step, also...)
}

// unmovable are the types that others cannot be moved off while the new one is
// made: network interfaces stay in them, and AWS refuses to delete the old one.
func unmovable(resourceType string) bool {
	return resourceType == "AWS::EC2::VPC" || resourceType == "AWS::EC2::Subnet" || resourceType == "AWS::EC2::SecurityGroup"
}

// inUse refuses the replacement of networks that other stacks run on.
func (c *computation) inUse(st *stackState, ds []cfn.Difference) {
	seen := map[string]bool{}
	for _, d := range ds {
		if Replace(d.Replace) != ReplaceYes || !unmovable(d.Type) || seen[d.Resource] || st.before.Resources[d.Resource].Type != d.Type {
			continue
		}
		seen[d.Resource] = true
		ids := []string{d.Resource}
		if d.Type == "AWS::EC2::VPC" {
			ids = st.before.LogicalIDs() // all that is in it goes with it
		}
		users := c.usersOf(st, ids)
		if len(users) == 0 {
			continue
		}
		c.find(Finding{Severity: SeverityError, Code: "in-use-replacement", Target: st.spec.Name + "/" + d.Resource,
			Message: fmt.Sprintf("%s (%s) would be replaced because of %s, and it is in use by %s: AWS does not delete the old one before they let go of it. Take the change back, or build a second platform in another region or account, move to it, and destroy this one",
				d.Resource, d.Type, strings.TrimPrefix(d.Path, "Properties."), strings.Join(users, ", ")),
			Source: st.spec.SourceOf(d.Resource, d.Path)})
	}
}

// renamedPlatform refuses a platform where another one lives and this one has
// no stack: a platform is known by its name, and another name is another platform.
func (c *computation) renamedPlatform() {
	others := map[string][]string{}
	for _, name := range sortedKeys(c.l.Stacks) {
		live := c.l.Stacks[name]
		owner := markerOf(live).Owner
		if owner == "" || live.Status == "DELETE_COMPLETE" {
			continue
		}
		if owner == c.d.Target.Platform {
			return
		}
		others[owner] = append(others[owner], name)
	}
	for _, owner := range sortedKeys(others) {
		c.find(Finding{Severity: SeverityError, Code: "other-platform", Target: owner,
			Message: fmt.Sprintf("platform %s has no stack here and platform %s has %s: %s. A new name of a platform is a new platform, to which nothing moves, and an account and region hold one: alarms and fleets have names of their own. If it was only to be called otherwise, take the old name back; if the old one is to go, destroy it first, by its name",
				c.d.Target.Platform, owner, count(len(others[owner]), "stack"), strings.Join(others[owner], ", "))})
	}
}
