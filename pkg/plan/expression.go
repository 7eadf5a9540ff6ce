package plan

import (
	"fmt"
	"sort"
	"strings"

	"reconcile/pkg/cfn"
)

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
