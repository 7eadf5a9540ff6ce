package cloud

import (
	"context"
	"sort"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
)

// span is the time in which an API takes its number of calls: a second, and
// what requests may bunch up on their way.
const span = 1050 * time.Millisecond

// paceOf names the bucket of an operation and how many calls it takes in any
// span. AWS publishes few numbers (facts: aws-limits 4): these stay under the
// published ones in every second, the first one included, and the budget slows
// down by itself where AWS says "slower".
func paceOf(service, operation string) (key string, calls int) {
	switch service {
	case "CloudFormation":
		// One user measured 5 DescribeStacks a second for an account; nothing
		// is published for the others. Each has a bucket of its own.
		return service + " " + operation, 5
	case "SSM":
		// 40 a second, shared by all Get calls; the others are counted in.
		switch operation {
		case "GetParameter", "GetParameters":
			return "SSM Get", 35
		}
		return "SSM", 5
	case "CloudWatch Logs":
		return service, 9
	case "S3":
		return service, 200 // 3,500 writes and 5,500 reads a second for a prefix
	case "ACM", "ECS", "Secrets Manager":
		return service, 10
	}
	return service, 20
}

// bucket is the shared limiter of one API: so many calls in any span, at once
// or spread. A token bucket that allows as many at once would allow twice the
// rate in its first second. Throttling halves the number and success restores
// it slowly, so that all callers back off together.
type bucket struct {
	span time.Duration
	full float64

	mu      sync.Mutex
	limit   float64
	granted []time.Time // the times of the last calls, ascending; at most full
}

// reserve takes the next free place and says how far away it is.
func (b *bucket) reserve(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, have := now, len(b.granted)
	if have > 0 && b.granted[have-1].After(at) {
		at = b.granted[have-1]
	}
	if n := int(b.limit); have >= n {
		if free := b.granted[have-n].Add(b.span); free.After(at) {
			at = free
		}
	}
	if have == int(b.full) {
		b.granted = append(b.granted[:0], b.granted[1:]...)
	}
	b.granted = append(b.granted, at)
	return at.Sub(now)
}

// slowest is as slow as a bucket gets, in calls a span, so that with a handful
// of waiting requests no single delay reaches 15 seconds.
const slowest = 2

func (b *bucket) throttled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = max(b.limit/2, slowest)
}

func (b *bucket) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = min(b.limit*1.1, b.full)
}

// budget is the one request budget of a run: how many requests are in flight
// at once, how fast each API is called, and how often each was.
type budget struct {
	clock    Clock
	scale    float64
	inFlight chan struct{}

	mu      sync.Mutex
	buckets map[string]*bucket
	counts  map[[2]string]*CallCount
}

// CallCount is how often one operation was called: Calls counts requests
// sent, retries included, Throttled those that AWS answered with "slower".
type CallCount struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
	Calls     int    `json:"calls"`
	Throttled int    `json:"throttled,omitempty"`
}

func newBudget(clock Clock, scale float64, concurrency int) *budget {
	return &budget{
		clock:    clock,
		scale:    scale,
		inFlight: make(chan struct{}, concurrency),
		buckets:  map[string]*bucket{},
		counts:   map[[2]string]*CallCount{},
	}
}

// Stats returns the calls so far, sorted by service and operation.
func (c *Cloud) Stats() []CallCount {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	out := make([]CallCount, 0, len(c.budget.counts))
	for _, n := range c.budget.counts {
		out = append(out, *n)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Service != out[j].Service {
			return out[i].Service < out[j].Service
		}
		return out[i].Operation < out[j].Operation
	})
	return out
}

func (b *budget) bucket(service, operation string) *bucket {
	key, calls := paceOf(service, operation)
	b.mu.Lock()
	defer b.mu.Unlock()
	if have, ok := b.buckets[key]; ok {
		return have
	}
	made := &bucket{span: time.Duration(float64(span) * b.scale), full: float64(calls), limit: float64(calls)}
	b.buckets[key] = made
	return made
}

// enter waits for a place at the API and for a free slot. A place that was
// waited for in vain is lost, which only slows down.
func (b *budget) enter(ctx context.Context, api *bucket) error {
	if d := api.reserve(b.clock.Now()); d > 0 {
		if err := b.clock.Sleep(ctx, d); err != nil {
			return err
		}
	}
	select {
	case b.inFlight <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *budget) leave() { <-b.inFlight }

func (b *budget) count(service, operation string, throttled bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := [2]string{service, operation}
	n := b.counts[k]
	if n == nil {
		n = &CallCount{Service: service, Operation: operation}
		b.counts[k] = n
	}
	n.Calls++
	if throttled {
		n.Throttled++
	}
}

// attempt runs one request within the budget and learns from its answer.
func (b *budget) attempt(ctx context.Context, service, operation string, send func() error) error {
	api := b.bucket(service, operation)
	if err := b.enter(ctx, api); err != nil {
		return err
	}
	defer b.leave()
	err := send()
	slower := isThrottle(err)
	b.count(service, operation, slower)
	switch {
	case slower:
		api.throttled()
	case err == nil:
		api.succeeded()
	}
	return err
}

// middleware puts every attempt of every client through the budget: it sits
// inside the SDK's retry loop, so that retries are paced and counted too.
func (b *budget) middleware(stack *middleware.Stack) error {
	call := middleware.InitializeMiddlewareFunc("reconcile.Call",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			return next.HandleInitialize(withCall(ctx), in)
		})
	if err := stack.Initialize.Add(call, middleware.After); err != nil {
		return err
	}
	attempt := middleware.FinalizeMiddlewareFunc("reconcile.Attempt",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, meta middleware.Metadata, err error) {
			service, operation := awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)
			err = b.attempt(ctx, service, operation, func() error {
				out, meta, err = next.HandleFinalize(ctx, in)
				return err
			})
			return out, meta, err
		})
	return stack.Finalize.Insert(attempt, "Retry", middleware.After)
}
