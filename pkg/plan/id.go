package plan

import "strings"

// ID is the step for a target: "stack/bp-network"; a name that starts with a
// slash keeps one slash, "parameter/bp/fleets/staging/gpu-default/desired_config".
func ID(k Kind, target string) StepID {
	return joinID(string(k), target)
}

// RecoverID is the step that brings a stuck stack back.
func RecoverID(stack string) StepID { return joinID("recover", stack) }

// ProtectID is the step that switches termination protection on.
func ProtectID(stack string) StepID { return joinID("protect", stack) }

// UnprotectID is the step that switches termination protection off.
func UnprotectID(stack string) StepID { return joinID("unprotect", stack) }

// ReleaseID is the step that lets go of the deletion policies of resources
// which a destroy was told not to keep.
func ReleaseID(stack string) StepID { return joinID("release", stack) }

// ContractID is the step that takes away what the stack's own step kept for
// its users.
func ContractID(stack string) StepID { return joinID("contract", stack) }

// RolloutID is the step that changes what a stack's group launches, after the
// stack's own step did the rest.
func RolloutID(stack string) StepID { return joinID("rollout", stack) }

// ImportID is the step that takes existing things into a stack.
func ImportID(stack string) StepID { return joinID("import", stack) }

func joinID(prefix, target string) StepID {
	return StepID(prefix + "/" + strings.TrimPrefix(target, "/"))
}
