package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"reconcile/schema"
)

// shape is a JSON Schema as far as reading values and explaining refusals
// needs it.
type shape struct {
	Description string            `json:"description"`
	Type        typeNames         `json:"type"`
	Const       json.RawMessage   `json:"const"`
	Enum        []json.RawMessage `json:"enum"`
	AnyOf       []*shape          `json:"anyOf"`
	Expect      string            `json:"patternErrorMessage"`
	MaxLength   int               `json:"maxLength"`
	Minimum     json.Number       `json:"minimum"`
	Maximum     json.Number       `json:"maximum"`
	MinItems    int               `json:"minItems"`
	MaxItems    int               `json:"maxItems"`
	Examples    []json.RawMessage `json:"examples"`
	Items       *shape            `json:"items"`
	Required    []string          `json:"required"`
	Properties  map[string]*shape `json:"properties"`
	Patterns    map[string]*shape `json:"patternProperties"`
}

// typeNames is a JSON Schema type: one name or several.
type typeNames []string

func (t *typeNames) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = typeNames{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// wants tells whether a value of the named type is among what the shape takes.
func (s *shape) wants(name string) bool {
	if s == nil {
		return false
	}
	for _, t := range s.Type {
		if t == name {
			return true
		}
	}
	for _, a := range s.AnyOf {
		if a.wants(name) {
			return true
		}
	}
	return false
}

// property is the shape of an object's member.
func (s *shape) property(key string) *shape {
	if s == nil {
		return nil
	}
	if p, ok := s.Properties[key]; ok {
		return p
	}
	for _, p := range s.Patterns {
		return p // kinds have one pattern at most
	}
	for _, a := range s.AnyOf {
		if a.wants("object") {
			return a.property(key)
		}
	}
	return nil
}

func (s *shape) item() *shape {
	if s == nil {
		return nil
	}
	return s.Items
}

// names are the fields of an object, sorted.
func (s *shape) names() []string {
	names := make([]string, 0, len(s.Properties))
	for n := range s.Properties {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// validator is a kind's JSON Schema, compiled, and its shape.
type validator struct {
	schema *jsonschema.Schema
	shape  *shape
}

func newValidator(kind string) (*validator, error) {
	raw, err := schema.JSON(kind)
	if err != nil {
		return nil, err
	}
	v := &validator{shape: &shape{}}
	if err := json.Unmarshal(raw, v.shape); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	c := jsonschema.NewCompiler()
	url := kind + ".schema.json"
	if err := c.AddResource(url, bytes.NewReader(raw)); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	if v.schema, err = c.Compile(url); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	return v, nil
}

// value is a node as the shape reads it: an unquoted scalar becomes what its
// field wants, so that an account id stays text.
func (n *node) value(s *shape) any {
	switch n.kind {
	case nodeObject:
		out := make(map[string]any, len(n.members))
		for i := range n.members {
			out[n.members[i].key] = n.members[i].value.value(s.property(n.members[i].key))
		}
		return out
	case nodeList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.value(s.item())
		}
		return out
	case nodeNull:
		return nil
	}
	if n.plain && s.wants("string") {
		return n.text
	}
	switch n.kind {
	case nodeBool:
		return n.text == "true"
	case nodeInt:
		i, err := strconv.ParseInt(n.text, 10, 64)
		if err != nil { // beyond any maximum of ours
			i = math.MaxInt64
			if strings.HasPrefix(n.text, "-") {
				i = math.MinInt64
			}
		}
		return i
	case nodeFloat:
		f, err := strconv.ParseFloat(n.text, 64)
		if err != nil {
			f = math.MaxFloat64
		}
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return int64(f) // 10.0 is the whole number 10 to a JSON Schema, so it is to CUE
		}
		return f
	}
	return n.text
}
