package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// listStacks reads every stack that is not deleted, by the page: status, last
// update and the marker in the description. It returns the pages it took.
func (c *Cloud) listStacks(ctx context.Context) (map[string]plan.LiveStack, int, error) {
	stacks := map[string]plan.LiveStack{}
	n := 0
	err := pages(func(token *string) (*string, error) {
		n++
		out, err := c.cfn.ListStacks(ctx, &cloudformation.ListStacksInput{NextToken: token, StackStatusFilter: notDeleted()})
		if err != nil {
			return nil, c.readError("list stacks", err)
		}
		for _, s := range out.StackSummaries {
			if s.ParentId != nil {
				continue // a nested stack belongs to its parent
			}
			live := c.summaryStack(s)
			stacks[live.Name] = live
		}
		return out.NextToken, nil
	})
	return stacks, n, err
}

// notDeleted is every status but DELETE_COMPLETE: without a filter AWS lists
// what was deleted in the last 90 days.
func notDeleted() []types.StackStatus {
	var out []types.StackStatus
	for _, s := range types.StackStatus("").Values() {
		if s != types.StackStatusDeleteComplete {
			out = append(out, s)
		}
	}
	return out
}

func (c *Cloud) summaryStack(s types.StackSummary) plan.LiveStack {
	live := plan.LiveStack{
		Name:        aws.ToString(s.StackName),
		ID:          aws.ToString(s.StackId),
		Status:      string(s.StackStatus),
		Reason:      c.masks.apply(aws.ToString(s.StackStatusReason)),
		Description: aws.ToString(s.TemplateDescription),
		Updated:     lastChange(s.CreationTime, s.LastUpdatedTime),
	}
	live.Marker, live.Owned = cfn.ParseMarker(live.Description)
	return live
}

// describeStack reads one stack by name or ARN; nil when AWS says in exactly
// these words that it does not exist.
func (c *Cloud) describeStack(ctx context.Context, name string) (*plan.LiveStack, error) {
	out, err := c.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: aws.String(name)})
	if stackAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.readError("describe stack "+name, err)
	}
	if len(out.Stacks) != 1 {
		return nil, fmt.Errorf("describe stack %s: AWS answered with %d stacks", name, len(out.Stacks))
	}
	live := c.describedStack(out.Stacks[0])
	return &live, nil
}

// describeAllStacks reads every stack with outputs and tags, by the page.
func (c *Cloud) describeAllStacks(ctx context.Context) (map[string]plan.LiveStack, error) {
	stacks := map[string]plan.LiveStack{}
	err := pages(func(token *string) (*string, error) {
		out, err := c.cfn.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{NextToken: token})
		if err != nil {
			return nil, c.readError("describe stacks", err)
		}
		for _, s := range out.Stacks {
			if s.ParentId == nil {
				live := c.describedStack(s)
				stacks[live.Name] = live
			}
		}
		return out.NextToken, nil
	})
	return stacks, err
}

func (c *Cloud) describedStack(s types.Stack) plan.LiveStack {
	live := plan.LiveStack{
		Name:        aws.ToString(s.StackName),
		ID:          aws.ToString(s.StackId),
		Status:      string(s.StackStatus),
		Reason:      c.masks.apply(aws.ToString(s.StackStatusReason)),
		Description: aws.ToString(s.Description),
		Updated:     lastChange(s.CreationTime, s.LastUpdatedTime),
		Described:   true,
		Outputs:     make(map[string]string, len(s.Outputs)),
		Tags:        make(map[string]string, len(s.Tags)),
		Parameters:  make(map[string]string, len(s.Parameters)),
		Protected:   aws.ToBool(s.EnableTerminationProtection),
		Role:        aws.ToString(s.RoleARN),
	}
	live.Marker, live.Owned = cfn.ParseMarker(live.Description)
	for _, o := range s.Outputs {
		live.Outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	for _, t := range s.Tags {
		live.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, p := range s.Parameters {
		value := aws.ToString(p.ParameterValue)
		if p.ResolvedValue != nil {
			value = *p.ResolvedValue
		}
		live.Parameters[aws.ToString(p.ParameterKey)] = value
	}
	return live
}

// lastChange is the last update or, before any, the creation. It is cut to
// the millisecond, as every CloudFormation answer is, so that it compares.
func lastChange(created, updated *time.Time) time.Time {
	t := aws.ToTime(created)
	if updated != nil {
		t = *updated
	}
	return t.UTC().Truncate(time.Millisecond)
}

// resources lists the resources of a stack, by logical id.
func (c *Cloud) resources(ctx context.Context, id string) (map[string]plan.LiveResource, error) {
	resources := map[string]plan.LiveResource{}
	err := pages(func(token *string) (*string, error) {
		out, err := c.cfn.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: aws.String(id), NextToken: token})
		if err != nil {
			return nil, c.readError("list the resources of "+id, err)
		}
		for _, r := range out.StackResourceSummaries {
			resources[aws.ToString(r.LogicalResourceId)] = plan.LiveResource{
				Type:       aws.ToString(r.ResourceType),
				PhysicalID: aws.ToString(r.PhysicalResourceId),
				Status:     string(r.ResourceStatus),
				Reason:     c.masks.apply(aws.ToString(r.ResourceStatusReason)),
			}
		}
		return out.NextToken, nil
	})
	return resources, err
}
