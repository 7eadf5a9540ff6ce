package plan

import (
	"fmt"
	"slices"

	"reconcile/pkg/cfn"
)

// maxValue is the size of a standard parameter, in bytes.
const maxValue = 4096

// placeholder is what the system before this one wrote as a fleet's secret.
const placeholder = "CHANGE_ME_AFTER_DEPLOY"

// noBundle is what an active_bundle pointer says while there is none
// (facts: contracts): it is created so, and moved when the manifest is there.
const noBundle = "none"

const secureString = "SecureString"

// paramState is the value that a parameter of the specs has after the plan.
type paramState struct {
	value  string
	known  bool
	secret bool // a SecureString: nothing may refer to it
}

// parameter decides what becomes of one SSM parameter.
func (c *computation) parameter(p *Parameter, n *node) {
	live, exists := c.l.Parameters[p.Name]
	if exists {
		c.values[p.Name] = paramState{live.Value, live.Type != secureString, live.Type == secureString}
		if p.Policy == PolicyCreate {
			c.existing(p, live)
			return
		}
	}
	r := c.resolver()
	value, _ := cfn.Resolve(p.Value, r.lookup).(string)
	known := p.Generate == "" && len(r.unknown) == 0
	switch {
	case known && len(value) > maxValue:
		c.find(Finding{Severity: SeverityError, Code: "value-too-long", Target: p.Name, Source: p.Source,
			Message: fmt.Sprintf("parameter %s: the value has %d bytes, a standard parameter holds %d", p.Name, len(value), maxValue)})
		return
	case exists && (live.Type != p.Type || dataType(live.DataType) != dataType(p.DataType)):
		c.addParameter(p, n, r, live, ActionUpdate, known, value, c.otherType(p, live))
		return
	case exists && p.Type == secureString:
		return // never compared and never overwritten
	case exists && known && value == live.Value:
		return
	}
	action := ActionUpdate
	if !exists {
		action = ActionCreate
		if lacks := c.lacksBundle(p); lacks != nil {
			waiting := *p
			waiting.Value, waiting.Bundle = noBundle, ""
			p, value, known = &waiting, noBundle, true
			n = n.without(lacks.ID)
		}
	}
	c.values[p.Name] = paramState{value, known, p.Type == secureString}
	c.addParameter(p, n, r, live, action, known, value, nil)
}

// existing tells what is wrong with a parameter that is left as it is.
func (c *computation) existing(p *Parameter, live LiveParameter) {
	if p.Type != secureString || live.Type == secureString {
		return
	}
	f := Finding{Severity: SeverityNote, Code: "secret-plain", Target: p.Name, Source: p.Source,
		Message: fmt.Sprintf("parameter %s is a plain %s from the system before; it is left alone. Deleted, the next apply makes a SecureString with a new random value, which workers and backend read when they start next",
			p.Name, live.Type),
		Command: "aws ssm delete-parameter --name " + p.Name}
	if live.Value == placeholder {
		f.Severity, f.Code = SeverityWarning, "secret-placeholder"
		f.Message = fmt.Sprintf("parameter %s still holds the placeholder of the system before: anybody can register a worker. Deleted, the next apply makes a SecureString with a random value", p.Name)
	}
	c.find(f)
}

func (c *computation) otherType(p *Parameter, live LiveParameter) *problem {
	return &problem{code: "parameter-type", target: p.Name,
		reason: fmt.Sprintf("parameter %s is a %s (%s) and would be a %s (%s); AWS changes neither in place, so it must be deleted first",
			p.Name, live.Type, dataType(live.DataType), p.Type, dataType(p.DataType)),
		command: "aws ssm delete-parameter --name " + p.Name}
}

// dataType fills in AWS's default.
func dataType(s string) string { return orElse(s, "text") }

func (c *computation) addParameter(p *Parameter, n *node, r *resolver, live LiveParameter, a Action, known bool, value string, blocked *problem) {
	var base *LiveParameter
	if live.Version != 0 || live.Type != "" {
		base = &live
	}
	secret := p.Type == secureString || live.Type == secureString
	ch := Change{Resource: p.Name, Type: "AWS::SSM::Parameter", Action: a, Source: p.Source, Sensitive: secret}
	if a == ActionUpdate {
		ch.Path = "Value"
		ch.Before = mask(live.Value, secret)
		ch.After, ch.Unknown = mask(value, secret), !known
		if !known {
			ch.After = p.Value
		}
	} else if !secret && known {
		ch.After = value
	} else {
		ch.Unknown = true
	}
	step := Step{
		ID: n.id, Kind: KindParameter, Target: p.Name, Action: a, Base: FingerprintParameter(base),
		Body: Body{Parameter: &ParameterBody{
			Name: p.Name, Type: p.Type, DataType: p.DataType, Value: p.Value, Generate: p.Generate,
			Version: live.Version, Owner: c.d.Target.Platform, Describe: p.Describe,
		}},
		Changes: []Change{ch}, Source: p.Source,
	}
	if len(r.unknown) > 0 {
		step.Unknown = sortedKeys(r.unknown)
	}
	if a == ActionCreate {
		step.Reason, step.Rollback = "the parameter does not exist", "delete the parameter"
	} else {
		step.Reason = "the value differs"
		step.Rollback = fmt.Sprintf("write the value of version %d again; the parameter's history keeps it", live.Version)
		if p.Contract {
			step.Risk = "the backend writes this parameter too; its last value is overwritten"
		}
	}
	if blocked == nil {
		blocked = r.problem()
	}
	if blocked != nil {
		step.Blocked = blocked.blocked()
		c.tell(blocked, p.Source)
	}
	c.add(n, step)
}

// lacksBundle is the step of the bundle that the value names, when it is
// blocked: workers would start without the bundle.
func (c *computation) lacksBundle(p *Parameter) *Step {
	step := c.steps[ID(KindBundle, p.Bundle)]
	if p.Bundle == "" || step == nil || step.Blocked == nil {
		return nil
	}
	return step
}

// without is the node when it does not wait for one of the things it needs.
func (n *node) without(id StepID) *node {
	other := *n
	other.deps = slices.DeleteFunc(slices.Clone(n.deps), func(dep StepID) bool { return dep == id })
	return &other
}
