package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Services without SDK types of their own here read a property tree and answer
// another one, in the names of the wire: a package of the SDK for each of them
// would cost build time and binary size for a handful of operations.

// doc is an answer, or a part of one: scalars, time.Time, []byte, doc, []doc,
// []string, map[string]string and items. A nil member is left out.
type doc map[string]any

// items is a list whose members have a name of their own in XML.
type items struct {
	name string
	list []doc
}

// textItems is such a list of texts.
type textItems struct {
	name string
	list []string
}

// docInput is the input of such an operation.
type docInput struct{ tree props }

// docReads wraps a handler that changes nothing.
func docReads(f func(*call, props) (doc, error)) operation {
	return operation{
		newIn: func() any { return &docInput{tree: props{}} },
		run: func(c *call, in any) (any, error) {
			typed, ok := in.(*docInput)
			if !ok {
				return nil, fmt.Errorf("input is %T", in)
			}
			out, err := f(c, typed.tree)
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// docWrites wraps a handler that may change state.
func docWrites(f func(*call, props) (doc, error)) operation {
	op := docReads(f)
	op.write = true
	return op
}

// decodeDoc reads a form or JSON; route has made JSON of CBOR.
func decodeDoc(body string, p protocol, into *docInput) error {
	if p == protocolQuery && !strings.HasPrefix(body, "{") || p == protocolEC2 {
		form, err := url.ParseQuery(body)
		if err != nil {
			return malformed("the body is not a form")
		}
		root, err := formTree(form)
		if err != nil {
			return err
		}
		tree, err := root.plain(p == protocolEC2)
		if err != nil {
			return err
		}
		if m, ok := tree.(map[string]any); ok {
			into.tree = m
		}
		return nil
	}
	if strings.TrimSpace(body) == "" {
		return nil
	}
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&into.tree); err != nil {
		return notSerial("the body is not a JSON object: %v", err)
	}
	return nil
}

// plain makes lists, maps and structures of a form. Flat lists are EC2's: there
// "Tag.1.Key" is an item of the list Tag; elsewhere a list has one more name
// in between, "Tags.member.1.Key".
func (n *formNode) plain(flat bool) (any, error) {
	if len(n.kids) == 0 {
		return n.value, nil
	}
	if list, err := n.listed(flat); list != nil || err != nil {
		return list, err
	}
	if len(n.kids) == 1 && !flat {
		for name, kid := range n.kids {
			list, err := kid.listed(flat)
			if err != nil {
				return nil, err
			}
			if list != nil && name == "entry" {
				return entries(list), nil
			}
			if list != nil {
				return list, nil
			}
		}
	}
	out := map[string]any{}
	for name, kid := range n.kids {
		v, err := kid.plain(flat)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

// listed gives the items of a node whose children are numbers; nil otherwise.
func (n *formNode) listed(flat bool) ([]any, error) {
	if len(n.kids) == 0 {
		return nil, nil
	}
	for name := range n.kids {
		if strings.Trim(name, "0123456789") != "" {
			return nil, nil
		}
	}
	kids, err := n.items()
	if err != nil {
		return nil, err
	}
	out := make([]any, len(kids))
	for i, kid := range kids {
		if out[i], err = kid.plain(flat); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func entries(list []any) map[string]any {
	out := map[string]any{}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out[props(m).text("key")] = m["value"]
		}
	}
	return out
}

// moment reads a timestamp, of whatever protocol; ok is false when there is none.
func (p props) moment(name string) (time.Time, bool) {
	switch v := p[name].(type) {
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC(), true
			}
		}
	case json.Number:
		if seconds, err := v.Float64(); err == nil && math.Abs(seconds) < 1e11 {
			whole, part := math.Modf(seconds)
			return time.Unix(int64(whole), int64(math.Round(part*1e3))*1e6).UTC(), true
		}
	}
	return time.Time{}, false
}

// real reads a number with a fraction.
func (p props) real(name string) (float64, bool) {
	f, err := json.Number(p.text(name)).Float64()
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// pageOf cuts a page by the names that the service gives token and limit.
func pageOf[T any](in props, tokenName, limitName string, usual, most int, all []T, key func(T) string) ([]T, any, error) {
	limit := usual
	if in.text(limitName) != "" {
		n, ok := in.number(limitName)
		if !ok || n < 1 || int(n) > most {
			return nil, nil, fail("ValidationError", "1 validation error detected: Value '%.20s' at '%s' failed to satisfy constraint: Member must have value less than or equal to %d", in.text(limitName), lowerFirst(limitName), most)
		}
		limit = int(n)
	}
	token := in.text(tokenName)
	out, next, err := page(all, key, &token, limit)
	if err != nil || next == nil {
		return out, nil, err
	}
	return out, *next, nil
}

// cborJSON turns a CBOR body into the JSON that the journal can hold.
func cborJSON(body []byte) (string, *Fail) {
	if len(body) == 0 {
		return "{}", nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return "", notSerial("the body is not CBOR: %v", err)
	}
	b, err := json.Marshal(fromCBOR(v))
	if err != nil {
		return "", notSerial("the body is not CBOR: %v", err)
	}
	return string(b), nil
}

func fromCBOR(v cbor.Value) any {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, e := range v {
			out[k] = fromCBOR(e)
		}
		return out
	case cbor.List:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = fromCBOR(e)
		}
		return out
	case cbor.String:
		return string(v)
	case cbor.Bool:
		return bool(v)
	case cbor.Uint:
		return uint64(v)
	case cbor.NegInt:
		return -int64(v)
	case cbor.Float32:
		return finite(float64(v))
	case cbor.Float64:
		return finite(float64(v))
	case cbor.Slice:
		return []byte(v)
	case *cbor.Tag: // 1: seconds since 1970
		return fromCBOR(v.Value)
	}
	return nil
}

// finite writes what JSON has no number for as text, which no reader takes for one.
func finite(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Sprint(f)
	}
	return f
}
