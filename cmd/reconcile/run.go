package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// proposal is a plan, what allows it to run, and how it looks.
type proposal struct {
	plan    plan.Plan
	options apply.Options
	style   report.Options
}

// work is what a command wants done, and how to plan it anew when somebody
// else was at work before it got the lock.
type work struct {
	command string
	consent consent
	make    func(ctx context.Context, s *session) (proposal, *session, error)
}

// run shows a plan, asks, takes the lock, and applies it. Where somebody else
// had the lock before, it plans again first: what is shown is what is done. A
// plan without a step takes no lock.
func (g *global) run(ctx context.Context, s *session, p proposal, w work) error {
	begun := time.Now()
	for {
		if err := g.propose(p, w.consent.yes); err != nil {
			return err
		}
		if p.plan.Empty() {
			if g.output == "json" {
				return report.ResultJSON(g.out, p.plan, apply.Result{})
			}
			return nil
		}
		if !w.consent.yes {
			if err := g.ask(ctx, p.plan, p.options); err != nil {
				return err
			}
		}
		next, err := g.underLock(ctx, s, p, w, w.consent.lockTimeout-time.Since(begun))
		if next == nil || err != nil {
			return err
		}
		p = *next
	}
}

// propose shows the plan, and refuses one with errors.
func (g *global) propose(p proposal, yes bool) error {
	if g.output == "text" {
		err := g.printPlan(p.plan, p.style)
		if yes {
			err = unlessClosed(err) // whether the plan fitted into the pipe decides nothing
		}
		if err != nil {
			return err
		}
	}
	return planExit(p.plan, false, g.output == "text")
}

// underLock takes the lock and applies the plan. When there is another plan by
// the time that it has the lock, that one comes back and nothing was done.
func (g *global) underLock(ctx context.Context, s *session, p proposal, w work, patience time.Duration) (next *proposal, err error) {
	t, err := g.newTurn(s, s.own, p.plan, w.command)
	if err != nil {
		return nil, err
	}
	defer t.release(ctx)
	waited, err := t.take(ctx, patience, p.plan)
	if err != nil {
		return nil, err
	}
	if waited {
		again, _, err := w.make(ctx, s)
		if err != nil {
			return nil, err
		}
		if again.plan.Digest != p.plan.Digest {
			fmt.Fprintln(g.err, "\nsomebody else was at work before; this is what is left to do now")
			return &again, nil
		}
	}
	result, err := g.carryOut(ctx, s, p, t)
	var held *lock.HeldError
	if err == nil && result.Locked != "" && errors.As(t.refused, &held) && patience > 0 {
		// Two made the bucket at the same time, and the other one was faster.
		if _, err := t.take(ctx, patience, p.plan); err != nil {
			return nil, err
		}
		again, _, err := w.make(ctx, s)
		return &again, err
	}
	if err != nil {
		return nil, err
	}
	if g.output == "json" {
		err = report.ResultJSON(g.out, p.plan, result)
	} else {
		err = report.Result(g.out, p.plan, result, p.style)
	}
	if err := unlessClosed(err); err != nil {
		return nil, err
	}
	return nil, resultExit(result)
}

// carryOut runs the plan with its progress on the screen and in the journal.
func (g *global) carryOut(ctx context.Context, s *session, p proposal, t *turn) (apply.Result, error) {
	if g.output == "text" {
		fmt.Fprintln(g.err)
	}
	progress := report.NewProgress(g.progressTo(), report.ProgressOptions{
		Options: g.style(g.err), Terminal: terminal(g.err), JSON: g.output == "json", Told: terminal(g.out),
		Columns: func() int { return columns(g.err) }, Rows: func() int { return rows(g.err) }, Now: time.Now, Plan: p.plan,
	})
	defer progress.Close()
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.mu.Lock()
	t.cancel = cancel
	t.mu.Unlock()
	port := s.cloud.Port(running)
	defer port.Close()
	port.Bucket, port.Guard, port.Own = t.bucket, t.guard, s.own
	recording := port
	if t.held == nil { // before there is a lock its place is made
		recording = s.cloud.Port(running)
		defer recording.Close()
	}
	if err := record(running, p.plan, p.options, recording); err != nil {
		return apply.Result{}, err
	}
	journal := newRecorder(t, p.plan, s.carried)
	journal.start(ctx)
	result, err := apply.Run(running, p.plan, port, p.options, func(e apply.Event) {
		journal.observe(e)
		progress.Observe(e)
	})
	result = t.outcome(result)
	code := exitOK
	var ends *coded
	if errors.As(resultExit(result), &ends) {
		code = ends.code
	}
	if err := journal.close(ctx, result, code); err != nil {
		t.warn(fmt.Sprintf("the journal of this run is incomplete (nothing else depends on it): %v", err))
	}
	return result, err
}
