package stackengine

// verdict is what a condition comes to. It is open where it hangs on a value
// that only the execution tells: a parameter of a nested stack in a change set.
type verdict int

const (
	verdictNo verdict = iota
	verdictYes
	verdictOpen
)

func decided(b bool) verdict {
	if b {
		return verdictYes
	}
	return verdictNo
}

func (v verdict) not() verdict {
	switch v {
	case verdictNo:
		return verdictYes
	case verdictYes:
		return verdictNo
	}
	return verdictOpen
}

// value is the verdict as a value of a template.
func (v verdict) value() any {
	if v == verdictOpen {
		return knownAfterApply
	}
	return v == verdictYes
}

// decideConditions evaluates every condition. They may refer to parameters,
// mappings and each other, never to resources (documentation of Conditions).
func (p *program) decideConditions() error {
	p.conditions, p.deciding = map[string]verdict{}, map[string]bool{}
	for _, name := range keys(p.t.Conditions) {
		if _, err := p.condition(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) condition(name string) (verdict, error) {
	if v, ok := p.conditions[name]; ok {
		return v, nil
	}
	def, ok := p.t.Conditions[name]
	if !ok {
		return verdictNo, invalid("Template format error: Unresolved condition dependency %s in the Conditions block of the template", name)
	}
	if p.deciding[name] {
		return verdictNo, invalid("Circular dependency between conditions: [%s]", name)
	}
	p.deciding[name] = true
	v, err := p.truth(def)
	if err != nil {
		return verdictNo, err
	}
	p.conditions[name] = v
	return v, nil
}

func (p *program) truth(v any) (verdict, error) {
	name, arg, ok := function(v)
	if !ok {
		return verdictNo, invalid("Template format error: Every Condition member must be a string or a condition function.")
	}
	list, _ := arg.([]any)
	switch name {
	case "Condition":
		s, _ := arg.(string)
		return p.condition(s)
	case "Fn::Not":
		if len(list) != 1 {
			return verdictNo, invalid("Template error: every Fn::Not object requires a list of one condition")
		}
		b, err := p.truth(list[0])
		return b.not(), err
	case "Fn::And", "Fn::Or":
		if len(list) < 2 || len(list) > 10 {
			return verdictNo, invalid("Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters.", name)
		}
		return joined(name, list, p.truth)
	case "Fn::Equals":
		if len(list) != 2 {
			return verdictNo, invalid("Template error: every Fn::Equals object requires a list of 2 string parameters.")
		}
		a, err := p.eval(list[0], nil)
		if err != nil {
			return verdictNo, err
		}
		b, err := p.eval(list[1], nil)
		if err != nil {
			return verdictNo, err
		}
		if unknown(a) || unknown(b) {
			return verdictOpen, nil
		}
		return decided(equal(a, b)), nil
	}
	return verdictNo, invalid("Template format error: %s is not a condition function", name)
}

// joined is Fn::And or Fn::Or over a list. What decides it does so whatever else
// is open.
func joined(name string, list []any, of func(any) (verdict, error)) (verdict, error) {
	result, decisive := verdictYes, verdictNo
	if name == "Fn::Or" {
		result, decisive = verdictNo, verdictYes
	}
	for _, e := range list {
		v, err := of(e)
		if err != nil {
			return verdictNo, err
		}
		if v == decisive || v == verdictOpen && result != decisive {
			result = v
		}
	}
	return result, nil
}

// prune replaces every Fn::If by the branch that its condition chooses, so
// that a dead branch creates no dependency.
func (p *program) prune(v any) (any, error) {
	if name, arg, ok := function(v); ok && name == "Fn::If" {
		list, _ := arg.([]any)
		if len(list) != 3 {
			return nil, invalid("Template error: Fn::If requires a list argument with three elements")
		}
		cond, _ := list[0].(string)
		v, ok := p.conditions[cond]
		if !ok {
			return nil, invalid("Template error: unresolved condition dependency %s in Fn::If", cond)
		}
		switch v {
		case verdictOpen:
			return knownAfterApply, nil
		case verdictYes:
			return p.prune(list[1])
		}
		return p.prune(list[2])
	}
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for _, k := range keys(v) {
			e, err := p.prune(v[k])
			if err != nil {
				return nil, err
			}
			if !isNoValue(e) {
				m[k] = e
			}
		}
		return m, nil
	case []any:
		list := make([]any, 0, len(v))
		for _, e := range v {
			e, err := p.prune(e)
			if err != nil {
				return nil, err
			}
			if !isNoValue(e) {
				list = append(list, e)
			}
		}
		return list, nil
	}
	return v, nil
}

// isNoValue tells whether v is a Ref to AWS::NoValue.
func isNoValue(v any) bool {
	name, arg, ok := function(v)
	return ok && name == "Ref" && arg == "AWS::NoValue"
}
