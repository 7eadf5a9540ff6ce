package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/revision"
)

// proposal is a plan, what allows it to run, and how it looks.
type proposal struct {
	plan    plan.Plan
	options apply.Options
	style   report.Options
	records bool // its revision becomes the one that was applied last
	whole   bool // it is about all of the specs
}

// dirty tells whether files differ from the commit.
func (p proposal) dirty() bool {
	_, dirty := revision.Dirty(p.plan.Target.Revision)
	return dirty
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
		behind, err := p.catchesUp()
		if err != nil {
			return err
		}
		if p.plan.Empty() && !behind {
			return g.nothing(p)
		}
		if behind {
			t, err := g.newTurn(s, s.own, p.plan, w.command)
			if err != nil {
				return err
			}
			next, err := g.catchUp(ctx, s, p, w, t)
			if next == nil || err != nil {
				return errors.Join(g.nothing(p), err)
			}
			p = *next
			continue
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

// nothing is the result of a plan without steps.
func (g *global) nothing(p proposal) error {
	if g.output == "json" {
		return g.resultJSON(p.plan, apply.Result{})
	}
	return nil
}

// resultJSON writes the result, the last line of the output.
func (g *global) resultJSON(p plan.Plan, r apply.Result) error {
	g.ended = true
	return report.ResultJSON(g.out, p, r)
}

// unbegun gives an apply that ended before its first step a result too, so that
// those who merged are told; what a pull request was asked stays its word.
func (g *global) unbegun(err error) error {
	var question *asked
	if err == nil || g.output != "json" || g.ended || errors.As(err, &question) {
		return err
	}
	return errors.Join(err, unlessClosed(g.resultJSON(plan.Plan{}, apply.Result{Ended: printable(err.Error()), Next: hint(err)})))
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
		p = again // the same steps, and what is asked beside them is of now
	}
	result, err := g.carryOut(ctx, s, p, t)
	if err != nil {
		return nil, err
	}
	var held *lock.HeldError
	var overtaken *overtakenError
	switch {
	case result.Locked == "":
	case errors.As(t.refused, &held) && patience > 0:
		// Two made the bucket at the same time, and the other one was faster.
		if _, err := t.take(ctx, patience, p.plan); err != nil {
			return nil, err
		}
		again, _, err := w.make(ctx, s)
		return &again, err
	case errors.As(t.refused, &overtaken): // as before, and the other one is done already
		again, _, err := w.make(ctx, s)
		return &again, err
	}
	if g.output == "json" {
		err = g.resultJSON(p.plan, result)
	} else {
		err = report.Result(g.out, p.plan, result, p.style)
	}
	if err := unlessClosed(err); err != nil {
		return nil, err
	}
	return nil, t.troubles(resultExit(result))
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
	port.Bucket, port.Guard, port.Own, port.Account = t.bucket, t.guard, s.own, p.plan.Target.Account
	files, closing := g.specFiles()
	defer closing()
	port.Files = files
	if t.held == nil { // before there is a lock, its place is made
		t.first = func(ctx context.Context) error { return p.record(ctx, s, t, nil) }
	} else if err := p.record(running, s, t, t.guard); err != nil {
		return apply.Result{}, recordExit(err)
	}
	journal := newRecorder(t, p.plan, s.carried)
	t.quiet = journal.quiet
	journal.start(ctx)
	whole := false
	defer func() {
		if !whole { // a panic is on its way up
			_ = journal.fault(ctx)
		}
	}()
	result, err := apply.Run(running, p.plan, port, p.options, func(e apply.Event) {
		journal.observe(e)
		progress.Observe(e)
	})
	whole = true
	var fault *cloud.Fault
	if errors.As(err, &fault) {
		return result, errors.Join(err, journal.fault(ctx))
	}
	result = t.outcome(result)
	code := exitOK
	var ends *coded
	if errors.As(t.troubles(resultExit(result)), &ends) {
		code = ends.code
	}
	noted := journal.close(ctx, result, code)
	if errors.Is(noted, lock.ErrNoPlace) && (t.destroys || !t.holds()) {
		noted = nil // its place was destroyed, or never came to be
	}
	if noted != nil {
		t.trouble("the journal of this run is incomplete, and history will not tell all of it: %v", noted)
	}
	return result, err
}

func recordExit(err error) error {
	var overtaken *overtakenError
	switch {
	case errors.Is(err, context.Canceled):
		return failWith(exitInterrupted, "interrupted; nothing was changed")
	case errors.As(err, &overtaken):
		return failWith(exitRefused, "%w", err)
	}
	return err
}
