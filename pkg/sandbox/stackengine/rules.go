package stackengine

import "slices"

// checkRules holds the parameters against the template's Rules. From the
// documentation of the Rules section; the text of the refusal is not recorded
// anywhere that we know of. What hangs on a value that is not known yet is
// decided in the execution.
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
			if holds != verdictYes {
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
			if holds == verdictNo {
				text, _ := assertion["AssertDescription"].(string)
				return invalid("Template validation error: Rule %s: %s", name, text)
			}
		}
	}
	return nil
}

// rule evaluates a rule function: the condition functions and Fn::Contains.
func (p *program) rule(v any) (verdict, error) {
	m, ok := v.(map[string]any)
	if !ok || len(m) != 1 {
		return verdictNo, invalid("Template format error: Every rule must be a rule function.")
	}
	name := keys(m)[0]
	list, _ := m[name].([]any)
	switch name {
	case "Fn::Not":
		if len(list) == 1 {
			b, err := p.rule(list[0])
			return b.not(), err
		}
	case "Fn::And", "Fn::Or":
		return joined(name, list, p.rule)
	case "Fn::Equals":
		return p.truth(v)
	case "Fn::Contains":
		if len(list) == 2 {
			return p.contains(list[0], list[1])
		}
	}
	return verdictNo, invalid("Template format error: %s is not supported in Rules here.", name)
}

func (p *program) contains(set, value any) (verdict, error) {
	have, err := p.eval(set, nil)
	if err != nil {
		return verdictNo, err
	}
	want, err := p.eval(value, nil)
	if err != nil {
		return verdictNo, err
	}
	list, _ := have.([]any)
	if unknown(have) || unknown(want) {
		return verdictOpen, nil
	}
	return decided(slices.ContainsFunc(list, func(x any) bool { return equal(x, want) })), nil
}
