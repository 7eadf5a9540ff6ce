package cloud

import (
	"context"
	"math/rand/v2"
	"time"

	"reconcile/pkg/lock"
)

// Clock tells time and sleeps. Sleep returns early with the context's error.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// systemClock is the wall clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// pause sleeps d, scaled by Options.PollScale.
func (c *Cloud) pause(ctx context.Context, d time.Duration) error {
	return c.clock.Sleep(ctx, time.Duration(float64(d)*c.scale))
}

// backoff is a growing, jittered delay between first and max.
type backoff struct {
	first, max time.Duration
	n          int
}

// next returns between half and all of the current step and doubles it.
func (b *backoff) next() time.Duration {
	d := b.first << min(b.n, 16)
	if d <= 0 || d > b.max {
		d = b.max
	}
	b.n++
	return d/2 + rand.N(d/2+1)
}

// monotonic is the clock of a lock: it counts from when it was made.
type monotonic struct{ begun time.Time }

// Monotonic is a clock that only counts, whatever happens to the wall clock.
func Monotonic() lock.Clock { return monotonic{time.Now()} }

func (m monotonic) Now() time.Duration { return time.Since(m.begun) }

func (monotonic) Sleep(ctx context.Context, d time.Duration) error {
	return systemClock{}.Sleep(ctx, d)
}
