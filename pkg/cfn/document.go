package cfn

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// Text is the text that a value stands for, with references as ${Name}:
// "${Vpc.CidrBlock}", "${bp-network.VpcId}". It fails for what is no text, and
// is for people only: a ${Name} may also stand in a script.
func Text(v any) (string, bool) { return textOf(v) }

func textOf(v any) (string, bool) {
	v = simplify(v)
	if s, ok := v.(string); ok {
		return s, true
	}
	if r, ok := AsRef(v); ok {
		if r.Stack == Self {
			return selfText(r)
		}
		return "${" + r.String() + "}", true
	}
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		s, ok := scalar(v)
		return s, ok
	}
	for name, arg := range m {
		switch name {
		case "Ref":
			s, ok := arg.(string)
			return "${" + s + "}", ok
		case "Fn::GetAtt":
			parts, _ := arg.([]any)
			if len(parts) != 2 {
				return "", false
			}
			id, _ := parts[0].(string)
			attribute, ok := parts[1].(string)
			return "${" + id + "." + attribute + "}", ok
		case "Fn::Base64":
			return textOf(arg)
		case "Fn::Sub":
			s, ok := arg.(string)
			return s, ok
		case "Fn::Join":
			return joinText(arg)
		}
	}
	return "", false
}

// selfText shows the expression within the template that a reference stands for.
func selfText(r Ref) (string, bool) {
	var expression any
	if json.Unmarshal([]byte(r.Output), &expression) != nil {
		return "${" + r.Output + "}", true
	}
	return textOf(expression)
}

func joinText(arg any) (string, bool) {
	args, _ := arg.([]any)
	if len(args) != 2 {
		return "", false
	}
	delimiter, ok := args[0].(string)
	parts, isList := args[1].([]any)
	if !ok || !isList {
		return "", false
	}
	out := make([]string, len(parts))
	for i, p := range parts {
		if out[i], ok = textOf(p); !ok {
			return "", false
		}
	}
	return strings.Join(out, delimiter), true
}

// sameDocument tells whether two values are the same JSON document, whatever
// its white space and order of keys.
func sameDocument(before, after any) bool {
	if literal(before) && literal(after) {
		b, bok := document(before)
		a, aok := document(after)
		return bok && aok && fingerprint(b) == fingerprint(a)
	}
	return false
}

func literal(v any) bool {
	switch v.(type) {
	case string, map[string]any, []any:
		return !isIntrinsic(v)
	}
	return false
}

// document parses text that is a JSON object or list.
func document(v any) (any, bool) {
	s, ok := v.(string)
	if !ok {
		return v, true
	}
	trimmed := strings.TrimSpace(s)
	if !strings.HasPrefix(trimmed, "{") && !strings.HasPrefix(trimmed, "[") {
		return nil, false
	}
	dec := json.NewDecoder(strings.NewReader(trimmed))
	dec.UseNumber()
	var out any
	if dec.Decode(&out) != nil || dec.More() {
		return nil, false
	}
	return out, true
}

// DocumentDiff is documentDiff for text that is no template's: a parameter that
// holds a document. It is empty for text of one line that is no document.
func DocumentDiff(before, after string) string { return documentDiff(before, after) }

// documentDiff is a unified diff of two documents, or of two texts of which one
// has several lines; it is empty where before and after say it all.
func documentDiff(before, after string) string {
	b, bok := indented(before)
	a, aok := indented(after)
	if bok && aok {
		return lineDiff(b, a)
	}
	if strings.Contains(before, "\n") || strings.Contains(after, "\n") {
		return lineDiff(before, after)
	}
	return ""
}

func indented(s string) (string, bool) {
	v, ok := document(s)
	if !ok {
		return "", false
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil {
		return "", false
	}
	return buf.String(), true
}

// lineDiff is a unified diff without its two header lines.
func lineDiff(before, after string) string {
	d := udiff.Unified("before", "after", before, after)
	_, d, _ = strings.Cut(d, "\n")
	_, d, _ = strings.Cut(d, "\n")
	return d
}
