package plan

import (
	"sort"
	"sync"
)

// StatusClass is what a stack's status means for a plan.
type StatusClass string

// The classes. Every status that CloudFormation knows has exactly one.
const (
	StatusAbsent  StatusClass = "absent"  // as if the stack did not exist: create
	StatusReady   StatusClass = "ready"   // settled: compare and update
	StatusBusy    StatusClass = "busy"    // an operation runs: wait, never start a second one
	StatusStuck   StatusClass = "stuck"   // a recovery comes first
	StatusStopped StatusClass = "stopped" // only a person can go on
)

// StatusAction is the one thing that a plan does about a status.
type StatusAction struct {
	Class StatusClass
	// Recover is the operation for StatusStuck.
	Recover string
	// Absent: the recovery leaves no stack, so that a create can follow it.
	Absent bool
	// Warn is said in a finding although the plan goes on.
	Warn string
	// Doing says what is wrong, for people.
	Doing string
}

// ActionFor returns the action for a stack status; false for a status that
// this program does not know, which refuses the plan.
func ActionFor(status string) (StatusAction, bool) {
	a, ok := statusActions()[status]
	return a, ok
}

// Statuses lists every status that has an action, sorted.
func Statuses() []string {
	return sortedKeys(statusActions())
}

// statusActions is failure-modes 2.0, one row per status. Nobody writes to it.
var statusActions = sync.OnceValue(func() map[string]StatusAction {
	ready := StatusAction{Class: StatusReady}
	busy := func(doing string) StatusAction { return StatusAction{Class: StatusBusy, Doing: doing} }
	return map[string]StatusAction{
		"": {Class: StatusAbsent},
		"REVIEW_IN_PROGRESS": {Class: StatusAbsent,
			Warn: "left over from a change set that never ran; the create uses it"},
		"DELETE_COMPLETE": {Class: StatusAbsent},

		"CREATE_COMPLETE": ready,
		"UPDATE_COMPLETE": ready,
		"IMPORT_COMPLETE": ready,
		"UPDATE_ROLLBACK_COMPLETE": {Class: StatusReady,
			Warn: "its last update failed and was rolled back"},
		"IMPORT_ROLLBACK_COMPLETE": {Class: StatusReady,
			Warn: "its last import failed and was rolled back"},

		"CREATE_FAILED": {Class: StatusStuck, Recover: RecoverRollback,
			Doing: "its creation failed and was not rolled back; a rollback deletes what was created"},
		"UPDATE_FAILED": {Class: StatusStuck, Recover: RecoverRollback,
			Doing: "its update failed and was not rolled back"},
		"ROLLBACK_COMPLETE": {Class: StatusStuck, Recover: RecoverDelete, Absent: true,
			Doing: "its creation failed and was rolled back; such a stack can only be deleted and created again"},
		"ROLLBACK_FAILED": {Class: StatusStuck, Recover: RecoverDelete, Absent: true,
			Doing: "its creation failed and the rollback failed too; such a stack can only be deleted"},
		"UPDATE_ROLLBACK_FAILED": {Class: StatusStuck, Recover: RecoverContinueRollback,
			Doing: "its update failed and could not be rolled back; the rollback is continued without skipping anything"},
		"DELETE_FAILED": {Class: StatusStuck, Recover: RecoverRetryDelete, Absent: true,
			Doing: "its deletion failed; it is tried once more"},
		"IMPORT_ROLLBACK_FAILED": {Class: StatusStopped,
			Doing: "an import failed and could not be rolled back"},

		"CREATE_IN_PROGRESS":                           busy("being created"),
		"DELETE_IN_PROGRESS":                           busy("being deleted"),
		"ROLLBACK_IN_PROGRESS":                         busy("rolling back a failed creation"),
		"UPDATE_IN_PROGRESS":                           busy("being updated"),
		"UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":          busy("cleaning up after an update"),
		"UPDATE_ROLLBACK_IN_PROGRESS":                  busy("rolling back a failed update"),
		"UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": busy("cleaning up after a rollback"),
		"IMPORT_IN_PROGRESS":                           busy("importing resources"),
		"IMPORT_ROLLBACK_IN_PROGRESS":                  busy("rolling back a failed import"),
	}
})

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
