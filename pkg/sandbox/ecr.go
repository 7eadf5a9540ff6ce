package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func ecrOperations() map[string]operation {
	return map[string]operation{
		"BatchDeleteImage": writes(batchDeleteImage),
		"CreateRepository": writes(createRepository),
		"DeleteRepository": writes(deleteRepository),
		"PutImage":         writes(putImage),

		"BatchGetImage":        reads(batchGetImage),
		"DescribeImages":       reads(describeContainerImages),
		"DescribeRepositories": reads(describeRepositories),
		"ListImages":           reads(listImages),
		"ListTagsForResource":  reads(listRepositoryTags),
	}
}

// repository is an ECR repository. One with Stock is not made yet: it only
// remembers which tags of the stock were deleted.
type repository struct {
	Name      string                     `json:"name"`
	Created   time.Time                  `json:"created"`
	Immutable bool                       `json:"immutable,omitempty"`
	Scan      bool                       `json:"scan,omitempty"`
	Tags      map[string]string          `json:"tags,omitempty"`
	Images    map[string]*containerImage `json:"images,omitempty"` // by digest
	Gone      []string                   `json:"gone,omitempty"`   // tags that are not in stock any more
	Stack     string                     `json:"stack,omitempty"`  // ARN of the stack that made it
}

type containerImage struct {
	Digest   string    `json:"digest"`
	Tags     []string  `json:"tags,omitempty"`
	Manifest string    `json:"manifest"`
	Type     string    `json:"type"`
	Pushed   time.Time `json:"pushed"`
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// stockedImage is the image that a tag names in a stocked account.
func (c *call) stockedImage(repo, tag string) *containerImage {
	config := "sha256:" + hexOf("config", repo, tag)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":1469,"digest":%q},"layers":[]}`, manifestType, config)
	return &containerImage{Digest: digestOf(manifest), Tags: []string{tag}, Manifest: manifest, Type: manifestType, Pushed: c.account.Created}
}

func digestOf(manifest string) string {
	sum := sha256.Sum256([]byte(manifest))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// containerTag finds the image of a tag, pushed or in stock; nil when there is none.
func (c *call) containerTag(repo, tag string) *containerImage {
	r := c.region.Repositories[repo]
	if r != nil {
		for _, digest := range sortedKeys(r.Images) {
			if slices.Contains(r.Images[digest].Tags, tag) {
				return r.Images[digest]
			}
		}
	}
	if c.account.Bare || tag == "" || r != nil && slices.Contains(r.Gone, tag) {
		return nil
	}
	return c.stockedImage(repo, tag)
}

// containerImage finds an image by digest or tag; nil when there is none.
func (c *call) containerImage(repo string, id types.ImageIdentifier) *containerImage {
	if digest := aws.ToString(id.ImageDigest); digest != "" {
		if r := c.region.Repositories[repo]; r != nil && r.Images[digest] != nil {
			return r.Images[digest]
		}
		if m := c.containerTag(repo, aws.ToString(id.ImageTag)); m != nil && m.Digest == digest {
			return m
		}
		return nil
	}
	return c.containerTag(repo, aws.ToString(id.ImageTag))
}

// repository finds a repository that was made.
func (c *call) repository(name *string) (*repository, error) {
	if r := c.region.Repositories[aws.ToString(name)]; r != nil && !r.Created.IsZero() {
		return r, nil
	}
	return nil, fail("RepositoryNotFoundException", "The repository with name '%.256s' does not exist in the registry with id '%s'", aws.ToString(name), c.account.ID)
}

func (c *call) imageNotFound(repo string, id types.ImageIdentifier) *Fail {
	or := func(s *string) string {
		if s == nil {
			return "null"
		}
		return *s
	}
	return fail("ImageNotFoundException", "The image with imageId {imageDigest:'%.80s', imageTag:'%.300s'} does not exist within the repository with name '%s' in the registry with id '%s'", or(id.ImageDigest), or(id.ImageTag), repo, c.account.ID)
}

func checkImageIDs(ids []types.ImageIdentifier) error {
	if len(ids) > 100 {
		return fail("InvalidParameterException", "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to 100'")
	}
	return nil
}

// describeContainerImages answers named images, or all that were pushed. In a
// stocked account a tag exists before its repository does.
func describeContainerImages(c *call, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	repo := aws.ToString(in.RepositoryName)
	if err := checkImageIDs(in.ImageIds); err != nil {
		return nil, err
	}
	r, missing := c.repository(in.RepositoryName)
	out := &ecr.DescribeImagesOutput{ImageDetails: []types.ImageDetail{}}
	if len(in.ImageIds) > 0 {
		if missing != nil && c.account.Bare {
			return nil, missing
		}
		seen := map[string]bool{}
		for _, id := range in.ImageIds {
			m := c.containerImage(repo, id)
			if m == nil {
				if missing != nil {
					return nil, missing
				}
				return nil, c.imageNotFound(repo, id)
			}
			if !seen[m.Digest] {
				seen[m.Digest] = true
				out.ImageDetails = append(out.ImageDetails, m.detail(c, repo))
			}
		}
		return out, nil
	}
	if missing != nil {
		return nil, missing
	}
	limit, err := pageSize(in.MaxResults, 100, 1000)
	if err != nil {
		return nil, err
	}
	digests, next, err := page(sortedKeys(r.Images), func(s string) string { return s }, in.NextToken, limit)
	if err != nil {
		return nil, fail("InvalidParameterException", "Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
	}
	for _, digest := range digests {
		out.ImageDetails = append(out.ImageDetails, r.Images[digest].detail(c, repo))
	}
	out.NextToken = next
	return out, nil
}

func (m *containerImage) detail(c *call, repo string) types.ImageDetail {
	return types.ImageDetail{
		ImageDigest: &m.Digest, ImageTags: slices.Clone(m.Tags), ImagePushedAt: &m.Pushed, ImageSizeInBytes: aws.Int64(52_428_800), RepositoryName: aws.String(repo), RegistryId: &c.account.ID,
		ImageManifestMediaType: &m.Type, ArtifactMediaType: aws.String("application/vnd.oci.image.config.v1+json"),
	}
}

// batchGetImage answers what exists and names the rest as failures.
func batchGetImage(c *call, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	repo := aws.ToString(in.RepositoryName)
	if err := checkImageIDs(in.ImageIds); err != nil {
		return nil, err
	}
	if _, err := c.repository(in.RepositoryName); err != nil && c.account.Bare {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{Images: []types.Image{}, Failures: []types.ImageFailure{}}
	for _, id := range in.ImageIds {
		m := c.containerImage(repo, id)
		if m == nil {
			out.Failures = append(out.Failures, types.ImageFailure{ImageId: &id, FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: aws.String("Requested image not found")})
			continue
		}
		out.Images = append(out.Images, m.image(c, repo, aws.ToString(id.ImageTag)))
	}
	return out, nil
}

func (m *containerImage) image(c *call, repo, tag string) types.Image {
	return types.Image{
		ImageId: &types.ImageIdentifier{ImageDigest: &m.Digest, ImageTag: text(tag)}, ImageManifest: &m.Manifest, ImageManifestMediaType: &m.Type,
		RepositoryName: aws.String(repo), RegistryId: &c.account.ID,
	}
}
