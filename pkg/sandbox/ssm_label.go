package sandbox

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

var labelPattern = regexp.MustCompile(`^[a-zA-Z_.\-][a-zA-Z0-9_.\-]*$`)

// labelParameterVersion moves labels to a version; one that is not allowed is
// reported, not refused.
func labelParameterVersion(c *call, in *ssm.LabelParameterVersionInput) (*ssm.LabelParameterVersionOutput, error) {
	p, v, err := c.version(aws.ToString(in.Name), in.ParameterVersion)
	if err != nil {
		return nil, err
	}
	var good, bad []string
	for _, label := range in.Labels {
		lower := strings.ToLower(label)
		if len(label) > 100 || !labelPattern.MatchString(label) || strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm") {
			bad = append(bad, label)
		} else if !slices.Contains(v.Labels, label) {
			good = append(good, label)
		}
	}
	if len(v.Labels)+len(good) > versionLabels {
		return nil, fail("ParameterVersionLabelLimitExceeded", "A parameter version can have a maximum of %d labels. Move one or more labels to another version and try again.", versionLabels)
	}
	for i := range p.Versions {
		p.Versions[i].Labels = slices.DeleteFunc(p.Versions[i].Labels, func(l string) bool { return slices.Contains(good, l) })
	}
	v.Labels = append(v.Labels, good...)
	c.keep(p)
	return &ssm.LabelParameterVersionOutput{InvalidLabels: bad, ParameterVersion: v.Number}, nil
}

func unlabelParameterVersion(c *call, in *ssm.UnlabelParameterVersionInput) (*ssm.UnlabelParameterVersionOutput, error) {
	p, v, err := c.version(aws.ToString(in.Name), in.ParameterVersion)
	if err != nil {
		return nil, err
	}
	out := &ssm.UnlabelParameterVersionOutput{}
	for _, label := range in.Labels {
		if i := slices.Index(v.Labels, label); i >= 0 {
			v.Labels = slices.Delete(v.Labels, i, i+1)
			out.RemovedLabels = append(out.RemovedLabels, label)
		} else {
			out.InvalidLabels = append(out.InvalidLabels, label)
		}
	}
	c.keep(p)
	return out, nil
}

// version finds a version of a parameter; the latest for nil.
func (c *call) version(name string, n *int64) (*parameter, *parameterVersion, error) {
	p := c.parameter(c.parameterName(name))
	if p == nil {
		return nil, nil, &Fail{Code: "ParameterNotFound"}
	}
	if n == nil {
		return p, p.latest(), nil
	}
	for i := range p.Versions {
		if p.Versions[i].Number == *n {
			return p, &p.Versions[i], nil
		}
	}
	return nil, nil, fail("ParameterVersionNotFound", "Systems Manager could not find version %d of %s. Verify the version and try again.", *n, name)
}

// tagged finds the parameter whose tags a request is about.
func (c *call) tagged(kind types.ResourceTypeForTagging, id *string) (*parameter, error) {
	if kind != types.ResourceTypeForTaggingParameter {
		return nil, fail("InvalidResourceType", "the sandbox tags parameters only, not %.80s", kind)
	}
	p := c.parameter(c.parameterName(aws.ToString(id)))
	if p == nil {
		return nil, fail("InvalidResourceId", "The resource ID \"%.200s\" is not valid. Verify the ID and try again.", aws.ToString(id))
	}
	makeMap(&p.Tags)
	return p, nil
}

func addParameterTags(c *call, in *ssm.AddTagsToResourceInput) (*ssm.AddTagsToResourceOutput, error) {
	p, err := c.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		p.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	c.keep(p)
	return &ssm.AddTagsToResourceOutput{}, nil
}

func removeParameterTags(c *call, in *ssm.RemoveTagsFromResourceInput) (*ssm.RemoveTagsFromResourceOutput, error) {
	p, err := c.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	for _, key := range in.TagKeys {
		delete(p.Tags, key)
	}
	c.keep(p)
	return &ssm.RemoveTagsFromResourceOutput{}, nil
}

func listParameterTags(c *call, in *ssm.ListTagsForResourceInput) (*ssm.ListTagsForResourceOutput, error) {
	p, err := c.tagged(in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	out := &ssm.ListTagsForResourceOutput{TagList: []types.Tag{}}
	for _, key := range sortedKeys(p.Tags) {
		out.TagList = append(out.TagList, types.Tag{Key: aws.String(key), Value: aws.String(p.Tags[key])})
	}
	return out, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
