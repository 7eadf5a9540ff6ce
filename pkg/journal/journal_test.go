package journal_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/apply"
	"reconcile/pkg/journal"
	"reconcile/pkg/plan"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func lines() []journal.Line {
	return []journal.Line{
		{Begin: &journal.Begin{FormatVersion: 1, Run: "0123", At: at, Who: "ana@host", Command: "reconcile apply", Plan: "abc", Steps: 2}},
		{Step: &journal.Step{At: at, Step: "stack/bp-data", Target: "bp-data", Outcome: apply.OutcomeDone,
			Consumed: []journal.Consumed{{Kind: "replace", Target: "bp-data/Cache", Expires: "2026-04-01", Reason: "bigger"}}}},
		{Step: &journal.Step{At: at, Step: "stack/bp-compute", Target: "bp-compute", Outcome: apply.OutcomeFailed, Message: "no\nroom", RolledBack: true}},
		{End: &journal.End{At: at.Add(time.Minute), Outcome: "failed", ExitCode: 5}},
	}
}

func text(t interface{ Fatal(...any) }, lines ...journal.Line) []byte {
	var out []byte
	for _, l := range lines {
		var err error
		if out, err = journal.Append(out, l); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestThereAndBack(t *testing.T) {
	all := lines()
	got, err := journal.Parse(text(t, all...))
	if err != nil {
		t.Fatal(err)
	}
	want := journal.Run{Begin: *all[0].Begin, Steps: []journal.Step{*all[1].Step, *all[2].Step}, End: all[3].End}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Duration() != time.Minute || got.State() != "failed" || got.Counts() != "1 done, 1 failed" {
		t.Error(got.Duration(), got.State(), got.Counts())
	}
	used := journal.Used([]journal.Run{got})
	if len(used) != 1 || used[all[1].Step.Consumed[0]] != "0123" {
		t.Error(used)
	}
}

// TestTornTail: whatever is cut off, what comes before is read.
func TestTornTail(t *testing.T) {
	whole := text(t, lines()...)
	first := bytes.IndexByte(whole, '\n')
	for n := range len(whole) {
		r, err := journal.Parse(whole[:n])
		if n < first && err == nil {
			t.Fatalf("%d bytes have no beginning", n)
		}
		if n < first {
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		complete := max(0, bytes.Count(whole[:n], []byte("\n"))-1)
		have := len(r.Steps)
		if r.End != nil {
			have++
		}
		if have < complete {
			t.Fatalf("%d bytes have %d lines after the first, %d were read", n, complete, have)
		}
	}
}

func TestNewerFormat(t *testing.T) {
	_, err := journal.Parse([]byte(`{"begin":{"formatVersion":2,"something":"new"}}` + "\n"))
	var newer *journal.NewerError
	if !errors.As(err, &newer) || newer.FormatVersion != 2 {
		t.Errorf("%v", err)
	}
}

// TestConsumed: only a step that was done and needed the approval uses it up.
func TestConsumed(t *testing.T) {
	a := journal.Consumed{Kind: "replace", Target: "bp-data/Cache", Expires: "2026-04-01", Reason: "bigger"}
	needs := plan.Step{ID: "stack/bp-data", Approvals: []plan.Approval{{Kind: plan.ApproveReplace, Target: "bp-data/Cache"}}}
	for _, tt := range []struct {
		step    plan.Step
		outcome apply.Outcome
		want    int
	}{
		{needs, apply.OutcomeDone, 1},
		{needs, apply.OutcomeFailed, 0},
		{plan.Step{ID: "stack/bp-data"}, apply.OutcomeDone, 0},
	} {
		got := journal.StepOf(tt.step, apply.StepResult{Step: tt.step.ID, Outcome: tt.outcome}, at, []journal.Consumed{a})
		if len(got.Consumed) != tt.want {
			t.Errorf("%s %s: %v", tt.step.ID, tt.outcome, got.Consumed)
		}
	}
}

func TestKeysSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(0, 4e12).Draw(t, "a"), rapid.Int64Range(0, 4e12).Draw(t, "b")
		first, second := journal.Key(time.UnixMilli(a), "x"), journal.Key(time.UnixMilli(b), "x")
		if (a < b) != (first < second) {
			t.Fatalf("%s and %s", first, second)
		}
	})
}

func FuzzParse(f *testing.F) {
	whole := text(f, lines()...)
	f.Add(whole)
	f.Add(whole[:len(whole)-10])
	f.Add([]byte(`{"begin":{"formatVersion":99}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := journal.Parse(b)
		if err != nil {
			return
		}
		_, _, _ = r.State(), r.Counts(), r.Duration()
		again := []journal.Line{{Begin: &r.Begin}}
		for i := range r.Steps {
			again = append(again, journal.Line{Step: &r.Steps[i]})
		}
		if r.End != nil {
			again = append(again, journal.Line{End: r.End})
		}
		back, err := journal.Parse(text(t, again...))
		if err != nil || len(back.Steps) != len(r.Steps) || (back.End == nil) != (r.End == nil) {
			t.Fatalf("%v: %+v became %+v", err, r, back)
		}
	})
}
