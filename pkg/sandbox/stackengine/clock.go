package stackengine

import (
	"container/heap"
	"context"
	"time"
)

// due is when something happens by itself: the next step of a stack's
// operation, the end of a drift detection or of a change set's deletion.
type due struct {
	at   time.Time
	kind dueKind
	id   string
}

type dueKind int

const (
	dueStep dueKind = iota
	dueDrift
	dueForget
)

// queue is a heap of what is due, the earliest first; ties by what it is, so
// that the order of events does not depend on the order of requests.
type queue []due

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	switch a, b := q[i], q[j]; {
	case !a.at.Equal(b.at):
		return a.at.Before(b.at)
	case a.kind != b.kind:
		return a.kind < b.kind
	default:
		return a.id < b.id
	}
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(due)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// advance lets everything happen that is due, in the order of its time, over
// all stacks: what one stack makes or exports, another may need. It does not
// matter when it is called: what happens depends on the time it was due.
func (e *Engine) advance(ctx context.Context, now time.Time) {
	ix := e.load()
	for len(ix.running) > 0 && !ix.running[0].at.After(now) {
		d := heap.Pop(&ix.running).(due)
		switch d.kind {
		case dueDrift:
			e.settleDrift(e.State.Drifts[d.id])
		case dueForget:
			e.forgetChangeSet(e.State.ChangeSets[d.id])
		default:
			s := e.State.Stacks[d.id]
			if s == nil || s.Op == nil || !s.Op.At.Equal(d.at) {
				continue // it was moved or ended meanwhile
			}
			e.step(ctx, s, d.at)
			if s.Op != nil {
				e.schedule(s)
			}
		}
	}
}

// schedule notes that s has something to do at its operation's At.
func (e *Engine) schedule(s *Stack) { e.wake(due{s.Op.At, dueStep, s.ID}) }

func (e *Engine) wake(d due) { heap.Push(&e.load().running, d) }

func (e *Engine) next() (time.Time, bool) {
	ix := e.load()
	for len(ix.running) > 0 {
		d := ix.running[0]
		if d.kind != dueStep {
			return d.at, true
		}
		s := e.State.Stacks[d.id]
		if s != nil && s.Op != nil && s.Op.At.Equal(d.at) {
			return d.at, true
		}
		heap.Pop(&ix.running)
	}
	return time.Time{}, false
}
