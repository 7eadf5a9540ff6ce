// Package apply runs a plan: order, guards, recovery, resumption. The engine
// is one goroutine that exchanges messages with AWS through a Port; it starts
// no goroutine, reads no clock and never blocks on a single step, so that a
// run can be replayed, killed at any message and simulated in virtual time.
//
// It must not render output, read specs or know an AWS client. Start with Run.
package apply

import (
	"reconcile/pkg/plan"
)

// Options of a run.
type Options struct {
	Approve     []plan.Approval            // consents given by --approve and approvals:
	AllowAll    map[plan.ApprovalKind]bool // --allow-destroy: every approval of the kind that the plan lists
	Parallelism int                        // steps at once; 0 means 8
	PlanDigest  string                     // tokens derive from it
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
	OutcomeDone    Outcome = "done"
	OutcomeFailed  Outcome = "failed"
	OutcomeSkipped Outcome = "skipped" // something it needs failed
	OutcomeRefused Outcome = "refused" // a guard: moved, not approved, not ours, announces more than the plan
	OutcomeBlocked Outcome = "blocked" // the plan said so
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
}
