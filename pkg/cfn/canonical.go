package cfn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Canonical is JSON with sorted keys, no HTML escaping and no white space:
// equal data gives equal bytes. They are the bytes of encoding/json, several
// times as fast for what templates are made of: a plan takes the digest of
// every stack twice.
func Canonical(v any) ([]byte, error) {
	var w canonical
	if err := w.value(v); err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return w.b, nil
}

// canonical writes into b, and hands b on whenever it is long, if somebody
// takes it.
type canonical struct {
	b    []byte
	take func([]byte)
}

const longEnough = 4096

// stream writes the canonical form in pieces: nobody holds the whole.
func stream(v any, take func([]byte)) error {
	w := canonical{b: make([]byte, 0, 2*longEnough), take: take}
	if err := w.value(v); err != nil {
		return fmt.Errorf("canonical JSON: %w", err)
	}
	take(w.b)
	return nil
}

// written is called between elements, where nobody looks back.
func (w *canonical) written() {
	if w.take != nil && len(w.b) > longEnough {
		w.take(w.b)
		w.b = w.b[:0]
	}
}

func (w *canonical) value(v any) error {
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, "null"...)
	case string:
		return w.text(v)
	case bool:
		w.b = strconv.AppendBool(w.b, v)
	case int:
		w.b = strconv.AppendInt(w.b, int64(v), 10)
	case float64:
		return w.number(v)
	case []any:
		return w.list(v)
	case map[string]any:
		return sortedObject(w, v, w.value)
	case map[string]string:
		return sortedObject(w, v, w.text)
	case Template:
		return w.template(v)
	default:
		return w.other(v)
	}
	return nil
}

// other leaves a value to encoding/json.
func (w *canonical) other(v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	w.b = append(w.b, bytes.TrimRight(buf.Bytes(), "\n")...)
	return nil
}

func (w *canonical) number(f float64) error {
	const exact = 1 << 53
	if f != math.Trunc(f) || math.Abs(f) > exact || f == 0 && math.Signbit(f) {
		return w.other(f)
	}
	w.b = strconv.AppendInt(w.b, int64(f), 10)
	return nil
}

// text writes what needs no escape, or a short one, itself.
func (w *canonical) text(s string) error {
	begin := len(w.b)
	w.b = append(w.b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			continue
		}
		switch c {
		case '\n':
			c = 'n'
		case '\r':
			c = 'r'
		case '\t':
			c = 't'
		case '"', '\\':
		default:
			w.b = w.b[:begin]
			return w.other(s)
		}
		w.b = append(append(w.b, s[from:i]...), '\\', c)
		from = i + 1
	}
	w.b = append(append(w.b, s[from:]...), '"')
	return nil
}

func (w *canonical) list(l []any) error {
	if l == nil {
		w.b = append(w.b, "null"...)
		return nil
	}
	w.b = append(w.b, '[')
	for i, e := range l {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.value(e); err != nil {
			return err
		}
		w.written()
	}
	w.b = append(w.b, ']')
	return nil
}

func sortedObject[V any](w *canonical, m map[string]V, value func(V) error) error {
	if m == nil {
		w.b = append(w.b, "null"...)
		return nil
	}
	w.b = append(w.b, '{')
	for i, k := range sortedKeys(m) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		if err := w.text(k); err != nil {
			return err
		}
		w.b = append(w.b, ':')
		if err := value(m[k]); err != nil {
			return err
		}
		w.written()
	}
	w.b = append(w.b, '}')
	return nil
}

// fields writes a struct: its fields in their order, those that are left out
// when empty only when they are not.
type fields struct {
	*canonical
	first bool
	err   error
}

func (w *canonical) fields() *fields {
	w.b = append(w.b, '{')
	return &fields{canonical: w, first: true}
}

func (f *fields) end() error {
	f.b = append(f.b, '}')
	return f.err
}

func (f *fields) field(name string, present bool, write func() error) {
	if !present || f.err != nil {
		return
	}
	if !f.first {
		f.b = append(f.b, ',')
	}
	f.first = false
	f.b = append(append(append(f.b, '"'), name...), '"', ':')
	f.err = write()
}

func (f *fields) text(name, s string) {
	f.field(name, s != "", func() error { return f.canonical.text(s) })
}

func (f *fields) object(name string, m map[string]any) {
	f.field(name, len(m) > 0, func() error { return sortedObject(f.canonical, m, f.value) })
}

func (w *canonical) template(t Template) error {
	f := w.fields()
	f.text("AWSTemplateFormatVersion", t.AWSTemplateFormatVersion)
	f.text("Description", t.Description)
	f.object("Metadata", t.Metadata)
	f.object("Parameters", t.Parameters)
	f.object("Mappings", t.Mappings)
	f.object("Conditions", t.Conditions)
	f.object("Rules", t.Rules)
	f.field("Transform", t.Transform != nil, func() error { return w.value(t.Transform) })
	f.field("Resources", true, func() error { return sortedObject(w, t.Resources, w.resource) })
	f.field("Outputs", len(t.Outputs) > 0, func() error { return sortedObject(w, t.Outputs, w.output) })
	return f.end()
}

func (w *canonical) resource(r Resource) error {
	f := w.fields()
	f.field("Type", true, func() error { return w.text(r.Type) })
	f.text("Condition", r.Condition)
	f.field("DependsOn", len(r.DependsOn) > 0, func() error { return w.other(r.DependsOn) })
	f.object("Metadata", r.Metadata)
	f.object("CreationPolicy", r.CreationPolicy)
	f.object("UpdatePolicy", r.UpdatePolicy)
	f.text("DeletionPolicy", r.DeletionPolicy)
	f.text("UpdateReplacePolicy", r.UpdateReplacePolicy)
	f.object("Properties", r.Properties)
	return f.end()
}

func (w *canonical) output(o Output) error {
	f := w.fields()
	f.text("Description", o.Description)
	f.text("Condition", o.Condition)
	f.field("Value", true, func() error { return w.value(o.Value) })
	f.object("Export", o.Export)
	return f.end()
}
