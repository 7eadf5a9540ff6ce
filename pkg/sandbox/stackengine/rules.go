package stackengine

// checkRules holds the parameters against the template's Rules. From the
// documentation of the Rules section; the text of the refusal is not recorded
// anywhere that we know of.
func (p *program) checkRules() error {
	for _, name := range keys(p.t.Rules) {
		rule, ok := p.t.Rules[name].(map[string]any)
		if !ok {
			return invalid("Template format error: Rule %s must be an object.", name)
		}
		if cond, ok := rule["RuleCondition"]; ok {
			holds, err := p.rule(cond)
			if err != nil {
				return err
			}
			if !holds {
				continue
			}
		}
		list, _ := rule["Assertions"].([]any)
		for _, a := range list {
			assertion, _ := a.(map[string]any)
			holds, err := p.rule(assertion["Assert"])
			if err != nil {
				return err
			}
			if !holds {
				text, _ := assertion["AssertDescription"].(string)
				return invalid("Template validation error: Rule %s: %s", name, text)
			}
		}
	}
	return nil
}

// rule evaluates a rule function: the condition functions and Fn::Contains.
func (p *program) rule(v any) (bool, error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return false, invalid("Template format error: Every rule must be a rule function.")
	}
	name := keys(m)[0]
	list, _ := m[name].([]any)
	switch name {
	case "Fn::Not":
		if len(list) == 1 {
			b, err := p.rule(list[0])
			return !b, err
		}
	case "Fn::And", "Fn::Or":
		result := name == "Fn::And"
		for _, x := range list {
			b, err := p.rule(x)
			if err != nil {
				return false, err
			}
			result = name == "Fn::And" && result && b || name == "Fn::Or" && (result || b)
		}
		return result, nil
	case "Fn::Equals":
		return p.truth(v)
	case "Fn::Contains":
		if len(list) == 2 {
			return p.contains(list[0], list[1])
		}
	}
	return false, invalid("Template format error: %s is not supported in Rules here.", name)
}

func (p *program) contains(set, value any) (bool, error) {
	have, err := p.eval(set, nil)
	if err != nil {
		return false, err
	}
	want, err := p.eval(value, nil)
	if err != nil {
		return false, err
	}
	list, _ := have.([]any)
	for _, x := range list {
		if equal(x, want) {
			return true, nil
		}
	}
	return false, nil
}
