package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// maxContinues bounds how often a rollback is continued: more of the same
// does not help, and skipping resources is never our decision.
const maxContinues = 3

// recovery brings a stuck stack into a status from which it can go on:
//
//	read → still in the planned status? → operation → watch → good status
//
// The step that follows on the same stack starts from what this one left.
type recovery struct {
	*task
	body   plan.RecoverBody
	live   *plan.LiveStack
	newest string // token of the newest operation before ours
	token  string
	tries  int
	asked  int // requests sent for this try
}

func knownRecovery(operation string) bool {
	switch operation {
	case plan.RecoverDelete, plan.RecoverContinueRollback, plan.RecoverRollback, plan.RecoverRetryDelete, plan.RecoverSweep:
		return true
	}
	return false
}

func startRecovery(t *task) {
	c := &recovery{task: t, body: *t.step.Body.Recover}
	c.look()
}

func (c *recovery) look() {
	c.send(Request{Op: OpReadStack, Stack: idOr(c.body.ID, c.body.Name), Token: c.stepToken()}, c.guard)
}

// deletes tells whether the recovery ends with no stack.
func (c *recovery) deletes() bool {
	switch c.body.Operation {
	case plan.RecoverDelete, plan.RecoverRetryDelete, plan.RecoverSweep:
		return true
	}
	return false
}

func (c *recovery) guard(r Response) {
	name := c.body.Name
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		c.failed("read stack "+name, r.Err)
		return
	}
	c.live, c.newest = r.Stack, r.Token
	switch {
	case gone(c.live) && c.deletes():
		c.recovered(nil)
	case gone(c.live):
		c.refuseMoved(name, c.live)
	case c.notOurs(c.live):
	case classOf(c.live) == plan.StatusBusy:
		c.wait(c.live, c.look, func(token string) { c.token = token; c.watch() })
	case c.live.Status != c.body.Status || c.moved(name, c.live):
		c.refuseMoved(name, c.live)
	default:
		c.try()
	}
}

// try asks for the operation once more.
func (c *recovery) try() {
	c.tries++
	c.asked, c.looks = 0, 0
	c.ask()
}

func (c *recovery) ask() {
	c.asked++
	// A recovery that failed in an earlier run left the stack as this plan sees
	// it, last update included: only the newest operation tells the two apart.
	c.token = c.task.token(fmt.Sprintf("%s %d after %s", c.body.Operation, c.tries, c.newest), c.live)
	r := Request{Stack: c.live.ID, Token: c.token}
	switch c.body.Operation {
	case plan.RecoverContinueRollback:
		r.Op = OpContinueRollback
	case plan.RecoverRollback:
		r.Op = OpRollbackStack
	default:
		r.Op = OpDeleteStack
	}
	c.operate("the recovery of stack "+c.body.Name, r, c.accepted)
}

func (c *recovery) accepted(r Response) {
	if r.Err == nil {
		c.watch()
		return
	}
	f := r.Err
	c.send(Request{Op: OpReadStack, Stack: c.live.ID, Token: c.token}, func(r Response) {
		switch {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			c.failed("recover stack "+c.body.Name, f)
		case gone(r.Stack), c.isStepToken(r.Token) && (r.Token == c.token || classOf(r.Stack) == plan.StatusBusy):
			c.watch()
		case f.Code == "" && f.Kind == FailureOther && c.asked < maxAsked && r.Stack.Status == c.body.Status:
			c.ask()
		case classOf(r.Stack) == plan.StatusBusy:
			c.refuseBusy(r.Stack)
		default:
			c.failed("recover stack "+c.body.Name, f)
		}
	})
}

func (c *recovery) watch() {
	c.running = "the recovery of stack " + c.body.Name
	c.send(Request{Op: OpWatchStack, Stack: c.live.ID, Token: c.token}, c.watched)
}

func (c *recovery) watched(r Response) {
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		c.fail(fmt.Sprintf("stack %s: lost sight of the recovery, which may still run: %s", c.body.Name, r.Err.Error()))
		return
	}
	switch now := r.Stack; {
	case gone(now) && c.deletes():
		c.recovered(nil)
	case c.stale(c.token, r):
		c.watch()
	case gone(now):
		c.fail(fmt.Sprintf("stack %s disappeared while it was recovered", c.body.Name))
	case !c.deletes() && rolledBack(now.Status):
		c.recovered(now)
	case now.Status == statusUpdateRollbackFailed && c.body.Operation == plan.RecoverContinueRollback && c.tries < maxContinues:
		c.note("the rollback of stack %s failed again; continuing it, attempt %d of %d", c.body.Name, c.tries+1, maxContinues)
		c.live = now
		c.try()
	default:
		c.leave(c.body.Name, now)
		c.end(StepResult{Outcome: OutcomeFailed, Message: c.stuck(now), Causes: r.Causes, Command: planCommand})
	}
}

func (c *recovery) recovered(now *plan.LiveStack) {
	c.leave(c.body.Name, now)
	if now == nil {
		c.done("is gone")
		return
	}
	c.done("is " + now.Status)
}

// stuck says what a person has to look at.
func (c *recovery) stuck(now *plan.LiveStack) string {
	m := fmt.Sprintf("stack %s is still not recovered, it is %s", c.body.Name, now.Status)
	if now.Reason != "" {
		m += ": " + now.Reason
	}
	if c.body.Operation == plan.RecoverContinueRollback {
		m += fmt.Sprintf("; the rollback was continued %d times and no resource was skipped: repair the resources below by hand, then plan again", c.tries)
	}
	return m
}
