package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/apply"
	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
)

// Polls of a detection, which takes up to several minutes.
const (
	detectFirst = 2 * time.Second
	detectMax   = 15 * time.Second
	maxDetects  = 120
)

// Detect asks CloudFormation's own drift detection about stacks, few at a time,
// waits, and reads what it found. It marks the stacks as checked, which is why
// it runs on request only.
func (c *Cloud) Detect(ctx context.Context, deployments []plan.Deployment) ([]drift.Detected, error) {
	found := make([][]drift.Detected, len(deployments))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for i, d := range deployments {
		g.Go(func() (err error) {
			found[i], err = c.detect(ctx, d)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := []drift.Detected{}
	for _, f := range found {
		all = append(all, f...)
	}
	return all, nil
}

func (c *Cloud) detect(ctx context.Context, d plan.Deployment) ([]drift.Detected, error) {
	stack := d.Live.ID
	out, err := c.cfn.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: aws.String(stack)})
	if err != nil {
		return nil, c.readError("detect the drift of stack "+d.Stack.Name, err)
	}
	for wait := (backoff{first: detectFirst, max: detectMax}); ; {
		status, err := c.cfn.DescribeStackDriftDetectionStatus(ctx, &cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: out.StackDriftDetectionId})
		if err != nil {
			return nil, c.readError("follow the drift detection of stack "+d.Stack.Name, err)
		}
		if status.DetectionStatus != types.StackDriftDetectionStatusDetectionInProgress {
			if status.DetectionStatus == types.StackDriftDetectionStatusDetectionFailed && status.StackDriftStatus == "" {
				return nil, fmt.Errorf("detect the drift of stack %s: %s", d.Stack.Name, c.masks.apply(oneLine(aws.ToString(status.DetectionStatusReason))))
			}
			return c.detected(ctx, d)
		}
		if wait.n >= maxDetects {
			return nil, fmt.Errorf("detect the drift of stack %s: it has not ended", d.Stack.Name)
		}
		if err := c.pause(ctx, wait.next()); err != nil {
			return nil, err
		}
	}
}

func (c *Cloud) detected(ctx context.Context, d plan.Deployment) ([]drift.Detected, error) {
	var found []drift.Detected
	err := pages(func(token *string) (*string, error) {
		out, err := c.cfn.DescribeStackResourceDrifts(ctx, &cloudformation.DescribeStackResourceDriftsInput{
			StackName: aws.String(d.Live.ID), NextToken: token, MaxResults: aws.Int32(100),
			StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{types.StackResourceDriftStatusModified, types.StackResourceDriftStatusDeleted},
		})
		if err != nil {
			return nil, c.readError("read the drift of stack "+d.Stack.Name, err)
		}
		for _, r := range out.StackResourceDrifts {
			one := drift.Detected{Key: drift.Key{Stack: d.Stack.Name, Resource: aws.ToString(r.LogicalResourceId)},
				Type: aws.ToString(r.ResourceType), Physical: aws.ToString(r.PhysicalResourceId)}
			if r.StackResourceDriftStatus == types.StackResourceDriftStatusDeleted {
				one.Deleted = true
				found = append(found, one)
				continue
			}
			for _, p := range r.PropertyDifferences {
				at := one
				at.Path = "Properties." + dotted(aws.ToString(p.PropertyPath))
				at.Live, at.Deployed = c.driftValue(p.ActualValue), c.driftValue(p.ExpectedValue)
				found = append(found, at)
			}
		}
		return out.NextToken, nil
	})
	return found, err
}

// driftValue is a value as AWS writes it in a difference: JSON, or plain text.
func (c *Cloud) driftValue(text *string) any {
	if text == nil || *text == "null" {
		return nil
	}
	s := c.masks.apply(*text)
	var v any
	if strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
		if json.Unmarshal([]byte(s), &v) == nil {
			return v
		}
	}
	return s
}

// Reverts counts, by logical id, how often this program put resources of a
// stack back since a moment: the stack's own events carry its tokens.
func (c *Cloud) Reverts(ctx context.Context, stack string, since time.Time) (map[string]int, error) {
	tokens := map[string]map[string]bool{}
	err := pages(func(page *string) (*string, error) {
		out, err := c.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String(stack), NextToken: page})
		if err != nil {
			return nil, c.readError("read the events of "+stack, err)
		}
		for _, e := range out.StackEvents {
			if aws.ToTime(e.Timestamp).Before(since) {
				return nil, nil
			}
			token, id := aws.ToString(e.ClientRequestToken), aws.ToString(e.LogicalResourceId)
			if !strings.HasPrefix(token, apply.RevertToken) || aws.ToString(e.PhysicalResourceId) == stack {
				continue
			}
			switch e.ResourceStatus {
			case types.ResourceStatusUpdateComplete, types.ResourceStatusCreateComplete:
				if tokens[id] == nil {
					tokens[id] = map[string]bool{}
				}
				tokens[id][token] = true
			}
		}
		return out.NextToken, nil
	})
	counts := map[string]int{}
	for id, t := range tokens {
		counts[id] = len(t)
	}
	return counts, err
}

// ParameterReverts counts how often since a time a value was written over
// another one, in the parameter's own history: at most 100 versions, two calls.
// Who wrote it is not asked: what puts a value back is a writer of this value.
func (c *Cloud) ParameterReverts(ctx context.Context, name, value string, since time.Time) (int, error) {
	count, before := 0, value // the first version is written over nothing
	err := pages(func(page *string) (*string, error) {
		out, err := c.ssm.GetParameterHistory(ctx, &ssm.GetParameterHistoryInput{Name: aws.String(name), NextToken: page, WithDecryption: aws.Bool(false)})
		if err != nil {
			return nil, c.readError("read the history of parameter "+name, err)
		}
		for _, v := range out.Parameters { // the oldest first
			now := aws.ToString(v.Value)
			if now == value && before != value && aws.ToTime(v.LastModifiedDate).After(since) {
				count++
			}
			before = now
		}
		return out.NextToken, nil
	})
	return count, err
}
