package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Field is one field of a kind, for documentation.
type Field struct {
	Path     string // "spec.network.cidr", "spec.exceptions[].rule", "spec.tags.*"
	Type     string // "string", "integer", "boolean", "object", "list of string", "map of string", …
	Limits   string // in words: "1 to 3", "one of staging, production", "at most 20 characters"
	Default  string // as JSON; empty without one
	Required bool   // within its object
	Doc      string // sentences
	Expect   string // what a text looks like, in words
	Example  string // as JSON
}

// Fields lists the fields of a kind in the order of its definition.
func Fields(kind string) ([]Field, error) {
	b, err := JSON(kind)
	if err != nil {
		return nil, err
	}
	root, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", kind, err)
	}
	var fields []Field
	collect(root, "", &fields)
	return fields, nil
}

// Description is the sentence that says what a kind is.
func Description(kind string) (string, error) {
	b, err := JSON(kind)
	if err != nil {
		return "", err
	}
	root, err := parse(b)
	if err != nil {
		return "", fmt.Errorf("schema %s: %w", kind, err)
	}
	return root.text("description"), nil
}

// object is a JSON object that keeps the order of its members.
type object struct {
	keys   []string
	values map[string]json.RawMessage
}

func parse(b []byte) (object, error) {
	o := object{values: map[string]json.RawMessage{}}
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil {
		return o, fmt.Errorf("not a JSON object: %w", err)
	}
	if t != json.Delim('{') {
		return o, fmt.Errorf("not a JSON object: it starts with %v", t)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return o, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return o, err
		}
		name := fmt.Sprint(key)
		o.keys = append(o.keys, name)
		o.values[name] = value
	}
	return o, nil
}

// child is the object at key; one without members if there is none.
func (o object) child(key string) object {
	c, err := parse(o.values[key])
	if err != nil {
		return object{}
	}
	return c
}

func (o object) text(key string) string {
	var s string
	if json.Unmarshal(o.values[key], &s) != nil {
		return ""
	}
	return s
}

func (o object) list(key string) []json.RawMessage {
	var l []json.RawMessage
	if json.Unmarshal(o.values[key], &l) != nil {
		return nil
	}
	return l
}

func (o object) has(key string) bool {
	_, ok := o.values[key]
	return ok
}

func collect(o object, path string, fields *[]Field) {
	if items := o.child("items"); len(items.keys) > 0 {
		collect(items, path+"[]", fields)
	}
	required := map[string]bool{}
	for _, r := range o.list("required") {
		required[unquote(r)] = true
	}
	properties := o.child("properties")
	for _, name := range properties.keys {
		sub := name
		if path != "" {
			sub = path + "." + name
		}
		p := properties.child(name)
		*fields = append(*fields, field(p, sub, required[name]))
		collect(p, sub, fields)
	}
	patterns := o.child("patternProperties")
	for _, pattern := range patterns.keys {
		collect(patterns.child(pattern), path+".*", fields)
	}
	for _, alternative := range o.list("anyOf") {
		if a, err := parse(alternative); err == nil {
			collect(a, path, fields)
		}
	}
}

func field(o object, path string, required bool) Field {
	f := Field{
		Path: path, Type: typeOf(o), Limits: limits(o), Required: required,
		Default: string(o.values["default"]), Doc: o.text("description"),
		Expect: o.text("patternErrorMessage"),
	}
	if f.Expect == "" {
		f.Expect = o.child("items").text("patternErrorMessage")
	}
	if examples := o.list("examples"); len(examples) > 0 {
		f.Example = string(examples[0])
	}
	return f
}

func typeOf(o object) string {
	if alternatives := o.list("anyOf"); len(alternatives) > 0 {
		var types []string
		for _, a := range alternatives {
			if sub, err := parse(a); err == nil {
				types = append(types, typeOf(sub))
			}
		}
		return strings.Join(types, " or ")
	}
	if patterns := o.child("patternProperties"); len(patterns.keys) > 0 {
		return "map of " + typeOf(patterns.child(patterns.keys[0]))
	}
	if o.text("type") == "array" {
		return "list of " + typeOf(o.child("items"))
	}
	if t := o.text("type"); t != "" {
		return t
	}
	var union []string
	for _, t := range o.list("type") {
		union = append(union, unquote(t))
	}
	return strings.Join(union, " or ")
}

func limits(o object) string {
	var l []string
	for _, a := range o.list("anyOf") {
		if sub, err := parse(a); err == nil && limits(sub) != "" {
			l = append(l, limits(sub))
		}
	}
	if enum := o.list("enum"); len(enum) > 0 {
		var values []string
		for _, e := range enum {
			values = append(values, unquote(e))
		}
		l = append(l, "one of "+strings.Join(values, ", "))
	}
	if o.has("const") {
		l = append(l, "always "+unquote(o.values["const"]))
	}
	minimum, maximum := string(o.values["minimum"]), string(o.values["maximum"])
	switch {
	case minimum != "" && maximum != "":
		l = append(l, minimum+" to "+maximum)
	case minimum != "":
		l = append(l, "at least "+minimum)
	}
	if o.has("maxLength") {
		l = append(l, "at most "+string(o.values["maxLength"])+" characters")
	}
	if items := o.child("items"); items.has("enum") {
		l = append(l, "each "+limits(items))
	}
	minItems, maxItems := string(o.values["minItems"]), string(o.values["maxItems"])
	switch {
	case minItems != "" && maxItems != "":
		l = append(l, minItems+" to "+maxItems+" items")
	case minItems != "":
		l = append(l, "at least "+minItems+" item"+plural(minItems))
	case maxItems != "":
		l = append(l, "at most "+maxItems+" item"+plural(maxItems))
	}
	if o.has("uniqueItems") {
		l = append(l, "no item twice")
	}
	return strings.Join(l, ", ")
}

func plural(n string) string {
	if n == "1" {
		return ""
	}
	return "s"
}

// unquote is a JSON string's text, or any other JSON value as it is.
func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
