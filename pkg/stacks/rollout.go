package stacks

// maxHealthyPercent lets a rollout launch before it ends old instances: a
// fleet of one is never without a worker, and what gets no capacity leaves the
// old ones at work.
const maxHealthyPercent = 110

// errorAlarm is the name of the alarm that ends a rollout.
func (f fleet) errorAlarm() string { return f.Stage + "-p2-" + f.Name + "-error-rate" }

// rolloutPolicy is how CloudFormation replaces instances when a stack update
// changes what the group launches (template reference, "UpdatePolicy
// attribute", AutoScalingInstanceRefresh). The stack waits for it, and a
// failure takes the stack, and so the instances, back.
func (f fleet) rolloutPolicy() props {
	r := f.Rollout
	preferences := props{
		"MinHealthyPercentage":      r.MinHealthyPercent,
		"MaxHealthyPercentage":      min(maxHealthyPercent, 100+r.MinHealthyPercent),
		"InstanceWarmup":            f.template.WarmupSeconds,
		"SkipMatching":              true, // an instance that is as wanted stays
		"BakeTime":                  60 * r.BakeMinutes,
		"ScaleInProtectedInstances": map[string]string{"wait": "Wait", "replace": "Refresh", "keep": "Ignore"}[r.BusyWorkers],
		"StandbyInstances":          "Ignore", // somebody took them out to look at them
	}
	if r.CheckpointPercent > 0 {
		preferences["CheckpointPercentages"] = list{r.CheckpointPercent, 100}
		preferences["CheckpointDelay"] = 60 * r.CheckpointMinutes
	}
	if r.WatchAlarms {
		preferences["AlarmSpecification"] = props{"Alarms": list{f.errorAlarm()}}
	}
	return props{"Strategy": "Rolling", "Preferences": preferences}
}
