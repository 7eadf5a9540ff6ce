package stacks_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reconcile/pkg/plan"
)

// The scaling of a fleet is tested by what it does: the metric maths and the
// alarms of the rendered template drive a group, minute by minute.

const fleetName = "bp-gpu-fleet-staging-gpu-default"

// noData is a minute in which nobody published.
var noData = math.NaN()

// fleetSim is the group and CloudWatch, as far as the template uses them.
type fleetSim struct {
	first, empty    simAlarm
	target          float64
	trackExpression string
	most            float64
	desired         float64
	queue           []float64 // per minute; NaN: no datapoint
}

type simAlarm struct {
	expression string
	periods    int
	missing    string
	inAlarm    bool
	values     []float64
}

func newFleetSim(t testing.TB) *fleetSim {
	d := render(t, shipped())
	resources := plain(t, stackNamed(t, d, fleetName).Template.Resources)
	return &fleetSim{
		first:  alarmOf(t, resources, "BacklogWithoutCapacity"),
		empty:  alarmOf(t, resources, "QueueEmpty"),
		target: at(t, resources, "Backlog", "Properties", "TargetTrackingConfiguration", "TargetValue").(float64),
		trackExpression: expressionOf(t, at(t, resources, "Backlog", "Properties", "TargetTrackingConfiguration",
			"CustomizedMetricSpecification", "Metrics")),
		most: 10,
	}
}

func alarmOf(t testing.TB, resources any, id string) simAlarm {
	p := at(t, resources, id, "Properties")
	if at(t, p, "Threshold").(float64) != 1 || at(t, p, "ComparisonOperator") != "GreaterThanOrEqualToThreshold" {
		t.Fatalf("%s: the simulation expects >= 1", id)
	}
	if at(t, p, "DatapointsToAlarm") != at(t, p, "EvaluationPeriods") {
		t.Fatalf("%s: not N of N", id)
	}
	return simAlarm{
		expression: expressionOf(t, at(t, p, "Metrics")),
		periods:    int(at(t, p, "EvaluationPeriods").(float64)),
		missing:    at(t, p, "TreatMissingData").(string),
	}
}

// expressionOf is the expression that returns data; q and d must be what they are called.
func expressionOf(t testing.TB, metrics any) string {
	t.Helper()
	var expression string
	for _, m := range metrics.([]any) {
		switch id := at(t, m, "Id").(string); {
		case at(t, m, "ReturnData") == true:
			expression = at(t, m, "Expression").(string)
		case id == "q" && at(t, m, "MetricStat", "Metric", "MetricName") == "QueueDepth",
			id == "d" && at(t, m, "MetricStat", "Metric", "MetricName") == "GroupDesiredCapacity":
			if at(t, m, "MetricStat", "Stat") != "Maximum" || at(t, m, "MetricStat", "Period") != 60.0 {
				t.Fatalf("metric %s is not the maximum of a minute", id)
			}
		default:
			t.Fatalf("unexpected metric %v", m)
		}
	}
	return expression
}

// ideal is the size that target tracking aims at, rounded up, but not for the
// rounding of a division.
func ideal(desired, value, target float64) float64 {
	return math.Ceil(desired*value/target - 1e-9)
}

// minute lets one minute pass in which the queue had the given depth.
func (s *fleetSim) minute(t testing.TB, q float64) {
	s.queue = append(s.queue, q)
	d := s.desired
	if s.first.evaluate(t, q, d); s.first.inAlarm {
		// The action of a scaling policy repeats each minute of ALARM.
		s.desired = math.Min(s.desired+1, s.most)
	}
	if ratio := evaluate(t, s.trackExpression, q, d); !math.IsNaN(ratio) && d > 0 {
		s.desired = math.Min(ideal(d, ratio, s.target), s.most)
	}
	before := s.empty.inAlarm
	s.empty.evaluate(t, q, d)
	if s.empty.inAlarm && !before {
		s.desired = 0 // the topic's function, on the transition only
	}
}

// evaluate adds a datapoint and settles the state, N of N.
func (a *simAlarm) evaluate(t testing.TB, q, d float64) {
	a.values = append(a.values, evaluate(t, a.expression, q, d))
	if len(a.values) < a.periods {
		return
	}
	breaching := true
	for _, v := range a.values[len(a.values)-a.periods:] {
		if math.IsNaN(v) {
			breaching = breaching && a.missing == "breaching"
			continue
		}
		breaching = breaching && v >= 1
	}
	a.inAlarm = breaching
}

func TestTrackingNeverReachesZero(t *testing.T) {
	s := newFleetSim(t)
	rapid.Check(t, func(rt *rapid.T) {
		q := float64(rapid.IntRange(0, 100_000).Draw(rt, "queue"))
		d := float64(rapid.IntRange(1, 100).Draw(rt, "desired"))
		value := evaluate(t, s.trackExpression, q, d)
		if ideal := ideal(d, value, s.target); ideal < 1 {
			rt.Fatalf("q=%v d=%v: tracking wants %v", q, d, ideal)
		} else if want := math.Max(1, math.Ceil(q/s.target)); ideal != want {
			rt.Fatalf("q=%v d=%v: tracking wants %v, not %v", q, d, ideal, want)
		}
		if at0 := evaluate(t, s.trackExpression, q, 0); math.IsNaN(at0) || math.IsInf(at0, 0) {
			rt.Fatalf("q=%v: undefined without workers", q)
		}
	})
}

func TestFirstWorkerAddsAndNeverShrinks(t *testing.T) {
	d := render(t, shipped())
	p := plain(t, resource(t, d, fleetName, "FirstWorker").Properties)
	if at(t, p, "AdjustmentType") != "ChangeInCapacity" {
		t.Errorf("adjustment %v: an exact size fights target tracking", at(t, p, "AdjustmentType"))
	}
	steps := at(t, p, "StepAdjustments").([]any)
	if len(steps) != 1 || at(t, steps[0], "ScalingAdjustment") != 1.0 {
		t.Errorf("steps %v", steps)
	}
	s := newFleetSim(t)
	rapid.Check(t, func(rt *rapid.T) {
		q, n := float64(rapid.IntRange(0, 9).Draw(rt, "queue")), float64(rapid.IntRange(0, 9).Draw(rt, "desired"))
		if fires := evaluate(t, s.first.expression, q, n) >= 1; fires != (q > 0 && n == 0) {
			rt.Fatalf("q=%v d=%v: fires %v", q, n, fires)
		}
	})
}

func TestFleetReachesZeroOnlyAfterItsIdleTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newFleetSim(t)
		quiet := 0
		for range 120 {
			q := float64(rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 40}).Draw(rt, "queue"))
			before := s.desired
			s.minute(t, q)
			if q > 0 {
				quiet = 0
			} else {
				quiet++
			}
			if s.desired == 0 && before > 0 && quiet < 15 {
				rt.Fatalf("zero after %d quiet minutes: %v", quiet, s.queue)
			}
			if q > 0 && s.desired < 1 {
				rt.Fatalf("jobs and no worker wanted: %v", s.queue)
			}
		}
	})
}

func TestFleetGoesToZeroAgainAndAgain(t *testing.T) {
	s := newFleetSim(t)
	for round := range 3 {
		s.minute(t, 3)
		s.minute(t, 3)
		if s.desired < 1 {
			t.Fatalf("round %d: no worker", round)
		}
		for range 20 {
			s.minute(t, 0)
		}
		if s.desired != 0 {
			t.Fatalf("round %d: %v workers after 20 idle minutes", round, s.desired)
		}
		for range 60 {
			s.minute(t, 0) // stays empty: the alarm must not stay in ALARM
		}
		if s.empty.inAlarm {
			t.Fatalf("round %d: the alarm is not armed again", round)
		}
	}
}

func TestDeadPublisherMovesNothing(t *testing.T) {
	s := newFleetSim(t)
	for range 5 {
		s.minute(t, 40)
	}
	before := s.desired
	for range 120 {
		s.minute(t, noData)
	}
	if s.desired != before {
		t.Errorf("%v workers became %v while nobody published", before, s.desired)
	}
	d := render(t, shipped())
	p := plain(t, resource(t, d, fleetName, "MetricsMissing").Properties)
	if at(t, p, "TreatMissingData") != "breaching" || at(t, p, "AlarmActions").([]any) == nil {
		t.Errorf("nobody is told of a dead publisher: %v", p)
	}
}

// TestScalingMetricsArePublished: the expressions read a metric that a group
// publishes only when it is asked to.
func TestScalingMetricsArePublished(t *testing.T) {
	d := render(t, shipped())
	p := plain(t, resource(t, d, fleetName, "Group").Properties)
	if got := fmt.Sprint(at(t, p, "MetricsCollection")); !strings.Contains(got, "GroupDesiredCapacity") || !strings.Contains(got, "1Minute") {
		t.Errorf("metrics collection: %s", got)
	}
}

func TestBacklogTargetAndIdleTimeComeFromTheTemplate(t *testing.T) {
	set := shipped()
	set.Templates[0].BacklogTarget, set.Templates[0].ScaleToZeroMinutes, set.Templates[0].WarmupSeconds, set.Templates[0].MaxSize = 7, 42, 99, 3
	d := render(t, set)
	tracking := plain(t, resource(t, d, fleetName, "Backlog").Properties)
	if got := at(t, tracking, "TargetTrackingConfiguration", "TargetValue"); got != 7.0 {
		t.Errorf("target %v", got)
	}
	if got := expressionOf(t, at(t, tracking, "TargetTrackingConfiguration", "CustomizedMetricSpecification", "Metrics")); got != "IF(q > 7, q, 7) / IF(d > 1, d, 1)" {
		t.Errorf("expression %s", got)
	}
	if got := at(t, plain(t, resource(t, d, fleetName, "QueueEmpty").Properties), "EvaluationPeriods"); got != 42.0 {
		t.Errorf("idle minutes %v", got)
	}
	group := resource(t, d, fleetName, "Group").Properties
	if group["DefaultInstanceWarmup"] != 99 || group["MaxSize"] != "3" || group["MinSize"] != "0" {
		t.Errorf("group: %v", group)
	}
}

func TestCapacityIsNeverRendered(t *testing.T) {
	for name, set := range platforms() {
		d := render(t, set)
		for _, s := range d.Stacks {
			for id, r := range s.Template.Resources {
				for _, property := range []string{"DesiredCapacity", "DesiredCount"} {
					if _, ok := r.Properties[property]; ok {
						t.Errorf("%s: %s/%s has %s", name, s.Name, id, property)
					}
				}
				if r.Type == "AWS::AutoScaling::AutoScalingGroup" &&
					at(t, plain(t, r.UpdatePolicy), "AutoScalingScheduledAction", "IgnoreUnmodifiedGroupSizeProperties") != true {
					t.Errorf("%s: %s/%s resets its size on updates", name, s.Name, id)
				}
			}
		}
	}
}

func TestEveryAlarmSaysWhatMissingDataMeans(t *testing.T) {
	for name, set := range platforms() {
		for _, s := range render(t, set).Stacks {
			for id, r := range s.Template.Resources {
				if r.Type == "AWS::CloudWatch::Alarm" && r.Properties["TreatMissingData"] == nil {
					t.Errorf("%s: %s/%s", name, s.Name, id)
				}
			}
		}
	}
}

func fleetStacks(d plan.Desired) []plan.Stack {
	var out []plan.Stack
	for _, s := range d.Stacks {
		if s.Fleet != "" {
			out = append(out, s)
		}
	}
	return out
}
