package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// Sizes in bytes: S3 copies up to 5 GiB in one request, and more in parts.
const (
	maxCopyBytes  = 5 << 30
	copyPartBytes = 512 << 20
	copiesAtOnce  = 8
)

// copy lets S3 copy an object to an asset's key. It is verified before: by the
// SHA-256 that S3 has of it or else by reading it. What is copied is what was
// verified, told by its entity tag.
func (s *store) copy(ctx context.Context, u plan.Upload) error {
	c := s.port.cloud
	head, err := c.head(ctx, "", *u.From)
	from := "s3://" + u.From.Bucket + "/" + u.From.Key
	switch {
	case err != nil:
		return err
	case head == nil:
		return &apply.Failure{Kind: apply.FailureAbsent, Message: fmt.Sprintf("asset %s: there is no %s", u.Key, from)}
	case aws.ToInt64(head.ContentLength) != u.Size:
		return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("asset %s: %s changes at this moment", u.Key, from)}
	}
	sum := wholeSum(head)
	if sum == "" {
		if sum, err = s.sumOf(ctx, u, head.ETag); err != nil {
			return err
		}
	}
	if sum != u.SHA256 {
		return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("asset %s: %s has the SHA-256 %s; nothing was copied", u.Key, from, sum)}
	}
	source := u.From.Bucket + "/" + (&url.URL{Path: u.From.Key}).EscapedPath()
	if u.Size > maxCopyBytes {
		return s.copyParts(ctx, u, source, head.ETag)
	}
	out, err := c.s3Data.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), ExpectedBucketOwner: optional(s.port.Account),
		CopySource: aws.String(source), CopySourceIfMatch: head.ETag, IfNoneMatch: aws.String(ifAbsent),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, MetadataDirective: types.MetadataDirectiveReplace,
	})
	if err != nil {
		return s.wrap("copy "+from+" to asset "+u.Key, err)
	}
	if r := out.CopyObjectResult; r != nil && r.ChecksumSHA256 != nil && r.ChecksumType != types.ChecksumTypeComposite && *r.ChecksumSHA256 != base64OfHex(u.SHA256) {
		return &apply.Failure{Message: fmt.Sprintf("asset %s: S3 says that the copy of %s has another SHA-256 (%s in base64)", u.Key, from, *r.ChecksumSHA256)}
	}
	s.meter.sentBytes(u.Size)
	return nil
}

// sumOf reads an object for its SHA-256, in hex.
func (s *store) sumOf(ctx context.Context, u plan.Upload, etag *string) (string, error) {
	return s.port.cloud.objectSum(ctx, "", *u.From, etag)
}

// objectSum reads an object for its SHA-256, in hex, in bounded memory; etag
// may say which one is meant.
func (c *Cloud) objectSum(ctx context.Context, owner string, at plan.Object, etag *string) (string, error) {
	doing := "read s3://" + at.Bucket + "/" + at.Key
	out, err := c.s3Data.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(at.Bucket), Key: aws.String(at.Key), IfMatch: etag, ExpectedBucketOwner: optional(owner)})
	if err != nil {
		return "", c.readError(doing, err)
	}
	h := sha256.New()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{out.Body}, make([]byte, mebibyte))
	if err = errors.Join(err, out.Body.Close()); err != nil {
		return "", c.readError(doing, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// copyParts copies in parts, several at a time. S3 has no checksum of a part of
// another object to compare, so a copy that was cut off is begun anew.
func (s *store) copyParts(ctx context.Context, u plan.Upload, source string, etag *string) error {
	c := s.port.cloud
	begun, err := c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), ExpectedBucketOwner: optional(s.port.Account)})
	if err != nil {
		return s.wrap("begin to copy asset "+u.Key, err)
	}
	size := max(copyPartBytes, partSize(u.Size))
	done := make([]types.CompletedPart, (u.Size+size-1)/size)
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(copiesAtOnce)
	for i := range done {
		g.Go(func() error {
			first := int64(i) * size
			last := min(first+size, u.Size) - 1
			number := aws.Int32(int32(i + 1)) //nolint:gosec // at most 10,000
			out, err := c.s3Data.UploadPartCopy(inner, &s3.UploadPartCopyInput{
				Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: begun.UploadId, PartNumber: number, ExpectedBucketOwner: optional(s.port.Account),
				CopySource: aws.String(source), CopySourceIfMatch: etag, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, last)),
			})
			if err != nil {
				return s.wrap("copy to asset "+u.Key, err)
			}
			s.meter.sentBytes(last - first + 1)
			done[i] = types.CompletedPart{PartNumber: number, ETag: out.CopyPartResult.ETag}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		if _, abort := c.s3.AbortMultipartUpload(context.WithoutCancel(ctx), &s3.AbortMultipartUploadInput{
			Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: begun.UploadId, ExpectedBucketOwner: optional(s.port.Account)}); abort != nil {
			return errors.Join(err, c.failure("abort the copy of asset "+u.Key, abort))
		}
		return err
	}
	return s.complete(ctx, u, aws.ToString(begun.UploadId), done)
}

func base64OfHex(sum string) string {
	raw, err := hex.DecodeString(sum)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}
