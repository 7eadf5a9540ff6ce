package plan

import (
	"fmt"
	"strings"
)

// busyStack plans a stack on which an operation runs. An earlier run of this
// program is waited for by apply; anybody else's operation blocks the step.
func (c *computation) busyStack(st *stackState, r *resolver, a StatusAction) {
	live := st.live
	if !live.Described {
		c.more.templates[live.Name] = true
	}
	ours := strings.HasPrefix(live.Token, tokenPrefix)
	if ours && live.Status == "DELETE_IN_PROGRESS" {
		name := live.Name
		c.createStack(st, r, FingerprintStack(nil)).Reason = fmt.Sprintf("an earlier run of reconcile is still deleting stack %s; apply waits for it", name)
		return
	}
	action, base := ActionUpdate, FingerprintStack(live)
	st.mode = modeUnchanged
	if strings.HasPrefix(live.Status, "CREATE") || strings.HasPrefix(live.Status, "ROLLBACK") || strings.HasPrefix(live.Status, "DELETE") {
		action, st.mode = ActionCreate, modeCreate
	}
	if ours {
		step := c.addStack(st, r, action, nil, base, nil)
		step.Reason = fmt.Sprintf("an earlier run of reconcile is still at work (%s); apply waits for it, then looks whether anything is left to do", live.Status)
		return
	}
	step := c.addStack(st, r, action, nil, base, &problem{
		code: "stack-busy", target: live.Name,
		reason:  fmt.Sprintf("stack %s is busy: %s (%s); a second operation is never started", live.Name, a.Doing, live.Status),
		command: "aws cloudformation describe-stack-events --stack-name " + live.Name,
	})
	step.Reason = "what would change can only be told when the operation has ended"
}

// stuckStack plans the recovery of a stack, and what can follow it in the
// same plan.
func (c *computation) stuckStack(st *stackState, r *resolver, a StatusAction) {
	live := st.live
	st.mode = modeUnchanged
	if !c.read(live) && live.Resources == nil {
		c.unread[live.Name] = true
		return
	}
	step := recovery(*live, a, c.d.Target)
	step.Source = st.spec.Source
	if kept := left(*live); live.Status == "ROLLBACK_COMPLETE" && len(kept) > 0 {
		p := problem{code: "stack-stuck", target: live.Name,
			reason: fmt.Sprintf("stack %s is ROLLBACK_COMPLETE and kept %s; a new stack would meet their names, so they must be deleted or moved first",
				live.Name, strings.Join(kept, ", ")),
			command: "aws cloudformation list-stack-resources --stack-name " + live.Name}
		step.Blocked = p.blocked()
		c.tell(&p, step.Source)
	}
	var first []StepID
	if a.Absent && live.Protected {
		d := doomed{live: *live, source: st.spec.Source}
		if step.Blocked != nil {
			d.blocked = &problem{reason: step.Blocked.Reason, command: step.Blocked.Command}
		}
		first = append(first, c.unprotect(&d))
	}
	c.add(st.node, step, first...)
	after := BaseAfter(step.ID)
	switch {
	case a.Absent:
		c.createStack(st, r, after, step.ID).Reason = "the stack is created again after its recovery"
	case live.Status == "CREATE_FAILED":
		c.againAfter(st, r, after, step.ID)
	case live.Template != nil:
		c.afterRollback(st, r, after, step.ID)
	default:
		c.planAgain(st)
	}
}

// recovery is the step that brings a stuck stack back.
func recovery(live LiveStack, a StatusAction, t Target) Step {
	touched := blast(live, a.Recover)
	why := fmt.Sprintf("%s is %s: %s", live.Name, live.Status, a.Doing)
	if n := len(touched); n > 0 {
		why += fmt.Sprintf("; it touches %s (%s)", count(n, "resource"), strings.Join(touched, ", "))
	}
	s := Step{
		ID: RecoverID(live.Name), Kind: KindStack, Target: live.Name, Action: ActionRecover, Base: FingerprintStack(&live),
		Body: Body{Recover: &RecoverBody{
			Name: live.Name, ID: live.ID, Status: live.Status, Operation: a.Recover, Resources: touched,
		}},
		Approvals: []Approval{{Kind: ApproveRecover, Target: live.Name, Why: why}},
		Reason:    why,
		Rollback:  "none: a recovery only goes forward",
	}
	switch a.Recover {
	case RecoverDelete, RecoverRetryDelete:
		s.Risk = "deletes what is left of the stack"
	case RecoverRollback:
		s.Risk = "undoes what the failed operation did"
		if live.Status == "CREATE_FAILED" {
			s.Risk = "deletes every resource that the failed creation made"
		}
	case RecoverContinueRollback:
		s.Risk = "goes on with the rollback that failed; it can fail again in the same place"
	case RecoverSweep:
		s.Risk = "deletes an empty stack that only held a change set; another run may be creating it right now"
	}
	if live.Reason != "" {
		s.Reason += "; AWS says: " + live.Reason
	}
	return s
}

// blast are the resources that a recovery can touch, sorted.
func blast(live LiveStack, operation string) []string {
	var out []string
	for _, id := range sortedKeys(live.Resources) {
		status := live.Resources[id].Status
		switch operation {
		case RecoverSweep:
			continue
		case RecoverDelete, RecoverRetryDelete:
			if status == "DELETE_COMPLETE" || status == "DELETE_SKIPPED" {
				continue
			}
		case RecoverContinueRollback:
			if !strings.HasSuffix(status, "_FAILED") {
				continue
			}
		default:
			settled := status == "DELETE_COMPLETE" || status == "CREATE_COMPLETE" && live.Status != "CREATE_FAILED"
			if settled {
				continue
			}
		}
		out = append(out, id)
	}
	return out
}

// left are the resources that a rolled-back creation did not delete.
func left(live LiveStack) []string {
	var out []string
	for _, id := range sortedKeys(live.Resources) {
		if live.Resources[id].Status != "DELETE_COMPLETE" {
			out = append(out, id)
		}
	}
	return out
}

// againAfter blocks the creation that a rolled-back creation needs: the
// rollback leaves ROLLBACK_COMPLETE, which is a recovery of its own.
func (c *computation) againAfter(st *stackState, r *resolver, base string, also StepID) {
	st.mode, st.live = modeCreate, nil
	c.addStack(st, r, ActionCreate, nil, base, &problem{
		code: "stack-stuck", target: st.spec.Name,
		reason:  fmt.Sprintf("stack %s must be rolled back, then deleted and created again: plan again after the recovery", st.spec.Name),
		command: "reconcile apply --approve recover:" + st.spec.Name,
	}, also).Reason = "the stack is created again after its recovery"
}

// afterRollback plans the update that follows a recovery, by what AWS says is
// deployed. It may be the failed template: then nothing is planned, or apply
// stops at what CloudFormation announces.
func (c *computation) afterRollback(st *stackState, r *resolver, base string, also StepID) {
	ds := c.apart(st, r, st.begin())
	changes := append(st.changes(ds), st.settings()...)
	f := c.look(st, st.comers(ds))
	if len(changes) == 0 || len(f.imports) > 0 {
		st.mode = modeUnchanged
		c.planAgain(st)
		return
	}
	if st.live.Status == "UPDATE_FAILED" && replaces(changes) {
		c.addStack(st, r, ActionUpdate, changes, base, &problem{
			code: "stack-stuck", target: st.spec.Name,
			reason:  fmt.Sprintf("stack %s is UPDATE_FAILED and the next update replaces resources: plan again after the recovery", st.spec.Name),
			command: "reconcile apply --approve recover:" + st.spec.Name,
		}, also)
		return
	}
	c.updateStack(st, r, ds, changes, base, f.problem, also)
}

func (c *computation) planAgain(st *stackState) {
	c.find(Finding{Severity: SeverityNote, Code: "plan-again", Target: st.spec.Name, Source: st.spec.Source,
		Message: fmt.Sprintf("stack %s is compared only after its recovery: plan again then", st.spec.Name), Command: "reconcile plan"})
}

func replaces(changes []Change) bool {
	for _, ch := range changes {
		if ch.Action == ActionReplace {
			return true
		}
	}
	return false
}

// count is "1 resource", "2 resources".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if s, ok := strings.CutSuffix(noun, "y"); ok {
		return fmt.Sprintf("%d %sies", n, s)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
