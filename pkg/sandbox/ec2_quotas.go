package sandbox

import "strings"

// The vCPU quotas of EC2 (EC2 user guide, "On-Demand Instance quotas" and "Spot
// Instance quotas"): running On-Demand Instances count, and Spot Instances that
// are not terminated, of a region and a family of types.

// vcpuQuota is the code of the quota that an instance type counts against.
func vcpuQuota(instanceType string, spot bool) string {
	family, _, _ := strings.Cut(instanceType, ".")
	switch {
	case strings.HasPrefix(family, "g") || strings.HasPrefix(family, "vt"):
		return map[bool]string{false: "L-DB2E81BA", true: "L-3819A6DF"}[spot]
	case strings.HasPrefix(family, "p5") && spot:
		return "L-C4BD4855"
	case strings.HasPrefix(family, "p") && spot:
		return "L-7212CCBC"
	case strings.HasPrefix(family, "p"):
		return "L-417A185B"
	}
	return map[bool]string{false: "L-1216C47A", true: "L-34B43A08"}[spot]
}

// vcpuLimit is a quota in force.
func (c *call) vcpuLimit(code string) float64 {
	if v, ok := c.region.Quotas["ec2/"+code]; ok {
		return v
	}
	for _, q := range quotas() {
		if q.code == code {
			return q.value
		}
	}
	return 0
}

// vcpusOf counts what a quota is used up by.
func (c *call) vcpusOf(code string) int {
	sum := 0
	add := func(instanceType string, spot bool) {
		if t, ok := typeNamed(instanceType); ok && vcpuQuota(instanceType, spot) == code {
			sum += t.cpus
		}
	}
	for _, i := range c.region.Instances {
		if s := i.state(c.now).code; s == 0 || s == runningCode || i.Spot && s != terminatedCode {
			add(i.Type, i.Spot)
		}
	}
	for _, g := range c.region.Groups {
		for k := range g.Instances {
			if i := &g.Instances[k]; i.Shut.IsZero() && i.state(c.now) != "" {
				add(i.Type, !i.OnDemand)
			}
		}
	}
	return sum
}

// overQuota refuses n more instances of a type. The texts are what users report
// (aws-parallelcluster 340, scrapoxy 202). A type that is not in the table of
// types counts for nothing.
func (c *call) overQuota(instanceType string, spot bool, n int) *Fail {
	t, ok := typeNamed(instanceType)
	if !ok {
		return nil
	}
	code := vcpuQuota(instanceType, spot)
	limit := c.vcpuLimit(code)
	switch {
	case float64(c.vcpusOf(code)+n*t.cpus) <= limit:
		return nil
	case spot:
		return fail("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
	}
	return fail("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", int(limit))
}
