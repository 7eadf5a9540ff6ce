package sandbox

import (
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// createGroup is what a person or a script makes outside of stacks.
func createGroup(c *call, in *autoscaling.CreateAutoScalingGroupInput) (*autoscaling.CreateAutoScalingGroupOutput, error) {
	name := aws.ToString(in.AutoScalingGroupName)
	if c.region.Groups[name] != nil {
		return nil, fail("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", name)
	}
	if in.MinSize == nil || in.MaxSize == nil {
		return nil, fail("ValidationError", "MinSize and MaxSize must be specified.")
	}
	g := group{Name: name, Created: c.now, HealthCheck: "EC2", Cooldown: 300, TargetGroups: in.TargetGroupARNs}
	if err := c.targetGroupsExist(in.TargetGroupARNs); err != nil {
		return nil, err
	}
	if len(in.AvailabilityZones) == 0 && in.VPCZoneIdentifier == nil {
		return nil, fail("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	}
	for _, t := range in.Tags {
		g.Tags = append(g.Tags, groupTag{aws.ToString(t.Key), aws.ToString(t.Value), aws.ToBool(t.PropagateAtLaunch)})
	}
	if err := g.change(c, &autoscaling.UpdateAutoScalingGroupInput{
		LaunchTemplate: in.LaunchTemplate, MixedInstancesPolicy: in.MixedInstancesPolicy, DefaultCooldown: in.DefaultCooldown, HealthCheckGracePeriod: in.HealthCheckGracePeriod,
		HealthCheckType: in.HealthCheckType, CapacityRebalance: in.CapacityRebalance, NewInstancesProtectedFromScaleIn: in.NewInstancesProtectedFromScaleIn,
		DefaultInstanceWarmup: in.DefaultInstanceWarmup, MaxInstanceLifetime: in.MaxInstanceLifetime, VPCZoneIdentifier: in.VPCZoneIdentifier, AvailabilityZones: in.AvailabilityZones,
		TerminationPolicies: in.TerminationPolicies, MinSize: in.MinSize, MaxSize: in.MaxSize, DesiredCapacity: in.DesiredCapacity,
	}); err != nil {
		return nil, err
	}
	for _, s := range in.LifecycleHookSpecificationList {
		h := lifecycleHook{
			Name: aws.ToString(s.LifecycleHookName), Transition: aws.ToString(s.LifecycleTransition), Heartbeat: 3600, Result: resultAbandon,
			Metadata: aws.ToString(s.NotificationMetadata), Target: aws.ToString(s.NotificationTargetARN), Role: aws.ToString(s.RoleARN),
		}
		set(&h.Heartbeat, s.HeartbeatTimeout)
		set(&h.Result, s.DefaultResult)
		if err := g.putHook(h); err != nil {
			return nil, err
		}
	}
	g.ARN = c.arn("autoscaling", "autoScalingGroup:"+uuid(c.account.draw("group"))+":autoScalingGroupName/"+name)
	c.region.Groups[name] = &g
	g.scale(c, g.because(c, "a user request created an AutoScalingGroup changing the desired capacity from 0 to "+strconv.Itoa(int(g.Desired))+"."))
	return &autoscaling.CreateAutoScalingGroupOutput{}, nil
}

func deleteGroup(c *call, in *autoscaling.DeleteAutoScalingGroupInput) (*autoscaling.DeleteAutoScalingGroupOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if !aws.ToBool(in.ForceDelete) && slices.ContainsFunc(g.Instances, func(i groupInstance) bool { return i.active() }) {
		return nil, fail("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.")
	}
	delete(c.region.Groups, g.Name)
	return &autoscaling.DeleteAutoScalingGroupOutput{}, nil
}
