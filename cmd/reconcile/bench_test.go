package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
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

// BenchmarkCommand is the true binary that plans against an account in another
// process, over HTTP: its processor time and its memory, start to end.
func BenchmarkCommand(b *testing.B) {
	for _, form := range []string{formYAML, formCUE} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("specs=%s/fleets=%d", form, n), func(b *testing.B) {
				s := newScale(b, form, n, newHurried())
				s.install(b.Context(), s.load(b.Context()))
				s.clock = shifted{time.Until(s.clock.Now())}
				server := httptest.NewServer(s.box)
				defer server.Close()
				binary, err := plainBinary()
				if err != nil {
					b.Fatal(err)
				}
				var cpu time.Duration
				var resident int64
				for b.Loop() {
					cmd := exec.Command(binary, "plan", "--detailed-exitcode", "--specs", s.g.specs)
					cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_SESSION_TOKEN=")
					if err := cmd.Start(); err != nil {
						b.Fatal(err)
					}
					most := watchResident(cmd.Process.Pid)
					if err := cmd.Wait(); err != nil {
						b.Fatal(err)
					}
					resident = max(resident, most())
					cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				}
				b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(resident)/1000, "rss-MB") // 0 where there is no /proc
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
			s.clock = shifted{time.Until(s.clock.Now())} // from here on time is real
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

// watchResident gives the most memory, in KB, that a process had. What the
// kernel tells its parent includes the parent's own, from before the exec.
func watchResident(pid int) func() int64 {
	var most int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if _, after, ok := strings.Cut(string(status), "VmHWM:"); ok {
				var kb int64
				if _, err := fmt.Sscan(after, &kb); err == nil {
					most = kb
				}
			}
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	return func() int64 {
		close(stop)
		<-done
		return most
	}
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
