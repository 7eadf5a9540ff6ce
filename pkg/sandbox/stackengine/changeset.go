package stackengine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Seconds that a change set takes, before Scale: pending, then computing.
const (
	secondsPending = 0.5
	secondsCompute = 3.0
	secondsDelete  = 1.0
)

// maxChangeSets is how many a stack can have (aws-limits 4.1).
const maxChangeSets = 1000

// noChanges is why an empty change set fails (B1; LocalStack: test_empty_changeset).
const (
	noChanges        = "The submitted information didn't contain changes. Submit different information to create a change set."
	noChangesMacro   = "No updates are to be performed."
	validationFailed = "The following hook(s)/validation failed: [%s]. To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
)

func (e *Engine) createChangeSet(ctx context.Context, in *cloudformation.CreateChangeSetInput, now time.Time) (any, error) {
	name := deref(in.ChangeSetName)
	if !changeSetName.MatchString(name) || len(name) > 128 {
		return nil, constraint(name, "changeSetName", "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*")
	}
	if in.ClientToken != nil && (*in.ClientToken == "" || len(*in.ClientToken) > 128) {
		return nil, constraint(*in.ClientToken, "clientToken", "have length less than or equal to 128")
	}
	kind := string(in.ChangeSetType)
	if kind == "" {
		kind = "UPDATE"
	}
	s, fresh, err := e.changeSetStack(in, kind, name)
	if err != nil {
		return nil, err
	}
	if err := checkChangeSetModes(in, kind); err != nil {
		return nil, err
	}
	digest := requestDigest(in.TemplateBody, in.TemplateURL, in.UsePreviousTemplate, in.Parameters, in.Tags, in.Capabilities, kind, in.DeploymentMode, deref(in.IncludeNestedStacks))
	if have := e.changeSet(s.ID, name); have != nil {
		return e.sameChangeSet(have, in, digest)
	}
	target, next, err := e.target(ctx, s, deployment{
		body: in.TemplateBody, url: in.TemplateURL, previous: deref(in.UsePreviousTemplate), parameters: in.Parameters,
		tags: in.Tags, capabilities: in.Capabilities, notify: in.NotificationARNs, role: in.RoleARN, allowed: in.ResourceTypes, rollback: in.RollbackConfiguration,
	}, fresh)
	if err != nil {
		return nil, err
	}
	if len(e.load().sets[s.ID]) >= maxChangeSets {
		return nil, &Error{Code: "LimitExceededException", Message: "ChangeSet limit exceeded", Status: 400}
	}
	if len(in.ResourcesToImport) > 200 {
		return nil, invalid("1 validation error detected: Value at 'resourcesToImport' failed to satisfy constraint: Member must have length less than or equal to 200")
	}
	cs := e.newChangeSet(in, target, kind, digest, now)
	nested, err := e.fill(ctx, s, cs, next, fresh, !deref(in.DisableValidation), 0)
	if err != nil {
		return nil, err
	}
	if n := nested.drafts(); n > 0 {
		if err := e.room(n + 1); err != nil {
			return nil, err
		}
	}
	if e.State.Stacks[s.ID] == nil {
		if s, err = e.admit(s, now); err != nil {
			return nil, err
		}
		s.Deployed.Description = target.Description
		e.setStatus(s, "REVIEW_IN_PROGRESS", "User Initiated", now)
	}
	e.keepChangeSet(s, cs)
	if err := e.keepNest(cs, nested, now); err != nil {
		return nil, err
	}
	return &cloudformation.CreateChangeSetOutput{Id: ptr(cs.ID), StackId: ptr(s.ID)}, nil
}

func (e *Engine) newChangeSet(in *cloudformation.CreateChangeSetInput, target *Deployment, kind, digest string, now time.Time) *ChangeSet {
	cs := &ChangeSet{
		Name: deref(in.ChangeSetName), Type: kind, Created: now, Digest: digest, Token: deref(in.ClientToken),
		Start: now.Add(e.seconds(secondsPending)), Ready: now.Add(e.seconds(secondsPending + secondsCompute)),
		Description: deref(in.Description), OnFailure: string(in.OnStackFailure), Target: *target,
		Execution: "AVAILABLE", ImportAny: deref(in.ImportExistingResources), NoRollback: noRollback(in.DeploymentConfig),
		Revert: in.DeploymentMode == types.DeploymentModeRevertDrift, Mode: deploymentMode(in.DeploymentConfig),
		Nested: deref(in.IncludeNestedStacks),
	}
	for _, r := range in.ResourcesToImport {
		cs.Import = append(cs.Import, ImportItem{deref(r.LogicalResourceId), deref(r.ResourceType), r.ResourceIdentifier})
	}
	return cs
}

// keepChangeSet gives a change set its ids and adds it to its stack.
func (e *Engine) keepChangeSet(s *Stack, cs *ChangeSet) {
	cs.Stack = s.ID
	if cs.ID == "" {
		cs.ID = e.arn("cloudformation", "changeSet/"+cs.Name+"/"+e.nextID(s, "changeSet"))
	}
	cs.Operation = e.nextID(s, "operation")
	s.Last = append([]OperationRef{{ID: cs.Operation, Type: "CREATE_CHANGESET", Start: cs.Created, End: cs.Ready, OK: cs.Failed == ""}}, s.Last...)
	if len(s.Last) > maxLastOperations {
		s.Last = s.Last[:maxLastOperations]
	}
	e.State.ChangeSets[cs.ID] = cs
	e.load().sets[s.ID] = append(e.load().sets[s.ID], cs.ID)
}

// changeSetStack finds the stack of a new change set, or drafts it. Texts: B9,
// A2, A14.
func (e *Engine) changeSetStack(in *cloudformation.CreateChangeSetInput, kind, name string) (s *Stack, fresh bool, err error) {
	stack := deref(in.StackName)
	if s = e.find(stack); s != nil && s.Status == "DELETE_COMPLETE" && kind == "CREATE" {
		return nil, false, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", stack, name)
	}
	s = e.alive(stack)
	switch {
	case s == nil && (kind == "CREATE" || kind == "IMPORT"):
		if err := checkStackName(stack); err != nil {
			return nil, false, err
		}
		return e.draft(stack), true, nil
	case s == nil, kind == "UPDATE" && s.Status == "REVIEW_IN_PROGRESS":
		return nil, false, unknownStack(stack)
	case kind == "CREATE" && s.Status != "REVIEW_IN_PROGRESS":
		return nil, false, invalid("Stack [%s] already exists and cannot be created again with the changeSet [%s].", stack, name)
	case s.Status == "REVIEW_IN_PROGRESS":
		return s, true, nil
	case !slices.Contains(updatable, s.Status):
		return nil, false, cannotUpdate(s)
	}
	return s, false, nil
}

// sameChangeSet answers a request for a change set that exists: the same again
// or a refusal (B5, B7).
func (e *Engine) sameChangeSet(have *ChangeSet, in *cloudformation.CreateChangeSetInput, digest string) (any, error) {
	mismatch := ""
	switch {
	case have.Token != deref(in.ClientToken):
		mismatch = "ClientToken"
	case have.Digest != digest:
		mismatch = "Template"
	case have.Token == "":
		return nil, &Error{Code: "AlreadyExistsException", Message: "ChangeSet " + have.Name + " already exists", Status: 400}
	}
	if mismatch != "" {
		return nil, &Error{Code: "AlreadyExistsException", Message: "ChangeSet " + have.Name + " cannot be created due to a mismatch with existing attribute " + mismatch, Status: 400}
	}
	return &cloudformation.CreateChangeSetOutput{Id: ptr(have.ID), StackId: ptr(have.Stack)}, nil
}

// fill computes what the change set announces, or why it fails, and what it finds
// of nested stacks, if it looks into them.
func (e *Engine) fill(ctx context.Context, s *Stack, cs *ChangeSet, next *program, fresh, validate bool, depth int) (*nest, error) {
	var old *program
	if !fresh {
		var err error
		if old, err = e.program(s); err != nil {
			return nil, err
		}
	}
	var states map[string]actual
	if cs.Revert {
		states = e.actualStates(ctx, s)
		cs.StackDrift = stackDrift(states)
	}
	nested := e.newNest(ctx, cs, validate, depth)
	changes, other, err := e.compare(s, old, next, &cs.Target, states, nested)
	if err != nil {
		if strings.HasPrefix(reasonOf(err), "No export named") {
			cs.Failed, cs.Execution = reasonOf(err), "UNAVAILABLE"
			return nested, nil
		}
		return nil, err
	}
	cs.Changes = changes
	e.tie(cs, nested)
	e.markImports(ctx, cs)
	if cs.Type == "IMPORT" {
		if err := e.checkImport(s, cs, old, next, fresh); err != nil {
			return nil, err
		}
	}
	if cs.Failed = e.importFails(ctx, cs, next); cs.Failed == "" {
		cs.Failed = nested.failure()
	}
	failed := s.Status == "CREATE_FAILED" || s.Status == "UPDATE_FAILED"
	switch {
	case cs.Failed != "":
	case len(changes) == 0 && !other && !failed && len(next.t.Transforms) > 0:
		cs.Failed = noChangesMacro
	case len(changes) == 0 && !other && !failed:
		cs.Failed = noChanges
	case validate:
		cs.Findings = append(e.validateEarly(changes, next), e.warnEarly(ctx, s, changes)...)
		cs.Failed = findingsReason(cs.Findings)
	}
	if cs.Failed != "" {
		cs.Execution = "UNAVAILABLE"
		cs.Changes = nil
	}
	return nested, nil
}

// markImports turns additions into imports where a resource is taken over.
func (e *Engine) markImports(ctx context.Context, cs *ChangeSet) {
	probe := &Stack{Op: &Operation{Import: cs.Import, ImportAny: cs.ImportAny}}
	for i := range cs.Changes {
		c := &cs.Changes[i]
		if c.Action != "Add" {
			continue
		}
		props, _ := decode([]byte(c.After))["Properties"].(map[string]any)
		item, ok := e.importable(ctx, probe, &StackResource{LogicalID: c.LogicalID, Type: c.Type, Properties: compact(props)})
		if ok {
			c.Action, c.PhysicalID = "Import", item.PhysicalID
		}
	}
}

// changeSet finds a stack's change set by name.
func (e *Engine) changeSet(stack, name string) *ChangeSet {
	sets := e.load().sets[stack]
	for i := len(sets) - 1; i >= 0; i-- {
		if cs := e.State.ChangeSets[sets[i]]; cs != nil && cs.Name == name {
			return cs
		}
	}
	return nil
}

// findChangeSet resolves the two names of a request. Texts: LocalStack,
// test_describe_change_set_nonexisting, test_delete_change_set_exception.
func (e *Engine) findChangeSet(changeSet, stack *string) (*ChangeSet, error) {
	name := deref(changeSet)
	missing := &Error{Code: "ChangeSetNotFound", Message: "ChangeSet [" + name + "] does not exist", Status: 404}
	var cs *ChangeSet
	if strings.HasPrefix(name, "arn:") {
		cs = e.State.ChangeSets[name]
	} else {
		if deref(stack) == "" {
			return nil, invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
		}
		s := e.find(*stack)
		if s == nil {
			return nil, unknownStack(*stack)
		}
		cs = e.changeSet(s.ID, name)
	}
	if cs == nil {
		return nil, missing
	}
	return cs, nil
}

func (e *Engine) forgetChangeSet(cs *ChangeSet) {
	ix := e.load()
	delete(e.State.ChangeSets, cs.ID)
	ix.sets[cs.Stack] = slices.DeleteFunc(ix.sets[cs.Stack], func(id string) bool { return id == cs.ID })
}

func (e *Engine) deleteChangeSet(in *cloudformation.DeleteChangeSetInput, now time.Time) (any, error) {
	cs, err := e.findChangeSet(in.ChangeSetName, in.StackName)
	if err != nil {
		var api *Error
		if errors.As(err, &api) && api.Code == "ChangeSetNotFound" {
			return &cloudformation.DeleteChangeSetOutput{}, nil // deleting twice succeeds
		}
		return nil, err
	}
	if cs.Parent != "" {
		return nil, &Error{Code: "InvalidChangeSetStatus", Message: "ChangeSet [" + cs.ID + "] belongs to a nested hierarchy and cannot be deleted alone. Delete the root change set [" + cs.Root + "].", Status: 400}
	}
	if status := cs.status(now); cs.Execution == "EXECUTE_IN_PROGRESS" || status == types.ChangeSetStatusCreateInProgress || status == types.ChangeSetStatusCreatePending ||
		cs.Nested && cs.Execution == "EXECUTE_COMPLETE" { // copilot-cli #4426
		current := string(status)
		if strings.HasPrefix(cs.Execution, "EXECUTE_") {
			current = cs.Execution
		}
		return nil, &Error{Code: "InvalidChangeSetStatus", Message: "ChangeSet [" + cs.ID + "] cannot be deleted in its current status of [" + current + "]", Status: 400}
	}
	if cs.Gone.IsZero() {
		e.abandon(cs, now)
		e.goes(cs, now)
	}
	return &cloudformation.DeleteChangeSetOutput{}, nil
}

// status is the change set's status at a moment.
func (cs *ChangeSet) status(now time.Time) types.ChangeSetStatus {
	switch {
	case now.Before(cs.Going):
		return types.ChangeSetStatusDeletePending
	case !cs.Gone.IsZero():
		return types.ChangeSetStatusDeleteInProgress
	case now.Before(cs.Start):
		return types.ChangeSetStatusCreatePending
	case now.Before(cs.Ready):
		return types.ChangeSetStatusCreateInProgress
	case cs.Failed != "":
		return types.ChangeSetStatusFailed
	}
	return types.ChangeSetStatusCreateComplete
}

func (e *Engine) executeChangeSet(in *cloudformation.ExecuteChangeSetInput, now time.Time) (any, error) {
	cs, err := e.findChangeSet(in.ChangeSetName, in.StackName)
	if err != nil {
		return nil, err
	}
	if _, _, err := e.claim(in.ClientRequestToken, "ExecuteChangeSet", cs.Stack, cs.ID); err != nil {
		return nil, err
	}
	refuse := func(what, status string) error {
		return &Error{Code: "InvalidChangeSetStatus", Message: "ChangeSet [" + cs.ID + "] cannot be executed in its current " + what + " of [" + status + "]", Status: 400}
	}
	if status := cs.status(now); status != types.ChangeSetStatusCreateComplete {
		return nil, refuse("status", string(status))
	}
	if cs.OnFailure != "" && in.DisableRollback != nil {
		return nil, invalid("DisableRollback cannot be specified for a change set that was created with OnStackFailure.")
	}
	if cs.Execution != "AVAILABLE" {
		// A lost answer's retry gets this too, token or not (B8).
		return nil, refuse("execution status", cs.Execution)
	}
	s := e.State.Stacks[cs.Stack]
	if s == nil || s.Status == "DELETE_COMPLETE" {
		return nil, unknownStack(cs.Stack)
	}
	review := s.Status == "REVIEW_IN_PROGRESS"
	if !review && !slices.Contains(updatable, s.Status) {
		return nil, cannotUpdate(s)
	}
	cs.Execution = "EXECUTE_IN_PROGRESS"
	e.obsolete(s, cs.ID, now)
	op := &Operation{
		Type: "UPDATE_STACK", Token: deref(in.ClientRequestToken), ChangeSet: cs.ID, Import: cs.Import, ImportAny: cs.ImportAny,
		NoRollback:   deref(in.DisableRollback) || cs.NoRollback || cs.OnFailure == "DO_NOTHING",
		RetainExcept: deref(in.RetainExceptOnCreate), OnFailure: cs.OnFailure, Revert: cs.Revert, Express: cs.Mode == express,
	}
	target := cs.Target
	switch {
	case cs.Type == "IMPORT":
		e.importStack(s, op, &target, now)
	case review:
		op.Type = "CREATE_STACK"
		target.ChangeSet, target.RetainExcept, target.NoRollback = cs.ID, op.RetainExcept, op.NoRollback
		s.Deployed = target
		s.Updated = now // LocalStack's recordings: a stack made by a change set has it
		e.run(s, op, phaseCreate, "User Initiated", now)
	default:
		e.update(s, op, &target, now)
	}
	e.keepToken(in.ClientRequestToken, "ExecuteChangeSet", cs.Stack, cs.ID, op.ID)
	return &cloudformation.ExecuteChangeSetOutput{}, nil
}

func (e *Engine) importStack(s *Stack, op *Operation, target *Deployment, now time.Time) {
	if s.Stable == nil {
		stable := s.Deployed
		s.Stable = &stable
	}
	target.ChangeSet = op.ChangeSet
	s.Deployed = *target
	s.Updated = now
	e.run(s, op, phaseImport, "User Initiated", now)
}

// obsolete makes the stack's other change sets useless: they were made for a
// stack that is no more (B3).
func (e *Engine) obsolete(s *Stack, except string, at time.Time) {
	for _, id := range e.load().sets[s.ID] {
		cs := e.State.ChangeSets[id]
		if id == except {
			continue
		}
		if cs.Execution == "AVAILABLE" {
			cs.Execution = "OBSOLETE"
		}
		e.abandon(cs, at)
	}
}
