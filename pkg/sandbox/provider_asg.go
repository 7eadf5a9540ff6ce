package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

func groupHandlers() handlers {
	return handlers{
		create: createDeclaredGroup,
		update: updateDeclaredGroup,
		settle: settleDeclaredGroup,
		remove: func(c *call, r stackengine.Resource) error {
			delete(c.region.Groups, r.PhysicalID)
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			g, err := c.group(&r.PhysicalID)
			if err != nil {
				return nil, fail("ResourceNotFound", "AutoScalingGroup name not found")
			}
			live := map[string]any{"MinSize": strconv.Itoa(int(g.Min)), "MaxSize": strconv.Itoa(int(g.Max))}
			if _, ok := r.Properties["DesiredCapacity"]; ok {
				live["DesiredCapacity"] = strconv.Itoa(int(g.Desired))
			}
			return shownProperties(r, live), nil
		},
	}
}

func createDeclaredGroup(c *call, r stackengine.Resource) (stackengine.Physical, error) {
	name := nameOr(r, "AutoScalingGroupName")
	if c.region.Groups[name] != nil {
		return stackengine.Physical{}, fail("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists", name)
	}
	if len(c.region.Groups) >= c.mostGroups() {
		return stackengine.Physical{}, fail("LimitExceeded", "You have already reached a limit for your Amazon EC2 Auto Scaling resources.")
	}
	g := &group{
		Name: name, Created: c.now, Declared: c.now, Stack: r.StackID,
		ARN: c.arn("autoscaling", "autoScalingGroup:"+uuid(r.Random("arn", "0123456789abcdef", 32))+":autoScalingGroupName/"+name),
	}
	if err := g.declare(c, r, nil); err != nil {
		return stackengine.Physical{}, err
	}
	c.region.Groups[name] = g
	g.scale(c, g.because(c, fmt.Sprintf("a user request created an AutoScalingGroup changing the desired capacity from 0 to %d.", g.Desired)))
	return g.physical(), nil
}

func updateDeclaredGroup(c *call, old, r stackengine.Resource) (stackengine.Physical, error) {
	g, err := c.group(&r.PhysicalID)
	if err != nil {
		return stackengine.Physical{}, fail("ResourceNotFound", "AutoScalingGroup %s not found", r.PhysicalID)
	}
	if err := g.blocked(old, r); err != nil {
		return stackengine.Physical{}, err
	}
	next, before := *g, g.Desired
	next.Declared = c.now
	if err := next.declare(c, r, old.Properties); err != nil {
		return stackengine.Physical{}, err
	}
	if err := next.rollOut(c, old, r); err != nil {
		return stackengine.Physical{}, err
	}
	*g = next
	g.scale(c, g.because(c, fmt.Sprintf("a user request update of AutoScalingGroup constraints to min: %d, max: %d, desired: %d changing the desired capacity from %d to %d.", g.Min, g.Max, g.Desired, before, g.Desired)))
	return g.physical(), nil
}

// settleDeclaredGroup waits for the group's instances, for at most an hour
// (failure-modes F6; text as users report it).
func settleDeclaredGroup(c *call, r stackengine.Resource) (time.Time, error) {
	g := c.region.Groups[r.PhysicalID]
	if g == nil {
		return time.Time{}, fail("ResourceNotFound", "AutoScalingGroup %s not found", r.PhysicalID)
	}
	if again, err := g.settleRollout(c, r); err != nil || !again.IsZero() {
		return again, err
	}
	ready, latest := int32(0), c.now
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.serves(c.now) {
			ready++
		} else if inst.counts() {
			latest = inst.Ready
		}
	}
	until := g.Declared.Add(c.takes(patience))
	switch {
	case ready >= g.Desired || !g.may(processLaunch):
		return time.Time{}, nil
	case g.Next.IsZero() && !latest.After(c.now):
		return time.Time{}, nil // nothing will launch: instances are on their way out
	case c.now.Before(until):
		return earliest(until, c.now.Add(c.takes(retrySeconds))), nil
	}
	why := ""
	for i := len(g.Activities) - 1; i >= 0 && why == ""; i-- {
		why = g.Activities[i].Failed
	}
	return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: fmt.Sprintf("Group did not stabilize. {current/minSize/maxSize group size = %d/%d/%d}. Failed Scaling Activity: %s", ready, g.Min, g.Max, why)}
}

func (g *group) physical() stackengine.Physical {
	return stackengine.Physical{ID: g.Name, Attributes: map[string]string{"AutoScalingGroupARN": g.ARN, "AutoScalingGroupName": g.Name}}
}

// declare sets what a template says. A template without DesiredCapacity
// starts a group at MinSize and afterwards only pushes the capacity into the
// bounds.
func (g *group) declare(c *call, r stackengine.Resource, old props) error {
	p := props(r.Properties)
	g.Template, g.Mixed = nil, nil
	if s := p.sub("LaunchTemplate"); s != nil {
		g.Template = &templateRef{s.text("LaunchTemplateId"), s.text("LaunchTemplateName"), s.text("Version")}
	}
	if raw := p.raw("MixedInstancesPolicy"); raw != nil {
		g.Mixed = raw
		if g.mixed(c) == nil {
			return fail("ValidationError", "The mixed instances policy is not valid.")
		}
	}
	g.Subnets, g.Zones = p.texts("VPCZoneIdentifier"), p.texts("AvailabilityZones")
	g.addZones(c)
	if len(g.Subnets)+len(g.Zones) == 0 {
		return fail("ValidationError", "At least one Availability Zone or VPC Subnet is required.")
	}
	g.TargetGroups, g.Policies = p.texts("TargetGroupARNs"), p.texts("TerminationPolicies")
	g.Metrics = nil
	for _, m := range p.list("MetricsCollection") {
		if g.Metrics = append(g.Metrics, m.texts("Metrics")...); len(g.Metrics) == 0 {
			g.Metrics = slices.Clone(groupMetrics)
		}
	}
	g.declareSettings(p, r.Tags)
	if err := checkPolicy(r.UpdatePolicy); err != nil {
		return err
	}
	if err := g.declareHooks(p); err != nil {
		return err
	}
	least, most, desired, err := declaredSizes(r, old)
	if err != nil {
		return err
	}
	if err := g.resize(least, most, desired); err != nil {
		return err
	}
	return g.checkLaunch(c)
}

// addZones adds the zones of the group's subnets.
func (g *group) addZones(c *call) {
	zones := slices.Clone(g.Zones)
	for _, subnet := range g.Subnets {
		if item, ok := c.subnet(subnet); ok {
			if zone := item.props.text("AvailabilityZone"); zone != "" && !slices.Contains(zones, zone) {
				zones = append(zones, zone)
			}
		}
	}
	slices.Sort(zones)
	g.Zones = zones
}

func (g *group) declareSettings(p props, stackTags map[string]string) {
	g.HealthCheck, g.Grace, g.Cooldown, g.Warmup, g.Lifetime = "EC2", 0, 300, nil, nil
	if s := p.text("HealthCheckType"); s != "" {
		g.HealthCheck = s
	}
	if n, ok := p.number("HealthCheckGracePeriod"); ok {
		g.Grace = n
	}
	if n, ok := p.number("Cooldown"); ok {
		g.Cooldown = n
	}
	if n, ok := p.number("DefaultInstanceWarmup"); ok {
		g.Warmup = &n
	}
	if n, ok := p.number("MaxInstanceLifetime"); ok {
		g.Lifetime = &n
	}
	g.Rebalance, g.Protect = p.flag("CapacityRebalance"), p.flag("NewInstancesProtectedFromScaleIn")
	g.Tags = nil
	own := map[string]bool{}
	for _, t := range p.list("Tags") {
		own[t.text("Key")] = true
		g.Tags = append(g.Tags, groupTag{t.text("Key"), t.text("Value"), t.flag("PropagateAtLaunch")})
	}
	for _, key := range sortedKeys(stackTags) {
		if !own[key] {
			g.Tags = append(g.Tags, groupTag{key, stackTags[key], true})
		}
	}
}

func templateHandlers() handlers {
	data := func(r stackengine.Resource) json.RawMessage { return props(r.Properties).raw("LaunchTemplateData") }
	physical := func(t *launchTemplate) stackengine.Physical {
		return stackengine.Physical{ID: t.ID, Attributes: map[string]string{
			"LaunchTemplateId": t.ID, "LatestVersionNumber": strconv.FormatInt(t.latest().Number, 10), "DefaultVersionNumber": strconv.FormatInt(t.Default, 10),
		}}
	}
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			name := nameOr(r, "LaunchTemplateName")
			if c.template("", name) != nil {
				return stackengine.Physical{}, fail("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
			}
			t := &launchTemplate{ID: "lt-" + r.Random("id", "0123456789abcdef", 17), Name: name, Created: c.now, Default: 1, Tags: allTags(r)}
			t.add(c, data(r), props(r.Properties).text("VersionDescription"))
			c.region.LaunchTemplates[t.ID] = t
			return physical(t), nil
		},
		// Another text in the data makes a new version; the default stays the first.
		update: func(c *call, old, r stackengine.Resource) (stackengine.Physical, error) {
			t, err := c.mustTemplate(r.PhysicalID, "")
			if err != nil {
				return stackengine.Physical{}, err
			}
			if string(data(old)) != string(data(r)) || props(old.Properties).text("VersionDescription") != props(r.Properties).text("VersionDescription") {
				t.add(c, data(r), props(r.Properties).text("VersionDescription"))
			}
			t.Tags = allTags(r)
			return physical(t), nil
		},
		remove: func(c *call, r stackengine.Resource) error {
			delete(c.region.LaunchTemplates, r.PhysicalID)
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			t, err := c.mustTemplate(r.PhysicalID, "")
			if err != nil {
				return nil, err
			}
			return shownProperties(r, map[string]any{"LaunchTemplateName": t.Name, "LaunchTemplateData": map[string]any(t.latest().properties())}), nil
		},
	}
}
