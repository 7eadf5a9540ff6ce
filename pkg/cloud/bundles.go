package cloud

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
)

// maxManifest is more than a manifest of a thousand assets has, in bytes.
const maxManifest = 8 << 20

// bundles reads manifests and looks for the objects that they need.
func (r *reader) bundles(ctx context.Context, g *errgroup.Group, s plan.ReadSet) {
	for _, o := range s.Manifests {
		g.Go(func() error {
			found, err := r.cloud.manifest(ctx, r.account, o)
			if err != nil {
				return err
			}
			return merge(r, r.live.Bundles, map[string]plan.LiveBundle{o.Bucket + "/" + o.Key: *found}, nil)
		})
	}
	asset := func(owner string, o plan.Object) {
		g.Go(func() error {
			found, err := r.cloud.asset(ctx, owner, o)
			if err != nil && owner == "" && !isCanceled(err) { // somebody else's
				found, err = plan.LiveAsset{Problem: r.cloud.failure("look at it", err).Error()}, nil
			}
			return merge(r, r.live.Assets, map[string]plan.LiveAsset{o.Bucket + "/" + o.Key: found}, err)
		})
	}
	for _, o := range s.Assets {
		asset(r.account, o)
	}
	for _, o := range s.Copied {
		asset("", o)
	}
}

// manifest reads a manifest; one that is not there is no error.
func (c *Cloud) manifest(ctx context.Context, account string, at plan.Object) (*plan.LiveBundle, error) {
	out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(at.Bucket), Key: aws.String(at.Key), ExpectedBucketOwner: optional(account)})
	switch {
	case errorCode(err) == "NoSuchBucket":
		return &plan.LiveBundle{NoBucket: true}, nil
	case notFound(err):
		return &plan.LiveBundle{}, nil
	case err != nil:
		return nil, c.readError("read s3://"+at.Bucket+"/"+at.Key, err)
	}
	defer func() { _ = out.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(out.Body, maxManifest+1))
	if err != nil {
		return nil, c.readError("read s3://"+at.Bucket+"/"+at.Key, err)
	}
	live := &plan.LiveBundle{Exists: true}
	if len(body) > maxManifest {
		live.Problem = fmt.Sprintf("it has more than %d bytes", maxManifest)
		return live, nil
	}
	id, _ := bundle.IDOfKey(at.Key)
	m, err := bundle.Decode(id, body)
	if err != nil {
		live.Problem = err.Error()
		return live, nil
	}
	live.Manifest = &m
	return live, nil
}

// asset is HeadObject; owner is the account whose bucket it must be, or empty.
func (c *Cloud) asset(ctx context.Context, owner string, at plan.Object) (plan.LiveAsset, error) {
	out, err := c.head(ctx, owner, at)
	if err != nil || out == nil {
		return plan.LiveAsset{}, err
	}
	return plan.LiveAsset{Exists: true, Size: aws.ToInt64(out.ContentLength), SHA256: wholeSum(out)}, nil
}

// head is nil for an object that is not there.
func (c *Cloud) head(ctx context.Context, owner string, at plan.Object) (*s3.HeadObjectOutput, error) {
	out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: aws.String(at.Bucket), Key: aws.String(at.Key), ExpectedBucketOwner: optional(owner), ChecksumMode: types.ChecksumModeEnabled})
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.readError("look for s3://"+at.Bucket+"/"+at.Key, err)
	}
	return out, nil
}

// wholeSum is the SHA-256 of the whole object in hex, where S3 has it: an
// object of several parts has one of the parts' sums instead.
func wholeSum(h *s3.HeadObjectOutput) string {
	if h.ChecksumSHA256 == nil || h.ChecksumType == types.ChecksumTypeComposite {
		return ""
	}
	sum, err := base64.StdEncoding.DecodeString(*h.ChecksumSHA256)
	if err != nil || len(sum) != 32 {
		return ""
	}
	return hex.EncodeToString(sum)
}

func notFound(err error) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == http.StatusNotFound
}
