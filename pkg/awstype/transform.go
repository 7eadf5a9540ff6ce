package awstype

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Equivalent tells whether AWS may show live for a property whose template says
// declared: the schema's propertyTransform at path describes how the service
// writes it (a name in lower case, an ARN for an id). props are the resource's
// properties. From the resource type schema's documentation: the transform is
// JSONata, its result is compared as text or as a regular expression. What is
// beyond the functions that our types use (bit arithmetic on addresses, say)
// makes nothing equivalent.
func (t Type) Equivalent(path string, props map[string]any, declared, live any) bool {
	have, isText := scalarText(live)
	if _, ok := scalarText(declared); !ok || !isText {
		return false
	}
	transforms, _ := t.schema["propertyTransform"].(map[string]any)
	at := Split(path)
	for pointer, v := range transforms {
		pattern := strings.Split(strings.TrimPrefix(pointer, "/properties/"), "/")
		source, ok := v.(string)
		if !ok || len(pattern) != len(at) || within(at, pattern) != inside {
			continue
		}
		for _, alternative := range strings.Split(source, "$OR") {
			p := &transformer{text: alternative, property: pattern[len(pattern)-1], declared: declared, props: props}
			want, ok := p.result()
			if ok && matches(want, have) {
				return true
			}
		}
	}
	return false
}

func matches(want, have string) bool {
	if want == have {
		return true
	}
	re, err := regexp.Compile("^(?:" + want + ")$")
	return err == nil && re.MatchString(have)
}

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool, float64, int, fmt.Stringer:
		return fmt.Sprint(v), true
	}
	return "", false
}

// transformer evaluates the part of JSONata that the schemas of our types use.
type transformer struct {
	text     string
	property string
	declared any
	props    map[string]any
	failed   bool
}

func (p *transformer) result() (string, bool) {
	v := p.ternary()
	s, ok := scalarText(v)
	p.space()
	return s, ok && !p.failed && p.text == ""
}

func (p *transformer) space() { p.text = strings.TrimLeft(p.text, " \t\n") }

func (p *transformer) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.text, token)
	if ok {
		p.text = rest
	}
	return ok
}

func (p *transformer) fail() any {
	p.failed, p.text = true, ""
	return nil
}

func (p *transformer) ternary() any {
	v := p.compare()
	if !p.take("?") {
		return v
	}
	yes := p.ternary()
	if !p.take(":") {
		return p.fail()
	}
	no := p.ternary()
	if v == true || v != nil && v != false && v != "" {
		return yes
	}
	return no
}

func (p *transformer) compare() any {
	left := p.indexed()
	switch {
	case p.take("="):
		return left == p.indexed()
	case p.take("in "):
		list, _ := p.indexed().([]any)
		for _, e := range list {
			if e == left {
				return true
			}
		}
		return false
	}
	return left
}

// indexed is a value with an optional [-1].
func (p *transformer) indexed() any {
	v := p.value()
	if !p.take("[-1]") {
		return v
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return p.fail()
	}
	return list[len(list)-1]
}

var identifier = regexp.MustCompile(`^\$?[A-Za-z][A-Za-z0-9.]*`)

func (p *transformer) value() any {
	p.space()
	switch {
	case p.text == "":
		return p.fail()
	case p.text[0] == '"' || p.text[0] == '\'':
		end := strings.IndexByte(p.text[1:], p.text[0])
		if end < 0 {
			return p.fail()
		}
		s := p.text[1 : 1+end]
		p.text = p.text[2+end:]
		return strings.ReplaceAll(s, `\/`, "/")
	case p.text[0] == '[':
		p.text = p.text[1:]
		return p.list("]")
	case p.text[0] == '(':
		p.text = p.text[1:]
		v := p.ternary()
		if !p.take(")") {
			return p.fail()
		}
		return v
	case p.text[0] >= '0' && p.text[0] <= '9':
		n := p.text[:len(p.text)-len(strings.TrimLeft(p.text, "0123456789"))]
		p.text = p.text[len(n):]
		return n
	}
	name := identifier.FindString(p.text)
	p.text = p.text[len(name):]
	switch {
	case name == "":
		return p.fail()
	case name == "true" || name == "false":
		return name == "true"
	case !strings.HasPrefix(name, "$"):
		return p.lookup(name)
	case !p.take("("):
		return p.fail()
	}
	return p.call(name, p.list(")"))
}

func (p *transformer) list(end string) []any {
	list := []any{}
	if p.take(end) {
		return list
	}
	for !p.failed {
		list = append(list, p.ternary())
		if p.take(end) {
			return list
		}
		if !p.take(",") {
			p.fail()
		}
	}
	return nil
}

// lookup finds a property: the one that is transformed under any path to it,
// others at the top.
func (p *transformer) lookup(name string) any {
	if name[strings.LastIndexByte(name, '.')+1:] == p.property {
		s, _ := scalarText(p.declared)
		return s
	}
	if s, ok := scalarText(p.props[name]); ok {
		return s
	}
	return nil
}

func (p *transformer) call(name string, args []any) any {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i], _ = scalarText(a)
	}
	switch {
	case name == "$lowercase" && len(args) == 1:
		return strings.ToLower(texts[0])
	case name == "$uppercase" && len(args) == 1:
		return strings.ToUpper(texts[0])
	case name == "$string" && len(args) == 1:
		return texts[0]
	case name == "$contains" && len(args) == 2:
		return strings.Contains(texts[0], texts[1])
	case name == "$replace" && len(args) == 3:
		return strings.ReplaceAll(texts[0], texts[1], texts[2])
	case name == "$split" && len(args) >= 2:
		parts := strings.Split(texts[0], texts[1])
		if len(args) == 3 {
			if n, err := strconv.Atoi(texts[2]); err == nil && n < len(parts) {
				parts = parts[:n]
			}
		}
		out := make([]any, len(parts))
		for i, s := range parts {
			out[i] = s
		}
		return out
	case name == "$join" && len(args) >= 1:
		list, ok := args[0].([]any)
		if !ok {
			return p.fail()
		}
		sep := ""
		if len(args) > 1 {
			sep = texts[1]
		}
		parts := make([]string, len(list))
		for i, e := range list {
			if parts[i], ok = scalarText(e); !ok {
				return p.fail()
			}
		}
		return strings.Join(parts, sep)
	}
	return p.fail()
}
