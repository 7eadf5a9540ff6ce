package plan

import (
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// What is kept goes only when it is named, and then not without a trace: what
// AWS can take a snapshot of leaves a final one, for people name the wrong
// thing, and a snapshot is cheap beside the data.

// parting is the DeletionPolicy of a resource that is kept no longer. The types
// are those of the documentation of DeletionPolicy, without the caches: what
// they hold is somewhere else, and not every engine of theirs has snapshots.
func parting(r cfn.Resource) string {
	switch r.Type {
	case "AWS::RDS::DBInstance":
		// The cluster has a member's data, the source a replica's; AWS refuses a
		// final snapshot of both.
		if r.Properties["DBClusterIdentifier"] != nil || r.Properties["SourceDBInstanceIdentifier"] != nil {
			return "Delete"
		}
		return "Snapshot"
	case "AWS::RDS::DBCluster", "AWS::DocDB::DBCluster", "AWS::Neptune::DBCluster", "AWS::Redshift::Cluster", "AWS::EC2::Volume":
		return "Snapshot"
	}
	return "Delete"
}

// snapshotted tells whether a resource that goes leaves a snapshot: after its
// release, or by the policy that it has; without one AWS takes a snapshot of
// databases of RDS.
func (d *doomed) snapshotted(id string) bool {
	r := d.live.Template.Resources[id]
	switch {
	case retained(r.DeletionPolicy):
		return contains(d.named, id) && parting(r) == "Snapshot"
	case r.DeletionPolicy == "" && strings.HasPrefix(r.Type, "AWS::RDS::"):
		return parting(r) == "Snapshot"
	}
	return r.DeletionPolicy == "Snapshot"
}

// releases gives each named resource to its stack. By its whole name one may be
// named that is not kept (any more): a destroy that ended between the release
// and the deletion goes on with the same command.
func releases(all map[string]*doomed, named []string) error {
	var known []string
	for _, name := range sortedKeys(all) {
		t := all[name].live.Template
		if t == nil {
			continue
		}
		for _, id := range t.LogicalIDs() {
			r, full := t.Resources[id], name+"/"+id
			if p := r.DeletionPolicy; retained(p) || p == "Snapshot" || keepsData(r) && contains(named, full) {
				known = append(known, full)
			}
		}
	}
	hit, err := matchNames("resource", named, known)
	if err != nil {
		return err
	}
	for _, full := range sortedKeys(hit) {
		stack, id, _ := strings.Cut(full, "/")
		all[stack].named = append(all[stack].named, id)
	}
	for _, d := range all {
		if len(d.named) > 0 {
			d.along = company(d.live.Template, d.named)
		}
	}
	return nil
}

// without leaves out the resources that went with their stacks: the specs have
// them, and the stack is not there. So a destroy that was cut is run again as
// it was, and one that is done says so.
func (c *computation) without(named []string) []string {
	gone := map[string]spec.Source{}
	for _, s := range c.d.Stacks {
		if live, there := c.l.Stacks[s.Name]; there && live.Status != "DELETE_COMPLETE" {
			continue
		}
		for id := range s.Template.Resources {
			gone[s.Name+"/"+id] = s.SourceOf(id, "")
		}
	}
	var left []string
	for _, full := range named {
		source, is := gone[full]
		if !is {
			left = append(left, full)
			continue
		}
		stack, _, _ := strings.Cut(full, "/")
		c.find(Finding{Severity: SeverityNote, Code: "gone-already", Target: full, Source: source,
			Message: fmt.Sprintf("%s is not there: stack %s does not exist (any more)", full, stack)})
	}
	return left
}

// forsaken blocks the deletion of a stack when a destroy let go of a resource
// that the specs keep and did not come to its deletion: that consent was for
// then, and a destroy that does not name it must not take it.
func (c *computation) forsaken(d *doomed) *problem {
	var ids, flags []string
	for _, s := range c.d.Stacks {
		if s.Name != d.live.Name {
			continue
		}
		for _, id := range d.live.Template.LogicalIDs() {
			r := d.live.Template.Resources[id]
			there, ok := d.live.Resources[id]
			if !retained(s.Template.Resources[id].DeletionPolicy) || retained(r.DeletionPolicy) || !keepsData(r) ||
				contains(d.named, id) || !ok || there.Status == "DELETE_COMPLETE" {
				continue
			}
			full := d.live.Name + "/" + id
			ids = append(ids, fmt.Sprintf("%s (%s)", id, r.Type))
			flags = append(flags, fmt.Sprintf("--resource %s --approve %s", full, Approval{Kind: ApproveDestroy, Target: full}))
		}
	}
	if ids == nil {
		return nil
	}
	it := "it"
	if len(ids) > 1 {
		it = "them"
	}
	return &problem{code: "not-kept", target: d.live.Name,
		reason: fmt.Sprintf("the specs keep %s and the deployed stack does not: a destroy that named %s did not come to its end, or the specs are not applied. Name %s, or apply first: reconcile apply --stack %s",
			strings.Join(ids, ", "), it, it, d.live.Name),
		command: "reconcile destroy " + d.narrow + strings.Join(flags, " ")}
}

// letting is what must change of the named resources and those that go along,
// and the template with it.
func (d *doomed) letting() (*cfn.Template, []Change) {
	t := *d.live.Template
	t.Description = strings.TrimSpace(markerless(t.Description))
	t.Outputs = withoutOwn(t.Outputs)
	t.Resources = make(map[string]cfn.Resource, len(d.live.Template.Resources))
	for id, r := range d.live.Template.Resources {
		t.Resources[id] = r
	}
	var changes []Change
	change := func(id, path string, before, after any) {
		changes = append(changes, Change{Stack: d.live.Name, Resource: id, Type: t.Resources[id].Type,
			Physical: d.live.Resources[id].PhysicalID, Action: ActionUpdate, Path: path, Before: before, After: after,
			Replace: ReplaceNo, Source: d.source})
	}
	for _, id := range slices.Concat(d.named, d.along) {
		r := t.Resources[id]
		if policy := parting(r); retained(r.DeletionPolicy) {
			change(id, "DeletionPolicy", r.DeletionPolicy, policy)
			r.DeletionPolicy = policy
		}
		for _, lock := range []string{"DeletionProtection", "DeletionProtectionEnabled"} {
			if on, ok := r.Properties[lock]; ok && literalText(on) == "true" {
				change(id, "Properties."+lock, on, false)
				properties := make(map[string]any, len(r.Properties))
				for k, v := range r.Properties {
					properties[k] = v
				}
				properties[lock] = false
				r.Properties = properties
			}
		}
		t.Resources[id] = r
	}
	return &t, changes
}

// release plans the update that takes the deletion policies and locks from the
// resources that are not to be kept; without it CloudFormation would keep them.
// It needs every consent that the deletion needs: nothing loses its protection
// for a deletion that is refused. It gives no step where nothing is to change.
func (c *computation) release(d *doomed, approvals []Approval, after []StepID) StepID {
	live := d.live
	t, changes := d.letting()
	if len(changes) == 0 {
		return ""
	}
	step := Step{
		ID: ReleaseID(live.Name), Kind: KindStack, Target: live.Name, Action: ActionUpdate, Base: FingerprintStack(&live),
		Source: d.source, Reason: "the deletion policies would keep what was named", Changes: changes, Approvals: approvals,
		Rollback: "apply the specs again", Risk: "from here on the data is not protected from the deletion",
	}
	body := &StackBody{Name: live.Name, ID: live.ID, Owner: c.d.Target.Platform, Template: t,
		Tags: nonEmpty(ownTags(live.Tags)), Capabilities: cfn.Capabilities(*t)}
	for name, v := range live.Parameters {
		if hidden(t.Parameters[name]) && d.blocked == nil {
			d.blocked = &problem{code: "parameter-hidden", target: live.Name,
				reason:  fmt.Sprintf("stack %s has the hidden parameter %s, whose value is not known for the update that lets go of its resources", live.Name, name),
				command: "aws cloudformation update-stack --use-previous-template --stack-name " + live.Name}
		}
		if body.Parameters == nil {
			body.Parameters = map[string]any{}
		}
		body.Parameters[name] = v
	}
	step.Body.Stack = body
	if d.blocked != nil {
		step.Blocked = d.blocked.blocked()
	}
	c.add(nil, step, after...)
	return step.ID
}
