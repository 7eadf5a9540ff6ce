package stackengine

import (
	"container/heap"
	"context"
	"time"
)

// due is when something happens next on a stack.
type due struct {
	at    time.Time
	stack string
}

// queue is a heap of what is due, the earliest first; ties by stack, so that
// the order of events does not depend on the order of requests.
type queue []due

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].at.Equal(q[j].at) {
		return q[i].at.Before(q[j].at)
	}
	return q[i].stack < q[j].stack
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
// all stacks: what one stack makes or exports, another may need.
func (e *Engine) advance(ctx context.Context, now time.Time) {
	ix := e.load()
	for len(ix.running) > 0 && !ix.running[0].at.After(now) {
		d := heap.Pop(&ix.running).(due)
		s := e.State.Stacks[d.stack]
		if s == nil || s.Op == nil || !s.Op.At.Equal(d.at) {
			continue // it was moved or ended meanwhile
		}
		e.step(ctx, s, d.at)
		if s.Op != nil {
			e.schedule(s)
		}
	}
}

// schedule notes that s has something to do at its operation's At.
func (e *Engine) schedule(s *Stack) {
	heap.Push(&e.load().running, due{s.Op.At, s.ID})
}

func (e *Engine) next() (time.Time, bool) {
	ix := e.load()
	for len(ix.running) > 0 {
		d := ix.running[0]
		s := e.State.Stacks[d.stack]
		if s != nil && s.Op != nil && s.Op.At.Equal(d.at) {
			return d.at, true
		}
		heap.Pop(&ix.running)
	}
	return time.Time{}, false
}
