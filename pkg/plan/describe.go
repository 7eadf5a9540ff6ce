package plan

import (
	"fmt"
	"strings"
)

// describeStack says in words why the step is there and how it is undone.
func describeStack(st *stackState, s *Step) {
	name := st.spec.Name
	switch s.Action {
	case ActionCreate:
		s.Reason = "the stack does not exist"
		s.Rollback = fmt.Sprintf("CloudFormation undoes a creation that fails; afterwards: reconcile destroy --stack %s", name)
		return
	case ActionUpdate:
		s.Rollback = "CloudFormation goes back to the deployed template when the update fails; afterwards: apply the revision before"
	}
	resources, rest := map[string]bool{}, map[string]bool{}
	for _, ch := range s.Changes {
		if strings.Contains(ch.Resource, ".") {
			rest[ch.Resource] = true
		} else {
			resources[ch.Resource] = true
		}
	}
	var parts []string
	if n := len(resources); n > 0 {
		parts = append(parts, count(n, "resource"))
	}
	if n := len(rest); n > 0 {
		parts = append(parts, count(n, "setting"))
	}
	verb := " differ from what is deployed"
	if len(resources)+len(rest) == 1 {
		verb = " differs from what is deployed"
	}
	if len(parts) > 0 {
		s.Reason = strings.Join(parts, " and ") + verb
	}
	for _, f := range fates(s.Changes) {
		if f.replace != ReplaceNo && st.stateful(f.id) {
			s.Rollback = "none for the data: a replaced resource starts empty, and going back replaces it again"
		}
	}
}
