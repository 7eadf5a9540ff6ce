package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// startProtection switches termination protection on or off:
//
//	read → guard → set
func startProtection(t *task) {
	body := *t.step.Body.Stack
	protect := t.step.Action == plan.ActionProtect
	t.send(Request{Op: OpReadStack, Stack: body.Name}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("read stack "+body.Name, r.Err)
			return
		}
		now := r.Stack
		switch {
		case gone(now):
			t.refuse(fmt.Sprintf("stack %s does not exist", body.Name), planCommand)
		case t.notOurs(now):
		case body.ID != "" && now.ID != body.ID || t.moved(body.Name, now):
			t.refuseMoved(body.Name, now)
		case now.Protected == protect:
			t.leave(body.Name, now)
			t.done("is already so")
		default:
			t.send(Request{Op: OpSetProtection, Stack: now.ID, Protect: protect}, func(r Response) {
				if r.Err != nil {
					t.failed("set termination protection of stack "+body.Name, r.Err)
					return
				}
				t.leave(body.Name, now) // protection is no part of a fingerprint
				t.done("")
			})
		}
	})
}
