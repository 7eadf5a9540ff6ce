package sandbox

import (
	"fmt"
	"sort"
	"strconv"
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

// groupInstance is an instance of a group and the moments of its life.
type groupInstance struct {
	ID       string      `json:"id"`
	Zone     string      `json:"zone"`
	Type     string      `json:"type,omitempty"`
	Image    string      `json:"image,omitempty"`
	Template templateRef `json:"template"`
	Launched time.Time   `json:"launched"`
	Ready    time.Time   `json:"ready"`           // Pending before
	Ending   time.Time   `json:"ending,omitzero"` // Terminating from then on
	Gone     time.Time   `json:"gone,omitzero"`
	Protect  bool        `json:"protect,omitempty"`
	Bad      bool        `json:"unhealthy,omitempty"`
}

func (i *groupInstance) active() bool { return i.Ending.IsZero() }

// state is the life-cycle state at a moment; "" when the instance is gone.
func (i *groupInstance) state(now time.Time) types.LifecycleState {
	switch {
	case !i.active() && !now.Before(i.Gone):
		return ""
	case !i.active():
		return types.LifecycleStateTerminating
	case now.Before(i.Ready):
		return types.LifecycleStatePending
	}
	return types.LifecycleStateInService
}

func (i *groupInstance) health() string {
	if i.Bad {
		return "Unhealthy"
	}
	return "Healthy"
}

func (i *groupInstance) out(c *call) (types.Instance, bool) {
	state := i.state(c.now)
	return types.Instance{
		InstanceId: &i.ID, AvailabilityZone: &i.Zone, InstanceType: text(i.Type), ImageId: text(i.Image), LifecycleState: state,
		HealthStatus: aws.String(i.health()), ProtectedFromScaleIn: &i.Protect, LaunchTemplate: i.Template.spec(c),
	}, state != ""
}

// groupActivity is a scaling activity: successful from End on, under way before.
type groupActivity struct {
	ID       string    `json:"id"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Describe string    `json:"description"`
	Cause    string    `json:"cause"`
	Failed   string    `json:"failed,omitempty"`
}

func (a *groupActivity) out(c *call, g *group) types.Activity {
	out := types.Activity{
		ActivityId: &a.ID, AutoScalingGroupName: &g.Name, AutoScalingGroupARN: &g.ARN, Cause: &a.Cause, Description: &a.Describe, StartTime: &a.Start,
		StatusCode: types.ScalingActivityStatusCodeInProgress, Progress: aws.Int32(50), Details: aws.String("{}"),
	}
	if !c.now.Before(a.End) {
		out.EndTime, out.Progress, out.StatusCode = &a.End, aws.Int32(100), types.ScalingActivityStatusCodeSuccessful
		if a.Failed != "" {
			out.StatusCode, out.StatusMessage = types.ScalingActivityStatusCodeFailed, &a.Failed
		}
	}
	return out
}

// scale brings the number of instances to the desired capacity. Instances that
// are protected from scale-in stay.
func (g *group) scale(c *call, cause string) {
	g.forget(c.now)
	have := g.active()
	for ; have < g.Desired && g.may(processLaunch); have++ {
		if !g.launchOne(c, cause) {
			break
		}
	}
	for ; have > g.Desired && g.may(processTerminate); have-- {
		if !g.endOne(c, cause) {
			break
		}
	}
	g.plan(c)
}

// active counts the instances that are there and not on their way out.
func (g *group) active() int32 {
	n := int32(0)
	for i := range g.Instances {
		if g.Instances[i].active() {
			n++
		}
	}
	return n
}

// tick does what is due: another attempt to launch, the next step of a refresh.
func (g *group) tick(c *call) {
	if !g.Retry.IsZero() && !c.now.Before(g.Retry) {
		g.Retry = time.Time{}
		g.scale(c, g.because(c, fmt.Sprintf("an instance was started in response to a difference between desired and actual capacity, increasing the capacity from %d to %d.", g.active(), g.Desired)))
	}
	if r := g.refreshing(); r != nil && !r.Next.IsZero() && !c.now.Before(r.Next) {
		g.advanceRefresh(c, r)
	}
	g.plan(c)
}

// plan says when the group does something by itself.
func (g *group) plan(c *call) {
	g.Next = g.Retry
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

// launchOne launches an instance; false when it cannot, and then the group
// tries again.
func (g *group) launchOne(c *call, cause string) bool {
	ref, instanceType := g.launch(c)
	if why := g.refused(c, ref, instanceType); why != "" {
		why += " Launching EC2 instance failed."
		a := g.note(c, "Launching a new EC2 instance.  Status Reason: "+why, cause, c.now)
		a.Failed = why
		g.retryLater(c)
		return false
	}
	inst := groupInstance{
		ID: "i-" + c.account.draw("instance")[:17], Zone: g.emptiestZone(c), Type: instanceType,
		Launched: c.now, Ready: c.now.Add(c.takes(launchSeconds)), Protect: g.Protect, Template: ref,
	}
	if t := c.template(ref.ID, ref.Name); t != nil {
		inst.Template = templateRef{t.ID, t.Name, ref.Version}
		if v := t.version(ref.Version); v != nil {
			inst.Template.Version = strconv.FormatInt(v.Number, 10)
			inst.Image = v.properties().text("ImageId")
			if inst.Type == "" {
				inst.Type = v.properties().text("InstanceType")
			}
		}
	}
	if !g.obtain(c, &inst) {
		why := insufficientCapacity(inst.Type, inst.Zone).Message + " Launching EC2 instance failed."
		g.note(c, "Launching a new EC2 instance.  Status Reason: "+why, cause, c.now).Failed = why
		g.retryLater(c)
		return false
	}
	g.Tries = 0
	g.Instances = append(g.Instances, inst)
	g.note(c, "Launching a new EC2 instance: "+inst.ID, cause, inst.Ready)
	return true
}

// refused is why EC2 launches nothing: capacity or limits, which are faults of
// the sandbox's plan for ec2 RunInstances, or a template that has gone.
func (g *group) refused(c *call, ref templateRef, instanceType string) string {
	if err := c.checkLaunch(ref); err != nil {
		return asFail(err).Message
	}
	f := c.struck("ec2", "RunInstances")
	switch {
	case f == nil:
		return ""
	case f.Code == "InsufficientInstanceCapacity" && f.Message == "":
		if instanceType == "" {
			instanceType = c.template(ref.ID, ref.Name).version(ref.Version).properties().text("InstanceType")
		}
		return insufficientCapacity(instanceType, g.emptiestZone(c)).Message
	case f.Message == "":
		return f.Code + "."
	}
	return f.Message
}

// emptiestZone spreads instances over the group's zones.
func (g *group) emptiestZone(c *call) string {
	zones := g.Zones
	if len(zones) == 0 {
		zones = c.zones()
	}
	count := map[string]int{}
	for i := range g.Instances {
		if g.Instances[i].active() {
			count[g.Instances[i].Zone]++
		}
	}
	best := zones[0]
	for _, z := range zones {
		if count[z] < count[best] {
			best = z
		}
	}
	return best
}

// endOne terminates the oldest instance that may be; false when none may.
func (g *group) endOne(c *call, cause string) bool {
	candidates := make([]*groupInstance, 0, len(g.Instances))
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.active() && !inst.Protect {
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

func (g *group) end(c *call, inst *groupInstance, cause string) {
	inst.Ending, inst.Gone = c.now, c.now.Add(c.takes(terminateSeconds))
	g.note(c, "Terminating EC2 instance: "+inst.ID, cause, inst.Gone)
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
		if of != g || inst.state(c.now) != types.LifecycleStateInService {
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
	if aws.ToBool(in.ShouldDecrementDesiredCapacity) {
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
