package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Held is a lock that was taken. It is safe for concurrent use.
type Held struct {
	store Store
	clock Clock
	me    Record

	writing sync.Mutex // one write at a time
	beat    int

	mu   sync.Mutex
	lost *LostError
	gone bool // released
}

// Record is what was written when the lock was taken.
func (h *Held) Record() Record { return h.me }

// Check asks whether the lock is still held: nil, or a *LostError. It is one
// call, and no answer is no.
func (h *Held) Check(ctx context.Context) error {
	o, err := h.store.Read(ctx)
	return h.judge(o, err)
}

// judge reads an answer about the object. A lock that was seen in other hands
// is lost for ever; one that could not be seen may be there the next time.
func (h *Held) judge(o Object, err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil {
		return h.lost
	}
	switch holder := parse(o.Body); {
	case h.gone:
		return &LostError{}
	case errors.Is(err, ErrAbsent), errors.Is(err, ErrNoPlace):
		h.lost = &LostError{}
		return h.lost
	case err != nil:
		return &LostError{Err: err}
	case holder.ID != h.me.ID:
		h.lost = &LostError{Holder: &holder}
		return h.lost
	}
	return nil
}

// Renew shows that the holder lives. An error that is no *LostError with a
// Holder may pass.
func (h *Held) Renew(ctx context.Context) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	for range maxConflicts {
		o, err := h.store.Read(ctx)
		if err := h.judge(o, err); err != nil {
			return err
		}
		next := h.me
		next.Beat = h.beat + 1
		err = h.store.Replace(ctx, next.encode(), o.Tag)
		h.beat++ // also when it is not known to be written: no two objects of a lock are alike
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrChanged) && !errors.Is(err, ErrAbsent) {
			return &LostError{Err: err}
		}
		if err := h.clock.Sleep(ctx, conflictPause); err != nil {
			return &LostError{Err: err}
		}
	}
	return &LostError{Err: errors.New("every renewal met another write")}
}

// Keep renews at a third of the lease until ctx ends or the lock is lost,
// which it then returns. One renewal takes no longer than that third.
func (h *Held) Keep(ctx context.Context) error {
	every := h.me.Lease / 3
	for {
		if err := h.clock.Sleep(ctx, every); err != nil {
			return nil //nolint:nilerr // the end of keeping, not of the lock
		}
		renewal, stop := context.WithTimeout(ctx, max(every, time.Second))
		err := h.Renew(renewal)
		stop()
		var lost *LostError
		if errors.As(err, &lost) && lost.Err == nil {
			return err
		}
	}
}

// Release gives the lock back. One that is not ours any more is left alone.
func (h *Held) Release(ctx context.Context) error {
	h.mu.Lock()
	gone := h.gone
	h.gone = true
	h.mu.Unlock()
	if gone {
		return nil
	}
	h.writing.Lock()
	defer h.writing.Unlock()
	for range maxConflicts {
		o, err := h.store.Read(ctx)
		switch {
		case errors.Is(err, ErrAbsent), errors.Is(err, ErrNoPlace):
			return nil
		case err != nil:
			return fmt.Errorf("release the lock: %w", err)
		case parse(o.Body).ID != h.me.ID:
			return nil
		}
		err = h.store.Delete(ctx, o.Tag)
		if err == nil || errors.Is(err, ErrAbsent) {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrChanged) {
			return fmt.Errorf("release the lock: %w", err)
		}
		if err := h.clock.Sleep(ctx, conflictPause); err != nil {
			return fmt.Errorf("release the lock: %w", err)
		}
	}
	return errors.New("release the lock: every attempt met another write")
}

// Look says who holds a lock; nil when nobody does.
func Look(ctx context.Context, s Store) (*Record, error) {
	o, err := s.Read(ctx)
	if errors.Is(err, ErrAbsent) || errors.Is(err, ErrNoPlace) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the lock: %w", err)
	}
	r := parse(o.Body)
	return &r, nil
}

// Break takes the lock from a holder that somebody has looked at: only that
// one, whether or not it renewed meanwhile. ErrChanged says that it is another's now.
func Break(ctx context.Context, s Store, holder Record) error {
	for range maxConflicts {
		o, err := s.Read(ctx)
		if errors.Is(err, ErrAbsent) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look at the lock: %w", err)
		}
		if parse(o.Body).ID != holder.ID {
			return fmt.Errorf("take the lock away: %w", ErrChanged)
		}
		err = s.Delete(ctx, o.Tag)
		if err == nil || errors.Is(err, ErrAbsent) {
			return nil
		}
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("take the lock away: %w", err)
		}
	}
	return errors.New("take the lock away: its holder renews it faster than that")
}
