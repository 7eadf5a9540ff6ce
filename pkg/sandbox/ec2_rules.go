package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// Rules of security groups: those of the group itself, those that stacks made
// beside it, and those that somebody authorized by a call.

const (
	groupType2  = "AWS::EC2::SecurityGroup"
	ingressType = "AWS::EC2::SecurityGroupIngress"
	egressType  = "AWS::EC2::SecurityGroupEgress"
)

// groupRules are a group's rules in CloudFormation's names.
func (c *call) groupRules(g networkItem, ingress bool) []props {
	property, typeName := "SecurityGroupEgress", egressType
	if ingress {
		property, typeName = "SecurityGroupIngress", ingressType
	}
	rules := g.props.list(property)
	if one := g.props.sub(property); one != nil {
		rules = append(rules, one)
	}
	for _, i := range c.items(typeName) {
		if i.props.text("GroupId") == g.id {
			rules = append(rules, i.props)
		}
	}
	if _, declared := g.props[property]; !ingress && !declared && len(rules) == 0 {
		rules = append(rules, props{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}) // what a group is born with
	}
	return rules
}

// peer is whom a rule lets through.
func peer(r props) string {
	for _, name := range []string{"CidrIp", "CidrIpv6", "SourceSecurityGroupId", "DestinationSecurityGroupId", "SourcePrefixListId", "DestinationPrefixListId"} {
		if v := r.text(name); v != "" {
			return v
		}
	}
	return ""
}

// protocolOf writes protocols as EC2 does: names where there are names.
func protocolOf(r props) string {
	s := strings.ToLower(r.text("IpProtocol"))
	if name, ok := map[string]string{"6": "tcp", "17": "udp", "1": "icmp", "all": "-1", "58": "icmpv6"}[s]; ok {
		return name
	}
	return s
}

func ruleKey(r props) string {
	from, to := r.text("FromPort"), r.text("ToPort")
	if protocolOf(r) == "-1" {
		from, to = "", ""
	}
	return strings.Join([]string{protocolOf(r), from, to}, "|")
}

// permissions groups rules by protocol and ports, as EC2 shows them.
func (c *call) permissions(rules []props) []doc {
	byKey := map[string]doc{}
	out := []doc{}
	for _, r := range rules {
		key := ruleKey(r)
		d, ok := byKey[key]
		if !ok {
			d = doc{"ipProtocol": protocolOf(r), "groups": []doc{}, "ipRanges": []doc{}, "ipv6Ranges": []doc{}, "prefixListIds": []doc{}}
			if from, ok := r.number("FromPort"); ok && protocolOf(r) != "-1" {
				to, _ := r.number("ToPort")
				d["fromPort"], d["toPort"] = from, to
			}
			byKey[key] = d
			out = append(out, d)
		}
		member, name := "groups", "groupId"
		switch p := peer(r); {
		case r.text("CidrIp") != "":
			member, name = "ipRanges", "cidrIp"
		case r.text("CidrIpv6") != "":
			member, name = "ipv6Ranges", "cidrIpv6"
		case strings.HasPrefix(p, "pl-"):
			member, name = "prefixListIds", "prefixListId"
		}
		entry := doc{name: peer(r), "description": opt(r.text("Description"))}
		if member == "groups" {
			entry["userId"] = c.account.ID
		}
		d[member] = append(d[member].([]doc), entry)
	}
	return out
}

func describeSecurityGroups(c *call, in props) (doc, error) {
	ids, names := in.texts("GroupId"), in.texts("GroupName")
	all := c.items(groupType2)
	for _, id := range ids {
		if !strings.HasPrefix(id, "sg-") {
			return nil, fail("InvalidGroupId.Malformed", "Invalid id: \"%.80s\" (expecting \"sg-...\")", id)
		}
		if _, ok := c.securityGroup(id); !ok {
			return nil, fail("InvalidGroup.NotFound", "The security group '%.80s' does not exist", id)
		}
	}
	all = slices.DeleteFunc(all, func(i networkItem) bool {
		return len(ids) > 0 && !slices.Contains(ids, i.id) || len(names) > 0 && !slices.Contains(names, c.groupName(i))
	})
	out := []doc{}
	list, next, err := filtered(in, all, func(i networkItem, name string) ([]string, bool) {
		return lookup(map[string]string{"group-id": i.id, "vpc-id": i.props.text("VpcId"), "group-name": c.groupName(i), "description": i.props.text("GroupDescription"), "owner-id": c.account.ID}, name)
	})
	for _, i := range list {
		out = append(out, c.groupDoc(i))
	}
	return doc{"securityGroupInfo": out, "nextToken": next}, err
}

func (c *call) groupDoc(i networkItem) doc {
	return doc{
		"groupId": i.id, "groupName": c.groupName(i), "groupDescription": i.props.text("GroupDescription"), "vpcId": i.props.text("VpcId"), "ownerId": c.account.ID,
		"securityGroupArn": c.arn("ec2", "security-group/"+i.id), "tagSet": ec2TagDocs(i.tags()),
		"ipPermissions": c.permissions(c.groupRules(i, true)), "ipPermissionsEgress": c.permissions(c.groupRules(i, false)),
	}
}

func (c *call) groupName(i networkItem) string {
	if s := i.props.text("GroupName"); s != "" {
		return s
	}
	if i.item != nil && i.item.Name != "" {
		return i.item.Name
	}
	return i.id
}

func ec2TagDocs(tags map[string]string) []doc {
	out := []doc{}
	for _, k := range sortedKeys(tags) {
		out = append(out, doc{"key": k, "value": tags[k]})
	}
	return out
}

// filtered applies Filter and cuts a page.
func filtered(in props, all []networkItem, values func(networkItem, string) ([]string, bool)) ([]networkItem, any, error) {
	filters := map[string][]string{}
	for _, f := range in.list("Filter") {
		filters[f.text("Name")] = f.texts("Value")
	}
	var out []networkItem
	for _, i := range all {
		tags := i.tags()
		ok, err := matchFilters(filters, func(name string) ([]string, bool) {
			if have, ok := tagFilter(tags, name); ok {
				return have, true
			}
			return values(i, name)
		})
		if err != nil {
			return nil, nil, err
		}
		if ok {
			out = append(out, i)
		}
	}
	if err := knownFilters(filters, func(name string) ([]string, bool) { return values(networkItem{props: props{}}, name) }); err != nil {
		return nil, nil, err
	}
	return pageOf(in, "NextToken", "MaxResults", 1000, 1000, out, func(i networkItem) string { return i.id })
}

func (c *call) securityGroup(id string) (networkItem, bool) {
	for _, i := range c.items(groupType2) {
		if i.id == id {
			return i, true
		}
	}
	return networkItem{}, false
}

// taggedAs reads TagSpecification for a kind of resource.
func taggedAs(in props, kind string) []any {
	var out []any
	for _, s := range in.list("TagSpecification") {
		if s.text("ResourceType") == kind {
			for _, t := range s.list("Tag") {
				out = append(out, map[string]any{"Key": t.text("Key"), "Value": t.text("Value")})
			}
		}
	}
	return out
}

func createSecurityGroup(c *call, in props) (doc, error) {
	name, vpc := in.text("GroupName"), in.text("VpcId")
	if vpc == "" {
		n := c.defaultNetwork()
		if n == nil {
			return nil, fail("VPCIdNotSpecified", "No default VPC for this user")
		}
		vpc = n.vpc
	}
	if _, ok := c.vpc(vpc); !ok {
		return nil, fail("InvalidVpcID.NotFound", "The vpc ID '%.80s' does not exist", vpc)
	}
	switch {
	case name == "" || in.text("GroupDescription") == "":
		return nil, fail("MissingParameter", "The request must contain the parameter GroupName and GroupDescription")
	case strings.HasPrefix(strings.ToLower(name), "sg-"):
		return nil, fail("InvalidParameterValue", "Group names may not be in the format sg-*.")
	}
	for _, i := range c.items(groupType2) {
		if c.groupName(i) == name && i.props.text("VpcId") == vpc {
			return nil, fail("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", name, vpc)
		}
	}
	id := "sg-" + c.account.draw("security group")[:17]
	p := props{"GroupName": name, "GroupDescription": in.text("GroupDescription"), "VpcId": vpc, "Tags": taggedAs(in, "security-group")}
	c.put(groupType2, id, p, nil)
	return doc{"groupId": id, "return": true, "tagSet": ec2TagDocs(p.tags("Tags")), "securityGroupArn": c.arn("ec2", "security-group/"+id)}, nil
}

func deleteSecurityGroup(c *call, in props) (doc, error) {
	id := in.text("GroupId")
	if _, ok := c.securityGroup(id); !ok {
		return nil, fail("InvalidGroup.NotFound", "The security group '%.80s' does not exist", id)
	}
	for _, key := range sortedKeys(c.region.Instances) {
		if i := c.region.Instances[key]; slices.Contains(i.Groups, id) && i.state(c.now).code != terminatedCode {
			return nil, fail("DependencyViolation", "resource %s has a dependent object", id)
		}
	}
	if n := c.defaultNetwork(); n != nil && n.group == id {
		return nil, fail("CannotDelete", "the specified group: \"%s\" name: \"default\" cannot be deleted by a user", id)
	}
	c.drop(groupType2, id)
	return doc{"return": true, "groupId": id}, nil
}

// asked rules of Authorize and Revoke, in CloudFormation's names.
func rulesAsked(in props) []props {
	permissions := in.list("IpPermissions")
	if in.text("IpProtocol") != "" { // the short form
		permissions = append(permissions, props{"IpProtocol": in.text("IpProtocol"), "FromPort": in.text("FromPort"), "ToPort": in.text("ToPort"), "IpRanges": []any{map[string]any{"CidrIp": in.text("CidrIp")}}})
	}
	var out []props
	for _, p := range permissions {
		base := props{"IpProtocol": p.text("IpProtocol")}
		for _, name := range []string{"FromPort", "ToPort"} {
			if v := p.text(name); v != "" {
				base[name] = v
			}
		}
		add := func(name, value, description string) {
			r := maps.Clone(base)
			r[name] = value
			if description != "" {
				r["Description"] = description
			}
			out = append(out, r)
		}
		for _, r := range p.list("IpRanges") {
			add("CidrIp", r.text("CidrIp"), r.text("Description"))
		}
		for _, r := range p.list("Ipv6Ranges") {
			add("CidrIpv6", r.text("CidrIpv6"), r.text("Description"))
		}
		for _, r := range p.list("PrefixListIds") {
			add("SourcePrefixListId", r.text("PrefixListId"), r.text("Description"))
		}
		for _, r := range slices.Concat(p.list("Groups"), p.list("UserIdGroupPairs")) {
			add("SourceSecurityGroupId", r.text("GroupId"), r.text("Description"))
		}
	}
	return out
}

func sameRule(a, b props) bool { return ruleKey(a) == ruleKey(b) && peer(a) == peer(b) }

func authorizeIngress(c *call, in props) (doc, error) {
	g, asked, err := c.rulesOf(in)
	if err != nil {
		return nil, err
	}
	have := c.groupRules(g, true)
	own := append([]props{}, g.props.list("SecurityGroupIngress")...)
	out := []doc{}
	for _, r := range asked {
		if slices.ContainsFunc(have, func(h props) bool { return sameRule(h, r) }) {
			return nil, fail("InvalidPermission.Duplicate", "the specified rule \"peer: %s, %s, from port: %s, to port: %s, ALLOW\" already exists", peer(r), strings.ToUpper(protocolOf(r)), r.text("FromPort"), r.text("ToPort"))
		}
		own, have = append(own, r), append(have, r)
		d := doc{"securityGroupRuleId": "sgr-" + hexOf("rule", g.id, ruleKey(r), peer(r))[:17], "groupId": g.id, "groupOwnerId": c.account.ID, "isEgress": false, "ipProtocol": protocolOf(r), "description": opt(r.text("Description")), "cidrIpv4": opt(r.text("CidrIp"))}
		if from, ok := r.number("FromPort"); ok {
			to, _ := r.number("ToPort")
			d["fromPort"], d["toPort"] = from, to
		}
		out = append(out, d)
	}
	c.rewriteRules(g, own)
	return doc{"return": true, "securityGroupRuleSet": out}, nil
}

func (c *call) rulesOf(in props) (networkItem, []props, error) {
	g, ok := c.securityGroup(in.text("GroupId"))
	if !ok {
		return g, nil, fail("InvalidGroup.NotFound", "The security group '%.80s' does not exist", in.text("GroupId"))
	}
	asked := rulesAsked(in)
	for _, r := range asked {
		if cidr := r.text("CidrIp"); cidr != "" && !validCIDR(cidr) {
			return g, nil, fail("InvalidParameterValue", "CIDR block %.80s is malformed", cidr)
		}
	}
	if len(asked) == 0 {
		return g, nil, fail("MissingParameter", "The request must contain the parameter ipPermissions")
	}
	return g, asked, nil
}

func (c *call) rewriteRules(g networkItem, rules []props) {
	p := maps.Clone(g.props)
	list := make([]any, len(rules))
	for i, r := range rules {
		list[i] = map[string]any(r)
	}
	p["SecurityGroupIngress"] = list
	c.put(groupType2, g.id, p, nil)
}

func revokeIngress(c *call, in props) (doc, error) {
	g, asked, err := c.rulesOf(in)
	if err != nil {
		return nil, err
	}
	own := append([]props{}, g.props.list("SecurityGroupIngress")...)
	for _, r := range asked {
		if i := slices.IndexFunc(own, func(h props) bool { return sameRule(h, r) }); i >= 0 {
			own = slices.Delete(own, i, i+1)
			continue
		}
		beside := slices.IndexFunc(c.items(ingressType), func(i networkItem) bool { return i.props.text("GroupId") == g.id && sameRule(i.props, r) })
		if beside < 0 {
			return nil, fail("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
		}
		c.drop(ingressType, c.items(ingressType)[beside].id)
	}
	c.rewriteRules(g, own)
	return doc{"return": true}, nil
}
