package lock

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// clock is the test's monotonic time.
type clock struct{ begun time.Time }

func (c clock) Now() time.Duration { return time.Since(c.begun) }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func me(id string) Record {
	return Record{ID: id, Who: id + "@host", Command: "reconcile apply", Lease: time.Minute, Since: time.Unix(0, 0)}
}

func take(t *testing.T, s Store, id string, patience time.Duration) (*Held, error) {
	t.Helper()
	return Taker{Store: s, Clock: clock{time.Now()}}.Take(t.Context(), me(id), patience)
}

func mustTake(t *testing.T, s Store, id string, patience time.Duration) *Held {
	t.Helper()
	h, err := take(t, s, id, patience)
	if err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	return h
}

func TestOneHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory{}
		a := mustTake(t, s, "a", 0)
		_, err := take(t, s, "b", 0)
		var held *HeldError
		if !errors.As(err, &held) || held.Holder.Who != "a@host" {
			t.Fatalf("b: %v", err)
		}
		if err := a.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := a.Check(t.Context()); err == nil {
			t.Error("a released lock is held")
		}
		mustTake(t, s, "b", 0)
	})
}

// TestDeadHolder: who does not renew is replaced after the lease, not before,
// and by one of those who waited.
func TestDeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory{}
		a := mustTake(t, s, "a", 0)
		begun := time.Now()
		var told []string
		b, err := Taker{Store: s, Clock: clock{begun}, Waiting: func(r Record) { told = append(told, r.Who) }}.Take(t.Context(), me("b"), 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took < time.Minute || took > 80*time.Second {
			t.Errorf("taken over after %s", took)
		}
		if len(told) != 1 || told[0] != "a@host" {
			t.Errorf("told of %v", told)
		}
		if b.Record().Who != "b@host" {
			t.Error(b.Record())
		}
		now, err := Look(t.Context(), s)
		if err != nil || now.Former != "a@host" {
			t.Errorf("former holder: %+v, %v", now, err)
		}
		var lost *LostError
		if err := a.Check(t.Context()); !errors.As(err, &lost) || lost.Holder == nil || lost.Holder.Who != "b@host" {
			t.Errorf("the former holder may go on: %v", err)
		}
		if err := a.Renew(t.Context()); !errors.As(err, &lost) {
			t.Errorf("the former holder renews: %v", err)
		}
		if err := a.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if err := b.Check(t.Context()); err != nil {
			t.Errorf("the former holder released a lock that is not its own: %v", err)
		}
	})
}

// TestLivingHolder: who renews keeps it, however long the others wait, and
// whatever their wall clocks say.
func TestLivingHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory{}
		a := mustTake(t, s, "a", 0)
		ctx, stop := context.WithCancel(t.Context())
		kept := make(chan error)
		go func() { kept <- a.Keep(ctx) }()
		other := me("b")
		other.Since = time.Now().AddDate(50, 0, 0)
		_, err := Taker{Store: s, Clock: clock{time.Now()}}.Take(t.Context(), other, time.Hour)
		var held *HeldError
		if !errors.As(err, &held) || held.Holder.Beat < 170 {
			t.Errorf("after an hour: %v", err)
		}
		stop()
		if err := <-kept; err != nil {
			t.Error(err)
		}
	})
}

func TestKeepEndsWhenLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memory{}
		a := mustTake(t, s, "a", 0)
		if err := Break(t.Context(), s, me("z")); !errors.Is(err, ErrChanged) {
			t.Errorf("broke the lock of another holder: %v", err)
		}
		if err := Break(t.Context(), s, me("a")); err != nil {
			t.Fatal(err)
		}
		var lost *LostError
		if err := a.Keep(t.Context()); !errors.As(err, &lost) || lost.Holder != nil {
			t.Errorf("kept on: %v", err)
		}
	})
}

// TestFailsClosed: without an answer there is no lock, and no check passes.
func TestFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("no answer")
		s := &memory{}
		a := mustTake(t, s, "a", 0)
		s.fault = func(string) (error, error) { return down, nil }
		if _, err := take(t, s, "b", time.Minute); !errors.Is(err, down) {
			t.Errorf("took it: %v", err)
		}
		if err := a.Check(t.Context()); !errors.Is(err, down) {
			t.Errorf("passed: %v", err)
		}
		s.fault = nil
		if err := a.Check(t.Context()); err != nil {
			t.Errorf("lost for ever by one answer that did not come: %v", err)
		}
		s.fault = func(string) (error, error) { return ErrNoPlace, nil }
		if _, err := take(t, s, "b", 0); !errors.Is(err, ErrNoPlace) {
			t.Errorf("without a bucket: %v", err)
		}
	})
}

// TestLostAnswers: a write that was carried out and not answered is ours.
func TestLostAnswers(t *testing.T) {
	for _, op := range []string{"create", "replace", "delete"} {
		synctest.Test(t, func(t *testing.T) {
			s := &memory{}
			left := 1
			s.fault = func(called string) (error, error) {
				if called != op || left == 0 {
					return nil, nil
				}
				left--
				return nil, errors.New("connection reset")
			}
			a := mustTake(t, s, "a", 0)
			err := a.Renew(t.Context())
			if (err != nil) != (op == "replace") {
				t.Errorf("%s: %v", op, err)
			}
			if err := a.Renew(t.Context()); err != nil {
				t.Errorf("%s: %v", op, err)
			}
			if err := a.Check(t.Context()); err != nil {
				t.Errorf("%s: %v", op, err)
			}
			_ = a.Release(t.Context()) // its answer may be lost
			mustTake(t, s, "b", 0)
		})
	}
}

// TestUnreadable: what is no record of ours is waited out like a dead holder.
func TestUnreadable(t *testing.T) {
	for _, body := range []string{"", "{", `{"leaseSeconds":1e300,"id":"x"}`, `{"leaseSeconds":-1}`, "\x00\xff", `{"leaseSeconds":"1"}`} {
		synctest.Test(t, func(t *testing.T) {
			s := &memory{body: []byte(body), there: true}
			begun := time.Now()
			mustTake(t, s, "a", time.Hour)
			if took := time.Since(begun); took < time.Minute || took > 20*time.Minute {
				t.Errorf("%q: taken after %s", body, took)
			}
		})
	}
}

// memory is a Store. A fault may come before the call is carried out, or take
// away its answer.
type memory struct {
	mu    sync.Mutex
	there bool
	body  []byte
	n     int
	fault func(op string) (before, after error)
}

func (m *memory) tag() string { return strconv.Itoa(m.n) }

func (m *memory) call(op string, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var before, after error
	if m.fault != nil {
		before, after = m.fault(op)
	}
	if before != nil {
		return before
	}
	if err := do(); err != nil {
		return err
	}
	return after
}

func (m *memory) Read(context.Context) (o Object, err error) {
	err = m.call("read", func() error {
		if !m.there {
			return ErrAbsent
		}
		o = Object{Body: m.body, Tag: m.tag()}
		return nil
	})
	return o, err
}

func (m *memory) Create(_ context.Context, body []byte) error {
	return m.call("create", func() error {
		if m.there {
			return ErrChanged
		}
		m.there, m.body = true, body
		m.n++
		return nil
	})
}

func (m *memory) Replace(_ context.Context, body []byte, tag string) error {
	return m.call("replace", func() error {
		switch {
		case !m.there:
			return ErrAbsent
		case m.tag() != tag:
			return ErrChanged
		}
		m.body = body
		m.n++
		return nil
	})
}

func (m *memory) Delete(_ context.Context, tag string) error {
	return m.call("delete", func() error {
		switch {
		case !m.there:
			return ErrAbsent
		case m.tag() != tag:
			return ErrChanged
		}
		m.there, m.body = false, nil
		return nil
	})
}
