package plan_test

import (
	"fmt"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

var sizes = []int{1, 100, 1000, 5000}

// BenchmarkUnchanged is the plan that runs most: everything is as applied.
// Templates are not there, as after the index of stacks.
func BenchmarkUnchanged(b *testing.B) {
	for _, n := range sizes {
		d := platform(n)
		l := deployed(b, d)
		for name, s := range l.Stacks {
			s.Template, s.Resources = nil, nil
			l.Stacks[name] = s
		}
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := plan.Compute(d, l, plan.Options{})
				if err != nil || !p.Empty() {
					b.Fatal(err, len(p.Steps))
				}
			}
		})
	}
}

// BenchmarkEveryFleetChanges promotes an AMI in all fleets.
func BenchmarkEveryFleetChanges(b *testing.B) {
	for _, n := range sizes {
		d := platform(n)
		l := deployed(b, d)
		for _, f := range d.Fleets {
			p := l.Parameters[f.AMIParameter]
			p.Value = "ami-2"
			l.Parameters[f.AMIParameter] = p
		}
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := plan.Compute(d, l, plan.Options{})
				if err != nil || len(p.Steps) != n {
					b.Fatal(err, len(p.Steps))
				}
			}
		})
	}
}

// BenchmarkEmptyAccount creates everything.
func BenchmarkEmptyAccount(b *testing.B) {
	for _, n := range sizes {
		d := platform(n)
		l := empty(d)
		b.Run(fmt.Sprintf("fleets=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p, err := plan.Compute(d, l, plan.Options{}); err != nil || len(p.Steps) < n {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDigestAlone is the floor of an unchanged plan.
func BenchmarkDigestAlone(b *testing.B) {
	s := fleet("gpu-0001")
	t := cfn.ResolveTemplate(s.Template, func(cfn.Ref) (string, bool) { return "x", true })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cfn.DigestOf(t, s.Tags, nil); err != nil {
			b.Fatal(err)
		}
	}
}
