package apply

import (
	"fmt"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

const planCommand = "reconcile plan"

// markerOf is our mark on a stack; the zero Marker when there is none.
func markerOf(s *plan.LiveStack) cfn.Marker {
	if s == nil {
		return cfn.Marker{}
	}
	if s.Owned {
		return s.Marker
	}
	m, _ := cfn.ParseMarker(s.Description)
	return m
}

// notOurs ends the task when the stack exists and does not carry our mark. A
// stack in review holds nothing and carries no mark yet.
func (t *task) notOurs(s *plan.LiveStack) bool {
	if classOf(s) == plan.StatusAbsent {
		return false
	}
	owner := t.e.plan.Target.Platform
	switch m := markerOf(s); m.Owner {
	case owner:
		return false
	case "":
		t.refuse(fmt.Sprintf("stack %s exists and carries no mark of reconcile: it is somebody else's and is not touched", s.Name), planCommand)
	default:
		t.refuse(fmt.Sprintf("stack %s belongs to platform %q and not to %q", s.Name, m.Owner, owner), planCommand)
	}
	return true
}

// refuseMoved ends the task because the stack is not as the plan saw it.
func (t *task) refuseMoved(name string, now *plan.LiveStack) {
	state := "does not exist any more"
	if !gone(now) {
		state = "is " + now.Status
		if !now.Updated.IsZero() {
			state += ", last changed " + now.Updated.UTC().Format("2006-01-02 15:04:05Z")
		}
	}
	t.refuse(fmt.Sprintf("stack %s moved since the plan: it %s", name, state), planCommand)
}

func (t *task) refuseBusy(now *plan.LiveStack) {
	t.refuse(fmt.Sprintf("stack %s is busy: somebody else's operation runs on it (%s)", now.Name, now.Status), planCommand)
}

// maxWaits bounds how often a step waits for another operation on its stack.
const maxWaits = 2

// wait deals with a stack on which an operation runs. One of this very step
// is given to adopt; another one of this program is waited for, then the task
// looks again; anybody else's refuses the step.
func (t *task) wait(now *plan.LiveStack, again func(), adopt func(token string)) {
	if t.waits++; t.waits > maxWaits {
		t.refuseBusy(now)
		return
	}
	t.send(Request{Op: OpReadStack, Stack: now.ID, Token: t.stepToken()}, func(r Response) {
		switch {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			t.failed("read what runs on stack "+now.Name, r.Err)
		case classOf(r.Stack) != plan.StatusBusy:
			again()
		case t.isStepToken(r.Token):
			adopt(r.Token)
		case oursByToken(r.Token):
			t.note("another run of reconcile works on stack %s (%s); waiting for it", now.Name, now.Status)
			t.watchOther(now, again)
		default:
			t.refuseBusy(now)
		}
	})
}

// watchOther waits for the end of an operation that this step did not start.
func (t *task) watchOther(now *plan.LiveStack, then func()) {
	t.send(Request{Op: OpWatchStack, Stack: now.ID}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("wait for stack "+now.Name, r.Err)
			return
		}
		then()
	})
}

// maxLooks bounds how often a watch may end with another operation's end.
const maxLooks = 3

// stale tells whether a watch ended with a state that cannot be the end of the
// operation that token started, so that it is worth another look: an answer
// from before it, or an operation that still runs.
func (t *task) stale(token string, r Response) bool {
	other := r.Token != "" && token != "" && r.Token != token
	return (other || classOf(r.Stack) == plan.StatusBusy) && t.lookAgain()
}

func (t *task) lookAgain() bool {
	t.looks++
	return t.looks < maxLooks
}

// checkCapacity reads the groups again from which the step may take running
// instances away, one after the other, and goes on when it would take away no
// more than was approved: none of a group that was idle.
func (t *task) checkCapacity(planned []plan.Capacity, then func()) {
	if len(planned) == 0 {
		for _, a := range t.step.Approvals {
			if a.Kind == plan.ApproveCapacity {
				t.refuse("the plan asks for a capacity approval and does not say of which group", planCommand)
				return
			}
		}
		then()
		return
	}
	t.checkGroups(planned, then)
}

func (t *task) checkGroups(planned []plan.Capacity, then func()) {
	if len(planned) == 0 {
		then()
		return
	}
	was := planned[0]
	t.send(Request{Op: OpReadGroup, Name: was.Group}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("read Auto Scaling group "+was.Group, r.Err)
			return
		}
		if g := r.Group; g != nil {
			before := lost(was.Desired, was.InService, was.Max)
			now := lost(g.Desired, g.InService, was.Max)
			if now > before || now > 0 && g.Protected > was.Protected {
				t.refuse(fmt.Sprintf("Auto Scaling group %s: the step would stop %d instances (%d of them protected), and the plan said %d (%d protected)",
					was.Group, now, g.Protected, before, was.Protected), planCommand)
				return
			}
		}
		t.checkGroups(planned[1:], then)
	})
}

// lost is how many instances a new maximum takes away.
func lost(desired, inService, most int) int {
	return max(0, max(desired, inService)-most)
}
