package sandbox

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// EC2's wire names follow no rule that could be computed from the SDK's types,
// so its few operations read a form and write small structs with XML names.

// ec2Request is the input of every EC2 operation.
type ec2Request struct{ form *formNode }

func decodeEC2(body string, into any) error {
	form, err := url.ParseQuery(body)
	if err != nil {
		return malformed("the body is not a form")
	}
	tree, err := formTree(form)
	if err != nil {
		return err
	}
	in, ok := into.(*ec2Request)
	if !ok {
		return fmt.Errorf("input is %T", into)
	}
	in.form = tree
	return nil
}

// text gives a scalar, "" when absent.
func (r *ec2Request) text(name string) string {
	if n := r.form.kids[name]; n != nil {
		return n.value
	}
	return ""
}

// list gives "ImageId.1", "ImageId.2", … in order.
func (r *ec2Request) list(name string) ([]string, error) {
	n := r.form.kids[name]
	if n == nil {
		return nil, nil
	}
	items, err := n.items()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = item.value
	}
	return out, nil
}

// filters gives "Filter.1.Name" with its values, by name.
func (r *ec2Request) filters() (map[string][]string, error) {
	out := map[string][]string{}
	n := r.form.kids["Filter"]
	if n == nil {
		return out, nil
	}
	items, err := n.items()
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		f := &ec2Request{form: item}
		values, err := f.list("Value")
		if err != nil {
			return nil, err
		}
		out[f.text("Name")] = values
	}
	return out, nil
}

// matchFilters tests a thing against filters. value gives the texts of a
// filter name, ok false for a name that the operation does not have. "*" and
// "?" in a filter's value match as in EC2.
func matchFilters(filters map[string][]string, value func(name string) (have []string, ok bool)) (bool, error) {
	for _, name := range sortedKeys(filters) {
		have, ok := value(name)
		if !ok {
			return false, fail("InvalidParameterValue", "The filter '%.80s' is invalid", name)
		}
		if !slices.ContainsFunc(have, func(h string) bool {
			return slices.ContainsFunc(filters[name], func(want string) bool { return wildcard(want, h) })
		}) {
			return false, nil
		}
	}
	return true, nil
}

// knownFilters refuses filters that an operation does not have; matchFilters
// does so only where there is a thing to test.
func knownFilters(filters map[string][]string, value func(name string) (have []string, ok bool)) error {
	for _, name := range sortedKeys(filters) {
		if _, ok := tagFilter(nil, name); ok {
			continue
		}
		if _, ok := value(name); !ok {
			return fail("InvalidParameterValue", "The filter '%.80s' is invalid", name)
		}
	}
	return nil
}

// wildcard matches * and ?.
func wildcard(pattern, s string) bool {
	for pattern != "" {
		switch pattern[0] {
		case '*':
			for i := 0; i <= len(s); i++ {
				if wildcard(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case '?':
			if s == "" {
				return false
			}
		default:
			if s == "" || s[0] != pattern[0] {
				return false
			}
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

const ec2Namespace = "http://ec2.amazonaws.com/doc/2016-11-15/"

// encodeEC2 writes an answer struct, its XML names lowerCamelCase.
func encodeEC2(op, requestID string, out any) ([]byte, error) {
	var w bytes.Buffer
	start := xml.StartElement{Name: xml.Name{Local: op + "Response"}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: ec2Namespace}}}
	if err := xml.NewEncoder(&w).EncodeElement(out, start); err != nil {
		return nil, fmt.Errorf("encode %s: %w", op, err)
	}
	head, rest, _ := strings.Cut(w.String(), ">")
	return []byte(head + "><requestId>" + requestID + "</requestId>" + rest + "\n"), nil
}

// ec2Data is a property tree in CloudFormation's names that is written in
// EC2's: imageId, blockDeviceMappingSet with items, and so on.
type ec2Data map[string]any

// ec2Sets are the lists whose wire name is not the name without a plural s
// and with "Set".
var ec2Sets = map[string]string{
	"Groups":             "groupSet",
	"Ipv6Addresses":      "ipv6AddressesSet",
	"PrivateIpAddresses": "privateIpAddressesSet",
	"Tags":               "tagSet",
}

// MarshalXML implements xml.Marshaler.
func (d ec2Data) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	names := make([]string, 0, len(d))
	for name := range d {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := encodeEC2Value(e, name, d[name]); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

func encodeEC2Value(e *xml.Encoder, name string, v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		return e.EncodeElement(ec2Data(v), element(lowerFirst(name)))
	case []any:
		set := element(setName(name))
		if err := e.EncodeToken(set); err != nil {
			return err
		}
		for _, item := range v {
			if m, ok := item.(map[string]any); ok {
				item = ec2Data(m)
			} else {
				item = scalarText(item)
			}
			if err := e.EncodeElement(item, element("item")); err != nil {
				return err
			}
		}
		return e.EncodeToken(set.End())
	}
	return e.EncodeElement(scalarText(v), element(lowerFirst(name)))
}

func element(name string) xml.StartElement {
	return xml.StartElement{Name: xml.Name{Local: name}}
}

func setName(name string) string {
	if s, ok := ec2Sets[name]; ok {
		return s
	}
	return lowerFirst(strings.TrimSuffix(name, "s")) + "Set"
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
}
