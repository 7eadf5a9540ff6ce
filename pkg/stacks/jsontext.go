package stacks

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"reconcile/pkg/cfn"
)

// jsonText writes data as the compact JSON text that a string property holds,
// with sorted keys. Intrinsics and open references inside become parts of a
// join between quotes; they stand for ids, names and ARNs, which contain
// nothing that JSON escapes.
func jsonText(v any) any {
	var w jsonWriter
	w.value(v)
	w.flush()
	return cfn.Join(w.parts...)
}

type jsonWriter struct {
	parts list
	text  bytes.Buffer
}

func (w *jsonWriter) flush() {
	if w.text.Len() > 0 {
		w.parts = append(w.parts, w.text.String())
		w.text.Reset()
	}
}

func (w *jsonWriter) value(v any) {
	switch v := v.(type) {
	case map[string]any:
		if intrinsic(v) {
			w.text.WriteByte('"')
			w.flush()
			w.parts = append(w.parts, v)
			w.text.WriteByte('"')
			return
		}
		w.text.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				w.text.WriteByte(',')
			}
			w.scalar(k)
			w.text.WriteByte(':')
			w.value(v[k])
		}
		w.text.WriteByte('}')
	case []any:
		w.text.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				w.text.WriteByte(',')
			}
			w.value(e)
		}
		w.text.WriteByte(']')
	default:
		w.scalar(v)
	}
}

// scalar is a string, number or boolean of this package: encoding it cannot fail.
func (w *jsonWriter) scalar(v any) {
	enc := json.NewEncoder(&w.text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		w.text.WriteString("null")
		return
	}
	w.text.Truncate(w.text.Len() - 1) // the newline of Encode
}

func intrinsic(v map[string]any) bool {
	if _, ok := cfn.AsRef(v); ok {
		return true
	}
	if len(v) != 1 {
		return false
	}
	for _, k := range []string{"Ref", "Fn::GetAtt", "Fn::Join"} {
		if _, ok := v[k]; ok {
			return true
		}
	}
	return false
}
