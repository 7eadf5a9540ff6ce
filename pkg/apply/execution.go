package apply

import (
	"fmt"

	"reconcile/pkg/plan"
)

// maxAsked bounds how often a request is sent whose answer was lost.
const maxAsked = 2

// execute starts the compared change set.
func (s *stackStep) execute() {
	s.asked++
	at := plan.LiveStack{ID: s.set.StackID}
	if s.live != nil {
		at.Updated = s.live.Updated
	}
	s.token = s.task.token("execute", &at)
	s.operate("the deployment of stack "+s.body.Name,
		Request{Op: OpExecuteChangeSet, Stack: s.set.StackID, ChangeSet: s.set.ARN, Token: s.token}, s.executed)
}

func (s *stackStep) executed(r Response) {
	switch {
	case r.Err == nil:
		s.watch()
	case r.Err.Kind == FailureDenied:
		s.tidy(func() { s.failed("execute the change set of stack "+s.body.Name, r.Err) })
	default:
		// The answer may be lost, or say no because the first one was: what runs
		// on the stack tells.
		f := r.Err
		s.send(Request{Op: OpReadStack, Stack: s.set.StackID, Token: s.token}, func(r Response) { s.whose(f, r) })
	}
}

// whose decides after a failed execution by the newest operation's token.
func (s *stackStep) whose(f *Failure, r Response) {
	doing := "execute the change set of stack " + s.body.Name
	switch {
	case r.Err != nil:
		// running stays set: nobody knows whether it was started.
		s.fail(fmt.Sprintf("%s: %s; and then the stack could not be read: %s", doing, f.Error(), r.Err.Error()))
	case r.Token == s.token:
		s.watch()
	case classOf(r.Stack) == plan.StatusBusy:
		s.tidy(func() { s.refuseBusy(r.Stack) })
	case f.Kind == FailureConflict:
		s.tidy(func() {
			s.refuse(fmt.Sprintf("%s: it no longer fits the stack, which changed meanwhile: %s", doing, f.Error()), planCommand)
		})
	case f.Kind == FailureOther && f.Code == "" && s.asked < maxAsked:
		s.execute()
	default:
		s.tidy(func() { s.failed(doing, f) })
	}
}

// createPlain creates the stack without a change set. Of two who do so at the
// same time one is refused, or given the other's stack; either looks on until
// it is there.
func (s *stackStep) createPlain() {
	s.asked++
	s.token = s.task.token("create", s.live)
	s.operate("the deployment of stack "+s.body.Name, Request{Op: OpCreateStack, Stack: s.body.Name, Token: s.token, Create: &ChangeSetInput{
		StackName: s.body.Name, New: true, Template: s.template, Tags: s.body.Tags, Parameters: s.parameters, Capabilities: s.body.Capabilities,
	}}, s.created)
}

func (s *stackStep) created(r Response) {
	doing := "create stack " + s.body.Name
	switch f := r.Err; {
	case f == nil && (r.Stack == nil || r.Stack.ID == ""):
		s.fail(doing + ": AWS's answer names no stack")
	case f == nil:
		s.set = &ChangeSet{StackID: r.Stack.ID}
		s.watch()
	case f.Kind == FailureConflict && s.lookAgain():
		s.running = ""
		s.note("somebody else creates stack %s at this moment", s.body.Name)
		s.look()
	case f.Kind == FailureOther && f.Code == "" && s.asked < maxAsked:
		s.createPlain() // the token makes it the same request
	default:
		s.running = ""
		s.unanswered(doing, f)
	}
}

func (s *stackStep) watch() {
	s.running = "the deployment of stack " + s.body.Name
	s.send(Request{Op: OpWatchStack, Stack: s.set.StackID, Token: s.token}, s.watched)
}

// watched has the end of the operation. Only the asked end is success, and
// only when the stack carries this step's digest.
func (s *stackStep) watched(r Response) {
	name := s.body.Name
	if r.Err != nil {
		if r.Err.Kind == FailureAbsent {
			s.fail(fmt.Sprintf("stack %s disappeared while it was deployed: %s", name, r.Err.Error()))
			return
		}
		s.fail(fmt.Sprintf("stack %s: lost sight of the deployment, which may still run: %s", name, r.Err.Error()))
		return
	}
	switch now := r.Stack; {
	case gone(now) || now.ID != s.set.StackID:
		s.fail(fmt.Sprintf("stack %s disappeared while it was deployed", name))
	case s.stale(s.token, r), s.otherEnd(r) && s.lookAgain():
		s.watch()
	case s.otherEnd(r):
		s.end(StepResult{
			Outcome: OutcomeFailed, Command: planCommand,
			Message: fmt.Sprintf("stack %s is %s, but not as this step deployed it: somebody else changed it meanwhile", name, now.Status),
		})
	case settledWell(now) && len(r.Causes) > 0:
		s.leave(name, now)
		s.fail(fmt.Sprintf("stack %s: deployed, but old resources could not be deleted and stay behind", name), r.Causes...)
	case settledWell(now):
		s.deleteChangeSet(func() { s.leave(name, now); s.done("is " + now.Status) })
	default:
		s.leave(name, now)
		s.end(StepResult{
			Outcome: OutcomeFailed, Causes: r.Causes, RolledBack: rolledBack(now.Status),
			Message: failure(now), Command: planCommand,
		})
	}
}

// otherEnd tells whether what a watch saw is not the end of our operation.
func (s *stackStep) otherEnd(r Response) bool {
	return inReview(r.Stack) || r.Token != "" && r.Token != s.token ||
		settledWell(r.Stack) && markerOf(r.Stack).Digest != s.digest
}

// failure describes the end of an operation that failed.
func failure(now *plan.LiveStack) string {
	m := fmt.Sprintf("stack %s ended in %s", now.Name, now.Status)
	if now.Reason != "" {
		m += ": " + now.Reason
	}
	return m + "; " + outlook(now.Status)
}

// tidy deletes the change set that is not executed, and the empty stack that
// came with it when there was none before; then the step ends. What cannot be
// tidied up is said and does not fail the step.
func (s *stackStep) tidy(then func()) {
	s.running = ""
	s.deleteChangeSet(func() {
		if gone(s.live) {
			s.sweep(then)
			return
		}
		then()
	})
}

func (s *stackStep) deleteChangeSet(then func()) {
	if s.set.ARN == "" { // adopted: the run that made it is gone
		then()
		return
	}
	s.send(Request{Op: OpDeleteChangeSet, Stack: s.set.StackID, ChangeSet: s.set.ARN}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			s.note("the change set %s stays behind: %s", s.set.ARN, r.Err.Error())
		}
		then()
	})
}

// sweep deletes the stack that this step's change set left in review. A stack
// that is more than that by now is not touched.
func (s *stackStep) sweep(then func()) {
	id := s.set.StackID
	s.send(Request{Op: OpReadStack, Stack: id}, func(r Response) {
		if r.Err != nil || !inReview(r.Stack) {
			then()
			return
		}
		s.send(Request{Op: OpDeleteStack, Stack: id, Token: s.task.token("sweep", r.Stack)}, func(r Response) {
			if r.Err != nil {
				s.note("the empty stack %s stays behind in review: %s", s.body.Name, r.Err.Error())
				then()
				return
			}
			s.send(Request{Op: OpWatchStack, Stack: id}, func(Response) { then() })
		})
	})
}
