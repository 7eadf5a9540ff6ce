package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Fault is something that goes wrong with one call.
type Fault struct {
	// Code and Message are answered instead of serving the call; a Status of 0 is
	// 400, or 503 where the service throttles with it (S3, EC2). The call changes
	// nothing.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Status  int    `json:"status,omitempty"`
	// Throttle answers what the service answers to one call too many.
	Throttle bool `json:"throttle,omitempty"`
	// Stale makes so many reads after a write answer from before it.
	Stale int `json:"stale,omitempty"`
	// Lost drops the connection: LostBefore or LostAfter the call was served.
	Lost Lost `json:"lost,omitempty"`
	// Delay is added before the call is served.
	Delay time.Duration `json:"delay,omitempty"`
}

// Lost says when an answer is lost.
type Lost string

// The two ways to lose an answer: the caller cannot tell them apart.
const (
	LostBefore Lost = "before"
	LostAfter  Lost = "after"
)

func (f *Fault) fail() *Fail {
	return &Fail{Code: f.Code, Message: f.Message, Status: f.Status, Server: f.Status >= http.StatusInternalServerError}
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// Count is how often an operation was called.
type Count struct {
	Service   string
	Operation string
	Calls     int
}

// traffic counts calls, and holds up or refuses them. It has a lock of its
// own, so that a delayed call does not hold up the others.
type traffic struct {
	mu      sync.Mutex
	seed    string
	serial  uint64
	calls   map[string]int // "service.Operation"
	latency time.Duration
	rates   map[string]Rate
	buckets map[string]*tokenBucket
}

type tokenBucket struct {
	tokens float64
	at     time.Time
}

func (t *traffic) init(o Options) {
	t.seed = o.Seed
	t.calls = map[string]int{}
	t.buckets = map[string]*tokenBucket{}
	t.latency, t.rates = o.Latency, o.Rates
}

// Pace replaces Options.Latency and Options.Rates from the next call on.
func (s *Sandbox) Pace(latency time.Duration, rates map[string]Rate) {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	s.traffic.latency, s.traffic.rates, s.traffic.buckets = latency, rates, map[string]*tokenBucket{}
}

// requestID numbers requests; they differ between requests of one sandbox.
func (t *traffic) requestID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serial++
	return uuid((&account{Seed: t.seed}).hash("request", fmt.Sprint(t.serial)))
}

// enter counts a call and says what goes wrong with it; ruled is what the
// state's rules say. It waits as long as latency and fault ask for.
func (t *traffic) enter(ctx context.Context, svc *service, name, operation string, o Options, ruled *Fault) (*Fault, error) {
	t.mu.Lock()
	key := name + "." + operation
	t.calls[key]++
	n := t.calls[key]
	now := o.Now()
	allowed := t.take(t.rates, key, now) && t.take(t.rates, name, now)
	delay := t.latency
	t.mu.Unlock()

	fault := ruled
	if o.Fault != nil && fault == nil {
		fault = o.Fault(name, operation, n)
	}
	if !allowed && fault == nil {
		fault = svc.throttled()
	}
	if fault != nil {
		delay += fault.Delay
		if fault.Throttle {
			fault = svc.throttled()
		}
		if fault.Status == 0 && fault.Code != "" {
			// A HEAD has no body: its status alone must say what a code says.
			whole := *fault
			whole.Status = svc.throttled().Status
			fault = &whole
		}
	}
	return fault, sleep(ctx, delay)
}

// take takes one token of a bucket, if there is a rate for it.
func (t *traffic) take(rates map[string]Rate, key string, now time.Time) bool {
	rate, ok := rates[key]
	if !ok {
		return true
	}
	b := t.buckets[key]
	if b == nil {
		b = &tokenBucket{tokens: rate.Burst, at: now}
		t.buckets[key] = b
	}
	b.tokens = min(rate.Burst, b.tokens+rate.PerSecond*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
