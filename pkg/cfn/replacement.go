package cfn

import (
	"strings"

	"reconcile/pkg/awstype"
)

// replacement predicts what a difference of an existing resource does.
func replacement(t awstype.Type, known bool, d Difference, before, after Resource) awstype.Replace {
	path, ok := strings.CutPrefix(d.Path, "Properties.")
	if !ok {
		return awstype.No
	}
	if !known {
		// Nobody told us what this type does; its tags at least never replace it.
		if path == "Tags" || strings.HasPrefix(path, "Tags[") || strings.HasPrefix(path, "Tags.") {
			return awstype.No
		}
		return awstype.Maybe
	}
	answer := byPattern(t, path, d)
	if answer == awstype.Maybe {
		top := awstype.Split(path)[0]
		for _, c := range conditions {
			if c.typeName == t.Name && c.property == top {
				return c.decide(before, after)
			}
		}
	}
	return answer
}

// byPattern asks the life-cycle table. A whole object that comes or goes counts
// by the create-only properties that it holds.
func byPattern(t awstype.Type, path string, d Difference) awstype.Replace {
	yes := awstype.Yes
	if d.Unknown {
		yes = awstype.Maybe // the value may turn out to be the old one
	}
	switch t.Replacement(path) {
	case awstype.Yes:
		return yes
	case awstype.No:
		return awstype.No
	}
	for _, p := range t.ConditionalCreateOnly {
		if awstype.Split(path)[0] == strings.Split(p, ".")[0] {
			return awstype.Maybe
		}
	}
	at := awstype.Split(path)
	for _, p := range t.CreateOnly {
		pattern := strings.Split(p, ".")
		if len(pattern) <= len(at) {
			continue
		}
		if holds(d.Before, pattern[len(at):]) || holds(d.After, pattern[len(at):]) {
			return yes
		}
	}
	return awstype.No
}

func holds(v any, pattern []string) bool {
	if isIntrinsic(v) {
		return true
	}
	if len(pattern) == 0 {
		return v != nil
	}
	switch v := v.(type) {
	case map[string]any:
		if pattern[0] == "*" {
			for _, e := range v {
				if holds(e, pattern[1:]) {
					return true
				}
			}
			return false
		}
		e, ok := v[pattern[0]]
		return ok && holds(e, pattern[1:])
	case []any:
		for _, e := range v {
			if pattern[0] == "*" && holds(e, pattern[1:]) {
				return true
			}
		}
	}
	return false
}

// Routine tells whether replacing a resource of this type is its normal way of
// changing and loses nothing: the old revision stays until nobody uses it.
func Routine(typeName string) bool {
	switch typeName {
	case "AWS::ECS::TaskDefinition", "AWS::Lambda::Version", "AWS::Lambda::Permission":
		return true
	}
	return false
}

// Named is a replacement that cannot succeed, because the new resource would
// be created under the name that the old one still has.
type Named struct {
	Resource string
	Type     string
	Property string   // that gives the name
	Name     string   // the unchanged name
	Paths    []string // what forces the replacement
}

// NamedReplacements lists the replacements among ds, the result of
// Diff(before, after), that keep their resource's explicit name.
func NamedReplacements(before, after Template, ds []Difference) []Named {
	var out []Named
	for _, d := range ds {
		if d.Replace != awstype.Yes || d.Path == "Type" {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Resource == d.Resource {
			out[n-1].Paths = append(out[n-1].Paths, d.Path)
			continue
		}
		property := occupies(d, ds)
		if property == "" {
			continue
		}
		old := before.Resources[d.Resource].Properties[property]
		name, literal := after.Resources[d.Resource].Properties[property].(string)
		if !literal || !sameScalar(old, name) {
			continue
		}
		out = append(out, Named{d.Resource, d.Type, property, name, []string{d.Path}})
	}
	return out
}

// occupies is the property that a replacement must find free: the explicit
// name, or the range of a subnet that stays in its VPC.
func occupies(d Difference, all []Difference) string {
	if d.Type == "AWS::EC2::Subnet" {
		for _, other := range all {
			if other.Resource == d.Resource && other.Path == "Properties.VpcId" {
				return ""
			}
		}
		return "CidrBlock"
	}
	t, ok := awstype.Lookup(d.Type)
	if !ok {
		return ""
	}
	return t.NameProperty
}
