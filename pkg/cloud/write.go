package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// Tags on what a direct step creates: managedTag says that we did, and only
// what carries it is deleted; ownerTag says for which Platform, and is on what
// our stacks make too.
const (
	managedTag   = "ManagedBy"
	managedValue = "reconcile"
	ownerTag     = plan.OwnerTag
)

// How long a version of an aws:ec2:image parameter may take to appear: AWS
// answers at once and looks at the image afterwards.
const (
	imageFirst = 500 * time.Millisecond
	imageLooks = 12 // about 40 seconds
)

// putParameter writes a parameter once. Version 0 says that it must not exist
// yet; otherwise the version written must follow the one that the plan saw, or
// somebody wrote in between.
func (c *Cloud) putParameter(ctx context.Context, b *plan.ParameterBody) (*plan.LiveParameter, error) {
	value, err := c.valueOf(b)
	if err != nil {
		return nil, err
	}
	in := &ssm.PutParameterInput{
		Name:        aws.String(b.Name),
		Type:        types.ParameterType(b.Type),
		DataType:    optional(b.DataType),
		Description: optional(b.Describe),
		Value:       aws.String(value),
		Overwrite:   aws.Bool(b.Version > 0),
	}
	if b.Version == 0 { // AWS takes no tags together with an overwrite
		in.Tags = []types.Tag{{Key: aws.String(managedTag), Value: aws.String(managedValue)}}
		if b.Owner != "" {
			in.Tags = append(in.Tags, types.Tag{Key: aws.String(ownerTag), Value: aws.String(b.Owner)})
		}
	}
	out, err := c.ssm.PutParameter(ctx, in)
	if err != nil {
		return nil, c.failure("write parameter "+b.Name, err)
	}
	if b.DataType == plan.DataTypeImage {
		return c.acceptedImage(ctx, b, out.Version)
	}
	if out.Version != b.Version+1 {
		return nil, &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf(
			"write parameter %s: it became version %d, not %d: somebody else wrote it at the same time", b.Name, out.Version, b.Version+1)}
	}
	return written(b, value, out.Version), nil
}

// valueOf is what to write: the literal, or a new value of the generator.
func (c *Cloud) valueOf(b *plan.ParameterBody) (string, error) {
	if b.Generate != "" {
		value, err := generate(b.Generate)
		if err != nil {
			return "", fmt.Errorf("parameter %s: %w", b.Name, err)
		}
		c.masks.add(value)
		return value, nil
	}
	value, ok := b.Value.(string)
	if !ok {
		return "", fmt.Errorf("parameter %s: its value is not known yet", b.Name)
	}
	if b.Type == string(types.ParameterTypeSecureString) {
		c.masks.add(value)
	}
	return value, nil
}

// acceptedImage waits until the version that PutParameter named can be read:
// for an image that does not exist AWS answers 200 and stores nothing.
func (c *Cloud) acceptedImage(ctx context.Context, b *plan.ParameterBody, version int64) (*plan.LiveParameter, error) {
	for wait := (backoff{first: imageFirst, max: 5 * time.Second}); wait.n < imageLooks; {
		live, err := c.parameter(ctx, b.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case live == nil || live.Version < version:
		case live.Version == version && live.Value == b.Value:
			return live, nil
		default:
			return nil, &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf(
				"write parameter %s: it is at version %d and holds %s, not version %d with %v: somebody else wrote it at the same time", b.Name, live.Version, live.Value, version, b.Value)}
		}
		if err := c.pause(ctx, wait.next()); err != nil {
			return nil, err
		}
	}
	return nil, &apply.Failure{Code: "InvalidAMIID", Message: fmt.Sprintf(
		"write parameter %s: AWS did not store version %d: %v is not an image that this account can use", b.Name, version, b.Value)}
}

func written(b *plan.ParameterBody, value string, version int64) *plan.LiveParameter {
	live := &plan.LiveParameter{Type: b.Type, DataType: b.DataType, Version: version}
	if live.DataType == "" {
		live.DataType = "text"
	}
	if b.Type != string(types.ParameterTypeSecureString) {
		live.Value = value
	}
	return live
}

// deleteParameter deletes a parameter that we created.
func (c *Cloud) deleteParameter(ctx context.Context, name string) error {
	tags, err := c.ssm.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{
		ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String(name)})
	var absent *types.InvalidResourceId
	if errors.As(err, &absent) {
		return nil
	}
	if err != nil {
		return c.failure("read the tags of parameter "+name, err)
	}
	ours := false
	for _, t := range tags.TagList {
		ours = ours || aws.ToString(t.Key) == managedTag && aws.ToString(t.Value) == managedValue
	}
	if !ours {
		return notOurs("parameter " + name)
	}
	_, err = c.ssm.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: aws.String(name)})
	if err != nil && errorCode(err) != "ParameterNotFound" {
		return c.failure("delete parameter "+name, err)
	}
	return nil
}

func notOurs(what string) *apply.Failure {
	return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf(
		"%s was not created by reconcile (it has no tag %s=%s) and is left alone", what, managedTag, managedValue)}
}

// putSecret writes a generated value as the first current version. A secret
// that has a value keeps it; one that got its value from the same token in an
// earlier run is done.
func (c *Cloud) putSecret(ctx context.Context, b *plan.SecretBody, token string) (*plan.LiveSecret, error) {
	live, err := c.secret(ctx, b.Name)
	switch {
	case err != nil:
		return nil, err
	case live == nil:
		return nil, &apply.Failure{Kind: apply.FailureAbsent, Message: "write secret " + b.Name + ": it does not exist"}
	case live.Deleting:
		return nil, &apply.Failure{Kind: apply.FailureConflict, Message: "write secret " + b.Name + ": it is scheduled for deletion"}
	case live.HasCurrent:
		return nil, &apply.Failure{Kind: apply.FailureConflict, Message: "write secret " + b.Name + ": it has a value already, which is kept"}
	}
	value, err := generate(b.Generate)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", b.Name, err)
	}
	c.masks.add(value)
	in := &secretsmanager.PutSecretValueInput{SecretId: aws.String(live.ARN), SecretString: aws.String(value)}
	if token != "" {
		in.ClientRequestToken = aws.String(versionID(token))
	}
	_, err = c.secrets.PutSecretValue(ctx, in)
	// The version exists with another value: an earlier run wrote it, and its
	// answer was lost. A value was generated either way.
	if err != nil && errorCode(err) != "ResourceExistsException" {
		return nil, c.failure("write secret "+b.Name, err)
	}
	return c.secret(ctx, b.Name)
}

// versionID makes a version id (32 to 64 characters) from a token.
func versionID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// putLogGroup creates a log group if it is not there and sets its retention.
func (c *Cloud) putLogGroup(ctx context.Context, b *plan.LogGroupBody) (*plan.LiveLogGroup, error) {
	_, err := c.logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{
		LogGroupName: aws.String(b.Name), Tags: map[string]string{managedTag: managedValue}})
	if err != nil && errorCode(err) != "ResourceAlreadyExistsException" {
		return nil, c.failure("create log group "+b.Name, err)
	}
	if b.RetentionDays > 0 {
		_, err = c.logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
			LogGroupName: aws.String(b.Name), RetentionInDays: aws.Int32(int32(b.RetentionDays))}) //nolint:gosec // days, at most 3653
	} else {
		_, err = c.logs.DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: aws.String(b.Name)})
	}
	if err != nil {
		return nil, c.failure("set the retention of log group "+b.Name, err)
	}
	return &plan.LiveLogGroup{RetentionDays: b.RetentionDays}, nil
}

// deleteLogGroup deletes a log group that we created.
func (c *Cloud) deleteLogGroup(ctx context.Context, name string) error {
	arn, err := c.logGroupARN(ctx, name)
	if err != nil || arn == "" {
		return err
	}
	tags, err := c.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if errorCode(err) == "ResourceNotFoundException" {
		return nil
	}
	if err != nil {
		return c.failure("read the tags of log group "+name, err)
	}
	if tags.Tags[managedTag] != managedValue {
		return notOurs("log group " + name)
	}
	_, err = c.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String(name)})
	if err != nil && errorCode(err) != "ResourceNotFoundException" {
		return c.failure("delete log group "+name, err)
	}
	return nil
}

// logGroupARN is the ARN of a log group as the tagging calls want it, or "".
func (c *Cloud) logGroupARN(ctx context.Context, name string) (string, error) {
	out, err := c.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(name)})
	if err != nil {
		return "", c.failure("look for log group "+name, err)
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) != name {
			continue
		}
		if g.LogGroupArn != nil {
			return *g.LogGroupArn, nil
		}
		return strings.TrimSuffix(aws.ToString(g.Arn), ":*"), nil
	}
	return "", nil
}
