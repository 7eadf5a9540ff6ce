package cfn

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"reconcile/pkg/awstype"
)

// walker compares the trees of one resource or section.
type walker struct {
	resource   string
	t          awstype.Type
	known      bool // t is known
	secretName bool // the resource's own name says that its value is secret
	noEcho     bool // a template parameter whose value must not be shown
	out        []Difference
}

func newWalker(resource, typeName string) *walker {
	t, known := awstype.Lookup(typeName)
	if !known {
		t.Name = typeName
	}
	return &walker{resource: resource, t: t, known: known}
}

// place is where the walker stands, and what it knows from the way there.
type place struct {
	path   string
	owner  string // the property whose value this is, also through a function
	set    bool   // the list here has no order
	policy bool   // inside an IAM policy document
	secret bool   // a literal here must not be shown, whatever its owner's name
}

// hides tells whether a literal here must not be shown.
func (p place) hides() bool { return p.secret || secretLooking(p.owner) }

func (p place) key(name string) place {
	p.set = false
	if !strings.HasPrefix(name, "Fn::") {
		p.owner, p.secret = name, false
	}
	if strings.ContainsAny(name, `.[]"`) || name == "" {
		p.path += "[" + strconv.Quote(name) + "]"
		return p
	}
	if p.path != "" {
		p.path += "."
	}
	p.path += name
	return p
}

func (p place) element(name string) place {
	p.set = false
	p.path += "[" + name + "]"
	return p
}

// name is the last property name of the path.
func (p place) name() string {
	path := p.path
	for strings.HasSuffix(path, "]") {
		path = path[:strings.LastIndexByte(path, '[')]
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// compare adds the differences between two values to w.out.
func (w *walker) compare(p place, before, after any) {
	before, after = simplify(before), simplify(after)
	_, had := before.(absent)
	_, has := after.(absent)
	switch {
	case had && has:
		return
	case had:
		w.report(p, Add, nil, after)
		return
	case has:
		w.report(p, Remove, before, nil)
		return
	}
	if equal(before, after) {
		return
	}
	b, bMap := before.(map[string]any)
	a, aMap := after.(map[string]any)
	if isIntrinsic(before) || isIntrinsic(after) {
		w.intrinsics(p, before, after)
		return
	}
	if bMap && aMap {
		w.maps(p, b, a)
		return
	}
	bl, bList := before.([]any)
	al, aList := after.([]any)
	if p.policy && bList != aList && (single(p, before) || single(p, after)) {
		bl, al, bList, aList = oneOrMany(before), oneOrMany(after), true, true
	}
	if bList && aList {
		w.lists(p, bl, al)
		return
	}
	bs, bText := before.(string)
	as, aText := after.(string)
	if bText && aText {
		w.texts(p, bs, as, before, after)
		return
	}
	// A document may stand as an object or as its text.
	if (bMap && aText || bText && aMap) && sameDocument(before, after) {
		return
	}
	w.report(p, Modify, before, after)
}

func (w *walker) maps(p place, b, a map[string]any) {
	p.policy = p.policy || isPolicy(b) && isPolicy(a)
	hides := namedSecret(b) || namedSecret(a)
	for _, key := range union(b, a) {
		at := p.key(key)
		if key == "Value" && (hides || w.secretName && p.path == "Properties") {
			at.secret = true
		}
		if w.noEcho && key == "Default" {
			at.secret = true
		}
		w.compare(at, entry(b, key), entry(a, key))
	}
}

func isPolicy(m map[string]any) bool {
	switch m["Statement"].(type) {
	case []any, map[string]any:
		return true
	}
	return false
}

// intrinsics compares two values of which at least one is computed by
// CloudFormation or by us.
func (w *walker) intrinsics(p place, before, after any) {
	if fingerprint(before) == fingerprint(after) {
		return
	}
	b, bok := textOf(before)
	a, aok := textOf(after)
	if !bok || !aok {
		w.report(p, Modify, before, after)
		return
	}
	w.texts(p, b, a, before, after)
}

// texts compares two texts; the values are what they stand for, which for a
// join with open references is more than the text.
func (w *walker) texts(p place, b, a string, before, after any) {
	if sameDocument(before, after) {
		return
	}
	d := w.difference(p, Modify, before, after)
	if !d.Sensitive {
		d.Document = documentDiff(b, a)
	}
	w.out = append(w.out, d)
}

func (w *walker) report(p place, k Kind, before, after any) {
	w.out = append(w.out, w.difference(p, k, before, after))
}

func (w *walker) difference(p place, k Kind, before, after any) Difference {
	d := Difference{Resource: w.resource, Type: w.t.Name, Kind: k, Path: p.path, Replace: awstype.No}
	var hidBefore, hidAfter bool
	if k != Add {
		d.Before, hidBefore = w.mask(p, before)
	}
	if k != Remove {
		d.After, hidAfter = w.mask(p, after)
		d.Unknown = len(Refs(after)) > 0
	}
	d.Sensitive = hidBefore || hidAfter
	return d
}

// simplify gives equal values one form: folded joins, GetAtt as a list.
func simplify(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if len(v) != 1 {
			return v
		}
		if s, ok := v["Fn::GetAtt"].(string); ok {
			id, attribute, _ := strings.Cut(s, ".")
			return GetAtt(id, attribute)
		}
		return fold(v)
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i, m := range v {
			out[i] = m
		}
		return out
	}
	return v
}

// isIntrinsic tells whether a value is an intrinsic function or an open reference.
func isIntrinsic(v any) bool {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false
	}
	for k := range m {
		return k == "Ref" || k == refKey || strings.HasPrefix(k, "Fn::")
	}
	return false
}

// equal is the cheap half of compare: true means no difference, false means
// that it must be looked at.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, e := range a {
			other, ok := b[k]
			if !ok || !equal(e, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i, e := range a {
			if !equal(e, b[i]) {
				return false
			}
		}
		return true
	case string:
		if b, ok := b.(string); ok {
			return a == b
		}
	}
	return sameScalar(a, b)
}

func sameScalar(a, b any) bool {
	as, aok := scalar(a)
	bs, bok := scalar(b)
	return aok && bok && as == bs
}

// scalar is the text under which CloudFormation compares a scalar.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	case int, int32, int64, uint32, uint64:
		return fmt.Sprint(v), true
	case nil:
		return "null", true
	}
	return "", false
}

func scalarText(v any) string {
	s, _ := v.(string)
	return s
}

// single tells whether a policy document may have v in place of a list that
// holds only v: one statement, one action, one principal.
func single(p place, v any) bool {
	_, isScalar := scalar(v)
	_, isObject := v.(map[string]any)
	return isScalar || isObject && p.name() == "Statement"
}

func oneOrMany(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}
