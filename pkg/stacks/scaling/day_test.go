package scaling_test

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// hour is a time of day in seconds.
func hour(h, m int) int { return h*3600 + m*60 }

// oneDay is the day in docs/scaling.svg: a lone job at night, a morning that
// grows, a burst, a publisher that dies at work, Spot interruptions, an evening.
func oneDay() day {
	d := day{
		seconds: hour(24, 0), publish: 20, sample: 40, evaluate: 30,
		boots:         []int{420, 600, 300, 900},
		outages:       [][2]int{{hour(13, 20), hour(13, 55)}},
		interruptions: []int{hour(15, 40), hour(16, 10), hour(16, 20)},
	}
	add := func(from, until, every, takes int) {
		for at := from; at < until; at += every {
			d.jobs = append(d.jobs, job{at, takes})
		}
	}
	add(hour(1, 10), hour(1, 10)+1, 60, 120)
	add(hour(7, 30), hour(8, 30), 90, 100)
	add(hour(8, 30), hour(9, 30), 30, 100)
	add(hour(10, 15), hour(10, 16), 2, 110)
	add(hour(11, 30), hour(14, 10), 60, 150)
	add(hour(15, 0), hour(17, 0), 30, 100)
	add(hour(20, 0), hour(20, 8), 60, 90)
	add(hour(22, 40), hour(22, 41), 30, 60)
	return d
}

// TestDayOfLoad simulates one day of the first shipped fleet template, which
// breaks no promise, and holds docs/scaling.svg to it; UPDATE=1 draws it anew.
func TestDayOfLoad(t *testing.T) {
	t.Parallel()
	f := rendered(t, templates(t)...)[0]
	s := newSimulation(t, f, oneDay(), newDecider(t)).run()
	for _, b := range s.broken() {
		t.Error(b)
	}
	starts, stops := 0, 0
	for _, c := range s.changes {
		starts += int(truth(c.from == 0))
		stops += int(truth(c.to == 0))
	}
	if starts != stops || starts < 5 {
		t.Errorf("%d starts, %d stops: %v", starts, stops, s.changes)
	}
	const file = "../../../docs/scaling.svg"
	got := s.picture(f.FleetTemplate)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("docs/scaling.svg is not this day; UPDATE=1 go test ./pkg/stacks/scaling -run TestDayOfLoad draws it")
	}
}

// TestSimulationSeesWhatIsWrong: the same day on templates with the faults
// that a fleet's scaling had, or could get, breaks a promise.
func TestSimulationSeesWhatIsWrong(t *testing.T) {
	t.Parallel()
	decide := newDecider(t)
	set := func(v any, keys ...string) func(node) {
		return func(r node) {
			last := len(keys) - 1
			r.at(keys[:last]...).v.(map[string]any)[keys[last]] = v
		}
	}
	expression := func(id, to string, path ...string) func(node) {
		return func(r node) {
			for _, m := range r.at(append([]string{id, "Properties"}, path...)...).list() {
				if m.has("Expression") {
					m.v.(map[string]any)["Expression"] = to
				}
			}
		}
	}
	for name, c := range map[string]struct {
		edit func(node)
		want string
	}{
		"tracking may reach zero":                        {expression("Backlog", "q / IF(d > 1, d, 1)", "TargetTrackingConfiguration", "CustomizedMetricSpecification", "Metrics"), "set it to zero"},
		"tracking divides by workers that are not there": {expression("BacklogWithoutCapacity", "q / d", "Metrics"), "no worker is wanted"},
		"zero after one minute": {func(r node) {
			set(1.0, "QueueEmpty", "Properties", "EvaluationPeriods")(r)
			set(1.0, "QueueEmpty", "Properties", "DatapointsToAlarm")(r)
		}, "after the last work"},
		"zero never": {expression("QueueEmpty", "IF(q < 1 AND d > 99, 1, 0)", "Metrics"), "workers idle for"},
		"the first worker late": {func(r node) {
			set(5.0, "BacklogWithoutCapacity", "Properties", "EvaluationPeriods")(r)
			set(5.0, "BacklogWithoutCapacity", "Properties", "DatapointsToAlarm")(r)
		}, "no worker is wanted"},
		"size is not published":  {set([]any{}, "Group", "Properties", "MetricsCollection"), "no worker is wanted"},
		"the other stage's data": {expression("BacklogWithoutCapacity", "IF(x > 0, 1, 0)", "Metrics"), "no worker is wanted"},
	} {
		f := rendered(t, templates(t)[0])[0]
		c.edit(f.resources)
		broken := newSimulation(t, f, oneDay(), decide).run().broken()
		if !slices.ContainsFunc(broken, func(b string) bool { return strings.Contains(b, c.want) }) {
			t.Errorf("%s: seen is only %v", name, broken)
		}
	}
}

// TestSteadyWorkKeepsTheFleetSteady: with a queue that stays as it is, the
// policies agree on one size, get there without going back, and stay.
func TestSteadyWorkKeepsTheFleetSteady(t *testing.T) {
	t.Parallel()
	decide, fleets := newDecider(t), assorted(t)
	rapid.Check(t, func(rt *rapid.T) {
		f, d := rapid.SampledFrom(fleets).Draw(rt, "fleet"), anyDay(rt, 3)
		d.jobs, d.outages, d.interruptions = nil, nil, nil
		n := rapid.IntRange(1, 60).Draw(rt, "jobs that never end")
		for range n {
			d.jobs = append(d.jobs, job{600, 1 << 30})
		}
		s := newSimulation(t, f, d, decide).run()
		want := min(f.MaxSize, (n+f.BacklogTarget-1)/f.BacklogTarget)
		if got := s.group.desired; got != want {
			rt.Fatalf("%d workers, not %d: %v", got, want, s.changes)
		}
		if !slices.IsSortedFunc(s.changes, func(a, b change) int { return a.to - b.to }) {
			rt.Fatalf("back and forth: %v", s.changes)
		}
	})
}

// TestTrackingNeverReachesZero: its expression asks for the workers that the
// queue needs and never for none, and has a value without any.
func TestTrackingNeverReachesZero(t *testing.T) {
	t.Parallel()
	fleets := assorted(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom(fleets).Draw(rt, "fleet")
		tracking := f.resources.at("Backlog", "Properties", "TargetTrackingConfiguration")
		value, _, _ := expressionOf(tracking.at("CustomizedMetricSpecification", "Metrics"))
		q, d := float64(rapid.IntRange(0, 100_000).Draw(rt, "queue")), float64(rapid.IntRange(1, 100).Draw(rt, "desired"))
		target := tracking.at("TargetValue").number()
		got := math.Ceil(d*value.at(map[string]float64{"q": q, "d": d})/target - 1e-9)
		if diff := cmp.Diff(math.Max(1, math.Ceil(q/target)), got); diff != "" {
			rt.Fatalf("q=%v d=%v: size (-want +got) %s", q, d, diff)
		}
		if at0 := value.at(map[string]float64{"q": q, "d": 0}); math.IsNaN(at0) || math.IsInf(at0, 0) {
			rt.Fatalf("q=%v: undefined without workers", q)
		}
	})
}
