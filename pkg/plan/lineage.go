package plan

import (
	"fmt"
	"strings"

	"reconcile/pkg/ami"
	"reconcile/pkg/bundle"
)

// imagePath ends the path of a change to what a launch template starts from.
const imagePath = "LaunchTemplateData.ImageId"

// imageMove is a change of the image that a launch template starts from.
type imageMove struct {
	resource      string
	before, after string
}

// imageMoves are the changes of a step from one known image to another.
func imageMoves(changes []Change) []imageMove {
	var out []imageMove
	for _, ch := range changes {
		before, was := ch.Before.(string)
		after, is := ch.After.(string)
		if ch.Type == typeLaunchTemplate && ch.Action == ActionUpdate && strings.HasSuffix(ch.Path, imagePath) && !ch.Unknown &&
			was && is && strings.HasPrefix(before, "ami-") && strings.HasPrefix(after, "ami-") {
			out = append(out, imageMove{ch.Resource, before, after})
		}
	}
	return out
}

// downgrades compares what the images of a step are made of, with what their
// tags say, and gives the approvals that an older one needs. Images are asked for
// only here, where a plan changes one; an unchanged plan never does.
func (c *computation) downgrades(st *stackState, s *Step) []Approval {
	var out []Approval
	for _, m := range imageMoves(s.Changes) {
		before, known := c.l.AMIs[m.before]
		after, also := c.l.AMIs[m.after]
		if !known || !also {
			c.more.amis[m.before], c.more.amis[m.after] = true, true
			continue
		}
		target := st.spec.Name + "/" + m.resource
		if !after.Exists() {
			c.goneImage(st, s, m)
			continue
		}
		if why := ami.Downgrades(before.Lineage, after.Lineage); before.Exists() && len(why) > 0 {
			out = append(out, Approval{Kind: ApproveDowngrade, Target: target,
				Why: fmt.Sprintf("%s (%s) would start from the older image %s instead of %s: %s", m.resource, typeLaunchTemplate, m.after, m.before, strings.Join(why, "; "))})
		}
		c.tellLineage(st, before, after)
	}
	return out
}

// goneImage blocks a step whose image EC2 does not know (failure-modes F10): the
// launch template would be made and no instance would start.
func (c *computation) goneImage(st *stackState, s *Step, m imageMove) {
	f := c.fleetNamed(st)
	p := &problem{code: "ami-gone", target: f.ID,
		reason:  fmt.Sprintf("fleet %s: parameter %s holds %s, and there is no such image that this account can use (InvalidAMIID.NotFound)", f.ID, f.AMIParameter, m.after),
		command: "reconcile ami list " + f.ID}
	if s.Blocked == nil {
		s.Blocked = p.blocked()
	}
	c.tell(p, st.spec.Source)
}

// tellLineage tells what a reader must know of the image that comes: that its
// tags do not say what is in it, or that another bundle than the active one is
// baked into it.
func (c *computation) tellLineage(st *stackState, before, after ami.Image) {
	f := c.fleetNamed(st)
	if before.Lineage.Known() && !after.Lineage.Known() {
		c.find(Finding{Severity: SeverityWarning, Code: "ami-lineage", Target: f.ID, Source: st.spec.Source,
			Message: fmt.Sprintf("fleet %s: the tags of %s do not say which driver, CUDA and ComfyUI are in it, so that it cannot be compared with %s, which runs", f.ID, after.ID, before.ID),
			Command: "reconcile ami list " + f.ID})
	}
	active, ok := c.activeBundle(f)
	if baked := after.Lineage.Bundle; baked != "" && ok && baked != active {
		c.find(Finding{Severity: SeverityWarning, Code: "ami-bundle", Target: f.ID, Source: st.spec.Source,
			Message: fmt.Sprintf("fleet %s: bundle %s is baked into %s, and the active one is %s: each worker downloads it when it boots", f.ID, baked, after.ID, orElse(active, noBundle)),
			Command: "reconcile ami bake " + f.ID})
	}
}

// fleetNamed is the fleet of a stack; where a stack of a user's own has a launch
// template, one that is named like the stack.
func (c *computation) fleetNamed(st *stackState) Fleet {
	if f := c.fleetOf(st); f != nil {
		return *f
	}
	return Fleet{ID: st.spec.Name}
}

// activeBundle is the id of the bundle that a fleet's pointer names after the
// plan, empty for none; false when that is not known.
func (c *computation) activeBundle(f Fleet) (string, bool) {
	name := fleetPath(c.d.Target) + f.ID + "/active_bundle"
	if v, ok := c.values[name]; ok {
		id, _ := bundle.IDOfPointer(v.value)
		return id, v.known
	}
	p, ok := c.l.Parameters[name]
	id, _ := bundle.IDOfPointer(p.Value)
	return id, ok
}
