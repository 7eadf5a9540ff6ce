package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/journal"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// flushEvery is how old the journal may be while a run goes on.
const flushEvery = 5 * time.Second

// recorder writes the journal of a run beside it. It is a hint: what it cannot
// write keeps no step from being done, and is told at the end.
type recorder struct {
	bucket  *cloud.Bucket
	plan    plan.Plan
	carried []journal.Consumed
	begin   journal.Begin

	writing sync.Mutex // one write at a time
	silent  bool       // its place goes

	mu    sync.Mutex
	ended map[plan.StepID]journal.Step
	order []plan.StepID
	dirty bool

	stop context.CancelFunc
	done sync.WaitGroup
}

func newRecorder(t *turn, p plan.Plan, carried []spec.Approval) *recorder {
	r := &recorder{bucket: t.bucket, plan: p, ended: map[plan.StepID]journal.Step{}, dirty: true}
	for _, a := range carried {
		r.carried = append(r.carried, journal.Consumed{Kind: a.Kind, Target: a.Target, Expires: a.Expires, Reason: a.Reason})
	}
	r.begin = journal.Begin{
		FormatVersion: journal.FormatVersion, Run: t.record.ID[:16], At: time.Now().UTC(), Who: t.record.Who, URL: t.record.URL,
		Command: t.record.Command, Tool: p.Tool, Platform: p.Target.Platform, Account: p.Target.Account, Region: p.Target.Region,
		Revision: p.Target.Revision, Plan: p.Digest, Steps: len(p.Steps),
	}
	return r
}

// start flushes now and then.
func (r *recorder) start(ctx context.Context) {
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	r.done.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(flushEvery):
				_ = r.flush(ctx, nil) // the next one, or the last, tells
			}
		}
	})
}

// observe notes how a step ended.
func (r *recorder) observe(e apply.Event) {
	outcome, ok := map[apply.EventType]apply.Outcome{
		apply.EventStepDone: apply.OutcomeDone, apply.EventStepFailed: apply.OutcomeFailed, apply.EventStepSkipped: apply.OutcomeSkipped,
		apply.EventStepRefused: apply.OutcomeRefused, apply.EventStepBlocked: apply.OutcomeBlocked,
	}[e.Type]
	if ok {
		r.note(apply.StepResult{Step: e.Step, Target: e.Target, Outcome: outcome, Message: e.Message})
	}
}

func (r *recorder) note(result apply.StepResult) {
	step, _ := r.plan.Step(result.Step)
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	if had, again := r.ended[result.Step]; again {
		at = had.At
	} else {
		r.order = append(r.order, result.Step)
	}
	r.ended[result.Step] = journal.StepOf(step, result, at, r.carried)
	r.dirty = true
}

// quiet waits for a write on its way and lets no other follow.
func (r *recorder) quiet() {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.silent = true
}

// flush writes what is known so far.
func (r *recorder) flush(ctx context.Context, end *journal.End) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.silent {
		return nil
	}
	r.mu.Lock()
	lines := []journal.Line{{Begin: &r.begin}}
	var used []journal.Step
	for _, id := range r.order {
		s := r.ended[id]
		lines = append(lines, journal.Line{Step: &s})
		if len(s.Consumed) > 0 {
			used = append(used, s)
		}
	}
	dirty := r.dirty || end != nil
	r.dirty = false
	r.mu.Unlock()
	if !dirty {
		return nil
	}
	if end != nil {
		lines = append(lines, journal.Line{End: end})
	}
	var text []byte
	var err error
	for _, l := range lines {
		if text, err = journal.Append(text, l); err != nil {
			return err
		}
	}
	err = r.bucket.Put(ctx, journal.Key(r.begin.At, r.begin.Run), text)
	for _, s := range used {
		for _, c := range s.Consumed {
			if unused := r.bucket.Put(ctx, consumedKey(c), consumedText(c, r.begin.Run, s.At)); unused != nil {
				err = errors.Join(err, fmt.Errorf("the approval %s:%s was used and counts again until %s, unless the specs lose it: %w", c.Kind, c.Target, c.Expires, unused))
			}
		}
	}
	if err != nil {
		r.mu.Lock()
		r.dirty = true
		r.mu.Unlock()
	}
	return err
}

// close writes the end of the run.
func (r *recorder) close(ctx context.Context, result apply.Result, code int) error {
	r.stop()
	r.done.Wait()
	for _, s := range result.Steps {
		r.note(s)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	return r.flush(ctx, &journal.End{At: time.Now().UTC(), Outcome: journal.OutcomeOf(result), ExitCode: code})
}

// fault writes that the run ended in a fault of ours.
func (r *recorder) fault(ctx context.Context) error {
	r.stop()
	r.done.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	return r.flush(ctx, &journal.End{At: time.Now().UTC(), Outcome: journal.OutcomeFault, ExitCode: exitFault})
}

// consumedKey is the object that says that an approval of the specs was used.
func consumedKey(c journal.Consumed) string {
	sum := sha256.Sum256([]byte(c.Kind + "\x00" + c.Target + "\x00" + c.Expires + "\x00" + c.Reason))
	return journal.Prefix + "consumed/" + hex.EncodeToString(sum[:16]) + ".json"
}

type consumption struct {
	journal.Consumed
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

func consumedText(c journal.Consumed, run string, at time.Time) []byte {
	b, err := json.Marshal(consumption{c, run, at})
	if err != nil {
		return nil // strings and a time
	}
	return b
}

// spender tells by what an earlier run used up an approval of the specs, or "",
// and keeps it in the session. What cannot be looked at counts: the journal is a
// hint.
func (g *global) spender(ctx context.Context, s *session, t plan.Target) func(spec.Approval) string {
	bucket := s.cloud.Bucket(t.Account, plan.OwnOf(t).Bucket)
	s.spent = map[string]string{}
	look := func(a spec.Approval) string {
		text, err := bucket.Get(ctx, consumedKey(journal.Consumed{Kind: a.Kind, Target: a.Target, Expires: a.Expires, Reason: a.Reason}))
		switch {
		case errors.Is(err, lock.ErrAbsent), errors.Is(err, lock.ErrNoPlace):
			return ""
		case err != nil:
			g.log.Warn("whether an approval of the specs was used already is unknown; it counts", "approval", a.Kind+":"+a.Target, "error", err)
			return ""
		}
		var c consumption
		if json.Unmarshal(text, &c) != nil {
			return "an earlier run"
		}
		return fmt.Sprintf("run %s at %s", c.Run, c.At.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return func(a spec.Approval) string {
		by := look(a)
		if by != "" {
			s.spent[plan.ConsentOf(a).String()] = by
		}
		return by
	}
}
