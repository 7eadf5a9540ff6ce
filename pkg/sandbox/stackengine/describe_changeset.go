package stackengine

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

func (e *Engine) describeChangeSet(in *cloudformation.DescribeChangeSetInput, now time.Time) (any, error) {
	cs, err := e.findChangeSet(in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	s := e.State.Stacks[cs.Stack]
	d := &cs.Target
	status := cs.status(now)
	out := &cloudformation.DescribeChangeSetOutput{
		ChangeSetId: ptr(cs.ID), ChangeSetName: ptr(cs.Name), StackId: ptr(cs.Stack), StackName: ptr(s.Name),
		CreationTime: ptr(cs.Created), Description: optional(cs.Description), Status: status, ExecutionStatus: cs.execution(now),
		Capabilities: []types.Capability{}, NotificationARNs: append([]string{}, d.Notify...), Parameters: e.shownParameters(d),
		RollbackConfiguration: d.rollback(), IncludeNestedStacks: ptr(cs.Nested), OnStackFailure: types.OnStackFailure(cs.OnFailure),
		Changes: []types.Change{}, ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root), StatusReason: cs.reason(status),
	}
	if len(d.Tags) > 0 {
		out.Tags = tagList(d.Tags)
	}
	for _, c := range d.Capabilities {
		out.Capabilities = append(out.Capabilities, types.Capability(c))
	}
	if cs.Revert {
		out.DeploymentMode, out.StackDriftStatus = types.DeploymentModeRevertDrift, types.StackDriftStatus(cs.StackDrift)
	}
	if cs.Mode != "" {
		out.DeploymentConfig = &types.DeploymentConfig{Mode: types.DeploymentConfigMode(cs.Mode), DisableRollback: ptr(cs.NoRollback)}
	}
	if cs.ImportAny {
		out.ImportExistingResources = ptr(true)
	}
	if status == types.ChangeSetStatusCreatePending || status == types.ChangeSetStatusCreateInProgress {
		return out, nil
	}
	values := deref(in.IncludePropertyValues)
	var shown []Change
	for _, c := range cs.Changes {
		if !values || c.Values != nil {
			shown = append(shown, c)
		}
	}
	shown, out.NextToken, err = page("DescribeChangeSet", e.pageSize("DescribeChangeSet"), shown, func(c Change) string { return c.LogicalID }, in.NextToken)
	if err != nil {
		return nil, err
	}
	for _, c := range shown {
		out.Changes = append(out.Changes, types.Change{Type: types.ChangeTypeResource, ResourceChange: resourceChange(c, values, cs.Created)})
	}
	return out, nil
}

// execution is the change set's execution status: nothing can be executed that
// is not ready.
func (cs *ChangeSet) execution(now time.Time) types.ExecutionStatus {
	if now.Before(cs.Ready) {
		return types.ExecutionStatusUnavailable
	}
	return types.ExecutionStatus(cs.Execution)
}

// reason is why a change set has its status.
func (cs *ChangeSet) reason(status types.ChangeSetStatus) *string {
	switch {
	case status == types.ChangeSetStatusFailed:
		return optional(cs.Failed)
	case status == types.ChangeSetStatusCreateComplete && cs.Parent != "" && cs.Execution == "UNAVAILABLE":
		return ptr(executableFromRoot)
	}
	return nil
}

func resourceChange(c Change, values bool, at time.Time) *types.ResourceChange {
	a := c.Plain
	out := &types.ResourceChange{
		Action: types.ChangeAction(c.Action), LogicalResourceId: ptr(c.LogicalID), PhysicalResourceId: optional(c.PhysicalID), ResourceType: ptr(c.Type), ChangeSetId: optional(c.ChangeSet),
		Scope: []types.ResourceAttribute{}, Details: []types.ResourceChangeDetail{},
	}
	if values {
		a = *c.Values
		out.BeforeContext, out.AfterContext, out.PreviousDeploymentContext = optional(c.Before), optional(c.After), optional(c.Previous)
	}
	out.ResourceDriftStatus = types.StackResourceDriftStatus(c.Drift)
	for _, g := range c.Ignored {
		out.ResourceDriftIgnoredAttributes = append(out.ResourceDriftIgnoredAttributes, types.ResourceDriftIgnoredAttribute{Path: ptr(g.Path), Reason: types.DriftIgnoredReason(g.Reason)})
	}
	out.Replacement = types.Replacement(a.Replacement)
	out.PolicyAction = types.PolicyAction(a.PolicyAction)
	for _, s := range a.Scope {
		out.Scope = append(out.Scope, types.ResourceAttribute(s))
	}
	for _, d := range a.Details {
		target := &types.ResourceTargetDefinition{
			Attribute: types.ResourceAttribute(d.Attribute), Name: optional(d.Name), RequiresRecreation: types.RequiresRecreation(d.Recreation),
		}
		if values {
			target.Path, target.BeforeValue, target.AfterValue = optional(d.Path), d.Before, d.After
			target.AttributeChangeType = types.AttributeChangeType(d.Kind)
			driftOfTarget(target, c, d, at)
		}
		out.Details = append(out.Details, types.ResourceChangeDetail{
			Target: target, Evaluation: types.EvaluationType(d.Evaluation), ChangeSource: types.ChangeSource(d.Source), CausingEntity: optional(d.Causing),
		})
	}
	return out
}

// driftOfTarget adds what a drift-aware change set tells of a value.
func driftOfTarget(target *types.ResourceTargetDefinition, c Change, d ChangeDetail, at time.Time) {
	if c.Drift == "" || d.From == "" {
		return
	}
	target.BeforeValueFrom = types.BeforeValueFrom(d.From)
	if d.After != nil {
		target.AfterValueFrom = types.AfterValueFromTemplate
	}
	if d.DriftBefore != nil || d.DriftActual != nil {
		target.Drift = &types.LiveResourceDrift{PreviousValue: d.DriftBefore, ActualValue: d.DriftActual, DriftDetectionTimestamp: ptr(at)}
	}
}

func (e *Engine) listChangeSets(in *cloudformation.ListChangeSetsInput, now time.Time) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	ids, next, err := page("ListChangeSets", e.pageSize("ListChangeSets"), e.load().sets[s.ID], self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListChangeSetsOutput{NextToken: next, Summaries: []types.ChangeSetSummary{}}
	for _, id := range ids {
		cs := e.State.ChangeSets[id]
		summary := types.ChangeSetSummary{
			ChangeSetId: ptr(cs.ID), ChangeSetName: ptr(cs.Name), StackId: ptr(s.ID), StackName: ptr(s.Name), CreationTime: ptr(cs.Created),
			Description: optional(cs.Description), Status: cs.status(now), ExecutionStatus: cs.execution(now), IncludeNestedStacks: ptr(cs.Nested),
			ParentChangeSetId: optional(cs.Parent), RootChangeSetId: optional(cs.Root),
		}
		summary.StatusReason = cs.reason(summary.Status)
		out.Summaries = append(out.Summaries, summary)
	}
	return out, nil
}
