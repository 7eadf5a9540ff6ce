package stackengine

import (
	"context"
	"strings"

	"reconcile/pkg/awstype"
)

// generic makes resources that are documents only: an id in AWS's form and the
// attributes that go with it.
type generic struct{ e *Engine }

var _ Provider = generic{}

// Create implements Provider.
func (g generic) Create(_ context.Context, r Resource) (Physical, error) {
	x := expander{g.e, r, "", nameOf(r)}
	f := formOf(r.Type)
	id := x.expand(f.id, "id")
	x.id = id
	p := Physical{ID: id, Attributes: map[string]string{}}
	for _, a := range keys(f.attrs) {
		p.Attributes[a] = x.expand(f.attrs[a], a)
	}
	t, _ := awstype.Lookup(r.Type)
	for _, a := range t.ReadOnly {
		if _, ok := p.Attributes[a]; ok || strings.Contains(a, "*") {
			continue
		}
		if v, ok := x.guess(t, a); ok {
			p.Attributes[a] = v
		}
	}
	return p, nil
}

// Update implements Provider. A launch template gets a new version.
func (g generic) Update(_ context.Context, old, r Resource) (Physical, error) {
	if g.e.State.Items[r.Type+"|"+r.PhysicalID] == nil { // somebody deleted it by hand
		return Physical{}, &HandlerError{Code: codeNotFound, Message: "Resource of type '" + r.Type + "' with identifier '" + r.PhysicalID + "' was not found."}
	}
	attrs := map[string]string{}
	for k, v := range old.Attributes {
		attrs[k] = v
	}
	if r.Type == "AWS::EC2::LaunchTemplate" && !equal(old.Properties["LaunchTemplateData"], r.Properties["LaunchTemplateData"]) {
		attrs["LatestVersionNumber"] = increment(attrs["LatestVersionNumber"])
	}
	return Physical{ID: r.PhysicalID, Attributes: attrs}, nil
}

// Delete implements Provider: there is nothing outside the engine's own list.
func (g generic) Delete(context.Context, Resource) error { return nil }

// Read implements Provider: the live document is what the engine keeps.
func (g generic) Read(_ context.Context, r Resource) (map[string]any, error) {
	return r.Properties, nil
}

// formOf returns the form of a type; types that are not in the table follow
// their primary identifier.
func formOf(typeName string) form {
	if f, ok := forms[typeName]; ok {
		return f
	}
	t, ok := awstype.Lookup(typeName)
	if !ok || len(t.Identifier) == 0 {
		return form{id: "{name}"}
	}
	parts := make([]string, len(t.Identifier))
	for i, p := range t.Identifier {
		switch {
		case !t.Computed(p):
			parts[i] = "{." + p + "}"
			if len(t.Identifier) == 1 {
				parts[i] = "{name}"
			}
		case strings.HasSuffix(strings.ToLower(p), "arn"):
			parts[i] = awsARN + serviceOf(typeName) + ":{region}:{account}:" + kindOf(typeName) + "/{name}"
		case strings.HasSuffix(p, "Id"):
			parts[i] = kindOf(typeName) + "-{hex17}"
		default:
			parts[i] = "{name}"
		}
	}
	return form{id: strings.Join(parts, "|")}
}

func serviceOf(typeName string) string {
	parts := strings.Split(typeName, "::")
	return strings.ToLower(parts[min(1, len(parts)-1)])
}

func kindOf(typeName string) string {
	parts := strings.Split(typeName, "::")
	return strings.ToLower(parts[len(parts)-1])
}

// hasAttribute tells whether Fn::GetAtt knows the attribute. AWS returns any
// property of a registry type, not only the documented ones (LocalStack's
// recordings: Topic.DisplayName, Parameter.Value).
func hasAttribute(typeName, attribute string) bool {
	if _, ok := forms[typeName].attrs[attribute]; ok {
		return true
	}
	if typeName == stackType {
		return strings.HasPrefix(attribute, "Outputs.")
	}
	t, ok := awstype.Lookup(typeName)
	if !ok {
		return false
	}
	first, _, _ := strings.Cut(attribute, ".")
	for _, p := range t.Properties {
		if p == first {
			return true
		}
	}
	return t.Computed(attribute)
}

// nameOf is the resource's explicit name, or the generated one.
func nameOf(r Resource) string {
	if n, ok := explicitName(r.Type, r.Properties); ok {
		return n
	}
	return r.GeneratedName
}

// explicitName is the name that the properties give a resource, if any.
func explicitName(typeName string, props map[string]any) (string, bool) {
	t, ok := awstype.Lookup(typeName)
	if !ok {
		return "", false
	}
	property := t.NameProperty
	if property == "" && len(t.Identifier) == 1 && !t.Computed(t.Identifier[0]) && !strings.Contains(t.Identifier[0], ".") {
		property = t.Identifier[0]
	}
	if property == "" {
		return "", false
	}
	if refersToParent[typeName] {
		return "", false
	}
	n, ok := text(props[property])
	return n, ok && n != ""
}

// refersToParent are types whose identifier is another resource's: it names no
// resource of its own.
var refersToParent = map[string]bool{
	"AWS::S3::BucketPolicy":                         true,
	"AWS::AutoScaling::WarmPool":                    true,
	"AWS::ECS::ClusterCapacityProviderAssociations": true,
}

// scopeOf is within what a name is unique: the account, or another resource.
// From the resource reference: hooks and policies belong to their group, group
// names to their VPC, services to their cluster, filters to their log group.
func scopeOf(typeName string, props map[string]any) string {
	for _, p := range scopes[typeName] {
		if s, ok := text(props[p]); ok {
			return s
		}
	}
	return ""
}

var scopes = map[string][]string{
	"AWS::ApplicationAutoScaling::ScalingPolicy": {"ScalingTargetId", "ResourceId"},
	"AWS::AutoScaling::LifecycleHook":            {"AutoScalingGroupName"},
	"AWS::AutoScaling::ScalingPolicy":            {"AutoScalingGroupName"},
	"AWS::EC2::SecurityGroup":                    {"VpcId"},
	"AWS::ECS::Service":                          {"Cluster"},
	"AWS::Events::Rule":                          {"EventBusName"},
	"AWS::Lambda::Alias":                         {"FunctionName"},
	"AWS::Logs::LogStream":                       {"LogGroupName"},
	"AWS::Logs::MetricFilter":                    {"LogGroupName"},
	"AWS::WAFv2::WebACL":                         {"Scope"},
}
