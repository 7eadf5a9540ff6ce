package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

const (
	pendingSeconds = 10   // before a refresh begins, and before a cancelled one ends
	patience       = 3600 // a refresh that cannot go on fails (user guide, "How an instance refresh works")
)

// percent is how much of a refresh is complete; it goes back to zero during a
// rollback.
func (r *refresh) percent() int32 {
	if b := r.Rollback; b != nil {
		return b.Percent * int32(len(r.Old)) / int32(max(1, b.Total))
	}
	if r.Total == 0 {
		if r.Status == string(types.InstanceRefreshStatusSuccessful) || r.Status == string(types.InstanceRefreshStatusBaking) {
			return 100
		}
		return 0
	}
	return int32((r.Total - len(r.Old)) * 100 / r.Total)
}

// left is the number of instances still to update; after a rollback, of those
// that were never updated.
func (r *refresh) left() int32 {
	if r.Rollback != nil {
		return r.Rollback.Left
	}
	return int32(len(r.Old))
}

// advanceRefresh is the next step of a refresh, at the time that it named.
func (g *group) advanceRefresh(c *call, r *refresh) {
	r.Next = time.Time{}
	if g.alarmed(c, r) {
		return
	}
	switch types.InstanceRefreshStatus(r.Status) {
	case types.InstanceRefreshStatusPending:
		r.Status = string(types.InstanceRefreshStatusInProgress)
		r.Old = g.toReplace(c, r)
		r.Total = len(r.Old)
		g.roll(c, r)
	case types.InstanceRefreshStatusCancelling:
		r.over(c, types.InstanceRefreshStatusCancelled, r.Reason)
	case types.InstanceRefreshStatusBaking:
		g.succeed(c, r)
	default:
		g.roll(c, r)
	}
}

func (r *refresh) over(c *call, status types.InstanceRefreshStatus, reason string) {
	r.Status, r.Reason, r.End, r.Batch, r.Next, r.Surge = string(status), reason, c.now, nil, time.Time{}, 0
}

// toReplace lists the instances that a refresh is to replace, the oldest first.
func (g *group) toReplace(c *call, r *refresh) []string {
	var out []string
	for i := range g.Instances {
		inst := &g.Instances[i]
		switch {
		case !inst.active(),
			inst.Protect && r.Preferences.Protected == string(types.ScaleInProtectedInstancesIgnore),
			!inst.counts() && r.Preferences.Standby == string(types.StandbyInstancesIgnore),
			r.Preferences.Skip && g.matching(c, inst):
			continue
		}
		out = append(out, inst.ID)
	}
	return out
}

// matching tells whether an instance is as the group would launch one now.
func (g *group) matching(c *call, inst *groupInstance) bool {
	ref, instanceType := g.launch(c)
	if inst.Template != g.resolved(c, ref) {
		return false
	}
	mixed := g.Mixed
	if r := g.refreshing(); r != nil && r.Desired != nil && r.Rollback == nil {
		mixed = r.Desired.Mixed
	}
	m := mixedPolicy(c, mixed)
	if m == nil || m.LaunchTemplate == nil || len(m.LaunchTemplate.Overrides) == 0 {
		return instanceType == "" || inst.Type == instanceType
	}
	return slices.ContainsFunc(m.LaunchTemplate.Overrides, func(o types.LaunchTemplateOverrides) bool { return aws.ToString(o.InstanceType) == inst.Type })
}

// resolved is a template reference as an instance has it: with its number.
func (g *group) resolved(c *call, ref templateRef) templateRef {
	t := c.template(ref.ID, ref.Name)
	if t == nil || t.version(ref.Version) == nil {
		return ref
	}
	return templateRef{t.ID, t.Name, fmt.Sprint(t.version(ref.Version).Number)}
}

// roll completes the batch that is being replaced, if it is, and begins the
// next one.
func (g *group) roll(c *call, r *refresh) {
	if len(r.Batch) > 0 && !g.replaced(c, r) {
		return
	}
	if r.Surge > 0 { // the replacements are warm
		r.Surge = 0
		if g.takeOut(c, r); !g.replaced(c, r) {
			return
		}
	}
	r.Old = slices.DeleteFunc(r.Old, func(id string) bool { // what left by itself needs no replacement
		inst := g.find(id)
		return slices.Contains(r.Batch, id) || inst == nil || !inst.active()
	})
	r.Batch = nil
	if len(r.Old) == 0 || g.atLastCheckpoint(r) {
		g.finishRefresh(c, r)
		return
	}
	if r.Rollback == nil && r.Passed < len(r.Preferences.Checkpoints) && r.percent() >= r.Preferences.Checkpoints[r.Passed] {
		r.Passed++
		r.Reason, r.Next = "Waiting for the checkpoint delay to pass.", c.now.Add(c.takes(float64(r.Preferences.Delay)))
		return
	}
	if !g.may(processLaunch) || !g.may(processTerminate) || !g.may(processRefresh) {
		g.stuck(c, r, "Waiting for suspended processes to be resumed.")
		return
	}
	batch := g.nextBatch(r)
	if len(batch) == 0 {
		g.stuck(c, r, "Waiting for instances that are protected from scale in or in standby.")
		return
	}
	r.Stuck, r.Batch = time.Time{}, batch
	r.Reason = "Waiting for remaining instances to be available. For example: " + batch[0]
	if r.Surge = min(r.headroom(g.Desired), int32(len(batch))); r.Surge > 0 {
		g.scale(c, g.because(c, "an instance was launched in response to an instance refresh."))
		r.Next = c.now.Add(c.takes(launchSeconds + float64(r.Preferences.Warmup)))
		return
	}
	g.takeOut(c, r)
}

// headroom is how many instances may be launched before others end: what
// MaxHealthyPercentage allows above the desired capacity, at least one (API
// reference of RefreshPreferences).
func (r *refresh) headroom(desired int32) int32 {
	if most := r.Preferences.MaxHealthy; most != nil && *most > 100 {
		return max(1, desired*(*most-100)/100)
	}
	return 0
}

// surge is how many instances a rollout has above the desired capacity.
func (g *group) surge() int32 {
	if r := g.refreshing(); r != nil {
		return r.Surge
	}
	if g.Rollout != nil && g.Rollout.Rolling != nil {
		return g.Rollout.Rolling.Surge
	}
	return 0
}

// takeOut ends the batch and launches what is missing then.
func (g *group) takeOut(c *call, r *refresh) {
	cause := g.because(c, "an instance was taken out of service in response to an instance refresh.")
	for _, id := range r.Batch {
		if inst := g.find(id); inst != nil && inst.active() {
			g.end(c, inst, cause)
		}
	}
	g.scale(c, g.because(c, "an instance was launched in response to an instance refresh."))
	r.Next = c.now.Add(c.takes(launchSeconds + float64(r.Preferences.Warmup)))
}

// replaced tells whether the replacements are in service and warm; if not, when
// to look again, or that the refresh gives up.
func (g *group) replaced(c *call, r *refresh) bool {
	warm := time.Time{}
	n, waits := int32(0), false
	for i := range g.Instances {
		inst := &g.Instances[i]
		if !inst.counts() || inst.Bad {
			continue
		}
		if len(inst.Waits) > 0 {
			waits = true
			continue
		}
		n++
		ready := inst.Ready
		if inst.Launched.After(r.Start) {
			ready = ready.Add(c.takes(float64(r.Preferences.Warmup)))
		}
		if ready.After(warm) {
			warm = ready
		}
	}
	switch {
	case waits:
		g.stuck(c, r, "Waiting for instances to complete their lifecycle actions.")
		return false
	case n < g.Desired+r.Surge:
		why := "Waiting for replacement instances."
		if m := len(g.Activities); m > 0 && g.Activities[m-1].Failed != "" {
			why = g.Activities[m-1].Failed
		}
		g.stuck(c, r, why)
		return false
	case warm.After(c.now):
		r.Next = warm
		return false
	}
	r.Stuck = time.Time{}
	return true
}

// stuck waits, and fails the refresh after an hour in which nothing moved.
func (g *group) stuck(c *call, r *refresh, why string) {
	if r.Stuck.IsZero() {
		r.Stuck = c.now
	}
	r.Reason = why
	if until := r.Stuck.Add(c.takes(patience)); c.now.Before(until) {
		r.Next = earliest(until, c.now.Add(c.takes(retrySeconds)))
		return
	}
	switch {
	case r.Rollback != nil:
		r.over(c, types.InstanceRefreshStatusRollbackFailed, why)
	case r.Preferences.Auto:
		g.rollBack(c, r, "Rollback initiated automatically: "+why)
	default:
		r.over(c, types.InstanceRefreshStatusFailed, why)
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// nextBatch is what may be replaced at once: as many as leave the minimum of
// healthy instances, at least one, and no more than the next checkpoint.
func (g *group) nextBatch(r *refresh) []string {
	size := max(1, int(g.Desired)*int(100-r.Preferences.MinHealthy)/100+int(r.headroom(g.Desired)))
	if r.Rollback == nil && r.Passed < len(r.Preferences.Checkpoints) {
		target := (r.Total*int(r.Preferences.Checkpoints[r.Passed]) + 99) / 100
		size = min(size, max(1, target-(r.Total-len(r.Old))))
	}
	var out []string
	for _, id := range r.Old {
		inst := g.find(id)
		if len(out) >= size || inst.Protect && r.Preferences.Protected != string(types.ScaleInProtectedInstancesRefresh) || !inst.counts() && r.Preferences.Standby != string(types.StandbyInstancesTerminate) {
			continue
		}
		out = append(out, id)
	}
	return out
}

// atLastCheckpoint tells whether a refresh ends before 100 %: its last
// checkpoint is less.
func (g *group) atLastCheckpoint(r *refresh) bool {
	n := len(r.Preferences.Checkpoints)
	return r.Rollback == nil && n > 0 && r.Preferences.Checkpoints[n-1] < 100 && r.percent() >= r.Preferences.Checkpoints[n-1]
}

func (g *group) finishRefresh(c *call, r *refresh) {
	switch {
	case r.Rollback != nil:
		r.over(c, types.InstanceRefreshStatusRollbackSuccessful, "")
	case r.Preferences.Bake > 0:
		r.Status, r.Reason, r.Next = string(types.InstanceRefreshStatusBaking), "", c.now.Add(c.takes(float64(r.Preferences.Bake)))
	default:
		g.succeed(c, r)
	}
}

// succeed makes the desired configuration the group's own.
func (g *group) succeed(c *call, r *refresh) {
	if r.Desired != nil {
		g.Template, g.Mixed = r.Desired.Template, r.Desired.Mixed
	}
	r.over(c, types.InstanceRefreshStatusSuccessful, "")
}

// rollBack turns a refresh around: what it launched is replaced by what the
// group has.
func (g *group) rollBack(c *call, r *refresh, reason string) {
	b := &refreshRollback{Reason: reason, Start: c.now, Percent: r.percent(), Left: r.left()}
	r.Old = slices.DeleteFunc(slices.Clone(r.Old), func(id string) bool { return slices.Contains(r.Batch, id) })
	unchanged := map[string]bool{}
	for _, id := range r.Old {
		unchanged[id] = true
	}
	r.Old, r.Batch, r.Surge = nil, nil, 0
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.active() && !unchanged[inst.ID] && inst.Launched.After(r.Start) {
			r.Old = append(r.Old, inst.ID)
		}
	}
	b.Total = len(r.Old)
	r.Rollback, r.Status, r.Reason, r.Stuck = b, string(types.InstanceRefreshStatusRollbackInProgress), reason, time.Time{}
	r.Next = c.now.Add(c.takes(pendingSeconds))
}

// alarmed ends a refresh, or turns it around, when one of its alarms is in
// state ALARM (user guide, "Undo changes with a manual or auto rollback").
func (g *group) alarmed(c *call, r *refresh) bool {
	if r.Rollback != nil || r.Status == string(types.InstanceRefreshStatusCancelling) {
		return false
	}
	for _, name := range r.Preferences.Alarms {
		i, _, ok := c.anyAlarm(name)
		if !ok || c.alarmState(i).Value != "ALARM" {
			continue
		}
		why := "The alarm " + name + " went into the ALARM state."
		if r.Preferences.Auto {
			g.rollBack(c, r, "Rollback initiated automatically: "+why)
		} else {
			r.over(c, types.InstanceRefreshStatusFailed, why)
		}
		return true
	}
	return false
}

// lookAtAlarms lets the refreshes that watch an alarm look at it now.
func (c *call) lookAtAlarms(name string) {
	for _, group := range sortedKeys(c.region.Groups) {
		g := c.region.Groups[group]
		if r := g.refreshing(); r != nil && slices.Contains(r.Preferences.Alarms, name) {
			if g.alarmed(c, r) {
				g.scale(c, g.because(c, "an instance was terminated in response to a difference between desired and actual capacity."))
			}
		}
	}
}

// find gives an instance of the group; nil when it is gone.
func (g *group) find(id string) *groupInstance {
	for i := range g.Instances {
		if g.Instances[i].ID == id {
			return &g.Instances[i]
		}
	}
	return nil
}
