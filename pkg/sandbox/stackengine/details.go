package stackengine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
)

// details says why a resource changes: without property values one entry per
// property and cause, with them one per path and cause.
func (c *comparison) details(r *StackResource, n *node, before, after map[string]any) []ChangeDetail {
	t, _ := awstype.Lookup(n.Type)
	var out []ChangeDetail
	for _, d := range differences("", before, after) {
		for _, cause := range c.causes(n, d) {
			out = c.add(out, c.detail(t, d, cause))
		}
	}
	if !c.values {
		for _, detail := range c.dynamic(t, n) {
			out = c.add(out, detail)
		}
	}
	if n.Type == stackType && !c.nest.quiet(r.LogicalID) {
		out = c.add(out, nestedChange())
	}
	return append(out, c.attributes(t, r, n)...)
}

// add appends a detail. Without property values it has no path and is told
// once; of two that differ in RequiresRecreation the more impactful stays.
func (c *comparison) add(list []ChangeDetail, d ChangeDetail) []ChangeDetail {
	if c.values {
		return append(list, d)
	}
	d.Path, d.Kind, d.Before, d.After = "", "", nil, nil
	d.From, d.DriftBefore, d.DriftActual = "", nil, nil
	for i, have := range list {
		if have.Name != d.Name || have.Attribute != d.Attribute || have.Source != d.Source || have.Causing != d.Causing || have.Evaluation != d.Evaluation {
			continue
		}
		if impact(d.Recreation) > impact(have.Recreation) {
			list[i].Recreation = d.Recreation
		}
		return list
	}
	return append(list, d)
}

func impact(recreation string) int {
	return slices.Index([]string{"Never", "Conditionally", "Always"}, recreation)
}

// cause is why a value differs.
type cause struct{ source, causing, evaluation string }

var (
	directly    = cause{"DirectModification", "", "Static"}
	dynamically = cause{"DirectModification", "", "Dynamic"}
)

func (c *comparison) causes(n *node, d difference) []cause {
	var parameters, resources []cause
	c.eachReference(rawAt(n.props, d.path), func(r reference, isParameter bool) {
		switch {
		case isParameter:
			if c.params[r.logical] {
				parameters = append(parameters, cause{"ParameterReference", r.logical, "Static"})
			}
		case c.fate[r.logical] == fateReplaced:
			resources = append(resources, r.cause("Static"))
		case c.fate[r.logical] == fateMaybe:
			resources = append(resources, r.cause("Dynamic"))
		}
	})
	out := append(parameters, resources...)
	switch {
	case len(resources) > 0 && c.values, len(parameters) > 0 && !c.values:
		out = append(out, dynamically)
	case len(out) > 0:
	case unknown(d.after):
		out = append(out, dynamically)
	default:
		out = append(out, directly)
	}
	return dedupe(out)
}

func dedupe(list []cause) []cause {
	var out []cause
	for _, c := range list {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

func (r reference) cause(evaluation string) cause {
	if r.attribute == "" {
		return cause{"ResourceReference", r.logical, evaluation}
	}
	return cause{"ResourceAttribute", r.logical + "." + r.attribute, evaluation}
}

// dynamic lists the properties that read an attribute of a resource that
// changes in place: whether the attribute moves shows only in the execution.
func (c *comparison) dynamic(t awstype.Type, n *node) []ChangeDetail {
	var out []ChangeDetail
	for _, top := range keys(n.props) {
		c.eachReference(n.props[top], func(r reference, isParameter bool) {
			if isParameter || r.attribute == "" || c.fate[r.logical] != fateChanged {
				return
			}
			d := c.detail(t, difference{path: top}, r.cause("Dynamic"))
			out = append(out, d)
		})
	}
	return out
}

func (c *comparison) eachReference(raw any, f func(r reference, isParameter bool)) {
	// The program's references were checked when it was compiled.
	_ = walkReferences(raw, func(r reference, isGetAtt bool) error {
		_, isParameter := c.next.params[r.logical]
		if _, isResource := c.next.nodes[r.logical]; isResource || isParameter && !isGetAtt {
			f(r, isParameter && !isGetAtt)
		}
		return nil
	})
}

func (c *comparison) detail(t awstype.Type, d difference, why cause) ChangeDetail {
	out := ChangeDetail{
		Attribute: "Properties", Name: d.top(), Path: d.pointer(), Kind: d.kind(),
		Recreation: recreation(t, d.path), Evaluation: why.evaluation, Source: why.source, Causing: why.causing,
	}
	if t.TagProperty != "" && out.Name == t.TagProperty {
		out.Attribute, out.Name = "Tags", ""
	}
	if d.before != nil {
		out.Before = ptr(c.show(d.before))
	}
	if d.after != nil {
		out.After = ptr(c.show(d.after))
	}
	return out
}

// show is a value as BeforeValue and AfterValue have it.
func (c *comparison) show(v any) string {
	v = mask(v, c.hidden)
	if s, ok := text(v); ok {
		return s
	}
	return string(compact(v))
}

// attributes lists changes of a resource's attributes other than properties.
// That a changed policy alone is a change: measured 2026-09-02
// (ministackorg/ministack #1646); a changed DependsOn alone is none.
func (c *comparison) attributes(t awstype.Type, r *StackResource, n *node) []ChangeDetail {
	var out []ChangeDetail
	add := func(attribute string, changed bool) {
		if changed {
			out = append(out, ChangeDetail{Attribute: attribute, Recreation: "Never", Evaluation: "Static", Source: "DirectModification"})
		}
	}
	if t.TagProperty != "" && !maps.Equal(r.Tags, c.target.Tags) {
		out = append(out, ChangeDetail{Attribute: "Tags", Recreation: recreation(t, t.TagProperty), Evaluation: "Static", Source: "DirectModification"})
	}
	var metadata json.RawMessage
	if n.Metadata != nil {
		metadata = compact(n.Metadata)
	}
	add("Metadata", !sameJSON(r.Metadata, metadata))
	add("DeletionPolicy", r.Delete != n.Delete)
	add("UpdateReplacePolicy", r.Replace != n.Replace)
	if c.old != nil && c.old.nodes[r.LogicalID] != nil {
		was := c.old.nodes[r.LogicalID]
		add("CreationPolicy", !equal(was.Creation, n.Creation))
		add("UpdatePolicy", !equal(was.Update, n.Update))
	}
	return out
}

// rawAt walks down a template value along a path, until the path ends or a
// function hides what is below.
func rawAt(v any, path string) any {
	for path != "" {
		if _, _, ok := function(v); ok {
			return v
		}
		var segment string
		segment, path = cutSegment(path)
		switch x := v.(type) {
		case map[string]any:
			v = x[segment]
		case []any:
			i := indexOf(segment)
			if i < 0 || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return v
		}
	}
	return v
}

func cutSegment(path string) (segment, rest string) {
	path = strings.TrimPrefix(path, ".")
	if quoted, ok := strings.CutPrefix(path, `["`); ok {
		segment, rest, _ = strings.Cut(quoted, `"]`)
		return segment, rest
	}
	if strings.HasPrefix(path, "[") {
		segment, rest, _ = strings.Cut(path[1:], "]")
		return segment, rest
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return path, ""
	}
	return path[:end], path[end:]
}

func indexOf(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > 1e6 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// mask hides NoEcho values: a whole text that is one, and longer ones within a text.
func mask(v any, hidden []string) any {
	if len(hidden) == 0 {
		return v
	}
	switch v := v.(type) {
	case string:
		for _, h := range hidden {
			if v == h {
				return maskedValue
			}
			if len(h) >= 4 {
				v = strings.ReplaceAll(v, h, maskedValue)
			}
		}
		return v
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = mask(x, hidden)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = mask(x, hidden)
		}
		return list
	}
	return v
}
