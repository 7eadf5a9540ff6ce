package sandbox

import (
	"encoding/json"
	"strconv"
)

// props are the evaluated properties of a CloudFormation resource. Scalars
// come as CloudFormation takes them: a number or a boolean may be a string.
type props map[string]any

// text gives a scalar's text, "" when absent.
func (p props) text(name string) string { return scalarText(p[name]) }

func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case json.Number:
		return v.String()
	}
	return ""
}

// number gives a whole number; ok is false when there is none.
func (p props) number(name string) (n int32, ok bool) {
	i, err := strconv.ParseInt(p.text(name), 10, 32)
	return int32(i), err == nil
}

func (p props) flag(name string) bool { return p.text(name) == "true" }

func (p props) sub(name string) props {
	m, _ := p[name].(map[string]any)
	return m
}

// list gives the objects of a list.
func (p props) list(name string) []props {
	items, _ := p[name].([]any)
	out := make([]props, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// texts gives the scalars of a list; a single scalar is a list of one.
func (p props) texts(name string) []string {
	items, ok := p[name].([]any)
	if !ok {
		if s := p.text(name); s != "" {
			return []string{s}
		}
		return nil
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		out = append(out, scalarText(item))
	}
	return out
}

// tags gives the Key and Value pairs of a list.
func (p props) tags(name string) map[string]string {
	out := map[string]string{}
	for _, t := range p.list(name) {
		out[t.text("Key")] = t.text("Value")
	}
	return out
}

// raw is a property as JSON, nil when absent.
func (p props) raw(name string) json.RawMessage {
	v, ok := p[name]
	if !ok || v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil // evaluated properties are JSON
	}
	return b
}

// decodeProps reads properties that were stored as JSON.
func decodeProps(raw json.RawMessage) props {
	var p props
	if err := json.Unmarshal(raw, &p); err != nil {
		return props{}
	}
	return p
}
