package stackengine

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/awstype"
)

// secondsDrift is how long a detection takes, before Scale: "up to several
// minutes" (aws-limits 4.1), a few seconds for a small stack.
const secondsDrift = 10.0

func (e *Engine) detectStackDrift(ctx context.Context, in *cloudformation.DetectStackDriftInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	if s.Op != nil || s.Status == "REVIEW_IN_PROGRESS" {
		return nil, invalid("Drift detection cannot be performed on stack [%s] while in status [%s].", s.ID, s.Status)
	}
	for _, id := range keys(e.State.Drifts) {
		if d := e.State.Drifts[id]; d.Stack == s.ID && !d.Done {
			return nil, invalid("Drift detection is already in progress for stack [%s]. DriftDetectionId=%s", s.ID, d.ID)
		}
	}
	for _, id := range in.LogicalResourceIds {
		if s.Resources[id] == nil {
			return nil, invalid("Resource %s does not exist for stack %s", id, s.Name)
		}
	}
	d := &Detection{ID: e.nextID(s, "drift"), Stack: s.ID, Logical: in.LogicalResourceIds, Start: now, Ready: now.Add(e.seconds(secondsDrift)), Found: map[string]string{}}
	for _, id := range keys(s.Resources) {
		if len(d.Logical) == 0 || slices.Contains(d.Logical, id) {
			d.Found[id], _, _ = e.drifted(ctx, s, s.Resources[id])
		}
	}
	e.State.Drifts[d.ID] = d
	e.wake(due{d.Ready, dueDrift, d.ID})
	return &cloudformation.DetectStackDriftOutput{StackDriftDetectionId: ptr(d.ID)}, nil
}

// settleDrift shows what a detection found, when its time has come.
func (e *Engine) settleDrift(d *Detection) {
	s := e.State.Stacks[d.Stack]
	d.Done, d.State = true, "IN_SYNC"
	for _, id := range keys(d.Found) {
		if r := s.Resources[id]; r != nil {
			r.DriftState, r.DriftTime = d.Found[id], d.Ready
		}
	}
	for _, r := range s.Resources {
		if r.DriftState == "MODIFIED" || r.DriftState == "DELETED" {
			d.Drifted++
			d.State = "DRIFTED"
		}
	}
	s.DriftState, s.DriftTime = d.State, d.Ready
}

// drifted compares a resource's live properties with what the template set.
// Only properties that the template names count, and not those that AWS never
// returns; dynamic references are left out (aws-limits 4.1, Drift).
func (e *Engine) drifted(ctx context.Context, s *Stack, r *StackResource) (state string, live map[string]any, diffs []difference) {
	if r.PhysicalID == "" || r.Status == "DELETE_COMPLETE" || r.Type == stackType || r.Skipped {
		return "NOT_CHECKED", nil, nil
	}
	expected := decode(r.Properties)
	item := e.State.Items[r.Type+"|"+r.PhysicalID]
	switch p, special := e.Providers[r.Type]; {
	case special:
		read, err := p.Read(ctx, e.view(s, r))
		if h := handlerError(err); h != nil {
			if h.Code == codeNotFound {
				return "DELETED", nil, nil
			}
			return "UNKNOWN", nil, nil
		}
		live = withHand(decode(compact(read)), item)
	case item == nil:
		return "DELETED", nil, nil
	case item.Properties == nil:
		return "IN_SYNC", expected, nil
	default:
		live = decode(item.Properties)
	}
	t, _ := awstype.Lookup(r.Type)
	for _, name := range keys(expected) {
		for _, d := range differences(name, expected[name], live[name]) {
			if t.Hidden(d.path) || dynamicReference(d.before) || t.Equivalent(d.path, expected, d.before, d.after) {
				continue
			}
			diffs = append(diffs, d)
		}
	}
	if len(diffs) > 0 {
		return "MODIFIED", live, diffs
	}
	return "IN_SYNC", live, nil
}

func dynamicReference(v any) bool {
	s, ok := v.(string)
	return ok && len(s) > 10 && s[:10] == "{{resolve:"
}

func (e *Engine) describeDriftDetection(in *cloudformation.DescribeStackDriftDetectionStatusInput) (any, error) {
	d := e.State.Drifts[deref(in.StackDriftDetectionId)]
	if d == nil {
		return nil, invalid("Stack drift detection [%s] does not exist", deref(in.StackDriftDetectionId))
	}
	out := &cloudformation.DescribeStackDriftDetectionStatusOutput{
		StackDriftDetectionId: ptr(d.ID), StackId: ptr(d.Stack), Timestamp: ptr(d.Start), DetectionStatus: types.StackDriftDetectionStatusDetectionInProgress,
	}
	if d.Done {
		out.DetectionStatus = types.StackDriftDetectionStatusDetectionComplete
		out.StackDriftStatus = types.StackDriftStatus(d.State)
		out.DriftedStackResourceCount = ptr(d.Drifted)
	}
	return out, nil
}

func (e *Engine) describeResourceDrifts(ctx context.Context, in *cloudformation.DescribeStackResourceDriftsInput) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	var ids []string
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		if r.DriftState == "" || r.DriftState == "NOT_CHECKED" && len(in.StackResourceDriftStatusFilters) == 0 || len(in.StackResourceDriftStatusFilters) > 0 && !slices.Contains(in.StackResourceDriftStatusFilters, types.StackResourceDriftStatus(r.DriftState)) {
			continue
		}
		ids = append(ids, id)
	}
	if n := in.MaxResults; n != nil && (*n < 1 || *n > 100) {
		return nil, constraint(itoa(int(*n)), "maxResults", "have value between 1 and 100")
	}
	size := e.pageSize("DescribeStackResourceDrifts")
	if n := int(deref(in.MaxResults)); n > 0 {
		size = min(size, n)
	}
	ids, next, err := page("DescribeStackResourceDrifts", size, ids, self, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudformation.DescribeStackResourceDriftsOutput{NextToken: next, StackResourceDrifts: []types.StackResourceDrift{}}
	for _, id := range ids {
		out.StackResourceDrifts = append(out.StackResourceDrifts, e.shownDrift(ctx, s, s.Resources[id]))
	}
	return out, nil
}

func (e *Engine) detectStackResourceDrift(ctx context.Context, in *cloudformation.DetectStackResourceDriftInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	r := s.Resources[deref(in.LogicalResourceId)]
	if r == nil {
		return nil, invalid("Resource %s does not exist for stack %s", deref(in.LogicalResourceId), s.Name)
	}
	r.Skipped = false
	r.DriftState, _, _ = e.drifted(ctx, s, r)
	r.DriftTime = now
	return &cloudformation.DetectStackResourceDriftOutput{StackResourceDrift: ptr(e.shownDrift(ctx, s, r))}, nil
}

func (e *Engine) shownDrift(ctx context.Context, s *Stack, r *StackResource) types.StackResourceDrift {
	out := types.StackResourceDrift{
		StackId: ptr(s.ID), LogicalResourceId: ptr(r.LogicalID), PhysicalResourceId: optional(r.PhysicalID), ResourceType: ptr(r.Type),
		StackResourceDriftStatus: types.StackResourceDriftStatus(r.DriftState), Timestamp: ptr(r.DriftTime),
	}
	_, live, diffs := e.drifted(ctx, s, r)
	if live == nil {
		return out
	}
	shown := map[string]any{}
	expected := decode(r.Properties)
	for _, k := range keys(expected) {
		if v, ok := live[k]; ok {
			shown[k] = v
		}
	}
	out.ExpectedProperties, out.ActualProperties = ptr(string(compact(expected))), ptr(string(compact(shown)))
	out.PropertyDifferences = []types.PropertyDifference{}
	for _, d := range diffs {
		kind := types.DifferenceTypeNotEqual
		switch {
		case d.before == nil:
			kind = types.DifferenceTypeAdd
		case d.after == nil:
			kind = types.DifferenceTypeRemove
		}
		out.PropertyDifferences = append(out.PropertyDifferences, types.PropertyDifference{
			PropertyPath: ptr(d.pointer()[len("/Properties"):]), ExpectedValue: ptr(asText(d.before)), ActualValue: ptr(asText(d.after)), DifferenceType: kind,
		})
	}
	return out
}

func asText(v any) string {
	if v == nil {
		return "null"
	}
	if s, ok := text(v); ok {
		return s
	}
	return string(compact(v))
}

// accountLimits are AWS's defaults, or what the state says.
func (e *Engine) accountLimits() any {
	limit := e.State.MaxStacks
	if limit == 0 {
		limit = defaultMaxStacks
	}
	return &cloudformation.DescribeAccountLimitsOutput{AccountLimits: []types.AccountLimit{
		{Name: ptr("ConcurrentResourcesLimit"), Value: ptr(int32(30000))},
		{Name: ptr("StackLimit"), Value: ptr(int32(limit))},
		{Name: ptr("StackOutputsLimit"), Value: ptr(int32(maxOutputs))},
	}}
}
