package cloud

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
)

const typeStack = "AWS::CloudFormation::Stack"

// maxNesting bounds how deep causes are followed into nested stacks.
const maxNesting = 5

// maxOthers is how many operations of others may have come after ours.
const maxOthers = 3

// errEnough ends a listing of events early.
var errEnough = errors.New("enough events")

// newestToken is the ClientRequestToken of the newest operation on a stack:
// every event of an operation carries the token that started it.
func (c *Cloud) newestToken(ctx context.Context, stack string) (string, error) {
	out, err := c.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String(stack)})
	if err != nil {
		return "", c.readError("read the events of "+stack, err)
	}
	if len(out.StackEvents) == 0 {
		return "", nil
	}
	return aws.ToString(out.StackEvents[0].ClientRequestToken), nil
}

// eventsSince reads the events of a stack, oldest first: those after the
// event with id last, or, when last is "", those of the newest operation.
// With a token it goes back to the operation that the token started, a few
// operations at most; it finds nothing while that is not to be seen.
func (c *Cloud) eventsSince(ctx context.Context, stack, last, token string) ([]types.StackEvent, error) {
	var found []types.StackEvent
	others := 0
	err := pages(func(page *string) (*string, error) {
		out, err := c.cfn.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: aws.String(stack), NextToken: page})
		if err != nil {
			return nil, err
		}
		for _, e := range out.StackEvents {
			if last != "" && aws.ToString(e.EventId) == last {
				return nil, errEnough
			}
			mine := token == "" || aws.ToString(e.ClientRequestToken) == token
			if last == "" && startsOperation(e) && !mine {
				if others++; others > maxOthers || containsToken(found, token) {
					return nil, errEnough
				}
			}
			found = append(found, e)
			if last == "" && startsOperation(e) && mine {
				return nil, errEnough
			}
		}
		return out.NextToken, nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if last == "" && token != "" && !containsToken(found, token) {
		if err == nil && tokenless(found) { // no error: that was the whole history
			return nil, errTokenless
		}
		return nil, nil
	}
	slices.Reverse(found)
	return found, nil
}

// errTokenless tells that an endpoint reports no tokens with its events, as
// some stand-ins for AWS do (moto): an operation cannot be told by them.
var errTokenless = errors.New("events carry no tokens")

// tokenless tells whether operations ended here and none of their events has
// a token. A stack of ours on AWS was at least created with one.
func tokenless(events []types.StackEvent) bool {
	ended := false
	for _, e := range events {
		if aws.ToString(e.ClientRequestToken) != "" {
			return false
		}
		ended = ended || ofStack(e) && succeeded(string(e.ResourceStatus))
	}
	return ended
}

func containsToken(events []types.StackEvent, token string) bool {
	return slices.ContainsFunc(events, func(e types.StackEvent) bool { return aws.ToString(e.ClientRequestToken) == token })
}

// ofStack tells whether an event is about the stack itself.
func ofStack(e types.StackEvent) bool {
	return aws.ToString(e.ResourceType) == typeStack && aws.ToString(e.PhysicalResourceId) == aws.ToString(e.StackId)
}

// startsOperation tells whether an event is the first of an operation. A
// rollback belongs to the operation that failed, unless someone asked for it.
func startsOperation(e types.StackEvent) bool {
	if !ofStack(e) {
		return false
	}
	switch e.ResourceStatus {
	case types.ResourceStatusCreateInProgress, types.ResourceStatusUpdateInProgress,
		types.ResourceStatusDeleteInProgress, types.ResourceStatusImportInProgress, "REVIEW_IN_PROGRESS":
		return true
	case types.ResourceStatusRollbackInProgress, types.ResourceStatusUpdateRollbackInProgress:
		return aws.ToString(e.ResourceStatusReason) == "User Initiated"
	}
	return false
}

// isFailure tells whether an event says that something failed by itself, and
// was not merely cancelled because something else did.
func isFailure(e types.StackEvent) bool {
	if !strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
		return false
	}
	reason := aws.ToString(e.ResourceStatusReason)
	for _, noise := range []string{"Resource creation cancelled", "Resource update cancelled", "Resource deletion cancelled",
		"Resource creation canceled", "Resource update canceled", "Resource deletion canceled"} {
		if strings.HasPrefix(reason, noise) {
			return false
		}
	}
	return true
}

// causes finds why an operation failed: the failures of resources in the
// order they happened, each nested stack's own before the nested stack, and
// the stack's own words only if there is nothing else. For an operation that
// succeeded it is what the clean-up could not delete.
func (c *Cloud) causes(ctx context.Context, events []types.StackEvent, succeeded bool) ([]apply.Cause, error) {
	return c.nestedCauses(ctx, events, succeeded, 0)
}

func (c *Cloud) nestedCauses(ctx context.Context, events []types.StackEvent, succeeded bool, depth int) ([]apply.Cause, error) {
	var found, own []apply.Cause
	for i, e := range events {
		if !isFailure(e) || succeeded && !leftBehind(events[i:]) {
			continue
		}
		if ofStack(e) {
			own = append(own, c.cause(e))
			continue
		}
		nested := aws.ToString(e.PhysicalResourceId)
		if aws.ToString(e.ResourceType) == typeStack && nested != "" && depth < maxNesting {
			inner, err := c.eventsSince(ctx, nested, "", "")
			if isCanceled(err) {
				return nil, err
			}
			// A nested stack whose events are gone leaves only its parent's words.
			deeper, err := c.nestedCauses(ctx, inner, succeeded, depth+1)
			if err != nil {
				return nil, err
			}
			found = append(found, deeper...)
		}
		found = append(found, c.cause(e))
	}
	if len(found) == 0 {
		return own, nil
	}
	return found, nil
}

// leftBehind tells whether the first event is a failed delete of something
// that was not deleted afterwards either.
func leftBehind(events []types.StackEvent) bool {
	first := events[0]
	if first.ResourceStatus != types.ResourceStatusDeleteFailed || ofStack(first) {
		return false
	}
	for _, e := range events[1:] {
		if aws.ToString(e.LogicalResourceId) == aws.ToString(first.LogicalResourceId) &&
			aws.ToString(e.PhysicalResourceId) == aws.ToString(first.PhysicalResourceId) {
			// Tried again: that try decides.
			if e.ResourceStatus == types.ResourceStatusDeleteComplete || e.ResourceStatus == types.ResourceStatusDeleteFailed {
				return false
			}
		}
	}
	return true
}

func (c *Cloud) cause(e types.StackEvent) apply.Cause {
	return apply.Cause{
		Stack:    aws.ToString(e.StackName),
		Resource: aws.ToString(e.LogicalResourceId),
		Type:     aws.ToString(e.ResourceType),
		Status:   string(e.ResourceStatus),
		Reason:   c.masks.apply(oneLine(aws.ToString(e.ResourceStatusReason))),
	}
}
