package awstype

import (
	"testing"

	"pgregory.net/rapid"
)

// TestAcceptsNothingThatIsRefused holds the quick acceptance against the
// library's judgement, on values made from the schemas and then broken.
func TestAcceptsNothingThatIsRefused(t *testing.T) {
	d := table()
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		e := d.entries[rapid.SampledFrom(d.names).Draw(t, "type")]
		schema := e.parsed().t.schema
		g := valueMaker{t, schema}
		properties, ok := g.value(schema, 4).(map[string]any)
		if !ok || !e.rule().accepts(properties) {
			return
		}
		accepted++
		c := checker{t: e.parsed().t, instance: properties}
		if problems := c.judge(e); len(problems) > 0 {
			t.Fatalf("accepted, although: %v\n%v", problems, properties)
		}
	})
	if accepted == 0 {
		t.Error("no value was accepted: this test proves nothing")
	}
}

// valueMaker draws values that a schema mostly allows.
type valueMaker struct {
	t    *rapid.T
	root map[string]any
}

func (g valueMaker) chance(percent int) bool {
	return rapid.IntRange(0, 99).Draw(g.t, "chance") < percent
}

var odd = []any{
	"", "a", "abc", "80", "1.5", "true", "TRUE", "arn:aws:iam::123456789012:role/x", "10.0.0.0/16", "2026-11-27T10:00:00Z", "{{resolve:ssm:x}}",
	true, 0.0, 1.0, 1.5, 80.0, -1.0, 1e9, []any{}, []any{"a", "a"}, []any{map[string]any{"Ref": "X"}, map[string]any{"Ref": "X"}}, map[string]any{},
	map[string]any{"Ref": "X"}, map[string]any{"Fn::If": []any{"C", "a", "b"}}, map[string]any{"Ref": "AWS::NoValue"}, map[string]any{"Zzz": "a"},
}

func (g valueMaker) value(v any, depth int) any {
	schema, _ := v.(map[string]any)
	if ref, ok := schema["$ref"].(string); ok {
		c := checker{t: Type{schema: g.root}}
		return g.value(c.node(ref), depth)
	}
	if depth < 4 && g.chance(4) {
		return rapid.SampledFrom(odd).Draw(g.t, "odd")
	}
	if enum, ok := schema["enum"].([]any); ok && g.chance(95) {
		return rapid.SampledFrom(enum).Draw(g.t, "enum")
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if branches, ok := schema[keyword].([]any); ok && schema["type"] == nil {
			return g.value(rapid.SampledFrom(branches).Draw(g.t, "branch"), depth)
		}
	}
	kinds := stringOrList(schema["type"])
	if len(kinds) == 0 {
		kinds = []string{"object"}
	}
	switch kind := rapid.SampledFrom(kinds).Draw(g.t, "kind"); kind {
	case "object":
		return g.object(schema, depth)
	case "array":
		list := make([]any, rapid.IntRange(0, 2).Draw(g.t, "length"))
		for i := range list {
			list[i] = g.value(schema["items"], depth-1)
		}
		return list
	case "boolean":
		return rapid.Bool().Draw(g.t, "bool")
	case "integer", "number":
		return float64(rapid.SampledFrom([]int{0, 1, 2, 30, 60, 80, 300, 5000}).Draw(g.t, "number"))
	default:
		return rapid.SampledFrom(odd[:11]).Draw(g.t, kind)
	}
}

func (g valueMaker) object(schema map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required := map[string]bool{}
	for _, name := range stringsOf(schema["required"]) {
		required[name] = true
	}
	for _, name := range keys(properties) {
		if required[name] && g.chance(97) || depth > 0 && g.chance(25) {
			out[name] = g.value(properties[name], depth-1)
		}
	}
	if g.chance(5) {
		out["Zzz"] = "a"
	}
	return out
}
