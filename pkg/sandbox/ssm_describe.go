package sandbox

import (
	"slices"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// describeParameters lists parameters without their values, 50 a page at most.
func describeParameters(c *call, in *ssm.DescribeParametersInput) (*ssm.DescribeParametersOutput, error) {
	limit, err := pageSize(in.MaxResults, 50, 50)
	if err != nil {
		return nil, err
	}
	filters := append([]types.ParameterStringFilter{}, in.ParameterFilters...)
	for _, f := range in.Filters { // the older form: begins with, for names
		option := "Equals"
		if f.Key == types.ParametersFilterKeyName {
			option = "BeginsWith"
		}
		filters = append(filters, types.ParameterStringFilter{Key: aws.String(string(f.Key)), Option: aws.String(option), Values: f.Values})
	}
	match, err := parameterFilters(filters)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range c.namesAsked(filters) {
		if p := c.parameter(name); p != nil && match(c, p) {
			names = append(names, name)
		}
	}
	names, next, err := page(names, func(s string) string { return s }, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &ssm.DescribeParametersOutput{Parameters: []types.ParameterMetadata{}, NextToken: next}
	for _, name := range names {
		v := c.parameter(name).latest()
		out.Parameters = append(out.Parameters, types.ParameterMetadata{
			ARN: aws.String(c.parameterARN(name)), Name: aws.String(name), Type: types.ParameterType(v.Type), DataType: aws.String(v.DataType),
			Tier: types.ParameterTier(v.Tier), Version: v.Number, KeyId: text(v.KeyID), Description: text(v.Describe), AllowedPattern: text(v.Pattern),
			LastModifiedDate: aws.Time(v.Modified), LastModifiedUser: aws.String(c.user()), Policies: []types.ParameterInlinePolicy{},
		})
	}
	return out, nil
}

// namesAsked is what a listing goes through: every stored parameter, and the
// stocked ones that a filter names in full.
func (c *call) namesAsked(filters []types.ParameterStringFilter) []string {
	names := c.parameterNames()
	for _, f := range filters {
		if aws.ToString(f.Key) != "Name" || f.Option != nil && *f.Option != "Equals" {
			continue
		}
		for _, name := range f.Values {
			if c.region.Parameters[name] == nil && c.parameter(name) != nil {
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	return slices.Compact(names)
}

// parameterFilters turns filters into one test; all must hold, and of a
// filter's values any.
func parameterFilters(filters []types.ParameterStringFilter) (func(*call, *parameter) bool, error) {
	var tests []func(*call, *parameter) bool
	seen := map[string]bool{}
	for _, f := range filters {
		key, option := aws.ToString(f.Key), aws.ToString(f.Option)
		if seen[key] {
			return nil, fail("InvalidFilterKey", "The following filters are duplicates in the request: [%.80s]. A request can contain a filter only once.", key)
		}
		seen[key] = true
		if option == "" {
			option = "Equals"
		}
		if len(f.Values) == 0 && !strings.HasPrefix(key, "tag:") {
			return nil, fail("InvalidFilterValue", "The following filter values are missing : null for filter key %.80s", key)
		}
		test, err := parameterFilter(key, option, f.Values)
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return func(c *call, p *parameter) bool {
		for _, test := range tests {
			if !test(c, p) {
				return false
			}
		}
		return true
	}, nil
}

func parameterFilter(key, option string, values []string) (func(*call, *parameter) bool, error) {
	badOption := fail("InvalidFilterOption", "The following filter option is not valid: %.80s. Valid options include: [BeginsWith, Equals].", option)
	matches, ok := stringTest(option)
	if !ok || option == "Contains" && key != "Name" {
		if key != "Path" {
			return nil, badOption
		}
	}
	anyOf := func(have string) bool {
		return slices.ContainsFunc(values, func(want string) bool { return matches(have, want) })
	}
	switch {
	case key == "Name":
		return func(_ *call, p *parameter) bool { return anyOf(p.Name) }, nil
	case key == "Type":
		return func(_ *call, p *parameter) bool { return anyOf(p.latest().Type) }, nil
	case key == "KeyId":
		return func(_ *call, p *parameter) bool { return anyOf(p.latest().KeyID) }, nil
	case key == "Tier":
		return func(_ *call, p *parameter) bool { return anyOf(p.latest().Tier) }, nil
	case key == "DataType":
		return func(_ *call, p *parameter) bool { return anyOf(p.latest().DataType) }, nil
	case key == "Label":
		return func(_ *call, p *parameter) bool {
			return slices.ContainsFunc(p.Versions, func(v parameterVersion) bool { return slices.ContainsFunc(v.Labels, anyOf) })
		}, nil
	case key == "Path":
		return pathFilter(option, values)
	case strings.HasPrefix(key, "tag:"):
		tag := strings.TrimPrefix(key, "tag:")
		return func(_ *call, p *parameter) bool {
			have, ok := p.Tags[tag]
			return ok && (len(values) == 0 || anyOf(have))
		}, nil
	}
	return nil, fail("InvalidFilterKey", "The following filter key is not valid: %.80s. Valid filter keys include: [Path, Name, Type, KeyId, Tier, DataType, Label, tag:*].", key)
}

func stringTest(option string) (func(have, want string) bool, bool) {
	switch option {
	case "Equals":
		return func(have, want string) bool { return have == want }, true
	case "BeginsWith":
		return strings.HasPrefix, true
	case "Contains":
		return strings.Contains, true
	}
	return nil, false
}

func pathFilter(option string, values []string) (func(*call, *parameter) bool, error) {
	if option == "Equals" {
		option = "OneLevel"
	}
	if option != "OneLevel" && option != "Recursive" {
		return nil, fail("InvalidFilterOption", "The following filter option is not valid: %.80s. Valid options include: [Recursive, OneLevel].", option)
	}
	return func(_ *call, p *parameter) bool {
		return slices.ContainsFunc(values, func(path string) bool {
			rest, below := strings.CutPrefix(p.Name, strings.TrimSuffix(path, "/")+"/")
			return below && (option == "Recursive" || !strings.Contains(rest, "/"))
		})
	}, nil
}
