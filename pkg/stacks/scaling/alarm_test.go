package scaling_test

import "math"

// series is a metric, minute by minute; NaN where nobody published.
type series []float64

func (s series) at(minute int) float64 {
	if minute < 0 || minute >= len(s) {
		return math.NaN()
	}
	return s[minute]
}

// over is the largest value of the period that ends with a minute.
func (s series) over(last, minutes int) float64 {
	most := math.NaN()
	for m := last - minutes + 1; m <= last; m++ {
		if v := s.at(m); math.IsNaN(most) || v > most {
			most = v
		}
	}
	return most
}

// The states of an alarm.
const (
	stateOK      = "OK"
	stateAlarm   = "ALARM"
	stateUnknown = "INSUFFICIENT_DATA"
)

// alarm is an AWS::CloudWatch::Alarm as the template has it, or one that target
// tracking made.
type alarm struct {
	id         string
	value      formula
	metrics    map[string]string // of the formula's variables
	period     int               // minutes
	comparison string
	threshold  float64
	periods    int // to evaluate
	points     int // to alarm
	missing    string
	topics     []string // what the template's actions refer to
	policies   []string

	phase int // of its evaluation, seconds of the minute
	state string
	last  float64 // the newest value that was evaluated
	vars  map[string]float64
}

// alarmOf reads a rendered alarm of the fleet.
func alarmOf(id string, r node) *alarm {
	p := r.at("Properties")
	a := &alarm{
		id: id, comparison: p.at("ComparisonOperator").text(), threshold: p.at("Threshold").number(),
		periods: int(p.at("EvaluationPeriods").number()), points: int(p.at("DatapointsToAlarm").number()), missing: p.at("TreatMissingData").text(),
		state: stateUnknown,
	}
	if p.has("Metrics") {
		a.value, a.metrics, a.period = expressionOf(p.at("Metrics"))
	} else {
		a.value, a.metrics, a.period = compile(r.t, "m"), map[string]string{"m": metricKey(p)}, int(p.at("Period").number())/60
	}
	if p.has("AlarmActions") {
		for _, action := range p.at("AlarmActions").list() {
			if action.has("Ref") {
				a.policies = append(a.policies, action.at("Ref").text())
			} else {
				a.topics = append(a.topics, action.at("Reconcile::Ref").text())
			}
		}
	}
	return a
}

// expressionOf reads the expression that returns data, and its metrics.
func expressionOf(metrics node) (f formula, names map[string]string, minutes int) {
	names = map[string]string{}
	for _, m := range metrics.list() {
		if m.at("ReturnData").v == true {
			f = compile(m.t, m.at("Expression").text())
			continue
		}
		stat := m.at("MetricStat")
		if stat.at("Stat").text() != "Maximum" {
			m.t.Fatalf("statistic %s", stat.at("Stat").text())
		}
		names[m.at("Id").text()], minutes = metricKey(stat.at("Metric")), int(stat.at("Period").number())/60
	}
	return f, names, minutes
}

// metricKey is a metric with its dimensions: what nobody publishes has no data.
func metricKey(m node) string {
	key := m.at("Namespace").text() + " " + m.at("MetricName").text()
	for _, d := range m.at("Dimensions").list() {
		key += " " + d.at("Name").text() + "=" + d.at("Value").text()
	}
	return key
}

// evaluate settles the state at a minute, and tells whether it changed.
//
// CloudWatch looks at more periods than it has to evaluate, here two as in its
// example. It takes the newest real data points where there are enough of them
// and else fills up with what missing data means (CloudWatch User Guide,
// "Configuring how CloudWatch alarms treat missing data").
func (a *alarm) evaluate(metrics map[string]series, minute int) bool {
	was := a.state
	var real []float64
	missing := 0
	for i := range a.periods + 2 {
		v := a.read(metrics, minute-i*a.period)
		if math.IsNaN(v) {
			missing++
		} else if real = append(real, v); len(real) == a.periods {
			break
		}
	}
	if len(real) > 0 {
		a.last = real[0]
	}
	breaching := 0
	for _, v := range real {
		if a.breaches(v) {
			breaching++
		}
	}
	filled := a.periods - len(real)
	switch {
	case filled == 0 || a.missing == "notBreaching":
	case a.missing == "breaching":
		breaching += filled
	case a.missing == "ignore" && breaching < a.points:
		return false
	case a.missing == "missing" && len(real) == 0:
		a.state = stateUnknown
		return a.state != was
	}
	a.state = stateOK
	if breaching >= a.points {
		a.state = stateAlarm
	}
	return a.state != was
}

// read is the value of the period that ends with a minute. Periods of more than
// a minute lie on the clock.
func (a *alarm) read(metrics map[string]series, minute int) float64 {
	end := minute/a.period*a.period + a.period - 1
	if a.vars == nil {
		a.vars = make(map[string]float64, len(a.metrics))
	}
	for name, metric := range a.metrics {
		a.vars[name] = metrics[metric].over(end, a.period)
	}
	return a.value.at(a.vars)
}

func (a *alarm) breaches(v float64) bool {
	switch a.comparison {
	case "GreaterThanThreshold":
		return v > a.threshold
	case "GreaterThanOrEqualToThreshold":
		return v >= a.threshold
	case "LessThanThreshold":
		return v < a.threshold
	case "LessThanOrEqualToThreshold":
		return v <= a.threshold
	}
	panic("comparison " + a.comparison)
}
