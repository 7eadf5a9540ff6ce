package cloud

import (
	"fmt"
	"sync"
	"testing"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// CloudFormation acts with its role in every stack but our own, whatever the
// operation: without it, it would go on with the role of the last one.
func TestStacksAreMadeWithTheRole(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/bp-reconcile-exec"
	for stack, want := range map[string]string{"bp-network": role, "bp-reconcile": ""} {
		var mu sync.Mutex
		got := map[string]string{}
		keep := func(a ask) answer {
			mu.Lock()
			defer mu.Unlock()
			got[a.op+a.str("ChangeSetName")] = a.str("RoleARN")
			return refuse("AccessDenied", "enough")
		}
		c, _ := open(t, map[string]func(ask) answer{"CreateChangeSet": keep, "DeleteStack": keep, "ContinueUpdateRollback": keep, "RollbackStack": keep})
		p := c.Port(t.Context())
		p.Own = plan.Own{Stack: "bp-reconcile", Role: role}
		arn := fmt.Sprintf("arn:aws:cloudformation:us-east-1:123456789012:stack/%s/id", stack)
		p.Submit(apply.Request{ID: 1, Op: apply.OpCreateChangeSet, Create: &apply.ChangeSetInput{StackName: stack, Name: "rc-1", Template: cfn.Template{}}})
		p.Submit(apply.Request{ID: 5, Op: apply.OpCreateChangeSet, Create: &apply.ChangeSetInput{StackName: stack, Name: "rc-2", Revert: true}})
		for i, op := range []apply.Op{apply.OpDeleteStack, apply.OpContinueRollback, apply.OpRollbackStack} {
			p.Submit(apply.Request{ID: apply.RequestID(i + 2), Op: op, Stack: arn, Token: "t"})
		}
		for range 5 {
			if _, err := p.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		for _, op := range []string{"CreateChangeSetrc-1", "CreateChangeSetrc-2", "DeleteStack", "ContinueUpdateRollback", "RollbackStack"} {
			if r, asked := got[op]; !asked || r != want {
				t.Errorf("%s of %s: asked %v, role %q, want %q", op, stack, asked, r, want)
			}
		}
	}
}
