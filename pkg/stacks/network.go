package stacks

import (
	"fmt"
	"strconv"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// networkStack is the VPC: three kinds of subnet in each zone, NAT, the S3
// gateway endpoint, and the security group of each part of the platform.
func (p *platform) networkStack() (plan.Stack, error) {
	s := p.stack(p.network(), "network", "VPC, subnets, NAT, security groups")
	// Everything stands in this VPC: without it nothing can be made again as it was.
	s.Protect = true
	s.lintOff("W3010", "The zones are named in the spec: a subnet must not move when AWS reorders its zones.")

	subnets, err := spec.Subnets(p.Network)
	if err != nil {
		return plan.Stack{}, fmt.Errorf("stack %s: %w", s.Name, err)
	}
	if n, zones := p.Network.NATGateways, len(p.Network.AvailabilityZones); n < 1 || n > zones {
		return plan.Stack{}, fmt.Errorf("stack %s: %d NAT gateways in %d zones", s.Name, n, zones)
	}
	p.vpc(s)
	for _, sub := range subnets {
		p.subnet(s, sub)
	}
	p.natGateways(s)
	p.s3Endpoint(s, subnets)
	p.securityGroups(s)
	if p.wants(s, RuleFlowLog, "FlowLog", "FlowLogGroup", "FlowLogRole") {
		p.rejectedTraffic(s)
	}
	return s.finish(), nil
}

func (p *platform) vpc(s *stack) {
	s.add("Vpc", cfn.Resource{Type: "AWS::EC2::VPC", Properties: props{
		"CidrBlock":          p.Network.CIDR,
		"EnableDnsHostnames": true,
		"EnableDnsSupport":   true,
		"InstanceTenancy":    "default",
		"Tags":               list{tag("Name", p.network()+"/Vpc")},
	}})
	s.cause("spec.network", "Vpc")
	s.cause("spec.network.cidr", "Vpc.Properties.CidrBlock")
	s.add("InternetGateway", cfn.Resource{Type: "AWS::EC2::InternetGateway", Properties: props{
		"Tags": list{tag("Name", p.network()+"/Vpc")},
	}})
	s.add("InternetGatewayAttachment", cfn.Resource{Type: "AWS::EC2::VPCGatewayAttachment", Properties: props{
		"VpcId":             cfn.LogicalRef("Vpc"),
		"InternetGatewayId": cfn.LogicalRef("InternetGateway"),
	}})
	s.output("VpcId", "VPC", cfn.LogicalRef("Vpc"))
}

// subnet with a route table of its own, so that each zone can have its NAT.
func (p *platform) subnet(s *stack, sub spec.Subnet) {
	id := subnetOutput(sub.Kind, sub.Number)
	name := p.network() + "/Vpc/" + string(sub.Kind) + "Subnet" + strconv.Itoa(sub.Number)
	s.add(id, cfn.Resource{Type: "AWS::EC2::Subnet", Properties: props{
		"VpcId":               cfn.LogicalRef("Vpc"),
		"CidrBlock":           sub.CIDR,
		"AvailabilityZone":    sub.Zone,
		"MapPublicIpOnLaunch": sub.Kind == spec.SubnetPublic,
		"Tags":                list{tag("Name", name)},
	}})
	zone := fmt.Sprintf("spec.network.availabilityZones[%d]", sub.Number-1)
	s.cause(zone, id, id+"RouteTable", id+"RouteTableAssociation", id+"DefaultRoute", "Outputs."+id)
	s.cause("spec.network.cidr", id+".Properties.CidrBlock")

	s.add(id+"RouteTable", cfn.Resource{Type: "AWS::EC2::RouteTable", Properties: props{
		"VpcId": cfn.LogicalRef("Vpc"),
		"Tags":  list{tag("Name", name)},
	}})
	s.add(id+"RouteTableAssociation", cfn.Resource{Type: "AWS::EC2::SubnetRouteTableAssociation", Properties: props{
		"SubnetId":     cfn.LogicalRef(id),
		"RouteTableId": cfn.LogicalRef(id + "RouteTable"),
	}})
	route := props{
		"RouteTableId":         cfn.LogicalRef(id + "RouteTable"),
		"DestinationCidrBlock": "0.0.0.0/0",
	}
	switch sub.Kind {
	case spec.SubnetPublic:
		route["GatewayId"] = cfn.LogicalRef("InternetGateway")
		s.add(id+"DefaultRoute", cfn.Resource{
			Type: "AWS::EC2::Route", DependsOn: cfn.StringList{"InternetGatewayAttachment"}, Properties: route,
		})
	case spec.SubnetPrivate:
		// With fewer gateways than zones, the zones take turns.
		route["NatGatewayId"] = cfn.LogicalRef(natID((sub.Number-1)%p.Network.NATGateways + 1))
		s.add(id+"DefaultRoute", cfn.Resource{Type: "AWS::EC2::Route", Properties: route})
		s.cause("spec.network.natGateways", id+"DefaultRoute.Properties.NatGatewayId")
	case spec.SubnetIsolated: // no way out
	}
	s.output(id, capital(string(sub.Kind))+" subnet in "+sub.Zone, cfn.LogicalRef(id))
}

func natID(number int) string { return "NatGateway" + strconv.Itoa(number) }

func (p *platform) natGateways(s *stack) {
	var ids list
	for n := 1; n <= p.Network.NATGateways; n++ {
		id, subnet := natID(n), subnetOutput(spec.SubnetPublic, n)
		name := p.network() + "/Vpc/publicSubnet" + strconv.Itoa(n)
		s.add(id+"Address", cfn.Resource{Type: "AWS::EC2::EIP", Properties: props{
			"Domain": "vpc",
			"Tags":   list{tag("Name", name)},
		}})
		s.add(id, cfn.Resource{
			// The gateway reaches the internet through its subnet's route.
			Type: "AWS::EC2::NatGateway", DependsOn: cfn.StringList{subnet + "DefaultRoute", subnet + "RouteTableAssociation"},
			Properties: props{
				"AllocationId": cfn.GetAtt(id+"Address", "AllocationId"),
				"SubnetId":     cfn.LogicalRef(subnet),
				"Tags":         list{tag("Name", name)},
			},
		})
		s.cause("spec.network.natGateways", id, id+"Address", "Outputs."+id)
		s.output(id, "NAT gateway in "+p.Network.AvailabilityZones[n-1], cfn.LogicalRef(id))
		ids = append(ids, cfn.LogicalRef(id))
	}
	s.output("NatGatewayIds", "NAT gateways, for people", commas(ids))
	var private list
	for n := range p.Network.AvailabilityZones {
		private = append(private, cfn.LogicalRef(subnetOutput(spec.SubnetPrivate, n+1)))
	}
	s.output("PrivateSubnets", "Private subnets, for people", commas(private))
	s.cause("spec.network.natGateways", "Outputs.NatGatewayIds")
	s.cause("spec.network.availabilityZones", "Outputs.PrivateSubnets")
}

func commas(values list) any {
	return props{"Fn::Join": list{",", values}}
}

// s3Endpoint keeps the traffic to S3, above all the models, off the NAT gateway.
func (p *platform) s3Endpoint(s *stack, subnets []spec.Subnet) {
	var tables list
	for _, sub := range subnets {
		tables = append(tables, cfn.LogicalRef(subnetOutput(sub.Kind, sub.Number)+"RouteTable"))
	}
	s.add("S3Endpoint", cfn.Resource{Type: "AWS::EC2::VPCEndpoint", Properties: props{
		"VpcId":           cfn.LogicalRef("Vpc"),
		"VpcEndpointType": "Gateway",
		"ServiceName":     "com.amazonaws." + p.Region + ".s3",
		"RouteTableIds":   tables,
	}})
	s.cause("spec.network.availabilityZones", "S3Endpoint.Properties.RouteTableIds")
}

// securityGroups of the platform. A group's description cannot change without
// replacing the group, which everything in it would notice.
func (p *platform) securityGroups(s *stack) {
	anywhere := func(port int, description string) props {
		return props{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "0.0.0.0/0", "Description": description}
	}
	all := list{props{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0", "Description": "Allow all outbound traffic by default"}}
	// EC2 adds a rule that allows everything to a group that declares no
	// egress; a rule that matches nothing prevents that.
	none := list{props{
		"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32", "Description": "Disallow all traffic",
	}}
	group := func(id, description string, ingress, egress list) {
		properties := props{
			"GroupDescription":    description,
			"VpcId":               cfn.LogicalRef("Vpc"),
			"SecurityGroupEgress": egress,
		}
		if len(ingress) > 0 {
			properties["SecurityGroupIngress"] = ingress
		}
		s.add(id, cfn.Resource{Type: "AWS::EC2::SecurityGroup", Properties: properties})
		s.output(id, description, cfn.GetAtt(id, "GroupId"))
	}
	from := func(id, source string, port int, description string) {
		s.add(id+"From"+source, cfn.Resource{Type: "AWS::EC2::SecurityGroupIngress", Properties: props{
			"GroupId":               cfn.GetAtt(id+"SecurityGroup", "GroupId"),
			"SourceSecurityGroupId": cfn.GetAtt(source+"SecurityGroup", "GroupId"),
			"IpProtocol":            "tcp", "FromPort": port, "ToPort": port,
			"Description": description,
		}})
	}

	group("AlbSecurityGroup", "ALB - HTTP/HTTPS from internet", list{anywhere(80, "HTTP"), anywhere(443, "HTTPS")}, all)
	group("BackendSecurityGroup", "Backend ECS tasks - port 80 from ALB", nil, all)
	group("FrontendSecurityGroup", "Frontend ECS tasks - port 3000 from ALB", nil, all)
	group("RdsSecurityGroup", "RDS MariaDB - port 3306 from backend", nil, none)
	group("RedisSecurityGroup", "Redis - port 6379 from backend", nil, none)
	group("GpuSecurityGroup", "GPU workers - no ingress, HTTP/HTTPS egress only", nil, list{
		anywhere(80, "HTTP to backend (when no TLS)"), anywhere(443, "HTTPS to backend/S3"),
	})
	from("Backend", "Alb", 80, "From ALB")
	from("Frontend", "Alb", 3000, "From ALB")
	from("Rds", "Backend", 3306, "From backend")
	from("Redis", "Backend", 6379, "From backend")
}

// rejectedTraffic logs what the security groups refused. Accepted traffic is
// left out: it is most of the volume, and the price is by volume.
func (p *platform) rejectedTraffic(s *stack) {
	s.add("FlowLogGroup", cfn.Resource{
		Type: "AWS::Logs::LogGroup", DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete",
		Properties: props{"LogGroupName": "/vpc/" + p.network() + "/rejected", "RetentionInDays": 30},
	})
	s.add("FlowLogRole", role("vpc-flow-logs.amazonaws.com", "Writes the VPC's flow log",
		allow(cfn.GetAtt("FlowLogGroup", "Arn"), "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
	))
	s.add("FlowLog", cfn.Resource{Type: "AWS::EC2::FlowLog", Properties: props{
		"ResourceId":               cfn.LogicalRef("Vpc"),
		"ResourceType":             "VPC",
		"TrafficType":              "REJECT",
		"LogDestinationType":       "cloud-watch-logs",
		"LogGroupName":             cfn.LogicalRef("FlowLogGroup"),
		"DeliverLogsPermissionArn": cfn.GetAtt("FlowLogRole", "Arn"),
		"MaxAggregationInterval":   600,
	}})
}
