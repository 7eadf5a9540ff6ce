package sandbox

import (
	"fmt"
	"slices"
	"time"

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
	r.Status, r.Reason, r.End, r.Batch, r.Next = string(status), reason, c.now, nil, time.Time{}
}

// toReplace lists the instances that a refresh is to replace, the oldest first.
func (g *group) toReplace(c *call, r *refresh) []string {
	ref, instanceType := g.launch(c)
	want := g.resolved(c, ref)
	var out []string
	for i := range g.Instances {
		inst := &g.Instances[i]
		if !inst.active() || inst.Protect && r.Preferences.Protected == string(types.ScaleInProtectedInstancesIgnore) {
			continue
		}
		if r.Preferences.Skip && inst.Template == want && (instanceType == "" || inst.Type == instanceType) {
			continue
		}
		out = append(out, inst.ID)
	}
	return out
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
		g.stuck(c, r, "Waiting for instances that are protected from scale in.")
		return
	}
	r.Stuck, r.Batch = time.Time{}, batch
	r.Reason = "Waiting for remaining instances to be available. For example: " + batch[0]
	cause := g.because(c, "an instance was taken out of service in response to an instance refresh.")
	for _, id := range batch {
		g.end(c, g.find(id), cause)
	}
	g.scale(c, g.because(c, "an instance was launched in response to an instance refresh."))
	r.Next = c.now.Add(c.takes(launchSeconds + float64(r.Preferences.Warmup)))
}

// replaced tells whether the replacements are in service and warm; if not, when
// to look again, or that the refresh gives up.
func (g *group) replaced(c *call, r *refresh) bool {
	warm := time.Time{}
	n := int32(0)
	for i := range g.Instances {
		inst := &g.Instances[i]
		if !inst.active() || inst.Bad {
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
	case n < g.Desired:
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
	size := max(1, int(g.Desired)*int(100-r.Preferences.MinHealthy)/100)
	if r.Rollback == nil && r.Passed < len(r.Preferences.Checkpoints) {
		target := (r.Total*int(r.Preferences.Checkpoints[r.Passed]) + 99) / 100
		size = min(size, max(1, target-(r.Total-len(r.Old))))
	}
	var out []string
	for _, id := range r.Old {
		if inst := g.find(id); len(out) < size && (!inst.Protect || r.Preferences.Protected == string(types.ScaleInProtectedInstancesRefresh)) {
			out = append(out, id)
		}
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
	r.Old, r.Batch = nil, nil
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.active() && !unchanged[inst.ID] && inst.Launched.After(r.Start) {
			r.Old = append(r.Old, inst.ID)
		}
	}
	b.Total = len(r.Old)
	r.Rollback, r.Status, r.Reason, r.Stuck = b, string(types.InstanceRefreshStatusRollbackInProgress), reason, time.Time{}
	r.Next = c.now.Add(c.takes(pendingSeconds))
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
