package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
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

// encodeJSON writes an SDK output as awsJson has it: absent members left out,
// timestamps as seconds, blobs as base64. The SDK capitalizes the first letter
// of every member; on the wire ECS, ECR and CloudWatch Logs have small ones.
func encodeJSON(out any) ([]byte, error) {
	v := reflect.ValueOf(out).Elem()
	e := jsonEncoder{small: smallMembers(v.Type().PkgPath())}
	tree, err := e.value(v)
	if err != nil {
		return nil, fmt.Errorf("serialize %T: %w", out, err)
	}
	return json.Marshal(tree)
}

func smallMembers(pkg string) bool {
	for _, service := range []string{"/service/ecs", "/service/ecr", "/service/cloudwatchlogs"} {
		if strings.HasSuffix(pkg, service) {
			return true
		}
	}
	return false
}

type jsonEncoder struct{ small bool }

// ecrTag is the one structure in answers of these services with large members.
var ecrTag = reflect.TypeFor[ecrtypes.Tag]()

func (e jsonEncoder) value(v reflect.Value) (any, error) {
	switch v.Kind() {
	case reflect.Pointer:
		return e.value(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return float64(t.UnixMilli()) / 1e3, nil
		}
		return e.members(v)
	case reflect.Slice:
		if b, ok := v.Interface().([]byte); ok {
			return b, nil // encoding/json writes base64
		}
		list := make([]any, v.Len())
		for i := range list {
			item, err := e.value(v.Index(i))
			if err != nil {
				return nil, err
			}
			list[i] = item
		}
		return list, nil
	case reflect.Map:
		members := make(map[string]any, v.Len())
		for i := v.MapRange(); i.Next(); {
			member, err := e.value(i.Value())
			if err != nil {
				return nil, err
			}
			members[i.Key().String()] = member
		}
		return members, nil
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		return v.Interface(), nil
	}
	return nil, fmt.Errorf("no form for %s", v.Type())
}

func (e jsonEncoder) members(v reflect.Value) (any, error) {
	members := map[string]any{}
	for i, n := 0, v.NumField(); i < n; i++ {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Name == "ResultMetadata" || absent(v.Field(i)) {
			continue
		}
		member, err := e.value(v.Field(i))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", field.Name, err)
		}
		name := field.Name
		if e.small && v.Type() != ecrTag {
			name = strings.ToLower(name[:1]) + name[1:]
		}
		members[name] = member
	}
	return members, nil
}
