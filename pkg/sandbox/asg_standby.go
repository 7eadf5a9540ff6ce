package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	standbySeconds = 10
	maxStandby     = 19 // instance ids in a request (EnterStandby)
)

// asked finds the instances that a request names, all of one state.
func (g *group) asked(c *call, ids []string, want types.LifecycleState) ([]*groupInstance, error) {
	if len(ids) > maxStandby {
		return nil, fail("ValidationError", "1 validation error detected: Value at 'instanceIds' failed to satisfy constraint: Member must have length less than or equal to %d", maxStandby)
	}
	var out []*groupInstance
	for _, id := range ids {
		inst := g.find(id)
		if inst == nil || inst.state(c.now) == "" {
			return nil, fail("ValidationError", "The instance %.40s is not part of Auto Scaling group %s.", id, g.Name)
		}
		if inst.state(c.now) != want {
			return nil, fail("ValidationError", "The instance %s is not in %s.", id, want)
		}
		if !slices.Contains(out, inst) {
			out = append(out, inst)
		}
	}
	return out, nil
}

// sizes is how AWS says that a move would leave the group's bounds.
func (g *group) sizes(where string, n int) *Fail {
	return fail("ValidationError", "AutoScaling group %s has min-size=%d, max-size=%d, and desired-size=%d. To place %s %d instance%s, please update the AutoScalingGroup sizes appropriately.", g.Name, g.Min, g.Max, g.Desired, where, n, map[bool]string{true: "s"}[n > 1])
}

// enterStandby takes instances out of service that go on running. Without a
// lower desired capacity the group launches others (API reference of
// EnterStandby).
func enterStandby(c *call, in *autoscaling.EnterStandbyInput) (*autoscaling.EnterStandbyOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	list, err := g.asked(c, in.InstanceIds, types.LifecycleStateInService)
	if err != nil {
		return nil, err
	}
	cause := g.because(c, "instances were moved to standby in response to a user request.")
	if aws.ToBool(in.ShouldDecrementDesiredCapacity) {
		after := g.Desired - int32(len(list))
		if after < g.Min {
			return nil, g.sizes("into standby", len(list))
		}
		cause = g.because(c, fmt.Sprintf("instances were moved to standby in response to a user request, shrinking the capacity from %d to %d.", g.Desired, after))
		g.Desired = after
	}
	out := &autoscaling.EnterStandbyOutput{Activities: []types.Activity{}}
	for _, inst := range list {
		inst.Standby = c.now.Add(c.takes(standbySeconds))
		a := g.note(c, "Moving EC2 instance to Standby: "+inst.ID, cause, inst.Standby)
		a.Instance = inst.ID
		out.Activities = append(out.Activities, a.out(c, g))
	}
	g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	return out, nil
}

// exitStandby puts instances back into service; the desired capacity grows.
func exitStandby(c *call, in *autoscaling.ExitStandbyInput) (*autoscaling.ExitStandbyOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	list, err := g.asked(c, in.InstanceIds, types.LifecycleStateStandby)
	if err != nil {
		return nil, err
	}
	after := g.Desired + int32(len(list))
	if after > g.Max {
		return nil, g.sizes("in service", len(list))
	}
	cause := g.because(c, fmt.Sprintf("instances were moved out of standby in response to a user request, increasing the capacity from %d to %d.", g.Desired, after))
	g.Desired = after
	out := &autoscaling.ExitStandbyOutput{Activities: []types.Activity{}}
	for _, inst := range list {
		inst.Standby, inst.Hooked = time.Time{}, false
		inst.Ready = c.now.Add(c.takes(standbySeconds))
		a := g.note(c, "Moving EC2 instance out of Standby: "+inst.ID, cause, inst.Ready)
		a.Instance = inst.ID
		out.Activities = append(out.Activities, a.out(c, g))
	}
	g.plan(c)
	return out, nil
}
