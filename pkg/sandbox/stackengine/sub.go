package stackengine

import "strings"

// subPart is a piece of an Fn::Sub text.
type subPart struct {
	text     string
	variable bool
}

// splitSub cuts a text at its ${…}. ${!literal} stays as ${literal}.
func splitSub(s string) []subPart {
	var out []subPart
	for s != "" {
		start := strings.Index(s, "${")
		if start < 0 {
			return append(out, subPart{text: s})
		}
		end := strings.IndexByte(s[start:], '}')
		if end < 0 {
			return append(out, subPart{text: s})
		}
		end += start
		if start > 0 {
			out = append(out, subPart{text: s[:start]})
		}
		if name := s[start+2 : end]; strings.HasPrefix(name, "!") {
			out = append(out, subPart{text: "${" + name[1:] + "}"})
		} else {
			out = append(out, subPart{text: strings.TrimSpace(name), variable: true})
		}
		s = s[end+1:]
	}
	return out
}

func subArgs(arg any) (body string, vars map[string]any, err error) {
	bad := invalid("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string")
	switch arg := arg.(type) {
	case string:
		return arg, nil, nil
	case []any:
		if len(arg) != 2 {
			return "", nil, bad
		}
		body, ok1 := arg[0].(string)
		vars, ok2 := arg[1].(map[string]any)
		if ok1 && ok2 {
			return body, vars, nil
		}
	}
	return "", nil, bad
}

func (p *program) sub(arg any, r resolver) (any, error) {
	body, vars, err := subArgs(arg)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, part := range splitSub(body) {
		if !part.variable {
			b.WriteString(part.text)
			continue
		}
		v, err := p.subVariable(part.text, vars, r)
		if err != nil {
			return nil, err
		}
		if unknown(v) {
			return knownAfterApply, nil
		}
		s, ok := text(v)
		if !ok {
			return nil, invalid("Template error: variable %s in Fn::Sub expression does not resolve to a string", part.text)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (p *program) subVariable(name string, vars map[string]any, r resolver) (any, error) {
	if v, ok := vars[name]; ok {
		return p.eval(v, r)
	}
	if logical, attribute, ok := strings.Cut(name, "."); ok {
		if r == nil {
			return nil, invalid("Template error: variable %s in Fn::Sub expression does not resolve to a string", name)
		}
		return r.att(logical, attribute)
	}
	return p.ref(name, r)
}
