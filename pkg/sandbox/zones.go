package sandbox

import "slices"

// zonesOfSubnets are the zones of the subnets that are known.
func (c *call) zonesOfSubnets(ids []string) (zones []string, twice bool) {
	for _, id := range ids {
		s, ok := c.subnet(id)
		if !ok {
			continue
		}
		zone := s.props.text("AvailabilityZone")
		twice = twice || slices.Contains(zones, zone)
		if !slices.Contains(zones, zone) {
			zones = append(zones, zone)
		}
	}
	slices.Sort(zones)
	return zones, twice
}

// balancerZones: an application load balancer needs two zones, and none takes
// two subnets of one (API reference of CreateLoadBalancer, Subnets; the texts
// are what users report).
func (c *call) balancerZones(p props) *Fail {
	ids := p.texts("Subnets")
	for _, m := range p.list("SubnetMappings") {
		ids = append(ids, m.text("SubnetId"))
	}
	zones, twice := c.zonesOfSubnets(ids)
	kind := p.text("Type")
	switch {
	case len(ids) == 0:
		return nil
	case twice:
		return fail("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
	case len(zones) < 2 && (kind == "" || kind == "application"):
		return fail("ValidationError", "At least two subnets in two different Availability Zones must be specified")
	}
	return nil
}

// databaseZones: a subnet group of a database covers two zones (API reference
// of CreateDBSubnetGroup, DBSubnetGroupDoesNotCoverEnoughAZs).
func (c *call) databaseZones(p props) *Fail {
	ids := p.texts("SubnetIds")
	zones, _ := c.zonesOfSubnets(ids)
	if len(ids) == 0 || len(zones) >= 2 {
		return nil
	}
	only := ""
	if len(zones) > 0 {
		only = zones[0]
	}
	return fail("DBSubnetGroupDoesNotCoverEnoughAZs", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: %s. Add subnets to cover at least 2 AZs.", only)
}
