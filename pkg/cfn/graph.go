package cfn

import (
	"sort"
	"strings"
)

// Dependent is one place that refers to a resource of the same template.
type Dependent struct {
	Resource  string // logical id that refers, or "Outputs.X"
	Path      string // where, "Properties.X"; "Value" in an output; "DependsOn"
	Attribute string // "Ref", the attribute of Fn::GetAtt, or empty for DependsOn
}

// Dependents lists, for each logical id that is referred to, who refers to it
// and by which attribute (Ref, Fn::GetAtt, Fn::Sub, DependsOn), sorted by
// resource, path and attribute. Parameters and pseudo parameters are no
// resources and not listed.
func (t Template) Dependents() map[string][]Dependent {
	out := make(map[string][]Dependent)
	t.eachReference(func(d Dependent, target string) {
		if _, ok := t.Resources[target]; ok {
			out[target] = append(out[target], d)
		}
	})
	for id := range out {
		ds := out[id]
		sort.Slice(ds, func(i, j int) bool {
			a, b := ds[i], ds[j]
			if a.Resource != b.Resource {
				return a.Resource < b.Resource
			}
			if a.Path != b.Path {
				return a.Path < b.Path
			}
			return a.Attribute < b.Attribute
		})
	}
	return out
}

// Dependencies lists, for each resource, the resources of the template that
// must exist before it, sorted, each once. Every resource has an entry.
func (t Template) Dependencies() map[string][]string {
	needs := make(map[string]map[string]bool, len(t.Resources))
	for id := range t.Resources {
		needs[id] = make(map[string]bool)
	}
	t.eachReference(func(d Dependent, target string) {
		if _, ok := t.Resources[target]; ok && needs[d.Resource] != nil && target != d.Resource {
			needs[d.Resource][target] = true
		}
	})
	out := make(map[string][]string, len(needs))
	for id, set := range needs {
		out[id] = sortedKeys(set)
	}
	return out
}

func (t Template) eachReference(visit func(d Dependent, target string)) {
	for _, id := range t.LogicalIDs() {
		r := t.Resources[id]
		for _, other := range r.DependsOn {
			visit(Dependent{Resource: id, Path: "DependsOn"}, other)
		}
		references(id, place{path: "Properties"}, r.Properties, visit)
		references(id, place{path: "UpdatePolicy"}, r.UpdatePolicy, visit)
		references(id, place{path: "Metadata"}, r.Metadata, visit)
	}
	for _, name := range sortedKeys(t.Outputs) {
		references("Outputs."+name, place{path: "Value"}, t.Outputs[name].Value, visit)
	}
}

func references(resource string, p place, v any, visit func(Dependent, string)) {
	switch v := v.(type) {
	case map[string]any:
		if isIntrinsic(v) {
			intrinsicReferences(resource, p, v, visit)
			return
		}
		for _, k := range sortedKeys(v) {
			references(resource, p.key(k), v[k], visit)
		}
	case []any:
		for _, e := range v {
			references(resource, p, e, visit)
		}
	}
}

// intrinsicReferences keeps the path of the property in which the function stands.
func intrinsicReferences(resource string, p place, m map[string]any, visit func(Dependent, string)) {
	for name, arg := range m {
		switch name {
		case "Ref":
			if id, ok := arg.(string); ok {
				visit(Dependent{resource, p.path, "Ref"}, id)
			}
		case "Fn::GetAtt":
			if parts, ok := simplify(m).(map[string]any)["Fn::GetAtt"].([]any); ok && len(parts) == 2 {
				id, _ := parts[0].(string)
				attribute, _ := parts[1].(string)
				visit(Dependent{resource, p.path, attribute}, id)
			}
		case "Fn::Sub":
			body, own := arg, map[string]any(nil)
			if parts, ok := arg.([]any); ok && len(parts) == 2 {
				body = parts[0]
				own, _ = parts[1].(map[string]any)
			}
			for _, k := range sortedKeys(own) {
				references(resource, p, own[k], visit)
			}
			s, _ := body.(string)
			subReferences(resource, p, s, own, visit)
		default:
			nested(resource, p, arg, visit)
		}
	}
}

// nested visits the arguments of a function without lengthening the path.
func nested(resource string, p place, v any, visit func(Dependent, string)) {
	switch v := v.(type) {
	case map[string]any:
		if isIntrinsic(v) {
			intrinsicReferences(resource, p, v, visit)
			return
		}
		for _, k := range sortedKeys(v) {
			nested(resource, p, v[k], visit)
		}
	case []any:
		for _, e := range v {
			nested(resource, p, e, visit)
		}
	}
}

// subReferences reads ${Name} and ${Name.Attribute}; ${!Name} is literal text.
func subReferences(resource string, p place, s string, own map[string]any, visit func(Dependent, string)) {
	for {
		_, rest, ok := strings.Cut(s, "${")
		if !ok {
			return
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return
		}
		s = after
		if _, mine := own[name]; mine || strings.HasPrefix(name, "!") {
			continue
		}
		id, attribute, isAttribute := strings.Cut(strings.TrimSpace(name), ".")
		if !isAttribute {
			attribute = "Ref"
		}
		visit(Dependent{resource, p.path, attribute}, id)
	}
}
