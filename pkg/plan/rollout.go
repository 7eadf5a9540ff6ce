package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
)

// Rollout is what a stack's step does to the instances of its group: it changes
// what the group launches, and the group's update policy replaces what runs.
// It is for readers; apply never looks at it.
type Rollout struct {
	Group     string `json:"group"`
	Fleet     string `json:"fleet,omitempty"`     // stage/slug
	FromImage string `json:"fromImage,omitempty"` // AMI id; empty: not known
	ToImage   string `json:"toImage,omitempty"`
	// FromVersion of the launch template is the one that the group has; the step
	// makes the next.
	FromVersion string   `json:"fromVersion,omitempty"`
	TypesOnly   bool     `json:"typesOnly,omitempty"` // only the instance types or subnets change; instances of types that stay are kept
	InService   int      `json:"inService"`
	Protected   int      `json:"protected"` // from scale-in
	Minutes     int      `json:"minutes"`   // it takes at least
	Alarms      []string `json:"alarms,omitempty"`
	// Busy is what becomes of protected instances: Wait, Refresh or Ignore.
	Busy string `json:"busy,omitempty"`
}

const policyRefresh = "AutoScalingInstanceRefresh"

// rolling is a stack's change of what its group launches. It goes in an update
// of its own, so that a failure takes back nothing else.
type rolling struct {
	group string // logical id
	// split tells that a step of its own follows the stack's; final is then the
	// template that it deploys.
	split bool
	final cfn.Template
	r     *resolver
	types bool // see Rollout.TypesOnly
}

// apart takes what makes the group launch something else out of the stack's own
// step, where there is other work for that one. It gives what is left.
func (c *computation) apart(st *stackState, r *resolver, ds []cfn.Difference) []cfn.Difference {
	group := st.refreshed()
	if group == "" || !slices.ContainsFunc(ds, st.launches) {
		return ds
	}
	st.rolling = &rolling{group: group, r: r, final: st.after, types: !slices.ContainsFunc(ds, func(d cfn.Difference) bool { return d.Type == typeLaunchTemplate })}
	others := slices.ContainsFunc(ds, func(d cfn.Difference) bool { return !st.launches(d) }) || len(st.settings()) > 0
	if !others || st.contract != nil || !st.canHold() {
		return ds
	}
	st.rolling.split = true
	st.after = st.asLaunched(st.after)
	left := st.compare()
	if st.dangling() || slices.ContainsFunc(left, st.launches) || len(left)+len(st.settings()) == 0 {
		st.rolling.split = false
		st.after = st.rolling.final
		return st.compare()
	}
	return left
}

// refreshed is the group of the stack whose policy replaces instances; empty
// when there is none, or when it is made anew.
func (st *stackState) refreshed() string {
	for _, id := range st.after.LogicalIDs() {
		r := st.after.Resources[id]
		if r.Type == typeGroup && r.UpdatePolicy[policyRefresh] != nil && st.before.Resources[id].Type == typeGroup {
			return id
		}
	}
	return ""
}

// triggers are the properties of a group whose change starts a refresh
// (template reference, "UpdatePolicy attribute").
func triggers() []string {
	return []string{"LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier", "AvailabilityZones", "AvailabilityZoneIds", "PlacementGroup"}
}

// launches tells whether a difference makes a group launch something else.
func (st *stackState) launches(d cfn.Difference) bool {
	if d.Replace == awstype.Yes || d.Path == "" {
		return false
	}
	path, ok := strings.CutPrefix(d.Path, "Properties.")
	return ok && (d.Type == typeLaunchTemplate || d.Type == typeGroup && contains(triggers(), awstype.Split(path)[0]))
}

const latestVersion = "LatestVersionNumber"

// leftBehind tells whether a rollback left the stack's group at an older
// version than the one that the rollback itself made, of the same content.
func (c *computation) leftBehind(st *stackState) bool {
	if !strings.HasPrefix(st.live.Status, "UPDATE_ROLLBACK_") {
		return false
	}
	for _, r := range st.before.Resources {
		name, ok := groupName(r)
		g := c.l.Groups[name]
		lt, read := c.l.LaunchTemplates[g.LaunchTemplate]
		if ok && read && g.LaunchTemplateVersion != "" && g.LaunchTemplateVersion != fmt.Sprint(lt.LatestVersion) {
			return true
		}
	}
	return false
}

// asLaunched is a template in which groups launch what they do as deployed.
func (st *stackState) asLaunched(t cfn.Template) cfn.Template {
	t.Resources = maps.Clone(t.Resources)
	for id, r := range t.Resources {
		was, there := st.before.Resources[id]
		switch {
		case !there || was.Type != r.Type:
		case r.Type == typeLaunchTemplate:
			r.Properties = was.Properties
		case r.Type == typeGroup:
			r.Properties = maps.Clone(r.Properties)
			for _, name := range triggers() {
				delete(r.Properties, name)
				if v, set := was.Properties[name]; set {
					r.Properties[name] = v
				}
			}
		}
		t.Resources[id] = r
	}
	return t
}

// dangling tells whether what is launched as deployed refers to something that
// the wanted template does not have.
func (st *stackState) dangling() bool {
	for _, r := range st.after.Resources {
		if r.Type != typeLaunchTemplate && r.Type != typeGroup {
			continue
		}
		for _, ref := range logicalRefs(r.Properties) {
			_, was := st.before.Resources[ref.id]
			if _, is := st.after.Resources[ref.id]; was && !is {
				return true
			}
		}
	}
	return false
}

// rollouts plans the rollouts that follow their stacks' own steps, and tells of
// each what it does to the fleet.
func (c *computation) rollouts() {
	for _, name := range sortedKeys(c.stacks) {
		st := c.stacks[name]
		if st.rolling == nil || st.live == nil {
			continue
		}
		step := c.steps[ID(KindStack, name)]
		if st.rolling.split {
			step = c.rolloutStep(st, step)
		}
		if step == nil {
			continue
		}
		step.Rollout = c.rollout(st)
		step.Rollback = fmt.Sprintf("CloudFormation goes back, and so do the instances, when the rollout fails; while it runs: reconcile rollout rollback %s; afterwards: apply the revision before, or for an AMI put its parameter back", orElse(st.spec.Fleet, "STAGE/SLUG"))
		c.rolledBack(st, step)
	}
}

// rolloutStep plans the second update of a stack, from what the first leaves.
func (c *computation) rolloutStep(st *stackState, first *Step) *Step {
	if first == nil {
		return nil
	}
	half := *st
	half.before, half.after, half.rolling, half.liveOutputs = st.after, st.rolling.final, nil, nil
	changes := half.changes(half.compare())
	sortChanges(changes)
	step := Step{
		ID: RolloutID(st.spec.Name), Kind: KindStack, Target: st.spec.Name, Action: ActionUpdate, Base: BaseAfter(first.ID),
		Changes: changes, Unknown: sortedKeys(st.rolling.r.unknown), Source: st.spec.Source,
		Reason: "what the group launches changes in an update of its own: a failure takes back nothing else",
	}
	if len(step.Unknown) == 0 {
		step.Unknown = nil
	}
	step.Body.Stack = &StackBody{
		Name: st.spec.Name, ID: st.live.ID, Owner: c.d.Target.Platform, Template: c.withMetadata(&half), Tags: nonEmpty(st.spec.Tags),
		Parameters: st.spec.Parameters, Capabilities: st.spec.Capabilities,
	}
	c.dangers(&half, &step)
	c.add(st.node, step, first.ID)
	return c.steps[step.ID]
}

// rollout describes a rollout by what the templates say and the group has.
func (c *computation) rollout(st *stackState) *Rollout {
	final := st.rolling.final
	group := final.Resources[st.rolling.group]
	name, ok := groupName(group)
	if !ok {
		name = st.live.Resources[st.rolling.group].PhysicalID
	}
	g, read := c.l.Groups[name]
	if !read {
		c.more.groups[name] = true
	}
	preferences := tree(tree(group.UpdatePolicy[policyRefresh])["Preferences"])
	out := &Rollout{
		Group: name, Fleet: st.spec.Fleet, FromImage: imageOf(st.before), ToImage: imageOf(final), FromVersion: g.LaunchTemplateVersion,
		TypesOnly: st.rolling.types, InService: g.InService, Protected: g.Protected, Busy: literalText(preferences["ScaleInProtectedInstances"]),
	}
	alarms, _ := tree(preferences["AlarmSpecification"])["Alarms"].([]any)
	for _, a := range alarms {
		if n := literalText(a); n != "" {
			out.Alarms = append(out.Alarms, n)
		}
	}
	out.Minutes = atLeast(g.InService, preferences)
	return out
}

// atLeast is how many minutes a rollout of n instances takes when every
// instance is launched at once: batches times warm-up, pauses, and baking.
func atLeast(n int, preferences map[string]any) int {
	if n == 0 {
		return 0
	}
	number := func(name string, otherwise int) int {
		out := otherwise
		_, _ = fmt.Sscan(literalText(preferences[name]), &out) // what is no number keeps AWS's default
		return out
	}
	least := number("MinHealthyPercentage", 100)
	batch := n * (100 - least) / 100
	if most := number("MaxHealthyPercentage", min(110, 100+least)); most > 100 {
		batch += max(1, n*(most-100)/100)
	}
	batches := (n + max(1, batch) - 1) / max(1, batch)
	seconds := batches*number("InstanceWarmup", 0) + number("BakeTime", 0)
	points, _ := preferences["CheckpointPercentages"].([]any)
	for _, p := range points {
		percent := 100
		_, _ = fmt.Sscan(literalText(p), &percent)
		if done := (n*percent + 99) / 100; done < n {
			seconds += number("CheckpointDelay", 3600)
		}
	}
	return (seconds + 59) / 60
}

// imageOf is the AMI id in a template's launch template; empty when it is not known.
func imageOf(t cfn.Template) string {
	for _, id := range t.LogicalIDs() {
		if r := t.Resources[id]; r.Type == typeLaunchTemplate {
			return literalText(tree(r.Properties["LaunchTemplateData"])["ImageId"])
		}
	}
	return ""
}

func tree(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// rolledBack tells that the same was tried and undone.
func (c *computation) rolledBack(st *stackState, step *Step) {
	if !strings.HasPrefix(st.live.Status, "UPDATE_ROLLBACK_") {
		return
	}
	ro := step.Rollout
	f := Finding{Severity: SeverityWarning, Code: "rolled-back", Target: st.spec.Name, Source: st.spec.Source,
		Message: fmt.Sprintf("the last update of stack %s was rolled back (%s), and this plan rolls out", st.spec.Name, orElse(st.live.Reason, st.live.Status)),
		Command: "aws cloudformation describe-stack-events --stack-name " + st.spec.Name}
	if fl := c.fleetOf(st); ro.ToImage != ro.FromImage && ro.FromImage != "" && ro.ToImage != "" && fl != nil && fl.AMIParameter != "" {
		f.Message += fmt.Sprintf(" %s again. See why it failed; to stay with %s, put it back into the parameter", ro.ToImage, ro.FromImage)
		f.Command = fmt.Sprintf("reconcile ami use %s %s", fl.ID, ro.FromImage)
	} else {
		f.Message += ", perhaps the same again. See why it failed"
	}
	c.find(f)
}

// fleetOf is the fleet of a stack; nil when it has none.
func (c *computation) fleetOf(st *stackState) *Fleet {
	for _, f := range c.fleets[st.spec.Name] {
		if f.Stack == st.spec.Name {
			return f
		}
	}
	return nil
}
