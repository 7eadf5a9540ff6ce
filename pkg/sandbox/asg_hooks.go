package sandbox

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// Lifecycle hooks (Auto Scaling user guide, "How lifecycle hooks work"; API
// reference of PutLifecycleHook and CompleteLifecycleAction). No notification
// is sent: whoever completes an action asks for the instances that wait.

const (
	transitionLaunch = "autoscaling:EC2_INSTANCE_LAUNCHING"
	transitionEnd    = "autoscaling:EC2_INSTANCE_TERMINATING"

	resultContinue = "CONTINUE"
	resultAbandon  = "ABANDON"

	maxHooks       = 50      // per group (facts: aws-limits 4.3)
	longestWait    = 172_800 // seconds that an instance may wait, or a hundred heartbeats
	proceedSeconds = 5       // from a completed action into service
)

// lifecycleHook makes instances wait.
type lifecycleHook struct {
	Name       string `json:"name"`
	Transition string `json:"transition"`
	Heartbeat  int32  `json:"heartbeat"` // seconds
	Result     string `json:"result"`    // when the time is over
	Metadata   string `json:"metadata,omitempty"`
	Target     string `json:"target,omitempty"` // ARN
	Role       string `json:"role,omitempty"`
}

// action is a lifecycle action of an instance that is not complete.
type action struct {
	Hook   string    `json:"hook"`
	Token  string    `json:"token"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
	Last   time.Time `json:"last"` // no heartbeat reaches further
	Result string    `json:"result"`
}

// actions are what an instance waits for in a transition that begins at since.
func (g *group) actions(c *call, transition string, since time.Time) []action {
	var out []action
	for _, h := range g.Hooks {
		if h.Transition == transition {
			out = append(out, action{
				Hook: h.Name, Token: uuid(c.account.draw("lifecycle action")), Since: since, Result: h.Result,
				Until: since.Add(c.takes(float64(h.Heartbeat))), Last: since.Add(c.takes(float64(min(longestWait, 100*int(h.Heartbeat))))),
			})
		}
	}
	return out
}

func (g *group) hook(name string) *lifecycleHook {
	for i := range g.Hooks {
		if g.Hooks[i].Name == name {
			return &g.Hooks[i]
		}
	}
	return nil
}

// putHook makes a hook or changes what is given; instances that wait already
// are not affected.
func (g *group) putHook(h lifecycleHook) error {
	switch {
	case h.Transition != transitionLaunch && h.Transition != transitionEnd:
		return fail("ValidationError", "1 validation error detected: Value '%.80s' at 'lifecycleTransition' failed to satisfy constraint: Member must satisfy enum value set: [%s, %s]", h.Transition, transitionLaunch, transitionEnd)
	case h.Heartbeat < 30 || h.Heartbeat > 7200:
		return fail("ValidationError", "Lifecycle Hook Heartbeat Timeout must be between 30 and 7200 seconds")
	case h.Result != resultContinue && h.Result != resultAbandon:
		return fail("ValidationError", "Unknown Lifecycle Default Result: %.40s", h.Result)
	}
	if have := g.hook(h.Name); have != nil {
		*have = h
		return nil
	}
	if len(g.Hooks) >= maxHooks {
		return fail("LimitExceeded", "You've reached the limit for creating lifecycle hooks: %d", maxHooks)
	}
	g.Hooks = append(g.Hooks, h)
	slices.SortFunc(g.Hooks, func(a, b lifecycleHook) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

func putLifecycleHook(c *call, in *autoscaling.PutLifecycleHookInput) (*autoscaling.PutLifecycleHookOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	h := lifecycleHook{Name: aws.ToString(in.LifecycleHookName), Heartbeat: 3600, Result: resultAbandon}
	if have := g.hook(h.Name); have != nil {
		h = *have
	}
	set(&h.Transition, in.LifecycleTransition)
	set(&h.Heartbeat, in.HeartbeatTimeout)
	set(&h.Result, in.DefaultResult)
	set(&h.Metadata, in.NotificationMetadata)
	set(&h.Target, in.NotificationTargetARN)
	set(&h.Role, in.RoleARN)
	return &autoscaling.PutLifecycleHookOutput{}, g.putHook(h)
}

func describeLifecycleHooks(c *call, in *autoscaling.DescribeLifecycleHooksInput) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []types.LifecycleHook{}}
	for i := range g.Hooks {
		h := &g.Hooks[i]
		if len(in.LifecycleHookNames) > 0 && !slices.Contains(in.LifecycleHookNames, h.Name) {
			continue
		}
		out.LifecycleHooks = append(out.LifecycleHooks, types.LifecycleHook{
			AutoScalingGroupName: &g.Name, LifecycleHookName: &h.Name, LifecycleTransition: &h.Transition, HeartbeatTimeout: &h.Heartbeat, DefaultResult: &h.Result,
			GlobalTimeout: aws.Int32(min(longestWait, 100*h.Heartbeat)), NotificationMetadata: text(h.Metadata), NotificationTargetARN: text(h.Target), RoleARN: text(h.Role),
		})
	}
	return out, nil
}

func deleteLifecycleHook(c *call, in *autoscaling.DeleteLifecycleHookInput) (*autoscaling.DeleteLifecycleHookOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if !g.dropHook(c, aws.ToString(in.LifecycleHookName)) {
		return nil, noHook(in.LifecycleHookName)
	}
	return &autoscaling.DeleteLifecycleHookOutput{}, nil
}

func noHook(name *string) *Fail {
	return fail("ValidationError", "No Lifecycle Hook found with name: %.255s", aws.ToString(name))
}

// dropHook deletes a hook. Actions under way are completed: ABANDON for an
// instance that launches, CONTINUE for one that ends (DeleteLifecycleHook).
func (g *group) dropHook(c *call, name string) bool {
	h := g.hook(name)
	if h == nil {
		return false
	}
	result := map[string]string{transitionLaunch: resultAbandon, transitionEnd: resultContinue}[h.Transition]
	g.Hooks = slices.DeleteFunc(g.Hooks, func(h lifecycleHook) bool { return h.Name == name })
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.waitsFor(name) != nil {
			g.complete(c, inst, name, result, "Lifecycle hook was deleted")
		}
	}
	g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	return true
}

func (i *groupInstance) waitsFor(hook string) *action {
	for k := range i.Waits {
		if i.Waits[k].Hook == hook {
			return &i.Waits[k]
		}
	}
	return nil
}

// complete ends one action of an instance. CONTINUE lets the others go on;
// ABANDON ends them, and an instance that was launching is replaced.
func (g *group) complete(c *call, inst *groupInstance, hook, result, why string) {
	token := inst.waitsFor(hook).Token
	inst.Waits = slices.DeleteFunc(inst.Waits, func(a action) bool { return a.Hook == hook })
	launch := inst.active()
	if result == resultAbandon {
		inst.Waits = nil
	}
	if len(inst.Waits) > 0 {
		return
	}
	inst.Hooked = true
	a := g.openActivity(inst.ID)
	switch {
	case launch && result == resultAbandon:
		if a != nil {
			a.Waits, a.Cancelled, a.End = false, true, c.now
			a.Failed = "Instance failed to complete user's Lifecycle Action: Lifecycle Action with token " + token + " was abandoned: " + why
		}
		g.end(c, inst, g.because(c, "an instance was taken out of service in response to a launch lifecycle action that was abandoned."))
		return
	case launch:
		inst.Ready = c.now.Add(c.takes(proceedSeconds))
	default:
		inst.shut(c)
	}
	if a != nil {
		a.Waits, a.End = false, inst.Ready
		if !launch {
			a.End = inst.Gone
		}
	}
}

// openActivity is the activity of an instance that waits; nil when it was
// forgotten.
func (g *group) openActivity(id string) *groupActivity {
	for i := len(g.Activities) - 1; i >= 0; i-- {
		if a := &g.Activities[i]; a.Waits && a.Instance == id {
			return a
		}
	}
	return nil
}

// nextExpiry is when the next action times out; zero when none is under way.
func (g *group) nextExpiry() time.Time {
	var next time.Time
	for i := range g.Instances {
		for _, a := range g.Instances[i].Waits {
			if next.IsZero() || a.Until.Before(next) {
				next = a.Until
			}
		}
	}
	return next
}

// expireActions gives actions whose time is over the default result.
func (g *group) expireActions(c *call) {
	expired := false
	for i := range g.Instances {
		inst := &g.Instances[i]
		for {
			k := slices.IndexFunc(inst.Waits, func(a action) bool { return !c.now.Before(a.Until) })
			if k < 0 {
				break
			}
			expired = true
			g.complete(c, inst, inst.Waits[k].Hook, inst.Waits[k].Result, "Heartbeat Timeout")
		}
	}
	if expired {
		g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	}
}

// waiting finds the action that a request names by token or by instance.
func (c *call) waiting(group, hook, token, id *string) (*group, *groupInstance, *action, error) {
	g, err := c.group(group)
	if err != nil {
		return nil, nil, nil, err
	}
	if g.hook(aws.ToString(hook)) == nil {
		return nil, nil, nil, noHook(hook)
	}
	for i := range g.Instances {
		inst := &g.Instances[i]
		a := inst.waitsFor(aws.ToString(hook))
		if a == nil || c.now.Before(a.Since) || token != nil && *token != a.Token || id != nil && *id != inst.ID || token == nil && id == nil {
			continue
		}
		return g, inst, a, nil
	}
	if token == nil {
		return nil, nil, nil, fail("ValidationError", "No active Lifecycle Action found with instance ID %.40s", aws.ToString(id))
	}
	return nil, nil, nil, fail("ValidationError", "No active Lifecycle Action found with token %.40s", *token)
}

func completeLifecycleAction(c *call, in *autoscaling.CompleteLifecycleActionInput) (*autoscaling.CompleteLifecycleActionOutput, error) {
	result := aws.ToString(in.LifecycleActionResult)
	if result != resultContinue && result != resultAbandon {
		return nil, fail("ValidationError", "Unknown Lifecycle Action Result: %.40s", result)
	}
	g, inst, a, err := c.waiting(in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	g.complete(c, inst, a.Hook, result, "Lifecycle Action Completed with ABANDON Result")
	g.scale(c, g.because(c, "an instance was started in response to a difference between desired and actual capacity."))
	return &autoscaling.CompleteLifecycleActionOutput{}, nil
}

// recordHeartbeat starts the waiting time anew.
func recordHeartbeat(c *call, in *autoscaling.RecordLifecycleActionHeartbeatInput) (*autoscaling.RecordLifecycleActionHeartbeatOutput, error) {
	g, _, a, err := c.waiting(in.AutoScalingGroupName, in.LifecycleHookName, in.LifecycleActionToken, in.InstanceId)
	if err != nil {
		return nil, err
	}
	a.Until = earliest(a.Last, c.now.Add(c.takes(float64(g.hook(a.Hook).Heartbeat))))
	g.plan(c)
	return &autoscaling.RecordLifecycleActionHeartbeatOutput{}, nil
}
