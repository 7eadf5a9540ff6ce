package stackengine

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"reconcile/pkg/awstype"
)

// Limits of a template. From CloudFormation's quotas page (aws-limits 4.1).
const (
	maxBody       = 51_200
	maxURLBody    = 1_000_000
	maxResources  = 500
	maxParameters = 200
	maxOutputs    = 200
	maxMappings   = 200
)

// template is a parsed template whose form has been checked.
type template struct {
	Description string
	Version     string
	Metadata    any
	Transforms  []string
	Parameters  map[string]parameter
	Mappings    map[string]any
	Conditions  map[string]any
	Rules       map[string]any
	Resources   map[string]resource
	Outputs     map[string]outputDef

	// deferred tells that the transform AWS::LanguageExtensions makes the
	// resources, conditions and outputs out of raw when parameters have values.
	deferred bool
	raw      map[string]any
}

type resource struct {
	Type       string
	Condition  string
	DependsOn  []string
	Properties map[string]any
	Metadata   any
	Creation   any
	Update     any
	Delete     string // DeletionPolicy
	Replace    string // UpdateReplacePolicy
}

type outputDef struct {
	Value       any
	Description string
	Condition   string
	Export      any // the Name
}

var (
	alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]+$`)

	sections       = []string{"AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs", "Parameters", "Resources", "Rules", "Transform", "Hooks"}
	resourceFields = []string{"Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdatePolicy", "UpdateReplacePolicy", "Version"}

	policies        = []string{"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}
	replacePolicies = []string{"Delete", "Retain", "Snapshot"}
)

// parseTemplate reads and checks the form of a template. The texts are AWS's,
// recorded by LocalStack's snapshot tests (test_validations, test_stacks,
// test_template_engine) unless a comment says otherwise.
func parseTemplate(body string) (*template, error) {
	raw, err := parseBody(body)
	if err != nil {
		return nil, err
	}
	if slices.Contains(transforms(raw["Transform"]), languageExtensions) {
		return readDeferred(raw)
	}
	return readTemplate(raw)
}

// readDeferred reads what there is before the transform has run.
func readDeferred(raw map[string]any) (*template, error) {
	t := &template{Metadata: raw["Metadata"], Transforms: transforms(raw["Transform"]), deferred: true, raw: raw}
	t.Description, _ = raw["Description"].(string)
	t.Version, _ = text(raw["AWSTemplateFormatVersion"])
	t.Mappings, _ = raw["Mappings"].(map[string]any)
	if block, _ := raw["Resources"].(map[string]any); len(block) == 0 {
		return nil, invalid("Template format error: At least one Resources member must be defined.")
	}
	return t, t.readParameters(raw["Parameters"])
}

func readTemplate(raw map[string]any) (*template, error) {
	var unknown []string
	for _, k := range keys(raw) {
		if !slices.Contains(sections, k) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		return nil, invalid("Invalid template property or properties [%s]", strings.Join(unknown, ", "))
	}
	if path, found := findNull(raw, ""); found {
		return nil, invalid("[%s] 'null' values are not allowed in templates", path)
	}
	t := &template{Metadata: raw["Metadata"], raw: raw}
	t.Description, _ = raw["Description"].(string)
	t.Version, _ = text(raw["AWSTemplateFormatVersion"])
	if len(t.Description) > 1024 {
		return nil, invalid("Template format error: 'Description' length is greater than 1024.")
	}
	for _, section := range []struct {
		name string
		into *map[string]any
	}{{"Mappings", &t.Mappings}, {"Conditions", &t.Conditions}, {"Rules", &t.Rules}} {
		if v, ok := raw[section.name]; ok {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, invalid("Template format error: %s must be an object.", section.name)
			}
			*section.into = m
		}
	}
	t.Transforms = transforms(raw["Transform"])
	if err := t.readParameters(raw["Parameters"]); err != nil {
		return nil, err
	}
	if err := t.readResources(raw["Resources"]); err != nil {
		return nil, err
	}
	if err := t.readOutputs(raw["Outputs"]); err != nil {
		return nil, err
	}
	if err := t.checkCounts(); err != nil {
		return nil, err
	}
	if err := t.checkForm(); err != nil {
		return nil, err
	}
	return t, t.checkFunctions()
}

func transforms(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, transforms(e)...)
		}
		return out
	}
	return nil
}

func findNull(v any, path string) (string, bool) {
	switch v := v.(type) {
	case nil:
		return path, true
	case map[string]any:
		for _, k := range keys(v) {
			if p, found := findNull(v[k], path+"/"+k); found {
				return p, true
			}
		}
	case []any:
		for i, e := range v {
			if p, found := findNull(e, path+"/"+itoa(i)); found {
				return p, true
			}
		}
	}
	return "", false
}

func (t *template) readResources(v any) error {
	m, _ := v.(map[string]any)
	if len(m) == 0 {
		return invalid("Template format error: At least one Resources member must be defined.")
	}
	t.Resources = make(map[string]resource, len(m))
	var unknown []string
	for _, id := range keys(m) {
		fields, ok := m[id].(map[string]any)
		if !ok {
			return invalid("Template format error: Any Resources member must be an object.")
		}
		if !alphanumeric.MatchString(id) {
			return invalid("Template format error: Resource name %s is non alphanumeric.", id)
		}
		r, err := readResource(id, fields)
		if err != nil {
			return err
		}
		if custom(r.Type) {
			return invalid("Template format error: [/Resources/%s] Custom resources are refused here: nothing runs what %s would call.", id, r.Type)
		}
		if _, known := awstype.Lookup(r.Type); !known {
			unknown = append(unknown, r.Type)
		}
		t.Resources[id] = r
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return invalid("Template format error: Unrecognized resource types: [%s]", strings.Join(slices.Compact(unknown), ", "))
	}
	return nil
}

// custom tells whether a type is a custom resource. The sandbox has no Lambda
// function to call and would have to make up its answer.
func custom(typeName string) bool {
	return typeName == "AWS::CloudFormation::CustomResource" || strings.HasPrefix(typeName, "Custom::")
}

func readResource(id string, fields map[string]any) (resource, error) {
	for _, k := range keys(fields) {
		if !slices.Contains(resourceFields, k) {
			return resource{}, invalid("Invalid template resource property '%s'", k)
		}
	}
	r := resource{Metadata: fields["Metadata"], Creation: fields["CreationPolicy"], Update: fields["UpdatePolicy"]}
	r.Type, _ = fields["Type"].(string)
	if r.Type == "" {
		return r, invalid("Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	if v, ok := fields["Properties"]; ok {
		if r.Properties, ok = v.(map[string]any); !ok {
			return r, invalid("Template format error: [/Resources/%s/Properties] 'Properties' must be an object.", id)
		}
	}
	r.Condition, _ = fields["Condition"].(string)
	switch d := fields["DependsOn"].(type) {
	case string:
		r.DependsOn = []string{d}
	case []any:
		for _, e := range d {
			s, ok := e.(string)
			if !ok {
				return r, invalid("Template format error: Every DependsOn value must be a string.")
			}
			r.DependsOn = append(r.DependsOn, s)
		}
	}
	var err error
	if r.Delete, err = readPolicy(id, "DeletionPolicy", fields, policies); err != nil {
		return r, err
	}
	r.Replace, err = readPolicy(id, "UpdateReplacePolicy", fields, replacePolicies)
	return r, err
}

func readPolicy(id, field string, fields map[string]any, allowed []string) (string, error) {
	v, ok := fields[field]
	if !ok {
		return "", nil
	}
	s, _ := v.(string)
	if !slices.Contains(allowed, s) {
		return "", invalid("Template error: Unrecognized %s %s for resource %s", field, s, id)
	}
	return s, nil
}

func (t *template) readOutputs(v any) error {
	m, _ := v.(map[string]any)
	t.Outputs = make(map[string]outputDef, len(m))
	for _, key := range keys(m) {
		fields, ok := m[key].(map[string]any)
		if !ok {
			return invalid("Template format error: Outputs member must be an object.")
		}
		if !alphanumeric.MatchString(key) {
			return invalid("Template format error: Output name %s is non alphanumeric.", key)
		}
		o := outputDef{Value: fields["Value"]}
		if o.Value == nil {
			return invalid("Template format error: Every Outputs member must contain a Value object")
		}
		o.Description, _ = fields["Description"].(string)
		o.Condition, _ = fields["Condition"].(string)
		if e, ok := fields["Export"].(map[string]any); ok {
			o.Export = e["Name"]
		}
		t.Outputs[key] = o
	}
	return nil
}

func (t *template) checkCounts() error {
	for _, c := range []struct {
		what     string
		n, limit int
	}{
		{"resources", len(t.Resources), maxResources},
		{"parameters", len(t.Parameters), maxParameters},
		{"outputs", len(t.Outputs), maxOutputs},
		{"mappings", len(t.Mappings), maxMappings},
	} {
		if c.n > c.limit {
			return invalid("Template format error: Number of %s, %d, is greater than maximum allowed, %d", c.what, c.n, c.limit)
		}
	}
	return nil
}

// capabilities lists what the template needs to be acknowledged, and why.
// From the CreateStack reference: IAM types, and named ones among them.
func (t *template) capabilities() (needed []string, reason string) {
	var iam []string
	named := false
	for _, id := range keys(t.Resources) {
		r := t.Resources[id]
		name, isIAM := iamNames[r.Type]
		if !isIAM {
			continue
		}
		iam = append(iam, r.Type)
		if name != "" && r.Properties[name] != nil {
			named = true
		}
	}
	if len(t.Transforms) > 0 {
		needed = append(needed, "CAPABILITY_AUTO_EXPAND")
	}
	if len(iam) > 0 {
		sort.Strings(iam)
		reason = "The following resource(s) require capabilities: [" + strings.Join(slices.Compact(iam), ", ") + "]"
		if named {
			needed = append(needed, "CAPABILITY_NAMED_IAM")
		} else {
			needed = append(needed, "CAPABILITY_IAM")
		}
	}
	return needed, reason
}

// iamNames are the types that need CAPABILITY_IAM, with the property that
// makes it CAPABILITY_NAMED_IAM.
var iamNames = map[string]string{
	"AWS::IAM::AccessKey":           "",
	"AWS::IAM::Group":               "GroupName",
	"AWS::IAM::InstanceProfile":     "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":       "ManagedPolicyName",
	"AWS::IAM::Policy":              "",
	"AWS::IAM::Role":                "RoleName",
	"AWS::IAM::RolePolicy":          "",
	"AWS::IAM::User":                "UserName",
	"AWS::IAM::UserPolicy":          "",
	"AWS::IAM::UserToGroupAddition": "",
}

// checkCapabilities refuses a template whose capabilities are not acknowledged.
func (t *template) checkCapabilities(given []string) error {
	needed, _ := t.capabilities()
	for _, n := range needed {
		if slices.Contains(given, n) || n == "CAPABILITY_IAM" && slices.Contains(given, "CAPABILITY_NAMED_IAM") {
			continue
		}
		return &Error{Code: "InsufficientCapabilitiesException", Message: "Requires capabilities : [" + n + "]", Status: 400}
	}
	return nil
}
