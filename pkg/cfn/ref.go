package cfn

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
)

// refKey marks an open reference in a property tree. CloudFormation would
// refuse it, so an unresolved reference can never be deployed by accident.
const refKey = "Reconcile::Ref"

// Self is the stack name of a reference to the template's own resources, whose
// Output is the intrinsic function as canonical JSON. It marks a value that
// will move while templates are compared, and is never deployed.
const Self = "."

// Ref is a value that lives outside the template: an output of another stack,
// or the value of an SSM parameter. Exactly one of the two is set. The plan
// resolves it to a literal, or calls it unknown until apply.
type Ref struct {
	Stack     string // stack name, with Output
	Output    string
	Parameter string // SSM parameter name
}

// StackOutput is the tree form of a reference to another stack's output.
func StackOutput(stack, output string) any {
	return Ref{Stack: stack, Output: output}.value()
}

// ParameterValue is the tree form of a reference to an SSM parameter's value.
func ParameterValue(name string) any {
	return Ref{Parameter: name}.value()
}

func (r Ref) value() any {
	if r.Parameter != "" {
		return map[string]any{refKey: "parameter " + r.Parameter}
	}
	return map[string]any{refKey: "output " + r.Stack + " " + r.Output}
}

// String names the reference for people: "bp-network.VpcId" or "ssm:/bp/x".
func (r Ref) String() string {
	if r.Parameter != "" {
		return "ssm:" + r.Parameter
	}
	return r.Stack + "." + r.Output
}

// AsRef tells whether v is an open reference.
func AsRef(v any) (Ref, bool) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return Ref{}, false
	}
	s, ok := m[refKey].(string)
	if !ok {
		return Ref{}, false
	}
	switch kind, rest, _ := strings.Cut(s, " "); kind {
	case "parameter":
		return Ref{Parameter: rest}, true
	case "output":
		stack, output, ok := strings.Cut(rest, " ")
		return Ref{Stack: stack, Output: output}, ok
	}
	return Ref{}, false
}

// Refs lists the open references of a value tree, sorted, each once. It
// accepts a Template, a Resource or any property value.
func Refs(v any) []Ref {
	seen := map[Ref]bool{}
	collectRefs(v, seen)
	refs := make([]Ref, 0, len(seen))
	for r := range seen {
		refs = append(refs, r)
	}
	sort.Slice(refs, func(i, j int) bool { return refs[i].String() < refs[j].String() })
	return refs
}

func collectRefs(v any, seen map[Ref]bool) {
	switch v := v.(type) {
	case Template:
		for _, r := range v.Resources {
			collectMap(r.Properties, seen)
			collectMap(r.UpdatePolicy, seen)
		}
		for _, o := range v.Outputs {
			collectRefs(o.Value, seen)
		}
	case Resource:
		collectMap(v.Properties, seen)
		collectMap(v.UpdatePolicy, seen)
	case map[string]any:
		collectMap(v, seen)
	case []any:
		for _, e := range v {
			collectRefs(e, seen)
		}
	}
}

func collectMap(m map[string]any, seen map[Ref]bool) {
	if r, ok := AsRef(m); ok {
		seen[r] = true
		return
	}
	for _, e := range m {
		collectRefs(e, seen)
	}
}

// Resolve returns a property value in which every reference that lookup knows
// is a literal, and joins that became literal are folded. Unknown references
// stay open. What has no such reference is shared with v, not copied.
func Resolve(v any, lookup func(Ref) (string, bool)) any {
	out, _ := resolve(v, lookup)
	return out
}

// resolve tells whether its result differs from v.
func resolve(v any, lookup func(Ref) (string, bool)) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		if r, ok := AsRef(v); ok {
			s, ok := lookup(r)
			if !ok {
				return v, false
			}
			return s, true
		}
		if out, changed := resolveMap(v, lookup); changed {
			return fold(out), true
		}
	case []any:
		var out []any
		for i, e := range v {
			r, changed := resolve(e, lookup)
			if changed && out == nil {
				out = slices.Clone(v)
			}
			if changed {
				out[i] = r
			}
		}
		if out != nil {
			return out, true
		}
	}
	return v, false
}

func resolveMap(m map[string]any, lookup func(Ref) (string, bool)) (map[string]any, bool) {
	var out map[string]any
	for k, e := range m {
		r, changed := resolve(e, lookup)
		if changed && out == nil {
			out = maps.Clone(m)
		}
		if changed {
			out[k] = r
		}
	}
	return out, out != nil
}

// ResolveTemplate is Resolve over everything of a template that deploys.
func ResolveTemplate(t Template, lookup func(Ref) (string, bool)) Template {
	out := t
	out.Resources = make(map[string]Resource, len(t.Resources))
	for id, r := range t.Resources {
		if m, changed := resolveMap(r.Properties, lookup); changed {
			r.Properties = m
		}
		if m, changed := resolveMap(r.UpdatePolicy, lookup); changed {
			r.UpdatePolicy = m
		}
		out.Resources[id] = r
	}
	if t.Outputs != nil {
		out.Outputs = make(map[string]Output, len(t.Outputs))
		for name, o := range t.Outputs {
			o.Value = Resolve(o.Value, lookup)
			out.Outputs[name] = o
		}
	}
	return out
}

// Join concatenates parts (strings, intrinsics, open references) into one
// string value. Adjacent literals are merged, so that equal text has one form.
func Join(parts ...any) any {
	return fold(map[string]any{"Fn::Join": []any{"", append([]any{}, parts...)}})
}

// fold turns {"Fn::Join": ["", [...]]} into its shortest equal form.
func fold(m map[string]any) any {
	if len(m) != 1 {
		return m
	}
	args, ok := m["Fn::Join"].([]any)
	if !ok || len(args) != 2 || args[0] != "" {
		return m
	}
	parts, ok := args[1].([]any)
	if !ok {
		return m
	}
	var out []any
	for _, p := range flatten(parts) {
		s, isText := p.(string)
		if isText && len(out) > 0 {
			if last, ok := out[len(out)-1].(string); ok {
				out[len(out)-1] = last + s
				continue
			}
		}
		if isText && s == "" {
			continue
		}
		out = append(out, p)
	}
	switch {
	case len(out) == 0:
		return ""
	case len(out) == 1:
		if _, ok := out[0].(string); ok {
			return out[0]
		}
	}
	return map[string]any{"Fn::Join": []any{"", out}}
}

// flatten inlines nested joins on the empty delimiter.
func flatten(parts []any) []any {
	var out []any
	for _, p := range parts {
		if m, ok := p.(map[string]any); ok && len(m) == 1 {
			if args, ok := m["Fn::Join"].([]any); ok && len(args) == 2 && args[0] == "" {
				if inner, ok := args[1].([]any); ok {
					out = append(out, flatten(inner)...)
					continue
				}
			}
		}
		out = append(out, p)
	}
	return out
}

// LogicalRef is {"Ref": id}: another resource, or a pseudo parameter.
func LogicalRef(id string) any { return map[string]any{"Ref": id} }

// GetAtt is {"Fn::GetAtt": [id, attribute]}.
func GetAtt(id, attribute string) any {
	return map[string]any{"Fn::GetAtt": []any{id, attribute}}
}

// ErrOpen is returned where a value must be literal and a reference is open.
type ErrOpen struct{ Refs []Ref }

func (e *ErrOpen) Error() string {
	names := make([]string, len(e.Refs))
	for i, r := range e.Refs {
		names[i] = r.String()
	}
	return fmt.Sprintf("unresolved references: %s", strings.Join(names, ", "))
}
