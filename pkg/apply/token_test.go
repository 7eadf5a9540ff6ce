package apply

import (
	"regexp"
	"testing"

	"reconcile/pkg/plan"
)

// tokensOf lists the tokens of an update of bp-a, in order.
func tokensOf(t *testing.T, f *fake) []string {
	t.Helper()
	f.log = nil
	f.ends["bp-a"] = "UPDATE_ROLLBACK_COMPLETE" // so that it can be asked for again
	run(t, f, computePlan(f, wish{name: "bp-a", template: topic("new")}), Options{PlanDigest: "d"})
	var tokens []string
	for _, r := range f.log {
		switch r.Op {
		case OpCreateChangeSet, OpExecuteChangeSet:
			tokens = append(tokens, r.Token)
			if r.Create != nil && r.Create.Name != r.Token {
				t.Errorf("change set %s has the token %s", r.Create.Name, r.Token)
			}
		}
	}
	return tokens
}

func TestTokens(t *testing.T) {
	legal := regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)
	start := func() *fake {
		f := newFake()
		f.deploy("bp-a", owner, topic("old"))
		return f
	}
	f := start()
	first, again, later := tokensOf(t, f), tokensOf(t, start()), tokensOf(t, f)
	if len(first) != 2 {
		t.Fatalf("tokens %q", first)
	}
	seen := map[string]bool{}
	for i := range first {
		if first[i] != again[i] {
			t.Errorf("the same step on the same state has %s and %s", first[i], again[i])
		}
		for _, token := range []string{first[i], later[i]} {
			if seen[token] || !legal.MatchString(token) {
				t.Errorf("token %q is used twice or is no name", token)
			}
			seen[token] = true
		}
	}
}

// Every request that changes a stack and has a token in AWS carries one.
func TestEveryOperationHasAToken(t *testing.T) {
	f := newFake()
	for _, status := range []string{"CREATE_COMPLETE", "UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED", "ROLLBACK_COMPLETE"} {
		s := f.deploy("bp-"+status, owner, topic("old"))
		s.Status = status
		run(t, f, computePlan(f, wish{name: s.Name, template: topic("new")}), Options{})
		if s := f.find(s.Name); s != nil {
			run(t, f, stepPlan(deleteStep(s)), Options{})
		}
	}
	f.secrets["/s"] = plan.LiveSecret{}
	run(t, f, stepPlan(plan.Step{
		ID: "secret/s", Kind: plan.KindSecret, Action: plan.ActionCreate, Body: plan.Body{Secret: &plan.SecretBody{Name: "/s"}},
	}), Options{})
	used := map[Op]bool{}
	for _, r := range f.log {
		switch r.Op {
		case OpCreateChangeSet, OpExecuteChangeSet, OpDeleteStack, OpContinueRollback, OpRollbackStack, OpPutSecret:
			used[r.Op] = true
			if !oursByToken(r.Token) {
				t.Errorf("%s of %s%s has the token %q", r.Op, r.Stack, r.Name, r.Token)
			}
		}
	}
	if len(used) != 6 {
		t.Errorf("only %v were used", used)
	}
}
