package plan

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// NotReadError says that Compute was given less than More asked for.
type NotReadError struct{ Stacks []string }

func (e *NotReadError) Error() string {
	return "not read before planning: " + strings.Join(e.Stacks, ", ")
}

// Compute says what would make live like desired. It is pure: the same inputs
// in any order give the same plan. The live state must hold what Reads and
// More ask for, else the error is a *NotReadError; a selection that selects
// nothing is a *SelectionError, dependencies in a circle a *CycleError.
//
// A plan with an error finding must not be applied.
func Compute(d Desired, l Live, o Options) (Plan, error) {
	c, err := newComputation(d, l, o.Select)
	if err != nil {
		return Plan{}, err
	}
	c.approved = o.Approve
	c.run()
	if len(c.unread) > 0 {
		return Plan{}, &NotReadError{Stacks: sortedKeys(c.unread)}
	}
	return c.finish(o.Tool, false)
}

// More says what else must be read before Compute, given what was read so
// far: stacks whose template, resources and description decide something, and
// the groups in stacks that would be deleted. Call it again after each read,
// since one answer can lead to the next question, until it names nothing that
// was not asked for before (a thing that vanished is asked for for ever).
func More(d Desired, l Live, sel Selection) (ReadSet, error) {
	c, err := newComputation(d, l, sel)
	if err != nil {
		return ReadSet{}, err
	}
	c.run()
	return c.more.set(), nil
}

// Stale lists the stacks whose template, resources and description must be
// read before Compute: More(d, l, sel).Stacks.
func Stale(d Desired, l Live, sel Selection) ([]string, error) {
	r, err := More(d, l, sel)
	return r.Stacks, err
}

// computation is one run of Compute. It writes to no input.
type computation struct {
	d        Desired
	l        Live
	g        *graph
	all      bool // nothing was narrowed by a selection
	sel      Selection
	planned  map[StepID]bool // nodes that may get steps
	approved []Approval
	statuses map[string]StatusAction
	fleets   map[string][]*Fleet // by stack

	stacks   map[string]*stackState
	values   map[string]paramState // of the parameters that the plan writes
	resolved map[cfn.Ref]resolution
	steps    map[StepID]*Step
	reach    map[StepID][]StepID // node → the steps that a user of it waits for
	root     map[StepID]StepID   // blocked step → the step that is blocked by itself
	late     []lateStep
	findings []Finding
	drift    []Change
	more     *collector
	unread   map[string]bool // stacks whose template decides and is not there
}

func newComputation(d Desired, l Live, sel Selection) (*computation, error) {
	d = sorted(d)
	g, err := newGraph(&d)
	if err != nil {
		return nil, err
	}
	c := &computation{
		d: d, l: l, g: g, all: sel.All(), sel: sel, statuses: statusActions(), fleets: map[string][]*Fleet{},
		stacks: map[string]*stackState{}, values: map[string]paramState{}, resolved: map[cfn.Ref]resolution{}, steps: map[StepID]*Step{},
		reach: map[StepID][]StepID{}, root: map[StepID]StepID{}, more: newCollector(), unread: map[string]bool{},
	}
	wanted, err := g.selected(&c.d, sel)
	if err != nil {
		return nil, err
	}
	if c.planned = wanted; !c.all {
		c.planned = c.withMissing(wanted)
	}
	for i := range c.d.Fleets {
		f := &c.d.Fleets[i]
		c.fleets[f.Stack] = append(c.fleets[f.Stack], f)
	}
	return c, nil
}

// sorted is d with slices of its own, ordered by name, so that the order of
// the input decides nothing.
func sorted(d Desired) Desired {
	d.Stacks = by(d.Stacks, func(s Stack) string { return s.Name })
	d.Parameters = by(d.Parameters, func(p Parameter) string { return p.Name })
	d.Secrets = by(d.Secrets, func(s Secret) string { return s.Name })
	d.LogGroups = by(d.LogGroups, func(l LogGroup) string { return l.Name })
	d.Fleets = by(d.Fleets, func(f Fleet) string { return f.ID })
	d.Images = by(d.Images, func(i Image) string { return imageKey(i) + " " + i.Stack })
	d.Bundles = by(d.Bundles, func(b Bundle) string { return b.Name })
	return d
}

func by[T any](in []T, key func(T) string) []T {
	out := append([]T(nil), in...)
	sort.SliceStable(out, func(i, j int) bool { return key(out[i]) < key(out[j]) })
	return out
}

// run fills in steps, findings and drift, or what more must be read.
func (c *computation) run() {
	c.findings = append(c.findings, c.d.Notes...)
	if c.misplaced() {
		return
	}
	for _, id := range c.g.order {
		if c.planned[id] {
			c.node(c.g.nodes[id])
		}
		c.settle(id)
	}
	if c.all || !c.sel.named() {
		c.orphans()
	}
	c.lateSteps()
	c.contracts()
	c.rollouts()
	if c.all {
		c.renamedPlatform()
		c.strangers()
		c.idleApprovals()
	}
}

// misplaced refuses to plan against another account or region than the specs name.
func (c *computation) misplaced() bool {
	t := c.d.Target
	if t.Account != c.l.Account {
		c.find(Finding{Severity: SeverityError, Code: "wrong-account", Target: c.l.Account,
			Message: fmt.Sprintf("the credentials are for account %s, the specs for account %s; nothing was compared", c.l.Account, t.Account),
			Command: "aws sts get-caller-identity"})
		return true
	}
	if c.l.Region != "" && t.Region != c.l.Region {
		c.find(Finding{Severity: SeverityError, Code: "wrong-region", Target: c.l.Region,
			Message: fmt.Sprintf("region %s was read, the specs are for region %s; nothing was compared", c.l.Region, t.Region)})
		return true
	}
	return false
}

func (c *computation) find(f Finding) { c.findings = append(c.findings, f) }

// tell reports what blocks a step.
func (c *computation) tell(p *problem, source spec.Source) {
	c.find(Finding{Severity: SeverityWarning, Code: p.code, Target: p.target, Message: p.reason, Command: p.command, Source: source})
}

func (c *computation) node(n *node) {
	switch n.kind {
	case KindStack:
		c.stack(&c.d.Stacks[n.index], n)
	case KindParameter:
		c.parameter(&c.d.Parameters[n.index], n)
	case KindSecret:
		c.secret(&c.d.Secrets[n.index], n)
	case KindLogGroup:
		c.logGroup(&c.d.LogGroups[n.index], n)
	case KindBundle:
		c.bundle(&c.d.Bundles[n.index], n)
	}
}

// add puts a step into the plan, ordered after the steps of everything that
// its node needs and after the steps in also; it is blocked when one of them is.
func (c *computation) add(n *node, s Step, also ...StepID) {
	needs := map[StepID]bool{}
	for _, id := range also {
		needs[id] = true
	}
	if n != nil {
		for _, dep := range n.deps {
			for _, id := range c.before(n, dep) {
				needs[id] = true
			}
		}
	}
	delete(needs, s.ID)
	s.Needs = sortedIDs(needs)
	if len(s.Needs) == 0 {
		s.Needs = nil
	}
	c.inherit(&s)
	sort.Slice(s.Approvals, func(i, j int) bool { return s.Approvals[i].String() < s.Approvals[j].String() })
	c.steps[s.ID] = &s
}

// inherit blocks a step that needs a blocked one.
func (c *computation) inherit(s *Step) {
	if s.Blocked != nil {
		c.root[s.ID] = s.ID
		return
	}
	for _, id := range s.Needs {
		if need := c.steps[id]; need != nil && need.Blocked != nil {
			root := c.root[id]
			c.root[s.ID] = root
			s.Blocked = &Blocked{
				Reason:  fmt.Sprintf("needs %s, which is blocked", root),
				Command: c.steps[root].Blocked.Command,
			}
			return
		}
	}
}

// settle says which steps a user of this node must wait for: its own last
// step, or, for a node without one, those of what it needs itself.
func (c *computation) settle(id StepID) {
	for _, own := range c.ownSteps(id) {
		if c.steps[own] != nil {
			c.reach[id] = []StepID{own}
			return
		}
	}
	set := map[StepID]bool{}
	for _, dep := range c.g.nodes[id].deps {
		for _, step := range c.before(c.g.nodes[id], dep) {
			set[step] = true
		}
	}
	c.reach[id] = sortedIDs(set)
}

// before are the steps of dep that n waits for. Everything waits for the
// creation of this program's own stack, since there is no lock before it, and
// for what comes to it later, which may be the role that makes the rest; for
// another change of it only what names it.
func (c *computation) before(n *node, dep StepID) []StepID {
	if dep == ID(KindStack, c.d.Own.Stack) && !c.creates(dep) && !c.names(n, c.d.Own.Stack) {
		return nil
	}
	return c.reach[dep]
}

// creates tells whether the plan makes the stack of this node or something in
// it, or brings it back from a creation that failed.
func (c *computation) creates(id StepID) bool {
	for _, own := range c.reach[id] {
		if s := c.steps[own]; s != nil && (s.Action == ActionCreate || s.Action == ActionRecover) {
			return true
		}
		if s := c.steps[own]; s != nil && slices.ContainsFunc(s.Changes, func(ch Change) bool { return ch.Action == ActionCreate }) {
			return true
		}
	}
	return false
}

// names tells whether the specs themselves say that n needs the stack.
func (c *computation) names(n *node, stack string) bool {
	for _, r := range n.refs {
		if r.Stack == stack {
			return true
		}
	}
	return n.kind == KindStack && contains(c.d.Stacks[n.index].DependsOn, stack)
}

// ownSteps are the IDs under which a node's last step can be found.
func (c *computation) ownSteps(id StepID) []StepID {
	n := c.g.nodes[id]
	if n.kind != KindStack {
		return []StepID{id}
	}
	return []StepID{id, RecoverID(c.d.Stacks[n.index].Name)}
}

// withMissing widens a selection by what it depends on and AWS does not have.
func (c *computation) withMissing(wanted map[StepID]bool) map[StepID]bool {
	planned := make(map[StepID]bool, len(wanted))
	var visit func(id StepID)
	visit = func(id StepID) {
		if planned[id] {
			return
		}
		planned[id] = true
		n := c.g.nodes[id]
		for _, dep := range n.deps {
			if need := c.g.nodes[dep]; need != nil && (need.kind != KindStack || len(c.sel.Bundles) == 0) && c.missing(need, n) {
				visit(dep)
			}
		}
	}
	for id := range wanted {
		visit(id)
	}
	return planned
}

// missing tells whether AWS lacks the node, or the output of it that user reads.
func (c *computation) missing(n, user *node) bool {
	switch n.kind {
	case KindParameter:
		_, ok := c.l.Parameters[c.d.Parameters[n.index].Name]
		return !ok
	case KindSecret:
		return !c.l.Secrets[c.d.Secrets[n.index].Name].HasCurrent
	case KindBundle:
		b := c.d.Bundles[n.index]
		return !b.stored(c.l.Bundles[objectKey(b.Object())])
	case KindLogGroup:
		_, ok := c.l.LogGroups[c.d.LogGroups[n.index].Name]
		return !ok
	}
	live, ok := c.l.Stacks[c.d.Stacks[n.index].Name]
	if a := c.statuses[live.Status]; !ok || a.Class == StatusAbsent || a.Absent {
		return true
	}
	if !live.Described {
		return false
	}
	for _, r := range user.refs {
		if _, ok := live.Outputs[r.Output]; r.Stack == live.Name && !ok {
			return true
		}
	}
	return false
}
