package awstype

import "strings"

// Unordered tells whether the list at path is a set: its schema says that AWS
// does not keep the order. A path that the schema does not know is a list.
func (t Type) Unordered(path string) bool {
	node := t.at(Split(path))
	return node != nil && node["type"] == "array" && node["insertionOrder"] == false
}

// at follows property names and "*" down the schema.
func (t Type) at(segments []string) map[string]any {
	node := t.schema
	for _, s := range segments {
		if node = t.child(node, s, 0); node == nil {
			return nil
		}
	}
	return t.deref(node)
}

// maxAlternatives bounds the nesting of anyOf in anyOf; AWS's schemas have one level.
const maxAlternatives = 4

func (t Type) child(node map[string]any, name string, level int) map[string]any {
	node = t.deref(node)
	if node == nil || level > maxAlternatives {
		return nil
	}
	if properties, ok := node["properties"].(map[string]any); ok {
		if c, ok := properties[name].(map[string]any); ok {
			return c
		}
	}
	if name == "*" {
		if c, ok := node["items"].(map[string]any); ok {
			return c
		}
	}
	patterns, _ := node["patternProperties"].(map[string]any)
	for _, p := range keys(patterns) {
		if c, ok := patterns[p].(map[string]any); ok && (name == "*" || matchesAny(map[string]any{p: c}, name)) {
			return c
		}
	}
	if c, ok := node["additionalProperties"].(map[string]any); ok {
		return c
	}
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		branches, _ := node[keyword].([]any)
		for _, b := range branches {
			if m, ok := b.(map[string]any); ok {
				if c := t.child(m, name, level+1); c != nil {
					return c
				}
			}
		}
	}
	return nil
}

func (t Type) deref(node map[string]any) map[string]any {
	for range 8 {
		ref, ok := node["$ref"].(string)
		if !ok {
			return node
		}
		definitions, _ := t.schema["definitions"].(map[string]any)
		node, _ = definitions[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	return nil
}
