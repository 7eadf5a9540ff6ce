package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// encode writes an answer in the protocol that the caller speaks.
func (d doc) encode(p protocol, op, namespace, requestID string) ([]byte, error) {
	var w bytes.Buffer
	switch p {
	case protocolQuery:
		fmt.Fprintf(&w, "<%sResponse xmlns=%q><%sResult>", op, namespace, op)
		d.xml(&w, "member")
		fmt.Fprintf(&w, "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n", op, requestID, op)
		return w.Bytes(), nil
	case protocolEC2:
		fmt.Fprintf(&w, "<%sResponse xmlns=%q><requestId>%s</requestId>", op, ec2Namespace, requestID)
		d.xml(&w, "item")
		fmt.Fprintf(&w, "</%sResponse>\n", op)
		return w.Bytes(), nil
	case protocolCBOR:
		return cbor.Encode(toCBOR(d)), nil
	}
	return json.Marshal(toJSON(d))
}

func (d doc) xml(w *bytes.Buffer, item string) {
	for _, name := range sortedKeys(d) {
		if absentDoc(d[name]) {
			continue
		}
		if list, ok := d[name].(repeats); ok {
			for _, e := range list {
				doc{name: e}.xml(w, item)
			}
			continue
		}
		w.WriteString("<" + name + ">")
		writeDoc(w, d[name], item)
		w.WriteString("</" + name + ">")
	}
}

// repeats is a list whose items all have the list's own name in XML, as S3's do.
type repeats []any

func repeated(list []string) repeats {
	var out repeats
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// fragment is the members as XML.
func (d doc) fragment() string {
	var w bytes.Buffer
	d.xml(&w, "member")
	return w.String()
}

func absentDoc(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case doc:
		return v == nil
	case []string:
		return v == nil
	}
	return false
}

func writeDoc(w *bytes.Buffer, v any, item string) {
	each := func(v any, name string) {
		w.WriteString("<" + name + ">")
		writeDoc(w, v, item)
		w.WriteString("</" + name + ">")
	}
	switch v := v.(type) {
	case doc:
		v.xml(w, item)
	case items:
		for _, e := range v.list {
			each(e, v.name)
		}
	case textItems:
		for _, e := range v.list {
			each(e, v.name)
		}
	case []doc:
		for _, e := range v {
			each(e, item)
		}
	case []string:
		for _, e := range v {
			each(e, item)
		}
	case []time.Time:
		for _, e := range v {
			each(e, item)
		}
	case []float64:
		for _, e := range v {
			each(e, item)
		}
	case map[string]string:
		for _, k := range sortedKeys(v) {
			w.WriteString("<entry><key>")
			writeText(w, k)
			w.WriteString("</key><value>")
			writeText(w, v[k])
			w.WriteString("</value></entry>")
		}
	case time.Time:
		w.WriteString(ec2Time(v))
	case []byte:
		w.WriteString(base64.StdEncoding.EncodeToString(v))
	default:
		writeText(w, plainText(v))
	}
}

// plainText writes a scalar.
func plainText(v any) string {
	switch v := v.(type) {
	case int32:
		return strconv.Itoa(int(v))
	case json.RawMessage:
		return string(v)
	}
	return scalarText(v)
}

// toJSON gives what encoding/json writes as awsJson wants it.
func toJSON(v any) any {
	switch v := v.(type) {
	case doc:
		out := map[string]any{}
		for k, e := range v {
			if !absentDoc(e) {
				out[k] = toJSON(e)
			}
		}
		return out
	case items:
		return toJSON(v.list)
	case textItems:
		return v.list
	case []doc:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = toJSON(e)
		}
		return out
	case []time.Time:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = toJSON(e)
		}
		return out
	case time.Time:
		return float64(v.UnixMilli()) / 1e3
	}
	return v
}

func toCBOR(v any) cbor.Value {
	list := func(n int, at func(int) any) cbor.List {
		out := make(cbor.List, n)
		for i := range out {
			out[i] = toCBOR(at(i))
		}
		return out
	}
	switch v := v.(type) {
	case doc:
		out := cbor.Map{}
		for k, e := range v {
			if !absentDoc(e) {
				out[k] = toCBOR(e)
			}
		}
		return out
	case map[string]string:
		out := cbor.Map{}
		for k, e := range v {
			out[k] = cbor.String(e)
		}
		return out
	case items:
		return list(len(v.list), func(i int) any { return v.list[i] })
	case []doc:
		return list(len(v), func(i int) any { return v[i] })
	case []string:
		return list(len(v), func(i int) any { return v[i] })
	case []float64:
		return list(len(v), func(i int) any { return v[i] })
	case []time.Time:
		return list(len(v), func(i int) any { return v[i] })
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1e3)}
	case bool:
		return cbor.Bool(v)
	case int:
		return cborInt(int64(v))
	case int32:
		return cborInt(int64(v))
	case int64:
		return cborInt(v)
	case float64:
		return cbor.Float64(v)
	}
	return cbor.String(plainText(v))
}

func cborInt(n int64) cbor.Value {
	if n < 0 {
		return cbor.NegInt(uint64(-n))
	}
	return cbor.Uint(uint64(n))
}

// opt leaves an empty text out of an answer.
func opt(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// when leaves a moment that never was out of an answer.
func when(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}
