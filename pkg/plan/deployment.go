package plan

import (
	"fmt"
	"sort"

	"reconcile/pkg/cfn"
)

// Deployment is a stack that is settled and ours: what was deployed, and what
// the specs want.
type Deployment struct {
	Stack    Stack
	Live     LiveStack
	Template cfn.Template // as deployed
	Wanted   cfn.Template // as the specs want it; what only apply will know is an open reference
	Changes  bool         // the next apply changes it
}

// Deployments lists, by name, the selected stacks that are settled and ours.
// The live state must hold what Compute needs. For a stack whose digest says
// that it is as wanted no template was read: the wanted one is the deployed one.
func Deployments(d Desired, l Live, sel Selection) ([]Deployment, error) {
	c, err := newComputation(d, l, sel)
	if err != nil {
		return nil, err
	}
	c.run()
	if len(c.unread) > 0 {
		return nil, &NotReadError{Stacks: sortedKeys(c.unread)}
	}
	var out []Deployment
	for _, name := range sortedKeys(c.stacks) {
		st := c.stacks[name]
		if st.live == nil || c.statuses[st.live.Status].Class != StatusReady || st.mode != modeUnchanged && st.mode != modeUpdate {
			continue
		}
		out = append(out, Deployment{
			Stack: *st.spec, Live: *st.live, Template: st.drifting(), Wanted: st.after, Changes: st.mode == modeUpdate,
		})
	}
	return out, nil
}

// RevertOptions say what a plan that reverts puts back.
type RevertOptions struct {
	Tool   string
	Select Selection
	// Edits are the differences to put back, by stack: Before is what AWS has,
	// After what was deployed; a create makes anew what somebody deleted.
	Edits map[string][]Change
	// Parameters are the names of parameters that are not part of a stack and are put back.
	Parameters map[string]bool
	// Findings are what the plan says beside.
	Findings []Finding
	// NotRead is what was not looked at, for people.
	NotRead []string
}

// RevertID is the step that puts a stack's resources back as they were deployed.
func RevertID(stack string) StepID { return StepID("revert/" + stack) }

// Revert plans to put back what somebody changed beside the program: one
// drift-aware change set per stack, which deploys the template that is deployed
// already, and the steps of the parameters. It brings nothing new of the specs,
// and nothing that the autoscaler owns, which no template of ours declares.
func Revert(d Desired, l Live, o RevertOptions) (Plan, error) {
	c, err := newComputation(d, l, o.Select)
	if err != nil {
		return Plan{}, err
	}
	c.run()
	if len(c.unread) > 0 {
		return Plan{}, &NotReadError{Stacks: sortedKeys(c.unread)}
	}
	steps := c.steps
	c.steps, c.drift, c.root = map[StepID]*Step{}, nil, map[StepID]StepID{}
	var refusals []Finding
	for _, f := range c.findings {
		if f.Code == "wrong-account" || f.Code == "wrong-region" {
			refusals = append(refusals, f)
		}
	}
	c.findings, c.l.NotRead = append(refusals, o.Findings...), o.NotRead
	for id, s := range steps {
		if s.Kind == KindParameter && s.Action == ActionUpdate && o.Parameters[s.Target] {
			s.Needs = nil
			c.steps[id] = s
		}
	}
	for _, name := range sortedKeys(o.Edits) {
		if st := c.stacks[name]; st != nil && st.live != nil && len(o.Edits[name]) > 0 {
			c.revert(st, o.Edits[name])
		}
	}
	return c.finish(o.Tool, false)
}

func (c *computation) revert(st *stackState, edits []Change) {
	deployed := st.drifting()
	back := *st
	back.mode, back.before, back.after, back.contract, back.touched = modeUpdate, deployed, deployed, nil, nil
	changes := append([]Change(nil), edits...)
	sortChanges(changes)
	resources := map[string]bool{}
	for _, e := range edits {
		resources[e.Resource] = true
	}
	s := Step{
		ID: RevertID(st.spec.Name), Kind: KindStack, Target: st.spec.Name, Action: ActionUpdate, Base: FingerprintStack(st.live),
		Changes: changes, Source: st.spec.Source,
		Reason:   fmt.Sprintf("%s changed by hand; a drift-aware change set puts back what was deployed", count(len(resources), "resource")),
		Rollback: "CloudFormation rolls back to the state before, with the hand edits",
	}
	tags := st.spec.Tags
	if st.live.Described {
		tags = st.live.Tags
	}
	s.Body.Stack = &StackBody{
		Name: st.spec.Name, ID: st.live.ID, Owner: c.d.Target.Platform, Template: &deployed, Tags: nonEmpty(tags),
		Capabilities: st.spec.Capabilities, Revert: true,
	}
	c.dangers(&back, &s)
	c.remade(&back, &s)
	c.add(nil, s)
}

// remade asks for a consent where something that held data is made anew.
func (c *computation) remade(st *stackState, s *Step) {
	for _, ch := range s.Changes {
		if ch.Action == ActionCreate && ch.Path == "" && st.stateful(ch.Resource) {
			s.Approvals = append(s.Approvals, Approval{Kind: ApproveReplace, Target: st.spec.Name + "/" + ch.Resource,
				Why: fmt.Sprintf("%s (%s) was deleted by hand and is made anew, without its data", ch.Resource, ch.Type)})
		}
	}
	sort.Slice(s.Approvals, func(i, j int) bool { return s.Approvals[i].String() < s.Approvals[j].String() })
}
