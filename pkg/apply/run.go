package apply

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"reconcile/pkg/plan"
)

const defaultParallelism = 8

// resumeCommand is what to run after anything that another plan heals.
const resumeCommand = "reconcile apply"

// Run runs the plan's steps through the port, each when all that it needs is
// done, and returns one StepResult per step in the plan's order. A step that
// fails or is refused stops those that need it and no other. observe may be
// nil.
//
// A cancelled ctx stops the run at once: nothing is cancelled on AWS, and the
// results say what still runs there. An error is a *RefusedError, a *PlanError
// or the port's; with the port's error the result is as far as it got.
func Run(ctx context.Context, p plan.Plan, port Port, o Options, observe func(Event)) (Result, error) {
	if err := check(p); err != nil {
		return Result{}, err
	}
	e := newEngine(p, port, o, observe)
	e.gate()
	for ctx.Err() == nil {
		e.launch()
		if len(e.waiting) == 0 {
			return e.result(), nil
		}
		r, err := port.Next(ctx)
		switch {
		case err == nil:
			e.take(r)
		case ctx.Err() != nil || errors.Is(err, context.Canceled):
			return e.interrupt(), nil
		default:
			return e.interrupt(), fmt.Errorf("the port to AWS: %w", err)
		}
		if e.canceled || e.locked != "" {
			return e.interrupt(), nil
		}
	}
	return e.interrupt(), nil
}

// engine is the state of one run.
type engine struct {
	plan    plan.Plan
	port    Port
	opts    Options
	observe func(Event)

	tasks    []*task             // in the plan's order
	ready    []int               // indices of tasks that may start, ascending
	flying   int                 // tasks that have started and not ended
	held     map[string]bool     // targets of flying tasks
	waiting  map[RequestID]*task // requests without their last response
	last     RequestID
	canceled bool   // the port gave up a request because its context ended
	locked   string // the port sent no request more because the lock is not ours

	// left is the fingerprint of each stack as a step of this run left it. It
	// takes the place of Base for the steps that come after: theirs is stale by
	// construction.
	left map[string]string
	refs *references
}

func newEngine(p plan.Plan, port Port, o Options, observe func(Event)) *engine {
	if o.Parallelism <= 0 {
		o.Parallelism = defaultParallelism
	}
	if o.PlanDigest == "" {
		o.PlanDigest = p.Digest
	}
	if observe == nil {
		observe = func(Event) {}
	}
	e := &engine{
		plan: p, port: port, opts: o, observe: observe,
		held: map[string]bool{}, waiting: map[RequestID]*task{}, left: map[string]string{},
		refs: newReferences(),
	}
	byID := make(map[plan.StepID]*task, len(p.Steps))
	for i, s := range p.Steps {
		t := &task{e: e, index: i, step: s, target: targetOf(s)}
		needs := map[plan.StepID]bool{}
		for _, n := range s.Needs {
			if !needs[n] {
				needs[n] = true
				byID[n].dependants = append(byID[n].dependants, t)
			}
		}
		t.needs = len(needs)
		byID[s.ID] = t
		e.tasks = append(e.tasks, t)
	}
	return e
}

// gate settles what is known before anything runs: steps that the plan calls
// blocked, and steps whose approvals are missing. The others that need
// nothing become ready.
func (e *engine) gate() {
	for _, t := range e.tasks {
		switch missing := e.opts.missing(t.step); {
		case t.step.Blocked != nil:
			t.end(StepResult{Outcome: OutcomeBlocked, Message: t.step.Blocked.Reason, Command: t.step.Blocked.Command})
		case len(missing) > 0:
			t.refuse(approvalMessage(missing, e.opts.Spent), approvalCommand(missing))
		}
	}
	for _, t := range e.tasks {
		if t.needs == 0 && !t.ended {
			e.ready = append(e.ready, t.index)
		}
	}
}

// launch starts ready tasks while there is room, in the plan's order.
func (e *engine) launch() {
	for i := 0; i < len(e.ready) && e.flying < e.opts.Parallelism; {
		t := e.tasks[e.ready[i]]
		if e.held[t.target] {
			i++
			continue
		}
		e.ready = append(e.ready[:i], e.ready[i+1:]...)
		e.held[t.target] = true
		e.flying++
		t.started = true
		t.event(EventStepStarted, Event{})
		machineOf(t.step)(t)
		i = 0 // a task that ended at once may have made earlier ones ready
	}
}

// enqueue makes a task ready, keeping the plan's order.
func (e *engine) enqueue(t *task) {
	at := sort.SearchInts(e.ready, t.index)
	e.ready = append(e.ready, 0)
	copy(e.ready[at+1:], e.ready[at:])
	e.ready[at] = t.index
}

// take gives a response to the task that waits for it. Responses that nobody
// waits for are answers that came twice.
func (e *engine) take(r Response) {
	t, ok := e.waiting[r.ID]
	if !ok {
		return
	}
	if !r.Done {
		if r.Progress != nil {
			t.event(EventStepProgress, Event{Progress: r.Progress})
		}
		return
	}
	delete(e.waiting, r.ID)
	if r.Err != nil && r.Err.Kind == FailureCanceled {
		e.canceled = true
		return
	}
	if r.Err != nil && r.Err.Kind == FailureLocked {
		t.running = "" // it was not sent
		e.locked = r.Err.Message
		return
	}
	next := t.next
	t.next = nil
	next(r)
}

// interrupt ends every step that has not ended. Operations go on without us.
func (e *engine) interrupt() Result {
	for _, t := range e.tasks {
		if t.ended {
			continue
		}
		t.ended = true
		message, command := "not started", ""
		if t.started {
			command = resumeCommand
		}
		switch {
		case t.running != "":
			message = t.running + " goes on without us"
			t.event(EventNote, Event{Message: message + "; to resume: " + t.filled(StepResult{Command: resumeCommand}).Command})
		case t.half != "":
			message = t.half
		case t.started:
			message = "stopped before anything was changed"
		}
		t.result = t.filled(StepResult{Outcome: OutcomeInterrupted, Message: message, Command: command})
	}
	r := e.result()
	r.Interrupted, r.Locked = e.locked == "", e.locked
	return r
}

func (e *engine) result() Result {
	r := Result{Steps: make([]StepResult, len(e.tasks))}
	for i, t := range e.tasks {
		r.Steps[i] = t.result
	}
	return r
}
