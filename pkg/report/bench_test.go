package report

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkPlanText writes the plan of many fleets.
func BenchmarkPlanText(b *testing.B) {
	for _, n := range []int{100, 5000} {
		p := fleets(n)
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := PlanText(io.Discard, p, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
