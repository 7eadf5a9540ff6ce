package cloud

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// optional is nil for an empty string: AWS refuses an empty token.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}

// role is what CloudFormation acts with in a stack, given by name or ARN; nil:
// with the rights of the caller, as in our own stack, which holds that role.
func (p *Port) role(stack string) *string {
	if stackName(stack) == p.Own.Stack {
		return nil
	}
	return optional(p.Own.Role)
}

// deleteStack starts the deletion of a stack, by its ARN so that a newer
// stack of the same name is never meant.
func (c *Cloud) deleteStack(ctx context.Context, id, token string, retain []string, role *string) error {
	_, err := c.cfn.DeleteStack(ctx, &cloudformation.DeleteStackInput{
		StackName: aws.String(id), ClientRequestToken: optional(token), RetainResources: retain, RoleARN: role})
	return c.unlessStarted(ctx, err, "delete stack "+stackName(id), id, token)
}

// continueRollback lets a failed rollback go on. It never skips a resource.
func (c *Cloud) continueRollback(ctx context.Context, id, token string, role *string) error {
	_, err := c.cfn.ContinueUpdateRollback(ctx, &cloudformation.ContinueUpdateRollbackInput{
		StackName: aws.String(id), ClientRequestToken: optional(token), RoleARN: role})
	return c.unlessStarted(ctx, err, "continue the rollback of stack "+stackName(id), id, token)
}

// rollbackStack rolls a paused create or update back. What the failed
// operation created is deleted, retained or not, so that its names are free.
func (c *Cloud) rollbackStack(ctx context.Context, id, token string, role *string) error {
	_, err := c.cfn.RollbackStack(ctx, &cloudformation.RollbackStackInput{
		StackName: aws.String(id), ClientRequestToken: optional(token), RetainExceptOnCreate: aws.Bool(true), RoleARN: role})
	return c.unlessStarted(ctx, err, "roll back stack "+stackName(id), id, token)
}

func (c *Cloud) setProtection(ctx context.Context, id string, on bool) error {
	_, err := c.cfn.UpdateTerminationProtection(ctx, &cloudformation.UpdateTerminationProtectionInput{
		StackName: aws.String(id), EnableTerminationProtection: aws.Bool(on)})
	if err != nil {
		return c.failure("set the termination protection of stack "+stackName(id), err)
	}
	return nil
}
