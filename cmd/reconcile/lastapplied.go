package main

import (
	"context"
	"errors"
	"fmt"

	"reconcile/pkg/apply"
	"reconcile/pkg/lock"
	"reconcile/pkg/report"
)

// overtakenError says that somebody else applied since the plan was made.
type overtakenError struct{ why string }

func (e *overtakenError) Error() string {
	return "somebody else applied since this plan was made, and nothing was changed: " + e.why
}

// Hint is the command to run next.
func (e *overtakenError) Hint() string { return "reconcile plan" }

// record writes the plan's revision as the one that was applied last, before
// the steps and under the lock. It goes through the engine, whose guard tells
// when somebody else applied since the plan was made: an *overtakenError. What
// AWS does not let it write keeps no step from being done: the turn keeps that
// trouble for the end, and the next apply writes it. guard is asked before the
// write, if there is one.
func (p proposal) record(ctx context.Context, s *session, t *turn, guard func(context.Context, apply.Request) error) error {
	step, needed, err := p.plan.Record()
	if err != nil || !needed || !p.records || p.idle() {
		return err
	}
	port := s.cloud.Port(ctx)
	defer port.Close()
	port.Guard = guard
	result, err := apply.Run(ctx, step, port, apply.Options{}, nil)
	if err != nil {
		return err
	}
	if result.Locked != "" {
		return locked(errors.New(result.Locked), t.record.Command)
	}
	switch r := result.Steps[0]; r.Outcome {
	case apply.OutcomeDone:
		return nil
	case apply.OutcomeInterrupted:
		return context.Canceled
	case apply.OutcomeRefused:
		return &overtakenError{why: r.Message}
	default:
		t.trouble("the revision %s could not be recorded as the one applied last: %s. Until an apply records it, an older commit is not refused", p.plan.Target.Revision, r.Message)
		return nil
	}
}

// idle tells whether nothing of the plan will run: all is blocked or lacks consent.
func (p proposal) idle() bool {
	refused, skipped := report.Unapproved(p.plan, given(p.options))
	return !p.plan.Empty() && len(refused)+len(skipped)+p.plan.Summary.Blocked >= len(p.plan.Steps)
}

// catchesUp tells whether the plan changes nothing and its revision is not yet
// the one applied last. Unrecorded, an older commit that is applied later would
// not be seen to be older.
func (p proposal) catchesUp() (bool, error) {
	_, needed, err := p.plan.Record()
	return needed && p.records && p.whole && p.plan.Empty() && !p.dirty(), err
}

// catchUp records the revision of a plan without steps, under the lock. Another
// proposal comes back where somebody else was at work.
func (g *global) catchUp(ctx context.Context, s *session, p proposal, w work, t *turn) (next *proposal, err error) {
	defer t.release(ctx)
	waited, err := t.take(ctx, w.consent.lockTimeout, p.plan)
	switch {
	case errors.Is(err, lock.ErrNoPlace):
		g.log.Warn("the revision is not recorded: there is no bucket for the lock", "bucket", t.own.Bucket)
		return nil, nil
	case err != nil:
		return nil, err
	case waited:
		again, _, err := w.make(ctx, s)
		return &again, err
	}
	err = p.record(ctx, s, t, t.guard)
	var overtaken *overtakenError
	if errors.As(err, &overtaken) {
		again, _, err := w.make(ctx, s)
		return &again, err
	}
	if err != nil {
		return nil, err
	}
	return nil, t.troubles(nil)
}

// trouble keeps what went wrong beside the steps, and tells it at once.
func (t *turn) trouble(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.warn(text)
	t.beside = append(t.beside, text)
}

// troubles is how a run ends: as its steps did, or with an error where they all
// were done and something beside them was not.
func (t *turn) troubles(ended error) error {
	if ended != nil || len(t.beside) == 0 {
		return ended
	}
	return &hinted{failWith(exitError, "every step is done, and beside them %s failed, see above", counted(len(t.beside), "thing")), "reconcile apply"}
}
