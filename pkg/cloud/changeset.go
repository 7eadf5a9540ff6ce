package cloud

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
)

// Polls of a change set: it settles in a second or two, big ones in a minute.
const (
	changeSetFirst = 300 * time.Millisecond
	changeSetMax   = 5 * time.Second
	maxNameWaits   = 12 // for the name of a change set that is being deleted: about 40 seconds
)

func canonicalBody(in *apply.ChangeSetInput) ([]byte, error) {
	body, err := cfn.Canonical(in.Template)
	if err != nil {
		return nil, fmt.Errorf("template of stack %s: %w", in.StackName, err)
	}
	return body, nil
}

// createChangeSet creates a change set and waits until it is settled.
func (p *Port) createChangeSet(ctx context.Context, in *apply.ChangeSetInput, token string) (*apply.ChangeSet, error) {
	request := changeSetRequest(in, token)
	request.RoleARN = p.role(in.StackName)
	if in.Revert {
		return p.cloud.sentChangeSet(ctx, in, request) // of the template that is deployed
	}
	body, err := canonicalBody(in)
	if err != nil {
		return nil, err
	}
	digest := ""
	if request.TemplateBody, request.TemplateURL, digest, err = p.place(ctx, in.StackName, body); err != nil {
		return nil, err
	}
	set, err := p.cloud.sentChangeSet(ctx, in, request)
	if err != nil || digest == "" || set.Empty || set.Failed != "" {
		return set, err
	}
	if err := p.cloud.sameTemplate(ctx, set.ARN, set.StackID, digest); err != nil {
		if tidy := p.cloud.deleteChangeSet(ctx, set.ARN); tidy != nil {
			return nil, errors.Join(err, tidy)
		}
		return nil, err
	}
	return set, nil
}

// sentChangeSet sends the request until there is a settled change set of ours.
func (c *Cloud) sentChangeSet(ctx context.Context, in *apply.ChangeSetInput, request *cloudformation.CreateChangeSetInput) (*apply.ChangeSet, error) {
	for wait := (backoff{first: changeSetFirst, max: changeSetMax}); ; {
		out, err := c.cfn.CreateChangeSet(ctx, request)
		switch {
		case err == nil:
			return c.settledChangeSet(ctx, aws.ToString(out.Id), aws.ToString(out.StackId))
		case errorCode(err) != "AlreadyExistsException":
			return nil, c.failure("create a change set for stack "+in.StackName, err)
		}
		// The name is taken: by the change set of a lost answer, or by one that
		// is still being deleted.
		arn, stackID, gone, lookErr := c.ourChangeSet(ctx, in, err)
		if lookErr != nil {
			return nil, lookErr
		}
		if !gone {
			return c.settledChangeSet(ctx, arn, stackID)
		}
		if wait.n >= maxNameWaits {
			return nil, c.failure("create a change set for stack "+in.StackName, err)
		}
		if err := c.pause(ctx, wait.next()); err != nil {
			return nil, err
		}
	}
}

// changeSetRequest is the request without its template.
func changeSetRequest(in *apply.ChangeSetInput, token string) *cloudformation.CreateChangeSetInput {
	r := &cloudformation.CreateChangeSetInput{
		ChangeSetName: aws.String(in.Name),
		StackName:     aws.String(in.StackName),
		ChangeSetType: types.ChangeSetTypeUpdate,
	}
	if token != "" {
		r.ClientToken = aws.String(token)
	}
	if in.Description != "" {
		r.Description = aws.String(in.Description)
	}
	if in.New {
		r.ChangeSetType = types.ChangeSetTypeCreate
	}
	// Never ImportExistingResources: it takes whatever has the name (B25).
	for _, i := range in.Imports {
		r.ChangeSetType = types.ChangeSetTypeImport
		r.ResourcesToImport = append(r.ResourcesToImport, types.ResourceToImport{
			LogicalResourceId: aws.String(i.Resource), ResourceType: aws.String(i.Type), ResourceIdentifier: i.Identifier})
	}
	if in.Revert {
		r.DeploymentMode, r.UsePreviousTemplate = types.DeploymentModeRevertDrift, aws.Bool(true)
		for _, k := range sortedKeys(in.Template.Parameters) {
			r.Parameters = append(r.Parameters, types.Parameter{ParameterKey: aws.String(k), UsePreviousValue: aws.Bool(true)})
		}
	}
	for _, k := range sortedKeys(in.Tags) {
		r.Tags = append(r.Tags, types.Tag{Key: aws.String(k), Value: aws.String(in.Tags[k])})
	}
	for _, k := range sortedKeys(in.Parameters) {
		r.Parameters = append(r.Parameters, types.Parameter{ParameterKey: aws.String(k), ParameterValue: aws.String(in.Parameters[k])})
	}
	for _, name := range in.Capabilities {
		r.Capabilities = append(r.Capabilities, types.Capability(name))
	}
	return r
}

// ourChangeSet looks at the change set that has our name. It is ours when it
// carries our description and AWS named no mismatch; gone when it is on its
// way out, so that the name will be free.
func (c *Cloud) ourChangeSet(ctx context.Context, in *apply.ChangeSetInput, taken error) (arn, stackID string, gone bool, err error) {
	out, err := c.cfn.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{
		ChangeSetName: aws.String(in.Name), StackName: aws.String(in.StackName)})
	if errorCode(err) == "ChangeSetNotFound" {
		if strings.Contains(errorMessage(taken), "Stack [") {
			return "", "", false, c.failure("create a change set for stack "+in.StackName, taken)
		}
		return "", "", true, nil
	}
	if err != nil {
		return "", "", false, c.failure("describe change set "+in.Name, err)
	}
	switch out.Status {
	case types.ChangeSetStatusDeletePending, types.ChangeSetStatusDeleteInProgress, types.ChangeSetStatusDeleteComplete:
		return "", "", true, nil
	}
	if strings.Contains(errorMessage(taken), textMismatch) || aws.ToString(out.Description) != in.Description {
		return "", "", false, c.failure("create a change set for stack "+in.StackName, taken)
	}
	return aws.ToString(out.ChangeSetId), aws.ToString(out.StackId), false, nil
}

// settledChangeSet polls a change set by its ARN until it is settled and
// reads all of it.
func (c *Cloud) settledChangeSet(ctx context.Context, arn, stackID string) (*apply.ChangeSet, error) {
	for wait := (backoff{first: changeSetFirst, max: changeSetMax}); ; {
		first, err := c.describeChangeSet(ctx, arn, nil, true)
		if err != nil {
			return nil, err
		}
		switch first.Status {
		case types.ChangeSetStatusCreateComplete:
			changes, err := c.changes(ctx, arn, first)
			if err != nil {
				return nil, err
			}
			return &apply.ChangeSet{ARN: arn, StackID: stackID, Changes: changes}, nil
		case types.ChangeSetStatusCreatePending, types.ChangeSetStatusCreateInProgress:
		default:
			return c.failedChangeSet(ctx, arn, stackID, first)
		}
		if err := c.pause(ctx, wait.next()); err != nil {
			return nil, err
		}
	}
}

func (c *Cloud) failedChangeSet(ctx context.Context, arn, stackID string, out *cloudformation.DescribeChangeSetOutput) (*apply.ChangeSet, error) {
	cs := &apply.ChangeSet{ARN: arn, StackID: stackID}
	reason := aws.ToString(out.StatusReason)
	if out.Status == types.ChangeSetStatusFailed && noChanges(reason) {
		cs.Empty = true
		return cs, nil
	}
	if reason == "" {
		reason = "the change set is " + string(out.Status)
	}
	found, err := c.validationFindings(ctx, arn)
	if err != nil {
		return nil, err
	}
	cs.Failed = c.masks.apply(strings.Join(append([]string{oneLine(reason)}, found...), "; "))
	return cs, nil
}

// validationFindings are the reasons of a failed change set that only its
// events have (early validation, hooks). They add to a failure, so an account
// that does not let us read them only loses the detail.
func (c *Cloud) validationFindings(ctx context.Context, arn string) ([]string, error) {
	var found []string
	err := pages(func(token *string) (*string, error) {
		out, err := c.cfn.DescribeEvents(ctx, &cloudformation.DescribeEventsInput{ChangeSetName: aws.String(arn), NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, e := range out.OperationEvents {
			switch {
			case e.ValidationStatus == types.ValidationStatusFailed && e.ValidationFailureMode != types.HookFailureModeWarn:
				found = append(found, oneLine(fmt.Sprintf("%s at %s: %s", aws.ToString(e.ValidationName),
					aws.ToString(e.ValidationPath), aws.ToString(e.ValidationStatusReason))))
			case e.HookStatus == types.HookStatusHookCompleteFailed:
				found = append(found, oneLine(fmt.Sprintf("hook %s (%s) on %s: %s", aws.ToString(e.HookType), e.HookFailureMode,
					aws.ToString(e.LogicalResourceId), aws.ToString(e.HookStatusReason))))
			}
		}
		return out.NextToken, nil
	})
	if isCanceled(err) {
		return nil, err
	}
	sort.Strings(found)
	return found, nil
}

func (c *Cloud) describeChangeSet(ctx context.Context, arn string, token *string, values bool) (*cloudformation.DescribeChangeSetOutput, error) {
	out, err := c.cfn.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{
		ChangeSetName: aws.String(arn), NextToken: token, IncludePropertyValues: aws.Bool(values)})
	if err != nil {
		return nil, c.failure("describe change set "+arn, err)
	}
	return out, nil
}

// executeChangeSet starts a change set. When AWS says that it cannot be
// executed, an answer may have been lost: the token in the events tells.
func (c *Cloud) executeChangeSet(ctx context.Context, arn, stack, token string) error {
	in := &cloudformation.ExecuteChangeSetInput{ChangeSetName: aws.String(arn)}
	if token != "" {
		in.ClientRequestToken = aws.String(token)
	}
	_, err := c.cfn.ExecuteChangeSet(ctx, in)
	return c.unlessStarted(ctx, err, "execute change set "+arn, stack, token)
}

// unlessStarted forgives an error when the newest operation on the stack
// carries our token: then an earlier, unanswered request started it.
func (c *Cloud) unlessStarted(ctx context.Context, err error, doing, stack, token string) error {
	if err == nil {
		return nil
	}
	switch errorCode(err) {
	case "InvalidChangeSetStatus", "TokenAlreadyExistsException", "ChangeSetNotFound", "ValidationError":
		if token == "" || stack == "" {
			break
		}
		newest, lookErr := c.newestToken(ctx, stack)
		if lookErr == nil && newest == token {
			return nil
		}
	}
	return c.failure(doing, err)
}

// deleteChangeSet deletes a change set; one that is gone is deleted.
func (c *Cloud) deleteChangeSet(ctx context.Context, arn string) error {
	_, err := c.cfn.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: aws.String(arn)})
	if err == nil || errorCode(err) == "ChangeSetNotFound" || stackAbsent(err) {
		return nil
	}
	return c.failure("delete change set "+arn, err)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
