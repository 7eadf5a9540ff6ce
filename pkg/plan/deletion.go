package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// doomed is one stack that is to go.
type doomed struct {
	live    LiveStack
	action  StatusAction
	source  spec.Source
	named   []string // resources that are not to be kept, logical ids
	along   []string // groups that are kept for nothing but these
	narrow  string   // flags that select the stack, for a plan that is no destroy
	needs   []string // stacks that it depends on, from its metadata
	users   []StepID // steps that must come first: deletions of its users, their updates
	reason  string
	blocked *problem
}

// metadata reads what the template of a stack says about itself.
func metadata(t *cfn.Template) (needs []string, fleet string) {
	if t == nil {
		return nil, ""
	}
	ours, _ := t.Metadata[metadataKey].(map[string]any)
	fleet, _ = ours["Fleet"].(string)
	list, _ := ours["DependsOn"].([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			needs = append(needs, s)
		}
	}
	return needs, fleet
}

// deletions plans the end of stacks, users before what they use. The order
// comes from the deployed templates, so that it needs no specs.
func (c *computation) deletions(all map[string]*doomed) error {
	needs := make(map[StepID][]StepID, len(all))
	for _, name := range sortedKeys(all) {
		d := all[name]
		if d.live.Status != "REVIEW_IN_PROGRESS" {
			d.needs, _ = metadata(d.live.Template)
		}
		needs[StepID(name)] = nil
	}
	for _, name := range sortedKeys(all) {
		for _, used := range all[name].needs {
			if all[used] != nil {
				needs[StepID(used)] = append(needs[StepID(used)], StepID(name))
			}
		}
		// This program's own stack has the lock that all the others need.
		if own := c.d.Own.Stack; all[own] != nil && name != own && !contains(all[name].needs, own) {
			needs[StepID(own)] = append(needs[StepID(own)], StepID(name))
		}
	}
	order, cycle := topological(needs)
	if cycle != nil {
		return &CycleError{Cycle: cycle}
	}
	last := map[string]StepID{}
	for _, name := range order {
		d := all[string(name)]
		for _, user := range needs[name] {
			if id, ok := last[string(user)]; ok {
				d.users = append(d.users, id)
			}
		}
		if id := c.deletion(d); id != "" {
			last[string(name)] = id
		}
	}
	return nil
}

// deletion plans the end of one stack, and gives the step that completes it.
func (c *computation) deletion(d *doomed) StepID {
	live := d.live
	switch {
	case live.Status == "REVIEW_IN_PROGRESS":
		d.action.Recover, d.action.Doing = RecoverSweep, "only a change set that never ran is there"
		d.live.Protected = false // it holds nothing, and nobody asked
		return c.lastRites(d)
	case live.Status == "DELETE_FAILED":
		return c.lastRites(d)
	}
	if !c.read(&live) {
		c.unread[live.Name] = true
		return ""
	}
	also := append([]StepID(nil), d.users...)
	base := FingerprintStack(&live)
	leaving := live.Status == "DELETE_IN_PROGRESS"
	switch {
	case leaving:
		// Nothing is left to consent to, but what it uses must wait for its end.
		d.named, d.along, live.Protected = nil, nil, false
	case d.action.Class == StatusBusy:
		d.blocked = &problem{code: "stack-busy", target: live.Name,
			reason:  fmt.Sprintf("stack %s is busy: %s (%s)", live.Name, d.action.Doing, live.Status),
			command: "aws cloudformation describe-stack-events --stack-name " + live.Name}
	case d.blocked == nil:
		d.blocked = cmp.Or(c.standing(d), c.forsaken(d))
	}
	changes := d.changes()
	risk, approvals := c.risk(d, changes)
	if live.Protected {
		also = append(also, c.unprotect(d))
	}
	if d.blocked == nil {
		if id := c.release(d, approvals, also); id != "" {
			also, base = append(also, id), BaseAfter(id)
		}
		if ids := c.emptyings(d, base, approvals, also); ids != nil {
			also, base = append(also, ids...), BaseAfter(ids[len(ids)-1])
		}
	}
	step := Step{
		ID: ID(KindStack, live.Name), Kind: KindStack, Target: live.Name, Action: ActionDelete, Base: base, Source: d.source,
		Body:    Body{Stack: &StackBody{Name: live.Name, ID: live.ID, Owner: c.d.Target.Platform}},
		Changes: changes, Risk: risk, Approvals: approvals,
		Reason:   d.reason,
		Rollback: "none: what is deleted is made anew by applying a revision that has it; what is kept would be in the way then",
	}
	if leaving {
		step.Approvals, step.Reason = nil, "the stack is being deleted already; apply waits for its end"
	} else {
		groups, a := c.capacity(live.Name, *live.Template, &live, nil)
		step.Body.Stack.Capacity = groups
		if a.Kind != "" {
			step.Approvals = append(slices.Clip(step.Approvals), a)
			step.Risk += "; " + a.Why
		}
	}
	c.block(&step, d.blocked)
	c.add(nil, step, also...)
	return step.ID
}

func (c *computation) block(s *Step, p *problem) {
	if p == nil {
		return
	}
	s.Blocked = p.blocked()
	c.tell(p, s.Source)
}

// lastRites plans the deletion of a stack whose deletion is its recovery.
func (c *computation) lastRites(d *doomed) StepID {
	if d.live.Resources == nil && d.live.Status == "DELETE_FAILED" {
		c.more.templates[d.live.Name] = true
		c.unread[d.live.Name] = true
		return ""
	}
	step := recovery(d.live, d.action, c.d.Target)
	step.Source = d.source
	step.Approvals = append(step.Approvals, Approval{Kind: ApproveDestroy, Target: d.live.Name,
		Why: fmt.Sprintf("stack %s is deleted", d.live.Name)})
	also := d.users
	if d.live.Protected {
		also = append(also, c.unprotect(d))
	}
	c.block(&step, d.blocked)
	if d.live.Status == "DELETE_FAILED" && d.blocked == nil {
		for _, id := range d.named {
			step.Approvals = append(step.Approvals, Approval{Kind: ApproveDestroy, Target: d.live.Name + "/" + id,
				Why: fmt.Sprintf("%s (%s) is deleted with its data", id, d.live.Template.Resources[id].Type)})
		}
		also = append(slices.Clip(also), c.emptyings(d, step.Base, step.Approvals, also)...)
	}
	c.add(nil, step, also...)
	return step.ID
}

func (c *computation) unprotect(d *doomed) StepID {
	live := d.live
	step := Step{
		ID: UnprotectID(live.Name), Kind: KindStack, Target: live.Name, Action: ActionUnprotect,
		Base: FingerprintStack(&live), Source: d.source,
		Body: Body{Stack: &StackBody{Name: live.Name, ID: live.ID, Owner: c.d.Target.Platform}},
		Approvals: []Approval{{Kind: ApproveUnprotect, Target: live.Name,
			Why: fmt.Sprintf("stack %s is protected from termination", live.Name)}},
		Reason:   "a protected stack cannot be deleted",
		Rollback: "switch termination protection on again",
	}
	if d.blocked != nil {
		step.Blocked = d.blocked.blocked()
	}
	c.add(nil, step, d.users...)
	return step.ID
}

// changes are the resources that go, and those that are kept.
func (d *doomed) changes() []Change {
	out := make([]Change, 0, len(d.live.Template.Resources))
	released := d.letGo()
	for _, id := range d.live.Template.LogicalIDs() {
		r := d.live.Template.Resources[id]
		there, ok := d.live.Resources[id]
		if ok && there.Status == "DELETE_COMPLETE" {
			continue
		}
		out = append(out, Change{
			Stack: d.live.Name, Resource: id, Type: r.Type, Physical: there.PhysicalID,
			Action: ActionDelete, Retained: retained(r.DeletionPolicy) && !released[id], Source: d.source,
		})
	}
	return out
}

// risk names the data that is lost and what is kept, and asks for consent.
func (c *computation) risk(d *doomed, changes []Change) (string, []Approval) {
	var lost, kept, shots []string
	gone := 0
	for _, ch := range changes {
		switch r := d.live.Template.Resources[ch.Resource]; {
		case ch.Retained:
			kept = append(kept, ch.Resource)
		case keepsData(r) && !contains(d.along, ch.Resource):
			if gone++; d.snapshotted(ch.Resource) {
				shots = append(shots, ch.Resource)
			} else {
				lost = append(lost, ch.Resource)
			}
		default:
			gone++
		}
	}
	why := fmt.Sprintf("stack %s is deleted with %s", d.live.Name, count(gone, "resource"))
	if len(lost) > 0 {
		why += "; data is lost in " + strings.Join(lost, ", ")
	}
	if len(shots) > 0 {
		why += "; a final snapshot stays of " + strings.Join(shots, ", ")
	}
	if len(kept) > 0 {
		why += "; kept: " + strings.Join(kept, ", ")
	}
	approvals := []Approval{{Kind: ApproveDestroy, Target: d.live.Name, Why: why}}
	for _, id := range d.named {
		why := fmt.Sprintf("%s (%s) is deleted with its data", id, d.live.Template.Resources[id].Type)
		if d.snapshotted(id) {
			why = fmt.Sprintf("%s (%s) is deleted; a final snapshot of its data stays", id, d.live.Template.Resources[id].Type)
		}
		if retained(d.live.Template.Resources[id].DeletionPolicy) {
			why += ", against its DeletionPolicy"
		}
		if d.live.Template.Resources[id].Type == bucketType {
			why += "; a step before empties it of every version, delete marker and unfinished upload"
		}
		if own := c.d.Own.Bucket; own != "" && d.live.Resources[id].PhysicalID == own {
			why += ", of history and, at last, of the lock"
		}
		approvals = append(approvals, Approval{Kind: ApproveDestroy, Target: d.live.Name + "/" + id, Why: why})
	}
	return why, approvals
}
