package plan

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
)

// resolution is what is known of a reference before anything is applied.
type resolution struct {
	value string
	known bool
	// problem says why the value cannot be had, now or after the plan's steps.
	problem *problem
}

// problem blocks a step, and is told as a finding.
type problem struct {
	code    string
	target  string
	reason  string
	command string
}

func (p problem) blocked() *Blocked { return &Blocked{Reason: p.reason, Command: p.command} }

// resolver resolves the references of one node and remembers which stay open.
type resolver struct {
	c        *computation
	unknown  map[string]bool
	problems map[string]problem
}

func (c *computation) resolver() *resolver {
	return &resolver{c: c, unknown: map[string]bool{}, problems: map[string]problem{}}
}

func (r *resolver) lookup(ref cfn.Ref) (string, bool) {
	res := r.c.resolve(ref)
	if res.known {
		return res.value, true
	}
	r.unknown[ref.String()] = true
	if res.problem != nil {
		r.problems[ref.String()] = *res.problem
	}
	return "", false
}

// problem is the first one by name, or nil.
func (r *resolver) problem() *problem {
	for _, name := range sortedKeys(r.problems) {
		p := r.problems[name]
		return &p
	}
	return nil
}

// resolve is asked only after the node that provides the value was computed.
func (c *computation) resolve(ref cfn.Ref) resolution {
	if res, ok := c.resolved[ref]; ok {
		return res
	}
	var res resolution
	if ref.Stack != "" {
		res = c.output(ref)
	} else {
		res = c.parameterValue(ref.Parameter)
	}
	c.resolved[ref] = res
	return res
}

func (c *computation) parameterValue(name string) resolution {
	if v, ok := c.values[name]; ok && !v.secret {
		return resolution{value: v.value, known: v.known}
	} else if ok {
		return resolution{problem: secretParameter(name)}
	}
	if id, ok := c.g.declares[name]; ok {
		stack := strings.TrimPrefix(string(id), "stack/")
		if st := c.stacks[stack]; st != nil && st.mode != modeUnchanged {
			return c.declaredValue(st, name)
		}
	}
	p, ok := c.l.Parameters[name]
	switch {
	case !ok:
		return resolution{problem: &problem{
			code: "parameter-missing", target: name,
			reason:  fmt.Sprintf("parameter %s does not exist", name),
			command: fmt.Sprintf("aws ssm put-parameter --name %s --type String --value …", name),
		}}
	case p.Type == "SecureString":
		return resolution{problem: secretParameter(name)}
	}
	return resolution{value: p.Value, known: true}
}

func secretParameter(name string) *problem {
	return &problem{
		code: "parameter-secret", target: name,
		reason:  fmt.Sprintf("parameter %s is a SecureString, which cannot be referred to: a template would hold it in the open", name),
		command: "aws ssm get-parameter --name " + name,
	}
}

// declaredValue is the value of a parameter that is a resource of a changing stack.
func (c *computation) declaredValue(st *stackState, name string) resolution {
	id := declaredParameters(st.after)[name]
	if v, ok := c.evaluate(st, st.after.Resources[id].Properties["Value"]); ok {
		return resolution{value: v, known: true}
	}
	live, exists := c.l.Parameters[name]
	if exists && st.mode == modeUpdate && st.touched[id] == nil && live.Type != "SecureString" {
		return resolution{value: live.Value, known: true}
	}
	return resolution{}
}

// output is the value of a stack's output: from AWS while nothing that feeds
// it changes, by its expression where that says it all, else unknown.
func (c *computation) output(ref cfn.Ref) resolution {
	st := c.stacks[ref.Stack]
	if st == nil || st.mode == modeUnchanged {
		return c.liveOutput(ref)
	}
	if st.mode == modeForeign {
		return resolution{problem: &problem{code: "stack-untouchable", target: ref.Stack,
			reason: fmt.Sprintf("needs stack %s, which cannot be touched", ref.Stack), command: "reconcile plan"}}
	}
	o, ok := st.after.Outputs[ref.Output]
	if st.contract != nil {
		_, ok = st.contract.final.Outputs[ref.Output]
	}
	if !ok {
		return resolution{problem: &problem{code: "output-missing", target: ref.Stack,
			reason:  fmt.Sprintf("stack %s has no output %s", ref.Stack, ref.Output),
			command: "reconcile render --stack " + ref.Stack}}
	}
	if st.mode == modeUpdate && c.stable(st, o.Value) {
		if name, ok := st.sameOutput(ref.Output, o.Value); ok {
			if v, ok := st.live.Outputs[name]; ok {
				return resolution{value: v, known: true}
			}
		}
	}
	if v, ok := c.evaluate(st, o.Value); ok {
		return resolution{value: v, known: true}
	}
	return resolution{}
}

func (c *computation) liveOutput(ref cfn.Ref) resolution {
	live, ok := c.l.Stacks[ref.Stack]
	if !ok || c.statuses[live.Status].Class == StatusAbsent {
		return resolution{problem: &problem{code: "stack-missing", target: ref.Stack,
			reason:  fmt.Sprintf("stack %s does not exist", ref.Stack),
			command: c.bringAbout(ref.Stack)}}
	}
	if v, ok := live.Outputs[ref.Output]; ok {
		return resolution{value: v, known: true}
	}
	if !live.Described {
		c.more.outputs[ref.Stack] = true
		return resolution{}
	}
	return resolution{problem: &problem{code: "output-missing", target: ref.Stack,
		reason:  fmt.Sprintf("stack %s has no output %s yet", ref.Stack, ref.Output),
		command: c.bringAbout(ref.Stack)}}
}

// bringAbout is the command that makes a stack, or at least looks for it.
func (c *computation) bringAbout(stack string) string {
	if c.g.nodes[ID(KindStack, stack)] != nil {
		return "reconcile apply --stack " + stack
	}
	return "aws cloudformation describe-stacks --stack-name " + stack
}

// sameOutput finds the live output with the same expression: the one of the
// same name if it has it, else any.
func (st *stackState) sameOutput(name string, expression any) (string, bool) {
	if st.liveOutputs == nil {
		st.liveOutputs = map[string]string{}
		for n, o := range st.before.Outputs {
			key := canonical(o.Value)
			if had, ok := st.liveOutputs[key]; !ok || n < had {
				st.liveOutputs[key] = n
			}
		}
	}
	key := canonical(expression)
	if o, ok := st.before.Outputs[name]; ok && canonical(o.Value) == key {
		return name, true
	}
	n, ok := st.liveOutputs[key]
	return n, ok
}

func canonical(v any) string {
	b, err := cfn.Canonical(v)
	if err != nil {
		return fmt.Sprintf("%#v", v)
	}
	return string(b)
}
