package stackengine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// A nested stack is a stack of its own that a resource of the type
// AWS::CloudFormation::Stack makes, updates and deletes. From the documentation
// using-cfn-nested-stacks and of the type; the reason of a failed one:
// aws-scalable-big-blue-button-example #74. A parent that rolls back updates the
// nested stack back to what it had; AWS rolls it back in one piece with its own.
const stackType = "AWS::CloudFormation::Stack"

// maxNesting ends templates that nest themselves. AWS's bound is 2,500 resources
// in one nested operation; it names no depth.
const maxNesting = 16

// childWait is the end of a task that the nested stack ends.
func childWait(at time.Time) time.Time { return at.AddDate(1, 0, 0) }

// childTarget is what a resource with these properties asks its nested stack to
// be, in a stack that is deployed as parent says.
func (e *Engine) childTarget(ctx context.Context, parent *Deployment, props map[string]any, child *Stack, fresh bool) (*Deployment, *program, error) {
	in := deployment{parameters: []types.Parameter{}, tags: []types.Tag{}, notify: []string{}}
	if url, ok := text(props["TemplateURL"]); ok {
		in.url = &url
	}
	given, _ := props["Parameters"].(map[string]any)
	for _, name := range keys(given) {
		value, ok := text(given[name])
		if list, isList := given[name].([]any); isList {
			joined, err := join([]any{",", list})
			if err != nil {
				return nil, nil, err
			}
			value, ok = joined.(string)
		}
		if !ok {
			return nil, nil, invalid("Value of property Parameters must be an object with String (or simple type) properties")
		}
		in.parameters = append(in.parameters, types.Parameter{ParameterKey: ptr(name), ParameterValue: ptr(value)})
	}
	tags := maps.Clone(parent.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	own, _ := props["Tags"].([]any)
	for _, tag := range own {
		m, _ := tag.(map[string]any)
		k, _ := text(m["Key"])
		tags[k], _ = text(m["Value"])
	}
	in.tags = tagList(tags)
	for _, c := range parent.Capabilities {
		in.capabilities = append(in.capabilities, types.Capability(c))
	}
	list, _ := props["NotificationARNs"].([]any)
	for _, n := range list {
		arn, _ := text(n)
		in.notify = append(in.notify, arn)
	}
	d, p, err := e.target(ctx, child, in, fresh)
	if err != nil {
		return nil, nil, err
	}
	d.RoleARN = parent.RoleARN
	if minutes := number(props["TimeoutInMinutes"]); minutes != nil {
		d.Timeout = int32(*minutes)
	}
	return d, p, nil
}

// startChild creates the nested stack of a resource.
func (e *Engine) startChild(ctx context.Context, s *Stack, t *Task, r *StackResource, at time.Time) {
	refuse := func(reason string) {
		t.Error, t.End = reason, at.Add(e.seconds(secondsToRefuse))
	}
	if err := e.checkProperties(r); err != nil {
		refuse(err.reason(e, s, r))
		return
	}
	if e.depth(s) >= maxNesting {
		refuse(fmt.Sprintf("Stacks are nested more than %d deep", maxNesting))
		return
	}
	cs, child := e.prepared(s, r.LogicalID)
	if child == nil {
		child = e.draftChild(s, r.LogicalID, itoa(r.Serial))
	}
	target, _, err := e.childTarget(ctx, &s.Deployed, decode(r.Properties), child, true)
	if err == nil && child.Status == "" {
		child, err = e.admit(child, at)
	}
	if err != nil {
		refuse(reasonOf(err))
		return
	}
	target.NoRollback = s.Op.NoRollback
	target.ChangeSet = cs
	child.Deployed = *target
	r.PhysicalID = child.ID
	t.Mid, t.End = at.Add(e.seconds(secondsToTell)), childWait(at)
	e.executing(cs)
	e.run(child, &Operation{Type: "CREATE_STACK", Token: s.Op.Token, ChangeSet: cs, NoRollback: s.Op.NoRollback, Express: s.Op.Express}, phaseCreate, "User Initiated", at)
}

// draftChild is a nested stack that does not exist yet; label tells it from
// others of the same resource.
func (e *Engine) draftChild(parent *Stack, logical, label string) *Stack {
	child := e.draft(e.generatedName(stackType, parent.Name, logical, e.random(upperAlnum, 12, parent.ID, logical, label)))
	child.Parent, child.Root = parent.ID, parent.Root
	if child.Root == "" {
		child.Root = parent.ID
	}
	return child
}

func (e *Engine) depth(s *Stack) int {
	n := 0
	for ; s != nil && s.Parent != ""; n++ {
		s = e.State.Stacks[s.Parent]
	}
	return n
}

// startChildUpdate updates the nested stack, if that changes anything: its
// template may have changed although the resource did not.
func (e *Engine) startChildUpdate(ctx context.Context, s *Stack, t *Task, r, next *StackResource, at time.Time) {
	before := *r
	before.Before = nil
	child := e.State.Stacks[r.PhysicalID]
	s.Resources[t.Logical] = next
	if next.Before == nil && !r.Fresh {
		next.Before = &before
	}
	begin := func() { e.note(s, next, "UPDATE_IN_PROGRESS", "", at) }
	refuse := func(reason string) {
		begin()
		t.Error, t.End = reason, at.Add(e.seconds(secondsToRefuse))
	}
	if child == nil || child.Status == "DELETE_COMPLETE" {
		refuse(withID(r.PhysicalID).Message)
		return
	}
	target, program, err := e.childTarget(ctx, &s.Deployed, decode(next.Properties), child, false)
	if err == nil {
		if err = e.anyChange(child, program, target); err != nil && sameJSON(r.Properties, next.Properties) {
			// Nothing changes: the resource is as it was.
			next.Before = r.Before
			t.State = taskDone
			return
		}
	}
	if denied := e.policyDenies(s, "Update:Modify", next); denied != "" {
		e.fail(s, t, denied, at)
		return
	}
	switch {
	case err != nil && reasonOf(err) == noChangesMacro:
		begin()
		t.End = at.Add(e.seconds(secondsToTell))
		return
	case err != nil:
		refuse(reasonOf(err))
		return
	case child.Op != nil || !slices.Contains(updatable, child.Status):
		refuse(cannotUpdate(child).Message)
		return
	}
	begin()
	earlier := child.Deployed
	child.Earlier = &earlier
	t.End = childWait(at)
	cs, _ := e.prepared(s, t.Logical)
	e.executing(cs)
	e.update(child, &Operation{Type: "UPDATE_STACK", Token: s.Op.Token, ChangeSet: cs, NoRollback: s.Op.NoRollback, Revert: s.Op.Revert, Express: s.Op.Express}, target, at)
}

// startChildRestore brings the nested stack back to what the parent's update found.
func (e *Engine) startChildRestore(s *Stack, t *Task, r *StackResource, at time.Time) {
	e.note(s, r, "UPDATE_IN_PROGRESS", "", at)
	t.End = childWait(at)
	child := e.State.Stacks[r.PhysicalID]
	switch {
	case child == nil || child.Op == nil && (child.Earlier == nil || child.Status == "UPDATE_ROLLBACK_COMPLETE"):
		t.End = at.Add(e.seconds(secondsToTell)) // it went back by itself, or was never changed
	case child.Op != nil && child.Op.Phase == phaseUpdate:
		e.cancel(child, at)
		e.begin(child, phaseUpdateRollback, "", at)
		e.schedule(child)
	case child.Op != nil:
	case child.Status == "UPDATE_FAILED":
		e.run(child, &Operation{Type: "ROLLBACK", Token: s.Op.Token}, phaseUpdateRollback, "", at)
	case child.Status == "UPDATE_ROLLBACK_FAILED":
		e.run(child, &Operation{Type: "CONTINUE_ROLLBACK", Token: s.Op.Token}, phaseUpdateRollback, "", at)
	default:
		target := *child.Earlier
		child.Earlier = nil
		e.update(child, &Operation{Type: "UPDATE_STACK", Token: s.Op.Token}, &target, at)
	}
}

// startChildRemove deletes the nested stack, whatever it does.
func (e *Engine) startChildRemove(s *Stack, t *Task, r *StackResource, at time.Time) {
	child := e.State.Stacks[r.PhysicalID]
	if child == nil || child.Status == "DELETE_COMPLETE" {
		t.End = at
		return
	}
	if child.Op != nil {
		e.cancel(child, at)
	}
	t.End = childWait(at)
	e.obsolete(child, "", at)
	e.run(child, &Operation{Type: "DELETE_STACK", Token: s.Op.Token, RetainExcept: s.Op.RetainExcept}, phaseDelete, "", at)
	if reason := e.exportsInUse(child); reason != "" {
		e.end(child, "DELETE_FAILED", reason, at)
	}
}

// cancelChild stops what the nested stack of a cancelled task does.
func (e *Engine) cancelChild(r *StackResource, at time.Time) {
	child := e.State.Stacks[r.PhysicalID]
	if r.Type != stackType || child == nil || child.Op == nil || child.Op.Stage != stageWork {
		return
	}
	e.cancel(child, at)
}

// tellParent ends the task that waits for a nested stack.
func (e *Engine) tellParent(child *Stack, cause string, at time.Time) {
	s := e.State.Stacks[child.Parent]
	if s == nil || s.Op == nil {
		return
	}
	for _, t := range s.Op.Tasks {
		r := victim(s, t)
		if t.State != taskRunning || r == nil || r.Type != stackType || r.PhysicalID != child.ID {
			continue
		}
		t.Error = childError(t, child, cause)
		attributes := map[string]string{}
		for _, o := range child.Outputs {
			attributes["Outputs."+o.Key] = o.Value
		}
		r.Attributes = attributes
		if r.Before != nil && t.Verb == verbRestore {
			r.Before.Attributes = attributes
		}
		t.Mid, t.End, s.Op.At = time.Time{}, at, at
		e.schedule(s)
	}
}

// childError is why a resource fails whose nested stack has ended; "" if it does not.
func childError(t *Task, child *Stack, cause string) string {
	verb, good := "updated", []string{"UPDATE_COMPLETE"}
	switch {
	case t.Verb == verbRemove:
		verb, good = "deleted", []string{"DELETE_COMPLETE"}
	case t.Verb == verbRestore:
		good = append(good, "UPDATE_ROLLBACK_COMPLETE")
	case child.Updated.IsZero():
		verb, good = "created", []string{"CREATE_COMPLETE"}
	}
	if slices.Contains(good, child.Status) {
		return ""
	}
	if cause == "" {
		cause = child.Reason
	}
	return strings.TrimSpace(fmt.Sprintf("Embedded stack %s was not successfully %s: %s", child.ID, verb, cause))
}

// nestedChange is what a change set says of a nested stack that nothing else
// changes: its template may have (reference of ResourceChangeDetail, Automatic).
func nestedChange() ChangeDetail {
	return ChangeDetail{Attribute: "Properties", Recreation: "Never", Evaluation: "Dynamic", Source: "Automatic"}
}
