package sandbox

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// Limits of Parameter Store (facts: aws-limits 4.2).
const (
	standardBytes     = 4096
	advancedBytes     = 8192
	parameterVersions = 100
	parameterLevels   = 15
	versionLabels     = 10
)

var parameterPattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

func putParameter(c *call, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	name, value := c.parameterName(aws.ToString(in.Name)), aws.ToString(in.Value)
	if err := checkParameterName(name); err != nil {
		return nil, err
	}
	if value == "" {
		return nil, fail("ValidationException", "1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1.")
	}
	old := c.parameter(name)
	if waiting := c.region.Parameters[name]; waiting != nil && waiting.Pending != nil && c.now.Before(waiting.Due) {
		return nil, fail("TooManyUpdates", "There are concurrent updates for a resource that supports one update at a time.")
	}
	v, err := newVersion(in, value, old.latest())
	if err != nil {
		return nil, err
	}
	if v.Type == string(types.ParameterTypeSecureString) && !c.keyExists(v.KeyID) {
		return nil, fail("InvalidKeyId", "Invalid keyId %.200s", v.KeyID)
	}
	if old != nil && !aws.ToBool(in.Overwrite) {
		return nil, fail("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	}
	if aws.ToBool(in.Overwrite) && len(in.Tags) > 0 {
		return nil, fail("ValidationException", "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	p := old
	if p == nil {
		if len(c.region.Parameters) >= inForce(c.account.Quotas.Parameters, defaultQuotas.Parameters) {
			return nil, fail("ParameterLimitExceeded", "You have exceeded the number of parameters for this Amazon Web Services account. Delete one or more parameters and try again.")
		}
		p = &parameter{Name: name, Gone: c.region.Parameters[name] != nil && c.region.Parameters[name].Gone}
	}
	makeMap(&p.Tags)
	if err := p.makeRoom(); err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		p.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	c.store(p, v)
	return &ssm.PutParameterOutput{Version: v.Number, Tier: types.ParameterTier(v.Tier)}, nil
}

// store makes v the next version of p, at once, or after its AMI was looked up.
func (c *call) store(p *parameter, v parameterVersion) {
	v.Modified = c.now
	c.keep(p)
	if v.DataType == typeImage {
		p.Pending, p.Due = &v, c.now.Add(c.takes(imageCheckSeconds))
		return
	}
	p.Versions = append(p.Versions, v)
}

// takes is how long something of so many seconds lasts in this sandbox.
func (c *call) takes(seconds float64) time.Duration {
	return time.Duration(seconds * c.sandbox.scale() * float64(time.Second))
}

// newVersion is what the request asks for, on top of the version before.
func newVersion(in *ssm.PutParameterInput, value string, before *parameterVersion) (parameterVersion, error) {
	v := parameterVersion{
		Number: 1, Value: value, Type: string(in.Type), DataType: aws.ToString(in.DataType), KeyID: aws.ToString(in.KeyId),
		Describe: aws.ToString(in.Description), Pattern: aws.ToString(in.AllowedPattern), Tier: string(in.Tier),
	}
	if before == nil && v.Type == "" {
		return v, fail("ValidationException", "A parameter type is required when you create a parameter.")
	}
	if v.Type != "" && !slices.Contains(types.ParameterType("").Values(), types.ParameterType(v.Type)) {
		return v, fail("ValidationException", "1 validation error detected: Value '%.80s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]", v.Type)
	}
	if before != nil {
		if err := v.follow(before, in); err != nil {
			return v, err
		}
	}
	if v.DataType == "" {
		v.DataType = "text"
	}
	if err := v.checkDataType(); err != nil {
		return v, err
	}
	if err := v.chooseTier(before); err != nil {
		return v, err
	}
	if v.Type == string(types.ParameterTypeSecureString) && v.KeyID == "" {
		v.KeyID = "alias/aws/ssm"
	}
	if v.Pattern != "" {
		re, err := regexp.Compile(v.Pattern)
		if err != nil {
			return v, fail("InvalidAllowedPatternException", "The request does not meet the regular expression requirement.")
		}
		if !re.MatchString(v.Value) {
			return v, fail("ParameterPatternMismatchException", "Parameter value, cannot be validated against allowedPattern: %s", v.Pattern)
		}
	}
	return v, nil
}

// follow takes over what an overwrite leaves out, and refuses what it cannot change.
func (v *parameterVersion) follow(before *parameterVersion, in *ssm.PutParameterInput) error {
	v.Number = before.Number + 1
	if v.Type == "" {
		v.Type = before.Type
	}
	if aws.ToBool(in.Overwrite) && v.Type != before.Type {
		return fail("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy. For example, you can't change a parameter from a String type to a SecureString type. You must create a new, unique parameter.")
	}
	if v.DataType == "" {
		v.DataType = before.DataType
	}
	if aws.ToBool(in.Overwrite) && (v.DataType == typeImage) != (before.DataType == typeImage) {
		return fail("ValidationException", "The data type of a parameter can't be changed from %s to %s.", before.DataType, v.DataType)
	}
	if v.Describe == "" {
		v.Describe = before.Describe
	}
	if v.KeyID == "" {
		v.KeyID = before.KeyID
	}
	return nil
}

func (v *parameterVersion) checkDataType() error {
	switch v.DataType {
	case "text", "aws:ssm:integration":
		return nil
	case typeImage:
		if v.Type != string(types.ParameterTypeString) {
			return fail("ValidationException", "The data type aws:ec2:image is not supported for parameters of type %s.", v.Type)
		}
		return nil
	}
	return fail("ValidationException", "The following data type is not supported: %.80s (Data type names are all lowercase.)", v.DataType)
}

// chooseTier checks the value's size against the tier. An advanced parameter
// never becomes standard again.
func (v *parameterVersion) chooseTier(before *parameterVersion) error {
	wasAdvanced := before != nil && before.Tier == string(types.ParameterTierAdvanced)
	switch v.Tier {
	case string(types.ParameterTierIntelligentTiering):
		v.Tier = string(types.ParameterTierStandard)
		if len(v.Value) > standardBytes || wasAdvanced {
			v.Tier = string(types.ParameterTierAdvanced)
		}
	case "":
		v.Tier = string(types.ParameterTierStandard)
		if wasAdvanced {
			v.Tier = before.Tier
		}
	case string(types.ParameterTierStandard):
		if wasAdvanced {
			return fail("ValidationException", "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
		}
	case string(types.ParameterTierAdvanced):
	default:
		return fail("ValidationException", "1 validation error detected: Value '%.80s' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]", v.Tier)
	}
	if v.Tier == string(types.ParameterTierStandard) && len(v.Value) > standardBytes {
		return fail("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html")
	}
	if len(v.Value) > advancedBytes {
		return fail("ValidationException", "Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	return nil
}

// makeRoom drops the oldest of 100 versions, unless a label holds it.
func (p *parameter) makeRoom() error {
	if len(p.Versions) < parameterVersions {
		return nil
	}
	if len(p.Versions[0].Labels) > 0 {
		return fail("ParameterMaxVersionLimitExceeded", "You attempted to create a new version of %s by calling the PutParameter API with the overwrite flag. Version %d, the oldest version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.", p.Name, p.Versions[0].Number)
	}
	p.Versions = p.Versions[1:]
	return nil
}

func checkParameterName(name string) error {
	const form = "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_"
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	switch {
	case name == "" || len(name) > 2048:
		return fail("ValidationException", "1 validation error detected: Value at 'name' failed to satisfy constraint: Member must have length between 1 and 2048.")
	case !parameterPattern.MatchString(name) || strings.Contains(name, "//") || strings.HasSuffix(name, "/"):
		return fail("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). %s", form)
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return fail("ValidationException", "Parameter name must be a fully qualified name.")
	case strings.HasPrefix(lower, "aws"):
		return fail("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(lower, "ssm"):
		return fail("ValidationException", "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). %s", form)
	case strings.Count(name, "/") > parameterLevels:
		return fail("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels. For more information, see Requirements and constraints for parameter names in the AWS Systems Manager User Guide.", parameterLevels)
	}
	return nil
}

func deleteParameter(c *call, in *ssm.DeleteParameterInput) (*ssm.DeleteParameterOutput, error) {
	if !c.removeParameter(c.parameterName(aws.ToString(in.Name))) {
		return nil, &Fail{Code: "ParameterNotFound"}
	}
	return &ssm.DeleteParameterOutput{}, nil
}

// removeParameter tells whether there was one. A stocked one stays away.
func (c *call) removeParameter(name string) bool {
	if c.parameter(name) == nil {
		return false
	}
	delete(c.region.Parameters, name)
	if !c.account.Bare && fleetAMIName.MatchString(name) {
		c.keep(&parameter{Name: name, Gone: true})
	}
	return true
}

func deleteParameters(c *call, in *ssm.DeleteParametersInput) (*ssm.DeleteParametersOutput, error) {
	if err := checkTenNames(in.Names); err != nil {
		return nil, err
	}
	out := &ssm.DeleteParametersOutput{}
	for _, name := range in.Names {
		if c.removeParameter(c.parameterName(name)) {
			out.DeletedParameters = append(out.DeletedParameters, name)
		} else {
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

// checkTenNames is the limit of GetParameters and DeleteParameters.
func checkTenNames(names []string) error {
	if len(names) < 1 || len(names) > 10 {
		return fail("ValidationException", "1 validation error detected: Value '[%.200s]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 10, and greater than or equal to 1", strings.Join(names, ", "))
	}
	return nil
}
