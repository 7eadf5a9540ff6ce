package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
)

// selfPrefix marks references to the stack's own resources while templates
// are compared; no stack name starts so.
const selfPrefix = "."

// compare finds what differs between the deployed template and the wanted
// one, and what else changes because of it: whoever reads an attribute that
// may move gets a difference of his own, unknown until apply, as
// CloudFormation will announce it.
func (st *stackState) compare() []cfn.Difference {
	before := withParameters(st.before, st.deployed())
	after := withParameters(st.after, st.effective())
	ds := cfn.Diff(before, after)
	moved := map[logicalRef]bool{}
	for {
		st.touched = touches(ds)
		next, more := st.rewrite(after, moved)
		if !more {
			break
		}
		ds = cfn.Diff(before, next)
	}
	st.named = cfn.NamedReplacements(before, after, ds)
	for i := range ds {
		ds[i].Before, ds[i].After = restore(ds[i].Before), restore(ds[i].After)
	}
	return ds
}

// rewrite puts open references in the place of those to moved attributes; it
// tells whether there was one that is not yet in moved.
func (st *stackState) rewrite(t cfn.Template, moved map[logicalRef]bool) (cfn.Template, bool) {
	more := false
	var change func(v any) any
	change = func(v any) any {
		switch v := v.(type) {
		case []any:
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = change(e)
			}
			return out
		case map[string]any:
			refs, ok := asLogical(v)
			for _, r := range refs {
				if !ok || !(affects(st.touched[r.id], r.attribute) || st.parameterMoves(t, r.id) || st.behind && r.attribute == latestVersion) {
					continue
				}
				if !moved[r] {
					moved[r] = true
					more = true
				}
				return cfn.StackOutput(selfPrefix, canonical(v))
			}
			out := make(map[string]any, len(v))
			for k, e := range v {
				out[k] = change(e)
			}
			return out
		}
		return v
	}
	if len(st.touched) == 0 && len(t.Parameters) == 0 && !st.behind {
		return t, false
	}
	resources := make(map[string]cfn.Resource, len(t.Resources))
	for id, r := range t.Resources {
		if r.Properties != nil {
			r.Properties, _ = change(r.Properties).(map[string]any)
		}
		resources[id] = r
	}
	t.Resources = resources
	return t, more
}

// restore puts the expressions back that rewrite and withParameters took out.
func restore(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = restore(e)
		}
		return out
	case map[string]any:
		if r, ok := cfn.AsRef(v); ok && r.Stack == selfPrefix {
			var e any
			if json.Unmarshal([]byte(r.Output), &e) == nil {
				return e
			}
			return r.Output
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = restore(e)
		}
		return out
	}
	return v
}

// withParameters puts the values of template parameters in the place of their
// Refs, so that the comparison shows what they change. Values that AWS hides
// stay references.
func withParameters(t cfn.Template, values map[string]any) cfn.Template {
	if len(t.Parameters) == 0 || len(values) == 0 {
		return t
	}
	var change func(v any) any
	change = func(v any) any {
		switch v := v.(type) {
		case []any:
			out := make([]any, len(v))
			for i, e := range v {
				out[i] = change(e)
			}
			return out
		case map[string]any:
			if id, ok := v["Ref"].(string); ok && len(v) == 1 {
				if value, ok := values[id]; ok && plain(t.Parameters[id]) {
					return value
				}
			}
			out := make(map[string]any, len(v))
			for k, e := range v {
				out[k] = change(e)
			}
			return out
		}
		return v
	}
	resources := make(map[string]cfn.Resource, len(t.Resources))
	for id, r := range t.Resources {
		if r.Properties != nil {
			r.Properties, _ = change(r.Properties).(map[string]any)
		}
		resources[id] = r
	}
	t.Resources = resources
	return t
}

// plain tells whether a parameter's value is what its Ref gives, and may be shown.
func plain(declaration any) bool {
	m, _ := declaration.(map[string]any)
	typ, _ := m["Type"].(string)
	return (typ == "String" || typ == "Number" || strings.HasPrefix(typ, "AWS::EC2::")) && !hidden(declaration)
}

// hidden tells whether a template parameter is NoEcho.
func hidden(declaration any) bool {
	m, _ := declaration.(map[string]any)
	switch v := m["NoEcho"].(type) {
	case bool:
		return v
	case string:
		return strings.EqualFold(v, "true")
	}
	return false
}

// deployed are the values that the template's parameters have in AWS.
func (st *stackState) deployed() map[string]any {
	given := map[string]any{}
	for name, v := range st.live.Parameters {
		given[name] = v
	}
	return withDefaults(st.before, given)
}

// effective are the values that they will have.
func (st *stackState) effective() map[string]any { return withDefaults(st.after, st.parameters) }

// withDefaults fills in the defaults of parameters that are not given.
func withDefaults(t cfn.Template, given map[string]any) map[string]any {
	out := make(map[string]any, len(t.Parameters))
	for name, declaration := range t.Parameters {
		if v, ok := given[name]; ok {
			out[name] = v
		} else if m, ok := declaration.(map[string]any); ok && m["Default"] != nil {
			out[name] = text(m["Default"])
		}
	}
	return out
}

// text is the form of a scalar that CloudFormation keeps for a parameter.
func text(v any) any {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// parameterMoves tells whether id is a template parameter that gets another
// value. A hidden one may always.
func (st *stackState) parameterMoves(t cfn.Template, id string) bool {
	declaration, ok := t.Parameters[id]
	if !ok {
		return false
	}
	return hidden(declaration) || canonical(st.deployed()[id]) != canonical(st.effective()[id])
}

// changes turns differences into a plan's changes.
func (st *stackState) changes(ds []cfn.Difference) []Change {
	out := make([]Change, 0, len(ds))
	for _, d := range ds {
		ch := Change{
			Stack: st.spec.Name, Resource: d.Resource, Type: d.Type, Path: d.Path,
			Before: d.Before, After: d.After, Document: d.Document, Unknown: d.Unknown, Sensitive: d.Sensitive,
			Source: st.spec.SourceOf(d.Resource, d.Path),
		}
		if st.live != nil {
			ch.Physical = st.live.Resources[d.Resource].PhysicalID
		}
		switch {
		case d.Path == "" && d.Kind == cfn.Add:
			ch.Action = ActionCreate
		case d.Path == "" && d.Kind == cfn.Remove:
			ch.Action = ActionDelete
			ch.Retained = retained(st.before.Resources[d.Resource].DeletionPolicy)
		default:
			ch.Action, ch.Replace = ActionUpdate, Replace(d.Replace)
			if d.Replace == awstype.Yes || d.Replace == awstype.Maybe {
				ch.Action = ActionReplace
			}
		}
		out = append(out, ch)
	}
	return out
}

// retained tells whether deleting a resource keeps the thing itself.
func retained(policy string) bool {
	return policy == "Retain" || policy == "RetainExceptOnCreate"
}
