package plan

import (
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
)

// touch is what a plan does to a resource that exists, as far as those care
// who read its attributes.
type touch struct {
	replaced   bool            // certainly or perhaps
	properties map[string]bool // top-level properties that change in place
	kind       string          // resource type
}

// touches sorts differences by resource. New resources are not among them:
// nobody can have read them before.
func touches(ds []cfn.Difference) map[string]*touch {
	out := map[string]*touch{}
	for _, d := range ds {
		if strings.Contains(d.Resource, ".") || d.Resource == "Transform" || (d.Path == "" && d.Kind == cfn.Add) {
			continue
		}
		t := out[d.Resource]
		if t == nil {
			t = &touch{properties: map[string]bool{}, kind: d.Type}
			out[d.Resource] = t
		}
		if d.Replace == awstype.Yes || d.Replace == awstype.Maybe || d.Path == "" {
			t.replaced = true
		}
		if path, ok := strings.CutPrefix(d.Path, "Properties."); ok {
			t.properties[awstype.Split(path)[0]] = true
		}
	}
	return out
}

// affected tells whether the value behind a reference may be another one
// after the plan.
func (st *stackState) affected(r logicalRef) bool {
	if st.mode == modeCreate {
		_, isResource := st.after.Resources[r.id]
		return isResource
	}
	if _, was := st.before.Resources[r.id]; !was {
		_, is := st.after.Resources[r.id]
		return is
	}
	return affects(st.touched[r.id], r.attribute)
}

func affects(t *touch, attribute string) bool {
	switch {
	case t == nil:
		return false
	case t.replaced:
		return true
	case attribute == "":
		return false // Ref is the identity, which an update in place keeps
	}
	return feeds(t.kind, attribute, t.properties)
}

// feeds tells whether a change of properties in place can move an attribute.
// Identifiers, ARNs and names that AWS gave stay; what is listed here moves,
// and so does an attribute with the name of the property. Of a type that AWS's
// data does not describe, nothing is known, so everything may move.
func feeds(typeName, attribute string, properties map[string]bool) bool {
	top, _, _ := strings.Cut(attribute, ".")
	if len(properties) == 0 {
		return false
	}
	if properties[top] {
		return true
	}
	switch typeName {
	case typeLaunchTemplate:
		// Every change of its data makes a new version.
		return strings.HasSuffix(attribute, "VersionNumber") && properties["LaunchTemplateData"]
	case "AWS::RDS::DBInstance", "AWS::RDS::DBCluster":
		return strings.HasSuffix(attribute, ".Port") && properties["Port"]
	case "AWS::CloudFormation::Stack":
		return top == "Outputs"
	}
	if _, known := awstype.Lookup(typeName); !known {
		return !(len(properties) == 1 && properties["Tags"])
	}
	return false
}
