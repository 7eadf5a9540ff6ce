package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// What the paced account does: 40 ms for every call, and the rates that AWS or
// its users state (aws-limits 4: GetParameters 40 a second shared with its
// siblings, DescribeStacks 5 a second, ECR, ECS, ACM and Secrets Manager far
// above ours). ListStacks, for which nobody states one, gets DescribeStacks'.
const roundTrip = 40 * time.Millisecond

var rates = map[string]sandbox.Rate{
	"ssm":                           {PerSecond: 40, Burst: 40},
	"cloudformation.ListStacks":     {PerSecond: 5, Burst: 5},
	"cloudformation.DescribeStacks": {PerSecond: 5, Burst: 5},
	"logs.DescribeLogGroups":        {PerSecond: 10, Burst: 10},
	"ec2":                           {PerSecond: 20, Burst: 100},
}

// quickest is the time that the bound allows: the round trip that tells the
// account, then the longest of what the rates allow, of each chain of pages
// (a page is asked for with the token of the one before), and of all calls with
// so many in flight.
func quickest(least map[string]int, inFlight int) time.Duration {
	longest := roundTrip * time.Duration((sum(least)-1+inFlight-1)/inFlight)
	paced := func(n int, r sandbox.Rate) time.Duration {
		return roundTrip + time.Duration(float64(time.Second)*max(0, float64(n)-r.Burst)/r.PerSecond)
	}
	for _, d := range []time.Duration{
		paced(least["GetParameters"]+least["DescribeParameters"], rates["ssm"]),
		paced(least["ListStacks"], rates["cloudformation.ListStacks"]),
		paced(least["DescribeStacks"], rates["cloudformation.DescribeStacks"]),
		paced(least["DescribeLogGroups"], rates["logs.DescribeLogGroups"]),
		roundTrip * time.Duration(least["ListStacks"]),
		roundTrip * time.Duration(least["DescribeParameters"]),
		roundTrip * time.Duration(least["DescribeLogGroups"]),
		roundTrip * time.Duration(least["DescribeLaunchTemplateVersions"]),
	} {
		longest = max(longest, d)
	}
	return roundTrip + longest
}

// An unchanged plan asks AWS for what page sizes allow and hardly more, takes
// little longer than that allows with a round trip on every call and the rates
// enforced, and is never told to slow down; one changed fleet adds at most three
// calls. Time is virtual: what counts are round trips and waits. The benchmarks
// below do the same in real time, up to 5,000 fleets.
func TestCallsAndPaceOfAPlan(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 50, 100, 1000} {
		t.Run(fmt.Sprintf("fleets=%d", n), func(t *testing.T) {
			if n > 100 && (testing.Short() || raceEnabled) {
				t.Skip("a thousand fleets take seconds, and under the race detector a minute")
			}
			synctest.Test(t, func(t *testing.T) {
				s := newScale(t, formYAML, n, shifted{})
				desired := s.load(t.Context())
				s.install(t.Context(), desired)
				s.box.Pace(roundTrip, rates)
				unchanged := s.unchanged(desired)
				s.change(n / 2)
				_ = s.clock.Sleep(t.Context(), time.Minute) // the first plan used up AWS's tokens
				c := s.cloud()
				p := s.compare(t.Context(), c, s.load(t.Context()))
				if len(p.Steps) == 0 || !strings.Contains(s.out.String(), fleetSlug(n/2)) {
					t.Errorf("the changed fleet is not in the plan:\n%s", s.out.String())
				}
				if changed, throttled, by := calls(c); changed > unchanged+3 || throttled > 0 {
					t.Errorf("%d calls with one fleet changed (%d throttled), %d with none: %v", changed, throttled, unchanged, by)
				}
			})
		})
	}
}

// unchanged plans an account that is as the specs say, holds what it cost
// against the bound and returns the number of calls.
func (s *scale) unchanged(desired plan.Desired) int {
	s.t.Helper()
	c := s.cloud()
	begin := time.Now()
	p := s.compare(s.t.Context(), c, desired)
	took := time.Since(begin)
	if !p.Empty() || len(p.Drift) > 0 {
		s.t.Fatalf("the installed account has changes:\n%s", s.out.String())
	}
	total, throttled, by := calls(c)
	least := bound(s.t, desired)
	if float64(total) > 1.1*float64(sum(least)) || throttled > 0 {
		s.t.Errorf("%d calls, %d throttled; the bound is %d\n got %v\nleast %v", total, throttled, sum(least), by, least)
	}
	allowed := quickest(least, cloud.DefaultConcurrency)
	s.t.Logf("%d fleets: %d calls, bound %d; %v, the bound allows %v: %.2f", len(desired.Fleets), total, sum(least), took, allowed, float64(took)/float64(allowed))
	if float64(took) > 1.5*float64(allowed) {
		s.t.Errorf("%v, the bound allows %v", took, allowed)
	}
	return total
}

// change edits one fleet.
func (s *scale) change(i int) { s.write(fleetSlug(i)+".yaml", fleetYAML(i, "  enabled: false\n")) }
