package sandbox

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox/stackengine"
)

func parameterHandlers() handlers {
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			return c.declareParameter(r, false)
		},
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			return c.declareParameter(r, true)
		},
		remove: func(c *call, r stackengine.Resource) error {
			c.removeParameter(r.PhysicalID) // what is gone already is deleted
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			v := c.parameter(r.PhysicalID).latest()
			if v == nil {
				return nil, fail("ParameterNotFound", "the parameter does not exist")
			}
			live := map[string]any{"Value": v.Value, "Type": v.Type}
			if v.Describe != "" || r.Properties["Description"] != nil {
				live["Description"] = v.Describe
			}
			return shownProperties(r, live), nil
		},
		adopt: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			p := c.region.Parameters[r.PhysicalID]
			v := p.latest()
			if v == nil {
				return stackengine.Physical{}, fail("ParameterNotFound", "the parameter does not exist")
			}
			p.Tags = ownTags(p.Tags, r)
			return stackengine.Physical{ID: p.Name, Attributes: map[string]string{"Type": v.Type, "Value": v.Value}}, nil
		},
	}
}

// declareParameter writes what a template declares. An AMI id is looked up at
// once: the handler waits for the validation and fails with it.
func (c *call) declareParameter(r stackengine.Resource, overwrite bool) (stackengine.Physical, error) {
	p := props(r.Properties)
	name := nameOr(r, "Name")
	if overwrite {
		name = r.PhysicalID
	}
	in := &ssm.PutParameterInput{
		Name: &name, Value: aws.String(p.text("Value")), Type: types.ParameterType(p.text("Type")), Tier: types.ParameterTier(p.text("Tier")),
		DataType: text(p.text("DataType")), Description: text(p.text("Description")), AllowedPattern: text(p.text("AllowedPattern")), Overwrite: &overwrite,
	}
	if in.Type == types.ParameterTypeSecureString {
		return stackengine.Physical{}, fail("ValidationException", "Parameters of type SecureString can't be created by CloudFormation.")
	}
	if p.text("DataType") == typeImage && !c.imageExists(p.text("Value")) {
		return stackengine.Physical{}, fail("ValidationException", "The value %s of parameter %s is not a valid AMI ID in this Region.", p.text("Value"), name)
	}
	if _, err := putParameter(c, in); err != nil {
		return stackengine.Physical{}, err
	}
	stored := c.region.Parameters[name]
	if stored.Pending != nil {
		v := *stored.Pending
		stored.Pending, stored.Versions = nil, append(stored.Versions, v)
	}
	stored.Tags = allTags(r)
	return stackengine.Physical{ID: name, Attributes: map[string]string{"Type": stored.latest().Type, "Value": stored.latest().Value}}, nil
}
