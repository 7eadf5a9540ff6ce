package sandbox

import (
	"container/heap"
	"context"
	"time"
)

// What changes by itself outside of CloudFormation, a group that launches again
// or a service that rolls out, says in its Next when it is due. See clock.go.

// wake is when something of a region is due.
type wake struct {
	at   time.Time
	kind wakeKind
	name string
}

type wakeKind int

const (
	wakeGroup wakeKind = iota
	wakeService
)

// wakeQueue is a heap, the earliest first; ties by what it is, so that the
// order does not depend on who asked first.
type wakeQueue []wake

func (q wakeQueue) Len() int      { return len(q) }
func (q wakeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q wakeQueue) Less(i, j int) bool {
	switch a, b := q[i], q[j]; {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case a.kind != b.kind:
		return a.kind < b.kind
	default:
		return a.name < b.name
	}
}

// Push implements heap.Interface.
func (q *wakeQueue) Push(x any) {
	if w, ok := x.(wake); ok {
		*q = append(*q, w)
	}
}

// Pop implements heap.Interface.
func (q *wakeQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// wakeAt notes that something is due; the zero time means never.
func (r *region) wakeAt(at time.Time, kind wakeKind, name string) {
	if r.wakes != nil && !at.IsZero() {
		heap.Push(r.wakes, wake{at, kind, name})
	}
}

// nextWake is the first thing that is due. The queue is made from the state
// when it is first needed; what was moved or removed meanwhile is dropped.
func (r *region) nextWake() (wake, bool) {
	if r.wakes == nil {
		r.wakes = &wakeQueue{}
		for name, g := range r.Groups {
			r.wakeAt(g.Next, wakeGroup, name)
		}
		for key, s := range r.Services {
			r.wakeAt(s.Next, wakeService, key)
		}
	}
	for len(*r.wakes) > 0 {
		w := (*r.wakes)[0]
		g, s := r.Groups[w.name], r.Services[w.name]
		if w.kind == wakeGroup && g != nil && g.Next.Equal(w.at) || w.kind == wakeService && s != nil && s.Next.Equal(w.at) {
			return w, true
		}
		heap.Pop(r.wakes)
	}
	return wake{}, false
}

// wakeUp lets happen what is due now.
func (c *call) wakeUp(w wake) {
	switch w.kind {
	case wakeGroup:
		c.region.Groups[w.name].tick(c)
	case wakeService:
		c.region.Services[w.name].tick(c)
	}
}

// next is when the next thing happens in the region by itself, in a stack or
// outside of one.
func (r *region) next() (at time.Time, ok bool) {
	if r.engine != nil {
		at, ok = r.engine.Next()
	}
	if w, own := r.nextWake(); own && (!ok || w.at.Before(at)) {
		return w.at, true
	}
	return at, ok
}

// step lets happen in a region what is due at the sandbox's clock. A stack
// comes before what it made.
func (s *Sandbox) step(ctx context.Context, r *region) {
	if r.engine != nil {
		if at, ok := r.engine.Next(); ok && !at.After(s.clock) {
			r.engine.Advance(ctx, s.clock)
			return
		}
	}
	if w, ok := r.nextWake(); ok && !w.at.After(s.clock) {
		c := &call{ctx: ctx, now: s.clock, account: s.account, region: r, engine: r.engine, sandbox: s}
		c.wakeUp(w)
	}
}
