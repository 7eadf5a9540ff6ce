package cloud

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/pkg/apply"
)

// emptyBucket deletes every version and delete marker, and ends every upload
// that nobody finished, but for keys that begin with keep. A bucket of another
// account is refused; one that is gone is empty.
func (c *Cloud) emptyBucket(ctx context.Context, bucket, keep string) error {
	account, err := c.Account(ctx)
	if err == nil {
		err = c.emptyVersions(ctx, account, bucket, keep)
	}
	if err == nil {
		err = c.endUploads(ctx, account, bucket, keep)
	}
	if errorCode(err) == "NoSuchBucket" {
		return nil
	}
	if err != nil {
		return c.failure("empty bucket "+bucket, err)
	}
	return nil
}

// emptyVersions goes through all versions once, by pages of up to 1,000, which
// is also what one deletion takes.
func (c *Cloud) emptyVersions(ctx context.Context, account, bucket, keep string) error {
	in := &s3.ListObjectVersionsInput{Bucket: aws.String(bucket), ExpectedBucketOwner: aws.String(account)}
	for {
		out, err := c.s3.ListObjectVersions(ctx, in)
		if err != nil {
			return err
		}
		var all []types.ObjectIdentifier
		add := func(key, version *string) {
			if keep == "" || !strings.HasPrefix(aws.ToString(key), keep) {
				all = append(all, types.ObjectIdentifier{Key: key, VersionId: version})
			}
		}
		for _, v := range out.Versions {
			add(v.Key, v.VersionId)
		}
		for _, m := range out.DeleteMarkers {
			add(m.Key, m.VersionId)
		}
		if err := c.deleteObjects(ctx, account, bucket, all); err != nil {
			return err
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// deleteObjects is one request. It answers 200 where single deletions failed.
func (c *Cloud) deleteObjects(ctx context.Context, account, bucket string, all []types.ObjectIdentifier) error {
	if len(all) == 0 {
		return nil
	}
	out, err := c.s3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: aws.String(bucket), ExpectedBucketOwner: aws.String(account),
		Delete: &types.Delete{Objects: all, Quiet: aws.Bool(true)}})
	if err != nil {
		return err
	}
	if len(out.Errors) > 0 {
		first := out.Errors[0]
		return &apply.Failure{Code: aws.ToString(first.Code), Message: fmt.Sprintf("%s is not deleted, and %d more: %s",
			aws.ToString(first.Key), len(out.Errors)-1, aws.ToString(first.Message))}
	}
	return nil
}

func (c *Cloud) endUploads(ctx context.Context, account, bucket, keep string) error {
	in := &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket), ExpectedBucketOwner: aws.String(account)}
	for {
		out, err := c.s3.ListMultipartUploads(ctx, in)
		if err != nil {
			return err
		}
		for _, u := range out.Uploads {
			if keep != "" && strings.HasPrefix(aws.ToString(u.Key), keep) {
				continue
			}
			_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), ExpectedBucketOwner: aws.String(account),
				Key: u.Key, UploadId: u.UploadId})
			if err != nil && errorCode(err) != "NoSuchUpload" {
				return err
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
}
