package stacks

import "reconcile/pkg/cfn"

// What an alarm makes of a period without data. Every alarm says it.
const (
	missingIsFine    = "notBreaching"
	missingIsAlarm   = "breaching"
	missingIsUnknown = "missing"
)

// alarm on one metric. Threshold and periods are left to the caller's words.
type alarm struct {
	name, description string
	namespace, metric string
	dimensions        list
	statistic         string
	period            int // seconds
	comparison        string
	threshold         float64
	periods           int
	missing           string
	actions           list
	metrics           list // instead of namespace to period: metric maths
}

// Comparisons.
const (
	atLeast = "GreaterThanOrEqualToThreshold"
	above   = "GreaterThanThreshold"
	below   = "LessThanThreshold"
)

func (a alarm) resource() cfn.Resource {
	p := props{
		"AlarmName":          a.name,
		"AlarmDescription":   a.description,
		"ComparisonOperator": a.comparison,
		"Threshold":          number(a.threshold),
		"EvaluationPeriods":  a.periods,
		"DatapointsToAlarm":  a.periods,
		"TreatMissingData":   a.missing,
	}
	if len(a.actions) > 0 {
		p["AlarmActions"] = a.actions
	}
	if len(a.metrics) > 0 {
		p["Metrics"] = a.metrics
	} else {
		p["Namespace"], p["MetricName"] = a.namespace, a.metric
		if len(a.dimensions) > 0 {
			p["Dimensions"] = a.dimensions
		}
		p["Statistic"], p["Period"] = a.statistic, a.period
	}
	return cfn.Resource{Type: "AWS::CloudWatch::Alarm", Properties: p}
}

// number keeps whole numbers whole, so that templates show 2 and not 2.0.
func number(f float64) any {
	if i := int64(f); float64(i) == f {
		return int(i)
	}
	return f
}

// dimension pairs a name and a value.
func dimensions(pairs ...any) list {
	var out list
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, props{"Name": pairs[i], "Value": pairs[i+1]})
	}
	return out
}
