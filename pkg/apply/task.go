package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// state is what a task does with the last response to its one open request:
// it sends the next request or ends the task.
type state func(Response)

// task is one step on its way. It has at most one request open.
type task struct {
	e          *engine
	index      int
	step       plan.Step
	target     string
	needs      int // unfinished
	dependants []*task

	started bool
	ended   bool
	next    state
	running string // what would go on at AWS if the run ended now
	half    string // what a run that ends now leaves half done, where nothing goes on at AWS
	waits   int    // operations of others that were waited for
	looks   int    // watches that did not see the end of ours
	result  StepResult
}

// send submits a request; then gets its last response.
func (t *task) send(r Request, then state) {
	t.e.last++
	r.ID, r.Step = t.e.last, t.step.ID
	t.e.waiting[r.ID] = t
	t.next = then
	t.e.port.Submit(r)
}

// operate sends a request that changes something; what names it for a run
// that ends in the middle.
func (t *task) operate(what string, r Request, then state) {
	t.running = what
	t.send(r, then)
}

func (t *task) event(typ EventType, ev Event) {
	ev.Type, ev.Step, ev.Target, ev.Action = typ, t.step.ID, t.step.Target, t.step.Action
	t.e.observe(ev)
}

func (t *task) note(format string, args ...any) {
	t.event(EventNote, Event{Message: fmt.Sprintf(format, args...)})
}

func (t *task) done(message string) {
	t.end(StepResult{Outcome: OutcomeDone, Message: message})
}

// refuse ends the task because a guard stopped it.
func (t *task) refuse(message, command string) {
	t.end(StepResult{Outcome: OutcomeRefused, Message: message, Command: command})
}

func (t *task) fail(message string, causes ...Cause) {
	t.end(StepResult{Outcome: OutcomeFailed, Message: message, Command: resumeCommand, Causes: causes})
}

// failed ends the task because AWS refused or did not answer a request.
func (t *task) failed(doing string, f *Failure) {
	if f.Kind == FailureDenied {
		doing += " (a permission that the caller does not have)"
	}
	t.end(StepResult{Outcome: OutcomeFailed, Message: doing + ": " + f.Error(), Command: resumeCommand})
}

func eventOf(o Outcome) EventType {
	switch o {
	case OutcomeDone:
		return EventStepDone
	case OutcomeSkipped:
		return EventStepSkipped
	case OutcomeRefused:
		return EventStepRefused
	case OutcomeBlocked:
		return EventStepBlocked
	}
	return EventStepFailed
}

// filled completes a result with the step's names; whatever did not end well
// says where in the specs it comes from.
func (t *task) filled(r StepResult) StepResult {
	r.Step, r.Target = t.step.ID, t.step.Target
	if t.e.plan.Destroy {
		r.Command = destroyCommand(r.Command)
	}
	if where := position(t.step.Source); where != "" && r.Outcome != OutcomeDone && r.Outcome != OutcomeSkipped {
		r.Message += " (" + where + ")"
	}
	return r
}

// end records how the task ended, lets its dependants start or skips them.
func (t *task) end(r StepResult) {
	if t.ended {
		return
	}
	t.ended = true
	t.running = ""
	t.result = t.filled(r)
	t.event(eventOf(r.Outcome), Event{Message: t.result.Message, Causes: r.Causes, Cause: r.Cause})
	if t.started {
		t.e.flying--
		delete(t.e.held, t.target)
	}
	for _, d := range t.dependants {
		d.needs--
		switch {
		case d.ended:
		case r.Outcome != OutcomeDone:
			d.skip(t)
		case d.needs == 0:
			t.e.enqueue(d)
		}
	}
}

// skip ends a task whose need did not get done, naming the step at the root.
func (t *task) skip(need *task) {
	root := need.step.ID
	if need.result.Cause != "" {
		root = need.result.Cause
	}
	t.end(StepResult{Outcome: OutcomeSkipped, Message: fmt.Sprintf("skipped because of %s", root), Cause: root})
}

// moved tells whether a stack is not as the step expects it: as the plan saw
// it or, when a step of this run came before on the same stack, as that step
// left it. A step that follows one that did not run here has moved too.
func (t *task) moved(stack string, now *plan.LiveStack) bool {
	fingerprint := plan.FingerprintStack(now)
	if left, ok := t.e.left[stack]; ok {
		return left != fingerprint
	}
	if _, follows := t.step.Follows(); follows {
		return true
	}
	return t.step.Moved(fingerprint)
}

// leave remembers how this step left a stack, nil when it is gone.
func (t *task) leave(stack string, s *plan.LiveStack) {
	t.e.left[stack] = plan.FingerprintStack(s)
	t.e.refs.forgetStack(stack)
}

// destroyCommand is what takes the place of plan and apply for a plan that
// destroys: the same command makes and runs it.
func destroyCommand(command string) string {
	for _, c := range []string{planCommand, resumeCommand} {
		if rest, ok := strings.CutPrefix(command, c); ok {
			return "reconcile destroy" + rest
		}
	}
	return command
}

func position(s spec.Source) string {
	if s.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

func approvalMessage(missing []plan.Approval, spent map[string]string) string {
	lines := make([]string, len(missing))
	for i, a := range missing {
		lines[i] = a.String()
		if a.Why != "" {
			lines[i] += " (" + a.Why + ")"
		}
		if by := spent[a.String()]; by != "" {
			lines[i] += ", whose approval in the specs was used by " + by + " and does not count again"
		}
	}
	return "not approved: " + strings.Join(lines, "; ")
}

func approvalCommand(missing []plan.Approval) string {
	flags := make([]string, len(missing))
	for i, a := range missing {
		flags[i] = "--approve " + a.String()
	}
	return "reconcile apply " + strings.Join(flags, " ")
}
