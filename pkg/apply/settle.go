package apply

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"reconcile/pkg/plan"
)

// Settle waits for what earlier runs of this program left running, so that a
// plan can be computed from a settled account: operations that carry our
// token, and deletions of stacks that carry our mark. It changes nothing and
// waits for nobody else. It returns the names of the stacks that it waited
// for, sorted; they must be read again. observe may be nil.
//
// Every request is answered when it returns nil, so that Run may use the same
// port after it. When ctx ends first the error is ctx's.
func Settle(ctx context.Context, stacks []plan.LiveStack, owner string, port Port, observe func(Event)) ([]string, error) {
	if observe == nil {
		observe = func(Event) {}
	}
	w := &settling{port: port, open: map[RequestID]plan.LiveStack{}, owner: owner}
	for _, s := range stacks {
		if classOf(&s) == plan.StatusBusy {
			// Which token it is does not matter here, only that one is asked for.
			w.send(s, Request{Op: OpReadStack, Stack: s.ID, Token: tokenPrefix})
		}
	}
	var waited []string
	for len(w.open) > 0 {
		r, err := port.Next(ctx)
		if err != nil {
			return nil, err
		}
		s, ok := w.open[r.ID]
		switch {
		case !ok:
			continue
		case !r.Done:
			if r.Progress != nil {
				observe(Event{Type: EventStepProgress, Target: s.Name, Progress: r.Progress})
			}
			continue
		}
		delete(w.open, r.ID)
		switch {
		case r.Err != nil && r.Err.Kind == FailureCanceled:
			return nil, errors.Join(context.Canceled, r.Err)
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			return nil, fmt.Errorf("wait for stack %s: %w", s.Name, r.Err)
		case r.Op == OpReadStack && w.ours(r):
			waited = append(waited, s.Name)
			observe(Event{Type: EventNote, Target: s.Name, Message: fmt.Sprintf("an earlier run still works on stack %s (%s); waiting for it", s.Name, r.Stack.Status)})
			w.send(s, Request{Op: OpWatchStack, Stack: s.ID})
		}
	}
	sort.Strings(waited)
	return waited, nil
}

// settling is the state of one Settle.
type settling struct {
	port  Port
	owner string
	last  RequestID
	open  map[RequestID]plan.LiveStack
}

func (w *settling) send(s plan.LiveStack, r Request) {
	w.last++
	r.ID = w.last
	w.open[r.ID] = s
	w.port.Submit(r)
}

// ours tells whether the operation that runs on the stack is an earlier run's.
func (w *settling) ours(r Response) bool {
	if classOf(r.Stack) != plan.StatusBusy {
		return false
	}
	return oursByToken(r.Token) || r.Stack.Status == statusDeleteInProgress && markerOf(r.Stack).Owner == w.owner
}
