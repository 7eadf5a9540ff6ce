package sandbox

import (
	"net/netip"
)

// network is the default VPC that a stocked account has, as every account of
// AWS does. It is computed, so that asking changes nothing.
type network struct {
	vpc, group string
	subnets    []string // one for each zone
}

// defaultNetwork is nil in a bare account.
func (c *call) defaultNetwork() *network {
	if c.account.Bare {
		return nil
	}
	id := func(kind string) string { return hexOf("default "+kind, c.account.ID, c.region.Name)[:17] }
	n := &network{vpc: "vpc-" + id("vpc"), group: "sg-" + id("group")}
	for _, zone := range c.zones() {
		n.subnets = append(n.subnets, "subnet-"+id("subnet "+zone))
	}
	return n
}

// defaults are the default network's parts of a type.
func (c *call) defaults(typeName string) []networkItem {
	n := c.defaultNetwork()
	if n == nil {
		return nil
	}
	with := func(id string, p props) networkItem { return networkItem{id: id, props: p, created: c.account.Created} }
	switch typeName {
	case "AWS::EC2::VPC":
		return []networkItem{with(n.vpc, props{"CidrBlock": "172.31.0.0/16", "IsDefault": true})}
	case groupType2:
		if c.region.Made[groupType2+"|"+n.group] != nil {
			return nil // somebody changed its rules
		}
		return []networkItem{with(n.group, props{"GroupName": "default", "GroupDescription": "default VPC security group", "VpcId": n.vpc, "SecurityGroupIngress": []any{
			map[string]any{"IpProtocol": "-1", "SourceSecurityGroupId": n.group},
		}})}
	case "AWS::EC2::Subnet":
		var out []networkItem
		for i, zone := range c.zones() {
			out = append(out, with(n.subnets[i], props{
				"VpcId": n.vpc, "AvailabilityZone": zone, "CidrBlock": "172.31." + plainText(i*16) + ".0/20", "MapPublicIpOnLaunch": true, "DefaultForAz": true,
			}))
		}
		return out
	}
	return nil
}

func (c *call) vpc(id string) (networkItem, bool) { return c.among("AWS::EC2::VPC", id) }

func (c *call) subnet(id string) (networkItem, bool) { return c.among("AWS::EC2::Subnet", id) }

// among finds a thing, the default network's parts included.
func (c *call) among(typeName, id string) (networkItem, bool) {
	for _, i := range c.items(typeName) {
		if i.id == id {
			return i, true
		}
	}
	return networkItem{}, false
}

func validCIDR(s string) bool {
	p, err := netip.ParsePrefix(s)
	return err == nil && p.Masked() == p
}
