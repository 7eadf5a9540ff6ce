package stackengine

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Change sets of nested stacks: one for every AWS::CloudFormation::Stack of the
// template, and so on down. From the documentation change-sets-for-nested-stacks
// (who names whom, the reason of a child's status, that the root alone is
// executed and deleted, REVIEW_IN_PROGRESS stacks that go with it); a child's
// name and the reason of a parent whose child fails: aws-sam-cli #2406; a child
// without changes fails and its parent does not: copilot-cli #4426 and #5614; a
// hierarchy without any fails as a whole: aws-cdk-cli #1531.
const (
	executableFromRoot = "Executable from root change set"
	nestedFailed       = "Nested change set %s was not successfully created: Currently in FAILED."
)

// nest is what is found of the nested stacks while their parent is compared.
// nil: they are not looked into.
type nest struct {
	look  func(c *comparison, id string) error
	found map[string]*nestedSet // by logical id
}

// nestedSet is a nested stack's change set, not kept yet. The stack may be a draft.
type nestedSet struct {
	stack *Stack
	set   *ChangeSet
	nest  *nest
}

func (e *Engine) newNest(ctx context.Context, cs *ChangeSet, validate bool, depth int) *nest {
	if !cs.Nested {
		return nil
	}
	n := &nest{found: map[string]*nestedSet{}}
	n.look = func(c *comparison, id string) error {
		if n.found[id] != nil {
			return nil // in the other view
		}
		props, err := c.next.evaluate(id, inner{preview{c}})
		if err == nil {
			n.found[id] = e.nestedSet(ctx, c, id, cs, props, validate, depth)
		}
		return err
	}
	return n
}

// quiet tells that the nested stack has no changes.
func (n *nest) quiet(id string) bool {
	return n != nil && n.found[id] != nil && unchanged(n.found[id].set)
}

func unchanged(cs *ChangeSet) bool { return cs.Failed == noChanges || cs.Failed == noChangesMacro }

// failure is why the parent's change set fails, if a child's does.
func (n *nest) failure() string {
	if n == nil {
		return ""
	}
	for _, id := range keys(n.found) {
		if cs := n.found[id].set; cs.Failed != "" && !unchanged(cs) {
			return fmt.Sprintf(nestedFailed, cs.ID)
		}
	}
	return ""
}

// tie names the children in their parent's changes, which is ready after them.
func (e *Engine) tie(cs *ChangeSet, n *nest) {
	if n == nil {
		return
	}
	for i := range cs.Changes {
		if found := n.found[cs.Changes[i].LogicalID]; found != nil {
			cs.Changes[i].ChangeSet = found.set.ID
		}
	}
	for _, found := range n.found {
		if ready := found.set.Ready.Add(e.seconds(secondsPending)); ready.After(cs.Ready) {
			cs.Ready = ready
		}
	}
}

// drafts counts the stacks that the hierarchy would make.
func (n *nest) drafts() int {
	if n == nil {
		return 0
	}
	count := 0
	for _, found := range n.found {
		if found.stack.Status == "" {
			count++
		}
		count += found.nest.drafts()
	}
	return count
}

// inner resolves what a nested stack is given: outputs of one that changes are
// not known before the execution.
type inner struct{ preview }

func (p inner) att(logical, attribute string) (any, error) {
	if n := p.c.next.nodes[logical]; n != nil && n.Type == stackType && p.c.fate[logical] == fateChanged {
		return knownAfterApply, nil
	}
	return p.preview.att(logical, attribute)
}

// nestedSet computes the change set of one nested stack. Whatever is wrong fails
// the set and not the request: its parent's is created, and fails with it.
func (e *Engine) nestedSet(ctx context.Context, c *comparison, id string, parent *ChangeSet, props map[string]any, validate bool, depth int) *nestedSet {
	child, fresh := e.nestedStack(c.s, id, parent)
	label := e.random(upperAlnum, 12, child.ID, parent.Name, id, itoa(child.Serial))
	set := &ChangeSet{
		Name: clip(parent.Name+"-"+id, 127-len(label)) + "-" + label, Type: "UPDATE", Created: parent.Created,
		Start: parent.Start.Add(e.seconds(secondsPending)), Ready: parent.Start.Add(e.seconds(secondsPending + secondsCompute)),
		Nested: true, NoRollback: parent.NoRollback, Revert: parent.Revert, Mode: parent.Mode, Execution: "UNAVAILABLE",
	}
	if fresh {
		set.Type = "CREATE"
	}
	set.ID = e.arn("cloudformation", "changeSet/"+set.Name+"/"+e.uuid(child.ID, "nestedChangeSet", set.Name))
	out := &nestedSet{stack: child, set: set}
	target, next, err := e.childTarget(ctx, c.target, props, child, fresh)
	switch {
	case err != nil:
		set.Failed = reasonOf(err)
	case depth >= maxNesting:
		set.Failed = fmt.Sprintf("Stacks are nested more than %d deep", maxNesting)
	case !fresh && !slices.Contains(updatable, child.Status):
		set.Failed = cannotUpdate(child).Message
	case len(e.load().sets[child.ID]) >= maxChangeSets:
		set.Failed = "ChangeSet limit exceeded for stack " + child.ID
	default:
		set.Target = *target
		if out.nest, err = e.fill(ctx, child, set, next, fresh, validate, depth+1); err != nil {
			set.Failed = reasonOf(err)
		}
		set.Execution = "UNAVAILABLE"
	}
	return out
}

// nestedStack is the stack that a resource has, or a draft.
func (e *Engine) nestedStack(s *Stack, logical string, parent *ChangeSet) (child *Stack, fresh bool) {
	if r := s.Resources[logical]; r != nil {
		if child = e.State.Stacks[r.PhysicalID]; child != nil && child.Status != "DELETE_COMPLETE" {
			return child, false
		}
	}
	return e.draftChild(s, logical, parent.Name+"|"+itoa(s.Serial)), true
}

// keepNest makes what was found exist, and tells parent and child of each other.
func (e *Engine) keepNest(parent *ChangeSet, n *nest, now time.Time) error {
	if n == nil {
		return nil
	}
	for _, id := range keys(n.found) {
		s, cs := n.found[id].stack, n.found[id].set
		if s.Status == "" {
			if _, err := e.admit(s, now); err != nil {
				return err
			}
			s.Deployed.Description = cs.Target.Description
			e.setStatus(s, "REVIEW_IN_PROGRESS", "User Initiated", now)
		}
		cs.Parent, cs.Root = parent.ID, parent.Root
		if cs.Root == "" {
			cs.Root = parent.ID
		}
		orEmpty(&parent.Children)
		parent.Children[id] = cs.ID
		e.keepChangeSet(s, cs)
		if err := e.keepNest(cs, n.found[id].nest, now); err != nil {
			return err
		}
	}
	return nil
}

// prepared is the change set that the running one has for a nested stack, and
// the stack that waits for it, if it was made for it. "" where there is none or
// where it has nothing to do.
func (e *Engine) prepared(s *Stack, logical string) (changeSet string, child *Stack) {
	parent := e.State.ChangeSets[s.Op.ChangeSet]
	if parent == nil {
		return "", nil
	}
	cs := e.State.ChangeSets[parent.Children[logical]]
	if cs == nil || cs.Failed != "" {
		return "", nil
	}
	if child = e.State.Stacks[cs.Stack]; child == nil || child.Status != "REVIEW_IN_PROGRESS" {
		child = nil
	}
	return cs.ID, child
}

func (e *Engine) executing(changeSet string) {
	if cs := e.State.ChangeSets[changeSet]; cs != nil {
		cs.Execution = "EXECUTE_IN_PROGRESS"
	}
}

// abandon ends what is left of a hierarchy whose parent is executed, deleted or
// useless: sets that nobody executed any more, and stacks that were never made.
func (e *Engine) abandon(cs *ChangeSet, at time.Time) {
	for _, id := range keys(cs.Children) {
		child := e.State.ChangeSets[cs.Children[id]]
		if child == nil {
			continue
		}
		if child.Execution == "UNAVAILABLE" && child.Failed == "" {
			child.Execution = "OBSOLETE"
		}
		e.abandon(child, at)
		if s := e.State.Stacks[child.Stack]; s != nil && s.Status == "REVIEW_IN_PROGRESS" && s.Op == nil {
			e.run(s, &Operation{Type: "DELETE_STACK"}, phaseDelete, "", at)
		}
	}
}

// goes marks a change set as being deleted, its children's before it: the name is
// taken until it is over (B6). It returns when that is.
func (e *Engine) goes(cs *ChangeSet, now time.Time) time.Time {
	for _, id := range keys(cs.Children) {
		if child := e.State.ChangeSets[cs.Children[id]]; child != nil {
			if end := e.goes(child, now); end.After(cs.Going) {
				cs.Going = end
			}
		}
	}
	begin := now
	if cs.Going.After(now) {
		begin = cs.Going
	}
	cs.Gone = begin.Add(e.seconds(secondsDelete))
	e.wake(due{cs.Gone, dueForget, cs.ID})
	return cs.Gone
}
