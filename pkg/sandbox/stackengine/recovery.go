package stackengine

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

func (e *Engine) deleteStack(in *cloudformation.DeleteStackInput, now time.Time) (any, error) {
	out := &cloudformation.DeleteStackOutput{}
	s := e.alive(deref(in.StackName))
	if s == nil {
		return out, nil // deleting what is not there succeeds
	}
	digest := requestDigest(in.RetainResources, in.DeletionMode)
	repeated, _, err := e.claim(in.ClientRequestToken, "DeleteStack", s.ID, digest)
	if err != nil || repeated {
		return out, err
	}
	if s.Protected {
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.Name)
	}
	if s.Status == "DELETE_IN_PROGRESS" {
		return out, nil
	}
	if s.Op != nil && s.Status != "CREATE_IN_PROGRESS" {
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", s.ID, s.Status)
	}
	if err := checkRetain(s, in); err != nil {
		return nil, err
	}
	op := &Operation{
		Type: "DELETE_STACK", Token: deref(in.ClientRequestToken), Retain: in.RetainResources,
		Force: in.DeletionMode == types.DeletionModeForceDeleteStack, Prior: s.Status, Express: deploymentMode(in.DeploymentConfig) == express,
	}
	if s.Status == "CREATE_IN_PROGRESS" {
		e.cancel(s, now)
		if cs := e.State.ChangeSets[s.Op.ChangeSet]; cs != nil {
			cs.Execution = "EXECUTE_FAILED"
		}
		op.Prior = ""
	}
	e.obsolete(s, "", now)
	e.run(s, op, phaseDelete, "User Initiated", now)
	if reason := e.exportsInUse(s); reason != "" && op.Prior != "" {
		// A9: no failure; the stack is again what it was, with the reason.
		e.end(s, op.Prior, reason, now)
	}
	e.keepToken(in.ClientRequestToken, "DeleteStack", s.ID, digest, op.ID)
	return out, nil
}

// checkRetain holds RetainResources and DeletionMode against the stack's state.
// Texts: eks-perf-tests #517, aws-nuke #270; that retaining needs
// DELETE_FAILED: aws-nuke #244 and the reference of DeleteStack.
func checkRetain(s *Stack, in *cloudformation.DeleteStackInput) error {
	if in.DeletionMode == types.DeletionModeForceDeleteStack && s.Status != "DELETE_FAILED" {
		return invalid("Invalid operation on stack [%s]. You can activate DeletionMode FORCE_DELETE_STACK in a delete stack operation only when the stack is in the DELETE_FAILED state.", s.ID)
	}
	if len(in.RetainResources) == 0 {
		return nil
	}
	if s.Status != "DELETE_FAILED" {
		return invalid("Invalid operation on stack [%s]. You can specify RetainResources only when the stack is in the DELETE_FAILED state.", s.ID)
	}
	for _, id := range in.RetainResources {
		r := s.Resources[id]
		if r == nil {
			return invalid("Resource %s does not exist for stack %s", id, s.Name)
		}
		if r.Status == "DELETE_COMPLETE" {
			return invalid("The specified resources to retain must be in a valid state. Do not specify resources that are in the DELETE_COMPLETE state.")
		}
	}
	return nil
}

func (e *Engine) cancelUpdateStack(in *cloudformation.CancelUpdateStackInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	repeated, _, err := e.claim(in.ClientRequestToken, "CancelUpdateStack", s.ID, "")
	if err != nil || repeated {
		return &cloudformation.CancelUpdateStackOutput{}, err
	}
	if s.Status != "UPDATE_IN_PROGRESS" || s.Op == nil {
		return nil, invalid("CancelUpdateStack cannot be called from current stack status")
	}
	e.cancel(s, now)
	e.begin(s, phaseUpdateRollback, "User Initiated", now)
	e.schedule(s)
	e.keepToken(in.ClientRequestToken, "CancelUpdateStack", s.ID, "", s.Op.ID)
	return &cloudformation.CancelUpdateStackOutput{}, nil
}

func (e *Engine) continueUpdateRollback(in *cloudformation.ContinueUpdateRollbackInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	if deref(in.ForceRollback) && len(in.ResourcesToSkip) > 0 {
		return nil, invalid("ForceRollback and ResourcesToSkip cannot be specified together.")
	}
	digest := requestDigest(in.ResourcesToSkip)
	repeated, _, err := e.claim(in.ClientRequestToken, "ContinueUpdateRollback", s.ID, digest)
	if err != nil || repeated {
		return &cloudformation.ContinueUpdateRollbackOutput{}, err
	}
	if s.Status != "UPDATE_ROLLBACK_FAILED" {
		return nil, invalid("Stack:%s is in %s state and can not be rolled back.", s.ID, s.Status)
	}
	if err := checkSkip(s, in.ResourcesToSkip); err != nil {
		return nil, err
	}
	op := &Operation{Type: "CONTINUE_ROLLBACK", Token: deref(in.ClientRequestToken), Skip: in.ResourcesToSkip}
	e.run(s, op, phaseUpdateRollback, "User Initiated", now)
	e.keepToken(in.ClientRequestToken, "ContinueUpdateRollback", s.ID, digest, op.ID)
	return &cloudformation.ContinueUpdateRollbackOutput{}, nil
}

// checkSkip: only resources whose rollback failed can be skipped (reference of
// ContinueUpdateRollback).
func checkSkip(s *Stack, skip []string) error {
	var wrong []string
	for _, id := range skip {
		if r := s.Resources[id]; r == nil || r.Status != "UPDATE_FAILED" {
			wrong = append(wrong, id)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return invalid("The following resource(s) to skip are not in UPDATE_FAILED state: [%s]", strings.Join(wrong, ", "))
	}
	return nil
}

func (e *Engine) rollbackStack(in *cloudformation.RollbackStackInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	digest := requestDigest(in.RetainExceptOnCreate)
	repeated, id, err := e.claim(in.ClientRequestToken, "RollbackStack", s.ID, digest)
	if err != nil {
		return nil, err
	}
	if repeated {
		return &cloudformation.RollbackStackOutput{StackId: ptr(s.ID), OperationId: optional(id)}, nil
	}
	phase := ""
	switch {
	case s.Status == "CREATE_FAILED":
		phase = phaseCreateRollback
	case s.Status == "UPDATE_FAILED":
		phase = phaseUpdateRollback
	default:
		return nil, invalid("Stack:%s is in %s state and can not be rolled back.", s.ID, s.Status)
	}
	op := &Operation{Type: "ROLLBACK", Token: deref(in.ClientRequestToken), RetainExcept: deref(in.RetainExceptOnCreate), Express: deploymentMode(in.DeploymentConfig) == express}
	e.run(s, op, phase, "User Initiated", now)
	e.keepToken(in.ClientRequestToken, "RollbackStack", s.ID, digest, op.ID)
	return &cloudformation.RollbackStackOutput{StackId: ptr(s.ID), OperationId: ptr(op.ID)}, nil
}
