package sandbox

import (
	"encoding/json"
	"maps"
	"strconv"
)

type newVersionOut struct {
	Version versionOut `xml:"launchTemplateVersion"`
}

// createLaunchTemplateVersion is what a person who changes a template by hand
// calls: a new version from an old one and what is given.
func createLaunchTemplateVersion(c *call, in *ec2Request) (*newVersionOut, error) {
	t, err := c.mustTemplate(in.text("LaunchTemplateId"), in.text("LaunchTemplateName"))
	if err != nil {
		return nil, err
	}
	data := props{}
	if from := in.text("SourceVersion"); from != "" {
		v := t.version(from)
		if v == nil {
			return nil, fail("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %.20s for the launch template with ID %s.", from, t.ID)
		}
		data = v.properties()
	}
	if given := in.form.kids["LaunchTemplateData"]; given != nil {
		tree, err := given.tree()
		if err != nil {
			return nil, err
		}
		if m, ok := tree.(map[string]any); ok {
			maps.Copy(data, m)
		}
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	v := t.add(c, b, in.text("VersionDescription"))
	return &newVersionOut{t.versionOut(c, v)}, nil
}

// tree reads an EC2 form in CloudFormation's names: numbered children are a
// list, and lists have a plural name.
func (n *formNode) tree() (any, error) {
	if len(n.kids) == 0 {
		return n.value, nil
	}
	if n.kids["1"] != nil {
		items, err := n.items()
		if err != nil {
			return nil, err
		}
		list := make([]any, len(items))
		for i, item := range items {
			if list[i], err = item.tree(); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	out := map[string]any{}
	for _, name := range sortedKeys(n.kids) {
		v, err := n.kids[name].tree()
		if err != nil {
			return nil, err
		}
		if _, isList := v.([]any); isList {
			name += "s"
		}
		out[name] = v
	}
	return out, nil
}

type modifyTemplateOut struct {
	Template templateOut `xml:"launchTemplate"`
}

// modifyLaunchTemplate moves the default version.
func modifyLaunchTemplate(c *call, in *ec2Request) (*modifyTemplateOut, error) {
	t, err := c.mustTemplate(in.text("LaunchTemplateId"), in.text("LaunchTemplateName"))
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(in.text("SetDefaultVersion"), 10, 64)
	if err != nil || t.version(strconv.FormatInt(n, 10)) == nil {
		return nil, fail("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %.20s for the launch template with ID %s.", in.text("SetDefaultVersion"), t.ID)
	}
	t.Default = n
	return &modifyTemplateOut{t.out(c)}, nil
}
