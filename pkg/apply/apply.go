// Package apply runs a plan: order, guards, recovery, resumption. The engine
// is one goroutine that exchanges messages with AWS through a Port; it starts
// no goroutine, reads no clock and never blocks on a single step, so that a
// run can be replayed, killed at any message and simulated in virtual time.
//
// It must not render output, read specs or know an AWS client. Start with Run;
// then one file for each kind of step: stack.go, deletion.go, recovery.go, ….
package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// Options of a run.
type Options struct {
	Approve     []plan.Approval            // consents given by --approve and approvals:
	AllowAll    map[plan.ApprovalKind]bool // --allow-destroy: every approval of the kind that the plan lists
	Spent       map[string]string          // approvals that do not count again, "KIND:TARGET", and by what each was used
	Parallelism int                        // steps at once; 0 means 8
	PlanDigest  string                     // tokens derive from it; empty means the plan's own
}

// approves tells whether this very consent was given.
func (o Options) approves(kind plan.ApprovalKind, target string) bool {
	for _, a := range o.Approve {
		if a.Kind == kind && a.Target == target {
			return true
		}
	}
	return false
}

// missing lists the consents that a step needs and does not have.
func (o Options) missing(s plan.Step) []plan.Approval {
	var missing []plan.Approval
	for _, a := range s.Approvals {
		if !o.AllowAll[a.Kind] && !o.approves(a.Kind, a.Target) {
			missing = append(missing, a)
		}
	}
	return missing
}

// EventType of an Event.
type EventType string

// The events, in the order a step goes through them.
const (
	EventStepStarted  EventType = "step-started"
	EventStepProgress EventType = "step-progress"
	EventStepDone     EventType = "step-done"
	EventStepFailed   EventType = "step-failed"
	EventStepSkipped  EventType = "step-skipped"
	EventStepRefused  EventType = "step-refused"
	EventStepBlocked  EventType = "step-blocked"
	EventNote         EventType = "note"
)

// Event is something to tell while a plan runs. Observers only observe: the
// run is the same without them.
type Event struct {
	Type     EventType   `json:"type"`
	Step     plan.StepID `json:"step"`
	Target   string      `json:"target"`
	Action   plan.Action `json:"action,omitempty"`
	Message  string      `json:"message,omitempty"`
	Progress *Progress   `json:"progress,omitempty"`
	Causes   []Cause     `json:"causes,omitempty"`
	Cause    plan.StepID `json:"cause,omitempty"` // the step because of which this one is skipped
}

// Outcome of a step.
type Outcome string

// The outcomes.
const (
	OutcomeDone        Outcome = "done"
	OutcomeFailed      Outcome = "failed"
	OutcomeSkipped     Outcome = "skipped"     // something it needs failed
	OutcomeRefused     Outcome = "refused"     // a guard: moved, not approved, not ours, announces more than the plan
	OutcomeBlocked     Outcome = "blocked"     // the plan said so
	OutcomeInterrupted Outcome = "interrupted" // the run ended first; the message says what still runs on AWS
)

// StepResult is how one step ended.
type StepResult struct {
	Step       plan.StepID `json:"step"`
	Target     string      `json:"target"`
	Outcome    Outcome     `json:"outcome"`
	Message    string      `json:"message,omitempty"`
	Command    string      `json:"command,omitempty"` // what to run next
	Causes     []Cause     `json:"causes,omitempty"`
	RolledBack bool        `json:"rolledBack,omitempty"`
	Cause      plan.StepID `json:"cause,omitempty"`
}

// Result of a run, in the order of the plan.
type Result struct {
	Steps       []StepResult `json:"steps"`
	Interrupted bool         `json:"interrupted,omitempty"`
	// Locked says why the run ended early: the lock is not ours. Nothing was
	// changed from there on.
	Locked string `json:"locked,omitempty"`
	// Aside says why nothing was run at all: a newer commit was applied already.
	Aside string `json:"steppedAside,omitempty"`
	// Ended says why the run ended before its first step, and Next which command
	// goes on; nothing was changed.
	Ended string `json:"ended,omitempty"`
	Next  string `json:"next,omitempty"`
}

// Complete tells whether all of the plan was done, or there was nothing to do.
func (r Result) Complete() bool {
	return r.Done() && !r.Interrupted && r.Locked == "" && r.Aside == "" && r.Ended == ""
}

// Failed tells whether a step failed.
func (r Result) Failed() bool { return r.has(OutcomeFailed) }

// Refused tells whether a guard stopped a step.
func (r Result) Refused() bool { return r.has(OutcomeRefused) }

// Blocked tells whether the plan left a step blocked.
func (r Result) Blocked() bool { return r.has(OutcomeBlocked) }

// Done tells whether every step was done.
func (r Result) Done() bool {
	for _, s := range r.Steps {
		if s.Outcome != OutcomeDone {
			return false
		}
	}
	return true
}

func (r Result) has(o Outcome) bool {
	for _, s := range r.Steps {
		if s.Outcome == o {
			return true
		}
	}
	return false
}

// RefusedError is returned when a plan must not run at all: it has findings
// of severity error. No request was made.
type RefusedError struct{ Findings []plan.Finding }

func (e *RefusedError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.Code + ": " + f.Message
	}
	return "the plan has errors and is not applied: " + strings.Join(lines, "; ")
}

// PlanError is returned for a plan that this program cannot run. No request
// was made.
type PlanError struct {
	Step   plan.StepID // empty when it is the plan as a whole
	Reason string
}

func (e *PlanError) Error() string {
	if e.Step == "" {
		return "invalid plan: " + e.Reason
	}
	return fmt.Sprintf("invalid plan: step %s: %s", e.Step, e.Reason)
}
