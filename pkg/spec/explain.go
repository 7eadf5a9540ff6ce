package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// explainer turns the refusals of a JSON Schema into sentences with places.
type explainer struct {
	kind   string // of the document, for sentences: "Fleet", "fleet-templates.json"
	root   *node
	shape  *shape
	issues Issues
	moved  []string // paths of fields that were found at another place
}

// check validates a document's value by its JSON Schema, all findings at once.
func (v *validator) check(kind string, root *node) Issues {
	err := v.schema.Validate(root.value(v.shape))
	if err == nil {
		return nil
	}
	e := explainer{kind: kind, root: root, shape: v.shape}
	var refusal *jsonschema.ValidationError
	if !errors.As(err, &refusal) {
		e.issues.add(root.at, "", "shape", err.Error())
		return e.issues
	}
	e.walk(refusal)
	return e.withoutMoved()
}

// withoutMoved drops what is missing at one place because it was written at
// another: one finding is enough.
func (e *explainer) withoutMoved() Issues {
	return slices.DeleteFunc(e.issues, func(i Issue) bool {
		return i.Rule == "missing" && slices.Contains(e.moved, i.Path)
	})
}

// walk descends to the refusals that say something.
func (e *explainer) walk(v *jsonschema.ValidationError) {
	keyword := v.KeywordLocation[strings.LastIndexByte(v.KeywordLocation, '/')+1:]
	p := e.locate(v.InstanceLocation)
	if keyword == "anyOf" {
		e.walkAlternatives(v, p)
		return
	}
	if len(v.Causes) == 0 {
		e.sentence(keyword, p)
		return
	}
	for _, c := range v.Causes {
		e.walk(c)
	}
}

// walkAlternatives explains only the alternative that was meant, by its type.
func (e *explainer) walkAlternatives(v *jsonschema.ValidationError, p place) {
	want := map[nodeKind]string{nodeObject: "object", nodeText: "string", nodeInt: "integer", nodeList: "array", nodeNull: "null", nodeBool: "boolean"}[p.node.kind]
	if p.node.plain && p.shape.wants("string") && p.node.kind != nodeNull {
		want = "string"
	}
	if !p.shape.wants(want) {
		e.sentence("type", p)
		return
	}
	for i, c := range v.Causes {
		if i < len(p.shape.AnyOf) && p.shape.AnyOf[i].wants(want) {
			e.shapeOf(c, p.shape.AnyOf[i])
		}
	}
}

// shapeOf explains a refusal of one alternative.
func (e *explainer) shapeOf(v *jsonschema.ValidationError, s *shape) {
	if len(v.Causes) > 0 {
		for _, c := range v.Causes {
			e.shapeOf(c, s)
		}
		return
	}
	p := e.locate(v.InstanceLocation)
	if p.shape != nil && len(p.shape.AnyOf) > 0 {
		p.shape = s
	}
	e.sentence(v.KeywordLocation[strings.LastIndexByte(v.KeywordLocation, '/')+1:], p)
}

// place is a value in a document with all that a sentence about it needs.
type place struct {
	path  string
	at    Source // of the key for objects and lists, else of the value
	node  *node
	shape *shape
}

// locate follows a JSON pointer.
func (e *explainer) locate(pointer string) place {
	p := place{at: e.root.at, node: e.root, shape: e.shape}
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = unescapePointer(token)
		if p.node.kind == nodeList {
			i, err := strconv.Atoi(token)
			if err != nil || i >= len(p.node.items) {
				return p
			}
			p = place{fmt.Sprintf("%s[%d]", p.path, i), p.node.items[i].at, p.node.items[i], p.shape.item()}
			continue
		}
		sub, ok := p.member(token)
		if !ok {
			return p
		}
		p = sub
	}
	return p
}

func (p place) member(key string) (place, bool) {
	for i := range p.node.members {
		m := &p.node.members[i]
		if m.key != key {
			continue
		}
		at := m.at
		if m.value.kind != nodeObject && m.value.kind != nodeList {
			at = m.value.at
		}
		return place{joinPath(p.path, key), at, m.value, p.shape.property(key)}, true
	}
	return p, false
}

func unescapePointer(token string) string {
	if t, err := url.PathUnescape(token); err == nil {
		token = t
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// sentence says what a keyword refused.
func (e *explainer) sentence(keyword string, p place) {
	s := p.shape
	if s == nil {
		s = &shape{}
	}
	shown := p.node.shown()
	switch keyword {
	case "required":
		e.missing(p, s)
	case "additionalProperties":
		e.unknown(p, s)
	case "type":
		e.wrongType(p, s)
	case "const":
		e.issues.suggest(p.at, p.path, "value", fmt.Sprintf("is %s; it must be %s", shown, jsonText(s.Const)), "")
	case "enum":
		e.notOneOf(p, s)
	case "pattern":
		e.issues.suggest(p.at, p.path, "pattern", fmt.Sprintf("is %s; it must be %s", quote(p.node.text), s.Expect), patternHint(p.path, p.node.text))
	case "maxLength":
		e.issues.add(p.at, p.path, "length", fmt.Sprintf("is %d characters long; at most %d are allowed", utf8.RuneCountInString(p.node.text), s.MaxLength))
	case "minimum", "maximum":
		e.issues.add(p.at, p.path, "range", fmt.Sprintf("is %s; it must be %s", p.node.text, rangeText(s)))
	case "minItems":
		e.issues.add(p.at, p.path, "items", fmt.Sprintf("has %s; at least %d are needed", count(len(p.node.items), "item"), s.MinItems))
	case "maxItems":
		e.issues.add(p.at, p.path, "items", fmt.Sprintf("has %s; at most %d are allowed", count(len(p.node.items), "item"), s.MaxItems))
	case "uniqueItems":
		e.repeated(p)
	default:
		e.issues.add(p.at, p.path, "shape", "is not what the schema allows ("+keyword+")")
	}
}

func (e *explainer) missing(p place, s *shape) {
	for _, name := range s.Required {
		if p.node.get(name) != nil || e.misspelt(p, s, name) {
			continue
		}
		sub := s.property(name)
		suggestion := ""
		if sub != nil && len(sub.Examples) > 0 {
			suggestion = fmt.Sprintf("for example %s: %s", name, sub.Examples[0])
		}
		e.issues.suggest(p.at, joinPath(p.path, name), "missing", "is missing", suggestion)
	}
}

// misspelt tells whether an unknown field of the object is meant to be name:
// then that finding is enough.
func (e *explainer) misspelt(p place, s *shape, name string) bool {
	for i := range p.node.members {
		key := p.node.members[i].key
		if s.Properties[key] == nil && nearest(key, s.names()) == name {
			return true
		}
	}
	return false
}

func (e *explainer) unknown(p place, s *shape) {
	for i := range p.node.members {
		m := &p.node.members[i]
		if s.Properties[m.key] != nil {
			continue
		}
		path := joinPath(p.path, m.key)
		if len(s.Patterns) > 0 {
			if problem := mapKeyProblem(p.path, m.key); problem != "" {
				e.issues.add(m.at, path, "unknown-field", problem)
			}
			continue
		}
		if from := fromTemplate(e.kind, m.key); from != "" {
			e.issues.suggest(m.at, path, "template-setting", from, "remove it")
			continue
		}
		suggestion := didYouMean(m.key, s.names())
		if elsewhere := e.shape.find(m.key, ""); suggestion == "" && elsewhere != "" {
			suggestion = "it belongs at " + elsewhere
			e.moved = append(e.moved, elsewhere)
		}
		if suggestion == "" {
			suggestion = "fields here: " + list(s.names())
		}
		e.issues.suggest(m.at, path, "unknown-field", "is not a field of "+e.kind, suggestion)
	}
}

func (e *explainer) wrongType(p place, s *shape) {
	var wants []string
	for _, t := range []string{"string", "integer", "boolean", "array", "object"} {
		if s.wants(t) {
			wants = append(wants, map[string]string{"string": "text", "integer": "a whole number", "boolean": "true or false", "array": "a list", "object": "an object"}[t])
		}
	}
	is, suggestion := "is "+p.node.kind.String(), ""
	switch {
	case p.node.kind == nodeNull:
		is, suggestion = "is empty", "give it a value or remove the line"
	case p.node.kind == nodeText:
		is = "is " + p.node.shown()
		suggestion = textHint(p.node, s)
	case p.node.kind == nodeBool || p.node.kind == nodeInt || p.node.kind == nodeFloat:
		is = "is " + p.node.shown()
		if s.wants("string") {
			suggestion = fmt.Sprintf("put it in quotes: %q", p.node.text)
		}
	}
	e.issues.suggest(p.at, p.path, "type", is+"; it must be "+strings.Join(wants, " or "), suggestion)
}

func (e *explainer) notOneOf(p place, s *shape) {
	var values []string
	for _, v := range s.Enum {
		values = append(values, jsonText(v))
	}
	shown := p.node.shown()
	if p.node.kind == nodeObject || p.node.kind == nodeList || p.node.kind == nodeNull {
		e.wrongType(p, s)
		return
	}
	e.issues.suggest(p.at, p.path, "value", fmt.Sprintf("is %s; it must be one of %s", shown, list(values)), didYouMean(p.node.text, values))
}

func (e *explainer) repeated(p place) {
	first := map[string]int{}
	for i, item := range p.node.items {
		if j, again := first[item.text]; again {
			e.issues.add(item.at, fmt.Sprintf("%s[%d]", p.path, i), "duplicate", fmt.Sprintf("%s is in the list already, at [%d]", quote(item.text), j))
			continue
		}
		first[item.text] = i
	}
}

func rangeText(s *shape) string {
	switch {
	case s.Minimum != "" && s.Maximum != "":
		return fmt.Sprintf("from %s to %s", s.Minimum, s.Maximum)
	case s.Minimum != "":
		return fmt.Sprintf("at least %s", s.Minimum)
	}
	return fmt.Sprintf("at most %s", s.Maximum)
}

// jsonText is a JSON string's text, or any other JSON value as it is.
func jsonText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
