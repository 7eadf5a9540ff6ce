package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// withTemplate lays a request of RunInstances over the version of a launch
// template that it names: what the request gives, wins; lists are taken whole,
// metadata options, block devices and tags one by one (API reference of
// RunInstances, LaunchTemplate).
func (c *call) withTemplate(in props) (props, error) {
	ref := in.sub("LaunchTemplate")
	if ref == nil {
		return in, nil
	}
	id, name, version := ref.text("LaunchTemplateId"), ref.text("LaunchTemplateName"), ref.text("Version")
	if id != "" && name != "" {
		return nil, fail("InvalidParameterCombination", "The parameters launchTemplateId and launchTemplateName cannot be used together")
	}
	t, err := c.mustTemplate(id, name)
	if err != nil {
		return nil, err
	}
	v := t.version(version)
	if v == nil {
		return nil, fail("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %.20s for the launch template with ID %s.", version, t.ID)
	}
	out := requestOf(v.properties())
	for k, value := range in {
		switch k {
		case "MetadataOptions":
			merged := maps.Clone(map[string]any(out.sub(k)))
			if merged == nil {
				merged = map[string]any{}
			}
			maps.Copy(merged, in.sub(k))
			out[k] = merged
		case "BlockDeviceMapping":
			out[k] = laidOver(out.list(k), in.list(k), "DeviceName")
		case "TagSpecification":
			both, _ := out[k].([]any)
			own, _ := value.([]any)
			out[k] = slices.Concat(both, own) // later tags win
		default:
			out[k] = value
		}
	}
	if image, ok := strings.CutPrefix(out.text("ImageId"), "resolve:ssm:"); ok {
		parameter, at, _ := strings.Cut(image, ":")
		resolved, known := c.sandbox.parameterValue(c.region, parameter, at)
		if !known {
			return nil, fail("InvalidParameterValue", "Unable to resolve the SSM parameter %.200s of the launch template.", parameter)
		}
		out["ImageId"] = resolved
	}
	mine := []any{
		map[string]any{"Key": "aws:ec2launchtemplate:id", "Value": t.ID},
		map[string]any{"Key": "aws:ec2launchtemplate:version", "Value": plainText(v.Number)},
	}
	specs, _ := out["TagSpecification"].([]any)
	out["TagSpecification"] = append(slices.Clone(specs), map[string]any{"ResourceType": "instance", "Tag": mine})
	return out, nil
}

// requestOf gives launch template data the names of a RunInstances request.
func requestOf(data props) props {
	names := map[string]string{
		"SecurityGroupIds": "SecurityGroupId", "SecurityGroups": "SecurityGroup", "BlockDeviceMappings": "BlockDeviceMapping",
		"NetworkInterfaces": "NetworkInterface", "TagSpecifications": "TagSpecification",
	}
	out := props{}
	for k, v := range data {
		if other, ok := names[k]; ok {
			k = other
		}
		out[k] = v
	}
	var interfaces, specs []any
	for _, n := range data.list("NetworkInterfaces") {
		n = maps.Clone(n)
		if groups, ok := n["Groups"]; ok {
			n["SecurityGroupId"] = groups
			delete(n, "Groups")
		}
		interfaces = append(interfaces, map[string]any(n))
	}
	for _, s := range data.list("TagSpecifications") {
		specs = append(specs, map[string]any{"ResourceType": s.text("ResourceType"), "Tag": s["Tags"]})
	}
	if interfaces != nil {
		out["NetworkInterface"] = interfaces
	}
	if specs != nil {
		out["TagSpecification"] = specs
	}
	return out
}

// laidOver replaces the entries of a list that another one has, by key, and
// adds the rest.
func laidOver(under, over []props, key string) []any {
	var out []any
	for _, u := range under {
		if !slices.ContainsFunc(over, func(o props) bool { return o.text(key) == u.text(key) }) {
			out = append(out, map[string]any(u))
		}
	}
	for _, o := range over {
		out = append(out, map[string]any(o))
	}
	return out
}
