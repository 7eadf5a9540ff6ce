package stackengine

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// defaultMaxStacks is AWS's default quota (aws-limits 4.1).
const defaultMaxStacks = 2000

func (e *Engine) createStack(ctx context.Context, in *cloudformation.CreateStackInput, now time.Time) (any, error) {
	name := deref(in.StackName)
	if err := checkStackName(name); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken); err != nil {
		return nil, err
	}
	s := e.alive(name)
	if s != nil && in.ClientRequestToken != nil {
		digest := requestDigest(in.TemplateBody, in.TemplateURL, in.Parameters, in.Tags, in.Capabilities)
		repeated, id, err := e.claim(in.ClientRequestToken, "CreateStack", s.ID, digest)
		if err != nil {
			return nil, err
		}
		if repeated {
			return &cloudformation.CreateStackOutput{StackId: ptr(s.ID), OperationId: optional(id)}, nil
		}
	}
	if s != nil && s.Status != "REVIEW_IN_PROGRESS" {
		return nil, &Error{Code: "AlreadyExistsException", Message: "Stack [" + name + "] already exists", Status: 400}
	}
	if in.OnFailure != "" && in.DisableRollback != nil {
		return nil, invalid("You can specify either OnFailure or DisableRollback, but not both.")
	}
	if err := checkDeploymentConfig(in.DeploymentConfig); err != nil {
		return nil, err
	}
	fresh := s
	if fresh == nil {
		fresh = e.draft(name)
	}
	target, next, err := e.target(ctx, fresh, deployment{
		body: in.TemplateBody, url: in.TemplateURL, parameters: in.Parameters, tags: in.Tags,
		capabilities: in.Capabilities, notify: in.NotificationARNs, role: in.RoleARN, allowed: in.ResourceTypes, rollback: in.RollbackConfiguration,
	}, true)
	if err != nil {
		return nil, err
	}
	policy, err := e.policyOf(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	findings := e.validateOperation(fresh, nil, next, target, in.DisableValidation)
	if s == nil {
		if s, err = e.admit(fresh, now); err != nil {
			return nil, err
		}
	}
	target.Timeout = deref(in.TimeoutInMinutes)
	target.NoRollback = deref(in.DisableRollback) || noRollback(in.DeploymentConfig)
	target.RetainExcept = deref(in.RetainExceptOnCreate)
	s.Deployed = *target
	s.Policy = policy
	s.Protected = deref(in.EnableTerminationProtection)
	e.obsolete(s, "", now)
	op := &Operation{
		Type: "CREATE_STACK", Token: deref(in.ClientRequestToken), OnFailure: string(in.OnFailure),
		NoRollback: target.NoRollback, RetainExcept: target.RetainExcept, Express: deploymentMode(in.DeploymentConfig) == express,
		Invalid: len(findings) > 0,
	}
	e.run(s, op, phaseCreate, "User Initiated", now)
	s.Last[0].Findings = findings
	digest := requestDigest(in.TemplateBody, in.TemplateURL, in.Parameters, in.Tags, in.Capabilities)
	e.keepToken(in.ClientRequestToken, "CreateStack", s.ID, digest, op.ID)
	return &cloudformation.CreateStackOutput{StackId: ptr(s.ID), OperationId: ptr(op.ID)}, nil
}

// express is the mode that ends an operation when everything is configured,
// without waiting until it is ready. Its rollback is off unless the request
// turns it on (aws-limits, "What changed in the last year").
const express = "EXPRESS"

func deploymentMode(c *types.DeploymentConfig) string {
	if c == nil {
		return ""
	}
	return string(c.Mode)
}

func noRollback(c *types.DeploymentConfig) bool {
	switch {
	case c == nil:
		return false
	case c.DisableRollback != nil:
		return *c.DisableRollback
	}
	return string(c.Mode) == express
}

// requestDigest tells two requests apart.
func requestDigest(parts ...any) string { return digest(string(compact(parts))) }

// draft is a stack that does not exist yet.
func (e *Engine) draft(name string) *Stack {
	id := e.arn("cloudformation", "stack/"+name+"/"+e.uuid("stack", name, itoa(e.State.Count["stack/"+name])))
	return &Stack{ID: id, Name: name, Resources: map[string]*StackResource{}}
}

// admit makes a draft exist.
func (e *Engine) admit(s *Stack, now time.Time) (*Stack, error) {
	if err := e.room(1); err != nil {
		return nil, err
	}
	ix := e.load()
	s.Created = now
	e.State.Stacks[s.ID] = s
	e.State.Names[s.Name] = s.ID
	e.State.Count["stack/"+s.Name]++
	at, _ := slices.BinarySearchFunc(ix.stacks, s, func(id string, s *Stack) int {
		if newer(e.State.Stacks[id], s) {
			return -1
		}
		return 1
	})
	ix.stacks = slices.Insert(ix.stacks, at, s.ID)
	return s, nil
}

// room refuses so many more stacks than the quota allows.
func (e *Engine) room(more int) error {
	if more > 0 && len(e.State.Names)+more > e.maxStacks() {
		return &Error{Code: "LimitExceededException", Message: "Limit for stack has been exceeded", Status: 400}
	}
	return nil
}

func (e *Engine) maxStacks() int {
	if e.State.MaxStacks == 0 {
		return defaultMaxStacks
	}
	return e.State.MaxStacks
}

func (e *Engine) updateStack(ctx context.Context, in *cloudformation.UpdateStackInput, now time.Time) (any, error) {
	name := deref(in.StackName)
	s := e.alive(name)
	if s == nil || s.Status == "REVIEW_IN_PROGRESS" {
		return nil, unknownStack(name)
	}
	digest := requestDigest(in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate, in.Parameters, in.Tags, in.Capabilities)
	repeated, id, err := e.claim(in.ClientRequestToken, "UpdateStack", s.ID, digest)
	if err != nil {
		return nil, err
	}
	if repeated {
		return &cloudformation.UpdateStackOutput{StackId: ptr(s.ID), OperationId: optional(id)}, nil
	}
	if !slices.Contains(updatable, s.Status) {
		return nil, cannotUpdate(s)
	}
	if err := checkDeploymentConfig(in.DeploymentConfig); err != nil {
		return nil, err
	}
	target, next, err := e.target(ctx, s, deployment{
		body: in.TemplateBody, url: in.TemplateURL, previous: deref(in.UsePreviousTemplate), parameters: in.Parameters,
		tags: in.Tags, capabilities: in.Capabilities, notify: in.NotificationARNs, role: in.RoleARN, allowed: in.ResourceTypes, rollback: in.RollbackConfiguration,
	}, false)
	if err != nil {
		return nil, err
	}
	policy, err := e.policyOf(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	during, err := e.policyOf(ctx, in.StackPolicyDuringUpdateBody, in.StackPolicyDuringUpdateURL)
	if err != nil {
		return nil, err
	}
	if err := e.anyChange(s, next, target); err != nil {
		return nil, err
	}
	old, err := e.program(s)
	if err != nil {
		return nil, err
	}
	findings := e.validateOperation(s, old, next, target, in.DisableValidation)
	if policy != "" {
		s.Policy = policy
	}
	e.obsolete(s, "", now)
	op := &Operation{
		Type: "UPDATE_STACK", Token: deref(in.ClientRequestToken), Policy: during,
		NoRollback: deref(in.DisableRollback) || noRollback(in.DeploymentConfig), RetainExcept: deref(in.RetainExceptOnCreate),
		Express: deploymentMode(in.DeploymentConfig) == express, Invalid: len(findings) > 0,
	}
	e.update(s, op, target, now)
	s.Last[0].Findings = findings
	e.keepToken(in.ClientRequestToken, "UpdateStack", s.ID, digest, op.ID)
	return &cloudformation.UpdateStackOutput{StackId: ptr(s.ID), OperationId: ptr(op.ID)}, nil
}

// anyChange refuses an update that changes nothing (B1). A failed stack may be
// tried again with the same template.
func (e *Engine) anyChange(s *Stack, next *program, target *Deployment) error {
	old, err := e.program(s)
	if err != nil {
		return err
	}
	changes, other, err := e.compare(s, old, next, target, nil, nil)
	if err != nil {
		return err
	}
	failed := s.Status == "CREATE_FAILED" || s.Status == "UPDATE_FAILED"
	if len(changes) == 0 && !other && !failed {
		return invalid("No updates are to be performed.")
	}
	return nil
}

// update starts an update to a target.
func (e *Engine) update(s *Stack, op *Operation, target *Deployment, now time.Time) {
	if s.Stable == nil {
		stable := s.Deployed
		s.Stable = &stable
	}
	target.ChangeSet = op.ChangeSet
	s.Deployed = *target
	s.Updated = now
	e.run(s, op, phaseUpdate, "User Initiated", now)
}

// policyOf reads a stack policy of a request.
func (e *Engine) policyOf(ctx context.Context, body, url *string) (string, error) {
	if body != nil && url != nil {
		return "", invalid("You cannot specify both StackPolicyURL and StackPolicyBody")
	}
	text := deref(body)
	if url != nil {
		var err error
		if text, err = e.fetch(ctx, *url); err != nil {
			return "", err
		}
	}
	if text == "" {
		return "", nil
	}
	_, err := readPolicyBody(text)
	return text, err
}

func (e *Engine) setStackPolicy(ctx context.Context, in *cloudformation.SetStackPolicyInput) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	policy, err := e.policyOf(ctx, in.StackPolicyBody, in.StackPolicyURL)
	if err != nil {
		return nil, err
	}
	s.Policy = policy
	return &cloudformation.SetStackPolicyOutput{}, nil
}

func (e *Engine) getStackPolicy(in *cloudformation.GetStackPolicyInput) (any, error) {
	s := e.find(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	return &cloudformation.GetStackPolicyOutput{StackPolicyBody: optional(s.Policy)}, nil
}

func (e *Engine) updateTerminationProtection(in *cloudformation.UpdateTerminationProtectionInput) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	s.Protected = deref(in.EnableTerminationProtection)
	return &cloudformation.UpdateTerminationProtectionOutput{StackId: ptr(s.ID)}, nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
