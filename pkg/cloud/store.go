package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"reconcile/pkg/apply"
	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
)

// What is in memory and on the wire at once while a bundle is stored, beside
// the one part that is being read.
const (
	assetsAtOnce = 4
	memoryBytes  = 96 << 20
)

// ifAbsent is the condition under which everything of a bundle is written.
const ifAbsent = "*"

// store is one bundle on its way into the bucket.
type store struct {
	port   *Port
	body   *plan.BundleBody
	meter  *meter
	memory *semaphore.Weighted
	pool   buffers
}

// putBundle stores the assets that are missing, then the manifest. Everything
// is written under the condition that nothing is there, so that of two at the
// same time one is told so and there is never a second copy.
func (p *Port) putBundle(ctx context.Context, r apply.Request) (string, error) {
	s := &store{port: p, body: r.Bundle, memory: semaphore.NewWeighted(memoryBytes)}
	missing, err := s.missing(ctx)
	if err != nil {
		return "", err
	}
	var total int64
	for _, u := range missing {
		total += u.Size
	}
	s.meter = newMeter(p.cloud.clock, total, func(t apply.Transfer) {
		p.respond(apply.Response{ID: r.ID, Step: r.Step, Op: r.Op, Progress: &apply.Progress{Transfer: &t, At: p.cloud.clock.Now()}})
	})
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(assetsAtOnce)
	for _, u := range missing {
		g.Go(func() error { return s.put(inner, u) })
	}
	if err := g.Wait(); err != nil {
		return "", err
	}
	// Hours may have passed since the lock was asked for.
	if p.Guard != nil {
		if err := p.Guard(ctx, r); err != nil {
			return "", &apply.Failure{Kind: apply.FailureLocked, Message: err.Error()}
		}
	}
	if err := s.putManifest(ctx); err != nil {
		return "", err
	}
	return s.said(len(missing), total), nil
}

func (s *store) said(missing int, total int64) string {
	switch {
	case missing == 0:
		return "all of its assets were there"
	case s.meter.sent < total:
		return fmt.Sprintf("%d of %d assets, %s, of which %s were there", missing, len(s.body.Assets), plan.Bytes(total), plan.Bytes(total-s.meter.sent))
	}
	return fmt.Sprintf("%d of %d assets, %s", missing, len(s.body.Assets), plan.Bytes(total))
}

// missing are the assets that are not stored, with their sizes.
func (s *store) missing(ctx context.Context) ([]plan.Upload, error) {
	c := s.port.cloud
	absent := make([]bool, len(s.body.Assets))
	assets := append([]plan.Upload(nil), s.body.Assets...)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i := range assets {
		g.Go(func() error {
			u := &assets[i]
			at := plan.Object{Bucket: s.body.Bucket, Key: u.Key}
			live, err := c.asset(ctx, s.port.Account, at)
			switch {
			case err != nil:
				return err
			case live.Exists && live.SHA256 != "" && live.SHA256 != u.SHA256:
				return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("s3://%s/%s holds another content than its name says: its SHA-256 is %s", at.Bucket, at.Key, live.SHA256)}
			case live.Exists:
				return nil
			}
			absent[i] = true
			u.Size, err = s.sizeOf(ctx, u)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []plan.Upload
	for i, u := range assets {
		if absent[i] {
			out = append(out, u)
		}
	}
	return out, nil
}

func (s *store) sizeOf(ctx context.Context, u *plan.Upload) (int64, error) {
	switch {
	case u.File != "":
		f, err := s.open(u.File)
		if err != nil {
			return 0, err
		}
		defer func() { _ = f.Close() }() // it was not read
		info, err := f.Stat()
		if err != nil {
			return 0, &apply.Failure{Message: "asset " + u.Key + ": " + err.Error()}
		}
		return info.Size(), nil
	case u.From != nil:
		live, err := s.port.cloud.asset(ctx, "", *u.From)
		if err == nil && !live.Exists {
			err = &apply.Failure{Kind: apply.FailureAbsent, Message: fmt.Sprintf("asset %s: there is no s3://%s/%s", u.Key, u.From.Bucket, u.From.Key)}
		}
		return live.Size, err
	}
	return 0, &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("asset %s is no longer stored, and the specs say neither a file nor an object to take it from", u.Key)}
}

// attempts at one asset: another one may complete or abort the very upload
// that is being resumed.
const maxStores = 4

func (s *store) put(ctx context.Context, u plan.Upload) error {
	for n := 1; ; n++ {
		err := s.putOnce(ctx, u)
		if !isMeanwhile(err) {
			return err
		}
		there, headErr := s.port.cloud.asset(ctx, s.port.Account, plan.Object{Bucket: s.body.Bucket, Key: u.Key})
		switch {
		case headErr != nil:
			return headErr
		case there.Exists && there.Size == u.Size:
			return nil // somebody else stored it
		case there.Exists:
			return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("asset %s: somebody stored %s under its name, and it has %s", u.Key, plan.Bytes(there.Size), plan.Bytes(u.Size))}
		case n == maxStores:
			return s.port.cloud.failure("store asset "+u.Key, err)
		}
		if err := s.port.cloud.pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

func (s *store) putOnce(ctx context.Context, u plan.Upload) error {
	switch {
	case u.From != nil:
		return s.copy(ctx, u)
	case u.Size > wholeBytes:
		return s.putParts(ctx, u)
	}
	return s.putWhole(ctx, u)
}

// isMeanwhile tells that the object is there already, or that somebody else
// ended the upload that was being resumed.
func isMeanwhile(err error) bool {
	switch errorCode(err) {
	case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchUpload":
		return true
	}
	var response *awshttp.ResponseError
	return errors.As(err, &response) && (response.HTTPStatusCode() == http.StatusPreconditionFailed || response.HTTPStatusCode() == http.StatusConflict)
}

// putManifest writes the manifest, with the moment of now. One that is there
// and says the same will do.
func (s *store) putManifest(ctx context.Context) error {
	c := s.port.cloud
	m := s.body.Manifest
	m.CreatedAt = c.clock.Now().UTC().Format(time.RFC3339)
	body, err := bundle.Encode(m)
	if err != nil {
		return err
	}
	at := plan.Object{Bucket: s.body.Bucket, Key: bundle.ManifestKey(m.BundleID)}
	_, err = c.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(at.Bucket), Key: aws.String(at.Key), ExpectedBucketOwner: optional(s.port.Account),
		Body: bytes.NewReader(body), ContentType: aws.String("application/json"), IfNoneMatch: aws.String(ifAbsent),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	})
	if err == nil {
		return nil
	}
	if !isMeanwhile(err) {
		return c.failure("write s3://"+at.Bucket+"/"+at.Key, err)
	}
	live, readErr := c.manifest(ctx, s.port.Account, at)
	switch {
	case readErr != nil:
		return readErr
	case live.Manifest != nil && live.Manifest.Same(m):
		return nil
	}
	return &apply.Failure{Kind: apply.FailureConflict, Message: fmt.Sprintf("s3://%s/%s was written meanwhile, and says something else", at.Bucket, at.Key)}
}
