package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/url"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Limits of a form, far above what any real request has.
const (
	maxFormDepth = 24
	maxFormItems = 10_000
)

// formNode is one level of a form's dotted names: "Tags.member.1.Key".
type formNode struct {
	value string
	set   bool
	kids  map[string]*formNode
}

// formTree splits the dotted names of a form.
func formTree(form url.Values) (*formNode, error) {
	root := &formNode{}
	for name, values := range form {
		parts := strings.Split(name, ".")
		if len(parts) > maxFormDepth {
			return nil, malformed("the member name %.80q is nested too deeply", name)
		}
		n := root
		for _, p := range parts {
			kid := n.kids[p]
			if kid == nil {
				kid = &formNode{}
				if n.kids == nil {
					n.kids = map[string]*formNode{}
				}
				n.kids[p] = kid
			}
			n = kid
		}
		n.set = true
		if len(values) > 0 {
			n.value = values[0]
		}
	}
	return root, nil
}

// items returns the children named 1, 2, …, in order.
func (n *formNode) items() ([]*formNode, error) {
	index := make([]int, 0, len(n.kids))
	for name := range n.kids {
		i, err := strconv.Atoi(name)
		if err != nil || i < 0 {
			return nil, malformed("%.80q is not the number of a list item", name)
		}
		index = append(index, i)
	}
	if len(index) > maxFormItems {
		return nil, malformed("a list of more than %d items", maxFormItems)
	}
	sort.Ints(index)
	out := make([]*formNode, 0, len(index))
	for _, i := range index {
		if kid := n.kids[strconv.Itoa(i)]; kid != nil {
			out = append(out, kid)
		}
	}
	return out, nil
}

// decodeQuery reads the form of an awsQuery request into an SDK input.
// Members that the input does not have are ignored, as AWS does.
func (x *fieldIndex) decodeQuery(form url.Values, into any) error {
	root, err := formTree(form)
	if err != nil {
		return err
	}
	return x.setForm(reflect.ValueOf(into).Elem(), root, "")
}

func (x *fieldIndex) setForm(v reflect.Value, n *formNode, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := x.setForm(p.Elem(), n, path); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case reflect.Struct:
		if v.Type() == timeType {
			return setTime(v, n.value, path)
		}
		fields := x.of(v.Type())
		for name, kid := range n.kids {
			i, ok := fields.byName[name]
			if !ok {
				continue
			}
			f := v.Field(fields.list[i].index)
			if err := x.setForm(f, kid, joinPath(path, name)); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice:
		return x.setFormList(v, n, path)
	case reflect.Map:
		return x.setFormMap(v, n, path)
	}
	return setScalar(v, n.value, path)
}

func (x *fieldIndex) setFormList(v reflect.Value, n *formNode, path string) error {
	if v.Type() == bytesType {
		b, err := base64.StdEncoding.DecodeString(n.value)
		if err != nil {
			return malformed("%s is not base64", path)
		}
		v.SetBytes(b)
		return nil
	}
	list := n.kids[itemName(v.Type().Elem())]
	if list == nil {
		if n.set && n.value == "" { // "Tags=" is the empty list
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		return nil
	}
	items, err := list.items()
	if err != nil {
		return err
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := x.setForm(out.Index(i), item, path+"."+strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (x *fieldIndex) setFormMap(v reflect.Value, n *formNode, path string) error {
	out := reflect.MakeMap(v.Type())
	if entries := n.kids["entry"]; entries != nil {
		items, err := entries.items()
		if err != nil {
			return err
		}
		for _, item := range items {
			key, value := item.kids["key"], item.kids["value"]
			if key == nil || value == nil {
				return malformed("%s has an entry without key or value", path)
			}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := x.setForm(e, value, joinPath(path, key.value)); err != nil {
				return err
			}
			out.SetMapIndex(reflect.ValueOf(key.value).Convert(v.Type().Key()), e)
		}
	}
	v.Set(out)
	return nil
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func setTime(v reflect.Value, s, path string) error {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return malformed("%s: %.80q is not a timestamp", path, s)
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

func setScalar(v reflect.Value, s, path string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return malformed("%s: %.80q must be true or false", path, s)
		}
		v.SetBool(b)
		return nil
	case reflect.Int, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return malformed("%s: %.80q is not a valid integer", path, s)
		}
		v.SetInt(n)
		return nil
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(s, v.Type().Bits())
		if err != nil {
			return malformed("%s: %.80q is not a valid number", path, s)
		}
		v.SetFloat(n)
		return nil
	}
	return malformed("%s cannot be set", path)
}

func malformed(format string, args ...any) *Fail {
	return &Fail{Code: "MalformedInput", Message: fmt.Sprintf(format, args...), Status: 400}
}

// encodeQuery writes an SDK output as the body of an awsQuery answer.
func (x *fieldIndex) encodeQuery(op, namespace, requestID string, out any) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "<%sResponse xmlns=%q>", op, namespace)
	fmt.Fprintf(&w, "<%sResult>", op)
	x.writeXML(&w, reflect.ValueOf(out).Elem())
	fmt.Fprintf(&w, "</%sResult>", op)
	fmt.Fprintf(&w, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n", requestID, op)
	return w.Bytes()
}

func (x *fieldIndex) writeXML(w *bytes.Buffer, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			x.writeXML(w, v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType {
			w.WriteString(v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05.000Z"))
			return
		}
		for _, f := range x.of(v.Type()).list {
			fv := v.Field(f.index)
			if absent(fv) {
				continue
			}
			w.WriteString("<" + f.name + ">")
			x.writeXML(w, fv)
			w.WriteString("</" + f.name + ">")
		}
	case reflect.Slice:
		if v.Type() == bytesType {
			w.WriteString(base64.StdEncoding.EncodeToString(v.Bytes()))
			return
		}
		item := itemName(v.Type().Elem())
		for i := range v.Len() {
			w.WriteString("<" + item + ">")
			x.writeXML(w, v.Index(i))
			w.WriteString("</" + item + ">")
		}
	case reflect.Map:
		keys := v.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		for _, k := range keys {
			w.WriteString("<entry><key>")
			writeText(w, k.String())
			w.WriteString("</key><value>")
			x.writeXML(w, v.MapIndex(k))
			w.WriteString("</value></entry>")
		}
	case reflect.String:
		writeText(w, v.String())
	case reflect.Bool:
		w.WriteString(strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		w.WriteString(strconv.FormatInt(v.Int(), 10))
	case reflect.Float32, reflect.Float64:
		w.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	}
}

func writeText(w *bytes.Buffer, s string) {
	_ = xml.EscapeText(w, []byte(s)) // a bytes.Buffer never fails
}

// absent tells whether a member is left out of the answer: nil, or an enum
// or string that is not a pointer and empty.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}
