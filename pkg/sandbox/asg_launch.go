package sandbox

import (
	"math"
	"strconv"
	"strings"
)

// launchOne launches an instance; false when it cannot, and then the group
// tries again.
func (g *group) launchOne(c *call, cause string) bool {
	ref, instanceType := g.launch(c)
	if why := g.refused(c, ref, instanceType); why != "" {
		why += " Launching EC2 instance failed."
		a := g.note(c, "Launching a new EC2 instance.  Status Reason: "+why, cause, c.now)
		a.Failed = why
		g.retryLater(c)
		return false
	}
	inst := groupInstance{
		ID: "i-" + c.account.draw("instance")[:17], Zone: g.emptiestZone(c), Type: instanceType,
		Launched: c.now, Ready: c.now.Add(c.takes(launchSeconds)), Protect: g.Protect, Template: ref,
	}
	inst.Waits = g.actions(c, transitionLaunch, inst.Ready)
	if t := c.template(ref.ID, ref.Name); t != nil {
		inst.Template = templateRef{t.ID, t.Name, ref.Version}
		if v := t.version(ref.Version); v != nil {
			inst.Template.Version = strconv.FormatInt(v.Number, 10)
			inst.Image = v.properties().text("ImageId")
			if inst.Type == "" {
				inst.Type = v.properties().text("InstanceType")
			}
		}
	}
	if !g.obtain(c, &inst) {
		why := insufficientCapacity(inst.Type, inst.Zone).Message + " Launching EC2 instance failed."
		g.note(c, "Launching a new EC2 instance.  Status Reason: "+why, cause, c.now).Failed = why
		g.retryLater(c)
		return false
	}
	inst.OnDemand = g.nextOnDemand(c, ref)
	if f := c.overQuota(inst.Type, !inst.OnDemand, 1); f != nil {
		why := f.Message + ". Launching EC2 instance failed."
		why = strings.ReplaceAll(why, "..", ".")
		g.note(c, "Launching a new EC2 instance.  Status Reason: "+why, cause, c.now).Failed = why
		g.retryLater(c)
		return false
	}
	g.Tries = 0
	g.Instances = append(g.Instances, inst)
	a := g.note(c, "Launching a new EC2 instance: "+inst.ID, cause, inst.Ready)
	a.Instance, a.Waits = inst.ID, len(inst.Waits) > 0
	return true
}

// nextOnDemand tells whether the next instance is On-Demand: the base capacity,
// then a share of what is above it (InstancesDistribution; 100 % by default). A
// group without a mixed instances policy does what its template says.
func (g *group) nextOnDemand(c *call, ref templateRef) bool {
	m := g.mixed(c)
	if r := g.refreshing(); r != nil && r.Desired != nil && r.Rollback == nil {
		m = mixedPolicy(c, r.Desired.Mixed)
	}
	if m == nil {
		t := c.template(ref.ID, ref.Name)
		return t == nil || t.version(ref.Version) == nil || t.version(ref.Version).properties().sub("InstanceMarketOptions").text("MarketType") != "spot"
	}
	base, share := int32(0), int32(100)
	if d := m.InstancesDistribution; d != nil {
		set(&base, d.OnDemandBaseCapacity)
		set(&share, d.OnDemandPercentageAboveBaseCapacity)
	}
	all, have := int32(1), int32(0)
	for i := range g.Instances {
		if inst := &g.Instances[i]; inst.counts() {
			all++
			if inst.OnDemand {
				have++
			}
		}
	}
	want := min(all, base) + int32(math.Ceil(float64(max(0, all-base))*float64(share)/100))
	return have < want
}

// refused is why EC2 launches nothing: capacity or limits, which are faults of
// the sandbox's plan for ec2 RunInstances, or a template that has gone.
func (g *group) refused(c *call, ref templateRef, instanceType string) string {
	if err := c.checkLaunch(ref); err != nil {
		return asFail(err).Message
	}
	f := c.struck("ec2", "RunInstances")
	switch {
	case f == nil:
		return ""
	case f.Code == "InsufficientInstanceCapacity" && f.Message == "":
		if instanceType == "" {
			instanceType = c.template(ref.ID, ref.Name).version(ref.Version).properties().text("InstanceType")
		}
		return insufficientCapacity(instanceType, g.emptiestZone(c)).Message
	case f.Message == "":
		return f.Code + "."
	}
	return f.Message
}

// emptiestZone spreads instances over the group's zones.
func (g *group) emptiestZone(c *call) string {
	zones := g.Zones
	if len(zones) == 0 {
		zones = c.zones()
	}
	count := map[string]int{}
	for i := range g.Instances {
		if g.Instances[i].counts() {
			count[g.Instances[i].Zone]++
		}
	}
	best := zones[0]
	for _, z := range zones {
		if count[z] < count[best] {
			best = z
		}
	}
	return best
}
