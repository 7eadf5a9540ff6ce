package sandbox

import (
	"net/netip"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// Some things exclude each other without having a name that CloudFormation
// knows: names inside of a property, ports, priorities, address ranges. What
// has an explicit name, the engine compares itself.

// conflict refuses what the account has already. A resource does not conflict
// with itself in an update; while it is replaced, the old one is still there.
func (c *call) conflict(r stackengine.Resource) *Fail {
	p := props(r.Properties)
	switch r.Type {
	case "AWS::Budgets::Budget":
		name := p.sub("Budget").text("BudgetName")
		return unless(name == "" || !c.another(r, func(o props) bool { return o.sub("Budget").text("BudgetName") == name }),
			"DuplicateRecordException", "Error creating budget: %s - the budget already exists.", name)
	case "AWS::CloudFront::OriginAccessControl":
		name := p.sub("OriginAccessControlConfig").text("Name")
		return conflict409(!c.another(r, func(o props) bool { return o.sub("OriginAccessControlConfig").text("Name") == name }),
			"OriginAccessControlAlreadyExists", "An origin access control with the same name already exists.")
	case "AWS::CloudFront::Distribution":
		return c.aliasConflict(r, p)
	case "AWS::EC2::Subnet":
		return c.rangeConflict(r, p)
	case balancerType:
		return c.balancerZones(p)
	case subnetGroupType:
		return c.databaseZones(p)
	case "AWS::ElasticLoadBalancingV2::Listener":
		return unless(!c.another(r, func(o props) bool {
			return o.text("LoadBalancerArn") == p.text("LoadBalancerArn") && o.text("Port") == p.text("Port")
		}), "DuplicateListener", "A listener already exists on this port for this load balancer '%s'", p.text("LoadBalancerArn"))
	case "AWS::ElasticLoadBalancingV2::ListenerRule":
		return unless(!c.another(r, func(o props) bool {
			return o.text("ListenerArn") == p.text("ListenerArn") && o.text("Priority") == p.text("Priority")
		}), "PriorityInUse", "Priority '%s' is currently in use", p.text("Priority"))
	case "AWS::IAM::Role", "AWS::IAM::InstanceProfile":
		return c.globalConflict(r)
	}
	return nil
}

// another tells whether something else of the type is alike.
func (c *call) another(r stackengine.Resource, alike func(props) bool) bool {
	if c.region.Stacks == nil {
		return false
	}
	for _, item := range c.region.Stacks.Items {
		if item.Type == r.Type && item.PhysicalID != r.PhysicalID && alike(c.itemProps(item)) {
			return true
		}
	}
	return false
}

// aliasConflict: a domain name leads to one distribution only.
func (c *call) aliasConflict(r stackengine.Resource, p props) *Fail {
	for _, alias := range p.sub("DistributionConfig").texts("Aliases") {
		if c.another(r, func(o props) bool {
			for _, other := range o.sub("DistributionConfig").texts("Aliases") {
				if strings.EqualFold(other, alias) {
					return true
				}
			}
			return false
		}) {
			return conflict409(false, "CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated with a different resource.")
		}
	}
	return nil
}

// rangeConflict: the subnets of a VPC do not overlap, and lie inside of it.
func (c *call) rangeConflict(r stackengine.Resource, p props) *Fail {
	mine, err := netip.ParsePrefix(p.text("CidrBlock"))
	if err != nil {
		return unless(p.text("CidrBlock") == "", "InvalidParameterValue", "Value (%.40s) for parameter cidrBlock is invalid. This is not a valid CIDR block.", p.text("CidrBlock"))
	}
	if vpc := c.item("AWS::EC2::VPC", p.text("VpcId")); vpc != nil {
		all, err := netip.ParsePrefix(c.itemProps(vpc).text("CidrBlock"))
		if err == nil && (!all.Contains(mine.Addr()) || mine.Bits() < all.Bits()) && len(c.using(vpc.PhysicalID, "AWS::EC2::VPCCidrBlock", "VpcId")) == 0 {
			return fail("InvalidSubnet.Range", "The CIDR '%s' is invalid.", mine)
		}
	}
	return unless(!c.another(r, func(o props) bool {
		other, err := netip.ParsePrefix(o.text("CidrBlock"))
		return err == nil && o.text("VpcId") == p.text("VpcId") && other.Overlaps(mine)
	}), "InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", mine)
}

// globalConflict: names of IAM are the account's, not the region's.
func (c *call) globalConflict(r stackengine.Resource) *Fail {
	property, what := "RoleName", "Role"
	if r.Type == "AWS::IAM::InstanceProfile" {
		property, what = "InstanceProfileName", "Instance Profile"
	}
	name := props(r.Properties).text(property)
	if name == "" || r.PhysicalID == name {
		return nil
	}
	for _, other := range c.account.Regions {
		if other != c.region && other.Stacks != nil && other.Stacks.Items[r.Type+"|"+name] != nil {
			return conflict409(false, "EntityAlreadyExists", what+" with name "+name+" already exists.")
		}
	}
	return nil
}
