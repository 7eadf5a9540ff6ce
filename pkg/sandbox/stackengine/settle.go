package stackengine

import (
	"context"
	"time"
)

// settles tells whether a resource whose usual time is over goes on becoming
// stable, or has just failed to.
func (e *Engine) settles(ctx context.Context, s *Stack, t *Task, r *StackResource, at time.Time) bool {
	w, ok := e.Providers[r.Type].(Waiter)
	if !ok {
		return false
	}
	again, err := w.Settle(ctx, e.view(s, r))
	switch {
	case err != nil:
		e.fail(s, t, handlerError(err).reason(e, s, r), at)
		return true
	case again.IsZero():
		return false
	case !again.After(at):
		again = at.Add(time.Second) // a provider that names the past must not stop time
	}
	t.End = again
	return true
}

// check asks the account whether what a resource refers to exists, or whether
// it is still in use.
func (e *Engine) check(ctx context.Context, phase Phase, r Resource) *HandlerError {
	if e.Check != nil {
		if err := e.Check(ctx, phase, r); err != nil {
			return handlerError(err)
		}
	}
	if phase == PhaseDelete || r.Type == "AWS::EC2::LaunchTemplate" {
		return nil // EC2 looks the ids of a template up when something is launched from it
	}
	return e.checkReferences(r.Properties)
}
