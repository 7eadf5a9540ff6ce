package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
)

// Limits of CloudFormation for a template: in the request, where ours stay
// below it, and from a bucket (facts: failure-modes B18).
const (
	maxInline        = 48 << 10
	maxTemplateBytes = 1 << 20
)

// place puts a template where CloudFormation finds it: into the request, or
// into the bucket under a key that names its content. It gives the body or the
// URL, and the content's digest when it is checked again before execution.
func (p *Port) place(ctx context.Context, stack string, body []byte) (inline, url *string, digest string, err error) {
	switch {
	case len(body) <= maxInline:
		return aws.String(string(body)), nil, "", nil
	case len(body) > maxTemplateBytes:
		return nil, nil, "", &apply.Failure{Message: fmt.Sprintf("the template of stack %s has %d bytes; CloudFormation takes %d", stack, len(body), maxTemplateBytes)}
	case p.Bucket == nil:
		return nil, nil, "", &apply.Failure{Message: fmt.Sprintf("the template of stack %s has %d bytes, and there is no bucket to upload it to", stack, len(body))}
	}
	digest = digestOf(string(body))
	key := templatePrefix + digest + ".json"
	if err := p.Bucket.Put(ctx, key, body); err != nil {
		return nil, nil, "", p.cloud.failure("upload the template of stack "+stack, err)
	}
	return nil, aws.String(p.cloud.objectURL(p.Bucket.name, key)), digest, nil
}

const templatePrefix = "templates/"

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// objectURL is the virtual-hosted form, which CloudFormation takes for a
// TemplateURL. Bucket names of ours have no dots.
func (c *Cloud) objectURL(bucket, key string) string {
	suffix := "amazonaws.com"
	if strings.HasPrefix(c.region, "cn-") {
		suffix += ".cn"
	}
	return "https://" + bucket + ".s3." + c.region + "." + suffix + "/" + key
}

// sameTemplate tells whether a change set has the very template that was
// uploaded: somebody may have written the object in between (B20).
func (c *Cloud) sameTemplate(ctx context.Context, arn, stackID, digest string) error {
	out, err := c.cfn.GetTemplate(ctx, &cloudformation.GetTemplateInput{
		ChangeSetName: aws.String(arn), StackName: aws.String(stackID), TemplateStage: types.TemplateStageOriginal})
	if err != nil {
		return c.failure("read the template of change set "+arn, err)
	}
	if got := digestOf(aws.ToString(out.TemplateBody)); got != digest {
		return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf(
			"the change set %s has another template (SHA-256 %s…) than was uploaded (%s…): somebody wrote to the bucket in between; nothing was executed", arn, got[:12], digest[:12])}
	}
	return nil
}

// createStack creates a stack without a change set. With the same token it is
// the same request.
func (p *Port) createStack(ctx context.Context, in *apply.ChangeSetInput, token string) (string, error) {
	c := p.cloud
	body, err := canonicalBody(in)
	if err != nil {
		return "", err
	}
	if len(body) > maxInline {
		return "", &apply.Failure{Message: fmt.Sprintf("the template of stack %s has %d bytes, and the bucket that it would be uploaded to is created by it", in.StackName, len(body))}
	}
	set := changeSetRequest(in, token)
	out, err := c.cfn.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: set.StackName, TemplateBody: aws.String(string(body)), ClientRequestToken: optional(token),
		Tags: set.Tags, Parameters: set.Parameters, Capabilities: set.Capabilities,
		// The failed stack tells why; the next plan deletes it.
		OnFailure: types.OnFailureRollback,
	})
	if err != nil {
		return "", c.failure("create stack "+in.StackName, err)
	}
	return aws.ToString(out.StackId), nil
}
