package apply

import "reconcile/pkg/plan"

// startLogGroup creates, changes or deletes a log group:
//
//	read → already so? → write
//
// Each of its writes leaves twice what it leaves once, so nothing has to be
// guarded but a write that is not needed.
func startLogGroup(t *task) {
	body := *t.step.Body.LogGroup
	remove := t.step.Action == plan.ActionDelete
	t.send(Request{Op: OpReadLogGroup, Name: body.Name}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("read log group "+body.Name, r.Err)
			return
		}
		write := Request{Op: OpPutLogGroup, Name: body.Name, LogGroup: &body}
		switch now := r.LogGroup; {
		case remove && now == nil:
			t.done("is already gone")
			return
		case remove:
			write = Request{Op: OpDeleteLogGroup, Name: body.Name}
		case now != nil && now.RetentionDays == body.RetentionDays:
			t.done("is already as planned")
			return
		}
		t.operate("the write of log group "+body.Name, write, func(r Response) {
			if r.Err != nil && (!remove || r.Err.Kind != FailureAbsent) {
				t.failed("write log group "+body.Name, r.Err)
				return
			}
			t.done("")
		})
	})
}
