package stacks_test

import (
	"fmt"
	"strings"
	"testing"

	"reconcile/pkg/plan"
)

// What the scaling of a fleet does is tested in the directory scaling; here is
// what its template says.

const fleetName = "bp-gpu-fleet-staging-gpu-default"

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
}

func TestDeadPublisherTellsPeople(t *testing.T) {
	d := render(t, shipped())
	p := plain(t, resource(t, d, fleetName, "MetricsMissing").Properties)
	if at(t, p, "TreatMissingData") != "breaching" || len(at(t, p, "AlarmActions").([]any)) == 0 {
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
	if got := at(t, tracking, "TargetTrackingConfiguration", "CustomizedMetricSpecification", "Metrics", 2, "Expression"); got != "IF(q > 7, q, 7) / IF(d > 1, d, 1)" {
		t.Errorf("expression %v", got)
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
