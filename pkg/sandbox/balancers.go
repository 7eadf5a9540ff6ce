package sandbox

import (
	"slices"
	"strings"
)

// Load balancers show what stacks deployed; the health of targets is that of
// the ECS services and groups that register with a target group.

const (
	balancerType    = "AWS::ElasticLoadBalancingV2::LoadBalancer"
	targetGroupType = "AWS::ElasticLoadBalancingV2::TargetGroup"
	listenerType    = "AWS::ElasticLoadBalancingV2::Listener"
	ruleType        = "AWS::ElasticLoadBalancingV2::ListenerRule"
)

func balancerOperations() map[string]operation {
	return map[string]operation{
		"DescribeLoadBalancers": docReads(describeBalancers),
		"DescribeTargetGroups":  docReads(describeTargetGroups),
		"DescribeTargetHealth":  docReads(describeTargetHealth),
		"DescribeListeners":     docReads(describeListeners),
		"DescribeRules":         docReads(describeListenerRules),
		"DescribeTags":          docReads(describeBalancerTags),

		"DescribeLoadBalancerAttributes": docReads(attributesOf(balancerType, "LoadBalancerArn", "LoadBalancerAttributes", noBalancer)),
		"DescribeTargetGroupAttributes":  docReads(attributesOf(targetGroupType, "TargetGroupArn", "TargetGroupAttributes", noTargetGroup)),
	}
}

func noBalancer() *Fail    { return fail("LoadBalancerNotFound", "One or more load balancers not found") }
func noTargetGroup() *Fail { return fail("TargetGroupNotFound", "One or more target groups not found") }

// picked applies the ARNs and names of a request; each must exist.
func picked(c *call, in props, typeName, arns, nameProperty string, missing func() *Fail) ([]networkItem, error) {
	ids, names := in.texts(arns), in.texts("Names")
	all := c.items(typeName)
	if len(ids)+len(names) == 0 {
		return all, nil
	}
	var out []networkItem
	for _, want := range slices.Concat(ids, names) {
		i := slices.IndexFunc(all, func(i networkItem) bool { return i.id == want || i.attribute(nameProperty) == want })
		if i < 0 {
			return nil, missing()
		}
		out = append(out, all[i])
	}
	return out, nil
}

func sized(in props, all []networkItem) ([]networkItem, any, error) {
	return pageOf(in, "Marker", "PageSize", 400, 400, all, func(i networkItem) string { return i.id })
}

func describeBalancers(c *call, in props) (doc, error) {
	all, err := picked(c, in, balancerType, "LoadBalancerArns", "LoadBalancerName", noBalancer)
	if err != nil {
		return nil, err
	}
	list, next, err := sized(in, all)
	out := []doc{}
	for _, i := range list {
		d := doc{
			"LoadBalancerArn": i.id, "LoadBalancerName": i.attribute("LoadBalancerName"), "DNSName": i.attribute("DNSName"), "CanonicalHostedZoneId": opt(i.attribute("CanonicalHostedZoneID")),
			"CreatedTime": i.created, "Scheme": "internet-facing", "State": doc{"Code": "active"}, "Type": "application", "IpAddressType": "ipv4", "SecurityGroups": i.props.texts("SecurityGroups"),
		}
		for _, name := range []string{"Scheme", "Type", "IpAddressType"} {
			if v := i.props.text(name); v != "" {
				d[name] = v
			}
		}
		zones := []doc{}
		for _, id := range i.props.texts("Subnets") {
			if s, ok := c.thing("AWS::EC2::Subnet", id); ok {
				d["VpcId"] = s.props.text("VpcId")
				zones = append(zones, doc{"ZoneName": s.props.text("AvailabilityZone"), "SubnetId": id})
			}
		}
		d["AvailabilityZones"] = zones
		out = append(out, d)
	}
	return doc{"LoadBalancers": out, "NextMarker": next}, err
}

func describeTargetGroups(c *call, in props) (doc, error) {
	all, err := picked(c, in, targetGroupType, "TargetGroupArns", "TargetGroupName", noTargetGroup)
	if err != nil {
		return nil, err
	}
	if lb := in.text("LoadBalancerArn"); lb != "" {
		all = slices.DeleteFunc(all, func(i networkItem) bool { return !slices.Contains(c.balancersOf(i.id), lb) })
	}
	list, next, err := sized(in, all)
	out := []doc{}
	for _, i := range list {
		d := doc{
			"HealthCheckProtocol": "HTTP", "HealthCheckPort": "traffic-port", "HealthCheckEnabled": true, "HealthCheckIntervalSeconds": int32(30), "HealthCheckTimeoutSeconds": int32(5),
			"HealthyThresholdCount": int32(5), "UnhealthyThresholdCount": int32(2), "HealthCheckPath": "/", "TargetType": "instance", "ProtocolVersion": "HTTP1",
			"Matcher": doc{"HttpCode": "200"}, "IpAddressType": "ipv4",
		}
		for k, v := range (shape{
			"Protocol": aText, "Port": aNumber, "VpcId": aText, "HealthCheckProtocol": aText, "HealthCheckPort": aText, "HealthCheckEnabled": aFlag,
			"HealthCheckIntervalSeconds": aNumber, "HealthCheckTimeoutSeconds": aNumber, "HealthyThresholdCount": aNumber, "UnhealthyThresholdCount": aNumber,
			"HealthCheckPath": aText, "TargetType": aText, "ProtocolVersion": aText, "IpAddressType": aText, "Matcher": shape{"HttpCode": aText, "GrpcCode": aText},
		}).of(i.props) {
			d[k] = v
		}
		d["TargetGroupArn"], d["TargetGroupName"], d["LoadBalancerArns"] = i.id, i.attribute("TargetGroupName"), c.balancersOf(i.id)
		out = append(out, d)
	}
	return doc{"TargetGroups": out, "NextMarker": next}, err
}

// forwards are the target groups of a list of actions.
func forwards(actions []props) []string {
	var out []string
	for _, a := range actions {
		if arn := a.text("TargetGroupArn"); arn != "" {
			out = append(out, arn)
		}
		for _, t := range a.sub("ForwardConfig").list("TargetGroups") {
			out = append(out, t.text("TargetGroupArn"))
		}
	}
	return out
}

// balancersOf are the load balancers whose listeners and rules forward to a group.
func (c *call) balancersOf(group string) []string {
	out := []string{}
	of := map[string]string{}
	for _, l := range c.items(listenerType) {
		of[l.id] = l.props.text("LoadBalancerArn")
		if slices.Contains(forwards(l.props.list("DefaultActions")), group) {
			out = append(out, of[l.id])
		}
	}
	for _, r := range c.items(ruleType) {
		if lb := of[r.props.text("ListenerArn")]; lb != "" && slices.Contains(forwards(r.props.list("Actions")), group) {
			out = append(out, lb)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// describeTargetHealth: a running task or an instance in service is healthy.
func describeTargetHealth(c *call, in props) (doc, error) {
	g, ok := c.thing(targetGroupType, in.text("TargetGroupArn"))
	if !ok {
		return nil, noTargetGroup()
	}
	port, _ := g.props.number("Port")
	out := []doc{}
	add := func(id string, port int32) {
		out = append(out, doc{"Target": doc{"Id": id, "Port": port}, "HealthCheckPort": plainText(port), "TargetHealth": doc{"State": "healthy"}})
	}
	for _, s := range c.items("AWS::ECS::Service") {
		for _, lb := range s.props.list("LoadBalancers") {
			service := c.serviceByARN(s.id)
			if lb.text("TargetGroupArn") != g.id || service == nil {
				continue
			}
			p, _ := lb.number("ContainerPort")
			for k := range aws32(service.out(c).RunningCount) {
				add(taskAddress(s.id, k), p)
			}
		}
	}
	for _, name := range sortedKeys(c.region.Groups) {
		group := c.region.Groups[name]
		if !slices.Contains(group.TargetGroups, g.id) {
			continue
		}
		for _, i := range group.out(c).Instances {
			if i.LifecycleState == "InService" && i.InstanceId != nil {
				add(*i.InstanceId, port)
			}
		}
	}
	return doc{"TargetHealthDescriptions": out}, nil
}

func aws32(n int32) int { return int(max(0, n)) }

func (c *call) serviceByARN(arn string) *ecsService {
	parts := strings.Split(arn, "/")
	if len(parts) < 3 {
		return nil
	}
	return c.ecsService(parts[len(parts)-2], parts[len(parts)-1])
}

// taskAddress is the private address of the n-th task of a service.
func taskAddress(service string, n int) string {
	h := hexOf("task address", service, plainText(n))
	return "10.0." + plainText(int(h[0])%4) + "." + plainText(10+int(h[1]+h[2]+h[3])%200)
}

func describeListeners(c *call, in props) (doc, error) {
	all, err := picked(c, in, listenerType, "ListenerArns", "", func() *Fail { return fail("ListenerNotFound", "One or more listeners not found") })
	if err != nil {
		return nil, err
	}
	if lb := in.text("LoadBalancerArn"); lb != "" {
		if _, ok := c.thing(balancerType, lb); !ok {
			return nil, noBalancer()
		}
		all = slices.DeleteFunc(all, func(i networkItem) bool { return i.props.text("LoadBalancerArn") != lb })
	}
	list, next, err := sized(in, all)
	out := []doc{}
	for _, i := range list {
		d := shape{"LoadBalancerArn": aText, "Port": aNumber, "Protocol": aText, "SslPolicy": aText, "AlpnPolicy": aList, "Certificates": []shape{{"CertificateArn": aText}}, "DefaultActions": actionShape()}.of(i.props)
		d["ListenerArn"] = i.id
		out = append(out, d)
	}
	return doc{"Listeners": out, "NextMarker": next}, err
}

func actionShape() []shape {
	return []shape{{
		"Type": aText, "TargetGroupArn": aText, "Order": aNumber,
		"RedirectConfig":      shape{"Protocol": aText, "Port": aText, "Host": aText, "Path": aText, "Query": aText, "StatusCode": aText},
		"FixedResponseConfig": shape{"MessageBody": aText, "StatusCode": aText, "ContentType": aText},
		"ForwardConfig":       shape{"TargetGroups": []shape{{"TargetGroupArn": aText, "Weight": aNumber}}},
	}}
}

// describeListenerRules shows the rules of a listener, the default one last.
func describeListenerRules(c *call, in props) (doc, error) {
	all, err := picked(c, in, ruleType, "RuleArns", "", func() *Fail { return fail("RuleNotFound", "One or more rules not found") })
	if err != nil {
		return nil, err
	}
	listener := in.text("ListenerArn")
	l, ok := c.thing(listenerType, listener)
	if listener != "" && !ok {
		return nil, fail("ListenerNotFound", "One or more listeners not found")
	}
	if listener != "" {
		all = slices.DeleteFunc(all, func(i networkItem) bool { return i.props.text("ListenerArn") != listener })
	}
	out := []doc{}
	for _, i := range all {
		d := shape{"Priority": aText, "Actions": actionShape(), "Conditions": []shape{{
			"Field": aText, "Values": aList, "PathPatternConfig": shape{"Values": aList}, "HostHeaderConfig": shape{"Values": aList},
			"HttpHeaderConfig": shape{"HttpHeaderName": aText, "Values": aList}, "SourceIpConfig": shape{"Values": aList},
		}}}.of(i.props)
		d["RuleArn"], d["IsDefault"] = i.id, false
		out = append(out, d)
	}
	if listener != "" && len(in.texts("RuleArns")) == 0 {
		d := doc{"RuleArn": strings.Replace(l.id, ":listener/", ":listener-rule/", 1) + "/" + hexOf("default rule", l.id)[:16], "Priority": "default", "IsDefault": true, "Conditions": []doc{}}
		d["Actions"] = shape{"DefaultActions": actionShape()}.of(l.props)["DefaultActions"]
		out = append(out, d)
	}
	return doc{"Rules": out}, nil
}

func describeBalancerTags(c *call, in props) (doc, error) {
	out := []doc{}
	for _, arn := range in.texts("ResourceArns") {
		found := false
		for _, typeName := range []string{balancerType, targetGroupType, listenerType, ruleType} {
			if i, ok := c.thing(typeName, arn); ok {
				found = true
				out = append(out, doc{"ResourceArn": arn, "Tags": tagDocs(i.tags())})
			}
		}
		if !found {
			return nil, noBalancer()
		}
	}
	return doc{"TagDescriptions": out}, nil
}

// attributesOf shows the attributes that a template sets; the defaults of the
// others are not known here.
func attributesOf(typeName, parameter, member string, missing func() *Fail) func(*call, props) (doc, error) {
	return func(c *call, in props) (doc, error) {
		i, ok := c.thing(typeName, in.text(parameter))
		if !ok {
			return nil, missing()
		}
		return doc{"Attributes": shape{member: []shape{{"Key": aText, "Value": aText}}}.of(i.props)[member]}, nil
	}
}
