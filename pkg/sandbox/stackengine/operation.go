package stackengine

import (
	"context"
	"sort"
	"strings"
	"time"
)

// Operation is what runs on a stack. It is data: a state file that is closed in
// the middle of an operation continues when it is opened.
type Operation struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"` // CREATE_STACK, …
	Phase     string    `json:"phase"`
	Stage     int       `json:"stage"`
	At        time.Time `json:"at"` // when the next thing happens
	Started   time.Time `json:"started"`
	Token     string    `json:"token,omitempty"`
	ChangeSet string    `json:"changeSet,omitempty"` // ARN
	Tasks     []*Task   `json:"tasks,omitempty"`     // of the phase, sorted by key
	Failed    bool      `json:"failed,omitempty"`    // a task of the phase failed
	Reason    string    `json:"reason,omitempty"`    // of the failure, when it is not the tasks'
	Cause     string    `json:"cause,omitempty"`     // why the operation rolls back

	NoRollback   bool         `json:"noRollback,omitempty"`
	RetainExcept bool         `json:"retainExceptOnCreate,omitempty"`
	OnFailure    string       `json:"onFailure,omitempty"`
	Retain       []string     `json:"retain,omitempty"` // logical ids
	Skip         []string     `json:"skip,omitempty"`   // logical ids
	Force        bool         `json:"force,omitempty"`
	Policy       string       `json:"policy,omitempty"` // stack policy during this update
	Import       []ImportItem `json:"import,omitempty"`
	ImportAny    bool         `json:"importAny,omitempty"`
	Prior        string       `json:"prior,omitempty"` // status that a refused delete returns to
	Revert       bool         `json:"revertDrift,omitempty"`
	Express      bool         `json:"express,omitempty"` // done when configured, not when stable
	Invalid      bool         `json:"invalid,omitempty"` // early validation found what fails it
}

// The phases of an operation. Each has one stack status.
const (
	phaseCreate          = "create"
	phaseUpdate          = "update"
	phaseCleanup         = "cleanup"
	phaseCreateRollback  = "create-rollback"
	phaseUpdateRollback  = "update-rollback"
	phaseRollbackCleanup = "rollback-cleanup"
	phaseDelete          = "delete"
	phaseImport          = "import"
	phaseImportRollback  = "import-rollback"
)

// The stages of a phase.
const (
	stageStart = iota
	stageWork
	stageFinish
)

// Task is the work on one resource in one phase.
type Task struct {
	Key     string    `json:"key"` // logical id, or logical id and serial of one that is replaced
	Logical string    `json:"logical"`
	Verb    string    `json:"verb"`
	State   string    `json:"state,omitempty"` // empty while it waits
	Needs   []string  `json:"needs,omitempty"` // keys
	Mid     time.Time `json:"mid,omitzero"`    // when it tells that creation began
	End     time.Time `json:"end,omitzero"`
	Error   string    `json:"error,omitempty"` // with what it will fail at End
	Replace bool      `json:"replace,omitempty"`
}

// The verbs and states of tasks.
const (
	verbMake    = "make"    // create, update or replace, decided when it starts
	verbRestore = "restore" // to what was before a failed update
	verbRemove  = "remove"

	taskRunning = "running"
	taskDone    = "done"
	taskFailed  = "failed"
)

// Seconds that CloudFormation itself takes, before Scale. What users see,
// rounded; see DefaultDurations.
const (
	secondsToStart  = 1.0
	secondsToFinish = 1.0
	secondsToTell   = 1.0 // until "Resource creation Initiated"
	secondsToRefuse = 1.0 // until a handler refuses
)

// step lets happen on s what is due at the given time.
func (e *Engine) step(ctx context.Context, s *Stack, at time.Time) {
	switch op := s.Op; op.Stage {
	case stageStart:
		op.Tasks = e.tasks(s, at)
		op.Failed = op.Reason != ""
		op.Stage = stageWork
		e.work(ctx, s, at)
	case stageWork:
		e.work(ctx, s, at)
	default:
		e.finish(s, at)
	}
}

// work completes what is due and starts what is ready.
func (e *Engine) work(ctx context.Context, s *Stack, at time.Time) {
	op := s.Op
	e.completeDue(ctx, s, at)
	e.checkTimeout(s, at)
	for e.startReady(ctx, s, at) {
		// What has nothing to do is done at once and may free others.
	}
	next := time.Time{}
	for _, t := range op.Tasks {
		if t.State != taskRunning {
			continue
		}
		for _, when := range []time.Time{t.Mid, t.End} {
			if when.After(at) && (next.IsZero() || when.Before(next)) {
				next = when
			}
		}
	}
	if next.IsZero() {
		op.Stage = stageFinish
		op.At = at.Add(e.seconds(secondsToFinish + e.monitors(s)))
		return
	}
	if deadline, ok := e.deadline(s); ok && deadline.After(at) && deadline.Before(next) {
		next = deadline
	}
	op.At = next
}

// monitors is how long a finished create or update waits for the alarms of the
// rollback configuration, in seconds.
func (e *Engine) monitors(s *Stack) float64 {
	if s.Op.Failed || s.Op.Phase != phaseCreate && s.Op.Phase != phaseUpdate {
		return 0
	}
	return 60 * float64(s.Deployed.Monitor)
}

func (e *Engine) completeDue(ctx context.Context, s *Stack, at time.Time) {
	var due []*Task
	for _, t := range s.Op.Tasks {
		if t.State == taskRunning && !t.Mid.IsZero() && !t.Mid.After(at) {
			t.Mid = time.Time{}
			e.tell(s, t, at)
		}
		if t.State == taskRunning && !t.End.After(at) {
			due = append(due, t)
		}
	}
	for _, t := range due {
		if t.State == taskRunning { // not cancelled by the failure of one before
			e.complete(ctx, s, t, at)
		}
	}
}

// startReady starts the tasks whose needs are met, and tells whether there
// were any.
func (e *Engine) startReady(ctx context.Context, s *Stack, at time.Time) bool {
	op := s.Op
	if op.Failed && e.stopsAtFailure(op) {
		return false
	}
	state := make(map[string]string, len(op.Tasks))
	running := false
	for _, t := range op.Tasks {
		state[t.Key] = t.State
		running = running || t.State == taskRunning
	}
	var ready, waiting []*Task
	for _, t := range op.Tasks {
		if t.State != "" {
			continue
		}
		waiting = append(waiting, t)
		if met(t, state, op.Phase) {
			ready = append(ready, t)
		}
	}
	if len(ready) == 0 && len(waiting) > 0 && !running && !op.Failed {
		// Two templates' dependencies together can form a circle after a failed
		// update; deleting in the order of the keys gets out of it.
		ready = waiting
	}
	for _, t := range ready {
		if t.State == "" && !(op.Failed && e.stopsAtFailure(op)) {
			e.start(ctx, s, t, at)
		}
	}
	return len(ready) > 0
}

func met(t *Task, state map[string]string, phase string) bool {
	for _, need := range t.Needs {
		switch state[need] {
		case taskDone:
		case taskFailed:
			if !cleaning(phase) {
				return false
			}
		default:
			if _, there := state[need]; there {
				return false
			}
		}
	}
	return true
}

// cleaning tells whether the phase goes on after a resource could not be
// deleted: the documentation of UPDATE_COMPLETE_CLEANUP_IN_PROGRESS.
func cleaning(phase string) bool { return phase == phaseCleanup || phase == phaseRollbackCleanup }

// stopsAtFailure tells whether the first failure ends the phase. With rollback
// disabled, independent resources go on (documentation: stack failure options).
func (e *Engine) stopsAtFailure(op *Operation) bool {
	switch op.Phase {
	case phaseCreate, phaseUpdate, phaseImport:
		return !op.NoRollback
	}
	return false
}

// fail ends a task with an error and, where a failure ends the phase, cancels
// the others.
func (e *Engine) fail(s *Stack, t *Task, reason string, at time.Time) {
	op := s.Op
	t.State = taskFailed
	e.failed(s, t, reason, at)
	if op.Failed = true; !e.stopsAtFailure(op) {
		return
	}
	e.cancel(s, at)
}

// cancel fails every running task, as AWS does when another failed.
func (e *Engine) cancel(s *Stack, at time.Time) {
	for _, t := range s.Op.Tasks {
		if t.State != taskRunning {
			continue
		}
		t.State = taskFailed
		if r := s.Resources[t.Logical]; r != nil {
			e.cancelChild(r, at)
		}
		if r := s.Resources[t.Logical]; r != nil && r.Status == "CREATE_IN_PROGRESS" {
			e.failed(s, t, "Resource creation cancelled", at)
		} else {
			e.failed(s, t, "Resource update cancelled", at)
		}
	}
	s.Op.Failed = true
}

func (e *Engine) deadline(s *Stack) (time.Time, bool) {
	if s.Op.Phase != phaseCreate || s.Deployed.Timeout == 0 {
		return time.Time{}, false
	}
	return s.Op.Started.Add(e.seconds(60 * float64(s.Deployed.Timeout))), true
}

func (e *Engine) checkTimeout(s *Stack, at time.Time) {
	deadline, ok := e.deadline(s)
	if !ok || at.Before(deadline) || s.Op.Failed {
		return
	}
	s.Op.Reason = "Stack creation time exceeded the specified timeout."
	e.cancel(s, at)
}

// begin puts the stack into a phase and schedules its first step.
func (e *Engine) begin(s *Stack, phase, reason string, at time.Time) {
	op := s.Op
	op.Phase, op.Stage, op.Tasks, op.Failed, op.Reason = phase, stageStart, nil, false, ""
	op.At = at.Add(e.seconds(secondsToStart))
	e.setStatus(s, phaseStatus[phase], reason, at)
}

// phaseStatus is the status of a stack in a phase.
var phaseStatus = map[string]string{
	phaseCreate:          "CREATE_IN_PROGRESS",
	phaseUpdate:          "UPDATE_IN_PROGRESS",
	phaseCleanup:         "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
	phaseCreateRollback:  "ROLLBACK_IN_PROGRESS",
	phaseUpdateRollback:  "UPDATE_ROLLBACK_IN_PROGRESS",
	phaseRollbackCleanup: "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
	phaseDelete:          "DELETE_IN_PROGRESS",
	phaseImport:          "IMPORT_IN_PROGRESS",
	phaseImportRollback:  "IMPORT_ROLLBACK_IN_PROGRESS",
}

// run starts an operation on a stack and schedules it.
func (e *Engine) run(s *Stack, op *Operation, phase, reason string, at time.Time) {
	op.Started = at
	op.ID = e.nextID(s, "operation")
	s.Op = op
	s.Last = append([]OperationRef{{ID: op.ID, Type: op.Type, Start: at, Token: op.Token}}, s.Last...)
	if len(s.Last) > maxLastOperations {
		s.Last = s.Last[:maxLastOperations]
	}
	delete(e.load().programs, s.ID)
	e.begin(s, phase, reason, at)
	e.schedule(s)
}

const maxLastOperations = 10

// end closes the operation with the stack's final status.
func (e *Engine) end(s *Stack, status, reason string, at time.Time) {
	op := s.Op
	ok := !strings.Contains(status, "FAILED") && !strings.Contains(status, "ROLLBACK") || op.Type == "CONTINUE_ROLLBACK" || op.Type == "ROLLBACK"
	if strings.HasSuffix(status, "FAILED") {
		ok = false
	}
	e.setStatus(s, status, reason, at)
	for i := range s.Last {
		if s.Last[i].ID == op.ID {
			s.Last[i].End, s.Last[i].OK = at, ok
		}
	}
	if cs := e.State.ChangeSets[op.ChangeSet]; cs != nil {
		cs.Execution = "EXECUTE_COMPLETE"
		if !ok {
			cs.Execution = "EXECUTE_FAILED"
		}
		e.abandon(cs, at)
	}
	s.Op = nil
	delete(e.load().programs, s.ID)
	if s.Parent != "" {
		e.tellParent(s, op.Cause, at)
	}
}

func (e *Engine) seconds(n float64) time.Duration {
	scale := e.Scale
	if scale == 0 {
		scale = DefaultScale
	}
	return time.Duration(n * scale * float64(time.Second))
}

func (e *Engine) duration(typeName string, phase Phase) float64 {
	if e.Durations != nil {
		return e.Durations(typeName, phase)
	}
	return DefaultDurations(typeName, phase)
}

// takes is how long a resource takes in the running operation, in seconds. In
// EXPRESS it is done when it is configured.
func (e *Engine) takes(s *Stack, typeName string, phase Phase) float64 {
	d := e.duration(typeName, phase)
	if s.Op.Express {
		return min(d, secondsExpress)
	}
	return d
}

// secondsExpress is the time until a resource is configured. AWS publishes none.
const secondsExpress = 2.0

func sortTasks(tasks []*Task) []*Task {
	sort.Slice(tasks, func(i, j int) bool { return tasks[i].Key < tasks[j].Key })
	return tasks
}
