package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// Pace is how an account's time passes. It is kept with the account, so that
// all who use the file see one clock.
type Pace string

// The paces. Fast is what an account has that says nothing.
const (
	PaceFast    Pace = "fast"    // what takes AWS a second takes a millisecond
	PaceReal    Pace = "real"    // as long as it takes AWS
	PaceVirtual Pace = "virtual" // the clock stands; see awaited
)

// Paces lists them.
func Paces() []Pace { return []Pace{PaceReal, PaceFast, PaceVirtual} }

// Time tells how the account's time passes.
func (s *Sandbox) Time() Pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account.pace()
}

// SetPace changes it, for all who use the file.
func (s *Sandbox) SetPace(p Pace) error {
	if s.Time() == p {
		return nil
	}
	_, err := s.admin("", adminChange{Pace: p})
	return err
}

func (a *account) pace() Pace {
	if a.Pace == "" {
		return PaceFast
	}
	return a.Pace
}

// virtualStart is the birthday of an account in virtual time, so that one seed
// gives one trace whenever it runs.
func virtualStart() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// now never goes back: the clock of another process may be ahead.
func (s *Sandbox) now() time.Time {
	a := s.account
	now := s.options.Now().UTC().Add(a.Ahead)
	if a.pace() == PaceVirtual || now.Before(a.Last) {
		return a.Last
	}
	return now
}

// Now is the account's time.
func (s *Sandbox) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

// scale is what every duration is multiplied with.
func (s *Sandbox) scale() float64 {
	switch {
	case s.options.Scale != 0:
		return s.options.Scale
	case s.account.pace() == PaceFast:
		return stackengine.DefaultScale
	}
	return 1
}

// setPace takes effect at the sandbox's clock. The wall clock takes over where
// virtual time stood.
func (s *Sandbox) setPace(p Pace, wall time.Time) error {
	switch p {
	case PaceFast, PaceReal, PaceVirtual:
	default:
		return fmt.Errorf("no pace %q: there are real, fast and virtual", p)
	}
	a := s.account
	if a.pace() == PaceVirtual && p != PaceVirtual {
		a.Ahead = max(0, a.Last.Sub(wall))
	}
	a.Pace = p
	for _, r := range a.Regions {
		if r.Stacks != nil {
			r.engine = s.newEngine(r, r.Stacks)
		}
	}
	return nil
}

// skip moves the account's clock by d; what falls due on the way happens.
func (s *Sandbox) skip(ctx context.Context, d time.Duration) error {
	if d <= 0 || d > maxSkip {
		return fmt.Errorf("time moves forward, by at most %s; not by %s", maxSkip, d)
	}
	to := s.clock.Add(d)
	if err := s.advance(ctx, to); err != nil {
		return err
	}
	if s.account.pace() != PaceVirtual {
		s.account.Ahead += d
	}
	s.account.Last = to
	return nil
}

// maxSkip is as long as anything in the sandbox waits: deleted stacks and
// secrets are forgotten after 90 and 30 days.
const maxSkip = 366 * 24 * time.Hour

// A poll moves virtual time by pollStep when nothing is due, and past at most
// pollEvents things that are.
const (
	pollStep   = 15 * time.Second
	pollEvents = 1000
)

// awaited is how virtual time passes by itself. Who asks the same again, while
// nothing was written since and the answer is the same, waits for another: then
// things happen, one after the other, until there is one. So a client that polls
// never waits longer than its own pause, and what happens depends on the order
// of requests alone. It gives the answer to send.
func (s *Sandbox) awaited(ctx context.Context, req request, answer func() (*answer, error)) (*answer, error) {
	if s.account.pace() != PaceVirtual || req.Service == "s3" || req.Service == "sts" {
		return answer()
	}
	if s.isWrite(req) {
		clear(s.asked)
		return answer()
	}
	a, err := answer()
	key, got := req.Service+"\n"+req.Region+"\n"+req.Operation+"\n"+req.Body, digestAnswer(a, err)
	if s.asked[key] == got {
		start := s.account.Last
		for range pollEvents {
			at, ok := s.nextDue()
			if !ok {
				at = s.clock.Add(pollStep)
			}
			if err := s.advance(ctx, at); err != nil {
				return nil, err
			}
			s.account.Last = at
			if a, err = answer(); !ok || digestAnswer(a, err) != got {
				break
			}
		}
		if kept := s.keepAdvance(start); kept != nil {
			return nil, kept
		}
		got = digestAnswer(a, err)
	}
	s.asked[key] = got
	return a, err
}

// keepAdvance writes into the journal that time went on since start.
func (s *Sandbox) keepAdvance(start time.Time) error {
	to := s.account.Last
	if !to.After(start) {
		return nil
	}
	s.account.Last, s.clock = start, start
	if _, err := s.adminLocked("", adminChange{Advance: to.Sub(start)}); err != nil {
		s.stale = true
		return err
	}
	return nil
}

// digestAnswer tells answers apart, whatever their request ids.
func digestAnswer(a *answer, err error) string {
	if err != nil {
		return hexOf("error", err.Error())
	}
	id := a.header.Get("X-Amzn-Requestid")
	if id == "" {
		return hexOf("answer", string(a.body))
	}
	return hexOf("answer", strings.ReplaceAll(string(a.body), id, ""))
}

// nextDue is when the next thing happens by itself, in any region.
func (s *Sandbox) nextDue() (at time.Time, ok bool) {
	for _, name := range sortedKeys(s.account.Regions) {
		if t, due := s.account.Regions[name].next(); due && (!ok || t.Before(at)) {
			at, ok = t, true
		}
	}
	return at, ok
}
