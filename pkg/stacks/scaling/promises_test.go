package scaling_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"reconcile/pkg/spec"
)

// firstWithin is how long, in seconds, a fleet may stay at zero after its queue
// was seen to have jobs.
const firstWithin = 120

// broken lists the promises that a day broke.
func (s *simulation) broken() []string {
	var out []string
	say := func(now int, format string, args ...any) {
		out = append(out, change{at: now}.clock()+" "+fmt.Sprintf(format, args...))
	}
	s.zeroWithWork(say)
	s.idleTime(say)
	s.flapping(say)
	s.silence(say)
	return out
}

type sayer = func(now int, format string, args ...any)

// zeroWithWork: work that was published has a worker wanted in time, and while
// it is known nothing takes the last one away.
func (s *simulation) zeroWithWork(say sayer) {
	since := -1 // when it was first published that there is work and no worker is wanted
	known := false
	for i, depth := range s.published {
		now := i * tick
		if !math.IsNaN(depth) {
			known = depth > 0
		}
		switch {
		case s.desired[i] > 0 || !known:
			since = -1
		case since < 0:
			since = now
			if i > 0 && s.desired[i-1] > 0 && math.IsNaN(depth) {
				say(now, "set to zero with known work")
			}
		case now-since > firstWithin:
			say(now, "no worker is wanted %d s after the work was published", now-since)
			since = now
		}
	}
}

// idleTime: the fleet goes to zero by the function alone, not before its idle
// minutes and not much after them.
func (s *simulation) idleTime(say sayer) {
	minutes := s.minutes
	for _, c := range s.changes {
		if c.to == 0 && c.by != s.zero.id {
			say(c.at, "%s set it to zero", c.by)
		}
	}
	work, idle := -1, 0 // last work that was published; ticks of known idleness with workers
	for i, depth := range s.published {
		now := i * tick
		if depth > 0 {
			work = now
		}
		if i > 0 && s.desired[i] == 0 && s.desired[i-1] > 0 && work >= 0 && now-work < (minutes-1)*60 {
			say(now, "zero %d s after the last work, of %d minutes", now-work, minutes)
		}
		if idle++; depth > 0 || s.desired[i] == 0 || s.silent(now) || s.queue[i] > 0 {
			idle = 0
		}
		if idle*tick > minutes*60+180 {
			say(now, "%d workers idle for %d s, of %d minutes", s.desired[i], idle*tick, minutes)
			idle = 0
		}
	}
}

// calm is how long after it grew a fleet may not shrink: what shrinks it needs
// that many minutes of evidence, all of which the growth contradicts.
func (s *simulation) calm() int { return (min(trackingLowPoints, s.minutes) - 2) * 60 }

// flapping: the policies do not undo each other.
func (s *simulation) flapping(say sayer) {
	grew := math.MinInt / 2
	for _, c := range s.changes {
		if c.to > c.from {
			grew = c.at
		} else if c.at-grew < s.calm() {
			say(c.at, "shrank %d s after it grew: %v", c.at-grew, s.changes)
		}
	}
}

// silence: who knows nothing of the queue changes nothing.
func (s *simulation) silence(say sayer) {
	for _, o := range s.day.outages {
		for _, c := range s.changes {
			if c.at >= o[0]+240 && c.at < o[1] {
				say(c.at, "%s while nobody publishes since %s", c, change{at: o[0]}.clock())
			}
		}
	}
}

func (c change) clock() string { return fmt.Sprintf("%02d:%02d:%02d", c.at/3600, c.at/60%60, c.at%60) }

// assorted are fleets of the shipped templates and of others that the backend
// may write.
func assorted(t *testing.T) []fleet {
	all := templates(t)
	for i, most := range []int{1, 2, 3, 5, 8, 10, 13, 20} {
		all = append(all, spec.FleetTemplate{
			Slug: fmt.Sprintf("fleet-%d", i), AllowedInstanceTypes: []string{"g5.xlarge"},
			MaxSize: most, WarmupSeconds: []int{0, 60, 180, 300, 900}[i%5], BacklogTarget: 1 + i*3%8, ScaleToZeroMinutes: []int{3, 5, 15, 40}[i*3%4],
		})
	}
	return rendered(t, all...)
}

// anyDay draws hours of bursts and quiet, with all that goes wrong.
func anyDay(rt *rapid.T, hours int) day {
	seconds := hours * 3600
	ticks := func(name string, least, most int) int {
		return rapid.IntRange(least/tick, most/tick).Draw(rt, name) * tick
	}
	phase := func(name string) int { return ticks(name, 0, 50) }
	d := day{
		seconds: seconds, publish: phase("publish"), sample: phase("sample"), evaluate: phase("evaluate"),
		boots: rapid.SliceOfN(rapid.IntRange(300, 900), 1, 4).Draw(rt, "boots"),
	}
	at := 0
	for range rapid.IntRange(1, 8).Draw(rt, "bursts") {
		at += ticks("quiet", 0, 5400)
		takes := ticks("takes", 30, 300)
		every := ticks("every", 0, 120)
		for range rapid.IntRange(1, 30).Draw(rt, "jobs") {
			d.jobs = append(d.jobs, job{at, takes})
			at += every
		}
	}
	for range rapid.IntRange(0, 2).Draw(rt, "outages") {
		from := ticks("silent from", 0, seconds)
		d.outages = append(d.outages, [2]int{from, from + ticks("for", 60, 5400)})
	}
	for range rapid.IntRange(0, 6).Draw(rt, "interruptions") {
		d.interruptions = append(d.interruptions, ticks("interrupted", 0, seconds))
	}
	return d
}

// TestRandomDaysBreakNoPromise holds the rendered alarms and policies against
// what they promise.
func TestRandomDaysBreakNoPromise(t *testing.T) {
	t.Parallel()
	decide, fleets := newDecider(t), assorted(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.SampledFrom(fleets).Draw(rt, "fleet")
		s := newSimulation(t, f, anyDay(rt, 8), decide).run()
		if broken := s.broken(); len(broken) > 0 {
			rt.Fatalf("%v\nchanges: %v", broken, s.changes)
		}
	})
}
