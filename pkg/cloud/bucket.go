package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/pkg/lock"
)

// Bucket is this program's own bucket. Every call names the account, so that a
// bucket of this name which somebody else has is refused.
type Bucket struct {
	cloud   *Cloud
	account string
	name    string
}

// maxOwnObject is more than any object of ours that is read back.
const maxOwnObject = 8 << 20

// Bucket opens the bucket of a platform. It asks AWS nothing.
func (c *Cloud) Bucket(account, name string) *Bucket {
	return &Bucket{cloud: c, account: account, name: name}
}

// Name of the bucket.
func (b *Bucket) Name() string { return b.name }

func (b *Bucket) get(ctx context.Context, key string) (lock.Object, error) {
	out, err := b.cloud.s3.GetObject(ctx, &s3.GetObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(key), ExpectedBucketOwner: aws.String(b.account)})
	if err != nil {
		return lock.Object{}, b.answer("read", key, err)
	}
	defer func() { _ = out.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(out.Body, maxOwnObject))
	if err != nil {
		return lock.Object{}, b.answer("read", key, err)
	}
	return lock.Object{Body: body, Tag: aws.ToString(out.ETag)}, nil
}

// put writes an object; match and none are conditions, or empty.
func (b *Bucket) put(ctx context.Context, key string, body []byte, match, none string) error {
	_, err := b.cloud.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(key), ExpectedBucketOwner: aws.String(b.account),
		Body: bytes.NewReader(body), ContentType: aws.String("application/json"),
		IfMatch: optional(match), IfNoneMatch: optional(none),
	})
	if err != nil {
		return b.answer("write", key, err)
	}
	return nil
}

func (b *Bucket) remove(ctx context.Context, key, match string) error {
	_, err := b.cloud.s3.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: aws.String(b.name), Key: aws.String(key), ExpectedBucketOwner: aws.String(b.account), IfMatch: optional(match)})
	if err != nil {
		return b.answer("delete", key, err)
	}
	return nil
}

// Put writes an object, whatever is there.
func (b *Bucket) Put(ctx context.Context, key string, body []byte) error {
	return b.put(ctx, key, body, "", "")
}

// Get reads an object; lock.ErrAbsent and lock.ErrNoPlace say that it is not there.
func (b *Bucket) Get(ctx context.Context, key string) ([]byte, error) {
	o, err := b.get(ctx, key)
	return o.Body, err
}

// List gives the keys under a prefix in the order of their names; absent
// things are no error.
func (b *Bucket) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := pages(func(token *string) (*string, error) {
		out, err := b.cloud.s3.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
			Bucket: aws.String(b.name), Prefix: aws.String(prefix), ContinuationToken: token, ExpectedBucketOwner: aws.String(b.account)})
		if err != nil {
			return nil, b.answer("list", prefix, err)
		}
		for _, o := range out.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
		return out.NextContinuationToken, nil
	})
	if errors.Is(err, lock.ErrNoPlace) {
		return nil, nil
	}
	return keys, err
}

// Lock is the store of one lock.
func (b *Bucket) Lock(key string) *LockStore { return &LockStore{bucket: b, key: key} }

// answer gives an error of S3 the meaning that it has for a lock, with our
// words for people.
func (b *Bucket) answer(doing, key string, err error) error {
	said := b.cloud.readError(doing+" s3://"+b.name+"/"+key, err)
	var response *awshttp.ResponseError
	status := 0
	if errors.As(err, &response) {
		status = response.HTTPStatusCode()
	}
	var means error
	switch code := errorCode(err); {
	case code == "NoSuchBucket":
		means = lock.ErrNoPlace
	case code == "NoSuchKey" || code == "NotFound" || status == http.StatusNotFound:
		means = lock.ErrAbsent
	case code == "PreconditionFailed" || status == http.StatusPreconditionFailed:
		means = lock.ErrChanged
	case code == "ConditionalRequestConflict" || code == "OperationAborted" || status == http.StatusConflict:
		means = lock.ErrConflict
	case code == "AccessDenied" || status == http.StatusForbidden:
		means = lock.ErrDenied
	default:
		return said
	}
	return fmt.Errorf("%w: %w", means, said)
}

// LockStore is a lock's object in S3. Its conditional calls are those that S3
// has had since 2024 (facts: aws-limits 4.5).
type LockStore struct {
	bucket *Bucket
	key    string
}

var _ lock.Store = (*LockStore)(nil)

// Where names the object for people.
func (l *LockStore) Where() string { return "s3://" + l.bucket.name + "/" + l.key }

// Read is GetObject.
func (l *LockStore) Read(ctx context.Context) (lock.Object, error) { return l.bucket.get(ctx, l.key) }

// Create is PutObject with If-None-Match.
func (l *LockStore) Create(ctx context.Context, body []byte) error {
	return l.bucket.put(ctx, l.key, body, "", "*")
}

// Replace is PutObject with If-Match.
func (l *LockStore) Replace(ctx context.Context, body []byte, tag string) error {
	return l.bucket.put(ctx, l.key, body, tag, "")
}

// Delete is DeleteObject with If-Match.
func (l *LockStore) Delete(ctx context.Context, tag string) error {
	return l.bucket.remove(ctx, l.key, tag)
}
