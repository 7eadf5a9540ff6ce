package apply

import (
	"strings"

	"reconcile/pkg/plan"
)

const (
	statusReview                 = "REVIEW_IN_PROGRESS"
	statusCreateComplete         = "CREATE_COMPLETE"
	statusUpdateComplete         = "UPDATE_COMPLETE"
	statusImportComplete         = "IMPORT_COMPLETE"
	statusRollbackComplete       = "ROLLBACK_COMPLETE"
	statusUpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE"
	statusUpdateRollbackFailed   = "UPDATE_ROLLBACK_FAILED"
	statusDeleteInProgress       = "DELETE_IN_PROGRESS"
	statusDeleteFailed           = "DELETE_FAILED"
)

// classUnknown is a status that the plan's table does not have: nothing may
// be done to such a stack.
const classUnknown plan.StatusClass = "unknown"

// classOf is what a stack's status means, by the plan's own table; nil is a
// stack that does not exist.
func classOf(s *plan.LiveStack) plan.StatusClass {
	if s == nil {
		return plan.StatusAbsent
	}
	if a, ok := plan.ActionFor(s.Status); ok && s.Status != "" {
		return a.Class
	}
	return classUnknown
}

// gone tells whether nothing is left of a stack, not even a change set.
func gone(s *plan.LiveStack) bool {
	return classOf(s) == plan.StatusAbsent && !inReview(s)
}

// inReview tells whether only a change set to create the stack is there.
func inReview(s *plan.LiveStack) bool { return s != nil && s.Status == statusReview }

// settledWell tells whether the last operation did what it was asked: only
// then does the stack's digest say what is deployed.
func settledWell(s *plan.LiveStack) bool {
	return s != nil && (s.Status == statusCreateComplete || s.Status == statusUpdateComplete || s.Status == statusImportComplete)
}

// rolledBack tells whether the status says that AWS undid the operation.
func rolledBack(status string) bool { return strings.HasSuffix(status, "ROLLBACK_COMPLETE") }

// outlook says what can be done about a status that an operation ended in, or
// that stands in the way of one.
func outlook(status string) string {
	a, ok := plan.ActionFor(status)
	switch {
	case !ok:
		return "this program does not know the status"
	case status == statusRollbackComplete:
		return "the next plan proposes to delete the empty stack and create it again"
	case rolledBack(status):
		return "the stack is as it was before; correct the cause, then apply again"
	case a.Recover != "":
		return a.Doing + "; the next plan proposes the recovery"
	case a.Doing != "":
		return a.Doing
	}
	return "the stack cannot go on from there in this step"
}
