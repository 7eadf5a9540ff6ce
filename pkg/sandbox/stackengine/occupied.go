package stackengine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// occupied refuses the deletion of what something that exists still stands in,
// whether a stack has that or an earlier one left it: a subnet with a network
// interface, a subnet group with a database.
func (e *Engine) occupied(r *StackResource) *HandlerError {
	o, ok := occupancies[r.Type]
	if !ok {
		return nil
	}
	for _, key := range keys(e.State.Items) {
		item := e.State.Items[key]
		if item.Type == r.Type && item.PhysicalID == r.PhysicalID || !slices.Contains(o.by, item.Type) {
			continue
		}
		properties := e.document(item)
		if e.standsIn(item.Type, decode(properties), properties, r) {
			return &HandlerError{Code: codeInvalidRequest, Message: o.refusal(r.PhysicalID, item.PhysicalID)}
		}
	}
	return nil
}

// occupancy is what AWS looks at before it deletes a thing, and what it says.
type occupancy struct {
	by      []string // types
	refusal func(id, user string) string
}

// interfaces are the types that have network interfaces, by which EC2 refuses.
var interfaces = []string{
	"AWS::EC2::Instance", "AWS::EC2::NatGateway", "AWS::EC2::NetworkInterface", "AWS::ECS::Service", "AWS::EFS::MountTarget",
	"AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup", "AWS::ElasticLoadBalancingV2::LoadBalancer",
	"AWS::Lambda::Function", "AWS::RDS::DBInstance",
}

// occupancies: the codes are in the services' error references; the texts are
// as users report them (DependencyViolation of EC2, InvalidDBSubnetGroupStateFault
// and InvalidDBParameterGroupState of RDS, CacheSubnetGroupInUse).
var occupancies = map[string]occupancy{
	"AWS::EC2::Subnet": {interfaces, func(id, _ string) string {
		return fmt.Sprintf("The subnet '%s' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)", id)
	}},
	"AWS::EC2::SecurityGroup": {append([]string{"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}, interfaces...), func(id, _ string) string {
		return fmt.Sprintf("resource %s has a dependent object (Service: Ec2, Status Code: 400)", id)
	}},
	"AWS::EC2::VPC": {[]string{"AWS::EC2::Subnet", "AWS::EC2::SecurityGroup", "AWS::EC2::RouteTable", "AWS::EC2::VPCEndpoint", "AWS::EC2::VPCGatewayAttachment"}, func(id, _ string) string {
		return fmt.Sprintf("The vpc '%s' has dependencies and cannot be deleted. (Service: Ec2, Status Code: 400)", id)
	}},
	"AWS::RDS::DBSubnetGroup": {[]string{"AWS::RDS::DBInstance", "AWS::RDS::DBCluster"}, func(id, user string) string {
		return fmt.Sprintf("Cannot delete the subnet group '%s' because at least one database instance: %s is still using it. (Service: Rds, Status Code: 400)", id, user)
	}},
	"AWS::RDS::DBParameterGroup": {[]string{"AWS::RDS::DBInstance"}, func(id, _ string) string {
		return fmt.Sprintf("One or more database instances are still members of this parameter group %s, so the group cannot be deleted (Service: Rds, Status Code: 400)", id)
	}},
	"AWS::ElastiCache::SubnetGroup": {[]string{"AWS::ElastiCache::CacheCluster", "AWS::ElastiCache::ReplicationGroup"}, func(id, _ string) string {
		return fmt.Sprintf("Cache subnet group %s is currently in use by a cache cluster. (Service: ElastiCache, Status Code: 400)", id)
	}},
}

// standsIn tells whether a thing with these properties is in r.
func (e *Engine) standsIn(typeName string, properties map[string]any, raw json.RawMessage, r *StackResource) bool {
	names := append([]string{r.PhysicalID}, r.Attributes["GroupId"])
	mentions := func(doc []byte) bool {
		return slices.ContainsFunc(names, func(n string) bool { return n != "" && bytes.Contains(doc, []byte(`"`+n+`"`)) })
	}
	switch typeName {
	case "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress":
		own, _ := text(properties["GroupId"])
		return !slices.Contains(names, own) && mentions(raw)
	case "AWS::ECS::Service":
		if n, ok := text(properties["DesiredCount"]); ok && n == "0" {
			return false
		}
	}
	if r.Type == "AWS::EC2::Subnet" {
		for _, property := range []string{"DBSubnetGroupName", "CacheSubnetGroupName"} {
			if group, ok := text(properties[property]); ok {
				return slices.Contains(e.placed(group, properties), r.PhysicalID)
			}
		}
	}
	return mentions(raw)
}

// placed are the subnets of a subnet group in which a service put its nodes:
// the first one, and the second for a standby.
func (e *Engine) placed(group string, properties map[string]any) []string {
	for _, typeName := range []string{"AWS::RDS::DBSubnetGroup", "AWS::ElastiCache::SubnetGroup"} {
		item := e.State.Items[typeName+"|"+group]
		if item == nil {
			continue
		}
		subnets, _ := decode(e.document(item))["SubnetIds"].([]any)
		n := 1
		if standby, ok := text(properties["MultiAZ"]); ok && standby == "true" {
			n = 2
		}
		var out []string
		for _, s := range subnets[:min(n, len(subnets))] {
			id, _ := text(s)
			out = append(out, id)
		}
		return out
	}
	return nil
}

// document holds the properties of a thing that exists: its own, when a hand or the end
// of its stack gave it one, else its stack's.
func (e *Engine) document(item *Item) json.RawMessage {
	s := e.State.Stacks[item.Owner]
	if item.Properties != nil || s == nil {
		return item.Properties
	}
	if r := s.Resources[item.LogicalID]; r != nil && r.PhysicalID == item.PhysicalID {
		return r.Properties
	}
	for _, r := range s.Garbage {
		if r.Type == item.Type && r.PhysicalID == item.PhysicalID {
			return r.Properties
		}
	}
	return nil
}
