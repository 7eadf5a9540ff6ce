package plan

import (
	"fmt"
	"sort"
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
	if v, ok := c.values[name]; ok {
		return resolution{value: v.value, known: v.known}
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
		return resolution{problem: &problem{
			code: "parameter-secret", target: name,
			reason:  fmt.Sprintf("parameter %s is a SecureString, which a plan does not decrypt", name),
			command: fmt.Sprintf("aws ssm get-parameter --name %s", name),
		}}
	}
	return resolution{value: p.Value, known: true}
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

// stable tells whether an expression of the stack's template has the value
// that it has now: nothing that it reads changes.
func (c *computation) stable(st *stackState, v any) bool {
	for _, r := range logicalRefs(v) {
		if st.affected(r) {
			return false
		}
		if st.parameterMoves(st.after, r.id) {
			return false
		}
	}
	return len(cfn.Refs(v)) == 0
}

// evaluate computes an expression from literals, pseudo parameters, template
// parameters and the physical ids of resources that stay.
func (c *computation) evaluate(st *stackState, v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", false
	case string:
		return v, true
	case bool, int, int64, float64:
		return fmt.Sprint(v), true
	case map[string]any:
		if len(v) != 1 {
			return "", false
		}
		if id, ok := v["Ref"].(string); ok {
			return c.evaluateRef(st, id)
		}
		if args, ok := v["Fn::Join"].([]any); ok {
			return c.evaluateJoin(st, args)
		}
	}
	return "", false
}

func (c *computation) evaluateJoin(st *stackState, args []any) (string, bool) {
	if len(args) != 2 {
		return "", false
	}
	delimiter, ok := args[0].(string)
	list, isList := args[1].([]any)
	if !ok || !isList {
		return "", false
	}
	parts := make([]string, len(list))
	for i, e := range list {
		if parts[i], ok = c.evaluate(st, e); !ok {
			return "", false
		}
	}
	return strings.Join(parts, delimiter), true
}

func (c *computation) evaluateRef(st *stackState, id string) (string, bool) {
	t := c.d.Target
	switch id {
	case "AWS::AccountId":
		return t.Account, true
	case "AWS::Region":
		return t.Region, true
	case "AWS::StackName":
		return st.spec.Name, true
	case "AWS::Partition":
		switch {
		case strings.HasPrefix(t.Region, "cn-"):
			return "aws-cn", true
		case strings.HasPrefix(t.Region, "us-gov-"):
			return "aws-us-gov", true
		}
		return "aws", true
	case "AWS::StackId":
		if st.live != nil {
			return st.live.ID, true
		}
		return "", false
	}
	if _, ok := st.after.Parameters[id]; ok {
		v, ok := st.effective()[id].(string)
		return v, ok
	}
	if st.mode == modeUpdate && !st.affected(logicalRef{id: id}) {
		r, ok := st.live.Resources[id]
		return r.PhysicalID, ok && r.PhysicalID != ""
	}
	return "", false
}

// logicalRef is a Ref (no attribute) or a GetAtt of a template.
type logicalRef struct{ id, attribute string }

// logicalRefs lists what an expression reads within its template, sorted.
func logicalRefs(v any) []logicalRef {
	set := map[logicalRef]bool{}
	collectLogical(v, set)
	out := make([]logicalRef, 0, len(set))
	for r := range set {
		out = append(out, r)
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].id != out[j].id {
			return out[i].id < out[j].id
		}
		return out[i].attribute < out[j].attribute
	})
	return out
}

func collectLogical(v any, set map[logicalRef]bool) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collectLogical(e, set)
		}
	case map[string]any:
		if refs, ok := asLogical(v); ok {
			for _, r := range refs {
				set[r] = true
			}
		}
		for _, e := range v {
			collectLogical(e, set)
		}
	}
}

// asLogical reads Ref, Fn::GetAtt and Fn::Sub.
func asLogical(m map[string]any) ([]logicalRef, bool) {
	if len(m) != 1 {
		return nil, false
	}
	for name, arg := range m {
		switch name {
		case "Ref":
			id, ok := arg.(string)
			return []logicalRef{{id: id}}, ok
		case "Fn::GetAtt":
			if s, ok := arg.(string); ok {
				id, attribute, _ := strings.Cut(s, ".")
				return []logicalRef{{id, attribute}}, true
			}
			parts, _ := arg.([]any)
			if len(parts) != 2 {
				return nil, false
			}
			id, ok := parts[0].(string)
			attribute, literal := parts[1].(string)
			if !literal {
				attribute = "*"
			}
			return []logicalRef{{id, attribute}}, ok
		case "Fn::Sub":
			return subRefs(arg), true
		}
	}
	return nil, false
}

// subRefs reads the ${…} of a Fn::Sub, without its own variables and ${!…}.
func subRefs(arg any) []logicalRef {
	text, _ := arg.(string)
	own := map[string]any{}
	if parts, ok := arg.([]any); ok && len(parts) == 2 {
		text, _ = parts[0].(string)
		own, _ = parts[1].(map[string]any)
	}
	var out []logicalRef
	for {
		_, rest, ok := strings.Cut(text, "${")
		if !ok {
			return out
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return out
		}
		text = after
		if _, mine := own[name]; mine || strings.HasPrefix(name, "!") {
			continue
		}
		id, attribute, _ := strings.Cut(name, ".")
		out = append(out, logicalRef{id, attribute})
	}
}
