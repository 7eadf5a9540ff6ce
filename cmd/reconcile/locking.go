package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
	"reconcile/pkg/stacks"
)

const (
	lockLease = time.Minute
	// lockPatience is for how long a command waits for somebody else if not told.
	lockPatience = 2 * time.Minute
	// sandboxLease is shorter, as all operations of the sandbox are.
	sandboxLease = 3 * time.Second
	// checkTime bounds the question before each change, lastWord what a run
	// still says when it ends: CI kills 10 s after its SIGINT.
	checkTime = 15 * time.Second
	lastWord  = 2 * time.Second
)

// lockedError ends in exit code 6 and says what to do.
type lockedError struct {
	err  error
	hint string
}

func (e *lockedError) Error() string { return e.err.Error() }
func (e *lockedError) Unwrap() error { return e.err }

// Hint is the command to run next.
func (e *lockedError) Hint() string { return e.hint }

func locked(err error, hint string) error {
	return &coded{code: exitLocked, err: &lockedError{err: err, hint: hint}}
}

// turn is one run's right to change things: the lock, or before there is a
// bucket for one, the creation of that bucket's stack and nothing else.
type turn struct {
	own      plan.Own
	bucket   *cloud.Bucket
	taker    lock.Taker
	record   lock.Record
	destroys bool
	warn     func(string)

	mu      sync.Mutex
	held    *lock.Held
	without bool  // a destroy of a platform that has no bucket
	refused error // why the lock was not got in the middle of the run
	lost    error
	first   func(context.Context) error // to be done before all else once the lock is got in the middle of the run
	beside  []string                    // what went wrong beside the steps
	over    bool                        // the place of the lock goes; only its own stack is left to delete
	quiet   func()                      // ends what else this run writes there
	stop    context.CancelFunc          // ends the renewals
	cancel  context.CancelCauseFunc
	kept    sync.WaitGroup
}

func (g *global) newTurn(s *session, own plan.Own, p plan.Plan, command string) (*turn, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("an id for the lock: %w", err)
	}
	lease := lockLease
	if s.sandbox != nil {
		lease = sandboxLease
	}
	t := &turn{own: own, bucket: s.cloud.Bucket(p.Target.Account, own.Bucket), destroys: p.Destroy}
	t.warn = func(text string) { fmt.Fprintln(g.err, printable(text)) }
	t.taker = lock.Taker{Store: t.bucket.Lock(lockKey(p.Target)), Clock: cloud.Monotonic(), Waiting: func(r lock.Record) {
		t.warn("waiting for the lock, held by " + r.String())
	}}
	t.record = lock.Record{
		ID: hex.EncodeToString(id[:]), Who: whoami(), Command: command, Revision: p.Target.Revision, URL: runURL(), Since: time.Now(), Lease: lease,
	}
	return t, nil
}

func lockKey(t plan.Target) string { return stacks.LockPrefix + t.Platform + ".json" }

// whoami is user@host; in CI the actor.
func whoami() string {
	name := "unknown"
	for _, variable := range []string{"GITHUB_ACTOR", "USER", "LOGNAME", "USERNAME"} {
		if v := os.Getenv(variable); v != "" {
			name = v
			break
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// runURL is the address of the CI run, or empty.
func runURL() string {
	server, repository, id := os.Getenv("GITHUB_SERVER_URL"), os.Getenv("GITHUB_REPOSITORY"), os.Getenv("GITHUB_RUN_ID")
	if server == "" || repository == "" || id == "" {
		return ""
	}
	return server + "/" + repository + "/actions/runs/" + id
}

// take takes the lock, if there is a place for one; waited tells that somebody
// else had it before.
func (t *turn) take(ctx context.Context, patience time.Duration, p plan.Plan) (waited bool, err error) {
	waiting := t.taker.Waiting
	t.taker.Waiting = func(r lock.Record) { waited = true; waiting(r) }
	defer func() { t.taker.Waiting = waiting }()
	if patience <= 0 {
		t.taker.Waiting = nil
	}
	held, err := t.taker.Take(ctx, t.record, patience)
	if errors.Is(err, lock.ErrNoPlace) {
		switch {
		case t.destroys:
			t.without = true
			t.warn("there is no bucket " + t.own.Bucket + " and so no lock: do not run two at once")
			return waited, nil
		case createsOwn(p, t.own):
			return waited, nil // the guard goes on from there
		}
		return waited, locked(err, "aws s3 mb s3://"+t.own.Bucket)
	}
	if err != nil {
		return waited, t.explain(ctx, err)
	}
	t.keep(ctx, held)
	return waited, nil
}

// createsOwn tells whether the plan makes the bucket's stack.
func createsOwn(p plan.Plan, own plan.Own) bool {
	for _, s := range p.Steps {
		if s.Kind == plan.KindStack && s.Target == own.Stack && s.Action != plan.ActionDelete {
			return true
		}
	}
	return false
}

func (t *turn) explain(ctx context.Context, err error) error {
	var held *lock.HeldError
	switch {
	case errors.As(err, &held):
		return locked(err, "wait for it (--lock-timeout 5m), or if that run is dead: reconcile unlock")
	case ctx.Err() != nil:
		return failWith(exitInterrupted, "interrupted; nothing was changed")
	}
	return locked(fmt.Errorf("no lock, so nothing was changed: %w", err), "")
}

// keep renews the lock until the turn is over, and ends the run when it is lost.
func (t *turn) keep(ctx context.Context, held *lock.Held) {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	t.held, t.stop = held, stop
	t.kept.Go(func() {
		if err := held.Keep(keeping); err != nil {
			t.mu.Lock()
			t.lost = err
			cancel := t.cancel
			t.mu.Unlock()
			if cancel != nil {
				cancel(err)
			}
		}
	})
}

// guard is asked before each change. It is what keeps a run that slept through
// its lease from changing anything.
func (t *turn) guard(ctx context.Context, r apply.Request) error {
	held, free, err := t.holding(ctx, r)
	if err != nil || free {
		return err
	}
	look, stop := context.WithTimeout(ctx, checkTime)
	defer stop()
	err = held.Check(look)
	if err == nil && r.Op == apply.OpEmptyBucket && r.Name == t.own.Bucket && r.Keep == "" {
		t.end()
	}
	if err != nil && ctx.Err() == nil { // a look that an interrupt cut short says nothing of the lock
		t.mu.Lock()
		defer t.mu.Unlock()
		t.lost = err
	}
	return err
}

// holding takes the lock before the first change that is not the creation of
// its place; free tells that no lock is needed.
func (t *turn) holding(ctx context.Context, r apply.Request) (held *lock.Held, free bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.without:
		return nil, true, nil
	case t.refused != nil:
		return nil, false, t.refused
	case t.over && (about(r, t.own.Stack) || r.Name == t.own.Bucket):
		return nil, true, nil
	case t.over:
		return nil, false, errors.New("the lock is gone with its bucket")
	case t.held != nil:
		return t.held, false, nil
	case about(r, t.own.Stack):
		return nil, true, nil
	}
	taker := t.taker
	taker.Waiting = nil
	fresh, err := taker.Take(ctx, t.record, 0)
	if err != nil {
		t.refused = err
		return nil, false, err
	}
	t.keep(ctx, fresh)
	if t.first != nil {
		if t.refused = t.first(ctx); t.refused != nil {
			return nil, false, t.refused
		}
	}
	return fresh, false, nil
}

// end is the mirror of the beginning: the lock's place is about to go, so
// nothing more is written there, and only the deletion of its stack may follow.
func (t *turn) end() {
	t.stop()
	t.kept.Wait()
	if t.quiet != nil {
		t.quiet()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// about tells whether a request is about this stack.
func about(r apply.Request, stack string) bool {
	for _, named := range []string{r.Stack, r.ChangeSet} {
		if named == stack || strings.Contains(named, ":stack/"+stack+"/") {
			return true
		}
	}
	return r.Create != nil && r.Create.StackName == stack
}

// holds tells whether the lock was got.
func (t *turn) holds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held != nil
}

// outcome puts into a result what only the turn knows: that the run ended
// because of the lock.
func (t *turn) outcome(r apply.Result) apply.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Interrupted && t.lost != nil {
		r.Interrupted, r.Locked = false, t.lost.Error()
	}
	return r
}

// release gives the lock back, also when the run was interrupted.
func (t *turn) release(ctx context.Context) {
	t.mu.Lock()
	held, stop := t.held, t.stop
	t.mu.Unlock()
	if held == nil {
		return
	}
	stop()
	t.kept.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	if err := held.Release(ctx); err != nil {
		t.warn(fmt.Sprintf("the lock stays until its lease of %s is over: %v", t.record.Lease, err))
	}
}
