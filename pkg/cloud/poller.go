package cloud

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Pauses between two looks at the watched stacks.
const (
	pollFirst = 800 * time.Millisecond
	pollMax   = 5 * time.Second
	// pollsAtOnce bounds the stacks that one look reads side by side.
	pollsAtOnce = 8
	// fewWatches are described one by one; more of them share a listing, as
	// long as that has fewer pages than they are.
	fewWatches = 3
)

// poller is the one loop that follows all watched stacks. It runs only while
// there is something to watch.
type poller struct {
	port *Port

	mu      sync.Mutex
	watches []*watch
	running bool
	added   bool               // a watch was added since the last look began
	wake    context.CancelFunc // ends the current pause, or nil
	pages   int                // of the last listing
}

// add starts to follow an operation.
func (p *poller) add(ctx context.Context, w *watch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watches = append(p.watches, w)
	p.added = true
	if !p.running {
		p.running = true
		p.port.workers.Go(func() { p.loop(ctx) })
	}
	if p.wake != nil {
		p.wake()
	}
}

func (p *poller) loop(ctx context.Context) {
	wait := backoff{first: pollFirst, max: pollMax}
	for {
		if p.rest(ctx, wait.next()) {
			// An operation that has just begun is worth a look, but has nothing to show yet.
			wait.n = 0
			_ = p.port.cloud.pause(ctx, wait.next())
		}
		p.mu.Lock()
		now := append([]*watch(nil), p.watches...)
		p.added = false
		p.mu.Unlock()
		left, moved := p.look(ctx, now)
		if moved {
			wait.n = 0
		}
		p.mu.Lock()
		p.watches = append(left, p.watches[len(now):]...)
		if len(p.watches) == 0 {
			p.running = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
	}
}

// rest pauses until it is time, the context ends, or something new is watched.
func (p *poller) rest(ctx context.Context, d time.Duration) (woken bool) {
	nap, wake := context.WithCancel(ctx)
	defer wake()
	p.mu.Lock()
	if p.added {
		p.mu.Unlock()
		return true
	}
	p.wake = wake
	p.mu.Unlock()
	err := p.port.cloud.pause(nap, d)
	p.mu.Lock()
	p.wake = nil
	p.mu.Unlock()
	return err != nil && ctx.Err() == nil
}

// look polls every watch once and returns those that go on.
func (p *poller) look(ctx context.Context, watches []*watch) (left []*watch, moved bool) {
	glances := p.glance(ctx, watches)
	outcomes := make([]outcome, len(watches))
	var g errgroup.Group
	g.SetLimit(pollsAtOnce)
	for i, w := range watches {
		g.Go(func() error {
			outcomes[i] = p.port.cloud.poll(ctx, w, glances[w.request.Stack], len(watches))
			return nil
		})
	}
	_ = g.Wait()
	for i, w := range watches {
		o := outcomes[i]
		for _, progress := range o.progress {
			r := *w.answer()
			r.Done, r.Progress = false, &progress
			p.port.respond(r)
		}
		if o.final != nil {
			p.port.respond(*o.final)
		} else {
			left = append(left, w)
		}
		moved = moved || o.moved
	}
	return left, moved
}

// glance reads the statuses of many watched stacks from one listing, by
// stack id. When that would cost more than it saves, or fails, it is empty and
// every stack is described.
func (p *poller) glance(ctx context.Context, watches []*watch) map[string]string {
	if len(watches) <= max(fewWatches, p.pages) {
		return nil
	}
	stacks, n, err := p.port.cloud.listStacks(ctx)
	if err != nil {
		return nil
	}
	p.pages = n
	glances := make(map[string]string, len(stacks))
	for _, s := range stacks {
		glances[s.ID] = s.Status
	}
	return glances
}
