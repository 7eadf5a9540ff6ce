package lock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// world is a store that is slow, loses requests and answers, lets requests
// arrive late, and has conflicts; and the account whose changes it guards.
type world struct {
	mu     sync.Mutex
	memory memory
	random *rand.Rand
	faults int // per cent

	now     int // position in the order of what arrived at the store
	changes []change
	taken   int
}

// change is what a holder did, with the position at which its check was
// answered: at that moment the lock must have been its own.
type change struct{ who, owner string }

func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(100) < n
}

func (w *world) delay(most time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.Int64N(int64(most)))
}

var errLost = errors.New("no answer")

// do carries a call out after a delay; when the caller gives up, the request
// may still arrive later.
func (w *world) do(ctx context.Context, mutates bool, f func() error) error {
	time.Sleep(w.delay(300 * time.Millisecond))
	if err := ctx.Err(); err != nil {
		return err
	}
	arrive := func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		return f()
	}
	switch {
	case w.chance(w.faults):
		return errLost // before it arrived
	case mutates && w.chance(w.faults):
		return ErrConflict
	case mutates && w.chance(w.faults):
		late := w.delay(20 * time.Second)
		go func() { time.Sleep(late); _ = arrive() }() // arrives when nobody expects it
		return errLost
	}
	err := arrive()
	if w.chance(w.faults) {
		return errLost // the answer got lost
	}
	time.Sleep(w.delay(300 * time.Millisecond))
	return err
}

// seat is one process' view of the world, with a clock of its own speed and
// beginning.
type seat struct{ w *world }

func (s seat) Read(ctx context.Context) (o Object, err error) {
	err = s.w.do(ctx, false, func() (err error) { o, err = s.w.memory.Read(ctx); return err })
	return o, err
}

func (s seat) Create(ctx context.Context, body []byte) error {
	return s.w.do(ctx, true, func() error { return s.w.memory.Create(ctx, body) })
}

func (s seat) Replace(ctx context.Context, body []byte, tag string) error {
	return s.w.do(ctx, true, func() error { return s.w.memory.Replace(ctx, body, tag) })
}

func (s seat) Delete(ctx context.Context, tag string) error {
	return s.w.do(ctx, true, func() error { return s.w.memory.Delete(ctx, tag) })
}

// skewed begins anywhere and sleeps through its end now and then: a machine
// that was suspended.
type skewed struct {
	clock
	offset time.Duration
	w      *world
}

func (c skewed) Now() time.Duration { return c.offset + c.clock.Now() }

func (c skewed) Sleep(ctx context.Context, d time.Duration) error {
	if c.w.chance(2) {
		d += 3 * time.Minute
	}
	return c.clock.Sleep(ctx, d)
}

// fenced is a check and, with it, what the store said at that moment about
// the owner: the property is that whoever passes is the owner.
type fenced struct {
	seat
	who string
}

func (f fenced) Read(ctx context.Context) (Object, error) {
	o, err := f.seat.w.memoryNow(ctx)
	if err == nil {
		f.w.note(f.who, parse(o.Body).Who)
	}
	return o, err
}

func (w *world) memoryNow(ctx context.Context) (Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.memory.Read(ctx)
}

func (w *world) note(who, owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	w.changes = append(w.changes, change{who, owner})
}

// TestNobodyElseChangesAnything runs processes that take, keep, pause, die and
// change things, in virtual time, against a store that misbehaves.
func TestNobodyElseChangesAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		processes := rapid.IntRange(2, 6).Draw(rt, "processes")
		faults := rapid.IntRange(0, 15).Draw(rt, "faults")
		var failed string
		synctest.Test(t, func(t *testing.T) {
			w := &world{random: rand.New(rand.NewPCG(seed, 1)), faults: faults}
			var all sync.WaitGroup
			for p := range processes {
				all.Go(func() {
					for round := range 3 {
						w.process(t.Context(), fmt.Sprintf("p%d.%d", p, round))
					}
				})
			}
			all.Wait()
			time.Sleep(time.Minute) // what is late arrives
			for i, c := range w.changes {
				if c.who != c.owner {
					failed = fmt.Sprintf("change %d: %s passed its check while the lock was %s's", i, c.who, c.owner)
				}
			}
			if failed == "" && w.taken == 0 && faults == 0 {
				failed = "nobody ever got it"
			}
		})
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

// process takes the lock, changes a few things and releases it, or dies.
func (w *world) process(ctx context.Context, name string) {
	c := skewed{clock: clock{time.Now()}, offset: w.delay(1000 * time.Hour), w: w}
	r := me(name)
	r.Who = name
	r.Since = time.Now().Add(w.delay(1000*time.Hour) - 500*time.Hour)
	r.Lease = 10 * time.Second
	h, err := Taker{Store: seat{w}, Clock: c}.Take(ctx, r, w.delay(2*time.Minute))
	if err != nil {
		return
	}
	w.mu.Lock()
	w.taken++
	w.mu.Unlock()
	keeping, stop := context.WithCancel(ctx)
	var kept sync.WaitGroup
	kept.Go(func() { _ = h.Keep(keeping) })
	guard := *heldWith(h, fenced{seat{w}, name})
	for range 5 {
		_ = c.Sleep(ctx, w.delay(8*time.Second))
		before := len(w.changesNow())
		if guard.Check(ctx) != nil {
			w.forget(before, name) // the check refused: nothing was changed
			break
		}
	}
	stop()
	kept.Wait()
	if !w.chance(30) {
		_ = h.Release(ctx)
	}
}

func heldWith(h *Held, s Store) *Held { return &Held{store: s, clock: h.clock, me: h.me} }

func (w *world) changesNow() []change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changes
}

// forget takes back the note of a check that did not pass.
func (w *world) forget(from int, who string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := from; i < len(w.changes); i++ {
		if w.changes[i].who == who {
			w.changes = append(w.changes[:i:i], w.changes[i+1:]...)
			return
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"formatVersion":1,"id":"a","who":"b","leaseSeconds":60,"beat":3}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := parse(body)
		if r.Lease < minLease || r.Lease > maxLease {
			t.Errorf("lease %s", r.Lease)
		}
		_ = r.String()
		again := parse(r.encode())
		if r.ID != "" && again.ID != r.ID {
			t.Errorf("id %s and %s", strconv.Quote(r.ID), strconv.Quote(again.ID))
		}
	})
}
