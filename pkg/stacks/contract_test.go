package stacks_test

import (
	"strings"
	"testing"

	"reconcile/pkg/plan"
	"reconcile/pkg/stacks"
)

// What the backend reads is held against the contract with it before anything
// is written.
func TestDesiredConfigKeepsItsContract(t *testing.T) {
	d := render(t, many(1))
	i := 0
	for !strings.HasSuffix(d.Parameters[i].Name, "/desired_config") {
		i++
	}
	d.Parameters[i].Value = strings.Replace(d.Parameters[i].Value.(string), `,"enabled":true`, "", 1)
	problems := stacks.Check(d)
	if len(problems) != 1 || problems[0].Stack != d.Parameters[i].Name || problems[0].Source != d.Parameters[i].Source ||
		!strings.Contains(problems[0].Message, "enabled: is missing") {
		t.Errorf("problems: %v", problems)
	}
	d.Parameters[i] = plan.Parameter{Name: "/bp/other/desired_config", Value: "anything"}
	if problems := stacks.Check(d); len(problems) > 0 {
		t.Errorf("a parameter of somebody else's form: %v", problems)
	}
}
