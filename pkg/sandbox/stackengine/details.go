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
func (c *comparison) details(id string, r *StackResource, n *node, before, after map[string]any) (plain, values []ChangeDetail) {
	t, _ := awstype.Lookup(n.Type)
	for _, d := range differences("", before, after) {
		for _, cause := range c.causes(id, n, d) {
			detail := c.detail(t, d, cause)
			if cause.in != inPlain {
				values = append(values, detail)
			}
			if cause.in != inValues {
				plain = addPlain(plain, detail)
			}
		}
	}
	for _, detail := range c.dynamic(t, n) {
		plain = addPlain(plain, detail)
	}
	attributes := c.attributes(t, r, n)
	return append(plain, attributes...), append(values, attributes...)
}

// addPlain adds a detail without path and values, once; of two that differ in
// RequiresRecreation the more impactful stays.
func addPlain(list []ChangeDetail, d ChangeDetail) []ChangeDetail {
	d.Path, d.Kind, d.Before, d.After = "", "", nil, nil
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

// cause is why a value differs, and in which of the two views it is told.
type cause struct {
	source, causing, evaluation string
	in                          int
}

const (
	inBoth = iota
	inPlain
	inValues
)

func (c *comparison) causes(id string, n *node, d difference) []cause {
	var out []cause
	raw := rawAt(n.props, d.path)
	beside := false
	c.eachReference(raw, func(r reference, isParameter bool) {
		switch {
		case isParameter:
			if c.params[r.logical] {
				out = append(out, cause{"ParameterReference", r.logical, "Static", inBoth})
				if !beside {
					out = append(out, cause{"DirectModification", "", "Dynamic", inPlain})
					beside = true
				}
			}
		case c.fate[r.logical] == fateReplaced || c.fate[r.logical] == fateMaybe:
			evaluation := "Static"
			if c.fate[r.logical] == fateMaybe {
				evaluation = "Dynamic"
			}
			out = append(out, r.cause(evaluation, inBoth))
		}
	})
	if slices.ContainsFunc(out, func(c cause) bool { return strings.HasPrefix(c.source, "Resource") }) {
		return append(out, cause{"DirectModification", "", "Dynamic", inValues})
	}
	if len(out) > 0 {
		return dedupe(out)
	}
	if unknown(d.after) {
		return []cause{{"DirectModification", "", "Dynamic", inBoth}}
	}
	return []cause{{"DirectModification", "", "Static", inBoth}}
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

func (r reference) cause(evaluation string, in int) cause {
	if r.attribute == "" {
		return cause{"ResourceReference", r.logical, evaluation, in}
	}
	return cause{"ResourceAttribute", r.logical + "." + r.attribute, evaluation, in}
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
			d := c.detail(t, difference{path: top}, r.cause("Dynamic", inPlain))
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
