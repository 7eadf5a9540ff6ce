package cloud

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// Rollout is how far a fleet's rollout is.
type Rollout struct {
	Stack     *plan.LiveStack // nil: absent
	Instances []Instance
	Refresh   *Refresh // the newest; nil: the group never had one
	Alarms    []Alarm  // that the refresh watches
}

// Instance is an instance of a group.
type Instance struct {
	ID        string `json:"id"`
	Type      string `json:"type,omitempty"`
	State     string `json:"state"` // of its life cycle: InService, Pending, …
	Health    string `json:"health,omitempty"`
	Version   string `json:"version,omitempty"` // of the launch template
	Protected bool   `json:"protected,omitempty"`
}

// Refresh is an instance refresh (API reference, InstanceRefresh).
type Refresh struct {
	ID          string    `json:"id"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason,omitempty"`
	Start       time.Time `json:"start,omitzero"`
	End         time.Time `json:"end,omitzero"`
	Percent     int       `json:"percent"`
	Left        int       `json:"left"` // instances still to replace
	Checkpoints []int     `json:"checkpoints,omitempty"`
	alarms      []string
}

// Running tells whether the refresh is not over; one that bakes is not.
func (r *Refresh) Running() bool { return r != nil && r.Status != "" && running(r.Status) }

// Alarm is an alarm that a refresh watches.
type Alarm struct {
	Name  string `json:"name"`
	State string `json:"state"` // OK, ALARM, INSUFFICIENT_DATA, or MISSING
}

// Rollout reads a fleet's stack, group, newest refresh and alarms.
func (c *Cloud) Rollout(ctx context.Context, stack, group string) (Rollout, error) {
	var out Rollout
	var err error
	if out.Stack, err = c.describeStack(ctx, stack); err != nil || out.Stack == nil {
		return out, err
	}
	groups, err := c.asg.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{group}})
	if err != nil {
		return out, c.readError("read Auto Scaling group "+group, err)
	}
	if len(groups.AutoScalingGroups) == 0 {
		return out, nil
	}
	for _, i := range groups.AutoScalingGroups[0].Instances {
		one := Instance{ID: aws.ToString(i.InstanceId), Type: aws.ToString(i.InstanceType), State: string(i.LifecycleState),
			Health: aws.ToString(i.HealthStatus), Protected: aws.ToBool(i.ProtectedFromScaleIn)}
		if i.LaunchTemplate != nil {
			one.Version = aws.ToString(i.LaunchTemplate.Version)
		}
		out.Instances = append(out.Instances, one)
	}
	if out.Refresh, err = c.newestRefresh(ctx, group); err != nil || out.Refresh == nil {
		return out, err
	}
	out.Alarms, err = c.alarms(ctx, out.Refresh.alarms)
	return out, err
}

// newestRefresh is the newest instance refresh of a group; nil when there was
// none in six weeks.
func (c *Cloud) newestRefresh(ctx context.Context, group string) (*Refresh, error) {
	out, err := c.asg.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{
		AutoScalingGroupName: aws.String(group), MaxRecords: aws.Int32(1)})
	if err != nil {
		return nil, c.readError("read the instance refreshes of "+group, err)
	}
	if len(out.InstanceRefreshes) == 0 {
		return nil, nil
	}
	r := out.InstanceRefreshes[0]
	live := &Refresh{ID: aws.ToString(r.InstanceRefreshId), Status: string(r.Status), Reason: aws.ToString(r.StatusReason),
		Start: aws.ToTime(r.StartTime), End: aws.ToTime(r.EndTime), Percent: int(aws.ToInt32(r.PercentageComplete)), Left: int(aws.ToInt32(r.InstancesToUpdate))}
	if p := r.Preferences; p != nil {
		for _, n := range p.CheckpointPercentages {
			live.Checkpoints = append(live.Checkpoints, int(n))
		}
		if p.AlarmSpecification != nil {
			live.alarms = p.AlarmSpecification.Alarms
		}
	}
	return live, nil
}

// running tells whether a refresh of this status is not over.
func running(status string) bool {
	switch types.InstanceRefreshStatus(status) {
	case types.InstanceRefreshStatusSuccessful, types.InstanceRefreshStatusFailed,
		types.InstanceRefreshStatusCancelled, types.InstanceRefreshStatusRollbackFailed,
		types.InstanceRefreshStatusRollbackSuccessful:
		return false
	}
	return true // Baking is not done either
}

// alarms reads the states of alarms, in the order of their names' list.
func (c *Cloud) alarms(ctx context.Context, names []string) ([]Alarm, error) {
	if len(names) == 0 {
		return nil, nil
	}
	states := map[string]string{}
	form := members(url.Values{"MaxRecords": {"100"}}, "AlarmNames.member", names)
	err := c.askPages(ctx, alarmsEndpoint(), "DescribeAlarms", "NextToken", "NextToken", form, func(answer map[string]any) {
		for _, kind := range []string{"MetricAlarms", "CompositeAlarms"} {
			for _, e := range list(answer, kind) {
				states[text(object(e), "AlarmName")] = text(object(e), "StateValue")
			}
		}
	})
	if err != nil {
		return nil, c.readError("read the alarms of a rollout", err)
	}
	out := make([]Alarm, len(names))
	for i, name := range names {
		out[i] = Alarm{Name: name, State: "MISSING"}
		if s := states[name]; s != "" {
			out[i].State = s
		}
	}
	return out, nil
}

// ErrNotUpdating is that a stack has no update that could be cancelled.
var ErrNotUpdating = errors.New("the stack is not being updated")

// CancelUpdate ends the update of a stack, by its ARN: CloudFormation goes back
// to what was deployed before. It is done when AWS took it, also when an
// earlier call with the token did.
func (c *Cloud) CancelUpdate(ctx context.Context, stack, token string) error {
	_, err := c.cfn.CancelUpdateStack(ctx, &cloudformation.CancelUpdateStackInput{StackName: aws.String(stack), ClientRequestToken: aws.String(token)})
	if err == nil {
		return nil
	}
	if now, look := c.describeStack(ctx, stack); look == nil && now != nil && now.Status != "UPDATE_IN_PROGRESS" {
		return errors.Join(ErrNotUpdating, c.failure("cancel the update of stack "+stackName(stack), err))
	}
	return c.failure("cancel the update of stack "+stackName(stack), err)
}

// Settled waits until nothing happens to a stack, and gives what it is then.
func (c *Cloud) Settled(ctx context.Context, stack string) (*plan.LiveStack, []apply.Cause, error) {
	port := c.Port(ctx)
	defer port.Close()
	port.Submit(apply.Request{ID: 1, Op: apply.OpWatchStack, Stack: stack})
	for {
		r, err := port.Next(ctx)
		switch {
		case err != nil:
			return nil, nil, err
		case !r.Done:
		case r.Err != nil:
			return nil, nil, r.Err
		default:
			return r.Stack, r.Causes, nil
		}
	}
}
