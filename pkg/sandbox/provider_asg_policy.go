package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"reconcile/pkg/sandbox/stackengine"
)

// The update policies of a group (CloudFormation template reference,
// "UpdatePolicy attribute"). AutoScalingReplacingUpdate is the engine's.

const (
	policyRefresh = "AutoScalingInstanceRefresh"
	policyRolling = "AutoScalingRollingUpdate"
	policySizes   = "AutoScalingScheduledAction"
	policyReplace = "AutoScalingReplacingUpdate"

	refreshHours = 36 // CloudFormation waits no longer for one direction of an update
)

// policyKeys are the members that each policy may have.
func policyKeys() map[string][]string {
	return map[string][]string{
		policyRefresh: {"Strategy", "Preferences"},
		policyRolling: {"MaxBatchSize", "MinActiveInstancesPercent", "MinInstancesInService", "MinSuccessfulInstancesPercent", "PauseTime", "SuspendProcesses", "WaitOnResourceSignals"},
		policySizes:   {"IgnoreUnmodifiedGroupSizeProperties"},
		policyReplace: {"WillReplace"},
	}
}

// stackRollout is what an update of the group's stack waits for; one is set.
type stackRollout struct {
	Refresh string         `json:"refresh,omitempty"` // id
	Rolling *rollingUpdate `json:"rolling,omitempty"`
}

// checkPolicy refuses what CloudFormation does not take. The words are the
// sandbox's.
func checkPolicy(policy props) error {
	known := policyKeys()
	for _, name := range sortedKeys(policy) {
		if known[name] == nil {
			return fail("ValidationError", "UpdatePolicy of an Auto Scaling group has no member %.80s.", name)
		}
		for _, key := range sortedKeys(policy.sub(name)) {
			if !slices.Contains(known[name], key) {
				return fail("ValidationError", "UpdatePolicy %s has no member %.80s.", name, key)
			}
		}
	}
	if policy.sub(policyRefresh) == nil {
		return nil
	}
	if policy.sub(policyRolling) != nil {
		return fail("ValidationError", "UpdatePolicy can't have both %s and %s.", policyRefresh, policyRolling)
	}
	if policy.sub(policyRefresh).text("Strategy") == "" {
		return fail("ValidationError", "UpdatePolicy %s needs a Strategy: Rolling or ReplaceRootVolume.", policyRefresh)
	}
	return knownStrategy(policy.sub(policyRefresh).text("Strategy"))
}

// refreshPolicy reads the preferences of an AutoScalingInstanceRefresh. Its
// defaults are not those of StartInstanceRefresh.
func (g *group) refreshPolicy(c *call, policy props) (refreshPreferences, error) {
	in := types.RefreshPreferences{}
	if raw := policy.sub(policyRefresh).raw("Preferences"); raw != nil {
		if err := c.sandbox.fields.fill(raw, &in); err != nil {
			return refreshPreferences{}, fail("ValidationError", "UpdatePolicy %s: the preferences are not valid: %v", policyRefresh, err)
		}
	}
	if in.MinHealthyPercentage == nil {
		in.MinHealthyPercentage = aws.Int32(100)
	}
	if in.MaxHealthyPercentage == nil {
		in.MaxHealthyPercentage = aws.Int32(min(110, 100+*in.MinHealthyPercentage))
	}
	if in.SkipMatching == nil {
		in.SkipMatching = aws.Bool(true)
	}
	return g.preferences(&in)
}

// changed lists which of a group's properties an update changes.
func changedProperties(old, next props, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		was, err1 := json.Marshal(old[name])
		is, err2 := json.Marshal(next[name])
		return err1 == nil && err2 == nil && string(was) == string(is)
	})
}

// blocked refuses an update that a running refresh is in the way of. A rollback
// goes past it: the refused update changed nothing.
func (g *group) blocked(old, r stackengine.Resource) error {
	running := g.refreshing()
	if running == nil || running.ByStack || r.Rollback {
		return nil
	}
	if props(r.UpdatePolicy).sub(policyRefresh) != nil && len(changedProperties(old.Properties, r.Properties, refreshTriggers()...)) > 0 {
		return fail("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
	}
	if running.Desired != nil && len(changedProperties(old.Properties, r.Properties, "LaunchTemplate", "MixedInstancesPolicy")) > 0 {
		return errDesired()
	}
	return nil
}

func refreshTriggers() []string {
	return []string{"LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier", "AvailabilityZones", "AvailabilityZoneIds", "PlacementGroup"}
}

// rollOut begins what the policy says about an update from old to r. What the
// update before it had under way, ends.
func (g *group) rollOut(c *call, old, r stackengine.Resource) error {
	policy := props(r.UpdatePolicy)
	preferences, err := g.refreshPolicy(c, policy)
	if err != nil {
		return err
	}
	rolling, err := readRolling(policy.sub(policyRolling), g)
	if err != nil {
		return err
	}
	g.stopRollout(c)
	if r.Rollback && g.refreshing() != nil {
		return nil // somebody else's, during a rollback
	}
	switch {
	case policy.sub(policyRefresh) != nil && len(changedProperties(old.Properties, r.Properties, refreshTriggers()...)) > 0:
		g.Rollout = &stackRollout{Refresh: g.begin(c, refresh{Preferences: preferences, ByStack: true})}
	case rolling != nil:
		templates := changedProperties(old.Properties, r.Properties, "LaunchTemplate", "MixedInstancesPolicy")
		places := changedProperties(old.Properties, r.Properties, "VPCZoneIdentifier", "PlacementGroup")
		if len(templates)+len(places) == 0 {
			return nil
		}
		g.Rollout = &stackRollout{Rolling: rolling}
		rolling.begin(c, g, len(places) > 0)
	}
	return nil
}

// stopRollout ends what an earlier update of the stack began: a rollback starts
// anew from where it is.
func (g *group) stopRollout(c *call) {
	if r := g.refreshing(); r != nil && r.ByStack {
		r.over(c, types.InstanceRefreshStatusCancelled, "Cancelled due to an update of the stack.")
	}
	if g.Rollout != nil && g.Rollout.Rolling != nil {
		g.Rollout.Rolling.resume(g)
	}
	g.Rollout = nil
}

// settleRollout is what the stack learns of its rollout: when to ask again, or
// that it failed, or neither when it is complete.
func (g *group) settleRollout(c *call, r stackengine.Resource) (time.Time, error) {
	if g.Rollout == nil {
		return time.Time{}, nil
	}
	if rolling := g.Rollout.Rolling; rolling != nil {
		again, err := rolling.advance(c, g, r.Signals)
		if err != nil || again.IsZero() {
			rolling.Surge = 0
			rolling.resume(g)
			g.Rollout = nil
			g.scale(c, g.because(c, "an instance was terminated in response to a difference between desired and actual capacity."))
		}
		return again, err
	}
	i := slices.IndexFunc(g.Refreshes, func(r refresh) bool { return r.ID == g.Rollout.Refresh })
	if i < 0 {
		return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: "The instance refresh " + g.Rollout.Refresh + " was not found."}
	}
	switch f := &g.Refreshes[i]; {
	case f.Status == string(types.InstanceRefreshStatusSuccessful):
		g.Rollout = nil
		return time.Time{}, nil
	case !f.End.IsZero():
		g.Rollout = nil
		return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: strings.TrimSpace(fmt.Sprintf("Instance refresh %s ended with status %s. %s", f.ID, f.Status, f.Reason))}
	case !c.now.Before(g.Declared.Add(c.takes(refreshHours * 3600))):
		f.over(c, types.InstanceRefreshStatusCancelled, "Cancelled: the stack waits no longer.")
		return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: fmt.Sprintf("Exceeded attempts to wait: instance refresh %s took more than %d hours", f.ID, refreshHours)}
	case f.Next.After(c.now):
		return f.Next, nil
	}
	return c.now.Add(c.takes(retrySeconds)), nil
}

// declaredSizes are MinSize, MaxSize and DesiredCapacity as an update sends
// them. AutoScalingScheduledAction keeps what the group has where the template
// did not change; a rollback does not look at it. Without the policy, what the
// template says is set; a template without DesiredCapacity says nothing.
func declaredSizes(r stackengine.Resource, old props) (least, most, desired *int32, err error) {
	keep := old != nil && !r.Rollback && props(r.UpdatePolicy).sub(policySizes).flag("IgnoreUnmodifiedGroupSizeProperties")
	p := props(r.Properties)
	for name, to := range map[string]**int32{"MinSize": &least, "MaxSize": &most, "DesiredCapacity": &desired} {
		if _, given := p[name]; !given && name == "DesiredCapacity" || keep && p.text(name) == old.text(name) {
			continue
		}
		n, ok := p.number(name)
		if !ok {
			return nil, nil, nil, fail("ValidationError", "%s must be a whole number.", name)
		}
		*to = &n
	}
	return least, most, desired, nil
}

// isoPause reads a PauseTime such as PT1H30M, in seconds; at most an hour.
func isoPause(s string) (float64, error) {
	rest, ok := strings.CutPrefix(s, "PT")
	d, err := time.ParseDuration(strings.ToLower(rest))
	if !ok || err != nil || d < 0 || d > time.Hour {
		return 0, fail("ValidationError", "PauseTime %.40q is not a duration of at most an hour, such as PT5M.", s)
	}
	return math.Round(d.Seconds()), nil
}
