package cloud

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/plan"
)

// parametersPerCall is GetParameters' limit.
const parametersPerCall = 10

// parametersChunk reads up to ten parameters by name, never decrypting. What
// does not exist is simply not there.
func (c *Cloud) parametersChunk(ctx context.Context, names []string) (map[string]plan.LiveParameter, error) {
	out, err := c.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: aws.Bool(false)})
	if err != nil {
		return nil, c.readError("read parameters "+names[0]+" …", err)
	}
	found := make(map[string]plan.LiveParameter, len(out.Parameters))
	for _, p := range out.Parameters {
		found[aws.ToString(p.Name)] = liveParameter(p)
	}
	return found, nil
}

// parameter reads one parameter without decryption; nil when it does not exist.
func (c *Cloud) parameter(ctx context.Context, name string) (*plan.LiveParameter, error) {
	out, err := c.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(name), WithDecryption: aws.Bool(false)})
	var absent *types.ParameterNotFound
	if errors.As(err, &absent) {
		return nil, nil
	}
	if err != nil {
		return nil, c.readError("read parameter "+name, err)
	}
	live := liveParameter(*out.Parameter)
	return &live, nil
}

// Applied reads which revision of a platform was applied last; nil when none
// was recorded.
func (c *Cloud) Applied(ctx context.Context, platform string) (*plan.Applied, error) {
	name := plan.RevisionParameter(platform)
	live, err := c.parameter(ctx, name)
	if err != nil || live == nil {
		return nil, err
	}
	return plan.AppliedIn(plan.Live{Parameters: map[string]plan.LiveParameter{name: *live}}, platform), nil
}

func liveParameter(p types.Parameter) plan.LiveParameter {
	live := plan.LiveParameter{
		Type:     string(p.Type),
		DataType: aws.ToString(p.DataType),
		Value:    aws.ToString(p.Value),
		Version:  p.Version,
		Modified: aws.ToTime(p.LastModifiedDate).UTC(),
	}
	if p.Type == types.ParameterTypeSecureString {
		live.Value = "" // the ciphertext is nobody's business
	}
	return live
}

// parametersBelow lists the parameters whose names begin with a path.
func (c *Cloud) parametersBelow(ctx context.Context, path string) (map[string]plan.LiveParameter, error) {
	return c.listParameters(ctx, "", []types.ParameterStringFilter{{
		Key: aws.String("Name"), Option: aws.String("BeginsWith"), Values: []string{path}}})
}

// parametersOwnedBy lists the parameters that direct steps made for this owner.
// Those of our stacks carry the owner's tag alone.
func (c *Cloud) parametersOwnedBy(ctx context.Context, owner string) (map[string]plan.LiveParameter, error) {
	equals := func(key, value string) types.ParameterStringFilter {
		return types.ParameterStringFilter{Key: aws.String("tag:" + key), Option: aws.String("Equals"), Values: []string{value}}
	}
	return c.listParameters(ctx, owner, []types.ParameterStringFilter{equals(ownerTag, owner), equals(managedTag, managedValue)})
}

// listParameters lists parameters, 50 a page: everything but their values.
func (c *Cloud) listParameters(ctx context.Context, owner string, filters []types.ParameterStringFilter) (map[string]plan.LiveParameter, error) {
	found := map[string]plan.LiveParameter{}
	err := pages(func(token *string) (*string, error) {
		out, err := c.ssm.DescribeParameters(ctx, &ssm.DescribeParametersInput{
			MaxResults: aws.Int32(50), NextToken: token, ParameterFilters: filters})
		if err != nil {
			return nil, c.readError("list parameters with "+*filters[0].Key+" "+filters[0].Values[0], err)
		}
		for _, p := range out.Parameters {
			found[aws.ToString(p.Name)] = plan.LiveParameter{
				Type:     string(p.Type),
				DataType: aws.ToString(p.DataType),
				Version:  p.Version,
				Modified: aws.ToTime(p.LastModifiedDate).UTC(),
				Owner:    owner,
			}
		}
		return out.NextToken, nil
	})
	return found, err
}

// ReadParameters reads parameters by name, ten a call, never decrypting. What
// does not exist is not there.
func (c *Cloud) ReadParameters(ctx context.Context, names []string) (map[string]plan.LiveParameter, error) {
	found := make(map[string]plan.LiveParameter, len(names))
	for _, chunk := range chunks(names, parametersPerCall) {
		some, err := c.parametersChunk(ctx, chunk)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, some)
	}
	return found, nil
}
