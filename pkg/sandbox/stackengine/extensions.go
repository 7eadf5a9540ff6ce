package stackengine

import (
	"maps"
	"slices"
	"strings"
)

// The transform AWS::LanguageExtensions: Fn::ForEach, Fn::Length,
// Fn::ToJsonString, a default of Fn::FindInMap, functions in deletion policies.
// From the documentation transform-aws-languageextensions; what a loop replaces
// and what it leaves: measured on AWS (ministack #1739). AWS makes the change set
// fail, or rolls a stack back, where the transform fails; here the request is
// refused with the same sentence.
const (
	languageExtensions = "AWS::LanguageExtensions"
	loopPrefix         = "Fn::ForEach::"
)

func transformFailed(format string, args ...any) *Error {
	return invalid("Transform AWS::LanguageExtensions failed with: "+format, args...)
}

// unroll applies the transform with the values of parameters.
func (p *program) unroll() (*template, error) {
	u := unroller{p}
	raw := maps.Clone(p.t.raw)
	for _, section := range []string{"Conditions", "Resources", "Outputs"} {
		block, ok := raw[section].(map[string]any)
		if !ok {
			continue
		}
		v, err := u.object(block, nil, true)
		if err != nil {
			return nil, err
		}
		raw[section] = v
	}
	if block, ok := raw["Resources"].(map[string]any); ok {
		if err := u.policies(block); err != nil {
			return nil, err
		}
	}
	return readTemplate(raw)
}

// policies evaluates the deletion policies of resources, which the transform allows.
func (u unroller) policies(block map[string]any) error {
	for _, id := range keys(block) {
		fields, ok := block[id].(map[string]any)
		if !ok {
			continue
		}
		for _, field := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
			if _, _, call := function(fields[field]); !call {
				continue
			}
			v, err := u.p.eval(fields[field], nil)
			if err != nil {
				return transformFailed("%s", reasonOf(err))
			}
			fields[field] = v
		}
	}
	return nil
}

type unroller struct{ p *program }

// loopItem is the value of a loop's identifier in one round.
type loopItem struct{ name, value string }

// object unrolls the loops among the keys of an object. fragment tells that the
// keys may hold identifiers: those directly in a loop's fragment do.
func (u unroller) object(m map[string]any, items []loopItem, fragment bool) (map[string]any, error) {
	out := map[string]any{}
	put := func(k string, v any) error {
		if _, twice := out[k]; twice {
			return transformFailed("duplicate key %s", k)
		}
		out[k] = v
		return nil
	}
	for _, k := range keys(m) {
		if strings.HasPrefix(k, loopPrefix) {
			round, err := u.loop(k, m[k], items)
			if err != nil {
				return nil, err
			}
			for _, name := range keys(round) {
				if err := put(name, round[name]); err != nil {
					return nil, err
				}
			}
			continue
		}
		v, err := u.value(m[k], items)
		if err != nil {
			return nil, err
		}
		name := k
		if fragment {
			name = replaceInKey(k, items)
		}
		if err := put(name, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (u unroller) loop(name string, v any, items []loopItem) (map[string]any, error) {
	layout := transformFailed("Fn::ForEach layout is incorrect")
	list, _ := v.([]any)
	if len(list) != 3 {
		return nil, layout
	}
	identifier, ok1 := list[0].(string)
	body, ok2 := list[2].(map[string]any)
	if !ok1 || !ok2 || identifier == "" {
		return nil, layout
	}
	if slices.ContainsFunc(items, func(i loopItem) bool { return i.name == identifier }) {
		return nil, transformFailed("Identifier %s of %s is already used", identifier, name)
	}
	collection, err := u.collection(list[1], items)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, item := range collection {
		value, ok := text(item)
		if !ok {
			return nil, layout
		}
		round, err := u.object(body, append(slices.Clone(items), loopItem{identifier, value}), true)
		if err != nil {
			return nil, err
		}
		for _, k := range keys(round) {
			if _, twice := out[k]; twice {
				return nil, transformFailed("duplicate key %s", k)
			}
			out[k] = round[k]
		}
	}
	return out, nil
}

// collection is a list of values, or a function that gives one without any resource.
func (u unroller) collection(v any, items []loopItem) ([]any, error) {
	v, err := u.value(v, items)
	if err != nil {
		return nil, err
	}
	if v, err = u.p.eval(v, nil); err != nil {
		return nil, transformFailed("%s", reasonOf(err))
	}
	list, ok := v.([]any)
	if !ok {
		return nil, transformFailed("Fn::ForEach layout is incorrect")
	}
	var flat []any
	for _, e := range list {
		if inner, ok := e.([]any); ok {
			flat = append(flat, inner...)
			continue
		}
		flat = append(flat, e)
	}
	return flat, nil
}

// value replaces identifiers in a value: in Ref and in the texts of Fn::Sub; a
// plain text stays as it is.
func (u unroller) value(v any, items []loopItem) (any, error) {
	if name, arg, ok := function(v); ok {
		switch name {
		case "Ref":
			for _, i := range items {
				if arg == i.name {
					return i.value, nil
				}
			}
		case "Fn::Sub":
			return u.sub(arg, items)
		}
		arg, err := u.value(arg, items)
		if err != nil {
			return nil, err
		}
		if name == "Ref" || name == "Fn::GetAtt" || name == "Condition" {
			arg = u.settled(arg)
		}
		return map[string]any{name: arg}, nil
	}
	switch v := v.(type) {
	case map[string]any:
		return u.object(v, items, false)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = u.value(e, items); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

func (u unroller) sub(arg any, items []loopItem) (any, error) {
	body, vars, err := subArgs(arg)
	if err != nil {
		return nil, err
	}
	for _, i := range items {
		if _, own := vars[i.name]; !own {
			body = strings.ReplaceAll(body, "${"+i.name+"}", i.value)
		}
	}
	if vars == nil {
		return map[string]any{"Fn::Sub": body}, nil
	}
	v, err := u.value(vars, items)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Fn::Sub": []any{body, v}}, nil
}

// settled makes names of resources out of functions that give them.
func (u unroller) settled(arg any) any {
	switch a := arg.(type) {
	case []any:
		out := make([]any, len(a))
		for i, e := range a {
			out[i] = u.settled(e)
		}
		return out
	case map[string]any:
		if v, err := u.p.eval(a, nil); err == nil {
			return v
		}
	}
	return arg
}

func replaceInKey(k string, items []loopItem) string {
	for _, i := range items {
		k = strings.ReplaceAll(k, "${"+i.name+"}", i.value)
		k = strings.ReplaceAll(k, "&{"+i.name+"}", onlyAlphanumeric(i.value))
	}
	return k
}

func onlyAlphanumeric(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, s)
}

// checkFunctions refuses functions where CloudFormation has none: macros, those
// of the transform without it, and what the names of exports and imports may not
// depend on (cfn-lint #4519 for the last; the texts for the others: K).
func (t *template) checkFunctions() error {
	extended := slices.Contains(t.Transforms, languageExtensions)
	var visit func(v any, fixed string) error
	visit = func(v any, fixed string) error {
		if name, arg, ok := function(v); ok {
			switch {
			case name == "Fn::Transform":
				m, _ := arg.(map[string]any)
				macro, _ := m["Name"].(string)
				return invalid("No transform named %s found.", macro)
			case !extended && (name == "Fn::Length" || name == "Fn::ToJsonString" || name == "Fn::FindInMap" && hasDefault(arg)):
				return invalid("Template error: %s needs the transform AWS::LanguageExtensions for what it says here.", name)
			case fixed != "" && slices.Contains([]string{"Fn::GetStackOutput", "Fn::ImportValue", "Fn::GetAZs", "Fn::GetAtt"}, name),
				fixed != "" && name == "Ref" && t.isResource(arg):
				return invalid("%s", fixed)
			case name == "Fn::ImportValue":
				fixed = "Template error: the attribute in Fn::ImportValue must not depend on any resources, imported values, or Fn::GetAZs"
			}
			return visit(arg, fixed)
		}
		if name := foreign(v); name != "" {
			return invalid("Template validation error: Template Error: Encountered unsupported function: %s Supported functions are: [%s]", name, supportedFunctions)
		}
		switch v := v.(type) {
		case map[string]any:
			for _, k := range keys(v) {
				if err := visit(v[k], fixed); err != nil {
					return err
				}
			}
		case []any:
			for _, e := range v {
				if err := visit(e, fixed); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, id := range keys(t.Resources) {
		if err := visit(t.Resources[id].Properties, ""); err != nil {
			return err
		}
	}
	for _, key := range keys(t.Outputs) {
		if err := visit(t.Outputs[key].Value, ""); err != nil {
			return err
		}
		fixed := "Template format error: Output " + key + " is malformed. The Name field of Export must not depend on any resources, imported values, or Fn::GetAZs."
		if err := visit(t.Outputs[key].Export, fixed); err != nil {
			return err
		}
	}
	return nil
}

func hasDefault(arg any) bool {
	list, _ := arg.([]any)
	return len(list) > 3
}

func (t *template) isResource(name any) bool {
	s, _ := name.(string)
	_, ok := t.Resources[s]
	return ok
}
