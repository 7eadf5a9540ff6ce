package stackengine

import (
	"context"
	"slices"
	"time"
)

// restoreTasks has one task for every resource that a failed update changed.
// What the update made anew is deleted later, in the clean-up.
func restoreTasks(s *Stack) []*Task {
	touched := map[string]bool{}
	for id, r := range s.Resources {
		touched[id] = r.Before != nil
	}
	var tasks []*Task
	for _, id := range keys(s.Resources) {
		if !touched[id] {
			continue
		}
		t := &Task{Key: id, Logical: id, Verb: verbRestore}
		for _, need := range s.Resources[id].Before.Needs {
			if touched[need] {
				t.Needs = append(t.Needs, need)
			}
		}
		tasks = append(tasks, t)
	}
	return tasks
}

// startRestore brings a resource back to what the update found.
func (e *Engine) startRestore(ctx context.Context, s *Stack, t *Task, at time.Time) {
	r := s.Resources[t.Logical]
	before := *r.Before
	if slices.Contains(s.Op.Skip, t.Logical) {
		// Skipped: called complete, whatever it is really (ContinueUpdateRollback).
		before.PhysicalID, before.Attributes = r.PhysicalID, r.Attributes
		before.Skipped, before.DriftState = true, ""
		s.Resources[t.Logical] = &before
		t.State = taskDone
		e.note(s, &before, "UPDATE_COMPLETE", "", at)
		return
	}
	if r.PhysicalID != before.PhysicalID || before.Missing {
		// The old resource is still there: only the new one has to go.
		if r.PhysicalID != "" {
			s.Garbage = append(s.Garbage, r)
		}
		s.Resources[t.Logical] = &before
		t.State = taskDone
		e.note(s, &before, "UPDATE_COMPLETE", "", at)
		return
	}
	if r.Type == stackType {
		e.startChildRestore(s, t, r, at)
		return
	}
	e.note(s, r, "UPDATE_IN_PROGRESS", "", at)
	delay, fault := e.fault(s, r, PhaseRollback)
	if fault != nil {
		t.Error = fault.reason(e, s, r)
	} else if err := e.restore(ctx, s, r, &before); err != nil {
		t.Error, t.End = err.reason(e, s, r), at.Add(e.seconds(secondsToRefuse))
		return
	}
	t.End = at.Add(e.seconds(e.takes(s, r.Type, PhaseRollback) + delay))
}

// restore changes r back to what the update found.
func (e *Engine) restore(ctx context.Context, s *Stack, r, before *StackResource) *HandlerError {
	found := before.asFound()
	if err := e.change(ctx, s, r, found); err != nil {
		return err
	}
	before.Attributes = found.Attributes
	r.Before = before
	return nil
}

func (e *Engine) completeRestore(ctx context.Context, s *Stack, t *Task, at time.Time) {
	if t.Error != "" {
		e.fail(s, t, t.Error, at)
		return
	}
	before := s.Resources[t.Logical].Before
	before.Signals = s.Resources[t.Logical].Signals
	if e.settles(ctx, s, t, before, at) {
		return
	}
	before.Signals = nil
	s.Resources[t.Logical] = before
	t.State = taskDone
	e.note(s, before, "UPDATE_COMPLETE", "", at)
}

// removeTasks lists what the phase deletes: dependants first.
func (e *Engine) removeTasks(s *Stack) []*Task {
	if s.Op.Phase == phaseDelete {
		shelve(s)
	}
	victims := map[string]*StackResource{} // by key
	for _, g := range s.Garbage {
		victims[g.LogicalID+"#"+itoa(g.Serial)] = g
	}
	p, _ := e.program(s)
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		if r.Status == "DELETE_COMPLETE" || r.Status == "DELETE_SKIPPED" {
			continue
		}
		switch s.Op.Phase {
		case phaseCleanup:
			if p == nil || p.nodes[id] != nil {
				continue
			}
		case phaseRollbackCleanup:
			if !r.Fresh {
				continue
			}
		}
		victims[id] = r
	}
	byLogical := map[string][]string{}
	for _, k := range keys(victims) {
		byLogical[victims[k].LogicalID] = append(byLogical[victims[k].LogicalID], k)
	}
	needs := map[string][]string{}
	for _, k := range keys(victims) {
		for _, used := range victims[k].Needs {
			for _, other := range byLogical[used] {
				if other != k {
					needs[other] = append(needs[other], k)
				}
			}
		}
	}
	var tasks []*Task
	for _, k := range keys(victims) {
		tasks = append(tasks, &Task{Key: k, Logical: victims[k].LogicalID, Verb: verbRemove, Needs: needs[k]})
	}
	return sortTasks(tasks)
}

// shelve puts what a failed update meant to replace with the garbage, so that
// deleting the stack deletes it too.
func shelve(s *Stack) {
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		if b := r.Before; b != nil && b.PhysicalID != r.PhysicalID && b.PhysicalID != "" && !b.Missing {
			s.Garbage = append(s.Garbage, b)
		}
		r.Before = nil
	}
}

// victim is the record that a removing task is about.
func victim(s *Stack, t *Task) *StackResource {
	for _, g := range s.Garbage {
		if g.LogicalID+"#"+itoa(g.Serial) == t.Key {
			return g
		}
	}
	return s.Resources[t.Logical]
}

func (e *Engine) startRemove(s *Stack, t *Task, at time.Time) {
	r := victim(s, t)
	if r.PhysicalID == "" || r.Status == "IMPORT_FAILED" {
		e.note(s, r, "DELETE_COMPLETE", "", at)
		e.gone(s, t)
		return
	}
	if e.keeps(s, t, r) {
		e.note(s, r, "DELETE_SKIPPED", "", at)
		e.orphan(r)
		e.gone(s, t)
		return
	}
	e.note(s, r, "DELETE_IN_PROGRESS", "", at)
	if r.Type == stackType {
		e.startChildRemove(s, t, r, at)
		return
	}
	phase := PhaseDelete
	if s.Op.Phase == phaseCreateRollback || s.Op.Phase == phaseRollbackCleanup {
		phase = PhaseRollback
	}
	delay, fault := e.fault(s, r, phase)
	if fault != nil {
		t.Error = fault.reason(e, s, r)
	}
	t.End = at.Add(e.seconds(e.takes(s, r.Type, PhaseDelete) + delay))
}

// keeps tells whether a resource survives its removal from the stack. From the
// documentation of DeletionPolicy, UpdateReplacePolicy and of the parameters
// RetainExceptOnCreate and RetainResources.
func (e *Engine) keeps(s *Stack, t *Task, r *StackResource) bool {
	op := s.Op
	if op.Phase == phaseDelete && slices.Contains(op.Retain, t.Logical) {
		return true
	}
	policy := r.Delete
	if t.Key != t.Logical {
		policy = r.Replace
		if op.Phase == phaseCleanup && s.Resources[t.Logical] != nil {
			policy = s.Resources[t.Logical].Replace
		}
	}
	fresh := op.Phase == phaseCreateRollback || op.Phase == phaseRollbackCleanup
	if fresh && r.Imported && r.Fresh {
		return true // it did not come with the operation
	}
	switch policy {
	case "Retain":
		return !(fresh && (op.RetainExcept || s.Deployed.RetainExcept))
	case "RetainExceptOnCreate":
		return !fresh
	}
	return false
}

func (e *Engine) completeRemove(ctx context.Context, s *Stack, t *Task, at time.Time) {
	r := victim(s, t)
	reason := t.Error
	if reason == "" {
		if err := e.unmake(ctx, s, r); err != nil {
			reason = err.reason(e, s, r)
		}
	}
	if reason == "" {
		e.note(s, r, "DELETE_COMPLETE", "", at)
		e.gone(s, t)
		return
	}
	t.State = taskFailed
	s.Op.Failed = true
	e.note(s, r, "DELETE_FAILED", reason, at)
	switch {
	case s.Op.Phase == phaseDelete && s.Op.Force:
		// FORCE_DELETE_STACK leaves behind what cannot be deleted.
		e.note(s, r, "DELETE_SKIPPED", "", at)
		e.orphan(r)
		e.gone(s, t)
	case cleaning(s.Op.Phase):
		e.orphan(r)
		e.forget(s, t)
	}
}

// gone ends a removing task. In a clean-up the record disappears; a deleted
// stack and one whose creation was rolled back keep theirs.
func (e *Engine) gone(s *Stack, t *Task) {
	t.State = taskDone
	if cleaning(s.Op.Phase) || t.Key != t.Logical {
		e.forget(s, t)
	}
}

func (e *Engine) forget(s *Stack, t *Task) {
	if t.Key == t.Logical {
		delete(s.Resources, t.Logical)
		return
	}
	s.Garbage = slices.DeleteFunc(s.Garbage, func(g *StackResource) bool {
		return g.LogicalID+"#"+itoa(g.Serial) == t.Key
	})
}
