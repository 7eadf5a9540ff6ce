package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// startEmptying deletes all that a bucket holds, before its stack is deleted:
//
//	read the stack → guard → all but what goes last → the rest
//
// Each round leaves twice what it leaves once, so that a run that was cut goes
// on with the same step.
func startEmptying(t *task) {
	body := *t.step.Body.Bucket
	t.send(Request{Op: OpReadStack, Stack: idOr(body.StackID, body.Stack)}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("read stack "+body.Stack, r.Err)
			return
		}
		switch now := r.Stack; {
		case gone(now):
			t.leave(body.Stack, nil)
			t.done("its stack is already gone")
		case t.notOurs(now):
		case classOf(now) == plan.StatusBusy:
			t.refuseBusy(now)
		case t.moved(body.Stack, now):
			t.refuseMoved(body.Stack, now)
		case body.Last != "":
			t.empty(body, body.Last, func() { t.empty(body, "", func() { t.emptied(now) }) })
		default:
			t.empty(body, "", func() { t.emptied(now) })
		}
	})
}

func (t *task) empty(body plan.BucketBody, keep string, then func()) {
	t.operate("the emptying of bucket "+body.Name, Request{Op: OpEmptyBucket, Name: body.Name, Keep: keep}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed(fmt.Sprintf("empty bucket %s", body.Name), r.Err)
			return
		}
		then()
	})
}

func (t *task) emptied(stack *plan.LiveStack) {
	t.leave(stack.Name, stack)
	t.done("")
}
