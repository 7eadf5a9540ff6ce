package stackengine

import (
	"strings"
	"time"
)

// finish ends a phase: the next one begins, or the operation ends. The order
// of statuses is the status machine of CloudFormation's documentation ("Stack
// status codes"); transitions_test.go holds it.
func (e *Engine) finish(s *Stack, at time.Time) {
	op := s.Op
	switch op.Phase {
	case phaseCreate:
		e.finishCreate(s, at)
	case phaseUpdate:
		e.finishUpdate(s, at)
	case phaseImport:
		e.finishImport(s, at)
	case phaseCleanup:
		reason := ""
		if op.Failed {
			reason = "Update successful. One or more resources could not be deleted."
		}
		s.Stable = nil
		e.end(s, "UPDATE_COMPLETE", reason, at)
	case phaseCreateRollback:
		if op.Failed {
			e.end(s, "ROLLBACK_FAILED", failures(s), at)
			return
		}
		s.Garbage = nil
		e.end(s, "ROLLBACK_COMPLETE", "", at)
	case phaseUpdateRollback:
		e.finishUpdateRollback(s, at)
	case phaseImportRollback:
		e.restoreDeployment(s)
		e.end(s, "IMPORT_ROLLBACK_COMPLETE", "", at)
	case phaseRollbackCleanup:
		reason := ""
		if op.Failed {
			reason = "Rollback successful. One or more resources could not be deleted."
		}
		e.end(s, "UPDATE_ROLLBACK_COMPLETE", reason, at)
	case phaseDelete:
		e.finishDelete(s, at)
	}
}

func (e *Engine) finishCreate(s *Stack, at time.Time) {
	op := s.Op
	if !op.Failed {
		if reason := e.publish(s); reason != "" {
			op.Failed, op.Reason = true, reason
		}
	}
	if !op.Failed {
		for _, r := range s.Resources {
			r.Fresh = false
		}
		e.end(s, "CREATE_COMPLETE", "", at)
		return
	}
	reason := why(s)
	op.Cause = reason
	switch {
	case op.NoRollback || op.OnFailure == "DO_NOTHING":
		e.end(s, "CREATE_FAILED", reason, at)
	case op.OnFailure == "DELETE":
		e.begin(s, phaseDelete, reason+"Delete requested by user.", at)
	default:
		e.begin(s, phaseCreateRollback, reason+"Rollback requested by user.", at)
	}
}

// why gives the reason of a failed phase, ending in a space.
func why(s *Stack) string {
	reason := failures(s)
	if r := s.Op.Reason; r != "" {
		reason = strings.TrimSuffix(r, ".") + ". " + reason
	}
	return reason
}

func (e *Engine) finishUpdate(s *Stack, at time.Time) {
	op := s.Op
	if !op.Failed {
		if reason := e.publish(s); reason != "" {
			op.Failed, op.Reason = true, reason
		}
	}
	if op.Failed {
		reason := why(s)
		op.Cause = reason
		if op.NoRollback {
			e.end(s, "UPDATE_FAILED", reason, at)
			return
		}
		e.begin(s, phaseUpdateRollback, reason, at)
		return
	}
	shelve(s)
	for _, r := range s.Resources {
		r.Fresh = false
	}
	e.begin(s, phaseCleanup, "", at)
}

func (e *Engine) finishUpdateRollback(s *Stack, at time.Time) {
	if s.Op.Failed {
		e.end(s, "UPDATE_ROLLBACK_FAILED", failures(s), at)
		return
	}
	e.restoreDeployment(s)
	e.begin(s, phaseRollbackCleanup, "", at)
}

// restoreDeployment makes the last stable deployment the current one again.
func (e *Engine) restoreDeployment(s *Stack) {
	if s.Stable != nil {
		changeSet := s.Deployed.ChangeSet
		s.Deployed = *s.Stable
		s.Deployed.ChangeSet = changeSet
		s.Stable = nil
	}
	delete(e.load().programs, s.ID)
}

func (e *Engine) finishDelete(s *Stack, at time.Time) {
	if s.Op.Failed && !s.Op.Force {
		e.end(s, "DELETE_FAILED", failures(s), at)
		return
	}
	e.unpublish(s)
	s.Deleted = at
	s.Protected = false
	s.Stable = nil
	if e.State.Names[s.Name] == s.ID {
		delete(e.State.Names, s.Name)
	}
	e.end(s, "DELETE_COMPLETE", "", at)
}
