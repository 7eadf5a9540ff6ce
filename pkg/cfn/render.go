package cfn

import (
	"bytes"
	"encoding/json"
	"fmt"
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
