package stackengine

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parameter is a template parameter's declaration.
type parameter struct {
	Type        string
	Default     *string
	NoEcho      bool
	Description string
	Allowed     []string
	Pattern     string
	Constraint  string // ConstraintDescription
	MinLength   *float64
	MaxLength   *float64
	MinValue    *float64
	MaxValue    *float64
}

// maxParameterValue is in bytes (aws-limits 4.1).
const maxParameterValue = 4096

// maskedValue is what CloudFormation shows instead of a NoEcho value.
const maskedValue = "****"

func (t *template) readParameters(v any) error {
	m, _ := v.(map[string]any)
	t.Parameters = make(map[string]parameter, len(m))
	for _, name := range keys(m) {
		fields, ok := m[name].(map[string]any)
		if !ok {
			return invalid("Template format error: Any Parameters member must be an object.")
		}
		if !alphanumeric.MatchString(name) {
			return invalid("Template format error: Parameter name %s is non alphanumeric.", name)
		}
		for _, k := range keys(fields) {
			if !slices.Contains(parameterFields, k) {
				return invalid("Invalid template parameter property '%s'", k)
			}
		}
		p := parameter{}
		if p.Type, _ = fields["Type"].(string); p.Type == "" {
			return invalid("Template format error: Every Parameters object must contain a Type member.")
		}
		if !knownParameterType(p.Type) {
			return invalid("Template format error: Unrecognized parameter type: %s", strings.TrimSuffix(strings.TrimPrefix(p.Type, ssmValue), ">"))
		}
		if d, ok := text(fields["Default"]); ok {
			p.Default = &d
		}
		noEcho, _ := text(fields["NoEcho"])
		p.NoEcho = strings.EqualFold(noEcho, "true")
		p.Description, _ = fields["Description"].(string)
		p.Pattern, _ = fields["AllowedPattern"].(string)
		p.Constraint, _ = fields["ConstraintDescription"].(string)
		if list, ok := fields["AllowedValues"].([]any); ok {
			for _, e := range list {
				s, _ := text(e)
				p.Allowed = append(p.Allowed, s)
			}
		}
		p.MinLength, p.MaxLength = number(fields["MinLength"]), number(fields["MaxLength"])
		p.MinValue, p.MaxValue = number(fields["MinValue"]), number(fields["MaxValue"])
		t.Parameters[name] = p
	}
	return nil
}

func number(v any) *float64 {
	s, ok := text(v)
	if !ok {
		return nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil
	}
	return &f
}

func knownParameterType(t string) bool {
	switch t {
	case "String", "Number", "List<Number>", "CommaDelimitedList", "AWS::SSM::Parameter::Name":
		return true
	}
	if inner, ok := strings.CutPrefix(t, ssmValue); ok {
		inner = strings.TrimSuffix(inner, ">")
		return inner == "List<String>" || inner != "Number" && inner != "List<Number>" && knownParameterType(inner)
	}
	return strings.HasPrefix(t, "AWS::EC2::") || strings.HasPrefix(t, "AWS::Route53::") || strings.HasPrefix(t, "List<AWS::")
}

// ssmValue begins the types whose value is that of an SSM parameter; what a
// SecureString gives is not taken (aws-cdk #6786).
const ssmValue = "AWS::SSM::Parameter::Value<"

func (p parameter) isList() bool {
	return p.Type == "CommaDelimitedList" || strings.HasPrefix(p.Type, "List<") ||
		strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<List<") ||
		p.Type == "AWS::SSM::Parameter::Value<CommaDelimitedList>"
}

func (p parameter) fromSSM() bool { return strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<") }

// given is a parameter of a request.
type given struct {
	value    string
	previous bool
}

// bindParameters gives every parameter of the template its value, from the
// request, from the previous deployment or from its default. The texts: AWS
// documentation of troubleshooting, and C14 of failure-modes for SSM.
func (e *Engine) bindParameters(t *template, in map[string]given, previous map[string]string) (values, resolved map[string]string, err error) {
	var undeclared, missing []string
	for _, name := range keys(in) {
		if _, ok := t.Parameters[name]; !ok {
			undeclared = append(undeclared, name)
		}
	}
	if len(undeclared) > 0 {
		return nil, nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(undeclared, ", "))
	}
	values, resolved = map[string]string{}, map[string]string{}
	for _, name := range keys(t.Parameters) {
		p := t.Parameters[name]
		g, ok := in[name]
		switch old, had := previous[name]; {
		case ok && g.previous && !had:
			return nil, nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
		case ok && g.previous:
			values[name] = old
		case ok:
			values[name] = g.value
		case p.Default != nil:
			values[name] = *p.Default
		default:
			missing = append(missing, name)
			continue
		}
		if unknown(values[name]) {
			continue // of a nested stack in a change set: the execution checks it
		}
		if err := p.check(name, values[name]); err != nil {
			return nil, nil, err
		}
	}
	if len(missing) > 0 {
		return nil, nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	if err := e.resolveSSM(t, values, resolved); err != nil {
		return nil, nil, err
	}
	return values, resolved, e.checkIDs(t, values, resolved)
}

// checkIDs refuses ids of EC2 that do not exist, for parameters of a type that
// AWS checks (documentation: AWS-specific parameter types).
func (e *Engine) checkIDs(t *template, values, resolved map[string]string) error {
	for _, name := range keys(t.Parameters) {
		p := t.Parameters[name]
		kind := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(strings.TrimPrefix(p.Type, ssmValue), ">"), "List<"), ">")
		if !strings.HasPrefix(kind, "AWS::EC2::") || !strings.HasSuffix(kind, "::Id") {
			continue
		}
		v := values[name]
		if p.fromSSM() {
			v = resolved[name]
		}
		if unknown(v) {
			continue
		}
		for _, id := range splitList(v) {
			if err := e.checkReferences(id); err != nil {
				return invalid("Parameter validation failed: parameter value %s for parameter name %s does not exist", id, name)
			}
		}
	}
	return nil
}

func (e *Engine) resolveSSM(t *template, values, resolved map[string]string) error {
	var missing []string
	for _, name := range keys(t.Parameters) {
		p := t.Parameters[name]
		if !p.fromSSM() && p.Type != "AWS::SSM::Parameter::Name" {
			continue
		}
		key := values[name]
		if unknown(key) {
			resolved[name] = knownAfterApply
			continue
		}
		v, ok := "", false
		if e.Parameter != nil {
			v, ok = e.Parameter(key, "")
		}
		if !ok {
			missing = append(missing, key)
			continue
		}
		if p.fromSSM() {
			resolved[name] = v
		}
	}
	if len(missing) > 0 {
		return invalid("Unable to fetch parameters [%s] from parameter store for this account.", strings.Join(missing, ","))
	}
	return nil
}

func (p parameter) check(name, value string) error {
	refuse := func(format string, args ...any) error {
		if p.Constraint != "" {
			return invalid("Parameter %s failed to satisfy constraint: %s", name, p.Constraint)
		}
		return invalid(format, args...)
	}
	if len(value) > maxParameterValue {
		return invalid("Parameter '%s' is %d bytes, more than the maximum of %d", name, len(value), maxParameterValue)
	}
	values := []string{value}
	if p.isList() && !p.fromSSM() {
		values = splitList(value)
	}
	for _, v := range values {
		if len(p.Allowed) > 0 && !slices.Contains(p.Allowed, v) {
			return refuse("Parameter '%s' must be one of AllowedValues", name)
		}
		if p.Pattern != "" {
			re, err := regexp.Compile("^(?:" + p.Pattern + ")$")
			if err == nil && !re.MatchString(v) {
				return refuse("Parameter '%s' must match pattern %s", name, p.Pattern)
			}
		}
		if p.MinLength != nil && float64(utf8.RuneCountInString(v)) < *p.MinLength {
			return refuse("Parameter '%s' must contain at least %v characters", name, *p.MinLength)
		}
		if p.MaxLength != nil && float64(utf8.RuneCountInString(v)) > *p.MaxLength {
			return refuse("Parameter '%s' must contain at most %v characters", name, *p.MaxLength)
		}
		if p.Type != "Number" && p.Type != "List<Number>" {
			continue
		}
		f := number(json.Number(v))
		switch {
		case f == nil:
			return refuse("Parameter '%s' must be a number", name)
		case p.MinValue != nil && *f < *p.MinValue:
			return refuse("Parameter '%s' must be a number not less than %v", name, *p.MinValue)
		case p.MaxValue != nil && *f > *p.MaxValue:
			return refuse("Parameter '%s' must be a number not greater than %v", name, *p.MaxValue)
		}
	}
	return nil
}

func splitList(s string) []string {
	parts := strings.Split(s, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// parameterValues are what Ref of each parameter gives: a string or a list.
// With mask, NoEcho values are hidden.
func (t *template) parameterValues(d *Deployment, mask bool) map[string]any {
	out := make(map[string]any, len(t.Parameters))
	for name, p := range t.Parameters {
		v := d.Parameters[name]
		if p.fromSSM() {
			v = d.Resolved[name]
		}
		if p.NoEcho && mask {
			v = maskedValue
		}
		if !p.isList() {
			out[name] = v
			continue
		}
		var list []any
		for _, s := range splitList(v) {
			list = append(list, s)
		}
		out[name] = list
	}
	return out
}

func (t *template) hasNoEcho() bool {
	for _, p := range t.Parameters {
		if p.NoEcho {
			return true
		}
	}
	return false
}
