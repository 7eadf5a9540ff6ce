package sandbox

import (
	"slices"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// rollingUpdate is CloudFormation's AutoScalingRollingUpdate at work: it ends
// the obsolete instances a batch at a time and waits for what replaces them
// (template reference, "UpdatePolicy attribute"; AWS Knowledge Center, "rolling
// updates for my Auto Scaling group").
type rollingUpdate struct {
	Size    int32    `json:"size"`    // instances at once
	Least   int32    `json:"least"`   // in service meanwhile
	Percent int32    `json:"percent"` // that must signal success
	Pause   float64  `json:"pause"`   // seconds; with Signals, how long to wait for them
	Signals bool     `json:"signals,omitempty"`
	Suspend []string `json:"suspend,omitempty"` // processes

	Start  time.Time `json:"start"`
	Old    []string  `json:"old,omitempty"`
	Total  int       `json:"total"`
	Surge  int32     `json:"surge,omitempty"`  // above the desired capacity, so that Least stay
	Begun  time.Time `json:"begun,omitzero"`   // the batch under way
	Served time.Time `json:"served,omitzero"`  // when its replacements were in service
	Resume []string  `json:"resume,omitempty"` // processes that this update suspended
}

// readRolling reads the policy with AWS's defaults; nil without one.
func readRolling(p props, g *group) (*rollingUpdate, error) {
	if p == nil {
		return nil, nil
	}
	u := &rollingUpdate{Size: 1, Percent: 100, Signals: p.flag("WaitOnResourceSignals"), Suspend: p.texts("SuspendProcesses")}
	if u.Signals {
		u.Pause = 300
	}
	for name, to := range map[string]*int32{"MaxBatchSize": &u.Size, "MinInstancesInService": &u.Least, "MinSuccessfulInstancesPercent": &u.Percent} {
		if n, ok := p.number(name); ok {
			*to = n
		}
	}
	if s := p.text("PauseTime"); s != "" {
		pause, err := isoPause(s)
		if err != nil {
			return nil, err
		}
		u.Pause = pause
	}
	if _, err := askedProcesses(u.Suspend); err != nil {
		return nil, err
	}
	if u.Size < 1 || u.Percent < 0 || u.Percent > 100 || u.Least < 0 {
		return nil, fail("ValidationError", "The AutoScalingRollingUpdate policy is not valid: MaxBatchSize is at least 1, MinInstancesInService at least 0, MinSuccessfulInstancesPercent from 0 to 100.")
	}
	if u.Least > 0 && u.Least >= g.Max {
		return nil, fail("ValidationError", "MinInstancesInService must be less than the autoscaling group's MaxSize")
	}
	return u, nil
}

// begin says what is obsolete: what is not as the group launches now; all,
// when places changed.
func (u *rollingUpdate) begin(c *call, g *group, all bool) {
	u.Start = c.now
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.counts() && (all || !g.matching(c, inst)) {
			u.Old = append(u.Old, inst.ID)
		}
	}
	u.Total = len(u.Old)
	for _, process := range u.Suspend {
		if g.may(process) {
			makeMap(&g.Suspended)
			g.Suspended[process] = "Suspended by an update of the stack"
			u.Resume = append(u.Resume, process)
		}
	}
	if u.Total > 0 {
		u.Surge = max(0, min(u.Least+min(u.Size, int32(u.Total))-g.Desired, g.Max-g.Desired))
	}
	if u.Surge > 0 {
		u.Begun = c.now
	}
}

func (u *rollingUpdate) resume(g *group) {
	for _, process := range u.Resume {
		delete(g.Suspended, process)
	}
	u.Resume = nil
}

// advance takes the next step. It says when to look again; zero when every
// obsolete instance is replaced.
func (u *rollingUpdate) advance(c *call, g *group, signals stackengine.Signals) (time.Time, error) {
	if !u.Begun.IsZero() {
		again, err := u.await(c, g, signals)
		if err != nil || !again.IsZero() {
			return again, err
		}
		u.Begun, u.Served = time.Time{}, time.Time{}
	}
	u.Old = slices.DeleteFunc(u.Old, func(id string) bool {
		inst := g.find(id)
		return inst == nil || !inst.active()
	})
	if len(u.Old) == 0 {
		return time.Time{}, nil
	}
	serving := int32(0)
	for i := range g.Instances {
		if g.Instances[i].serves(c.now) {
			serving++
		}
	}
	n := min(int(max(1, min(u.Size, serving-u.Least))), len(u.Old))
	cause := g.because(c, "an instance was taken out of service in response to a rolling update of the stack.")
	for _, id := range u.Old[:n] {
		g.end(c, g.find(id), cause)
	}
	g.scale(c, g.because(c, "an instance was launched in response to a rolling update of the stack."))
	u.Begun = c.now
	return c.now.Add(c.takes(launchSeconds)), nil
}

// await waits for the replacements of the batch under way, their signals and
// the pause after them.
func (u *rollingUpdate) await(c *call, g *group, signals stackengine.Signals) (time.Time, error) {
	serving, fresh := int32(0), []string{}
	for i := range g.Instances {
		inst := &g.Instances[i]
		if inst.serves(c.now) {
			serving++
		}
		if inst.counts() && !inst.Launched.Before(u.Start) && !slices.Contains(u.Old, inst.ID) {
			fresh = append(fresh, inst.ID)
		}
	}
	soon := c.now.Add(c.takes(launchSeconds / 4))
	if serving < g.Desired+u.Surge && g.may(processLaunch) {
		if until := u.Begun.Add(c.takes(patience)); !c.now.Before(until) {
			return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: "Group did not stabilize: the replacements of a rolling update are not in service."}
		}
		return soon, nil
	}
	if u.Served.IsZero() {
		u.Served = c.now
	}
	if !u.Signals {
		if until := u.Served.Add(c.takes(u.Pause)); c.now.Before(until) {
			return until, nil
		}
		return time.Time{}, nil
	}
	good, bad := 0, 0
	for _, id := range fresh {
		if slices.Contains(signals.Success, id) {
			good++
		} else if slices.Contains(signals.Failure, id) {
			bad++
		}
	}
	until := u.Begun.Add(c.takes(u.Pause))
	if good+bad < len(fresh) && c.now.Before(until) {
		return until, nil
	}
	if (len(fresh)-good)*100 > u.Total*int(100-u.Percent) {
		return time.Time{}, fail("", "Received %d SUCCESS signal(s) out of %d. Unable to satisfy %d%% MinSuccessfulInstancesPercent requirement", good, len(fresh), u.Percent)
	}
	return time.Time{}, nil
}
