package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// deletion deletes a stack:
//
//	read → guard → group → delete → watch, by id → gone
//
// Only a stack that is gone is success: one whose export is in use comes back
// to its earlier status without any failure (failure-modes A9).
type deletion struct {
	*task
	body   plan.StackBody
	live   *plan.LiveStack
	newest string // token of the newest operation before ours
	token  string
	keep   []string // logical ids that the delete on its way retains
	asked  int      // deletes sent with keep
}

func startDeletion(t *task) {
	d := &deletion{task: t, body: *t.step.Body.Stack}
	d.look()
}

func (d *deletion) look() {
	d.send(Request{Op: OpReadStack, Stack: idOr(d.body.ID, d.body.Name), Token: d.stepToken()}, d.guard)
}

// idOr prefers the id: after the first look a name may belong to another stack.
func idOr(id, name string) string {
	if id != "" {
		return id
	}
	return name
}

func (d *deletion) guard(r Response) {
	name := d.body.Name
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		d.failed("read stack "+name, r.Err)
		return
	}
	d.live, d.newest = r.Stack, r.Token
	switch {
	case gone(d.live):
		d.deleted("is already gone")
	case d.notOurs(d.live):
	case d.live.Status == statusDeleteInProgress:
		d.note("stack %s is being deleted already; waiting for it", name)
		d.watch()
	case classOf(d.live) == plan.StatusBusy:
		d.wait(d.live, d.look, func(string) { d.watchOther(d.live, d.look) })
	case classOf(d.live) == classUnknown:
		d.refuse(fmt.Sprintf("stack %s is %s: %s", name, d.live.Status, outlook(d.live.Status)), planCommand)
	case d.moved(name, d.live):
		d.refuseMoved(name, d.live)
	case d.live.Protected:
		d.refuse(fmt.Sprintf("stack %s has termination protection, and the plan has no step that lifts it", name), planCommand)
	default:
		d.checkCapacity(d.body.Capacity, d.ask)
	}
}

func (d *deletion) ask() {
	d.asked++
	// A deletion that an import stopped leaves the stack as it was: only the
	// newest operation tells a second attempt from the first.
	d.token = d.task.token(fmt.Sprintf("delete %q after %s", d.keep, d.newest), d.live)
	d.operate("the deletion of stack "+d.body.Name,
		Request{Op: OpDeleteStack, Stack: d.live.ID, Token: d.token, Retain: d.keep}, d.accepted)
}

func (d *deletion) accepted(r Response) {
	if r.Err == nil {
		d.watch()
		return
	}
	f := r.Err
	if f.Kind == FailureAbsent {
		d.deleted("is gone")
		return
	}
	d.send(Request{Op: OpReadStack, Stack: d.live.ID, Token: d.token}, func(r Response) {
		switch {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			d.failed("delete stack "+d.body.Name, f)
		case gone(r.Stack):
			d.deleted("is gone")
		case r.Token == d.token, r.Stack.Status == statusDeleteInProgress:
			d.watch()
		case f.Code == "" && f.Kind == FailureOther && d.asked < maxAsked:
			d.ask()
		case f.Kind == FailureBusy || classOf(r.Stack) == plan.StatusBusy:
			d.refuseBusy(r.Stack)
		default:
			d.failed("delete stack "+d.body.Name, f)
		}
	})
}

func (d *deletion) watch() {
	d.running = "the deletion of stack " + d.body.Name
	d.send(Request{Op: OpWatchStack, Stack: d.live.ID, Token: d.token}, d.watched)
}

func (d *deletion) watched(r Response) {
	name := d.body.Name
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		d.fail(fmt.Sprintf("stack %s: lost sight of the deletion, which may still run: %s", name, r.Err.Error()))
		return
	}
	switch now := r.Stack; {
	case gone(now):
		d.deleted("is deleted")
	case d.stale(d.token, r):
		d.watch()
	case now.Status == statusDeleteFailed && len(d.body.Retain) > 0 && d.keep == nil:
		// AWS takes the list only from a stack in this status.
		d.live, d.keep, d.asked, d.looks = now, d.body.Retain, 0, 0
		d.ask()
	default:
		d.leave(name, now)
		d.end(StepResult{Outcome: OutcomeFailed, Message: notDeleted(now), Causes: r.Causes, Command: planCommand})
	}
}

func (d *deletion) deleted(message string) {
	d.leave(d.body.Name, nil)
	d.done(message)
}

// notDeleted describes a stack that is still there after its deletion ended.
func notDeleted(now *plan.LiveStack) string {
	m := fmt.Sprintf("stack %s is not deleted, it is %s", now.Name, now.Status)
	if now.Reason != "" {
		m += ": " + now.Reason
	}
	if now.Status == statusDeleteFailed {
		m += "; " + outlook(now.Status)
	}
	return m
}
