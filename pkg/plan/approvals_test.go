package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func TestConsentsEndWithTheirDay(t *testing.T) {
	t.Parallel()
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	day := spec.Approval{Kind: "replace", Target: "bp-data/Cache", Expires: "2026-03-01", Reason: "a larger node"}
	moment := spec.Approval{Kind: "recover", Target: "bp-data", Expires: "2026-03-01T12:00:00+02:00"}
	for now, want := range map[string][]string{
		"2026-03-01T09:59:59Z": {"replace:bp-data/Cache", "recover:bp-data"},
		"2026-03-01T10:00:00Z": {"replace:bp-data/Cache"},
		"2026-03-01T23:59:59Z": {"replace:bp-data/Cache"},
		"2026-03-02T00:00:00Z": nil,
	} {
		d, consents := plan.Consents(plan.Desired{Approvals: []spec.Approval{day, moment}}, at(now))
		var got []string
		for _, a := range consents {
			got = append(got, a.String())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at %s (-want +got):\n%s", now, diff)
		}
		if len(d.Approvals) != len(want) || len(d.Notes) != 2-len(want) {
			t.Errorf("at %s: %d approvals and %d notes, want %d and %d", now, len(d.Approvals), len(d.Notes), len(want), 2-len(want))
		}
	}
}
