package stackengine

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// describeEvents lists events by stack, operation or change set; it is the only
// place that tells what early validation found. A change set is named by ARN
// alone (cloudformation-cli #1116).
func (e *Engine) describeEvents(in *cloudformation.DescribeEventsInput) (any, error) {
	var list []types.OperationEvent
	switch {
	case strings.HasPrefix(deref(in.ChangeSetName), "arn:"):
		cs := e.State.ChangeSets[*in.ChangeSetName]
		if cs == nil {
			return nil, &Error{Code: "ChangeSetNotFound", Message: "ChangeSet [" + *in.ChangeSetName + "] does not exist", Status: 404}
		}
		list = e.findings(cs)
	case in.OperationId != nil || in.StackName != nil:
		var err error
		if cs := e.changeSetOfOperation(deref(in.OperationId)); cs != nil {
			list = e.findings(cs)
			break
		}
		if list, err = e.operationEvents(in); err != nil {
			return nil, err
		}
	default:
		return nil, invalid("One of ChangeSetName, OperationId or StackName must be specified")
	}
	if in.Filters != nil && deref(in.Filters.FailedEvents) {
		var failed []types.OperationEvent
		for _, ev := range list {
			if ev.EventType != types.EventTypeStackEvent || strings.HasSuffix(string(ev.ResourceStatus), "FAILED") {
				failed = append(failed, ev)
			}
		}
		list = failed
	}
	list, next, err := page("DescribeEvents", e.pageSize("DescribeEvents"), list, func(ev types.OperationEvent) string { return deref(ev.EventId) }, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &cloudformation.DescribeEventsOutput{OperationEvents: append([]types.OperationEvent{}, list...), NextToken: next}, nil
}

func (e *Engine) findings(cs *ChangeSet) []types.OperationEvent {
	return e.validationEvents(cs.ID, cs.Stack, cs.Operation, types.OperationTypeCreateChangeset, cs.Findings, cs.Ready)
}

// validationEvents are what early validation found for an operation.
func (e *Engine) validationEvents(label, stack, operation string, kind types.OperationType, findings []Finding, at time.Time) []types.OperationEvent {
	var out []types.OperationEvent
	for i, f := range findings {
		mode := types.HookFailureModeFail
		if f.Mode == warningMode {
			mode = types.HookFailureModeWarn
		}
		out = append(out, types.OperationEvent{
			EventId: ptr(e.uuid(label, "finding", itoa(i))), EventType: types.EventTypeValidationError, StackId: ptr(stack),
			OperationId: ptr(operation), OperationType: kind, LogicalResourceId: ptr(f.LogicalID),
			PhysicalResourceId: optional(f.PhysicalID), ResourceType: ptr(f.Type), Timestamp: ptr(at),
			ValidationName: ptr(f.Name), ValidationPath: ptr(f.Path), ValidationStatus: types.ValidationStatusFailed,
			ValidationStatusReason: ptr(f.Reason), ValidationFailureMode: mode,
		})
	}
	return out
}

func (e *Engine) operationEvents(in *cloudformation.DescribeEventsInput) ([]types.OperationEvent, error) {
	var s *Stack
	if in.StackName != nil {
		if s = e.find(*in.StackName); s == nil {
			return nil, unknownStack(*in.StackName)
		}
	} else if s = e.stackOfOperation(*in.OperationId); s == nil {
		return nil, invalid("Operation [%s] does not exist", *in.OperationId)
	}
	kinds := map[string]string{}
	for _, op := range s.Last {
		kinds[op.ID] = op.Type
	}
	var out []types.OperationEvent
	for _, op := range s.Last {
		if in.OperationId == nil || *in.OperationId == op.ID {
			out = append(out, e.validationEvents(op.ID, s.ID, op.ID, types.OperationType(op.Type), op.Findings, op.Start)...)
		}
	}
	for i := len(s.Events) - 1; i >= 0; i-- {
		ev := s.Events[i]
		if in.OperationId != nil && ev.Operation != *in.OperationId {
			continue
		}
		kind := types.EventTypeStackEvent
		if strings.HasSuffix(ev.Status, "_FAILED") && ev.Type != "AWS::CloudFormation::Stack" {
			kind = types.EventTypeProvisioningError
		}
		out = append(out, types.OperationEvent{
			EventId: ptr(ev.ID), EventType: kind, StackId: ptr(s.ID), OperationId: optional(ev.Operation), OperationType: types.OperationType(kinds[ev.Operation]),
			LogicalResourceId: ptr(ev.LogicalID), PhysicalResourceId: ptr(ev.PhysicalID), ResourceType: ptr(ev.Type),
			ResourceStatus: types.ResourceStatus(ev.Status), ResourceStatusReason: optional(ev.Reason), Timestamp: ptr(ev.Time),
			ClientRequestToken: optional(ev.Token), ResourceProperties: optional(s.Texts[ev.Properties]),
		})
	}
	return out, nil
}

func (e *Engine) stackOfOperation(id string) *Stack {
	for _, stack := range e.load().stacks {
		for _, op := range e.State.Stacks[stack].Last {
			if op.ID == id {
				return e.State.Stacks[stack]
			}
		}
	}
	return nil
}

func (e *Engine) changeSetOfOperation(id string) *ChangeSet {
	if id == "" {
		return nil
	}
	for _, key := range keys(e.State.ChangeSets) {
		if cs := e.State.ChangeSets[key]; cs.Operation == id {
			return cs
		}
	}
	return nil
}
