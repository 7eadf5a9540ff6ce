package sandbox

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

func autoscalingOperations() map[string]operation {
	return map[string]operation{
		"CancelInstanceRefresh":               writes(cancelRefresh),
		"CompleteLifecycleAction":             writes(completeLifecycleAction),
		"DeleteLifecycleHook":                 writes(deleteLifecycleHook),
		"DescribeLifecycleHooks":              reads(describeLifecycleHooks),
		"EnterStandby":                        writes(enterStandby),
		"ExitStandby":                         writes(exitStandby),
		"PutLifecycleHook":                    writes(putLifecycleHook),
		"RecordLifecycleActionHeartbeat":      writes(recordHeartbeat),
		"CreateAutoScalingGroup":              writes(createGroup),
		"DeleteAutoScalingGroup":              writes(deleteGroup),
		"DescribeAutoScalingGroups":           reads(describeGroups),
		"DescribeAutoScalingInstances":        reads(describeGroupInstances),
		"DescribeInstanceRefreshes":           reads(describeRefreshes),
		"DescribePolicies":                    docReads(describePolicies),
		"DescribeScalingActivities":           reads(describeActivities),
		"ResumeProcesses":                     writes(resumeProcesses),
		"RollbackInstanceRefresh":             writes(rollbackRefresh),
		"SetDesiredCapacity":                  writes(setDesiredCapacity),
		"SetInstanceHealth":                   writes(setInstanceHealth),
		"SetInstanceProtection":               writes(setInstanceProtection),
		"StartInstanceRefresh":                writes(startRefresh),
		"SuspendProcesses":                    writes(suspendProcesses),
		"TerminateInstanceInAutoScalingGroup": writes(terminateInstance),
		"UpdateAutoScalingGroup":              writes(updateGroup),
	}
}

// group is an Auto Scaling group. Its instances live on their own: what each
// is at some moment follows from the times that are written down when the
// capacity changes, so that reading never changes anything.
type group struct {
	Name         string          `json:"name"`
	ARN          string          `json:"arn"`
	Created      time.Time       `json:"created"`
	Min          int32           `json:"min"`
	Max          int32           `json:"max"`
	Desired      int32           `json:"desired"`
	Template     *templateRef    `json:"template,omitempty"`
	Mixed        json.RawMessage `json:"mixed,omitempty"` // MixedInstancesPolicy in CloudFormation's names
	Subnets      []string        `json:"subnets,omitempty"`
	Zones        []string        `json:"zones,omitempty"`
	TargetGroups []string        `json:"targetGroups,omitempty"`
	Policies     []string        `json:"terminationPolicies,omitempty"`
	Metrics      []string        `json:"metrics,omitempty"`
	Tags         []groupTag      `json:"tags,omitempty"`
	HealthCheck  string          `json:"healthCheck,omitempty"`
	Grace        int32           `json:"grace,omitempty"`
	Cooldown     int32           `json:"cooldown,omitempty"`
	Warmup       *int32          `json:"warmup,omitempty"`
	Lifetime     *int32          `json:"lifetime,omitempty"`
	Rebalance    bool            `json:"rebalance,omitempty"`
	Protect      bool            `json:"protectNew,omitempty"` // new instances are protected from scale-in
	Stack        string          `json:"stack,omitempty"`      // ARN of the stack that made it

	Next      time.Time         `json:"next,omitzero"`       // when something happens by itself
	Retry     time.Time         `json:"retry,omitzero"`      // when it launches again
	Tries     int               `json:"tries,omitempty"`     // launches that failed, one after the other
	Declared  time.Time         `json:"declared,omitzero"`   // when a stack last set it
	Suspended map[string]string `json:"suspended,omitempty"` // process → reason
	Refreshes []refresh         `json:"refreshes,omitempty"` // the oldest first
	Hooks     []lifecycleHook   `json:"hooks,omitempty"`     // by name
	Rollout   *stackRollout     `json:"rollout,omitempty"`   // what its stack waits for

	Instances  []groupInstance `json:"instances,omitempty"`
	Activities []groupActivity `json:"activities,omitempty"` // the oldest first
}

type templateRef struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

type groupTag struct {
	Key       string `json:"k"`
	Value     string `json:"v"`
	Propagate bool   `json:"p,omitempty"`
}

// metrics is what EnabledMetrics lists when a group collects "all".
var groupMetrics = []string{
	"GroupDesiredCapacity", "GroupInServiceInstances", "GroupMaxSize", "GroupMinSize", "GroupPendingInstances",
	"GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances",
}

// mixed decodes the policy; nil when the group has none.
func (g *group) mixed(c *call) *types.MixedInstancesPolicy { return mixedPolicy(c, g.Mixed) }

func mixedPolicy(c *call, raw json.RawMessage) *types.MixedInstancesPolicy {
	if len(raw) == 0 {
		return nil
	}
	out := &types.MixedInstancesPolicy{}
	if err := c.sandbox.fields.fill(raw, out); err != nil {
		return nil // it was read the same way when it was stored
	}
	return out
}

// launchConfig is what instances are launched from: one of both is set.
type launchConfig struct {
	Template *templateRef    `json:"template,omitempty"`
	Mixed    json.RawMessage `json:"mixed,omitempty"` // MixedInstancesPolicy in CloudFormation's names
}

// launch is the launch template that new instances come from: while the group
// is refreshed, the one that is rolled out.
func (g *group) launch(c *call) (ref templateRef, instanceType string) {
	if r := g.refreshing(); r != nil && r.Desired != nil && r.Status != string(types.InstanceRefreshStatusRollbackInProgress) {
		return r.Desired.launch(c)
	}
	return launchConfig{g.Template, g.Mixed}.launch(c)
}

func (l launchConfig) launch(c *call) (ref templateRef, instanceType string) {
	m := mixedPolicy(c, l.Mixed)
	if m == nil {
		if l.Template == nil {
			return templateRef{}, ""
		}
		return *l.Template, ""
	}
	if m.LaunchTemplate == nil || m.LaunchTemplate.LaunchTemplateSpecification == nil {
		return templateRef{}, ""
	}
	s := m.LaunchTemplate.LaunchTemplateSpecification
	if len(m.LaunchTemplate.Overrides) > 0 {
		instanceType = aws.ToString(m.LaunchTemplate.Overrides[0].InstanceType)
	}
	return templateRef{aws.ToString(s.LaunchTemplateId), aws.ToString(s.LaunchTemplateName), aws.ToString(s.Version)}, instanceType
}

// spec is a launch template reference on the wire: with id and name, as AWS
// answers it whichever of them was given.
func (r *templateRef) spec(c *call) *types.LaunchTemplateSpecification {
	if r == nil {
		return nil
	}
	out := &types.LaunchTemplateSpecification{LaunchTemplateId: text(r.ID), LaunchTemplateName: text(r.Name), Version: text(r.Version)}
	if t := c.template(r.ID, r.Name); t != nil {
		out.LaunchTemplateId, out.LaunchTemplateName = &t.ID, &t.Name
	}
	return out
}

const maxGroupRecords = 100

func describeGroups(c *call, in *autoscaling.DescribeAutoScalingGroupsInput) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	limit, err := records(in.MaxRecords)
	if err != nil {
		return nil, err
	}
	if len(in.AutoScalingGroupNames) > limit {
		return nil, fail("ValidationError", "1 validation error detected: Value at 'autoScalingGroupNames' failed to satisfy constraint: Member must have length less than or equal to %d", limit)
	}
	asked := map[string]bool{}
	for _, name := range in.AutoScalingGroupNames {
		asked[name] = true
	}
	var names []string
	for _, name := range sortedKeys(c.region.Groups) {
		g := c.region.Groups[name]
		ok, err := g.matches(in.Filters)
		if err != nil {
			return nil, err
		}
		if ok && (len(asked) == 0 || asked[name] || asked[g.ARN]) {
			names = append(names, name)
		}
	}
	names, next, err := page(names, func(s string) string { return s }, in.NextToken, limit)
	if err != nil {
		return nil, badToken()
	}
	out := &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []types.AutoScalingGroup{}, NextToken: next}
	for _, name := range names {
		g := c.region.Groups[name].out(c)
		if in.IncludeInstances != nil && !*in.IncludeInstances {
			g.Instances = nil
		}
		out.AutoScalingGroups = append(out.AutoScalingGroups, g)
	}
	return out, nil
}

// records checks MaxRecords: 50 if absent, at most 100.
func records(asked *int32) (int, error) {
	if asked == nil {
		return 50, nil
	}
	if *asked < 1 || *asked > maxGroupRecords {
		return 0, fail("ValidationError", "1 validation error detected: Value '%d' at 'maxRecords' failed to satisfy constraint: Member must have value less than or equal to %d", *asked, maxGroupRecords)
	}
	return int(*asked), nil
}

func badToken() *Fail { return fail("InvalidNextToken", "The specified token is not valid.") }

// matches applies tag filters.
func (g *group) matches(filters []types.Filter) (bool, error) {
	for _, f := range filters {
		name := aws.ToString(f.Name)
		var have []string
		switch {
		case name == "tag-key":
			for _, t := range g.Tags {
				have = append(have, t.Key)
			}
		case name == "tag-value":
			for _, t := range g.Tags {
				have = append(have, t.Value)
			}
		case strings.HasPrefix(name, "tag:"):
			for _, t := range g.Tags {
				if t.Key == strings.TrimPrefix(name, "tag:") {
					have = append(have, t.Value)
				}
			}
		default:
			return false, fail("ValidationError", "Filter type %.80s is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>", name)
		}
		if !anyIn(have, f.Values) {
			return false, nil
		}
	}
	return true, nil
}

func anyIn(have, want []string) bool {
	for _, h := range have {
		for _, w := range want {
			if h == w {
				return true
			}
		}
	}
	return false
}

func (g *group) out(c *call) types.AutoScalingGroup {
	out := types.AutoScalingGroup{
		AutoScalingGroupName: &g.Name, AutoScalingGroupARN: &g.ARN, CreatedTime: &g.Created,
		MinSize: &g.Min, MaxSize: &g.Max, DesiredCapacity: &g.Desired,
		LaunchTemplate: g.Template.spec(c), MixedInstancesPolicy: g.mixed(c),
		DefaultCooldown: &g.Cooldown, HealthCheckType: &g.HealthCheck, HealthCheckGracePeriod: &g.Grace,
		DefaultInstanceWarmup: g.Warmup, MaxInstanceLifetime: g.Lifetime, CapacityRebalance: &g.Rebalance,
		NewInstancesProtectedFromScaleIn: &g.Protect, AvailabilityZones: g.Zones, VPCZoneIdentifier: aws.String(strings.Join(g.Subnets, ",")),
		TargetGroupARNs: g.TargetGroups, TerminationPolicies: g.Policies,
		ServiceLinkedRoleARN: aws.String("arn:aws:iam::" + c.account.ID + ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"),
		Instances:            []types.Instance{}, SuspendedProcesses: []types.SuspendedProcess{}, LoadBalancerNames: []string{},
	}
	if out.MixedInstancesPolicy != nil && out.MixedInstancesPolicy.LaunchTemplate != nil {
		ref, _ := launchConfig{Mixed: g.Mixed}.launch(c)
		out.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification = ref.spec(c)
	}
	for i := range g.Metrics {
		out.EnabledMetrics = append(out.EnabledMetrics, types.EnabledMetric{Metric: &g.Metrics[i], Granularity: aws.String("1Minute")})
	}
	for i := range g.Tags {
		t := &g.Tags[i]
		out.Tags = append(out.Tags, types.TagDescription{Key: &t.Key, Value: &t.Value, PropagateAtLaunch: &t.Propagate, ResourceId: &g.Name, ResourceType: aws.String("auto-scaling-group")})
	}
	for _, process := range sortedKeys(g.Suspended) {
		out.SuspendedProcesses = append(out.SuspendedProcesses, types.SuspendedProcess{ProcessName: aws.String(process), SuspensionReason: aws.String(g.Suspended[process])})
	}
	for i := range g.Instances {
		if inst, ok := g.Instances[i].out(c); ok {
			out.Instances = append(out.Instances, inst)
		}
	}
	return out
}

func describeActivities(c *call, in *autoscaling.DescribeScalingActivitiesInput) (*autoscaling.DescribeScalingActivitiesOutput, error) {
	limit, err := records(in.MaxRecords)
	if err != nil {
		return nil, err
	}
	names := sortedKeys(c.region.Groups)
	if in.AutoScalingGroupName != nil {
		g, err := c.group(in.AutoScalingGroupName)
		if err != nil {
			return nil, err
		}
		names = []string{g.Name}
	}
	var all []types.Activity
	for _, name := range names {
		g := c.region.Groups[name]
		for i := len(g.Activities) - 1; i >= 0; i-- { // the newest first
			if a := &g.Activities[i]; len(in.ActivityIds) == 0 || anyIn([]string{a.ID}, in.ActivityIds) {
				all = append(all, a.out(c, g))
			}
		}
	}
	at := 0
	if token := aws.ToString(in.NextToken); token != "" {
		last, err := openToken(token)
		if err != nil {
			return nil, badToken()
		}
		for at < len(all) && *all[at].ActivityId != last {
			at++
		}
		at = min(at+1, len(all))
	}
	out := &autoscaling.DescribeScalingActivitiesOutput{Activities: all[at:]}
	if len(out.Activities) > limit {
		out.Activities = out.Activities[:limit]
		out.NextToken = sealToken(*out.Activities[limit-1].ActivityId)
	}
	return out, nil
}

// group finds a group by name or ARN.
func (c *call) group(name *string) (*group, error) {
	n := aws.ToString(name)
	if g := c.region.Groups[n]; g != nil {
		return g, nil
	}
	if _, after, ok := strings.Cut(n, ":autoScalingGroupName/"); ok {
		if g := c.region.Groups[after]; g != nil {
			return g, nil
		}
	}
	return nil, fail("ValidationError", "AutoScalingGroup name not found - null")
}
