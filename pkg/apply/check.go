package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/plan"
)

// check refuses what no step of the plan may survive: error findings, another
// format, a body that does not fit its kind, or needs that do not come first.
// It runs before the first request.
func check(p plan.Plan) error {
	major, _, _ := strings.Cut(plan.FormatVersion, ".")
	if got, _, _ := strings.Cut(p.FormatVersion, "."); got != major {
		return &PlanError{Reason: fmt.Sprintf("format %q, this program runs %s.x; plan again", p.FormatVersion, major)}
	}
	var errs []plan.Finding
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityError {
			errs = append(errs, f)
		}
	}
	if len(errs) > 0 {
		return &RefusedError{Findings: errs}
	}
	seen := make(map[plan.StepID]bool, len(p.Steps))
	for _, s := range p.Steps {
		if s.ID == "" || seen[s.ID] {
			return &PlanError{Step: s.ID, Reason: "the id is empty or used twice"}
		}
		for _, n := range s.Needs {
			if !seen[n] {
				return &PlanError{Step: s.ID, Reason: fmt.Sprintf("needs %s, which does not come before it", n)}
			}
		}
		seen[s.ID] = true
		if s.Blocked != nil {
			continue
		}
		if machineOf(s) == nil {
			return &PlanError{Step: s.ID, Reason: fmt.Sprintf("this program cannot %s a %s with such a body", s.Action, s.Kind)}
		}
		if b := s.Body.Stack; b != nil && b.Owner != p.Target.Platform {
			return &PlanError{Step: s.ID, Reason: fmt.Sprintf("the stack belongs to %q and the plan to %q", b.Owner, p.Target.Platform)}
		}
	}
	return nil
}

// machineOf picks the state machine that runs a step; nil when there is none.
func machineOf(s plan.Step) func(*task) {
	b := s.Body
	if s.Action == plan.ActionRecover {
		if b.Recover != nil && knownRecovery(b.Recover.Operation) {
			return startRecovery
		}
		return nil
	}
	switch {
	case s.Kind == plan.KindStack && b.Stack != nil:
		switch s.Action {
		case plan.ActionCreate, plan.ActionUpdate, plan.ActionReplace:
			if b.Stack.Template != nil {
				return startStack
			}
		case plan.ActionImport:
			if b.Stack.Template != nil && len(b.Stack.Imports) > 0 {
				return startStack
			}
		case plan.ActionDelete:
			return startDeletion
		case plan.ActionProtect, plan.ActionUnprotect:
			return startProtection
		}
	case s.Kind == plan.KindParameter && b.Parameter != nil:
		switch s.Action {
		case plan.ActionCreate, plan.ActionUpdate, plan.ActionReplace:
			return startParameter
		case plan.ActionDelete:
			return startParameterDeletion
		}
	case s.Kind == plan.KindSecret && b.Secret != nil:
		switch s.Action {
		case plan.ActionCreate, plan.ActionUpdate, plan.ActionRun:
			return startSecret
		}
	case s.Kind == plan.KindBundle && b.Bundle != nil:
		if s.Action == plan.ActionCreate {
			return startBundle
		}
	case s.Kind == plan.KindLogGroup && b.LogGroup != nil:
		switch s.Action {
		case plan.ActionCreate, plan.ActionUpdate, plan.ActionDelete:
			return startLogGroup
		}
	case s.Kind == plan.KindObjects && b.Bucket != nil && s.Action == plan.ActionDelete:
		return startEmptying
	}
	return nil
}

// targetOf names what a step operates on: two steps on one target never run
// at the same time, whatever their needs say.
func targetOf(s plan.Step) string {
	switch b := s.Body; {
	case b.Recover != nil:
		return "stack " + b.Recover.Name
	case b.Stack != nil:
		return "stack " + b.Stack.Name
	case b.Parameter != nil:
		return "parameter " + b.Parameter.Name
	case b.Secret != nil:
		return "secret " + b.Secret.Name
	case b.Bundle != nil:
		return "bundle " + b.Bundle.Manifest.BundleID
	case b.LogGroup != nil:
		return "log group " + b.LogGroup.Name
	case b.Bucket != nil: // while it is emptied nothing else happens to its stack
		return "stack " + b.Bucket.Stack
	}
	return string(s.Kind) + " " + s.Target
}
