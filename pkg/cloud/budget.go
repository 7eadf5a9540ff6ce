package cloud

import (
	"context"
	"sort"
	"sync"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// pace is how fast one API may be called: requests per second and burst.
type pace struct {
	perSecond float64
	burst     int
}

// paces per operation ("service Operation") or service. AWS publishes few
// numbers (facts: aws-limits 4): these stay under the published ones, and the
// budget slows down by itself where AWS says "slower".
func paceOf(service, operation string) (key string, p pace) {
	switch service {
	case "CloudFormation":
		// One user measured 5 DescribeStacks a second for an account; nothing
		// is published for the others. Each has a bucket of its own.
		return service + " " + operation, pace{5, 15}
	case "SSM":
		switch operation {
		case "GetParameter", "GetParameters":
			return "SSM Get", pace{36, 40} // 40 a second, shared by all Get calls
		case "DescribeParameters":
			return "SSM DescribeParameters", pace{5, 10}
		}
		return "SSM write", pace{5, 10}
	case "CloudWatch Logs":
		return service, pace{8, 10}
	case "ACM", "ECS", "Secrets Manager":
		return service, pace{10, 20}
	}
	return service, pace{20, 40}
}

// minPerSecond is as slow as a bucket gets, so that with a handful of waiting
// requests no single delay reaches 15 seconds.
const minPerSecond = 2

// bucket is the shared limiter of one API. Throttling halves its rate and
// success restores it slowly, so that all callers back off together.
type bucket struct {
	limiter *rate.Limiter
	full    rate.Limit
	floor   rate.Limit
}

func (b *bucket) throttled(now time.Time) {
	b.limiter.SetLimitAt(now, max(b.limiter.Limit()/2, b.floor))
}

func (b *bucket) succeeded(now time.Time) {
	if l := b.limiter.Limit(); l < b.full {
		b.limiter.SetLimitAt(now, min(l*1.1, b.full))
	}
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
	key, p := paceOf(service, operation)
	b.mu.Lock()
	defer b.mu.Unlock()
	if have, ok := b.buckets[key]; ok {
		return have
	}
	full := rate.Limit(p.perSecond / b.scale)
	made := &bucket{
		limiter: rate.NewLimiter(full, p.burst),
		full:    full,
		floor:   min(full, rate.Limit(minPerSecond/b.scale)),
	}
	b.buckets[key] = made
	return made
}

// enter waits for a token of the API and for a free slot.
func (b *budget) enter(ctx context.Context, api *bucket) error {
	now := b.clock.Now()
	r := api.limiter.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		if err := b.clock.Sleep(ctx, d); err != nil {
			r.CancelAt(b.clock.Now())
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
		api.throttled(b.clock.Now())
	case err == nil:
		api.succeeded(b.clock.Now())
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
