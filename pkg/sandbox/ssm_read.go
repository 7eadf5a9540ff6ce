package sandbox

import (
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func getParameter(c *call, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	p, v, selector, err := c.find(aws.ToString(in.Name))
	if err != nil {
		return nil, err
	}
	out := c.parameterOut(p, v, aws.ToBool(in.WithDecryption))
	if selector != "" {
		out.Selector = aws.String(selector)
	}
	return &ssm.GetParameterOutput{Parameter: &out}, nil
}

func (c *call) parameterOut(p *parameter, v *parameterVersion, decrypt bool) types.Parameter {
	return types.Parameter{
		ARN: aws.String(c.parameterARN(p.Name)), Name: aws.String(p.Name), Type: types.ParameterType(v.Type),
		DataType: aws.String(v.DataType), Value: aws.String(c.shown(p, v, decrypt)), Version: v.Number,
		LastModifiedDate: aws.Time(v.Modified),
	}
}

// getParameters answers those that exist and names the others; it never fails
// because one is missing.
func getParameters(c *call, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	if err := checkTenNames(in.Names); err != nil {
		return nil, err
	}
	out := &ssm.GetParametersOutput{Parameters: []types.Parameter{}, InvalidParameters: []string{}}
	seen := map[string]bool{}
	for _, name := range in.Names {
		if seen[name] {
			return nil, fail("ValidationException", "Duplicate parameter names are not allowed: %.200s", name)
		}
		seen[name] = true
		p, v, selector, err := c.find(name)
		if err != nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		one := c.parameterOut(p, v, aws.ToBool(in.WithDecryption))
		if selector != "" {
			one.Selector = aws.String(selector)
		}
		out.Parameters = append(out.Parameters, one)
	}
	return out, nil
}

// getParametersByPath walks a hierarchy, ten a page at most, in order.
func getParametersByPath(c *call, in *ssm.GetParametersByPathInput) (*ssm.GetParametersByPathOutput, error) {
	path := aws.ToString(in.Path)
	if !strings.HasPrefix(path, "/") {
		return nil, fail("ValidationException", "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\". It can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol \"/\". Valid example: /get/parameters2-/by1./path0_.")
	}
	limit, err := pageSize(in.MaxResults, 10, 10)
	if err != nil {
		return nil, err
	}
	match, err := parameterFilters(in.ParameterFilters)
	if err != nil {
		return nil, err
	}
	prefix := strings.TrimSuffix(path, "/") + "/"
	var names []string
	for _, name := range c.parameterNames() {
		rest, below := strings.CutPrefix(name, prefix)
		if !below || !aws.ToBool(in.Recursive) && strings.Contains(rest, "/") || !match(c, c.parameter(name)) {
			continue
		}
		names = append(names, name)
	}
	names, next, err := page(names, func(s string) string { return s }, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParametersByPathOutput{Parameters: []types.Parameter{}, NextToken: next}
	for _, name := range names {
		p := c.parameter(name)
		out.Parameters = append(out.Parameters, c.parameterOut(p, p.latest(), aws.ToBool(in.WithDecryption)))
	}
	return out, nil
}

// pageSize checks MaxResults.
func pageSize(asked *int32, standard, most int) (int, error) {
	if asked == nil {
		return standard, nil
	}
	if n := int(*asked); n >= 1 && n <= most {
		return n, nil
	}
	return 0, fail("ValidationException", "1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to %d", *asked, most)
}

func getParameterHistory(c *call, in *ssm.GetParameterHistoryInput) (*ssm.GetParameterHistoryOutput, error) {
	p := c.parameter(c.parameterName(aws.ToString(in.Name)))
	if p == nil {
		return nil, &Fail{Code: "ParameterNotFound"}
	}
	limit, err := pageSize(in.MaxResults, 50, 50)
	if err != nil {
		return nil, err
	}
	versions, next, err := page(p.Versions, func(v parameterVersion) string { return versionKey(v.Number) }, in.NextToken, limit)
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParameterHistoryOutput{NextToken: next}
	for i := range versions {
		v := &versions[i]
		out.Parameters = append(out.Parameters, types.ParameterHistory{
			Name: aws.String(p.Name), Type: types.ParameterType(v.Type), DataType: aws.String(v.DataType), Tier: types.ParameterTier(v.Tier),
			Value: aws.String(c.shown(p, v, aws.ToBool(in.WithDecryption))), Version: v.Number, Labels: append([]string{}, v.Labels...),
			LastModifiedDate: aws.Time(v.Modified), LastModifiedUser: aws.String(c.user()), KeyId: text(v.KeyID),
			Description: text(v.Describe), AllowedPattern: text(v.Pattern),
		})
	}
	return out, nil
}

// versionKey sorts like the number.
func versionKey(n int64) string {
	s := strconv.FormatInt(n, 10)
	return strings.Repeat("0", 19-len(s)) + s
}

func (c *call) user() string { return "arn:aws:iam::" + c.account.ID + ":user/sandbox" }

// text is nil for an empty string: a member that AWS leaves out.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}
