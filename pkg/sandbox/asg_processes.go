package sandbox

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

const (
	processLaunch    = "Launch"
	processTerminate = "Terminate"
	processHealth    = "HealthCheck"
	processReplace   = "ReplaceUnhealthy"
	processRefresh   = "InstanceRefresh"
)

// processes are what can be suspended (Auto Scaling user guide, "Types of
// processes").
var processes = []string{
	"AddToLoadBalancer", "AlarmNotification", "AZRebalance", processHealth, processRefresh, processLaunch, processReplace, "ScheduledActions", processTerminate,
}

// may tells whether a process is not suspended.
func (g *group) may(process string) bool { return g.Suspended[process] == "" }

// askedProcesses are the processes that a request names; none means all.
func askedProcesses(names []string) ([]string, error) {
	for _, name := range names {
		if !slices.Contains(processes, name) {
			return nil, fail("ValidationError", "Invalid process name: %.80s", name)
		}
	}
	if len(names) == 0 {
		return processes, nil
	}
	return names, nil
}

func suspendProcesses(c *call, in *autoscaling.SuspendProcessesInput) (*autoscaling.SuspendProcessesOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := askedProcesses(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	makeMap(&g.Suspended)
	for _, name := range names {
		if g.may(name) {
			g.Suspended[name] = "User suspended at " + c.now.Format("2006-01-02T15:04:05Z")
		}
	}
	return &autoscaling.SuspendProcessesOutput{}, nil
}

// resumeProcesses lets the group catch up with what it missed.
func resumeProcesses(c *call, in *autoscaling.ResumeProcessesInput) (*autoscaling.ResumeProcessesOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	names, err := askedProcesses(in.ScalingProcesses)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		delete(g.Suspended, name)
	}
	g.replaceUnhealthy(c)
	g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	return &autoscaling.ResumeProcessesOutput{}, nil
}

func setInstanceHealth(c *call, in *autoscaling.SetInstanceHealthInput) (*autoscaling.SetInstanceHealthOutput, error) {
	g, inst, err := c.instance(aws.ToString(in.InstanceId))
	if err != nil {
		return nil, err
	}
	status := aws.ToString(in.HealthStatus)
	if status != "Healthy" && status != "Unhealthy" {
		return nil, fail("ValidationError", "Valid instance health states are: [Healthy, Unhealthy].")
	}
	young := c.now.Before(inst.Launched.Add(c.takes(float64(g.Grace))))
	if status == "Unhealthy" && young && (in.ShouldRespectGracePeriod == nil || *in.ShouldRespectGracePeriod) {
		return &autoscaling.SetInstanceHealthOutput{}, nil
	}
	inst.Bad = status == "Unhealthy"
	g.replaceUnhealthy(c)
	return &autoscaling.SetInstanceHealthOutput{}, nil
}

// replaceUnhealthy terminates what is unhealthy, protected from scale-in or
// not, and launches as many.
func (g *group) replaceUnhealthy(c *call) {
	if !g.may(processHealth) || !g.may(processReplace) || !g.may(processTerminate) {
		return
	}
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.counts() && inst.Bad {
			g.end(c, inst, g.because(c, "an instance was taken out of service in response to a user health-check."))
		}
	}
	g.scale(c, g.because(c, "an instance was launched in response to an unhealthy instance needing to be replaced."))
}
