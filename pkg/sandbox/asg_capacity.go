package sandbox

import (
	"fmt"
	"sort"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Seconds that instances typically take.
const (
	launchSeconds    = 40
	terminateSeconds = 60
	retrySeconds     = 60 // after a launch that failed
)

// keptActivities is how many activities a group remembers.
const keptActivities = 200

// groupActivity is a scaling activity: successful from End on, under way before.
type groupActivity struct {
	ID       string    `json:"id"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Describe string    `json:"description"`
	Cause    string    `json:"cause"`
	Failed   string    `json:"failed,omitempty"`

	Instance  string `json:"instance,omitempty"`
	Waits     bool   `json:"waits,omitempty"`     // for lifecycle actions: it has no end yet
	Cancelled bool   `json:"cancelled,omitempty"` // Failed says why
}

func (a *groupActivity) out(c *call, g *group) types.Activity {
	out := types.Activity{
		ActivityId: &a.ID, AutoScalingGroupName: &g.Name, AutoScalingGroupARN: &g.ARN, Cause: &a.Cause, Description: &a.Describe, StartTime: &a.Start,
		StatusCode: types.ScalingActivityStatusCodeInProgress, Progress: aws.Int32(50), Details: aws.String("{}"),
	}
	switch {
	case a.Waits:
		out.StatusCode, out.Progress = types.ScalingActivityStatusCodeMidLifecycleAction, aws.Int32(60)
	case !c.now.Before(a.End):
		out.EndTime, out.Progress, out.StatusCode = &a.End, aws.Int32(100), types.ScalingActivityStatusCodeSuccessful
		if a.Failed != "" {
			out.StatusCode, out.StatusMessage = types.ScalingActivityStatusCodeFailed, &a.Failed
		}
		if a.Cancelled {
			out.StatusCode = types.ScalingActivityStatusCodeCancelled
		}
	}
	return out
}

// scale brings the number of instances to the desired capacity. Instances that
// are protected from scale-in stay.
func (g *group) scale(c *call, cause string) {
	g.forget(c.now)
	have := g.active()
	want := g.Desired + g.surge()
	for ; have < want && g.may(processLaunch); have++ {
		if !g.launchOne(c, cause) {
			break
		}
	}
	for ; have > want && g.may(processTerminate); have-- {
		if !g.endOne(c, cause) {
			break
		}
	}
	g.plan(c)
}

// active counts the instances that make up the capacity: neither on their way
// out nor in standby.
func (g *group) active() int32 {
	n := int32(0)
	for i := range g.Instances {
		if g.Instances[i].counts() {
			n++
		}
	}
	return n
}

// tick does what is due: another attempt to launch, the next step of a refresh.
func (g *group) tick(c *call) {
	g.expireActions(c)
	if !g.Retry.IsZero() && !c.now.Before(g.Retry) {
		g.Retry = time.Time{}
		g.scale(c, g.because(c, fmt.Sprintf("an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d.", g.active(), g.Desired)))
	}
	if r := g.refreshing(); r != nil && !r.Next.IsZero() && !c.now.Before(r.Next) {
		g.advanceRefresh(c, r)
		if g.refreshing() == nil && g.active() > g.Desired {
			g.scale(c, g.because(c, "an instance was terminated in response to a difference between desired and actual capacity."))
		}
	}
	g.plan(c)
}

// plan says when the group does something by itself.
func (g *group) plan(c *call) {
	g.Next = g.Retry
	if at := g.nextExpiry(); !at.IsZero() && (g.Next.IsZero() || at.Before(g.Next)) {
		g.Next = at
	}
	if r := g.refreshing(); r != nil && !r.Next.IsZero() && (g.Next.IsZero() || r.Next.Before(g.Next)) {
		g.Next = r.Next
	}
	c.region.wakeAt(g.Next, wakeGroup, g.Name)
}

// forget drops instances that are gone and the oldest activities.
func (g *group) forget(now time.Time) {
	kept := g.Instances[:0]
	for _, i := range g.Instances {
		if i.state(now) != "" {
			kept = append(kept, i)
		}
	}
	g.Instances = kept
	if n := len(g.Activities) - keptActivities; n > 0 {
		g.Activities = append([]groupActivity{}, g.Activities[n:]...)
	}
}

// endOne terminates the oldest instance that may be; false when none may.
func (g *group) endOne(c *call, cause string) bool {
	candidates := make([]*groupInstance, 0, len(g.Instances))
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.counts() && !inst.Protect {
			candidates = append(candidates, inst)
		}
	}
	if len(candidates) == 0 {
		return false
	}
	sort.SliceStable(candidates, func(i, j int) bool { return candidates[i].Launched.Before(candidates[j].Launched) })
	g.end(c, candidates[0], cause)
	return true
}

// end takes an instance out; its lifecycle hooks come first.
func (g *group) end(c *call, inst *groupInstance, cause string) {
	inst.Ending, inst.Standby, inst.Hooked, inst.Gone = c.now, time.Time{}, false, time.Time{}
	inst.Waits = g.actions(c, transitionEnd, c.now)
	a := g.note(c, "Terminating EC2 instance: "+inst.ID, cause, time.Time{})
	a.Instance, a.Waits = inst.ID, len(inst.Waits) > 0
	if !a.Waits {
		inst.shut(c)
		a.End = inst.Gone
	}
}

func (g *group) note(c *call, describe, cause string, end time.Time) *groupActivity {
	h := c.account.draw("activity")
	g.Activities = append(g.Activities, groupActivity{ID: uuid(h), Start: c.now, End: end, Describe: describe, Cause: cause})
	return &g.Activities[len(g.Activities)-1]
}

func (g *group) because(c *call, what string) string {
	return fmt.Sprintf("At %s %s", c.now.Format("2006-01-02T15:04:05Z"), what)
}

func setDesiredCapacity(c *call, in *autoscaling.SetDesiredCapacityInput) (*autoscaling.SetDesiredCapacityOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	n := aws.ToInt32(in.DesiredCapacity)
	switch {
	case n < g.Min:
		return nil, fail("ValidationError", "New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", n, g.Min)
	case n > g.Max:
		return nil, fail("ValidationError", "New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", n, g.Max)
	}
	cause := g.because(c, fmt.Sprintf("a user request explicitly set group desired capacity changing the desired capacity from %d to %d.", g.Desired, n))
	g.Desired = n
	g.scale(c, cause)
	return &autoscaling.SetDesiredCapacityOutput{}, nil
}

// instance finds a live instance of any group.
func (c *call) instance(id string) (*group, *groupInstance, error) {
	for _, name := range sortedKeys(c.region.Groups) {
		g := c.region.Groups[name]
		for i := range g.Instances {
			if inst := &g.Instances[i]; inst.ID == id && inst.state(c.now) != "" {
				return g, inst, nil
			}
		}
	}
	return nil, nil, fail("ValidationError", "Instance Id not found - No managed instance found for instance ID: %.40s", id)
}

func setInstanceProtection(c *call, in *autoscaling.SetInstanceProtectionInput) (*autoscaling.SetInstanceProtectionOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	for _, id := range in.InstanceIds {
		of, inst, err := c.instance(id)
		if err != nil {
			return nil, err
		}
		if s := inst.state(c.now); of != g || s != types.LifecycleStateInService && s != types.LifecycleStateEnteringStandby && s != types.LifecycleStateStandby {
			return nil, fail("ValidationError", "The instance %s is not in InService or EnteringStandby or Standby.", id)
		}
	}
	for _, id := range in.InstanceIds {
		if _, inst, err := c.instance(id); err == nil {
			inst.Protect = aws.ToBool(in.ProtectedFromScaleIn)
		}
	}
	g.scale(c, g.because(c, "instances were no longer protected from scale-in."))
	return &autoscaling.SetInstanceProtectionOutput{}, nil
}

func terminateInstance(c *call, in *autoscaling.TerminateInstanceInAutoScalingGroupInput) (*autoscaling.TerminateInstanceInAutoScalingGroupOutput, error) {
	g, inst, err := c.instance(aws.ToString(in.InstanceId))
	if err != nil {
		return nil, err
	}
	if aws.ToBool(in.ShouldDecrementDesiredCapacity) && inst.counts() {
		if g.Desired <= g.Min {
			return nil, fail("ValidationError", "Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.", g.Min)
		}
		g.Desired--
	}
	g.end(c, inst, g.because(c, "instance "+inst.ID+" was taken out of service in response to a user request."))
	out := g.Activities[len(g.Activities)-1].out(c, g)
	g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	return &autoscaling.TerminateInstanceInAutoScalingGroupOutput{Activity: &out}, nil
}

func describeGroupInstances(c *call, in *autoscaling.DescribeAutoScalingInstancesInput) (*autoscaling.DescribeAutoScalingInstancesOutput, error) {
	var all []types.AutoScalingInstanceDetails
	for _, name := range sortedKeys(c.region.Groups) {
		g := c.region.Groups[name]
		for i := range g.Instances {
			inst, alive := g.Instances[i].out(c)
			if !alive || len(in.InstanceIds) > 0 && !anyIn([]string{*inst.InstanceId}, in.InstanceIds) {
				continue
			}
			all = append(all, types.AutoScalingInstanceDetails{
				AutoScalingGroupName: &g.Name, InstanceId: inst.InstanceId, AvailabilityZone: inst.AvailabilityZone, HealthStatus: aws.String("HEALTHY"),
				LifecycleState: aws.String(string(inst.LifecycleState)), InstanceType: inst.InstanceType, LaunchTemplate: inst.LaunchTemplate, ProtectedFromScaleIn: inst.ProtectedFromScaleIn, ImageId: inst.ImageId,
			})
		}
	}
	sort.Slice(all, func(i, j int) bool { return *all[i].InstanceId < *all[j].InstanceId })
	limit := int(aws.ToInt32(in.MaxRecords))
	if in.MaxRecords == nil {
		limit = 50
	}
	if limit < 1 || limit > 50 {
		return nil, fail("ValidationError", "1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value less than or equal to 50", limit)
	}
	list, next, err := page(all, func(d types.AutoScalingInstanceDetails) string { return *d.InstanceId }, in.NextToken, limit)
	if err != nil {
		return nil, badToken()
	}
	return &autoscaling.DescribeAutoScalingInstancesOutput{AutoScalingInstances: list, NextToken: next}, nil
}
