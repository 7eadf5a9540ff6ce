package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"reconcile/pkg/plan"
)

// groupsPerCall is the most names and records of DescribeAutoScalingGroups.
const groupsPerCall = 100

// groupsChunk reads up to a hundred Auto Scaling groups by name.
func (c *Cloud) groupsChunk(ctx context.Context, names []string) (map[string]plan.LiveGroup, error) {
	found := make(map[string]plan.LiveGroup, len(names))
	err := pages(func(token *string) (*string, error) {
		out, err := c.asg.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
			AutoScalingGroupNames: names, MaxRecords: aws.Int32(groupsPerCall), NextToken: token})
		if err != nil {
			return nil, c.readError("read Auto Scaling groups", err)
		}
		for _, g := range out.AutoScalingGroups {
			found[aws.ToString(g.AutoScalingGroupName)] = liveGroup(g)
		}
		return out.NextToken, nil
	})
	return found, err
}

// group reads one group and whether it is being refreshed; nil when absent.
func (c *Cloud) group(ctx context.Context, name string) (*plan.LiveGroup, error) {
	found, err := c.groupsChunk(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	g, ok := found[name]
	if !ok {
		return nil, nil
	}
	if g.Refreshing, err = c.refreshing(ctx, name); err != nil {
		return nil, err
	}
	return &g, nil
}

// refreshing tells whether an instance refresh of the group is under way. The
// newest comes first.
func (c *Cloud) refreshing(ctx context.Context, name string) (bool, error) {
	out, err := c.asg.DescribeInstanceRefreshes(ctx, &autoscaling.DescribeInstanceRefreshesInput{
		AutoScalingGroupName: aws.String(name), MaxRecords: aws.Int32(1)})
	if err != nil {
		return false, c.readError("read the instance refreshes of "+name, err)
	}
	return len(out.InstanceRefreshes) > 0 && running(string(out.InstanceRefreshes[0].Status)), nil
}

func liveGroup(g types.AutoScalingGroup) plan.LiveGroup {
	live := plan.LiveGroup{
		Min:                   int(aws.ToInt32(g.MinSize)),
		Max:                   int(aws.ToInt32(g.MaxSize)),
		Desired:               int(aws.ToInt32(g.DesiredCapacity)),
		CapacityRebalance:     aws.ToBool(g.CapacityRebalance),
		DefaultInstanceWarmup: int(aws.ToInt32(g.DefaultInstanceWarmup)),
	}
	for _, i := range g.Instances {
		if i.LifecycleState == types.LifecycleStateInService {
			live.InService++
		}
		if aws.ToBool(i.ProtectedFromScaleIn) {
			live.Protected++
		}
	}
	spec := g.LaunchTemplate
	if m := g.MixedInstancesPolicy; m != nil && m.LaunchTemplate != nil {
		spec = m.LaunchTemplate.LaunchTemplateSpecification
		for _, o := range m.LaunchTemplate.Overrides {
			live.InstanceTypes = append(live.InstanceTypes, aws.ToString(o.InstanceType))
		}
	}
	if spec != nil {
		live.LaunchTemplate = aws.ToString(spec.LaunchTemplateName)
		live.LaunchTemplateVersion = aws.ToString(spec.Version)
	}
	return live
}
