package stackengine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"reconcile/pkg/awstype"
)

// tasks lists the work of the phase that begins.
func (e *Engine) tasks(s *Stack, at time.Time) []*Task {
	switch s.Op.Phase {
	case phaseCreate, phaseUpdate, phaseImport:
		return e.forwardTasks(s, at)
	case phaseUpdateRollback:
		return restoreTasks(s)
	default:
		return e.removeTasks(s)
	}
}

// forwardTasks has one task for every resource of the template: whether there
// is anything to do shows when what it refers to is settled.
func (e *Engine) forwardTasks(s *Stack, at time.Time) []*Task {
	p, err := e.program(s)
	if err != nil {
		s.Op.Reason = err.Error()
		return nil
	}
	if s.Op.Invalid {
		s.Op.Reason = operationInvalid
		return nil
	}
	if denied := e.policyDeniesRemoval(s, p, at); denied != "" {
		s.Op.Reason = denied
		return nil
	}
	var tasks []*Task
	for _, id := range keys(p.nodes) {
		tasks = append(tasks, &Task{Key: id, Logical: id, Verb: verbMake, Needs: p.nodes[id].needs})
	}
	return tasks
}

// start begins a task.
func (e *Engine) start(ctx context.Context, s *Stack, t *Task, at time.Time) {
	t.State = taskRunning
	switch t.Verb {
	case verbMake:
		e.startMake(ctx, s, t, at)
	case verbRestore:
		e.startRestore(ctx, s, t, at)
	default:
		e.startRemove(s, t, at)
	}
}

// startMake decides what the resource needs and begins it.
func (e *Engine) startMake(ctx context.Context, s *Stack, t *Task, at time.Time) {
	r := s.Resources[t.Logical]
	p, err := e.program(s)
	if err != nil {
		e.fail(s, t, err.Error(), at)
		return
	}
	next, err := e.wanted(s, p, t.Logical)
	if err != nil {
		e.unready(s, t, p, reasonOf(err), at)
		return
	}
	found, gone := r, false
	if r != nil && s.Op.Revert && s.Op.Phase == phaseUpdate && r.PhysicalID != "" {
		found, gone = e.recovered(ctx, s, r)
	}
	switch {
	case r == nil || r.Status == "DELETE_COMPLETE":
		e.startCreate(ctx, s, t, next, at)
	case gone:
		// Somebody deleted it: it is made anew, and a rollback takes that back.
		before := *r
		before.Before, before.Missing = nil, true
		e.strike(r)
		next.Before = &before
		e.startCreate(ctx, s, t, next, at)
	case r.Fresh && r.Status == "CREATE_FAILED":
		// An earlier attempt with rollback disabled left it: it is made anew.
		if r.PhysicalID != "" {
			s.Garbage = append(s.Garbage, r)
		}
		e.startCreate(ctx, s, t, next, at)
	default:
		e.startChange(ctx, s, t, r, found, next, at)
	}
}

// wanted evaluates a resource of the program as a record to reach.
func (e *Engine) wanted(s *Stack, p *program, id string) (*StackResource, error) {
	n := p.nodes[id]
	props, err := p.evaluate(id, live{e, s})
	if err != nil {
		return nil, err
	}
	shown := props
	if p.masked != nil {
		m := *p
		m.params = p.masked
		if shown, err = m.evaluate(id, live{e, s}); err != nil {
			return nil, err
		}
	}
	r := &StackResource{
		LogicalID: id, Type: n.Type, Properties: compact(props),
		Delete: n.Delete, Replace: n.Replace, Needs: n.needs,
		Text: remember(s, string(compact(shown))),
	}
	if n.Metadata != nil {
		r.Metadata = compact(n.Metadata)
	}
	if n.Update != nil {
		policy, err := p.eval(n.Update, live{e, s})
		if err != nil {
			return nil, err
		}
		r.Policy = compact(policy)
	}
	if ty, ok := awstype.Lookup(n.Type); ok && ty.TagProperty != "" {
		r.Tags = s.Deployed.Tags
	}
	return r, nil
}

// unready fails a resource whose properties cannot be evaluated.
func (e *Engine) unready(s *Stack, t *Task, p *program, reason string, at time.Time) {
	r := s.Resources[t.Logical]
	if r == nil {
		r = &StackResource{LogicalID: t.Logical, Type: p.nodes[t.Logical].Type, Status: "CREATE_IN_PROGRESS", Fresh: true}
		s.Resources[t.Logical] = r
	}
	e.fail(s, t, reason, at)
}

func (e *Engine) startCreate(ctx context.Context, s *Stack, t *Task, r *StackResource, at time.Time) {
	s.Serial++
	r.Serial = s.Serial
	r.Fresh = true
	s.Resources[t.Logical] = r
	if item, ok := e.importable(ctx, s, r); ok {
		e.startImport(ctx, s, t, r, item, at)
		return
	}
	if p, err := e.program(s); err == nil && !s.Op.Express {
		r.Awaits = e.awaited(p.nodes[t.Logical], r, at)
	}
	e.note(s, r, "CREATE_IN_PROGRESS", "", at)
	delay, fault := e.fault(s, r, PhaseCreate)
	if r.Type == stackType && fault == nil {
		e.startChild(ctx, s, t, r, at)
		return
	}
	if err := e.make(ctx, s, r, nil); err != nil {
		t.Error, t.End = err.reason(e, s, r), at.Add(e.seconds(secondsToRefuse))
		return
	}
	d := e.seconds(e.takes(s, r.Type, PhaseCreate) + delay)
	t.Mid, t.End = at.Add(min(e.seconds(secondsToTell), d/2)), at.Add(d)
	if fault != nil {
		t.Error = fault.reason(e, s, r)
	}
}

// startChange updates in place, replaces, or finds nothing to do. found is what
// r really is, when the operation reverts drift; else it is r.
func (e *Engine) startChange(ctx context.Context, s *Stack, t *Task, r, found, next *StackResource, at time.Time) {
	next.PhysicalID, next.Attributes, next.Serial = r.PhysicalID, r.Attributes, r.Serial
	next.Status, next.Reason, next.Updated = r.Status, r.Reason, r.Updated
	next.Fresh, next.Imported, next.Before = r.Fresh, r.Imported, r.Before
	next.DriftState, next.DriftTime = r.DriftState, r.DriftTime
	if next.Type == stackType {
		e.startChildUpdate(ctx, s, t, r, next, at)
		return
	}
	// A failed in-place update may have reached the handler: it is done again.
	kind := changeOf(found, next)
	if s.Op.Revert && next.DriftState != "" {
		next.DriftState, next.DriftTime = "IN_SYNC", at
	}
	if kind == changeNone && r.Status == "UPDATE_FAILED" {
		kind = changeInPlace
	}
	if kind == changeInPlace && replacedByPolicy(found, next) {
		kind = changeReplace
	}
	switch kind {
	case changeNone, changeRecord:
		s.Resources[t.Logical] = next
		t.State = taskDone
		return
	}
	if next.Before == nil && !r.Fresh {
		before := *r
		before.Before = nil
		if found != r {
			before.Actual = found.Properties
		}
		next.Before = &before
	}
	s.Resources[t.Logical] = next
	action := "Update:Modify"
	if kind == changeReplace {
		action = "Update:Replace"
	}
	if denied := e.policyDenies(s, action, next); denied != "" {
		e.fail(s, t, denied, at)
		return
	}
	if kind == changeReplace {
		e.startReplace(ctx, s, t, r, next, at)
		return
	}
	e.note(s, next, "UPDATE_IN_PROGRESS", "", at)
	delay, fault := e.fault(s, next, PhaseUpdate)
	if fault != nil {
		t.Error = fault.reason(e, s, next)
	} else if err := e.change(ctx, s, found, next); err != nil {
		t.Error, t.End = err.reason(e, s, next), at.Add(e.seconds(secondsToRefuse))
		return
	}
	t.End = at.Add(e.seconds(e.takes(s, next.Type, PhaseUpdate) + delay))
}

// startReplace creates the new resource; the old one goes in the clean-up
// phase (documentation: update behaviors of stack resources).
func (e *Engine) startReplace(ctx context.Context, s *Stack, t *Task, r, next *StackResource, at time.Time) {
	t.Replace = true
	e.note(s, next, "UPDATE_IN_PROGRESS", "Requested update requires the creation of a new physical resource; hence creating one.", at)
	old, _ := explicitName(r.Type, decode(r.Properties))
	if name, ok := explicitName(next.Type, decode(next.Properties)); ok && name == old {
		t.Error = fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %s and update the stack again.", r.PhysicalID)
		t.End = at.Add(e.seconds(secondsToRefuse))
		return
	}
	delay, fault := e.fault(s, next, PhaseCreate)
	if fault == nil {
		delay, fault = e.fault(s, next, PhaseUpdate)
	}
	s.Serial++
	next.Serial = s.Serial
	next.PhysicalID, next.Attributes = "", nil
	if err := e.make(ctx, s, next, r); err != nil {
		next.PhysicalID, next.Attributes, next.Serial = r.PhysicalID, r.Attributes, r.Serial
		t.Error, t.End = err.reason(e, s, next), at.Add(e.seconds(secondsToRefuse))
		return
	}
	if r.PhysicalID != "" && (r.Fresh || r.Before != nil && r.Before.PhysicalID != r.PhysicalID) {
		s.Garbage = append(s.Garbage, r) // made by a failed attempt at this update: nobody goes back to it
	}
	if p, err := e.program(s); err == nil && !s.Op.Express && next.Type == groupType {
		next.Awaits = e.awaited(p.nodes[t.Logical], next, at)
	}
	d := e.seconds(e.takes(s, next.Type, PhaseCreate) + delay)
	t.Mid, t.End = at.Add(min(e.seconds(secondsToTell), d/2)), at.Add(d)
	if fault != nil {
		t.Error = fault.reason(e, s, next)
	}
}

// tell writes the event that a resource's creation began: its id is known.
func (e *Engine) tell(s *Stack, t *Task, at time.Time) {
	r := s.Resources[t.Logical]
	if r == nil {
		return
	}
	e.note(s, r, r.Status, "Resource creation Initiated", at)
}

// complete ends a task whose time has come.
func (e *Engine) complete(ctx context.Context, s *Stack, t *Task, at time.Time) {
	switch t.Verb {
	case verbMake:
		if t.Error != "" {
			e.fail(s, t, t.Error, at)
			return
		}
		r := s.Resources[t.Logical]
		if e.settles(ctx, s, t, r, at) || e.hold(s, t, r, at) {
			return
		}
		t.State = taskDone
		e.note(s, r, strings.Replace(r.Status, "IN_PROGRESS", "COMPLETE", 1), "", at)
	case verbRestore:
		e.completeRestore(ctx, s, t, at)
	default:
		e.completeRemove(ctx, s, t, at)
	}
}

// failed writes the event of a failed task.
func (e *Engine) failed(s *Stack, t *Task, reason string, at time.Time) {
	r := s.Resources[t.Logical]
	if r == nil {
		return
	}
	status := "UPDATE_FAILED"
	switch {
	case t.Verb == verbRemove:
		status = "DELETE_FAILED"
	case r.Status == "IMPORT_IN_PROGRESS":
		status = "IMPORT_FAILED"
	case r.Fresh && r.Before == nil && !strings.HasPrefix(r.Status, "UPDATE"):
		status = "CREATE_FAILED"
	}
	e.note(s, r, status, reason, at)
}

// failures says which resources failed, as the stack's reason does.
func failures(s *Stack) string {
	var parts []string
	for _, kind := range []struct{ status, verb string }{{"CREATE_FAILED", "create"}, {"UPDATE_FAILED", "update"}, {"IMPORT_FAILED", "import"}, {"DELETE_FAILED", "delete"}} {
		var ids []string
		for _, t := range s.Op.Tasks {
			r := victim(s, t)
			if t.State == taskFailed && r != nil && r.Status == kind.status {
				ids = append(ids, t.Logical)
			}
		}
		if len(ids) > 0 {
			slices.Sort(ids)
			parts = append(parts, fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", kind.verb, strings.Join(slices.Compact(ids), ", ")))
		}
	}
	return strings.Join(parts, "")
}
