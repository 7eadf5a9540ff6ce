package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
)

// decodeJSON reads the body of an awsJson request into an SDK input: names in
// any case (Go's names begin with a capital, the wire's do not always),
// timestamps as seconds, blobs as base64. Unknown members are ignored.
func (x *fieldIndex) decodeJSON(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return notSerial("the body is not JSON: %v", err)
	}
	return x.setJSON(reflect.ValueOf(into).Elem(), tree, "")
}

// fill reads CloudFormation properties into an SDK type that has the same
// names. Scalars may be of another kind: CloudFormation takes "1" for 1.
func (x *fieldIndex) fill(properties json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(properties))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return notSerial("properties: %v", err)
	}
	return x.setJSON(reflect.ValueOf(into).Elem(), scalarsAsText(tree), "")
}

// loose is a scalar that may become any kind.
type loose string

func scalarsAsText(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = scalarsAsText(e)
		}
	case []any:
		for i, e := range v {
			v[i] = scalarsAsText(e)
		}
	case string, bool, json.Number:
		return loose(scalarText(v))
	}
	return v
}

func (x *fieldIndex) setJSON(v reflect.Value, tree any, path string) error {
	if tree == nil {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := x.setJSON(p.Elem(), tree, path); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		if v.Type() == timeType {
			return setJSONTime(v, tree, path)
		}
		members, ok := tree.(map[string]any)
		if !ok {
			return notSerial("%s: expected an object", path)
		}
		fields := x.of(v.Type())
		for name, member := range members {
			i, ok := fields.lower[strings.ToLower(name)]
			if !ok {
				continue
			}
			if err := x.setJSON(v.Field(fields.list[i].index), member, joinPath(path, name)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		return x.setJSONList(v, tree, path)
	case reflect.Map:
		members, ok := tree.(map[string]any)
		if !ok {
			return notSerial("%s: expected an object", path)
		}
		out := reflect.MakeMapWithSize(v.Type(), len(members))
		for name, member := range members {
			e := reflect.New(v.Type().Elem()).Elem()
			if err := x.setJSON(e, member, joinPath(path, name)); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), e)
		}
		v.Set(out)
		return nil
	}
	return setJSONScalar(v, tree, path)
}

func (x *fieldIndex) setJSONList(v reflect.Value, tree any, path string) error {
	if v.Type() == bytesType {
		s, ok := tree.(string)
		b, err := base64.StdEncoding.DecodeString(s)
		if !ok || err != nil {
			return notSerial("%s: expected base64", path)
		}
		v.SetBytes(b)
		return nil
	}
	items, ok := tree.([]any)
	if !ok {
		return notSerial("%s: expected a list", path)
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := x.setJSON(out.Index(i), item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func setJSONScalar(v reflect.Value, tree any, path string) error {
	switch tree := tree.(type) {
	case loose:
		return setScalar(v, string(tree), path)
	case string:
		if v.Kind() == reflect.String {
			v.SetString(tree)
			return nil
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(tree)
			return nil
		}
	case json.Number:
		if v.Kind() != reflect.String && v.Kind() != reflect.Bool {
			return setScalar(v, tree.String(), path)
		}
	}
	return notSerial("%s: expected %s", path, v.Kind())
}

// setJSONTime accepts seconds since 1970 (what SDKs send) and ISO 8601.
func setJSONTime(v reflect.Value, tree any, path string) error {
	switch tree := tree.(type) {
	case string:
		return setTime(v, tree, path)
	case json.Number:
		seconds, err := tree.Float64()
		if err == nil && math.Abs(seconds) < 1e12 {
			whole, part := math.Modf(seconds)
			v.Set(reflect.ValueOf(time.Unix(int64(whole), int64(math.Round(part*1e3))*1e6).UTC()))
			return nil
		}
	}
	return notSerial("%s: expected a timestamp", path)
}

func notSerial(format string, args ...any) *Fail {
	return &Fail{Code: "SerializationException", Message: fmt.Sprintf(format, args...), Status: 400}
}

// jsonEncoder writes SDK outputs with the SDK's own protocol package, so that
// member names and number formats are AWS's own.
type jsonEncoder struct {
	protocol *awsjson.Protocol
	op       *smithy.OperationSchema
}

func newJSONEncoder() *jsonEncoder {
	shape := smithy.NewSchema(smithy.ShapeID{Namespace: "sandbox", Name: "Sandbox"}, smithy.ShapeTypeStructure, 0)
	return &jsonEncoder{
		protocol: awsjson.New11(smithy.NewServiceSchema(shape, "1")),
		op:       smithy.NewOperationSchema(shape, shape, shape),
	}
}

func (e *jsonEncoder) encode(out any) ([]byte, error) {
	s, ok := out.(smithy.Serializable)
	if !ok {
		return nil, fmt.Errorf("%T cannot be serialized", out)
	}
	req, ok := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	if !ok {
		return nil, fmt.Errorf("serialize %T: no HTTP request", out)
	}
	if err := e.protocol.SerializeRequest(context.Background(), e.op, s, req); err != nil {
		return nil, fmt.Errorf("serialize %T: %w", out, err)
	}
	b, err := io.ReadAll(req.GetStream())
	if err != nil {
		return nil, fmt.Errorf("serialize %T: %w", out, err)
	}
	return b, nil
}
