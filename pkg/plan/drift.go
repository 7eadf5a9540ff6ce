package plan

import (
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/cfn"
)

// driftOf compares what was deployed with what was read anyway: groups, launch
// templates and parameters. What the autoscaler owns, and what was not read, is
// not compared. A stack that changes is compared too: its step writes over a
// hand edit, and whoever made it must see that.
func (c *computation) driftOf(st *stackState) {
	deployed := st.drifting()
	for _, id := range deployed.LogicalIDs() {
		r := deployed.Resources[id]
		switch r.Type {
		case typeGroup:
			c.groupDrift(st, id, r)
		case typeLaunchTemplate:
			c.launchTemplateDrift(st, id, r)
		case "AWS::SSM::Parameter":
			c.parameterDrift(st, id, r)
		}
	}
}

// drifting is the template whose resources are compared.
func (st *stackState) drifting() cfn.Template {
	if st.mode == modeUpdate {
		return *st.live.Template
	}
	return st.after
}

// hand notes one hand edit: Before is what AWS has, After what was deployed.
func (c *computation) hand(st *stackState, id string, r cfn.Resource, physical, path string, live, deployed any) {
	c.drift = append(c.drift, Change{
		Stack: st.spec.Name, Resource: id, Type: r.Type, Physical: physical, Action: ActionUpdate,
		Path: "Properties." + path, Before: live, After: deployed, Source: st.spec.SourceOf(id, "Properties."+path),
	})
}

func (c *computation) groupDrift(st *stackState, id string, r cfn.Resource) {
	name, ok := groupName(r)
	if !ok || c.l.Groups == nil {
		return
	}
	g, ok := c.l.Groups[name]
	if !ok {
		c.drift = append(c.drift, Change{Stack: st.spec.Name, Resource: id, Type: r.Type, Physical: name,
			Action: ActionDelete, Source: st.spec.SourceOf(id, "")})
		return
	}
	scalar := func(path string, live any) {
		want, set := r.Properties[path]
		if !set || literalText(want) == "" || literalText(want) == literalText(live) {
			return
		}
		c.hand(st, id, r, name, path, live, want)
	}
	scalar("MinSize", g.Min)
	scalar("MaxSize", g.Max)
	scalar("CapacityRebalance", g.CapacityRebalance)
	scalar("DefaultInstanceWarmup", g.DefaultInstanceWarmup)
	const overrides = "MixedInstancesPolicy.LaunchTemplate.Overrides"
	if want, ok := overrideTypes(r); ok && fmt.Sprint(want) != fmt.Sprint(g.InstanceTypes) {
		c.hand(st, id, r, name, overrides, texts(g.InstanceTypes), texts(want))
	}
	c.versionDrift(st, id, r, name, g)
}

// versionDrift finds a group that runs another launch template version than
// the newest, which is the one that the stack made.
func (c *computation) versionDrift(st *stackState, id string, r cfn.Resource, name string, g LiveGroup) {
	lt, ok := c.l.LaunchTemplates[g.LaunchTemplate]
	if !ok || g.LaunchTemplateVersion == "" || g.LaunchTemplateVersion == strconv.FormatInt(lt.LatestVersion, 10) {
		return
	}
	_, err := strconv.ParseInt(g.LaunchTemplateVersion, 10, 64)
	if pinned := err == nil; pinned && (newerByHand(st, g.LaunchTemplate, lt) || strings.HasPrefix(st.live.Status, "UPDATE_ROLLBACK_")) {
		return // a rollback makes a newer version of the old content, and the group goes back to its old one
	}
	c.hand(st, id, r, name, "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version",
		g.LaunchTemplateVersion, strconv.FormatInt(lt.LatestVersion, 10))
}

// newerByHand tells whether the launch template's newest version is none that
// the stack made, so that the group is right to run another one.
func newerByHand(st *stackState, name string, lt LiveLaunchTemplate) bool {
	for _, r := range st.drifting().Resources {
		if n, _ := r.Properties["LaunchTemplateName"].(string); r.Type == typeLaunchTemplate && n == name && len(versionEdits(r, lt)) > 0 {
			return true
		}
	}
	return false
}

// versionEdit is a difference between a launch template's newest version and
// what was deployed.
type versionEdit struct{ property, live, deployed string }

func versionEdits(r cfn.Resource, lt LiveLaunchTemplate) []versionEdit {
	var out []versionEdit
	data, _ := r.Properties["LaunchTemplateData"].(map[string]any)
	if want, _ := data["ImageId"].(string); want != "" && want != lt.ImageID {
		out = append(out, versionEdit{"ImageId", lt.ImageID, want})
	}
	if want, _ := data["InstanceType"].(string); want != lt.InstanceType {
		out = append(out, versionEdit{"InstanceType", lt.InstanceType, want})
	}
	return out
}

func (c *computation) launchTemplateDrift(st *stackState, id string, r cfn.Resource) {
	name, _ := r.Properties["LaunchTemplateName"].(string)
	lt, ok := c.l.LaunchTemplates[name]
	if !ok {
		return
	}
	for _, e := range versionEdits(r, lt) {
		c.hand(st, id, r, name, "LaunchTemplateData."+e.property, e.live, e.deployed)
	}
}

func (c *computation) parameterDrift(st *stackState, id string, r cfn.Resource) {
	name, _ := r.Properties["Name"].(string)
	live, ok := c.l.Parameters[name]
	want, literal := r.Properties["Value"].(string)
	if ok && literal && live.Type != secureString && live.Value != "" && live.Value != want {
		c.hand(st, id, r, name, "Value", live.Value, want)
	}
}

// overrideTypes are the instance types of a group's overrides, in order.
func overrideTypes(r cfn.Resource) ([]string, bool) {
	policy, _ := r.Properties["MixedInstancesPolicy"].(map[string]any)
	lt, _ := policy["LaunchTemplate"].(map[string]any)
	overrides, ok := lt["Overrides"].([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(overrides))
	for _, o := range overrides {
		m, _ := o.(map[string]any)
		t, ok := m["InstanceType"].(string)
		if !ok {
			return nil, false
		}
		out = append(out, t)
	}
	return out, true
}

func texts(in []string) []any {
	out := make([]any, len(in))
	for i, s := range in {
		out[i] = s
	}
	return out
}

// literalText is the text of a scalar; empty for what only AWS knows.
func literalText(v any) string {
	switch v.(type) {
	case string, bool, int, int64, float64:
		s, _ := text(v).(string)
		return s
	}
	return ""
}
