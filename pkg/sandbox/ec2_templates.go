package sandbox

import (
	"encoding/json"
	"sort"
	"strconv"
	"time"
)

// launchTemplate is an EC2 launch template with its versions, the oldest first.
type launchTemplate struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Created  time.Time         `json:"created"`
	Default  int64             `json:"default"`
	Versions []templateVersion `json:"versions"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// templateVersion is one version. Data is in CloudFormation's property names.
type templateVersion struct {
	Number   int64           `json:"n"`
	Describe string          `json:"description,omitempty"`
	Created  time.Time       `json:"created"`
	Data     json.RawMessage `json:"data"`
}

func (t *launchTemplate) latest() *templateVersion { return &t.Versions[len(t.Versions)-1] }

// version resolves a number, $Latest or $Default; "" is the default.
func (t *launchTemplate) version(name string) *templateVersion {
	n := t.Default
	switch name {
	case "", "$Default":
	case "$Latest":
		return t.latest()
	default:
		parsed, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return nil
		}
		n = parsed
	}
	for i := range t.Versions {
		if t.Versions[i].Number == n {
			return &t.Versions[i]
		}
	}
	return nil
}

// add makes a new version.
func (t *launchTemplate) add(c *call, data json.RawMessage, describe string) *templateVersion {
	n := int64(1)
	if len(t.Versions) > 0 {
		n = t.latest().Number + 1
	}
	t.Versions = append(t.Versions, templateVersion{Number: n, Describe: describe, Created: c.now, Data: data})
	return t.latest()
}

// properties are the version's data as properties.
func (v *templateVersion) properties() props {
	return decodeProps(v.Data)
}

// template finds a launch template by id or by name; nil when there is none.
func (c *call) template(id, name string) *launchTemplate {
	if id != "" {
		return c.region.LaunchTemplates[id]
	}
	for _, t := range c.region.LaunchTemplates {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// mustTemplate finds the one launch template that a request names.
func (c *call) mustTemplate(id, name string) (*launchTemplate, error) {
	t := c.template(id, name)
	switch {
	case t != nil:
		return t, nil
	case id != "":
		return nil, fail("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %.80s, does not exist.", id)
	case name != "":
		return nil, fail("InvalidLaunchTemplateName.NotFoundException", "The specified launch template, with template name %.128s, does not exist.", name)
	}
	return nil, fail("MissingParameter", "The request must contain the parameter LaunchTemplateId or LaunchTemplateName")
}

// templatesByID lists all launch templates.
func (c *call) templatesByID() []*launchTemplate {
	out := make([]*launchTemplate, 0, len(c.region.LaunchTemplates))
	for _, id := range sortedKeys(c.region.LaunchTemplates) {
		out = append(out, c.region.LaunchTemplates[id])
	}
	return out
}

type templatesOut struct {
	Templates []templateOut `xml:"launchTemplates>item"`
	Next      string        `xml:"nextToken,omitempty"`
}

type templateOut struct {
	ID      string   `xml:"launchTemplateId"`
	Name    string   `xml:"launchTemplateName"`
	Created string   `xml:"createTime"`
	By      string   `xml:"createdBy"`
	Default int64    `xml:"defaultVersionNumber"`
	Latest  int64    `xml:"latestVersionNumber"`
	Tags    []ec2Tag `xml:"tagSet>item"`
}

func describeLaunchTemplates(c *call, in *ec2Request) (*templatesOut, error) {
	list, err := c.templatesAsked(in)
	if err != nil {
		return nil, err
	}
	list, next, err := ec2Page(in, list, func(t *launchTemplate) string { return t.ID }, 1, 200)
	if err != nil {
		return nil, err
	}
	out := &templatesOut{Next: next}
	for _, t := range list {
		out.Templates = append(out.Templates, t.out(c))
	}
	return out, nil
}

func (t *launchTemplate) out(c *call) templateOut {
	return templateOut{
		ID: t.ID, Name: t.Name, Created: ec2Time(t.Created), By: c.user(), Default: t.Default, Latest: t.latest().Number, Tags: ec2Tags(t.Tags),
	}
}

// filterValues are what a filter of DescribeLaunchTemplates tests.
func (t *launchTemplate) filterValues(name string) ([]string, bool) {
	if have, ok := tagFilter(t.Tags, name); ok {
		return have, true
	}
	return lookup(map[string]string{"launch-template-name": t.Name, "create-time": ec2Time(t.Created)}, name)
}

// templatesAsked applies ids, names and filters, and sorts by id.
func (c *call) templatesAsked(in *ec2Request) ([]*launchTemplate, error) {
	ids, err := in.list("LaunchTemplateId")
	if err != nil {
		return nil, err
	}
	names, err := in.list("LaunchTemplateName")
	if err != nil {
		return nil, err
	}
	filters, err := in.filters()
	if err != nil {
		return nil, err
	}
	if err := knownFilters(filters, (&launchTemplate{}).filterValues); err != nil {
		return nil, err
	}
	all := c.templatesByID()
	if len(ids)+len(names) > 0 {
		all = nil
	}
	for _, id := range ids {
		t, err := c.mustTemplate(id, "")
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	for _, name := range names {
		t, err := c.mustTemplate("", name)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	var out []*launchTemplate
	for _, t := range all {
		ok, err := matchFilters(filters, t.filterValues)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, t)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

type versionsOut struct {
	Versions []versionOut `xml:"launchTemplateVersionSet>item"`
	Next     string       `xml:"nextToken,omitempty"`
}

type versionOut struct {
	ID       string  `xml:"launchTemplateId"`
	Name     string  `xml:"launchTemplateName"`
	Number   int64   `xml:"versionNumber"`
	Describe string  `xml:"versionDescription,omitempty"`
	Created  string  `xml:"createTime"`
	By       string  `xml:"createdBy"`
	Default  bool    `xml:"defaultVersion"`
	Data     ec2Data `xml:"launchTemplateData"`

	key string
}

func (t *launchTemplate) versionOut(c *call, v *templateVersion) versionOut {
	return versionOut{
		ID: t.ID, Name: t.Name, Number: v.Number, Describe: v.Describe, Created: ec2Time(v.Created), By: c.user(),
		Default: v.Number == t.Default, Data: ec2Data(v.properties()),
		key: t.ID + versionKey(1_000_000_000-v.Number), // the newest first
	}
}

// describeLaunchTemplateVersions answers versions of one template, or $Latest
// and $Default of all.
func describeLaunchTemplateVersions(c *call, in *ec2Request) (*versionsOut, error) {
	wanted, err := in.list("LaunchTemplateVersion")
	if err != nil {
		return nil, err
	}
	id, name := in.text("LaunchTemplateId"), in.text("LaunchTemplateName")
	var all []versionOut
	if id == "" && name == "" {
		if all, err = c.everyTemplate(wanted); err != nil {
			return nil, err
		}
	} else {
		t, err := c.mustTemplate(id, name)
		if err != nil {
			return nil, err
		}
		if all, err = t.versionsAsked(c, in, wanted); err != nil {
			return nil, err
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].key < all[j].key })
	list, next, err := ec2Page(in, all, func(v versionOut) string { return v.key }, 1, 200)
	return &versionsOut{Versions: list, Next: next}, err
}

func (c *call) everyTemplate(wanted []string) ([]versionOut, error) {
	if len(wanted) == 0 {
		return nil, fail("MissingParameter", "The request must contain the parameter LaunchTemplateId or LaunchTemplateName")
	}
	var all []versionOut
	for _, t := range c.templatesByID() {
		seen := map[int64]bool{}
		for _, w := range wanted {
			if w != "$Latest" && w != "$Default" {
				return nil, fail("InvalidParameterValue", "When you describe versions of all launch templates, the only valid values are $Latest, $Default, or both.")
			}
			if v := t.version(w); !seen[v.Number] {
				seen[v.Number] = true
				all = append(all, t.versionOut(c, v))
			}
		}
	}
	return all, nil
}

func (t *launchTemplate) versionsAsked(c *call, in *ec2Request, wanted []string) ([]versionOut, error) {
	least, most := in.text("MinVersion"), in.text("MaxVersion")
	if len(wanted) > 0 && least+most != "" {
		return nil, fail("InvalidParameterCombination", "Either versions or minVersion/maxVersion may be specified, not both.")
	}
	var all []versionOut
	seen := map[int64]bool{}
	for _, w := range wanted {
		v := t.version(w)
		if v == nil {
			return nil, fail("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %.20s for the launch template with ID %s.", w, t.ID)
		}
		if !seen[v.Number] {
			seen[v.Number] = true
			all = append(all, t.versionOut(c, v))
		}
	}
	if len(wanted) > 0 {
		return all, nil
	}
	low, high := int64(1), t.latest().Number
	if n, err := strconv.ParseInt(least, 10, 64); err == nil {
		low = n
	}
	if n, err := strconv.ParseInt(most, 10, 64); err == nil {
		high = n
	}
	for i := range t.Versions {
		if n := t.Versions[i].Number; n >= low && n <= high {
			all = append(all, t.versionOut(c, &t.Versions[i]))
		}
	}
	return all, nil
}
