package main

import (
	"fmt"
	"strings"
	"testing"
)

// What an unchanged plan asks of AWS is held at the bound that page sizes
// allow, and what one changed fleet adds at three calls. The benchmark does the
// same with 5,000 fleets.
func TestCallsOfAPlan(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 100, 1000} {
		t.Run(fmt.Sprintf("fleets=%d", n), func(t *testing.T) {
			if n > 100 && (testing.Short() || raceEnabled) {
				t.Skip("a thousand fleets take seconds, and under the race detector a minute")
			}
			s := newScale(t, formYAML, n)
			s.install(t.Context(), s.load(t.Context()))
			c := s.cloud()
			desired, p := s.plan(t.Context(), c)
			if !p.Empty() || len(p.Drift) > 0 {
				t.Fatalf("the installed account has changes:\n%s", s.out.String())
			}
			unchanged, _, by := calls(c)
			least := bound(t, desired)
			t.Logf("%d fleets: %d calls, bound %d", n, unchanged, sum(least))
			if float64(unchanged) > 1.1*float64(sum(least)) {
				t.Errorf("%d calls, the bound is %d\n got %v\nleast %v", unchanged, sum(least), by, least)
			}
			s.write(fleetSlug(n/2)+".yaml", fleetYAML(n/2, "  enabled: false\n"))
			c = s.cloud()
			_, p = s.plan(t.Context(), c)
			changed, _, by := calls(c)
			if len(p.Steps) == 0 || !strings.Contains(s.out.String(), fleetSlug(n/2)) {
				t.Errorf("the changed fleet is not in the plan:\n%s", s.out.String())
			}
			if changed > unchanged+3 {
				t.Errorf("%d calls with one fleet changed, %d with none: %v", changed, unchanged, by)
			}
		})
	}
}
