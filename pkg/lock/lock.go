// Package lock is a mutual exclusion with a lease over four conditional calls
// on one object: read it, create it where there is none, replace or delete it
// where it is still the one that was read. It knows no AWS: the calls, the
// clock and the pauses are given.
//
// Who takes over a lock that nobody renews has seen the very same object for a
// whole lease by its own monotonic clock; clocks of two machines are never
// compared. Who holds it asks before each thing that it changes whether it
// still does (Held.Check), so that a holder who slept through its lease does
// nothing when it wakes. What is left is one call: between the answer of that
// check and the arrival of the change (failure-modes G10).
//
// Start with Taker.Take.
package lock

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The answers of a Store that mean something. Any other error leaves open
// whether the call was carried out.
var (
	ErrAbsent   = errors.New("there is no such object")
	ErrChanged  = errors.New("the object is not the one that was named")      // HTTP 412
	ErrConflict = errors.New("another write of the object was going on")      // HTTP 409: read again
	ErrNoPlace  = errors.New("the bucket of the lock does not exist")         // nothing can be locked yet
	ErrDenied   = errors.New("access to the object of the lock is not given") // no use asking again
)

// Object is what a Store holds. The tag names this very content.
type Object struct {
	Body []byte
	Tag  string
}

// Store is the one object of a lock.
type Store interface {
	// Read gives the newest object; ErrAbsent when there is none.
	Read(ctx context.Context) (Object, error)
	// Create writes the object where there is none; ErrChanged where there is.
	Create(ctx context.Context, body []byte) error
	// Replace writes over the object that has this tag; ErrChanged or ErrAbsent.
	Replace(ctx context.Context, body []byte, tag string) error
	// Delete removes the object that has this tag; ErrChanged or ErrAbsent.
	Delete(ctx context.Context, tag string) error
}

// Clock is monotonic: Now counts from any moment.
type Clock interface {
	Now() time.Duration
	Sleep(ctx context.Context, d time.Duration) error
}

// HeldError says who has the lock.
type HeldError struct {
	Holder Record
	Waited time.Duration // that its object did not change, as far as was waited
}

func (e *HeldError) Error() string { return "locked by " + e.Holder.String() }

// LostError says that the lock is somebody else's, or nobody's, by now.
type LostError struct {
	Holder *Record // nil: nobody's
	Err    error   // the lock could not be looked at
}

func (e *LostError) Error() string {
	switch {
	case e.Err != nil:
		return "whether the lock is still held cannot be told: " + e.Err.Error()
	case e.Holder == nil:
		return "the lock was taken away (reconcile unlock)"
	}
	return "the lock was lost; it is held by " + e.Holder.String()
}

// Unwrap gives the error of the call that failed.
func (e *LostError) Unwrap() error { return e.Err }

// Taker takes a lock.
type Taker struct {
	Store Store
	Clock Clock
	// Poll is the pause between two looks at a lock of somebody else; 0 means
	// a tenth of the lease.
	Poll time.Duration
	// Waiting, if set, is told once of each holder that is waited for.
	Waiting func(Record)
}

// maxConflicts bounds the writes in a row that met another write.
const maxConflicts = 20

// Take takes the lock with the given record, whose ID must be new, or says by
// *HeldError who has it after the patience is over. A lock that nobody renewed
// for its lease while this call looked on is taken over. Beside that it fails
// closed: when the store does not answer there is no lock.
func (t Taker) Take(ctx context.Context, me Record, patience time.Duration) (*Held, error) {
	if me.ID == "" || me.Lease <= 0 {
		return nil, errors.New("a lock needs an id and a lease")
	}
	begun := t.Clock.Now()
	seen := sighting{}
	for {
		held, other, err := t.attempt(ctx, me, &seen)
		if held != nil || err != nil {
			return held, err
		}
		now := t.Clock.Now()
		left := patience - (now - begun)
		if left <= 0 {
			return nil, &HeldError{Holder: other, Waited: now - seen.since}
		}
		if err := t.Clock.Sleep(ctx, min(t.poll(other), left)); err != nil {
			return nil, fmt.Errorf("wait for the lock: %w", err)
		}
	}
}

func (t Taker) poll(other Record) time.Duration {
	if t.Poll > 0 {
		return t.Poll
	}
	return max(other.Lease/10, time.Millisecond)
}

// sighting is since when an observer sees the same object.
type sighting struct {
	tag   string
	since time.Duration
	told  string // id of the holder that was told of
}

// attempt tries once. Without error it gives the lock, or who has it.
func (t Taker) attempt(ctx context.Context, me Record, seen *sighting) (*Held, Record, error) {
	body := me.encode()
	for range maxConflicts {
		// The object is not older than the moment before it was asked for.
		asked := t.Clock.Now()
		o, err := t.Store.Read(ctx)
		switch {
		case errors.Is(err, ErrAbsent):
			err = t.Store.Create(ctx, body)
		case err != nil:
			return nil, Record{}, fmt.Errorf("look at the lock: %w", err)
		default:
			holder := parse(o.Body)
			if holder.ID == me.ID { // the answer to our own write was lost
				return &Held{store: t.Store, clock: t.Clock, me: me, beat: holder.Beat}, Record{}, nil
			}
			if seen.tag != o.Tag {
				seen.tag, seen.since = o.Tag, t.Clock.Now()
			}
			if asked-seen.since < holder.Lease {
				t.tell(holder, seen)
				return nil, holder, nil
			}
			me.Former = holder.Who
			body = me.encode()
			err = t.Store.Replace(ctx, body, o.Tag)
		}
		switch {
		case err == nil:
			return &Held{store: t.Store, clock: t.Clock, me: me}, Record{}, nil
		case errors.Is(err, ErrNoPlace), errors.Is(err, ErrDenied), ctx.Err() != nil:
			return nil, Record{}, fmt.Errorf("take the lock: %w", err)
		}
		// Somebody was faster, or the answer was lost: what is there tells.
		if err := t.Clock.Sleep(ctx, conflictPause); err != nil {
			return nil, Record{}, fmt.Errorf("take the lock: %w", err)
		}
	}
	return nil, Record{}, errors.New("take the lock: every write met another one; try again")
}

const conflictPause = 20 * time.Millisecond

func (t Taker) tell(holder Record, seen *sighting) {
	if t.Waiting != nil && seen.told != holder.ID {
		seen.told = holder.ID
		t.Waiting(holder)
	}
}
