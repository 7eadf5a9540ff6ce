package scaling_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"reconcile/pkg/spec"
)

// day is the load of a simulation and what goes wrong in it. Times are seconds.
type day struct {
	seconds       int
	jobs          []job    // by arrival
	outages       [][2]int // the backend publishes nothing
	interruptions []int    // Spot takes a worker
	boots         []int    // in turn, from in service to serving
	publish       int      // second of the minute at which the backend publishes,
	sample        int      // and at which the group does
	evaluate      int      // and at which CloudWatch looks; each alarm some ticks later
}

type job struct{ at, takes int }

// change is one of the group's desired capacity.
type change struct {
	at, from, to int
	by           string
}

// simulation is a fleet through a day.
type simulation struct {
	t      testing.TB
	day    day
	group  *group
	alarms []*alarm // the template's, then target tracking's
	zero   *alarm   // the one that calls the function
	first  *alarm   // the one that calls the step
	decide *decider

	minutes   int  // the fleet's scale_to_zero_minutes
	collected bool // the group publishes its desired capacity

	metrics           map[string]series
	depthKey, sizeKey string
	waiting           []int // how long each job takes that no worker holds
	booted            int

	// What happened, per tick.
	queue, desired, inService []int
	published                 []float64 // NaN: not in this tick
	states                    map[string][]string
	changes                   []change
}

// fleet is a template of the backend's and what its fleet is rendered to.
type fleet struct {
	spec.FleetTemplate
	resources node
}

// rendered renders fleets.
func rendered(t testing.TB, templates ...spec.FleetTemplate) []fleet {
	t.Helper()
	d := render(t, templates...)
	var out []fleet
	for _, f := range templates {
		out = append(out, fleet{f, fleetResources(t, d, f.Slug)})
	}
	return out
}

// newSimulation reads a fleet's rendered resources.
func newSimulation(t testing.TB, f fleet, d day, decide *decider) *simulation {
	t.Helper()
	r := f.resources
	s := &simulation{
		t: t, day: d, decide: decide, minutes: f.ScaleToZeroMinutes, collected: strings.Contains(fmt.Sprint(r.at("Group", "Properties").v), "GroupDesiredCapacity"), group: groupOf(r), states: map[string][]string{},
		depthKey: "ComfyUI/Workers QueueDepth FleetSlug=" + f.Slug + " Stage=staging",
		sizeKey:  "AWS/AutoScaling GroupDesiredCapacity AutoScalingGroupName=asg-staging-" + f.Slug,
	}
	s.metrics = map[string]series{s.depthKey: empty(d.seconds/60 + 1), s.sizeKey: empty(d.seconds/60 + 1)}
	resources := r.v.(map[string]any)
	for _, id := range []string{"QueueHasJobs", "BacklogWithoutCapacity", "QueueEmpty", "QueueDeep", "ErrorRate", "MetricsMissing"} {
		if r.at(id, "Type").text() != "AWS::CloudWatch::Alarm" {
			t.Fatalf("%s is no alarm", id)
		}
		a := alarmOf(id, r.at(id))
		s.alarms = append(s.alarms, a)
		switch {
		case slices.Contains(a.policies, "FirstWorker"):
			s.first = a
		case slices.ContainsFunc(a.topics, func(topic string) bool { return strings.HasSuffix(topic, " ScaleToZeroTopicArn") }):
			s.zero = a
		}
	}
	for id := range resources {
		if r.at(id, "Type").text() == "AWS::CloudWatch::Alarm" && !slices.ContainsFunc(s.alarms, func(a *alarm) bool { return a.id == id }) {
			t.Fatalf("the simulation does not know the alarm %s", id)
		}
	}
	if s.first == nil || s.zero == nil {
		t.Fatal("no alarm starts the first worker, or none sends the fleet to zero")
	}
	s.alarms = append(s.alarms, s.group.high)
	if s.group.low != nil {
		s.alarms = append(s.alarms, s.group.low)
	}
	for i, a := range s.alarms {
		a.phase = (d.evaluate + i*tick) % 60
	}
	s.group.low.phase = s.group.high.phase
	return s
}

func empty(n int) series {
	s := make(series, n)
	for i := range s {
		s[i] = math.NaN()
	}
	return s
}

func (s *simulation) run() *simulation {
	jobs := s.day.jobs
	for now := 0; now < s.day.seconds; now += tick {
		for len(jobs) > 0 && jobs[0].at <= now {
			s.waiting = append(s.waiting, jobs[0].takes)
			jobs = jobs[1:]
		}
		if slices.Contains(s.day.interruptions, now) {
			s.interrupt(now)
		}
		s.group.converge(now, s.boot)
		s.work(now)
		s.observe(now)
		s.scale(now)
		s.note(now)
	}
	return s
}

func (s *simulation) boot() int {
	s.booted++
	return s.day.boots[s.booted%len(s.day.boots)]
}

// interrupt takes the oldest worker; its job is queued again.
func (s *simulation) interrupt(now int) {
	if s.group.inService(now) == 0 {
		return
	}
	if i := s.group.instances[0]; i.job > 0 {
		s.waiting = append(s.waiting, i.job-now)
	}
	s.group.instances = s.group.instances[1:]
}

func (s *simulation) work(now int) {
	for _, i := range s.group.instances {
		if i.job > 0 && now >= i.job {
			i.job = 0
		}
		if i.job == 0 && now >= i.serves && len(s.waiting) > 0 {
			i.job = now + max(tick, s.waiting[0])
			s.waiting = s.waiting[1:]
		}
	}
}

func (s *simulation) depth() int { return len(s.waiting) + s.group.protected() }

func (s *simulation) silent(now int) bool {
	return slices.ContainsFunc(s.day.outages, func(o [2]int) bool { return now >= o[0] && now < o[1] })
}

// observe publishes what CloudWatch sees.
func (s *simulation) observe(now int) {
	s.published = append(s.published, math.NaN())
	if now%60 == s.day.publish && !s.silent(now) {
		s.metrics[s.depthKey][now/60] = float64(s.depth())
		s.published[len(s.published)-1] = float64(s.depth())
	}
	if now%60 == s.day.sample && s.collected {
		s.metrics[s.sizeKey][now/60] = float64(s.group.desired)
	}
}

// scale evaluates the alarms whose turn it is and lets them act: policies each
// minute of ALARM, the larger one where several do, and the function on the
// change to ALARM (Auto Scaling User Guide, "Dynamic scaling"; CloudWatch User
// Guide, "Alarm actions").
func (s *simulation) scale(now int) {
	wants, by := -1, ""
	for _, a := range s.alarms {
		if now%60 != a.phase {
			continue
		}
		changed := a.evaluate(s.metrics, now/60)
		var want int
		switch {
		case a.state != stateAlarm:
			continue
		case a == s.first:
			want = s.group.stepWants(now, a)
		case a == s.group.high, a == s.group.low:
			want = s.group.trackingWants(now)
		case a == s.zero && changed:
			var armed bool
			want, armed = s.decide.zero(s, a, now)
			if armed {
				a.state = stateOK
			}
			if want > s.group.desired {
				s.t.Fatalf("the function raised %d to %d", s.group.desired, want)
			}
		default:
			continue
		}
		if want > wants {
			wants, by = want, a.id
		}
	}
	if wants < 0 || wants == s.group.desired {
		return
	}
	from := s.group.desired
	if s.group.set(wants); s.group.desired != from {
		s.changes = append(s.changes, change{now, from, s.group.desired, by})
	}
}

func (s *simulation) note(now int) {
	s.queue = append(s.queue, s.depth())
	s.desired = append(s.desired, s.group.desired)
	s.inService = append(s.inService, s.group.inService(now))
	for _, a := range s.alarms {
		s.states[a.id] = append(s.states[a.id], a.state)
	}
}

func (c change) String() string {
	return fmt.Sprintf("%02d:%02d:%02d %d→%d by %s", c.at/3600, c.at/60%60, c.at%60, c.from, c.to, c.by)
}
