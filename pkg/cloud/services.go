package cloud

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"reconcile/pkg/plan"
)

// secret is DescribeSecret: whether there is a value, never which. nil when
// the secret does not exist.
func (c *Cloud) secret(ctx context.Context, name string) (*plan.LiveSecret, error) {
	out, err := c.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(name)})
	if errorCode(err) == "ResourceNotFoundException" {
		return nil, nil
	}
	if err != nil {
		return nil, c.readError("describe secret "+name, err)
	}
	live := plan.LiveSecret{
		ARN:      aws.ToString(out.ARN),
		Deleting: out.DeletedDate != nil,
		Versions: len(out.VersionIdsToStages),
	}
	for _, stages := range out.VersionIdsToStages {
		for _, s := range stages {
			live.HasCurrent = live.HasCurrent || s == "AWSCURRENT"
		}
	}
	return &live, nil
}

// logGroups reads log groups that share a folder: one by name, more by the
// page of the folder.
func (c *Cloud) logGroups(ctx context.Context, names []string) (map[string]plan.LiveLogGroup, error) {
	found := map[string]plan.LiveLogGroup{}
	if len(names) == 1 {
		g, err := c.logGroup(ctx, names[0])
		if g != nil {
			found[names[0]] = *g
		}
		return found, err
	}
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n] = true
	}
	folder := names[0][:strings.LastIndexByte(names[0], '/')+1]
	err := pages(func(token *string) (*string, error) {
		out, err := c.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{
			LogGroupNamePrefix: optional(folder), Limit: aws.Int32(50), NextToken: token})
		if err != nil {
			return nil, c.readError("list log groups below "+folder, err)
		}
		for _, g := range out.LogGroups {
			if name := aws.ToString(g.LogGroupName); wanted[name] {
				found[name] = plan.LiveLogGroup{RetentionDays: int(aws.ToInt32(g.RetentionInDays))}
			}
		}
		return out.NextToken, nil
	})
	return found, err
}

// logGroup reads one log group; nil when absent. There is no lookup by name:
// the name as a prefix comes first among those it is a prefix of.
func (c *Cloud) logGroup(ctx context.Context, name string) (*plan.LiveLogGroup, error) {
	out, err := c.logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{
		LogGroupNamePrefix: aws.String(name), Limit: aws.Int32(50)})
	if err != nil {
		return nil, c.readError("read log group "+name, err)
	}
	for _, g := range out.LogGroups {
		if aws.ToString(g.LogGroupName) == name {
			return &plan.LiveLogGroup{RetentionDays: int(aws.ToInt32(g.RetentionInDays))}, nil
		}
	}
	return nil, nil
}

// images reads tags of one repository. One missing tag fails the whole call,
// so then each is asked for alone. A missing repository has no image.
func (c *Cloud) images(ctx context.Context, repository string, tags []string) (map[string]plan.LiveImage, error) {
	found, err := c.imagesOnce(ctx, repository, tags)
	if errorCode(err) == "ImageNotFoundException" && len(tags) > 1 {
		found = map[string]plan.LiveImage{}
		for _, tag := range tags {
			one, oneErr := c.imagesOnce(ctx, repository, []string{tag})
			if oneErr != nil && errorCode(oneErr) != "ImageNotFoundException" {
				return nil, c.readError("read images of "+repository, oneErr)
			}
			found[tag] = one[tag]
		}
		return found, nil
	}
	switch errorCode(err) {
	case "", "ImageNotFoundException", "RepositoryNotFoundException":
	default:
		return nil, c.readError("read images of "+repository, err)
	}
	if err != nil && errorCode(err) == "" {
		return nil, c.readError("read images of "+repository, err)
	}
	return found, nil
}

// imagesOnce is one DescribeImages; its error is AWS's own.
func (c *Cloud) imagesOnce(ctx context.Context, repository string, tags []string) (map[string]plan.LiveImage, error) {
	ids := make([]ecrtypes.ImageIdentifier, len(tags))
	found := make(map[string]plan.LiveImage, len(tags))
	for i, tag := range tags {
		ids[i].ImageTag = aws.String(tag)
		found[tag] = plan.LiveImage{}
	}
	out, err := c.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: aws.String(repository), ImageIds: ids})
	if err != nil {
		return found, err
	}
	for _, d := range out.ImageDetails {
		for _, tag := range d.ImageTags {
			if _, asked := found[tag]; asked {
				found[tag] = plan.LiveImage{Exists: true, Digest: aws.ToString(d.ImageDigest)}
			}
		}
	}
	return found, nil
}

// certificate reads an ACM certificate; Exists is false when there is none.
func (c *Cloud) certificate(ctx context.Context, arn string) (plan.LiveCertificate, error) {
	out, err := c.acm.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: aws.String(arn)})
	var absent *acmtypes.ResourceNotFoundException
	if errors.As(err, &absent) {
		return plan.LiveCertificate{}, nil
	}
	if err != nil {
		return plan.LiveCertificate{}, c.readError("describe certificate "+arn, err)
	}
	live := plan.LiveCertificate{Exists: true}
	if d := out.Certificate; d != nil {
		live.Status = string(d.Status)
		live.Domain = aws.ToString(d.DomainName)
		live.SANs = d.SubjectAlternativeNames
	}
	return live, nil
}
