package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// stackStep creates or updates a stack, or imports into one:
//
//	read → guard → group → references → compare → change set → compare
//	     → execute → watch → tidy
//
// A change set that is not executed is deleted again, and with it the empty
// stack that it left when there was none before.
type stackStep struct {
	*task
	body plan.StackBody

	live   *plan.LiveStack // nil when absent
	behind bool            // live has moved; the step goes on only to see whether it is done already

	template   cfn.Template // sealed
	parameters map[string]string
	digest     cfn.Digest

	set   *ChangeSet
	token string // of the execution
	asked int    // executions sent
}

func startStack(t *task) {
	s := &stackStep{task: t, body: *t.step.Body.Stack}
	s.look()
}

// look reads the stack by its name: a stack that took the name meanwhile must
// show. With open references it also reads what is deployed, for compare.
func (s *stackStep) look() {
	s.send(Request{Op: OpReadStack, Stack: s.body.Name, Template: len(s.open()) > 0}, s.guard)
}

// open lists the references that are resolved just before the step.
func (s *stackStep) open() []cfn.Ref {
	seen := map[cfn.Ref]bool{}
	var all []cfn.Ref
	for _, v := range []any{*s.body.Template, s.body.Parameters} {
		for _, r := range cfn.Refs(v) {
			if !seen[r] {
				seen[r] = true
				all = append(all, r)
			}
		}
	}
	return all
}

func (s *stackStep) guard(r Response) {
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		s.failed("read stack "+s.body.Name, r.Err)
		return
	}
	s.live = r.Stack
	if s.notOurs(s.live) {
		return
	}
	if class := classOf(s.live); class == plan.StatusBusy {
		s.wait(s.live, s.look, s.adopt)
		return
	}
	switch s.behind = s.moved(s.body.Name, s.live) || s.otherID(); {
	case s.behind && settledWell(s.live):
	case s.behind:
		s.refuseMoved(s.body.Name, s.live)
		return
	case classOf(s.live) != plan.StatusReady && classOf(s.live) != plan.StatusAbsent:
		s.refuse(fmt.Sprintf("stack %s is %s: %s", s.body.Name, s.live.Status, outlook(s.live.Status)), planCommand)
		return
	}
	s.checkCapacity(s.body.Capacity, s.references)
}

// otherID tells whether the name belongs to another stack than the plan saw.
// After a recovery that deleted the stack there is none, which is no other.
func (s *stackStep) otherID() bool {
	return s.body.ID != "" && classOf(s.live) != plan.StatusAbsent && s.live.ID != s.body.ID
}

// adopt takes up the operation that an earlier run of this very step started.
func (s *stackStep) adopt(token string) {
	s.note("an earlier run started this operation; waiting for it")
	s.token = token
	s.prepare(func() { s.set = &ChangeSet{StackID: s.live.ID}; s.watch() })
}

func (s *stackStep) references() { s.prepare(s.compare) }

// prepare resolves the references and seals the template.
func (s *stackStep) prepare(then func()) {
	if s.imports() {
		s.asPlanned(then)
		return
	}
	if s.body.Revert {
		s.template, s.digest = *s.body.Template, markerOf(s.live).Digest
		then()
		return
	}
	s.resolve(s.open(), func() {
		t := cfn.ResolveTemplate(*s.body.Template, s.e.refs.lookup)
		parameters := make(map[string]string, len(s.body.Parameters))
		for name, v := range s.body.Parameters {
			text, ok := cfn.Resolve(v, s.e.refs.lookup).(string)
			if !ok {
				s.fail(fmt.Sprintf("stack %s: the value of template parameter %s is no text", s.body.Name, name))
				return
			}
			parameters[name] = text
		}
		d, err := cfn.DigestOf(t, s.body.Tags, parameters)
		if err != nil {
			s.fail(fmt.Sprintf("stack %s: %v", s.body.Name, err))
			return
		}
		s.parameters, s.digest = parameters, d
		s.template = cfn.Seal(t, s.body.Owner, d, s.e.plan.Target.Revision)
		then()
	})
}

// compare looks once more at what the step would change, now that every value
// is known.
func (s *stackStep) compare() {
	if s.behind {
		// An import into a stack that was there leaves its mark as it was.
		if markerOf(s.live).Digest != s.digest || s.imports() && s.body.ID != "" || s.body.Revert {
			s.refuseMoved(s.body.Name, s.live)
			return
		}
		s.leave(s.body.Name, s.live)
		s.done("is already as planned")
		return
	}
	if s.live != nil && s.live.Template != nil {
		if extra := unannounced(*s.live.Template, s.template, s.step.Changes); len(extra) > 0 {
			s.refuse(fmt.Sprintf("stack %s: with the values that are known now this would change too, and the plan did not say so: %s",
				s.body.Name, strings.Join(extra, ", ")), planCommand)
			return
		}
	}
	if s.body.Plain && gone(s.live) {
		s.createPlain()
		return
	}
	s.createChangeSet()
}

func (s *stackStep) createChangeSet() {
	name := s.task.token("change-set", s.live)
	fresh := classOf(s.live) == plan.StatusAbsent
	in := &ChangeSetInput{
		Name: name, StackName: s.body.Name, New: fresh,
		Template: s.template, Tags: s.body.Tags, Parameters: s.parameters, Capabilities: s.body.Capabilities, Imports: s.body.Imports, Revert: s.body.Revert,
		Description: fmt.Sprintf("step %s of plan %s", s.step.ID, s.e.opts.PlanDigest),
	}
	stack := s.body.Name
	if !fresh {
		stack = s.live.ID
	}
	s.send(Request{Op: OpCreateChangeSet, Stack: stack, Token: name, Create: in}, s.announced)
}

// announced has the settled change set.
func (s *stackStep) announced(r Response) {
	if r.Err != nil {
		s.unanswered("create the change set of stack "+s.body.Name, r.Err)
		return
	}
	s.set = r.ChangeSet
	switch {
	case s.set == nil || s.set.ARN == "" || s.set.StackID == "":
		s.fail(fmt.Sprintf("stack %s: AWS's answer names no change set", s.body.Name))
	case s.set.Empty:
		s.tidy(func() { s.leave(s.body.Name, s.live); s.done("nothing to change") })
	case s.set.Failed != "":
		reason := s.set.Failed
		s.tidy(func() { s.fail(fmt.Sprintf("stack %s: AWS refused the change set: %s", s.body.Name, reason)) })
	case classOf(s.live) != plan.StatusAbsent && s.set.StackID != s.live.ID:
		s.tidy(func() {
			s.refuse(fmt.Sprintf("stack %s was replaced by another of its name since the plan", s.body.Name), planCommand)
		})
	default:
		extra, command := s.beyondPlan()
		if len(extra) == 0 {
			s.execute()
			return
		}
		s.tidy(func() {
			s.refuse(fmt.Sprintf("stack %s: CloudFormation announces more than the plan: %s", s.body.Name, strings.Join(extra, "; ")), command)
		})
	}
}

// unanswered ends the step after a request that AWS refused before anything changed.
func (s *stackStep) unanswered(doing string, f *Failure) {
	switch f.Kind {
	case FailureBusy:
		s.refuse(fmt.Sprintf("%s: somebody else's operation runs: %s", doing, f.Error()), planCommand)
	case FailureConflict, FailureAbsent:
		s.refuse(fmt.Sprintf("%s: the stack moved since the plan: %s", doing, f.Error()), planCommand)
	default:
		s.failed(doing, f)
	}
}
