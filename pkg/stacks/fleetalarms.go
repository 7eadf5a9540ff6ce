package stacks

import (
	"fmt"

	"reconcile/pkg/cfn"
)

// alarms of a fleet. Names are as people and the scale-to-zero function know them.
func (f fleet) alarms(s *stack) {
	ops := list{cfn.StackOutput(f.monitoring(), "AlertTopicArn")}
	name := func(suffix string) string { return f.Stage + "-" + f.Name + "-" + suffix }
	tier := func(tier, suffix string) string { return f.Stage + "-" + tier + "-" + f.Name + "-" + suffix }
	own := func(metric string) alarm {
		return alarm{namespace: workerMetrics, metric: metric, dimensions: f.dimensions()}
	}

	a := own("QueueDepth")
	a.name, a.description = name("queue-has-jobs"), "The queue has jobs. For people; scaling does not use it."
	a.statistic, a.period, a.comparison, a.threshold, a.periods = "Maximum", 60, above, 0, 1
	a.missing = missingIsFine
	s.add("QueueHasJobs", a.resource())

	s.add("BacklogWithoutCapacity", alarm{
		name:        name("backlog-without-capacity"),
		description: "The queue has jobs and the fleet wants no worker: starts the first.",
		metrics: list{f.queueDepth("q"), f.desiredCapacity("d"), props{
			"Id": "stuck", "Expression": "IF(q > 0 AND d < 1, 1, 0)", "Label": "Jobs without a worker", "ReturnData": true,
		}},
		comparison: atLeast, threshold: 1, periods: 1,
		missing: missingIsFine,
		actions: list{cfn.LogicalRef("FirstWorker")},
	}.resource())

	// Fires on the transition only; without the term for d a fleet that stayed
	// empty would be in ALARM for ever and never go to zero a second time.
	// Missing data is no empty queue: when the publisher dies, fleets stand still.
	minutes := f.template.ScaleToZeroMinutes
	s.add("QueueEmpty", alarm{
		name:        name("queue-empty"),
		description: fmt.Sprintf("No job for %d minutes and the fleet wants workers: sends it to zero.", minutes),
		metrics: list{f.queueDepth("q"), f.desiredCapacity("d"), props{
			"Id": "idle", "Expression": "IF(q < 1 AND d > 0, 1, 0)", "Label": "Workers without a job", "ReturnData": true,
		}},
		comparison: atLeast, threshold: 1, periods: minutes,
		missing: missingIsFine,
		actions: list{cfn.StackOutput(f.gpuShared(), "ScaleToZeroTopicArn")},
	}.resource())
	s.Sources["QueueEmpty"] = f.template.At("scale_to_zero_minutes")

	a = own("QueueDepth")
	a.name, a.description = tier("p3", "queue-deep"), "At least 10 jobs wait."
	a.statistic, a.period, a.comparison, a.threshold, a.periods = "Maximum", 1800, atLeast, 10, 1
	a.missing, a.actions = missingIsFine, ops
	s.add("QueueDeep", a.resource())

	a = own("ErrorRate")
	a.name, a.description = f.errorAlarm(), "At least 20 % of the jobs fail."
	a.statistic, a.period, a.comparison, a.threshold, a.periods = "Average", 300, atLeast, 20, 1
	a.missing, a.actions = missingIsFine, ops
	s.add("ErrorRate", a.resource())

	// No value is below zero: only missing data raises this one.
	a = own("QueueDepth")
	a.name = tier("p2", "metrics-missing")
	a.description = "The backend's scheduler has not published this fleet's metrics for 10 minutes: it does not scale."
	a.statistic, a.period, a.comparison, a.threshold, a.periods = "Maximum", 60, below, 0, 10
	a.missing, a.actions = missingIsAlarm, ops
	s.add("MetricsMissing", a.resource())
}
