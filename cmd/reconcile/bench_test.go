package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
)

var sizes = []int{1, 100, 1000, 5000}

// BenchmarkPlan is `reconcile plan` from specs on disk to the report, against an
// account that answers at once: own time. Beside it the calls, the bound that
// page sizes allow, and the largest heap.
func BenchmarkPlan(b *testing.B) {
	for _, form := range []string{formYAML, formCUE} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("specs=%s/fleets=%d", form, n), func(b *testing.B) {
				s := newScale(b, form, n, newHurried())
				s.install(b.Context(), s.load(b.Context()))
				account := heap() // the sandbox is in this process, too
				var total, least int
				peak := watchHeap()
				b.ReportAllocs()
				for b.Loop() {
					c := s.cloud()
					desired, p := s.plan(b.Context(), c)
					if !p.Empty() {
						b.Fatal(s.out.String())
					}
					total, _, _ = calls(c)
					least = sum(bound(b, desired))
				}
				b.ReportMetric(float64(peak()-account)/1e6, "peak-MB")
				reportCalls(b, total, least)
			})
		}
	}
}

// BenchmarkOwnTime is the part of a plan before AWS is asked: load, validate,
// render.
func BenchmarkOwnTime(b *testing.B) {
	for _, form := range []string{formYAML, formCUE} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("specs=%s/fleets=%d", form, n), func(b *testing.B) {
				s := newScale(b, form, n, newHurried())
				peak := watchHeap()
				b.ReportAllocs()
				for b.Loop() {
					s.load(b.Context())
				}
				b.ReportMetric(float64(peak())/1e6, "peak-MB")
			})
		}
	}
}

// BenchmarkPlanOneChange is the same with one fleet changed.
func BenchmarkPlanOneChange(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			s := newScale(b, formYAML, n, newHurried())
			desired := s.load(b.Context())
			s.install(b.Context(), desired)
			least := sum(bound(b, desired))
			s.change(n / 2)
			var total int
			b.ReportAllocs()
			for b.Loop() {
				c := s.cloud()
				if _, p := s.plan(b.Context(), c); len(p.Steps) == 0 {
					b.Fatal(s.out.String())
				}
				total, _, _ = calls(c)
			}
			reportCalls(b, total, least)
		})
	}
}

// BenchmarkPlanPaced is the reading of an unchanged plan in real time, with
// 40 ms on every call and AWS's rates enforced.
func BenchmarkPlanPaced(b *testing.B) {
	for _, n := range []int{1, 50, 100, 1000} {
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			s := newScale(b, formYAML, n, newHurried())
			desired := s.load(b.Context())
			s.install(b.Context(), desired)
			s.clock = shifted{s.clock.Now().Sub(time.Now())} // from here on time is real
			s.box.Pace(roundTrip, rates)
			least := bound(b, desired)
			var total, throttled int
			for b.Loop() {
				c := s.cloud()
				s.compare(b.Context(), c, desired)
				total, throttled, _ = calls(c)
			}
			perOp := b.Elapsed() / time.Duration(b.N)
			b.ReportMetric(float64(perOp)/float64(quickest(least, cloud.DefaultConcurrency)), "time/bound")
			b.ReportMetric(float64(throttled), "throttled")
			reportCalls(b, total, sum(least))
		})
	}
}

// BenchmarkApply creates the platform with every fleet, 100 times as fast as
// AWS would: what an apply costs in calls, and us in time.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := newScale(b, formYAML, n, newHurried())
				desired := s.load(b.Context())
				b.StartTimer()
				c := s.cloud()
				s.apply(b.Context(), c, desired, nil)
				total, _, by := calls(c)
				b.ReportMetric(float64(total)/float64(len(desired.Stacks)), "calls/stack")
				b.ReportMetric(float64(by["DescribeStacks"]+by["ListStacks"]+by["DescribeStackEvents"])/float64(len(desired.Stacks)), "polls/stack")
			}
		})
	}
}

// apply is what the command does, without its words.
func (s *scale) apply(ctx context.Context, c *cloud.Cloud, desired plan.Desired, observe func(apply.Event)) {
	s.t.Helper()
	p := s.compare(ctx, c, desired)
	port := c.Port(ctx)
	defer port.Close()
	if r, err := apply.Run(ctx, p, port, apply.Options{}, observe); err != nil || !r.Done() {
		s.t.Fatalf("%v\n%+v", err, r)
	}
}

func reportCalls(b *testing.B, total, least int) {
	b.ReportMetric(float64(total), "calls/op")
	b.ReportMetric(float64(least), "bound/op")
	b.ReportMetric(float64(total)/float64(least), "calls/bound")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap samples the heap; the function that it returns stops and gives the
// largest it saw.
func watchHeap() func() uint64 {
	debug.FreeOSMemory()
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return peak.Load()
	}
}
