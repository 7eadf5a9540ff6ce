package stacks_test

import (
	"testing"

	"reconcile/pkg/stacks"
)

// BenchmarkRender is one platform with a thousand fleets.
func BenchmarkRender(b *testing.B) {
	set := many(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stacks.Render(set, stacks.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
