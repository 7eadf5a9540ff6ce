package stackengine

import (
	"context"
	"fmt"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// Handle serves one request: op is the operation's name, in its
// *cloudformation.OpInput; the answer is the *cloudformation.OpOutput. A
// refusal is an *Error.
func (e *Engine) Handle(ctx context.Context, op string, in any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.load()
	now := e.now()
	e.advance(ctx, now)
	out, known, err := e.serveChange(ctx, in, now)
	if !known {
		out, known, err = e.serveRead(ctx, in, now)
	}
	if !known {
		return nil, &Error{Code: "InvalidAction", Message: fmt.Sprintf("Could not find operation %s for version 2010-05-15", op), Status: 400}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (e *Engine) serveChange(ctx context.Context, in any, now time.Time) (out any, known bool, err error) {
	known = true
	switch in := in.(type) {
	case *cfn.CreateStackInput:
		out, err = e.createStack(ctx, in, now)
	case *cfn.UpdateStackInput:
		out, err = e.updateStack(ctx, in, now)
	case *cfn.DeleteStackInput:
		out, err = e.deleteStack(in, now)
	case *cfn.CancelUpdateStackInput:
		out, err = e.cancelUpdateStack(in, now)
	case *cfn.ContinueUpdateRollbackInput:
		out, err = e.continueUpdateRollback(in, now)
	case *cfn.RollbackStackInput:
		out, err = e.rollbackStack(in, now)
	case *cfn.CreateChangeSetInput:
		out, err = e.createChangeSet(ctx, in, now)
	case *cfn.ExecuteChangeSetInput:
		out, err = e.executeChangeSet(in, now)
	case *cfn.DeleteChangeSetInput:
		out, err = e.deleteChangeSet(in, now)
	case *cfn.SetStackPolicyInput:
		out, err = e.setStackPolicy(ctx, in)
	case *cfn.UpdateTerminationProtectionInput:
		out, err = e.updateTerminationProtection(in)
	case *cfn.SignalResourceInput:
		out, err = e.signalResource(in, now)
	case *cfn.DetectStackDriftInput:
		out, err = e.detectStackDrift(ctx, in, now)
	case *cfn.DetectStackResourceDriftInput:
		out, err = e.detectStackResourceDrift(ctx, in, now)
	default:
		known = false
	}
	return out, known, err
}

func (e *Engine) serveRead(ctx context.Context, in any, now time.Time) (out any, known bool, err error) {
	known = true
	switch in := in.(type) {
	case *cfn.DescribeStacksInput:
		out, err = e.describeStacks(in)
	case *cfn.ListStacksInput:
		out, err = e.listStacks(in, now)
	case *cfn.DescribeStackEventsInput:
		out, err = e.describeStackEvents(in)
	case *cfn.DescribeEventsInput:
		out, err = e.describeEvents(in)
	case *cfn.DescribeStackResourceInput:
		out, err = e.describeStackResource(in)
	case *cfn.DescribeStackResourcesInput:
		out, err = e.describeStackResources(in)
	case *cfn.ListStackResourcesInput:
		out, err = e.listStackResources(in)
	case *cfn.DescribeChangeSetInput:
		out, err = e.describeChangeSet(in, now)
	case *cfn.ListChangeSetsInput:
		out, err = e.listChangeSets(in, now)
	case *cfn.GetTemplateInput:
		out, err = e.getTemplate(in)
	case *cfn.GetTemplateSummaryInput:
		out, err = e.getTemplateSummary(ctx, in)
	case *cfn.ValidateTemplateInput:
		out, err = e.validateTemplate(ctx, in)
	case *cfn.GetStackPolicyInput:
		out, err = e.getStackPolicy(in)
	case *cfn.ListExportsInput:
		out, err = e.listExports(in)
	case *cfn.ListImportsInput:
		out, err = e.listImports(in)
	case *cfn.DescribeStackDriftDetectionStatusInput:
		out, err = e.describeDriftDetection(in)
	case *cfn.DescribeStackResourceDriftsInput:
		out, err = e.describeResourceDrifts(ctx, in)
	case *cfn.DescribeAccountLimitsInput:
		out = e.accountLimits()
	default:
		known = false
	}
	return out, known, err
}

func (e *Engine) now() time.Time {
	if e.Now == nil {
		return time.Now().UTC()
	}
	return e.Now().UTC()
}
