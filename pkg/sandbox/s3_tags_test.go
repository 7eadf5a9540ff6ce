package sandbox_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// TestBucketTags: a bucket has the tags of its stack and AWS's own, which
// nobody can write and which outlive the stack.
func TestBucketTags(t *testing.T) {
	box := open(t, sandbox.Options{})
	for style, c := range styles(t, box) {
		t.Run(style, func(t *testing.T) {
			ctx, b := t.Context(), aws.String("plain-"+style[:4])
			put := func(tags ...types.Tag) error {
				_, err := c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: b, Tagging: &types.Tagging{TagSet: tags}})
				return err
			}
			tag := func(k, v string) types.Tag { return types.Tag{Key: aws.String(k), Value: aws.String(v)} }
			wantCode(t, put(tag("a", "b")), "NoSuchBucket")
			must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
			_, err := c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b})
			wantCode(t, err, "NoSuchTagSet")
			if err := put(tag("a", "b <c> & d"), tag("reconcile:owner", "bp")); err != nil {
				t.Fatal(err)
			}
			got := must[*s3.GetBucketTaggingOutput](t)(c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b, ExpectedBucketOwner: aws.String("123456789012")}))
			if diff := cmp.Diff(map[string]string{"a": "b <c> & d", "reconcile:owner": "bp"}, tagMap(got.TagSet)); diff != "" {
				t.Error(diff)
			}
			wantCode(t, put(tag("aws:cloudformation:stack-name", "x")), "InvalidTag")
			wantCode(t, put(tag("a", "1"), tag("a", "2")), "InvalidTag")
			_, err = c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b, ExpectedBucketOwner: aws.String("999999999999")})
			wantCode(t, err, "AccessDenied")
			must[*s3.DeleteBucketTaggingOutput](t)(c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: b}))
			_, err = c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: b})
			wantCode(t, err, "NoSuchTagSet")
		})
	}
}

func tagMap(tags []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[*t.Key] = *t.Value
	}
	return out
}
