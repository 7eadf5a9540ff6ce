package plan

import (
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
)

// fate is the strongest thing that a step does to one resource.
type fate struct {
	id      string
	change  Change // the one that decides
	paths   []string
	deleted bool
	replace Replace
}

// fates sorts a step's changes by resource, in order.
func fates(changes []Change) []fate {
	var out []fate
	at := map[string]int{}
	for _, ch := range changes {
		if strings.Contains(ch.Resource, ".") || ch.Resource == "Transform" || ch.Action == ActionCreate && ch.Path == "" {
			continue
		}
		i, ok := at[ch.Resource]
		if !ok {
			i = len(out)
			at[ch.Resource] = i
			out = append(out, fate{id: ch.Resource, change: ch, replace: ReplaceNo})
		}
		f := &out[i]
		if ch.Action == ActionDelete && ch.Path == "" {
			f.deleted, f.change = true, ch
		}
		if ch.Replace == ReplaceYes || ch.Replace == ReplaceMaybe {
			f.paths = append(f.paths, strings.TrimPrefix(ch.Path, "Properties."))
			if f.replace != ReplaceYes {
				f.replace, f.change = ch.Replace, ch
			}
		}
	}
	return out
}

// dangers adds the approvals that a stack's step needs.
func (c *computation) dangers(st *stackState, s *Step) {
	if st.mode != modeUpdate {
		return
	}
	var risks []string
	for _, f := range fates(s.Changes) {
		target := st.spec.Name + "/" + f.id
		stateful := st.stateful(f.id)
		switch {
		case f.deleted && stateful:
			s.Approvals = append(s.Approvals, Approval{Kind: ApproveDestroy, Target: target, Why: st.whyDelete(f)})
			risks = append(risks, st.whyDelete(f))
		case f.replace == ReplaceNo || cfn.Routine(f.change.Type):
		default:
			why := st.whyReplace(f)
			s.Approvals = append(s.Approvals, Approval{Kind: ApproveReplace, Target: target, Why: why})
			risks = append(risks, why)
			if stateful {
				s.Approvals = append(s.Approvals, Approval{Kind: ApproveDestroy, Target: target,
					Why: fmt.Sprintf("%s holds data, and the new one starts empty%s", f.id, fateOfOld(st.before.Resources[f.id]))})
			}
		}
	}
	groups, a := c.capacity(st.spec.Name, st.before, st.live, st)
	s.Body.Stack.Capacity = groups
	if a.Kind != "" {
		s.Approvals = append(s.Approvals, a)
		risks = append(risks, a.Why)
	}
	if as := c.downgrades(st, s); len(as) > 0 {
		s.Approvals = append(s.Approvals, as...)
		for _, a := range as {
			risks = append(risks, a.Why)
		}
	}
	s.Risk = strings.Join(risks, "; ")
}

// stateful tells whether losing the resource, as it is deployed, loses data.
func (st *stackState) stateful(id string) bool {
	for _, s := range st.spec.Stateful {
		if s == id {
			return true
		}
	}
	r, ok := st.before.Resources[id]
	return ok && keepsData(r)
}

// keepsData goes by type and by the policies that whoever wrote the template
// thought right.
func keepsData(r cfn.Resource) bool {
	return awstype.Stateful(r.Type) || retained(r.DeletionPolicy) || r.DeletionPolicy == "Snapshot"
}

func (st *stackState) whyDelete(f fate) string {
	thing := fmt.Sprintf("%s (%s)", f.id, f.change.Type)
	switch p := st.before.Resources[f.id].DeletionPolicy; {
	case retained(p):
		return fmt.Sprintf("%s leaves the stack; DeletionPolicy %s keeps the thing itself, which nothing manages then", thing, p)
	case p == "Snapshot":
		return thing + " is deleted; a snapshot of its data stays"
	}
	return thing + " is deleted with its data"
}

func (st *stackState) whyReplace(f fate) string {
	verb := "is replaced"
	if f.replace == ReplaceMaybe {
		verb = "is possibly replaced"
	}
	why := fmt.Sprintf("%s (%s) %s because of %s", f.id, f.change.Type, verb, strings.Join(f.paths, ", "))
	if f.change.Source.File != "" {
		why += fmt.Sprintf(" (%s:%d)", f.change.Source.File, f.change.Source.Line)
	}
	return why
}

func fateOfOld(r cfn.Resource) string {
	switch r.UpdateReplacePolicy {
	case "Retain":
		return "; the old one is kept, and nothing manages it then"
	case "Snapshot":
		return "; the old one is deleted after a snapshot"
	}
	return "; the old one is deleted"
}

// refusals finds changes that cannot succeed, or that nobody can have meant.
func (c *computation) refusals(st *stackState, ds []cfn.Difference) {
	for _, n := range st.named {
		c.find(Finding{Severity: SeverityError, Code: "named-replacement", Target: st.spec.Name + "/" + n.Resource,
			Message: fmt.Sprintf("%s (%s) would be replaced because of %s and keeps its name %s: the new one is created first and would meet the name of the old one. Give it another name, or take the change back",
				n.Resource, n.Type, strings.Join(n.Paths, ", "), n.Name),
			Source: st.spec.SourceOf(n.Resource, n.Paths[0])})
	}
	for _, d := range ds {
		if why := backwards(d); why != "" {
			c.find(Finding{Severity: SeverityError, Code: "one-way", Target: st.spec.Name + "/" + d.Resource, Message: why,
				Source: st.spec.SourceOf(d.Resource, d.Path)})
		}
		if d.Type == "AWS::SecretsManager::Secret" && strings.HasPrefix(d.Path, "Properties.GenerateSecretString") {
			c.find(Finding{Severity: SeverityError, Code: "secret-regenerated", Target: st.spec.Name + "/" + d.Resource,
				Message: fmt.Sprintf("%s: a change of GenerateSecretString makes a new value, which nothing that uses the secret follows. Take it back; a secret is rotated by writing it", d.Resource),
				Source:  st.spec.SourceOf(d.Resource, d.Path)})
		}
	}
}

// capacity finds the groups of a stack from which a step may take running
// instances away, with the numbers of now, so that apply can read them again:
// also those that are idle. The approval is asked for those that run; its kind
// is empty when none does. st is nil when the whole stack goes.
func (c *computation) capacity(stack string, before cfn.Template, live *LiveStack, st *stackState) ([]Capacity, Approval) {
	var all []Capacity
	var whys []string
	for _, id := range before.LogicalIDs() {
		old := before.Resources[id]
		if old.Type != typeGroup {
			continue
		}
		name, ok := groupName(old)
		if !ok && live != nil {
			name = live.Resources[id].PhysicalID
		}
		g, ok := c.l.Groups[name]
		if !ok {
			c.more.groups[name] = true
			continue
		}
		most, what := maximum(st, id)
		had, err := strconv.Atoi(literalText(old.Properties["MaxSize"]))
		if most == unbounded || err == nil && most >= max(had, g.Max) {
			continue
		}
		all = append(all, Capacity{Group: name, Max: most, Desired: g.Desired, InService: g.InService, Protected: g.Protected})
		if max(g.Desired, g.InService) > most {
			whys = append(whys, fmt.Sprintf("group %s wants %d and has %d in service, %d of them protected from scale-in; %s",
				name, g.Desired, g.InService, g.Protected, what))
		}
	}
	if whys == nil {
		return all, Approval{}
	}
	return all, Approval{Kind: ApproveCapacity, Target: stack, Why: strings.Join(whys, "; ")}
}

// unbounded is a maximum that takes no instance away.
const unbounded = 1 << 30

// maximum is how many instances the step leaves to the group.
func maximum(st *stackState, id string) (int, string) {
	if st == nil {
		return 0, "its stack is deleted"
	}
	r, stays := st.after.Resources[id]
	t := st.touched[id]
	switch {
	case !stays:
		return 0, "it is deleted"
	case t == nil:
		return unbounded, ""
	case t.replaced:
		return 0, "it is replaced, and the new one starts at its minimum"
	case !t.properties["MaxSize"]:
		return unbounded, ""
	}
	n, err := strconv.Atoi(fmt.Sprint(text(r.Properties["MaxSize"])))
	if err != nil {
		return 0, "its maximum is not known before the step"
	}
	return n, fmt.Sprintf("its maximum becomes %d", n)
}
