package cfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"sigs.k8s.io/yaml"
)

// Format of a rendered template.
type Format string

// The formats.
const (
	YAML Format = "yaml"
	JSON Format = "json"
)

// sections is the order in which a template reads best.
var sections = []string{
	"AWSTemplateFormatVersion", "Description", "Transform", "Metadata", "Parameters",
	"Mappings", "Conditions", "Rules", "Resources", "Outputs",
}

// attributes is the order of a resource's attributes.
var attributes = []string{
	"Type", "Condition", "DependsOn", "CreationPolicy", "UpdatePolicy",
	"DeletionPolicy", "UpdateReplacePolicy", "Metadata", "Properties",
}

// Render writes a template for people: sections in their usual order, text of
// several lines as blocks. Equal templates give equal bytes, and CloudFormation
// accepts the result as long as no reference is open.
func Render(t Template, f Format) ([]byte, error) {
	compact, err := Canonical(t)
	if err != nil {
		return nil, fmt.Errorf("render template: %w", err)
	}
	switch f {
	case JSON:
		var buf bytes.Buffer
		if err := json.Indent(&buf, compact, "", "  "); err != nil {
			return nil, fmt.Errorf("render template: %w", err)
		}
		buf.WriteByte('\n')
		return buf.Bytes(), nil
	case YAML:
		return renderYAML(compact)
	}
	return nil, fmt.Errorf("render template: unknown format %q", f)
}

func renderYAML(compact []byte) ([]byte, error) {
	var doc map[string]any
	if err := json.Unmarshal(compact, &doc); err != nil {
		return nil, fmt.Errorf("render template: %w", err)
	}
	var out bytes.Buffer
	for _, name := range sections {
		v, ok := doc[name]
		if !ok {
			continue
		}
		resources, isMap := v.(map[string]any)
		if name != "Resources" || !isMap || len(resources) == 0 {
			if err := writeYAML(&out, 0, name, v); err != nil {
				return nil, err
			}
			continue
		}
		out.WriteString("Resources:\n")
		for i, id := range sortedKeys(resources) {
			if i > 0 {
				out.WriteByte('\n')
			}
			if err := writeResource(&out, id, resources[id]); err != nil {
				return nil, err
			}
		}
	}
	return out.Bytes(), nil
}

func writeResource(out *bytes.Buffer, id string, v any) error {
	key, err := yaml.Marshal(map[string]any{id: nil}) // quotes an id like "On"
	if err != nil {
		return fmt.Errorf("render %s: %w", id, err)
	}
	fmt.Fprintf(out, "  %s\n", bytes.TrimSuffix(key, []byte(" null\n")))
	r, _ := v.(map[string]any)
	for _, name := range attributes {
		if e, ok := r[name]; ok {
			if err := writeYAML(out, 4, name, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeYAML writes one key and its value, moved to the right as a whole: the
// indentation of a block is relative, so its text stays the same.
func writeYAML(out *bytes.Buffer, indent int, key string, v any) error {
	b, err := yaml.Marshal(map[string]any{key: v})
	if err != nil {
		return fmt.Errorf("render %s: %w", key, err)
	}
	margin := strings.Repeat(" ", indent)
	for _, line := range strings.SplitAfter(string(b), "\n") {
		if strings.TrimSuffix(line, "\n") != "" {
			out.WriteString(margin)
		}
		out.WriteString(line)
	}
	return nil
}

// Size is the number of bytes of the template's body as it is sent.
// CloudFormation takes 51,200 in a request.
func Size(t Template) (int, error) {
	size := 0
	err := stream(t, func(b []byte) { size += len(b) })
	return size, err
}

// SurelyWithin tells, without writing it, that a template's body has at most
// so many bytes. False says nothing: ask Size.
func SurelyWithin(t Template, most int) bool {
	left := most - 4096 // the words around sections and empty fields
	for name, r := range t.Resources {
		left -= 512 + longest(name) + longest(r.Type) + longest(r.Condition) + longest(r.DeletionPolicy) + longest(r.UpdateReplacePolicy)
		left -= weigh(r.Metadata) + weigh(r.CreationPolicy) + weigh(r.UpdatePolicy) + weigh(r.Properties)
		for _, d := range r.DependsOn {
			left -= longest(d)
		}
	}
	for name, o := range t.Outputs {
		left -= 128 + longest(name) + longest(o.Description) + longest(o.Condition) + weigh(o.Value) + weigh(o.Export)
	}
	for _, section := range []any{t.AWSTemplateFormatVersion, t.Description, t.Metadata, t.Parameters, t.Mappings, t.Conditions, t.Rules, t.Transform} {
		left -= weigh(section)
	}
	return left >= 0
}

// longest is the most bytes that a text takes, with quotes and a comma: a byte
// is written as six at most.
func longest(s string) int { return 6*len(s) + 4 }

func weigh(v any) int {
	switch v := v.(type) {
	case string:
		return longest(v)
	case map[string]any:
		n := 8
		for k, e := range v {
			n += longest(k) + weigh(e)
		}
		return n
	case []any:
		n := 8
		for _, e := range v {
			n += weigh(e)
		}
		return n
	case nil, bool, int, float64:
		return 32
	}
	return math.MaxInt32 // some other type: who knows
}
