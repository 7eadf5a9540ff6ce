package scaling_test

import (
	"math"
	"slices"
)

// What AWS does and no template says.
const (
	tick = 10 // seconds; everything happens at a multiple

	// inServiceAfter: a launched instance is in service when EC2 says it runs;
	// there are no lifecycle hooks.
	inServiceAfter = 60
	// The alarms that target tracking makes for metrics of a minute: three points
	// above the target, 15 points more than 10 % below it (Auto Scaling User Guide,
	// "Target tracking scaling policies"; the numbers are what DescribeAlarms shows).
	trackingHighPoints, trackingLowPoints = 3, 15
	trackingLow                           = 0.9
)

// instance is a worker's machine; times are seconds of the day.
type instance struct {
	launched int
	serves   int // when its worker takes jobs: boots are long
	job      int // when the job that it holds is done; 0: none
}

// group is an Auto Scaling group with the policies of the template.
type group struct {
	min, max, warmup int // instances, instances, seconds
	step             []stepAdjustment
	high, low        *alarm // of target tracking
	target           float64

	desired   int
	instances []*instance
}

// stepAdjustment is an interval above the threshold and what it adds.
type stepAdjustment struct{ lower, upper, adjustment float64 }

// groupOf reads the group and its policies.
func groupOf(r node) *group {
	p := r.at("Group", "Properties")
	g := &group{
		min: int(p.at("MinSize").number()), max: int(p.at("MaxSize").number()), warmup: int(p.at("DefaultInstanceWarmup").number()),
	}
	g.desired = g.min
	step := r.at("FirstWorker", "Properties")
	if kind := step.at("AdjustmentType").text(); kind != "ChangeInCapacity" {
		r.t.Fatalf("a step of kind %s", kind)
	}
	for _, s := range step.at("StepAdjustments").list() {
		a := stepAdjustment{math.Inf(-1), math.Inf(1), s.at("ScalingAdjustment").number()}
		if s.has("MetricIntervalLowerBound") {
			a.lower = s.at("MetricIntervalLowerBound").number()
		}
		if s.has("MetricIntervalUpperBound") {
			a.upper = s.at("MetricIntervalUpperBound").number()
		}
		g.step = append(g.step, a)
	}
	tracking := r.at("Backlog", "Properties", "TargetTrackingConfiguration")
	g.target = tracking.at("TargetValue").number()
	value, metrics, period := expressionOf(tracking.at("CustomizedMetricSpecification", "Metrics"))
	managed := func(id, comparison string, threshold float64, points int) *alarm {
		return &alarm{id: id, value: value, metrics: metrics, period: period, comparison: comparison, threshold: threshold, periods: points, points: points, missing: "missing", state: stateUnknown}
	}
	g.high = managed("Backlog high", "GreaterThanThreshold", g.target, trackingHighPoints)
	if tracking.at("DisableScaleIn").v == false {
		g.low = managed("Backlog low", "LessThanThreshold", trackingLow*g.target, trackingLowPoints)
	}
	return g
}

// warm counts the instances that have passed their warm-up.
func (g *group) warm(now int) int {
	n := 0
	for _, i := range g.instances {
		if now >= i.launched+inServiceAfter+g.warmup {
			n++
		}
	}
	return n
}

// stepWants is the size that the step policy asks for: a breach again, while
// what the last one launched warms up, asks for the same ("Step and simple
// scaling policies", instance warmup).
func (g *group) stepWants(now int, a *alarm) int {
	for _, s := range g.step {
		if above := a.last - a.threshold; above >= s.lower && above < s.upper {
			return max(g.desired, min(g.warm(now), g.desired)+int(s.adjustment))
		}
	}
	return g.desired
}

// trackingWants is the size at which the metric would be at its target, rounded
// up. What warms up is not multiplied again, so that a breach that lasts adds
// once; nothing is taken away before all is warm (Auto Scaling User Guide, "Set
// the default instance warmup"; re:Post, "slow down asg target tracking scale out").
func (g *group) trackingWants(now int) int {
	warm := min(g.warm(now), g.desired)
	ideal := func(a *alarm) int { return int(math.Ceil(float64(warm)*a.last/g.target - 1e-9)) }
	switch {
	case g.high.state == stateAlarm:
		return max(g.desired, ideal(g.high))
	case g.low != nil && g.low.state == stateAlarm && warm == g.desired:
		return min(g.desired, ideal(g.low))
	}
	return g.desired
}

func (g *group) set(desired int) { g.desired = min(max(desired, g.min), g.max) }

// converge launches and terminates. A worker that holds a job protects itself,
// so it is not terminated.
func (g *group) converge(now int, boot func() int) {
	for len(g.instances) < g.desired {
		g.instances = append(g.instances, &instance{launched: now, serves: now + inServiceAfter + boot()})
	}
	for n := len(g.instances) - g.desired; n > 0; n-- {
		i := slices.IndexFunc(g.instances, func(i *instance) bool { return i.job == 0 })
		if i < 0 {
			return
		}
		g.instances = slices.Delete(g.instances, i, i+1)
	}
}

func (g *group) protected() int {
	n := 0
	for _, i := range g.instances {
		n += int(truth(i.job > 0))
	}
	return n
}

func (g *group) inService(now int) int {
	n := 0
	for _, i := range g.instances {
		n += int(truth(now >= i.launched+inServiceAfter))
	}
	return n
}
