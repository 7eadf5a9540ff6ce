package cloud

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// Sizes in bytes: of a file that is sent in one request, and of the parts of
// others. S3 takes 10,000 parts, each of 5 MiB at least.
const (
	partBytes  = 16 << 20
	wholeBytes = partBytes
	maxParts   = 10_000
	mebibyte   = 1 << 20
)

// partSize is the same for the same file in every run, or nothing could be
// resumed.
func partSize(size int64) int64 {
	needed := (size + maxParts - 1) / maxParts
	return max(partBytes, (needed+mebibyte-1)/mebibyte*mebibyte)
}

func (s *store) open(name string) (fs.File, error) {
	if s.port.Files == nil {
		return nil, &apply.Failure{Message: fmt.Sprintf("the file %s is needed, and there is no folder of specs: name it with --specs DIR", name)}
	}
	f, err := s.port.Files.Open(name)
	if err != nil {
		return nil, &apply.Failure{Kind: apply.FailureAbsent, Message: "a file of the bundle: " + err.Error()}
	}
	return f, nil
}

// reserve takes as much memory as n bytes need, at most all that there is, and
// gives a buffer of n bytes.
// What gives it back says whether nobody reads it any more: a request that was
// cut off may.
func (s *store) reserve(ctx context.Context, n int64) ([]byte, func(again bool), error) {
	weight := min(n, memoryBytes)
	if err := s.memory.Acquire(ctx, weight); err != nil {
		return nil, nil, err
	}
	b := s.pool.take(n)
	return b, func(again bool) {
		if again {
			s.pool.give(b)
		}
		s.memory.Release(weight)
	}, nil
}

// putWhole sends a file in one request; S3 checks the SHA-256 of all of it.
func (s *store) putWhole(ctx context.Context, u plan.Upload) error {
	body, release, err := s.reserve(ctx, u.Size)
	if err != nil {
		return err
	}
	sent := false
	defer func() { release(sent) }()
	if err := s.readWhole(u, body); err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != u.SHA256 {
		return changed(u, fmt.Errorf("its SHA-256 is %x", sum))
	}
	_, err = s.port.cloud.s3Data.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), ExpectedBucketOwner: optional(s.port.Account),
		Body: bytes.NewReader(body), ContentLength: aws.Int64(u.Size), IfNoneMatch: aws.String(ifAbsent), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if err != nil {
		return s.wrap("store asset "+u.Key, err)
	}
	sent = true
	s.meter.sentBytes(u.Size)
	return nil
}

func (s *store) readWhole(u plan.Upload, body []byte) error {
	f, err := s.open(u.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	if _, err := io.ReadFull(f, body); err != nil {
		return changed(u, err)
	}
	return atEnd(u, f)
}

// atEnd refuses a file that has more than was planned.
func atEnd(u plan.Upload, f io.Reader) error {
	if n, err := f.Read(make([]byte, 1)); n > 0 || err != nil && !errors.Is(err, io.EOF) {
		return changed(u, errors.New("it has grown"))
	}
	return nil
}

// changed says that a file is no longer what it was when it was planned.
func changed(u plan.Upload, why error) error {
	return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("asset %s: the file %s changed since the plan: %v", u.Key, u.File, why)}
}

// wrap keeps an error that put decides about as it is.
func (s *store) wrap(doing string, err error) error {
	if isMeanwhile(err) || isCanceled(err) {
		return err
	}
	return s.port.cloud.failure(doing, err)
}

// putParts reads a file once, from its beginning to its end, and sends the
// parts that an earlier upload has not, several at a time. What is sent is what
// was hashed: the object comes into being only if all of it has the SHA-256
// that it should have.
func (s *store) putParts(ctx context.Context, u plan.Upload) error {
	c := s.port.cloud
	f, err := s.open(u.File)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	id, have, err := s.resume(ctx, u)
	if err != nil {
		return err
	}
	done, sum, err := s.sendParts(ctx, u, f, id, have)
	if err != nil {
		return err
	}
	if sum != u.SHA256 {
		_, err := c.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
			Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: aws.String(id), ExpectedBucketOwner: optional(s.port.Account)})
		return errors.Join(changed(u, errors.New("its SHA-256 is "+sum)), err)
	}
	return s.complete(ctx, u, id, done)
}

// complete makes the object of its parts.
func (s *store) complete(ctx context.Context, u plan.Upload, id string, parts []types.CompletedPart) error {
	_, err := s.port.cloud.s3Data.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: aws.String(id), ExpectedBucketOwner: optional(s.port.Account),
		IfNoneMatch: aws.String(ifAbsent), MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return s.wrap("complete asset "+u.Key, err)
	}
	return nil
}

// part is one that an earlier upload left.
type part struct {
	size int64
	sum  string // SHA-256 in base64
	etag string
}

// resume finds the newest upload of this asset that can be gone on with and
// its parts, or begins one.
func (s *store) resume(ctx context.Context, u plan.Upload) (id string, have map[int32]part, err error) {
	c := s.port.cloud
	var began time.Time
	marker, idMarker := (*string)(nil), (*string)(nil)
	for {
		out, err := c.s3.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
			Bucket: aws.String(s.body.Bucket), Prefix: aws.String(u.Key), ExpectedBucketOwner: optional(s.port.Account), KeyMarker: marker, UploadIdMarker: idMarker})
		if err != nil {
			return "", nil, c.failure("look for unfinished uploads of "+u.Key, err)
		}
		for _, found := range out.Uploads {
			if aws.ToString(found.Key) == u.Key && found.ChecksumAlgorithm == types.ChecksumAlgorithmSha256 && !aws.ToTime(found.Initiated).Before(began) {
				id, began = aws.ToString(found.UploadId), aws.ToTime(found.Initiated)
			}
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		marker, idMarker = out.NextKeyMarker, out.NextUploadIdMarker
	}
	if id != "" {
		have, err = s.parts(ctx, u, id)
		return id, have, err
	}
	out, err := c.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), ExpectedBucketOwner: optional(s.port.Account),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256, ChecksumType: types.ChecksumTypeComposite})
	if err != nil {
		return "", nil, s.wrap("begin to store asset "+u.Key, err)
	}
	return aws.ToString(out.UploadId), nil, nil
}

func (s *store) parts(ctx context.Context, u plan.Upload, id string) (map[int32]part, error) {
	have := map[int32]part{}
	var marker *string
	for {
		out, err := s.port.cloud.s3.ListParts(ctx, &s3.ListPartsInput{
			Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: aws.String(id), ExpectedBucketOwner: optional(s.port.Account), PartNumberMarker: marker})
		if err != nil {
			return nil, s.wrap("list the stored parts of "+u.Key, err)
		}
		for _, p := range out.Parts {
			have[aws.ToInt32(p.PartNumber)] = part{aws.ToInt64(p.Size), aws.ToString(p.ChecksumSHA256), aws.ToString(p.ETag)}
		}
		if !aws.ToBool(out.IsTruncated) {
			return have, nil
		}
		marker = out.NextPartNumberMarker
	}
}

// sendParts gives the parts in their order and the SHA-256 of all, in hex.
func (s *store) sendParts(ctx context.Context, u plan.Upload, f io.Reader, id string, have map[int32]part) ([]types.CompletedPart, string, error) {
	size := partSize(u.Size)
	done := make([]types.CompletedPart, (u.Size+size-1)/size)
	whole := sha256.New()
	g, inner := errgroup.WithContext(ctx)
	read := func() error {
		for i := range done {
			body, release, err := s.reserve(inner, min(size, u.Size-int64(i)*size))
			if err != nil {
				return err
			}
			if _, err := io.ReadFull(f, body); err != nil {
				release(true)
				return changed(u, err)
			}
			_, _ = whole.Write(body) // a hash never fails
			g.Go(func() error {
				var err error
				done[i], err = s.sendPart(inner, u, id, int32(i+1), body, have[int32(i+1)]) //nolint:gosec // at most 10,000
				release(err == nil)
				return err
			})
		}
		return atEnd(u, f)
	}
	err := read()
	if sent := g.Wait(); sent != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = sent // why reading was called off
	}
	return done, hex.EncodeToString(whole.Sum(nil)), err
}

// sendPart sends a part, unless the upload has it already.
func (s *store) sendPart(ctx context.Context, u plan.Upload, id string, number int32, body []byte, have part) (types.CompletedPart, error) {
	raw := sha256.Sum256(body)
	sum := base64.StdEncoding.EncodeToString(raw[:])
	out := types.CompletedPart{PartNumber: aws.Int32(number), ChecksumSHA256: aws.String(sum)}
	if have.sum == sum && have.size == int64(len(body)) {
		s.meter.foundBytes(have.size)
		out.ETag = aws.String(have.etag)
		return out, nil
	}
	answer, err := s.port.cloud.s3Data.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: aws.String(s.body.Bucket), Key: aws.String(u.Key), UploadId: aws.String(id), PartNumber: aws.Int32(number),
		ExpectedBucketOwner: optional(s.port.Account), Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumSHA256: aws.String(sum),
	})
	if err != nil {
		return out, s.wrap(fmt.Sprintf("store part %d of asset %s", number, u.Key), err)
	}
	s.meter.sentBytes(int64(len(body)))
	out.ETag = answer.ETag
	return out, nil
}

// buffers are used again: garbage of this size would double the memory.
type buffers struct {
	mu   sync.Mutex
	free [][]byte
}

func (b *buffers) take(n int64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, f := range b.free {
		if int64(cap(f)) >= n && int64(cap(f)) < 4*n+mebibyte {
			b.free = append(b.free[:i], b.free[i+1:]...)
			return f[:n]
		}
	}
	return make([]byte, n)
}

func (b *buffers) give(buffer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.free) < memoryBytes/partBytes {
		b.free = append(b.free, buffer)
	}
}
