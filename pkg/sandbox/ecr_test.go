package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

func tagIDs(tags ...string) []types.ImageIdentifier {
	var out []types.ImageIdentifier
	for _, tag := range tags {
		out = append(out, types.ImageIdentifier{ImageTag: aws.String(tag)})
	}
	return out
}

// A stocked account has every tag, before its repository is there and after;
// asking changes nothing.
func TestStockedImages(t *testing.T) {
	c := ecr.NewFromConfig(config(open(t, sandbox.Options{})))
	ctx, repo := t.Context(), aws.String("bp-backend")
	describe := func(tag string) string {
		out := must[*ecr.DescribeImagesOutput](t)(c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo, ImageIds: tagIDs(tag)}))
		return *out.ImageDetails[0].ImageDigest
	}
	before := describe("php-latest")
	_, err := c.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{"bp-backend"}})
	wantCode(t, err, "RepositoryNotFoundException")
	must[*ecr.CreateRepositoryOutput](t)(c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: repo}))
	if after := describe("php-latest"); after != before {
		t.Errorf("digest %s, then %s", before, after)
	}
	if describe("nginx-latest") == before {
		t.Error("two tags have one digest")
	}
	batch := must[*ecr.BatchGetImageOutput](t)(c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: repo, ImageIds: tagIDs("php-latest", "nginx-latest")}))
	if len(batch.Images) != 2 || *batch.Images[0].ImageId.ImageDigest != before {
		t.Errorf("%+v", batch)
	}
	must[*ecr.BatchDeleteImageOutput](t)(c.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: repo, ImageIds: tagIDs("php-latest")}))
	_, err = c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo, ImageIds: tagIDs("php-latest")})
	wantCode(t, err, "ImageNotFoundException")
}

func TestBareAccountHasOnlyPushedImages(t *testing.T) {
	c := ecr.NewFromConfig(config(open(t, sandbox.Options{Bare: true})))
	ctx, repo := t.Context(), aws.String("bp-frontend")
	_, err := c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo, ImageIds: tagIDs("latest")})
	wantCode(t, err, "RepositoryNotFoundException")
	_, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("Upper")})
	wantCode(t, err, "InvalidParameterException")
	must[*ecr.CreateRepositoryOutput](t)(c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: repo, ImageTagMutability: types.ImageTagMutabilityImmutable}))
	_, err = c.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: repo})
	wantCode(t, err, "RepositoryAlreadyExistsException")
	_, err = c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo, ImageIds: tagIDs("latest")})
	wantCode(t, err, "ImageNotFoundException")
	batch := must[*ecr.BatchGetImageOutput](t)(c.BatchGetImage(ctx, &ecr.BatchGetImageInput{RepositoryName: repo, ImageIds: tagIDs("latest")}))
	if len(batch.Failures) != 1 || batch.Failures[0].FailureCode != types.ImageFailureCodeImageNotFound {
		t.Errorf("%+v", batch)
	}
	in := &ecr.PutImageInput{RepositoryName: repo, ImageTag: aws.String("latest"), ImageManifest: aws.String(`{"schemaVersion":2}`)}
	must[*ecr.PutImageOutput](t)(c.PutImage(ctx, in))
	_, err = c.PutImage(ctx, in)
	wantCode(t, err, "ImageAlreadyExistsException")
	in.ImageManifest = aws.String(`{"schemaVersion":2,"x":1}`)
	_, err = c.PutImage(ctx, in)
	wantCode(t, err, "ImageTagAlreadyExistsException")
	list := must[*ecr.ListImagesOutput](t)(c.ListImages(ctx, &ecr.ListImagesInput{RepositoryName: repo}))
	if len(list.ImageIds) != 1 || *list.ImageIds[0].ImageTag != "latest" {
		t.Errorf("%+v", list.ImageIds)
	}
	all := must[*ecr.DescribeImagesOutput](t)(c.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: repo}))
	if d := cmp.Diff([]string{"latest"}, all.ImageDetails[0].ImageTags); d != "" {
		t.Error(d)
	}
	_, err = c.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: repo})
	wantCode(t, err, "RepositoryNotEmptyException")
	must[*ecr.DeleteRepositoryOutput](t)(c.DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: repo, Force: true}))
}
