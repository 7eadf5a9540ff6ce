package sandbox

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

func (r *repository) out(c *call) types.Repository {
	mutability := types.ImageTagMutabilityMutable
	if r.Immutable {
		mutability = types.ImageTagMutabilityImmutable
	}
	return types.Repository{
		RepositoryName: &r.Name, RepositoryArn: aws.String(c.arn("ecr", "repository/"+r.Name)), RegistryId: &c.account.ID, CreatedAt: &r.Created,
		RepositoryUri:      aws.String(c.account.ID + ".dkr.ecr." + c.region.Name + ".amazonaws.com/" + r.Name),
		ImageTagMutability: mutability, ImageScanningConfiguration: &types.ImageScanningConfiguration{ScanOnPush: r.Scan},
		EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionType: types.EncryptionTypeAes256},
	}
}

func describeRepositories(c *call, in *ecr.DescribeRepositoriesInput) (*ecr.DescribeRepositoriesOutput, error) {
	out := &ecr.DescribeRepositoriesOutput{Repositories: []types.Repository{}}
	if len(in.RepositoryNames) > 100 {
		return nil, fail("InvalidParameterException", "Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'Member must have length less than or equal to 100'")
	}
	for _, name := range in.RepositoryNames {
		r, err := c.repository(&name)
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, r.out(c))
	}
	if len(in.RepositoryNames) > 0 {
		return out, nil
	}
	limit, err := pageSize(in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(sortedKeys(c.region.Repositories), func(n string) bool { return c.region.Repositories[n].Created.IsZero() })
	names, next, err := page(names, func(s string) string { return s }, in.NextToken, limit)
	if err != nil {
		return nil, fail("InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
	}
	for _, name := range names {
		out.Repositories = append(out.Repositories, c.region.Repositories[name].out(c))
	}
	out.NextToken = next
	return out, nil
}

func createRepository(c *call, in *ecr.CreateRepositoryInput) (*ecr.CreateRepositoryOutput, error) {
	r, err := c.makeRepository(aws.ToString(in.RepositoryName))
	if err != nil {
		return nil, err
	}
	r.Immutable = in.ImageTagMutability == types.ImageTagMutabilityImmutable
	r.Scan = in.ImageScanningConfiguration != nil && in.ImageScanningConfiguration.ScanOnPush
	for _, t := range in.Tags {
		r.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	out := r.out(c)
	return &ecr.CreateRepositoryOutput{Repository: &out}, nil
}

func (c *call) makeRepository(name string) (*repository, error) {
	if len(name) < 2 || len(name) > 256 || !repositoryName.MatchString(name) {
		return nil, fail("InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''")
	}
	r := c.region.Repositories[name]
	if r != nil && !r.Created.IsZero() {
		return nil, fail("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'", name, c.account.ID)
	}
	if r == nil {
		r = &repository{Name: name}
		c.region.Repositories[name] = r
	}
	r.Created = c.now
	makeMap(&r.Tags)
	makeMap(&r.Images)
	return r, nil
}

func deleteRepository(c *call, in *ecr.DeleteRepositoryInput) (*ecr.DeleteRepositoryOutput, error) {
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := r.out(c)
	if err := c.dropRepository(r, in.Force); err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryOutput{Repository: &out}, nil
}

// dropRepository removes a repository. The stock does not count as content.
func (c *call) dropRepository(r *repository, force bool) error {
	if len(r.Images) > 0 && !force {
		return fail("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images", r.Name, c.account.ID)
	}
	delete(c.region.Repositories, r.Name)
	return nil
}

func putImage(c *call, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	digest, tag := digestOf(aws.ToString(in.ImageManifest)), aws.ToString(in.ImageTag)
	if in.ImageDigest != nil && *in.ImageDigest != digest {
		return nil, fail("ImageDigestDoesNotMatchException", "The provided image digest does not match the digest of the image manifest")
	}
	m := r.Images[digest]
	if m != nil && (tag == "" || slices.Contains(m.Tags, tag)) {
		return nil, fail("ImageAlreadyExistsException", "Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'", digest, tag, r.Name, c.account.ID)
	}
	if old := c.containerTag(r.Name, tag); tag != "" && old != nil {
		if r.Immutable && r.Images[old.Digest] != nil {
			return nil, fail("ImageTagAlreadyExistsException", "The image tag '%s' already exists in the '%s' repository and cannot be overwritten because the tag is immutable.", tag, r.Name)
		}
		old.Tags = slices.DeleteFunc(old.Tags, func(t string) bool { return t == tag })
	}
	if m == nil {
		m = &containerImage{Digest: digest, Manifest: aws.ToString(in.ImageManifest), Type: aws.ToString(in.ImageManifestMediaType)}
		if m.Type == "" {
			m.Type = manifestType
		}
		r.Images[digest] = m
	}
	m.Pushed = c.now
	if tag != "" {
		m.Tags = append(m.Tags, tag)
		sort.Strings(m.Tags)
	}
	out := m.image(c, r.Name, tag)
	return &ecr.PutImageOutput{Image: &out}, nil
}

func batchDeleteImage(c *call, in *ecr.BatchDeleteImageInput) (*ecr.BatchDeleteImageOutput, error) {
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if err := checkImageIDs(in.ImageIds); err != nil {
		return nil, err
	}
	out := &ecr.BatchDeleteImageOutput{ImageIds: []types.ImageIdentifier{}, Failures: []types.ImageFailure{}}
	for _, id := range in.ImageIds {
		m, tag := c.containerImage(r.Name, id), aws.ToString(id.ImageTag)
		if m == nil {
			out.Failures = append(out.Failures, types.ImageFailure{ImageId: &id, FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: aws.String("Requested image not found")})
			continue
		}
		m.Tags = slices.DeleteFunc(m.Tags, func(t string) bool { return t == tag })
		if tag == "" || len(m.Tags) == 0 {
			delete(r.Images, m.Digest)
		}
		if tag != "" && !slices.Contains(r.Gone, tag) {
			r.Gone = append(r.Gone, tag)
		}
		out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: aws.String(m.Digest), ImageTag: text(tag)})
	}
	return out, nil
}

func listImages(c *call, in *ecr.ListImagesInput) (*ecr.ListImagesOutput, error) {
	r, err := c.repository(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListImagesOutput{ImageIds: []types.ImageIdentifier{}}
	for _, digest := range sortedKeys(r.Images) {
		tags := r.Images[digest].Tags
		if len(tags) == 0 {
			out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: &digest})
		}
		for i := range tags {
			out.ImageIds = append(out.ImageIds, types.ImageIdentifier{ImageDigest: &digest, ImageTag: &tags[i]})
		}
	}
	return out, nil
}

// listRepositoryTags finds the repository by its ARN.
func listRepositoryTags(c *call, in *ecr.ListTagsForResourceInput) (*ecr.ListTagsForResourceOutput, error) {
	_, name, ok := strings.Cut(aws.ToString(in.ResourceArn), ":repository/")
	if !ok {
		return nil, fail("InvalidParameterException", "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
	}
	r, err := c.repository(&name)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListTagsForResourceOutput{Tags: []types.Tag{}}
	for _, k := range sortedKeys(r.Tags) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(k), Value: aws.String(r.Tags[k])})
	}
	return out, nil
}
