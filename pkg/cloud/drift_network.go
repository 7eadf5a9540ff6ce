package cloud

import (
	"context"
	"net/url"
	"strings"

	"reconcile/pkg/drift"
)

// driftTemplates reads the newest version of launch templates: few by name,
// many by the page of the whole account.
func (r *driftReader) driftTemplates(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	read := func(form url.Values) error {
		form.Set("LaunchTemplateVersion.1", "$Latest")
		return r.askPages(ctx, ec2Endpoint(), "DescribeLaunchTemplateVersions", "NextToken", "nextToken", form, func(answer map[string]any) {
			for _, e := range list(answer, "launchTemplateVersionSet") {
				v := object(e)
				f := drift.Found{Exists: true, Properties: map[string]any{
					"LaunchTemplateName": v["launchTemplateName"], "LaunchTemplateData": launchData(object(v["launchTemplateData"]))}}
				found[text(v, "launchTemplateName")], found[text(v, "launchTemplateId")] = f, f
			}
		})
	}
	all := ids(subjects)
	if len(all) > fewLaunchTemplates {
		if err := read(url.Values{"MaxResults": {launchTemplatesPerPage}}); err != nil {
			return nil, err
		}
		return every(subjects, found), nil
	}
	for _, id := range all {
		form := url.Values{"LaunchTemplateName": {id}}
		if strings.HasPrefix(id, "lt-") && !named(subjects, id) {
			form = url.Values{"LaunchTemplateId": {id}}
		}
		err := read(form)
		if code := errorCode(err); code == "InvalidLaunchTemplateName.NotFoundException" || code == "InvalidLaunchTemplateId.NotFound" {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

func named(subjects []drift.Subject, id string) bool {
	for _, s := range subjects {
		if s.Properties["LaunchTemplateName"] == id {
			return true
		}
	}
	return false
}

// launchData is EC2's form of a launch template's data in the template's: keys
// with a capital, sets by their plural.
func launchData(data map[string]any) map[string]any {
	plural := map[string]string{
		"blockDeviceMappingSet": "BlockDeviceMappings", "securityGroupIdSet": "SecurityGroupIds", "securityGroupSet": "SecurityGroups",
		"tagSpecificationSet": "TagSpecifications", "tagSet": "Tags", "networkInterfaceSet": "NetworkInterfaces", "licenseSet": "LicenseSpecifications",
		"groupSet": "Groups", "elasticGpuSpecificationSet": "ElasticGpuSpecifications",
	}
	var shape func(any) any
	shape = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			out := map[string]any{}
			for k, e := range v {
				name := plural[k]
				if name == "" {
					name = strings.ToUpper(k[:1]) + k[1:]
				}
				out[name] = shape(e)
			}
			return out
		case []any:
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = shape(e)
			}
			return out
		}
		return v
	}
	return object(shape(data))
}

// groupsAtOnce is how many security groups one call names.
const securityGroupsPerCall = 200

// driftRules reads security groups. A rule that a resource of its own declares
// is found in its group, and is no rule of the group's own.
func (r *driftReader) driftRules(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	groups, rules := map[string]bool{}, []drift.Subject{}
	for _, s := range subjects {
		if s.Type == "AWS::EC2::SecurityGroup" {
			groups[s.ID] = true
			continue
		}
		if id, _ := s.Properties["GroupId"].(string); id != "" {
			groups[id] = true
			rules = append(rules, s)
		}
	}
	live, err := r.securityGroups(ctx, sortedKeys(groups))
	if err != nil {
		return nil, err
	}
	out := map[drift.Key]drift.Found{}
	for _, s := range rules {
		out[s.Key] = takeRule(live, s)
	}
	for _, s := range subjects {
		if s.Type == "AWS::EC2::SecurityGroup" {
			p, exists := live[s.ID]
			out[s.Key] = drift.Found{Exists: exists, Properties: p}
		}
	}
	return out, nil
}

// takeRule takes the rule that a resource declares out of its group's.
func takeRule(live map[string]map[string]any, s drift.Subject) drift.Found {
	group := s.Properties["GroupId"].(string)
	side := "SecurityGroupIngress"
	if s.Type == "AWS::EC2::SecurityGroupEgress" {
		side = "SecurityGroupEgress"
	}
	key := drift.RuleKey(s.Properties)
	all := list(live[group], side)
	for i, e := range all {
		if rule := object(e); drift.RuleKey(rule) == key {
			live[group][side] = append(append([]any{}, all[:i]...), all[i+1:]...)
			properties := map[string]any{"GroupId": group}
			for k, v := range rule {
				properties[k] = v
			}
			return drift.Found{Exists: true, Properties: properties}
		}
	}
	return drift.Found{}
}

func (r *driftReader) securityGroups(ctx context.Context, wanted []string) (map[string]map[string]any, error) {
	out := map[string]map[string]any{}
	for _, part := range chunks(wanted, securityGroupsPerCall) {
		// A filter, because a list of ids fails as a whole when one is gone.
		form := members(url.Values{"Filter.1.Name": {"group-id"}, "MaxResults": {"1000"}}, "Filter.1.Value", part)
		err := r.askPages(ctx, ec2Endpoint(), "DescribeSecurityGroups", "NextToken", "nextToken", form, func(answer map[string]any) {
			for _, e := range list(answer, "securityGroupInfo") {
				g := object(e)
				p := pick(g, "GroupDescription=groupDescription", "GroupName=groupName", "VpcId=vpcId")
				p["SecurityGroupIngress"] = rulesOf(list(g, "ipPermissions"), "Source")
				p["SecurityGroupEgress"] = rulesOf(list(g, "ipPermissionsEgress"), "Destination")
				out[text(g, "groupId")] = p
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rulesOf are EC2's permissions as a template's rules: one per peer.
func rulesOf(permissions []any, side string) []any {
	out := []any{}
	for _, e := range permissions {
		p := object(e)
		for _, kind := range []struct{ set, from, to string }{
			{"ipRanges", "cidrIp", "CidrIp"}, {"ipv6Ranges", "cidrIpv6", "CidrIpv6"},
			{"groups", "groupId", side + "SecurityGroupId"}, {"prefixListIds", "prefixListId", side + "PrefixListId"},
		} {
			for _, peer := range list(p, kind.set) {
				rule := pick(p, "IpProtocol=ipProtocol", "FromPort=fromPort", "ToPort=toPort")
				rule[kind.to] = text(object(peer), kind.from)
				if describe := text(object(peer), "description"); describe != "" {
					rule["Description"] = describe
				}
				out = append(out, rule)
			}
		}
	}
	return out
}
