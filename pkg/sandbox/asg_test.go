package sandbox_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func fleetBox(t *testing.T) (*autoscaling.Client, *clock, *stacks) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet")), cfntypes.StackStatusCreateComplete)
	return autoscaling.NewFromConfig(config(box)), clk, s
}

// Instances come and go on their own, some time after the capacity changed.
func TestInstancesFollowTheCapacity(t *testing.T) {
	c, clk, _ := fleetBox(t)
	ctx, name := t.Context(), aws.String("staging-gpu-default")
	desire := func(n int32) error {
		_, err := c.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: &n})
		return err
	}
	states := func() map[types.LifecycleState]int {
		out := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{*name}}))
		m := map[types.LifecycleState]int{}
		for _, i := range out.AutoScalingGroups[0].Instances {
			m[i.LifecycleState]++
		}
		return m
	}
	want := func(w map[types.LifecycleState]int) {
		t.Helper()
		if d := cmp.Diff(w, states()); d != "" {
			t.Error(d)
		}
	}
	wantCode(t, desire(5), "ValidationError")
	if err := desire(2); err != nil {
		t.Fatal(err)
	}
	want(map[types.LifecycleState]int{types.LifecycleStatePending: 2})
	acts := must[*autoscaling.DescribeScalingActivitiesOutput](t)(c.DescribeScalingActivities(ctx, &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: name}))
	if len(acts.Activities) != 2 || acts.Activities[0].StatusCode != types.ScalingActivityStatusCodeInProgress {
		t.Errorf("activities %+v", acts.Activities)
	}
	clk.pass(time.Minute)
	want(map[types.LifecycleState]int{types.LifecycleStateInService: 2})
	all := must[*autoscaling.DescribeAutoScalingInstancesOutput](t)(c.DescribeAutoScalingInstances(ctx, &autoscaling.DescribeAutoScalingInstancesInput{}))
	first := all.AutoScalingInstances[0]
	if *first.InstanceType != "g4dn.xlarge" || *first.LaunchTemplate.Version != "1" || *first.AvailabilityZone != "us-east-1b" {
		t.Errorf("instance %+v", first)
	}
	var ids []string
	for _, i := range all.AutoScalingInstances {
		ids = append(ids, *i.InstanceId)
	}
	must[*autoscaling.SetInstanceProtectionOutput](t)(c.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: name, InstanceIds: ids, ProtectedFromScaleIn: aws.Bool(true)}))
	if err := desire(0); err != nil {
		t.Fatal(err)
	}
	want(map[types.LifecycleState]int{types.LifecycleStateInService: 2}) // leased jobs rely on this
	must[*autoscaling.SetInstanceProtectionOutput](t)(c.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: name, InstanceIds: ids[:1], ProtectedFromScaleIn: aws.Bool(false)}))
	want(map[types.LifecycleState]int{types.LifecycleStateInService: 1, types.LifecycleStateTerminating: 1})
	clk.pass(2 * time.Minute)
	want(map[types.LifecycleState]int{types.LifecycleStateInService: 1})
	must[*autoscaling.TerminateInstanceInAutoScalingGroupOutput](t)(c.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &ids[1], ShouldDecrementDesiredCapacity: aws.Bool(false)}))
	clk.pass(2 * time.Minute)
	want(map[types.LifecycleState]int{})
	_, err := c.TerminateInstanceInAutoScalingGroup(ctx, &autoscaling.TerminateInstanceInAutoScalingGroupInput{InstanceId: &ids[1], ShouldDecrementDesiredCapacity: aws.Bool(false)})
	wantCode(t, err, "ValidationError")
}

func TestUpdateGroup(t *testing.T) {
	c, _, _ := fleetBox(t)
	ctx, name := t.Context(), aws.String("staging-gpu-default")
	update := func(in *autoscaling.UpdateAutoScalingGroupInput) error {
		in.AutoScalingGroupName = name
		_, err := c.UpdateAutoScalingGroup(ctx, in)
		return err
	}
	for text, in := range map[string]*autoscaling.UpdateAutoScalingGroupInput{
		"Max bound, 1, must be greater than or equal to min bound, 2":                                                                       {MinSize: aws.Int32(2), MaxSize: aws.Int32(1)},
		"Desired capacity:9 must be between the specified min size:0 and max size:4":                                                        {DesiredCapacity: aws.Int32(9)},
		"You must use a valid fully-formed launch template. The specified launch template, with template ID lt-0123456789abcdef0, does not": {LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateId: aws.String("lt-0123456789abcdef0")}},
		"Could not find launch template version 7":                                                                                          {LaunchTemplate: &types.LaunchTemplateSpecification{LaunchTemplateName: name, Version: aws.String("7")}},
	} {
		err := update(in)
		wantCode(t, err, "ValidationError")
		if !containsText(err, text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
	if err := update(&autoscaling.UpdateAutoScalingGroupInput{MinSize: aws.Int32(3), MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
		LaunchTemplateSpecification: &types.LaunchTemplateSpecification{LaunchTemplateName: name, Version: aws.String("$Latest")}, Overrides: []types.LaunchTemplateOverrides{{InstanceType: aws.String("g5.xlarge")}}}}}); err != nil {
		t.Fatal(err)
	}
	g := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})).AutoScalingGroups[0]
	if *g.DesiredCapacity != 3 || *g.MaxSize != 4 || *g.MixedInstancesPolicy.LaunchTemplate.Overrides[0].InstanceType != "g5.xlarge" || *g.Instances[0].InstanceType != "g5.xlarge" {
		t.Errorf("group %+v", g)
	}
	_, err := c.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("nope"), DesiredCapacity: aws.Int32(1)})
	wantCode(t, err, "ValidationError")
}

func TestGroupPages(t *testing.T) {
	c, _, s := fleetBox(t)
	ctx := t.Context()
	resources := map[string]any{}
	for i := range 120 {
		resources[fmt.Sprint("G", i)] = map[string]any{"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": map[string]any{
			"AutoScalingGroupName": fmt.Sprintf("g-%03d", i), "MinSize": "0", "MaxSize": "1", "AvailabilityZones": []any{"us-east-1a"},
			"LaunchTemplate": map[string]any{"LaunchTemplateName": "staging-gpu-default", "Version": "1"},
			"Tags":           []any{map[string]any{"Key": "n", "Value": fmt.Sprint(i % 2), "PropagateAtLaunch": false}},
		}}
	}
	s.want(s.create("many", tree{"Resources": resources}), cfntypes.StackStatusCreateComplete)
	for records, want := range map[int32][]int{0: {50, 50, 21}, 100: {100, 21}} {
		in := &autoscaling.DescribeAutoScalingGroupsInput{}
		if records > 0 {
			in.MaxRecords = &records
		}
		var sizes []int
		for {
			out := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx, in))
			sizes = append(sizes, len(out.AutoScalingGroups))
			if in.NextToken = out.NextToken; in.NextToken == nil {
				break
			}
		}
		if d := cmp.Diff(want, sizes); d != "" {
			t.Error(d)
		}
	}
	_, err := c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(101)})
	wantCode(t, err, "ValidationError")
	out := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100), Filters: []types.Filter{{Name: aws.String("tag:n"), Values: []string{"1"}}}}))
	if len(out.AutoScalingGroups) != 60 {
		t.Errorf("%d groups by tag", len(out.AutoScalingGroups))
	}
	_, err = c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{NextToken: aws.String("junk")})
	wantCode(t, err, "InvalidNextToken")
}
