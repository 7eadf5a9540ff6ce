package stackengine

import (
	"encoding/json"
	"fmt"
	"path"
	"time"
)

// stackPolicy is a stack policy document. From the documentation "Prevent
// updates to stack resources": with a policy, what no statement allows is denied.
type stackPolicy struct {
	Statement []policyStatement
}

type policyStatement struct {
	Effect      string
	Action      texts
	NotAction   texts
	Principal   any
	Resource    texts
	NotResource texts
	Condition   map[string]map[string]texts
}

// texts is a string or a list of strings.
type texts []string

// UnmarshalJSON accepts both forms.
func (t *texts) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// readPolicyBody refuses what AWS refuses (LocalStack: test_stack_policies).
func readPolicyBody(body string) (*stackPolicy, error) {
	bad := invalid("Error validating stack policy: Invalid stack policy")
	var p stackPolicy
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return nil, bad
	}
	for _, st := range p.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" || st.Principal != "*" {
			return nil, bad
		}
		for _, a := range append(append(texts{}, st.Action...), st.NotAction...) {
			switch a {
			case "*", "Update:*", "Update:Modify", "Update:Replace", "Update:Delete":
			default:
				return nil, bad
			}
		}
	}
	return &p, nil
}

// policyDenies returns the reason why the stack policy forbids an action on a
// resource, or "". A temporary policy of the request goes before the stack's.
func (e *Engine) policyDenies(s *Stack, action string, r *StackResource) string {
	body := s.Policy
	if s.Op != nil && s.Op.Policy != "" {
		body = s.Op.Policy
	}
	if body == "" {
		return ""
	}
	p, err := readPolicyBody(body)
	if err != nil || len(p.Statement) == 0 {
		return ""
	}
	target := "LogicalResourceId/" + r.LogicalID
	allowed := false
	for i, st := range p.Statement {
		if !st.covers(action, target, r.Type) {
			continue
		}
		if st.Effect == "Deny" {
			return fmt.Sprintf("Action denied by stack policy: Statement [#%d] does not allow [%s] for resource [%s]", i+1, action, target)
		}
		allowed = true
	}
	if !allowed {
		return fmt.Sprintf("Action denied by stack policy: no statement allows [%s] for resource [%s]", action, target)
	}
	return ""
}

func (st policyStatement) covers(action, target, typeName string) bool {
	if len(st.Action) > 0 && !st.Action.match(action) || len(st.NotAction) > 0 && st.NotAction.match(action) {
		return false
	}
	if len(st.Resource) > 0 && !st.Resource.match(target) || len(st.NotResource) > 0 && st.NotResource.match(target) {
		return false
	}
	for _, operator := range keys(st.Condition) {
		if types, ok := st.Condition[operator]["ResourceType"]; ok && !types.match(typeName) {
			return false
		}
	}
	return true
}

// match compares with * as a wildcard that crosses no slash and no more: the
// ids and types hold none after the first.
func (t texts) match(s string) bool {
	for _, pattern := range t {
		if pattern == "*" || pattern == s {
			return true
		}
		if ok, err := path.Match(pattern, s); err == nil && ok {
			return true
		}
	}
	return false
}

// policyDeniesRemoval checks the resources that an update drops, before
// anything is changed.
func (e *Engine) policyDeniesRemoval(s *Stack, p *program, at time.Time) string {
	if s.Op.Phase != phaseUpdate {
		return ""
	}
	for _, id := range keys(s.Resources) {
		r := s.Resources[id]
		if p.nodes[id] != nil {
			continue
		}
		if denied := e.policyDenies(s, "Update:Delete", r); denied != "" {
			e.note(s, r, "UPDATE_FAILED", denied, at)
			return denied
		}
	}
	return ""
}
