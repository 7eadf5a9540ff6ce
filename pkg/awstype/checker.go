package awstype

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// checker turns the validator's tree of errors into problems in CloudFormation's
// terms, and drops those that CloudFormation does not have.
type checker struct {
	t        Type
	instance map[string]any
}

type finding struct {
	problem Problem
	depth   int
}

// reduce returns what remains of an error.
func (c checker) reduce(e *jsonschema.ValidationError) []finding {
	at := tokens(e.InstanceLocation)
	value, open := c.value(at)
	if open {
		return nil
	}
	keyword := lastKeyword(e)
	if len(e.Causes) == 0 {
		return c.leaf(e, keyword, at, value)
	}
	if keyword == "anyOf" || keyword == "oneOf" {
		return c.alternatives(e)
	}
	var out []finding
	for _, cause := range e.Causes {
		out = append(out, c.reduce(cause)...)
	}
	return out
}

// alternatives reports the branch that came furthest: the one whose first
// problem lies deepest, then the one with the fewest.
func (c checker) alternatives(e *jsonschema.ValidationError) []finding {
	var best []finding
	for _, cause := range e.Causes {
		branch := c.reduce(cause)
		if len(branch) == 0 {
			return nil
		}
		if best == nil || depth(branch) > depth(best) || depth(branch) == depth(best) && len(branch) < len(best) {
			best = branch
		}
	}
	return best
}

func depth(fs []finding) int {
	d := fs[0].depth
	for _, f := range fs {
		d = min(d, f.depth)
	}
	return d
}

func (c checker) leaf(e *jsonschema.ValidationError, keyword string, at []string, value any) []finding {
	one := func(format string, args ...any) []finding {
		return []finding{{Problem{c.path(at), fmt.Sprintf(format, args...)}, len(at)}}
	}
	node := c.node(e.AbsoluteKeywordLocation)
	switch keyword {
	case "type":
		want := stringOrList(node)
		if coerces(value, want) {
			return c.bounds(one, e, value)
		}
		return one("want %s, got %s", strings.Join(want, " or "), kindOf(value))
	case "enum":
		allowed, _ := node.([]any)
		return enum(one, value, allowed)
	case "const":
		if text(value) == text(node) {
			return nil
		}
		return one("must be %s", text(node))
	case "required":
		var out []finding
		object, _ := value.(map[string]any)
		for _, name := range stringsOf(node) {
			if _, ok := object[name]; !ok {
				out = append(out, one("%s is required", name)...)
			}
		}
		return out
	case "additionalProperties":
		return c.unknown(e, at, value)
	case "pattern":
		return one("does not match %v", node)
	case "not":
		return one("a combination that is not allowed")
	}
	return one("%s", e.Message)
}

// bounds holds a number that came as text against the limits that the library
// applies to numbers alone.
func (c checker) bounds(one func(string, ...any) []finding, e *jsonschema.ValidationError, value any) []finding {
	node, _ := c.node(strings.TrimSuffix(e.AbsoluteKeywordLocation, "/type")).(map[string]any)
	lowest, highest := limits(node)
	if problem := beyond(value, lowest, highest); problem != "" {
		return one("%s", problem)
	}
	return nil
}

func enum(one func(string, ...any) []finding, value any, allowed []any) []finding {
	var names []string
	for _, a := range allowed {
		if text(a) == text(value) {
			return nil
		}
		names = append(names, text(a))
	}
	if s, ok := value.(string); ok {
		if n := nearest(s, names); n != "" {
			return one("%q is not an allowed value; did you mean %s?", s, n)
		}
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return one("must be one of %s", strings.Join(names, ", "))
}

// unknown reports each property that the schema does not have, with the
// nearest that it has.
func (c checker) unknown(e *jsonschema.ValidationError, at []string, value any) []finding {
	parent, _ := c.node(strings.TrimSuffix(e.AbsoluteKeywordLocation, "/additionalProperties")).(map[string]any)
	known, _ := parent["properties"].(map[string]any)
	object, _ := value.(map[string]any)
	var out []finding
	for _, name := range keys(object) {
		if _, ok := known[name]; ok || matchesAny(parent["patternProperties"], name) {
			continue
		}
		message := "no such property"
		if s := nearest(name, keys(known)); s != "" {
			message += "; did you mean " + s + "?"
		}
		out = append(out, finding{Problem{c.path(append(slices.Clone(at), name)), message}, len(at)})
	}
	return out
}

// computed reports properties that are set although only AWS can.
func (c checker) computed() []Problem {
	var out []Problem
	for _, p := range c.t.ReadOnly {
		at := strings.Split(p, ".")
		if len(at) != 1 || slices.Contains(c.t.CreateOnly, p) || slices.Contains(c.t.Required, p) {
			continue
		}
		if _, ok := c.instance[p]; ok {
			out = append(out, Problem{p, "is set by AWS and cannot be written"})
		}
	}
	return out
}

// value follows an instance pointer. open tells that an intrinsic stands on
// the way, so nothing can be said.
func (c checker) value(at []string) (v any, open bool) {
	v = c.instance
	for _, token := range at {
		if intrinsic(v) {
			return v, true
		}
		switch e := v.(type) {
		case map[string]any:
			v = e[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(e) {
				return nil, false
			}
			v = e[i]
		}
	}
	return v, intrinsic(v)
}

// path is the dotted form of an instance pointer.
func (c checker) path(at []string) string {
	var b strings.Builder
	var v any = c.instance
	for _, token := range at {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(token)
			if err == nil && i >= 0 && i < len(list) {
				v = list[i]
			}
			fmt.Fprintf(&b, "[%s]", token)
			continue
		}
		if m, ok := v.(map[string]any); ok {
			v = m[token]
		}
		if strings.ContainsAny(token, ".[]") {
			fmt.Fprintf(&b, "[%q]", token)
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(token)
	}
	return b.String()
}

// node is the part of the schema that an absolute keyword location names.
func (c checker) node(location string) any {
	_, pointer, _ := strings.Cut(location, "#")
	var v any = c.t.schema
	for _, token := range tokens(pointer) {
		switch e := v.(type) {
		case map[string]any:
			v = e[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(e) {
				return nil
			}
			v = e[i]
		default:
			return nil
		}
	}
	return v
}

func tokens(pointer string) []string {
	pointer = strings.TrimPrefix(pointer, "/")
	if pointer == "" {
		return nil
	}
	parts := strings.Split(pointer, "/")
	for i, p := range parts {
		if u, err := url.PathUnescape(p); err == nil {
			p = u
		}
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
	}
	return parts
}

func lastKeyword(e *jsonschema.ValidationError) string {
	_, pointer, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	return pointer[strings.LastIndexByte(pointer, '/')+1:]
}
