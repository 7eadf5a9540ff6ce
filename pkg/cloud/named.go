package cloud

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// What has the names that resources to be created would get. It is asked only
// for stacks and resources that are to be made: by the name, parameters in
// tens and log groups by the page; tags and the stack only of what exists.

// tagMaker is AWS's own tag with the ARN of the stack that made a resource. It
// stays on what a stack keeps.
const tagMaker = "aws:cloudformation:stack-id"

// named reads what has the names, and the resources of deleted stacks.
func (r *reader) named(ctx context.Context, g *errgroup.Group, s plan.ReadSet) {
	byType := map[string][]string{}
	for _, n := range s.Named {
		byType[n.Type] = append(byType[n.Type], n.Name)
	}
	one := func(typeName string, look func(context.Context, string) (plan.LiveNamed, error)) {
		for _, name := range byType[typeName] {
			g.Go(func() error { return r.note(ctx, typeName, []string{name}, look) })
		}
	}
	one(plan.TypeBucket, r.bucketNamed)
	one(plan.TypeSecret, r.cloud.secretNamed)
	one(plan.TypeRepository, r.cloud.repositoryNamed)
	one(plan.TypeProvider, r.cloud.providerNamed)
	for _, chunk := range chunks(byType[plan.TypeParameter], parametersPerCall) {
		g.Go(func() error {
			found, err := r.cloud.parametersChunk(ctx, chunk)
			if err != nil {
				return err
			}
			return r.note(ctx, plan.TypeParameter, chunk, existing(found, r.cloud.parameterNamed))
		})
	}
	for _, names := range byFolder(byType[plan.TypeLogGroup]) {
		g.Go(func() error {
			found, err := r.cloud.logGroups(ctx, names)
			if err != nil {
				return err
			}
			return r.note(ctx, plan.TypeLogGroup, names, existing(found, r.logGroupNamed))
		})
	}
	for _, arn := range s.Remains {
		g.Go(func() error {
			left, err := r.cloud.remains(ctx, arn)
			return merge(r, r.live.Remains, map[string]map[string]plan.LiveResource{arn: left}, err)
		})
	}
}

// existing looks only at the names that were found.
func existing[V any](found map[string]V, look func(context.Context, string) (plan.LiveNamed, error)) func(context.Context, string) (plan.LiveNamed, error) {
	return func(ctx context.Context, name string) (plan.LiveNamed, error) {
		if _, ok := found[name]; !ok {
			return plan.LiveNamed{}, nil
		}
		return look(ctx, name)
	}
}

// note looks at names and adds whose each is.
func (r *reader) note(ctx context.Context, typeName string, names []string, look func(context.Context, string) (plan.LiveNamed, error)) error {
	for _, name := range names {
		live, err := look(ctx, name)
		if err == nil && live.Exists && live.Elsewhere == "" {
			live.Stack, err = r.cloud.holder(ctx, live.ID)
		}
		key := plan.NamedResource{Type: typeName, Name: name}.Key()
		if err := merge(r, r.live.Named, map[string]plan.LiveNamed{key: live}, err); err != nil {
			return err
		}
	}
	return nil
}

// holder is the name of the stack that a resource belongs to; empty when it
// belongs to none.
func (c *Cloud) holder(ctx context.Context, physicalID string) (string, error) {
	out, err := c.cfn.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: aws.String(physicalID)})
	if noHolder(err) {
		return "", nil
	}
	if err != nil {
		return "", c.readError("ask which stack "+physicalID+" belongs to", err)
	}
	stack := ""
	for _, res := range out.StackResources {
		stack = aws.ToString(res.StackName)
		if aws.ToString(res.PhysicalResourceId) != physicalID {
			continue
		}
		if strings.HasPrefix(string(res.ResourceStatus), "DELETE_") && res.ResourceStatus != "DELETE_IN_PROGRESS" && res.ResourceStatus != "DELETE_FAILED" {
			return "", nil // kept or deleted; the stack lets go of it
		}
		break
	}
	return stack, nil
}

// noHolder tells that CloudFormation knows no stack with such a resource.
func noHolder(err error) bool {
	if errorCode(err) != "ValidationError" {
		return false
	}
	m := errorMessage(err)
	// AWS says "Stack for ID does not exist"; moto "Stack with id None does not exist".
	return (strings.HasPrefix(m, "Stack for ") || m == "Stack with id None does not exist") && strings.HasSuffix(m, " does not exist")
}

// remains are the resources of a stack that was deleted; none once AWS has
// forgotten it.
func (c *Cloud) remains(ctx context.Context, arn string) (map[string]plan.LiveResource, error) {
	left, err := c.resources(ctx, arn)
	var f *apply.Failure
	if errors.As(err, &f) && f.Kind == apply.FailureAbsent {
		return map[string]plan.LiveResource{}, nil
	}
	return left, err
}

// tagged fills in what the tags say.
func tagged(live plan.LiveNamed, tags map[string]string) plan.LiveNamed {
	live.Owner, live.Maker = tags[plan.OwnerTag], tags[tagMaker]
	for k := range tags {
		if k != plan.OwnerTag && !strings.HasPrefix(k, "aws:") {
			live.Tagged = true
		}
	}
	return live
}

func (r *reader) bucketNamed(ctx context.Context, name string) (plan.LiveNamed, error) {
	c := r.cloud
	live := plan.LiveNamed{Exists: true, ID: name}
	out, err := c.s3.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(name), ExpectedBucketOwner: aws.String(r.account)})
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		// A HEAD has no body that could say more than the status.
		region := response.HTTPResponse().Header.Get("X-Amz-Bucket-Region")
		switch status := response.HTTPStatusCode(); {
		case status == http.StatusNotFound:
			return plan.LiveNamed{}, nil
		case region != "" && region != c.region:
			live.Elsewhere = "region " + region
			return live, nil
		case status == http.StatusMovedPermanently:
			live.Elsewhere = "another region"
			return live, nil
		case status == http.StatusForbidden:
			live.Elsewhere = "another account, or access to it is denied"
			return live, nil
		}
	}
	if err != nil {
		return live, c.readError("look for bucket "+name, err)
	}
	if region := aws.ToString(out.BucketRegion); region != "" && region != c.region {
		live.Elsewhere = "region " + region
		return live, nil
	}
	tags, err := c.s3.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: aws.String(name), ExpectedBucketOwner: aws.String(r.account)})
	if errorCode(err) == "NoSuchTagSet" {
		return live, nil
	}
	if err != nil {
		return live, c.readError("read the tags of bucket "+name, err)
	}
	all := map[string]string{}
	for _, t := range tags.TagSet {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tagged(live, all), nil
}

func (c *Cloud) secretNamed(ctx context.Context, name string) (plan.LiveNamed, error) {
	out, err := c.secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String(name)})
	if errorCode(err) == "ResourceNotFoundException" {
		return plan.LiveNamed{}, nil
	}
	if err != nil {
		return plan.LiveNamed{}, c.readError("describe secret "+name, err)
	}
	all := map[string]string{}
	for _, t := range out.Tags {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tagged(plan.LiveNamed{Exists: true, ID: aws.ToString(out.ARN), Deleting: out.DeletedDate != nil}, all), nil
}

func (c *Cloud) parameterNamed(ctx context.Context, name string) (plan.LiveNamed, error) {
	out, err := c.ssm.ListTagsForResource(ctx, &ssm.ListTagsForResourceInput{ResourceType: types.ResourceTypeForTaggingParameter, ResourceId: aws.String(name)})
	if err != nil {
		return plan.LiveNamed{}, c.readError("read the tags of parameter "+name, err)
	}
	all := map[string]string{}
	for _, t := range out.TagList {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tagged(plan.LiveNamed{Exists: true, ID: name}, all), nil
}

func (r *reader) logGroupNamed(ctx context.Context, name string) (plan.LiveNamed, error) {
	arn := "arn:" + partition(r.cloud.region) + ":logs:" + r.cloud.region + ":" + r.account + ":log-group:" + name
	out, err := r.cloud.logs.ListTagsForResource(ctx, &cloudwatchlogs.ListTagsForResourceInput{ResourceArn: aws.String(arn)})
	if err != nil {
		return plan.LiveNamed{}, r.cloud.readError("read the tags of log group "+name, err)
	}
	return tagged(plan.LiveNamed{Exists: true, ID: name}, out.Tags), nil
}

// partition is the part of AWS that a region is in.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func (c *Cloud) repositoryNamed(ctx context.Context, name string) (plan.LiveNamed, error) {
	out, err := c.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
	if errorCode(err) == "RepositoryNotFoundException" {
		return plan.LiveNamed{}, nil
	}
	if err != nil {
		return plan.LiveNamed{}, c.readError("look for repository "+name, err)
	}
	if len(out.Repositories) == 0 {
		return plan.LiveNamed{}, nil
	}
	tags, err := c.ecr.ListTagsForResource(ctx, &ecr.ListTagsForResourceInput{ResourceArn: out.Repositories[0].RepositoryArn})
	if err != nil {
		return plan.LiveNamed{}, c.readError("read the tags of repository "+name, err)
	}
	all := map[string]string{}
	for _, t := range tags.Tags {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tagged(plan.LiveNamed{Exists: true, ID: name}, all), nil
}

// unaskedNamed leaves out what was asked for before.
func (r *reader) unaskedNamed(s plan.ReadSet) plan.ReadSet {
	s.Named = slices.DeleteFunc(slices.Clone(s.Named), func(n plan.NamedResource) bool { return !r.first("named", n.Key()) })
	s.Remains = slices.DeleteFunc(slices.Clone(s.Remains), func(arn string) bool { return !r.first("remains", arn) })
	return s
}
