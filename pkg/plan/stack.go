package plan

import (
	"fmt"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// tokenPrefix starts the tokens of this program's own operations.
const tokenPrefix = "rc-"

type stackMode string

const (
	modeUnchanged stackMode = "unchanged" // as it is in AWS
	modeCreate    stackMode = "create"
	modeUpdate    stackMode = "update"
	modeForeign   stackMode = "foreign" // not ours, or in a status that nobody knows
)

// stackState is what the plan makes of one stack.
type stackState struct {
	spec *Stack
	node *node
	mode stackMode
	live *LiveStack // nil: absent, or as good as that

	before     cfn.Template   // deployed; for modeUpdate
	after      cfn.Template   // wanted, with what is known put in
	parameters map[string]any // template parameters, resolved likewise
	touched    map[string]*touch
	named      []cfn.Named

	// contract is what happens after the step's users moved; then after holds
	// what leaves, too.
	contract *contraction

	// rolling is a change of what the stack's group launches; with split, after
	// is without it.
	rolling *rolling
	// behind tells that a rollback left the group at an older version than its
	// launch template's newest: the next update of the stack moves it.
	behind bool

	liveOutputs map[string]string // canonical expression → output of before
}

// SourceOf is the spec line that decides a property of a resource: the
// longest prefix in Sources, with or without "Properties.", else the stack's.
func (s Stack) SourceOf(resource, path string) spec.Source {
	for {
		full := resource
		if path != "" {
			full += "." + path
		}
		if src, ok := s.Sources[full]; ok {
			return src
		}
		if short, ok := strings.CutPrefix(path, "Properties."); ok {
			if src, ok := s.Sources[resource+"."+short]; ok {
				return src
			}
		}
		if path == "" {
			return s.Source
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// stack decides what becomes of one stack of the specs.
func (c *computation) stack(s *Stack, n *node) {
	st := &stackState{spec: s, node: n}
	c.stacks[s.Name] = st
	live, exists := c.l.Stacks[s.Name]
	action, known := c.statuses[live.Status]
	switch {
	case !exists:
		action = StatusAction{Class: StatusAbsent}
	case !known || live.Status == "":
		st.mode = modeForeign
		c.find(Finding{Severity: SeverityError, Code: "unknown-status", Target: s.Name, Source: s.Source,
			Message: fmt.Sprintf("stack %s has the status %q, which this version of reconcile does not know", s.Name, live.Status),
			Command: "aws cloudformation describe-stacks --stack-name " + s.Name})
		return
	case action.Class != StatusAbsent && markerOf(live).Owner != c.d.Target.Platform:
		st.mode = modeForeign
		c.find(notOurs(s, live, c.d.Target.Platform))
		return
	}
	if action.Warn != "" {
		c.find(Finding{Severity: SeverityWarning, Code: "stack-status", Target: s.Name, Source: s.Source,
			Message: fmt.Sprintf("stack %s is %s: %s", s.Name, live.Status, action.Warn)})
	}
	st.after, st.parameters = s.Template, s.Parameters
	if action.Class != StatusAbsent {
		st.live = &live
	}
	r := c.resolver()
	st.resolveWith(r)
	switch action.Class {
	case StatusAbsent:
		c.createStack(st, r, FingerprintStack(nil))
	case StatusReady:
		c.compareStack(st, r)
	case StatusBusy:
		c.busyStack(st, r, action)
	case StatusStuck:
		c.stuckStack(st, r, action)
	case StatusStopped:
		st.mode = modeUnchanged
		p := problem{code: "stack-stuck", target: s.Name,
			reason:  fmt.Sprintf("stack %s is %s: %s; only a person can go on", s.Name, live.Status, action.Doing),
			command: "aws cloudformation describe-stack-events --stack-name " + s.Name}
		c.addStack(st, r, ActionUpdate, nil, FingerprintStack(&live), &p).Reason = p.reason
	}
	c.protect(st)
}

func notOurs(s *Stack, live LiveStack, platform string) Finding {
	f := Finding{Severity: SeverityError, Code: "stack-not-ours", Target: s.Name, Source: s.Source}
	if owner := markerOf(live).Owner; owner != "" {
		f.Message = fmt.Sprintf("stack %s belongs to platform %q, not to %q; it is never touched", s.Name, owner, platform)
	} else {
		f.Message = fmt.Sprintf("stack %s exists and carries no mark of reconcile; it is never touched, and this version cannot adopt a stack", s.Name)
	}
	f.Command = "aws cloudformation describe-stacks --stack-name " + s.Name
	return f
}

func (st *stackState) resolveWith(r *resolver) {
	if len(st.node.refs) == 0 {
		return
	}
	st.after = cfn.ResolveTemplate(st.spec.Template, r.lookup)
	if len(st.spec.Parameters) > 0 {
		st.parameters, _ = cfn.Resolve(st.spec.Parameters, r.lookup).(map[string]any)
	}
}

// createStack plans a stack that is not there. What an earlier life of it kept
// is imported first; the creation of the rest follows.
func (c *computation) createStack(st *stackState, r *resolver, base string, also ...StepID) *Step {
	st.mode, st.live = modeCreate, nil
	f := c.look(st, st.after.LogicalIDs())
	c.aside(st, f)
	p := f.problem
	if p == nil {
		p = c.lacks(st, r)
	}
	imported := map[string]bool{}
	var changes []Change
	if len(f.imports) > 0 && p == nil {
		id, t := c.importing(st, f, nil, base, also...)
		base, also = BaseAfter(id), append(also, id)
		for _, id := range f.imports {
			imported[id] = true
		}
		changes = st.completing(f.imports, t, f.named)
	}
	for _, id := range st.after.LogicalIDs() {
		if !imported[id] {
			changes = append(changes, Change{
				Stack: st.spec.Name, Resource: id, Type: st.after.Resources[id].Type,
				Action: ActionCreate, Source: st.spec.SourceOf(id, ""),
			})
		}
	}
	sortChanges(changes)
	return c.addStack(st, r, ActionCreate, changes, base, p, also...)
}

// compareStack plans a settled stack: nothing when the digest says that it
// was deployed as it is wanted, else a comparison with what was deployed.
func (c *computation) compareStack(st *stackState, r *resolver) {
	st.mode = modeUnchanged
	digest, trusted := c.digest(st, r), st.live.settledWell()
	if digest != "" && trusted && digest == markerOf(*st.live).Digest {
		c.driftOf(st)
		return
	}
	if st.live.holdsNothing() {
		c.stuckStack(st, r, StatusAction{Class: StatusStuck, Recover: RecoverDelete, Absent: true,
			Doing: "its first import failed and was rolled back; it holds nothing and is made anew"})
		return
	}
	if !c.read(st.live) {
		c.unread[st.spec.Name] = true
		return
	}
	base := FingerprintStack(st.live)
	ds := st.begin()
	if len(ds) > 0 && c.leftBehind(st) {
		st.behind = true
		ds = st.compare()
	}
	c.driftOf(st)
	f := c.look(st, st.comers(ds))
	if len(f.imports) > 0 && f.problem == nil {
		f.problem = c.lacks(st, r)
	}
	ds, also, p := c.merge(st, f, ds, base)
	if also != nil {
		base = BaseAfter(also[0])
	}
	if p == nil {
		ds = c.apart(st, r, c.hold(st, r, ds, base, also))
	}
	changes := st.changes(ds)
	changes = append(changes, st.settings()...)
	if len(changes) == 0 && st.contract != nil {
		return
	}
	if len(changes) == 0 {
		deployed := st.deployedDigest()
		if deployed == digest && !trusted {
			// The rollback left what is wanted.
			st.mode = modeUnchanged
			return
		}
		changes = []Change{{
			Stack: st.spec.Name, Resource: "Outputs." + cfn.DigestOutput, Action: ActionUpdate, Path: "Value",
			Before: string(markerOf(*st.live).Digest), After: string(digest), Source: st.spec.Source,
		}}
	}
	c.updateStack(st, r, ds, changes, base, p, also...)
}

// holdsNothing tells whether the stack is what a failed import into a new
// stack leaves: there may not even be a template.
func (s *LiveStack) holdsNothing() bool {
	if s.Status != "IMPORT_ROLLBACK_COMPLETE" || s.Resources == nil {
		return false
	}
	for _, r := range s.Resources {
		if r.Status != "DELETE_COMPLETE" && !strings.HasPrefix(r.Status, "IMPORT_ROLLBACK") && r.Status != "IMPORT_FAILED" {
			return false
		}
	}
	return true
}

// begin compares; from now on the stack counts as changing.
func (st *stackState) begin() []cfn.Difference {
	st.mode, st.before = modeUpdate, *st.live.Template
	return st.compare()
}

// read tells whether a stack's second half was read; if not it is asked for.
func (c *computation) read(live *LiveStack) bool {
	if live.Described && live.Template != nil && live.Resources != nil {
		return true
	}
	c.more.templates[live.Name] = true
	return false
}

// updateStack plans the change of a stack, with its dangers.
func (c *computation) updateStack(st *stackState, r *resolver, ds []cfn.Difference, changes []Change, base string, p *problem, also ...StepID) *Step {
	sortChanges(changes)
	c.refusals(st, ds)
	c.inUse(st, ds)
	return c.addStack(st, r, ActionUpdate, changes, base, p, also...)
}

// sortChanges orders by resource, what belongs to the stack itself last.
func sortChanges(changes []Change) {
	sort.SliceStable(changes, func(i, j int) bool {
		a, b := strings.Contains(changes[i].Resource, "."), strings.Contains(changes[j].Resource, ".")
		if a != b {
			return b
		}
		return changes[i].Resource < changes[j].Resource
	})
}

// addStack adds a stack's step, blocked by p or by what it lacks.
func (c *computation) addStack(st *stackState, r *resolver, a Action, changes []Change, base string, p *problem, also ...StepID) *Step {
	s := st.spec
	step := Step{
		ID: ID(KindStack, s.Name), Kind: KindStack, Target: s.Name, Action: a, Base: base,
		Changes: changes, Unknown: sortedKeys(r.unknown), Source: s.Source,
	}
	if len(step.Unknown) == 0 {
		step.Unknown = nil
	}
	body := &StackBody{
		Name: s.Name, Owner: c.d.Target.Platform, Template: c.withMetadata(st), Tags: nonEmpty(s.Tags),
		Parameters: s.Parameters, Capabilities: s.Capabilities, Plain: a == ActionCreate && s.Name == c.d.Own.Stack,
	}
	if st.live != nil {
		body.ID = st.live.ID
	}
	step.Body.Stack = body
	c.dangers(st, &step)
	describeStack(st, &step)
	if p == nil {
		p = c.lacks(st, r)
	}
	if p != nil {
		step.Blocked = p.blocked()
		c.tell(p, s.Source)
	}
	c.add(st.node, step, also...)
	return c.steps[step.ID]
}

// markerOf is what the stack says about its owner.
func markerOf(s LiveStack) cfn.Marker {
	if s.Owned {
		return s.Marker
	}
	m, _ := cfn.ParseMarker(s.Description)
	return m
}
