package sandbox

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// refresh is an instance refresh. It replaces the instances that were there
// when it started, some at a time, with ones of what is desired; the group's
// own configuration changes when it succeeds (user guide, "How an instance
// refresh works"; asg_rolling.go moves it).
type refresh struct {
	ID          string             `json:"id"`
	Status      string             `json:"status"`
	Reason      string             `json:"reason,omitempty"`
	Start       time.Time          `json:"start"`
	End         time.Time          `json:"end,omitzero"`
	Next        time.Time          `json:"next,omitzero"`
	Desired     *launchConfig      `json:"desired,omitempty"`
	Preferences refreshPreferences `json:"preferences"`
	Old         []string           `json:"old,omitempty"`      // instances to replace
	Batch       []string           `json:"batch,omitempty"`    // being replaced now
	Total       int                `json:"total"`              // that Old began with
	Passed      int                `json:"passed,omitempty"`   // checkpoints behind it
	Stuck       time.Time          `json:"stuck,omitzero"`     // since when nothing moves
	Rollback    *refreshRollback   `json:"rollback,omitempty"` // nil: none was asked for
	Surge       int32              `json:"surge,omitempty"`    // instances above the desired capacity, for Batch
	ByStack     bool               `json:"byStack,omitempty"`  // an update policy of CloudFormation started it
}

// refreshPreferences are the preferences with AWS's defaults filled in, which
// are not the console's (facts: aws-limits 4.3).
type refreshPreferences struct {
	MinHealthy  int32   `json:"minHealthy"`
	MaxHealthy  *int32  `json:"maxHealthy,omitempty"`
	Warmup      int32   `json:"warmup"`
	Checkpoints []int32 `json:"checkpoints,omitempty"`
	Delay       int32   `json:"delay,omitempty"` // seconds after a checkpoint
	Bake        int32   `json:"bake,omitempty"`  // seconds
	Skip        bool    `json:"skipMatching,omitempty"`
	Auto        bool    `json:"autoRollback,omitempty"`
	Protected   string  `json:"protected"`
	Standby     string  `json:"standby"`

	Alarms []string `json:"alarms,omitempty"` // names
}

type refreshRollback struct {
	Reason  string    `json:"reason"`
	Start   time.Time `json:"start"`
	Percent int32     `json:"percent"`
	Left    int32     `json:"left"`
	Total   int       `json:"total"` // instances that go back
}

// refreshing is the refresh that is not over; nil when there is none.
func (g *group) refreshing() *refresh {
	if n := len(g.Refreshes); n > 0 && g.Refreshes[n-1].End.IsZero() {
		return &g.Refreshes[n-1]
	}
	return nil
}

// startRefresh begins a refresh; only one runs in a group.
func startRefresh(c *call, in *autoscaling.StartInstanceRefreshInput) (*autoscaling.StartInstanceRefreshOutput, error) {
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if g.refreshing() != nil {
		return nil, fail("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")
	}
	if err := knownStrategy(string(in.Strategy)); err != nil {
		return nil, err
	}
	var r refresh
	if r.Desired, err = c.desiredConfig(in.DesiredConfiguration); err != nil {
		return nil, err
	}
	if r.Preferences, err = g.preferences(in.Preferences); err != nil {
		return nil, err
	}
	if r.Preferences.Auto {
		if r.Desired == nil {
			return nil, fail("ValidationError", "The request isn't valid. The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback to false or specify a desired configuration and try again.")
		}
		if why := g.irreversible(c, &r); why != "" {
			return nil, fail("ValidationError", "The request isn't valid. The AutoRollback parameter cannot be set to true: %s", why)
		}
	}
	return &autoscaling.StartInstanceRefreshOutput{InstanceRefreshId: aws.String(g.begin(c, r))}, nil
}

// knownStrategy refuses to replace root volumes: nothing here has one.
func knownStrategy(s string) error {
	if s != "" && s != string(types.RefreshStrategyRolling) {
		return fail("ValidationError", "the sandbox knows the refresh strategy Rolling, not %.40s", s)
	}
	return nil
}

// begin starts a refresh and gives its id.
func (g *group) begin(c *call, r refresh) string {
	r.ID, r.Status, r.Start, r.Next = uuid(c.account.draw("refresh")), string(types.InstanceRefreshStatusPending), c.now, c.now.Add(c.takes(pendingSeconds))
	g.Refreshes = append(g.Refreshes, r)
	if n := len(g.Refreshes) - keptRefreshes; n > 0 {
		g.Refreshes = append([]refresh{}, g.Refreshes[n:]...)
	}
	g.plan(c)
	return r.ID
}

const (
	keptRefreshes    = 100
	maxRefreshAlarms = 10
)

// desiredConfig reads a desired configuration; it must be one to launch from.
func (c *call) desiredConfig(in *types.DesiredConfiguration) (*launchConfig, error) {
	if in == nil || in.LaunchTemplate == nil && in.MixedInstancesPolicy == nil {
		return nil, nil
	}
	if in.LaunchTemplate != nil && in.MixedInstancesPolicy != nil {
		return nil, fail("ValidationError", "The request isn't valid. Specify either LaunchTemplate or MixedInstancesPolicy in DesiredConfiguration, not both.")
	}
	var g group
	if s := in.LaunchTemplate; s != nil {
		g.Template = &templateRef{aws.ToString(s.LaunchTemplateId), aws.ToString(s.LaunchTemplateName), aws.ToString(s.Version)}
	} else if err := g.setMixed(c, in.MixedInstancesPolicy); err != nil {
		return nil, err
	}
	if err := g.checkLaunch(c); err != nil {
		return nil, err
	}
	return &launchConfig{g.Template, g.Mixed}, nil
}

// preferences checks what is given and fills in the rest.
func (g *group) preferences(in *types.RefreshPreferences) (refreshPreferences, error) {
	p := refreshPreferences{MinHealthy: 90, Warmup: g.Grace, Delay: 3600, Protected: string(types.ScaleInProtectedInstancesWait), Standby: string(types.StandbyInstancesWait)}
	set(&p.Warmup, g.Warmup)
	if in == nil {
		return p, nil
	}
	set(&p.MinHealthy, in.MinHealthyPercentage)
	set(&p.Warmup, in.InstanceWarmup)
	set(&p.Delay, in.CheckpointDelay)
	set(&p.Bake, in.BakeTime)
	set(&p.Skip, in.SkipMatching)
	set(&p.Auto, in.AutoRollback)
	p.MaxHealthy, p.Checkpoints = in.MaxHealthyPercentage, in.CheckpointPercentages
	if in.ScaleInProtectedInstances != "" {
		p.Protected = string(in.ScaleInProtectedInstances)
	}
	if in.StandbyInstances != "" {
		p.Standby = string(in.StandbyInstances)
	}
	if in.AlarmSpecification != nil {
		p.Alarms = in.AlarmSpecification.Alarms
	}
	return p, p.check(in)
}

// check refuses preferences outside of what the API reference of
// RefreshPreferences allows. The words are the sandbox's.
func (p *refreshPreferences) check(in *types.RefreshPreferences) error {
	switch {
	case p.MinHealthy < 0 || p.MinHealthy > 100:
		return fail("ValidationError", "The request isn't valid. MinHealthyPercentage must be between 0 and 100.")
	case p.MaxHealthy != nil && (*p.MaxHealthy < 100 || *p.MaxHealthy > 200):
		return fail("ValidationError", "The request isn't valid. MaxHealthyPercentage must be between 100 and 200.")
	case p.MaxHealthy != nil && in.MinHealthyPercentage == nil:
		return fail("ValidationError", "The request isn't valid. MaxHealthyPercentage needs MinHealthyPercentage.")
	case p.MaxHealthy != nil && *p.MaxHealthy-p.MinHealthy > 100:
		return fail("ValidationError", "The request isn't valid. The difference between MaxHealthyPercentage and MinHealthyPercentage can't be greater than 100.")
	case in.CheckpointDelay != nil && len(p.Checkpoints) == 0:
		return fail("ValidationError", "The request isn't valid. CheckpointDelay needs CheckpointPercentages.")
	case len(p.Alarms) > maxRefreshAlarms:
		return fail("ValidationError", "The request isn't valid. AlarmSpecification can't have more than %d alarms.", maxRefreshAlarms)
	case !slices.Contains(types.ScaleInProtectedInstances("").Values(), types.ScaleInProtectedInstances(p.Protected)):
		return fail("ValidationError", "The request isn't valid. ScaleInProtectedInstances must be one of Refresh, Ignore, Wait.")
	case !slices.Contains(types.StandbyInstances("").Values(), types.StandbyInstances(p.Standby)):
		return fail("ValidationError", "The request isn't valid. StandbyInstances must be one of Terminate, Ignore, Wait.")
	case p.Bake < 0 || p.Bake > 172800 || p.Delay < 0 || p.Delay > 172800:
		return fail("ValidationError", "The request isn't valid. BakeTime and CheckpointDelay must be between 0 and 172800 seconds.")
	}
	for i, n := range p.Checkpoints {
		if n < 1 || n > 100 || i > 0 && n <= p.Checkpoints[i-1] {
			return fail("ValidationError", "The request isn't valid. CheckpointPercentages must be unique numbers from 1 to 100 in ascending order.")
		}
	}
	return nil
}

// irreversible is why a refresh cannot be rolled back: the three cases of
// RollbackInstanceRefresh in the API reference (failure-modes F3).
func (g *group) irreversible(c *call, r *refresh) string {
	if r.Desired == nil {
		return "there is no desired configuration specified for the instance refresh."
	}
	for _, config := range []launchConfig{{g.Template, g.Mixed}, *r.Desired} {
		ref, _ := config.launch(c)
		if ref.Version == "" || strings.HasPrefix(ref.Version, "$") {
			return "the launch template version must be a specific version and not $Latest or $Default."
		}
		if t := c.template(ref.ID, ref.Name); t != nil && t.version(ref.Version) != nil &&
			strings.HasPrefix(t.version(ref.Version).properties().text("ImageId"), "resolve:ssm:") {
			return "the launch template uses an AWS Systems Manager parameter instead of an AMI ID."
		}
	}
	return ""
}

// activeRefresh finds the refresh that a request is to stop.
func (c *call) activeRefresh(name *string) (*group, *refresh, error) {
	g, err := c.group(name)
	if err != nil {
		return nil, nil, err
	}
	r := g.refreshing()
	if r == nil || r.Status == string(types.InstanceRefreshStatusCancelling) {
		return nil, nil, fail("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group %s", g.Name)
	}
	return g, r, nil
}

// cancelRefresh lets what is being replaced finish and replaces no more.
func cancelRefresh(c *call, in *autoscaling.CancelInstanceRefreshInput) (*autoscaling.CancelInstanceRefreshOutput, error) {
	g, r, err := c.activeRefresh(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	r.Status, r.Reason = string(types.InstanceRefreshStatusCancelling), "Cancelled due to user request."
	if len(r.Batch) == 0 || r.Next.IsZero() {
		r.Next = c.now.Add(c.takes(pendingSeconds))
	}
	g.plan(c)
	return &autoscaling.CancelInstanceRefreshOutput{InstanceRefreshId: &r.ID}, nil
}

// rollbackRefresh replaces again what was replaced, with what the group still
// has as its configuration.
func rollbackRefresh(c *call, in *autoscaling.RollbackInstanceRefreshInput) (*autoscaling.RollbackInstanceRefreshOutput, error) {
	g, r, err := c.activeRefresh(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	if r.ByStack {
		return nil, fail("IrreversibleInstanceRefresh", "The instance refresh can't be rolled back: it was started by an update policy of CloudFormation. Cancel the stack update instead.")
	}
	if why := g.irreversible(c, r); why != "" {
		return nil, fail("IrreversibleInstanceRefresh", "The instance refresh can't be rolled back: %s", why)
	}
	if r.Rollback != nil {
		return nil, fail("IrreversibleInstanceRefresh", "The instance refresh can't be rolled back: a rollback is already in progress.")
	}
	g.rollBack(c, r, "Rollback initiated by user request.")
	g.plan(c)
	return &autoscaling.RollbackInstanceRefreshOutput{InstanceRefreshId: &r.ID}, nil
}

func describeRefreshes(c *call, in *autoscaling.DescribeInstanceRefreshesInput) (*autoscaling.DescribeInstanceRefreshesOutput, error) {
	limit, err := records(in.MaxRecords)
	if err != nil {
		return nil, err
	}
	g, err := c.group(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	out := &autoscaling.DescribeInstanceRefreshesOutput{InstanceRefreshes: []types.InstanceRefresh{}}
	skip, last := aws.ToString(in.NextToken) != "", ""
	if skip {
		if last, err = openToken(*in.NextToken); err != nil {
			return nil, badToken()
		}
	}
	for i := len(g.Refreshes) - 1; i >= 0; i-- { // the newest first
		r := &g.Refreshes[i]
		if skip {
			skip = r.ID != last
			continue
		}
		if len(in.InstanceRefreshIds) > 0 && !slices.Contains(in.InstanceRefreshIds, r.ID) {
			continue
		}
		if len(out.InstanceRefreshes) == limit {
			out.NextToken = sealToken(*out.InstanceRefreshes[limit-1].InstanceRefreshId)
			break
		}
		out.InstanceRefreshes = append(out.InstanceRefreshes, r.out(c, g))
	}
	return out, nil
}

func (r *refresh) out(c *call, g *group) types.InstanceRefresh {
	p := &r.Preferences
	out := types.InstanceRefresh{
		AutoScalingGroupName: &g.Name, InstanceRefreshId: &r.ID, Status: types.InstanceRefreshStatus(r.Status), StatusReason: text(r.Reason), StartTime: &r.Start,
		PercentageComplete: aws.Int32(r.percent()), InstancesToUpdate: aws.Int32(r.left()), Strategy: types.RefreshStrategyRolling,
		Preferences: &types.RefreshPreferences{
			MinHealthyPercentage: &p.MinHealthy, MaxHealthyPercentage: p.MaxHealthy, InstanceWarmup: &p.Warmup, CheckpointPercentages: p.Checkpoints, SkipMatching: &p.Skip,
			AutoRollback: &p.Auto, BakeTime: &p.Bake, ScaleInProtectedInstances: types.ScaleInProtectedInstances(p.Protected), StandbyInstances: types.StandbyInstances(p.Standby),
		},
	}
	if len(p.Alarms) > 0 {
		out.Preferences.AlarmSpecification = &types.AlarmSpecification{Alarms: p.Alarms}
	}
	if len(p.Checkpoints) > 0 {
		out.Preferences.CheckpointDelay = &p.Delay
	}
	if !r.End.IsZero() {
		out.EndTime = &r.End
	}
	if d := r.Desired; d != nil {
		out.DesiredConfiguration = &types.DesiredConfiguration{LaunchTemplate: d.Template.spec(c), MixedInstancesPolicy: mixedPolicy(c, d.Mixed)}
	}
	if b := r.Rollback; b != nil {
		out.RollbackDetails = &types.RollbackDetails{RollbackReason: &b.Reason, RollbackStartTime: &b.Start, PercentageCompleteOnRollback: &b.Percent, InstancesToUpdateOnRollback: &b.Left}
	}
	return out
}
