package awstype

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// rule is one node of a resource schema, as far as accepting a value needs it.
// Almost every resource is valid, and the JSON Schema library takes half the
// processor time of a plan: so a rule says either "surely valid", or nothing,
// and then the library judges and explains. It must never accept what the
// library refuses; a test holds that against random values.
type rule struct {
	unsure     bool // a keyword that only the library knows
	types      []string
	enum       []any
	format     func(any) bool
	pattern    func() *regexp.Regexp
	minLength  int
	maxLength  int
	minimum    float64
	maximum    float64
	minItems   int
	maxItems   int
	unique     bool
	items      *rule
	required   []string
	properties map[string]*rule
	patterns   []patternRule
	closed     bool // no other properties
	anyOf      []*rule
	oneOf      []*rule
	presence   *presenceRules
	refersTo   *rule
}

type patternRule struct {
	name *regexp.Regexp
	rule *rule
}

// plain are keywords that say nothing about a value, or that presenceRules has.
var plain = sync.OnceValue(func() map[string]bool {
	return keywordSet("$id $ref title description default definitions insertionOrder primaryIdentifier additionalIdentifiers tagging",
		"createOnlyProperties readOnlyProperties writeOnlyProperties conditionalCreateOnlyProperties deprecatedProperties",
		"propertyTransform relationshipRef replacementStrategy arrayType uniqueKeys maxUniqueItems enumCaseInsensitive lifecycle taggable",
		"handlers typeName nonPublicProperties nonPublicDefinitions prefixItems requiredXor requiredOr dependentExcluded dependentRequired",
		"type enum format pattern minLength maxLength minimum maximum minItems maxItems uniqueItems items required properties",
		"patternProperties additionalProperties anyOf oneOf")
})

func keywordSet(lines ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(strings.Join(lines, " ")) {
		set[name] = true
	}
	return set
}

// rules builds the rules of one type.
type rules struct {
	root  map[string]any
	built map[string]*rule // by reference
}

func ruleOf(p parsedType) *rule {
	if p.err != nil {
		return &rule{unsure: true}
	}
	b := rules{p.t.schema, map[string]*rule{}}
	return b.node(p.t.schema)
}

func (b *rules) node(v any) *rule {
	schema, ok := v.(map[string]any)
	if !ok {
		return &rule{unsure: true}
	}
	if ref, ok := schema["$ref"].(string); ok {
		return &rule{refersTo: b.reference(ref)}
	}
	r := &rule{
		minLength: number(schema, "minLength", 0), maxLength: number(schema, "maxLength", math.MaxInt),
		minItems: number(schema, "minItems", 0), maxItems: number(schema, "maxItems", math.MaxInt),
	}
	for keyword := range schema {
		r.unsure = r.unsure || !plain()[keyword]
	}
	r.scalar(schema)
	r.unique = schema["uniqueItems"] == true
	if items, ok := schema["items"]; ok {
		r.items = b.node(items)
	}
	b.object(r, schema)
	r.anyOf, r.oneOf = b.nodes(schema["anyOf"]), b.nodes(schema["oneOf"])
	return r
}

func (b *rules) nodes(v any) []*rule {
	list, _ := v.([]any)
	out := make([]*rule, len(list))
	for i, e := range list {
		out[i] = b.node(e)
	}
	return out
}

func (b *rules) reference(ref string) *rule {
	if r, ok := b.built[ref]; ok {
		return r
	}
	r := &rule{}
	b.built[ref] = r // before its parts: schemas refer to themselves
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		r.unsure = true
		return r
	}
	var v any = b.root
	for _, token := range tokens(pointer) {
		m, _ := v.(map[string]any)
		v = m[token]
	}
	*r = *b.node(v)
	return r
}

func (r *rule) scalar(schema map[string]any) {
	if t, ok := schema["type"]; ok {
		r.types = stringOrList(t)
	}
	if list, ok := schema["enum"].([]any); ok {
		r.enum = list
	}
	if f, ok := schema["format"].(string); ok {
		r.format = jsonschema.Formats[f]
	}
	if p, ok := schema["pattern"].(string); ok {
		r.pattern = sync.OnceValue(func() *regexp.Regexp {
			re, err := regexp.Compile(p)
			if err != nil {
				return nil
			}
			return re
		})
	}
	r.minimum, r.maximum = limits(schema)
}

func (b *rules) object(r *rule, schema map[string]any) {
	r.required = stringsOf(schema["required"])
	if properties, ok := schema["properties"].(map[string]any); ok {
		r.properties = make(map[string]*rule, len(properties))
		for name, p := range properties {
			r.properties[name] = b.node(p)
		}
	}
	patterns, _ := schema["patternProperties"].(map[string]any)
	for p, s := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			r.unsure = true
			return
		}
		r.patterns = append(r.patterns, patternRule{re, b.node(s)})
	}
	switch schema["additionalProperties"] {
	case nil, true:
	case false:
		r.closed = true
	default:
		r.unsure = true
	}
	if p, ok := presenceOf(schema); ok {
		r.presence = &p
	}
}

func number(schema map[string]any, keyword string, otherwise int) int {
	if f, ok := schema[keyword].(float64); ok {
		return int(f)
	}
	return otherwise
}

func (r *rule) accepts(v any) bool {
	for r.refersTo != nil {
		r = r.refersTo
	}
	if intrinsic(v) {
		return true
	}
	if r.unsure {
		return false
	}
	if len(r.types) > 0 && !r.ofType(v) {
		return coerces(v, r.types) && beyond(v, r.minimum, r.maximum) == ""
	}
	if r.enum != nil && !r.listed(v) || r.format != nil && !r.format(v) {
		return false
	}
	switch v := v.(type) {
	case string:
		if !r.text(v) {
			return false
		}
	case map[string]any:
		if !r.members(v) {
			return false
		}
	case []any:
		if !r.list(v) {
			return false
		}
	case bool:
	default:
		f, ok := float(v)
		if !ok || f < r.minimum || f > r.maximum {
			return false
		}
	}
	return r.alternatives(v)
}

func (r *rule) ofType(v any) bool {
	have := kindOf(v)
	for _, t := range r.types {
		if t == have || t == "number" && have == "integer" {
			return true
		}
	}
	return false
}

func (r *rule) listed(v any) bool {
	for _, e := range r.enum {
		if scalar(v) && scalar(e) && text(e) == text(v) {
			return true
		}
	}
	return false
}

func scalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any, nil:
		return false
	}
	return true
}

func (r *rule) text(s string) bool {
	if r.minLength > 0 || r.maxLength < math.MaxInt {
		if n := utf8.RuneCountInString(s); n < r.minLength || n > r.maxLength {
			return false
		}
	}
	if r.pattern == nil {
		return true
	}
	re := r.pattern()
	return re != nil && re.MatchString(s)
}

func (r *rule) members(m map[string]any) bool {
	for _, name := range r.required {
		if _, ok := m[name]; !ok {
			return false
		}
	}
	for name, v := range m {
		p, known := r.properties[name]
		if known && !p.accepts(v) {
			return false
		}
		for _, p := range r.patterns {
			if p.name.MatchString(name) {
				known = true
				if !p.rule.accepts(v) {
					return false
				}
			}
		}
		if !known && r.closed {
			return false
		}
	}
	if r.presence == nil {
		return true
	}
	fine := true
	r.presence.check(m, func(string, string, ...any) { fine = false })
	return fine
}

func (r *rule) list(list []any) bool {
	if len(list) < r.minItems || len(list) > r.maxItems || r.unique && !distinct(list) {
		return false
	}
	if r.items != nil {
		for _, e := range list {
			if !r.items.accepts(e) {
				return false
			}
		}
	}
	return true
}

// distinct tells whether all elements surely differ.
func distinct(list []any) bool {
	if len(list) < 2 {
		return true
	}
	seen := make(map[string]bool, len(list))
	for _, e := range list {
		key, ok := e.(string)
		if !ok {
			b, err := json.Marshal(e)
			if err != nil {
				return false
			}
			key = string(b)
		}
		if seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

func (r *rule) alternatives(v any) bool {
	count := func(branches []*rule) (n int) {
		for _, b := range branches {
			if b.accepts(v) {
				n++
			}
		}
		return n
	}
	return (len(r.anyOf) == 0 || count(r.anyOf) > 0) && (len(r.oneOf) == 0 || count(r.oneOf) == 1)
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
