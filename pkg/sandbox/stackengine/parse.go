package stackengine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// parseBody reads a template in JSON or YAML into plain data: maps, lists,
// strings, booleans and json.Number. A number keeps its text, because
// CloudFormation compares and joins texts.
func parseBody(body string) (map[string]any, error) {
	trimmed := strings.TrimSpace(body)
	if trimmed == "" {
		return nil, invalid("1 validation error detected: Value '' at 'templateBody' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	var v any
	var err error
	if trimmed[0] == '{' {
		v, err = parseJSON(body)
	} else {
		v, err = parseYAML(body)
	}
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, invalid("Template format error: unsupported structure.")
	}
	return m, nil
}

func parseJSON(body string) (any, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		line, col := position(body, int64(len(body)))
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			line, col = position(body, syntax.Offset)
		}
		return nil, invalid("Template format error: JSON not well-formed. (line %d, column %d)", line, col)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		line, col := position(body, d.InputOffset())
		return nil, invalid("Template format error: JSON not well-formed. (line %d, column %d)", line, col)
	}
	return v, nil
}

func position(body string, offset int64) (line, col int) {
	before := body[:min(int(offset), len(body))]
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndex(before, "\n")
}

func parseYAML(body string) (any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(body), &doc); err != nil {
		return nil, invalid("Template format error: YAML not well-formed. (%s)", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return nil, invalid("Template format error: unsupported structure.")
	}
	return fromYAML(doc.Content[0], 0)
}

// maxDepth bounds nesting; CloudFormation's own limit is not published.
const maxDepth = 200

func fromYAML(n *yaml.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalid("Template format error: YAML not well-formed. (line %d, column %d)", n.Line, n.Column)
	}
	if n.Kind == yaml.AliasNode {
		return nil, invalid("Template error: YAML aliases are not allowed in CloudFormation templates")
	}
	v, err := untagged(n, depth)
	if err != nil {
		return nil, err
	}
	if n.Tag == "" || strings.HasPrefix(n.Tag, "!!") || !strings.HasPrefix(n.Tag, "!") {
		return v, nil
	}
	return shortForm(n, v)
}

func untagged(n *yaml.Node, depth int) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				return nil, invalid("Template format error: YAML not well-formed. (line %d, column %d)", key.Line, key.Column)
			}
			v, err := fromYAML(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			m[key.Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := fromYAML(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return scalar(n), nil
	}
}

func scalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// shortForm turns !Sub and its kin into the long form.
func shortForm(n *yaml.Node, v any) (any, error) {
	name := strings.TrimPrefix(n.Tag, "!")
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: v}, nil
	case "GetAtt":
		if s, ok := v.(string); ok {
			logical, attribute, _ := strings.Cut(s, ".")
			v = []any{logical, attribute}
		}
	}
	if !functions["Fn::"+name] {
		return nil, invalid("Template format error: YAML not well-formed. (line %d, column %d)", n.Line, n.Column)
	}
	return map[string]any{"Fn::" + name: v}, nil
}

// functions are the intrinsic functions; the condition functions are among them.
var functions = map[string]bool{
	"Ref": true, "Condition": true, "Fn::GetAtt": true, "Fn::Sub": true, "Fn::Join": true, "Fn::Select": true,
	"Fn::Split": true, "Fn::If": true, "Fn::And": true, "Fn::Or": true, "Fn::Not": true, "Fn::Equals": true,
	"Fn::FindInMap": true, "Fn::Base64": true, "Fn::Cidr": true, "Fn::GetAZs": true, "Fn::ImportValue": true,
	"Fn::Length": true, "Fn::ToJsonString": true, "Fn::Transform": true, "Fn::GetStackOutput": true,
}

// function returns the name and argument when v is a call of an intrinsic function.
func function(v any) (name string, arg any, ok bool) {
	m, isMap := v.(map[string]any)
	if !isMap || len(m) != 1 {
		return "", nil, false
	}
	for name, arg := range m {
		if functions[name] {
			return name, arg, true
		}
	}
	return "", nil, false
}

// text is what a scalar looks like where CloudFormation needs a string.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	case json.Number:
		return v.String(), true
	case float64:
		return trimNumber(v), true
	case int:
		return fmt.Sprint(v), true
	}
	return "", false
}

func trimNumber(f float64) string {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Sprint(f)
	}
	return string(b)
}

// compact encodes v as JSON with sorted keys and without HTML escapes.
func compact(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return json.RawMessage("null") // plain data always encodes
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// decode reads what compact wrote, numbers as text.
func decode(raw json.RawMessage) map[string]any {
	if len(raw) == 0 {
		return map[string]any{}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || m == nil {
		return map[string]any{}
	}
	return m
}
