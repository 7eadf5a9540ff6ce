package stackengine

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// keptDays is how long a deleted stack is shown (aws-limits 4.1).
const keptDays = 90

func (e *Engine) describeStacks(in *cloudformation.DescribeStacksInput) (any, error) {
	if in.StackName != nil {
		s := e.find(*in.StackName)
		if s == nil {
			return nil, withID(*in.StackName)
		}
		return &cloudformation.DescribeStacksOutput{Stacks: []types.Stack{e.stack(s)}}, nil
	}
	var ids []string
	for _, id := range e.load().stacks {
		if e.State.Stacks[id].Status != "DELETE_COMPLETE" {
			ids = append(ids, id)
		}
	}
	ids, next, err := page("DescribeStacks", e.pageSize("DescribeStacks"), ids, self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStacksOutput{NextToken: next, Stacks: []types.Stack{}}
	for _, id := range ids {
		out.Stacks = append(out.Stacks, e.stack(e.State.Stacks[id]))
	}
	return out, nil
}

func self(s string) string { return s }

// stack is a stack as DescribeStacks shows it (LocalStack's recordings).
func (e *Engine) stack(s *Stack) types.Stack {
	d := &s.Deployed
	out := types.Stack{
		StackId: ptr(s.ID), StackName: ptr(s.Name), StackStatus: types.StackStatus(s.Status), StackStatusReason: optional(s.Reason),
		CreationTime: ptr(s.Created), LastUpdatedTime: moment(s.Updated), DeletionTime: moment(s.Deleted),
		Description: optional(d.Description), DisableRollback: ptr(d.NoRollback), NotificationARNs: append([]string{}, d.Notify...),
		RollbackConfiguration: d.rollback(), RoleARN: optional(d.RoleARN), ChangeSetId: optional(d.ChangeSet),
		DriftInformation: &types.StackDriftInformation{StackDriftStatus: types.StackDriftStatus(drift(s.DriftState)), LastCheckTimestamp: moment(s.DriftTime)},
		Parameters:       e.shownParameters(d), Tags: tagList(d.Tags),
	}
	out.ParentId, out.RootId = optional(s.Parent), optional(s.Root)
	if s.Status != "DELETE_COMPLETE" {
		out.EnableTerminationProtection = ptr(s.Protected)
	}
	if d.Timeout > 0 {
		out.TimeoutInMinutes = ptr(d.Timeout)
	}
	if d.RetainExcept {
		out.RetainExceptOnCreate = ptr(true)
	}
	for _, c := range d.Capabilities {
		out.Capabilities = append(out.Capabilities, types.Capability(c))
	}
	for _, o := range s.Outputs {
		out.Outputs = append(out.Outputs, types.Output{OutputKey: ptr(o.Key), OutputValue: ptr(o.Value), Description: optional(o.Description), ExportName: optional(o.Export)})
	}
	out.LastOperations = operations(s)
	return out
}

func operations(s *Stack) []types.OperationEntry {
	var out []types.OperationEntry
	for _, op := range s.Last {
		out = append(out, types.OperationEntry{OperationId: ptr(op.ID), OperationType: types.OperationType(op.Type)})
	}
	return out
}

func drift(state string) string {
	if state == "" {
		return "NOT_CHECKED"
	}
	return state
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func tagList(tags map[string]string) []types.Tag {
	out := []types.Tag{}
	for _, k := range keys(tags) {
		out = append(out, types.Tag{Key: ptr(k), Value: ptr(tags[k])})
	}
	return out
}

// shownParameters lists the parameters with NoEcho values hidden.
func (e *Engine) shownParameters(d *Deployment) []types.Parameter {
	if len(d.Parameters) == 0 {
		return nil
	}
	t, err := e.parse(d.Template)
	if err != nil {
		return nil
	}
	var out []types.Parameter
	for _, name := range keys(d.Parameters) {
		p := types.Parameter{ParameterKey: ptr(name), ParameterValue: ptr(d.Parameters[name])}
		if t.Parameters[name].NoEcho {
			p.ParameterValue = ptr(maskedValue)
		} else if v, ok := d.Resolved[name]; ok {
			p.ResolvedValue = ptr(v)
		}
		out = append(out, p)
	}
	return out
}

func (e *Engine) listStacks(in *cloudformation.ListStacksInput, now time.Time) (any, error) {
	if err := checkEnum(in.StackStatusFilter, "stackStatusFilter", types.StackStatus("").Values()); err != nil {
		return nil, err
	}
	var ids []string
	for _, id := range e.load().stacks {
		s := e.State.Stacks[id]
		if s.Status == "DELETE_COMPLETE" && now.Sub(s.Deleted) > keptDays*24*time.Hour {
			continue
		}
		if len(in.StackStatusFilter) == 0 || slices.Contains(in.StackStatusFilter, types.StackStatus(s.Status)) {
			ids = append(ids, id)
		}
	}
	ids, next, err := page("ListStacks", e.pageSize("ListStacks"), ids, self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStacksOutput{NextToken: next, StackSummaries: []types.StackSummary{}}
	for _, id := range ids {
		s := e.State.Stacks[id]
		out.StackSummaries = append(out.StackSummaries, types.StackSummary{
			StackId: ptr(s.ID), StackName: ptr(s.Name), StackStatus: types.StackStatus(s.Status), StackStatusReason: optional(s.Reason),
			CreationTime: ptr(s.Created), LastUpdatedTime: moment(s.Updated), DeletionTime: moment(s.Deleted),
			TemplateDescription: optional(s.Deployed.Description), LastOperations: operations(s), ParentId: optional(s.Parent), RootId: optional(s.Root),
			DriftInformation: &types.StackDriftInformationSummary{StackDriftStatus: types.StackDriftStatus(drift(s.DriftState)), LastCheckTimestamp: moment(s.DriftTime)},
		})
	}
	return out, nil
}

func (e *Engine) describeStackEvents(in *cloudformation.DescribeStackEventsInput) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	list := slices.Clone(s.Events)
	slices.Reverse(list)
	// Events of one moment and status share an id, so pages go by position from the oldest.
	left := len(list)
	if in.NextToken != nil {
		var err error
		if left, err = readOffset(*in.NextToken, len(list)); err != nil {
			return nil, err
		}
	}
	list = list[len(list)-left:]
	out := &cloudformation.DescribeStackEventsOutput{StackEvents: []types.StackEvent{}}
	if size := e.pageSize("DescribeStackEvents"); len(list) > size {
		list = list[:size]
		out.NextToken = ptr(writeOffset(left - size))
	}
	for _, ev := range list {
		out.StackEvents = append(out.StackEvents, types.StackEvent{
			EventId: ptr(ev.ID), StackId: ptr(s.ID), StackName: ptr(s.Name), Timestamp: ptr(ev.Time),
			LogicalResourceId: ptr(ev.LogicalID), PhysicalResourceId: ptr(ev.PhysicalID), ResourceType: ptr(ev.Type),
			ResourceStatus: types.ResourceStatus(ev.Status), ResourceStatusReason: optional(ev.Reason),
			ClientRequestToken: optional(ev.Token), OperationId: optional(ev.Operation), ResourceProperties: optional(s.Texts[ev.Properties]),
		})
	}
	return out, nil
}

func (e *Engine) listStackResources(in *cloudformation.ListStackResourcesInput) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, withID(deref(in.StackName))
	}
	ids, next, err := page("ListStackResources", e.pageSize("ListStackResources"), keys(s.Resources), self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackResourcesOutput{NextToken: next, StackResourceSummaries: []types.StackResourceSummary{}}
	for _, id := range ids {
		r := s.Resources[id]
		out.StackResourceSummaries = append(out.StackResourceSummaries, types.StackResourceSummary{
			LogicalResourceId: ptr(id), PhysicalResourceId: optional(r.PhysicalID), ResourceType: ptr(r.Type),
			ResourceStatus: types.ResourceStatus(r.Status), ResourceStatusReason: optional(r.Reason), LastUpdatedTimestamp: ptr(r.Updated),
			DriftInformation: &types.StackResourceDriftInformationSummary{StackResourceDriftStatus: types.StackResourceDriftStatus(drift(r.DriftState)), LastCheckTimestamp: moment(r.DriftTime)},
		})
	}
	return out, nil
}

func (e *Engine) describeStackResource(in *cloudformation.DescribeStackResourceInput) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, invalid("Stack '%s' does not exist", deref(in.StackName))
	}
	r := s.Resources[deref(in.LogicalResourceId)]
	if r == nil {
		return nil, invalid("Resource %s does not exist for stack %s", deref(in.LogicalResourceId), s.Name)
	}
	return &cloudformation.DescribeStackResourceOutput{StackResourceDetail: &types.StackResourceDetail{
		StackId: ptr(s.ID), StackName: ptr(s.Name), LogicalResourceId: ptr(r.LogicalID), PhysicalResourceId: optional(r.PhysicalID), ResourceType: ptr(r.Type),
		ResourceStatus: types.ResourceStatus(r.Status), ResourceStatusReason: optional(r.Reason), LastUpdatedTimestamp: ptr(r.Updated), Metadata: ptr(metadataText(r)),
		DriftInformation: resourceDrift(r),
	}}, nil
}

func metadataText(r *StackResource) string {
	if len(r.Metadata) == 0 {
		return "{}"
	}
	return string(r.Metadata)
}

func resourceDrift(r *StackResource) *types.StackResourceDriftInformation {
	return &types.StackResourceDriftInformation{StackResourceDriftStatus: types.StackResourceDriftStatus(drift(r.DriftState)), LastCheckTimestamp: moment(r.DriftTime)}
}

func (e *Engine) describeStackResources(in *cloudformation.DescribeStackResourcesInput) (any, error) {
	if (in.StackName == nil) == (in.PhysicalResourceId == nil) {
		return nil, invalid("Exactly one of StackName and PhysicalResourceId must be specified")
	}
	var s *Stack
	if in.StackName != nil {
		if s = e.find(*in.StackName); s == nil {
			return nil, withID(*in.StackName)
		}
	} else if s = e.ownerOf(*in.PhysicalResourceId); s == nil {
		return nil, invalid("Stack for %s does not exist", *in.PhysicalResourceId)
	}
	out := &cloudformation.DescribeStackResourcesOutput{StackResources: []types.StackResource{}}
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		if in.LogicalResourceId != nil && *in.LogicalResourceId != id || len(out.StackResources) == e.pageSize("DescribeStackResources") {
			continue
		}
		out.StackResources = append(out.StackResources, types.StackResource{
			StackId: ptr(s.ID), StackName: ptr(s.Name), LogicalResourceId: ptr(id), PhysicalResourceId: optional(r.PhysicalID), ResourceType: ptr(r.Type),
			ResourceStatus: types.ResourceStatus(r.Status), ResourceStatusReason: optional(r.Reason), Timestamp: ptr(r.Updated), DriftInformation: resourceDrift(r),
		})
	}
	if in.LogicalResourceId != nil && len(out.StackResources) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", *in.LogicalResourceId, s.Name)
	}
	return out, nil
}

func (e *Engine) ownerOf(physicalID string) *Stack {
	for _, key := range keys(e.State.Items) {
		if item := e.State.Items[key]; item.PhysicalID == physicalID && item.Owner != "" {
			return e.State.Stacks[item.Owner]
		}
	}
	return nil
}
