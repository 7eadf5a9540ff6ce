package stackengine

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// What the engine itself does of an UpdatePolicy; the rest is the provider's
// (documentation of UpdatePolicy).

const groupType = "AWS::AutoScaling::AutoScalingGroup"

// replacedByPolicy tells whether AutoScalingReplacingUpdate with WillReplace
// makes a new group of a change that would be made in place. It has precedence
// over AutoScalingRollingUpdate.
func replacedByPolicy(r, next *StackResource) bool {
	if next.Type != groupType {
		return false
	}
	policy, _ := decode(next.Policy)["AutoScalingReplacingUpdate"].(map[string]any)
	if !isTrue(policy["WillReplace"]) {
		return false
	}
	was, is := decode(r.Properties), decode(next.Properties)
	return slices.ContainsFunc([]string{"LaunchConfigurationName", "LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier", "PlacementGroup"}, func(name string) bool {
		return !equal(was[name], is[name])
	})
}

func isTrue(v any) bool { return v == true || v == "true" }

// waitsForSignals tells whether an update of the resource counts signals:
// AutoScalingRollingUpdate with WaitOnResourceSignals.
func (r *StackResource) waitsForSignals() bool {
	if r.Status != "UPDATE_IN_PROGRESS" || r.Awaits != nil {
		return false
	}
	source := r
	if b := r.Before; b != nil && len(b.Policy) > 0 && len(r.Policy) == 0 {
		source = b
	}
	policy, _ := decode(source.Policy)["AutoScalingRollingUpdate"].(map[string]any)
	return isTrue(policy["WaitOnResourceSignals"])
}

// signalUpdate keeps a signal of an instance that a rolling update launched.
func (e *Engine) signalUpdate(s *Stack, r *StackResource, in *cloudformation.SignalResourceInput, now time.Time) {
	if r.Signals == nil {
		r.Signals = &Signals{}
	}
	id := deref(in.UniqueId)
	if slices.Contains(r.Signals.Success, id) || slices.Contains(r.Signals.Failure, id) {
		return
	}
	list := &r.Signals.Success
	if in.Status == types.ResourceSignalStatusFailure {
		list = &r.Signals.Failure
	}
	*list = append(*list, id)
	e.note(s, r, r.Status, fmt.Sprintf("Received %s signal with UniqueId %s", in.Status, id), now)
	e.nudge(s, r, now)
}
