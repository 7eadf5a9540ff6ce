package cloud_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/bundle"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/spec"
)

const (
	modelsBucket = "bp-models-123456789012"
	bigBytes     = 40 << 20 // three parts
)

// shelf is a sandbox with a models bucket and somebody's other one.
type shelf struct {
	t   *testing.T
	box *sandbox.Sandbox
	s3  *s3.Client
	// before sees each request on its way; an error is the answer.
	before func(*http.Request) error
	mu     sync.Mutex
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	box, err := sandbox.Open(sandbox.Options{Seed: "shelf"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	s := &shelf{t: t, box: box}
	s.s3 = s3.New(s3.Options{Region: "us-east-1", HTTPClient: box, BaseEndpoint: aws.String("https://sandbox.invalid"), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})})
	for _, name := range []string{modelsBucket, "theirs"} {
		if _, err := s.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *shelf) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	before := s.before
	s.mu.Unlock()
	if before != nil {
		if err := before(r); err != nil {
			return nil, err
		}
	}
	return s.box.Do(r)
}

// run is one run of the program: what it was asked, its answer, its calls.
func (s *shelf) run(ctx context.Context, files fs.FS, body plan.BundleBody) (apply.Response, map[string]int) {
	s.t.Helper()
	c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: s, Endpoint: "https://sandbox.invalid", StaticCredentials: true, PollScale: 0.001})
	if err != nil {
		s.t.Fatal(err)
	}
	p := c.Port(ctx)
	defer p.Close()
	p.Account, p.Files = "123456789012", files
	got, _ := ask(s.t, p, apply.Request{Op: apply.OpPutBundle, Bundle: &body})
	calls := map[string]int{}
	for _, n := range c.Stats() {
		calls[n.Operation] = n.Calls
	}
	return got, calls
}

func (s *shelf) object(bucket, key string) []byte {
	s.t.Helper()
	out, err := s.s3.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(out.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

func (s *shelf) put(bucket, key string, body []byte) {
	s.t.Helper()
	if _, err := s.s3.PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(body)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) unfinished() int {
	s.t.Helper()
	out, err := s.s3.ListMultipartUploads(s.t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(modelsBucket)})
	if err != nil {
		s.t.Fatal(err)
	}
	return len(out.Uploads)
}

func versioned() *s3.PutBucketVersioningInput {
	return &s3.PutBucketVersioningInput{Bucket: aws.String(modelsBucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

func bigFile() []byte {
	body := make([]byte, bigBytes)
	for i := 0; i < len(body); i += 4096 {
		body[i], body[i+1] = byte(i>>12), byte(i>>20)
	}
	return body
}

// wanted is a bundle of a large file, a small one, a copy, and what is stored.
func wanted(t *testing.T, big, small, copied, stored []byte) plan.BundleBody {
	t.Helper()
	b := spec.Bundle{Meta: spec.Meta{Name: "base"}, Title: "Base"}
	body := plan.BundleBody{Name: "base", Bucket: modelsBucket}
	for name, content := range map[string][]byte{"big": big, "small": small, "copied": copied, "stored": stored} {
		sum := sumOf(content)
		b.Assets = append(b.Assets, spec.Asset{Kind: "other", SHA256: sum, Filename: name, TargetPath: "models/other/" + name, Action: "copy"})
		u := plan.Upload{Key: bundle.AssetKey("other", sum), SHA256: sum}
		switch name {
		case "big", "small":
			u.File = "models/" + name
		case "copied":
			u.From = &plan.Object{Bucket: "theirs", Key: "some folder/ü+1"}
		}
		body.Assets = append(body.Assets, u)
	}
	m, err := bundle.Of(b)
	if err != nil {
		t.Fatal(err)
	}
	body.Manifest = m
	return body
}

func filesOf(big, small []byte) fstest.MapFS {
	return fstest.MapFS{"models/big": {Data: big}, "models/small": {Data: small}}
}

// What is missing is stored once, whatever way it takes, and the manifest
// last; a run that is cut off is gone on with, and sends only what is missing.
func TestBundleIsStoredAndResumed(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	big, small, copied, stored := bigFile(), []byte("small"), []byte("copied"), []byte("stored")
	body := wanted(t, big, small, copied, stored)
	s.put("theirs", "some folder/ü+1", copied)
	s.put(modelsBucket, bundle.AssetKey("other", sumOf(stored)), stored)

	ctx, cut := context.WithCancel(t.Context())
	parts := 0
	s.before = func(r *http.Request) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Query().Get("partNumber") == "" {
			return nil
		}
		if parts++; parts > 1 {
			cut()
			return context.Canceled
		}
		return nil
	}
	p := cloudPort(t, ctx, s, filesOf(big, small))
	p.Submit(apply.Request{Op: apply.OpPutBundle, Bundle: &body})
	<-ctx.Done()
	p.Close()
	s.before = nil
	if n := s.unfinished(); n != 1 {
		t.Fatalf("%d unfinished uploads after the run was cut off, want 1", n)
	}
	if s.object(modelsBucket, bundle.ManifestKey(body.Manifest.BundleID)) != nil {
		t.Fatal("the manifest is there before the assets")
	}

	got, calls := s.run(t.Context(), filesOf(big, small), body)
	if got.Err != nil {
		t.Fatal(got.Err)
	}
	if calls["UploadPart"] != 2 || calls["CreateMultipartUpload"] != 0 || calls["CompleteMultipartUpload"] != 1 {
		t.Errorf("the second run did not go on with the first: %v", calls)
	}
	if !strings.Contains(got.Said, "of which 16.8 MB were there") {
		t.Errorf("said %q", got.Said)
	}
	for name, content := range map[string][]byte{"big": big, "small": small, "copied": copied, "stored": stored} {
		if !bytes.Equal(s.object(modelsBucket, bundle.AssetKey("other", sumOf(content))), content) {
			t.Errorf("%s is not stored as it is", name)
		}
	}
	if s.unfinished() != 0 {
		t.Error("an upload is left over")
	}
	m, err := bundle.Decode(body.Manifest.BundleID, s.object(modelsBucket, bundle.ManifestKey(body.Manifest.BundleID)))
	if err != nil || !m.Same(body.Manifest) {
		t.Errorf("the manifest is %+v, %v", m, err)
	}
	if _, err := time.Parse(time.RFC3339, m.CreatedAt); err != nil || !strings.HasSuffix(m.CreatedAt, "Z") {
		t.Errorf("created_at is %q", m.CreatedAt)
	}

	got, calls = s.run(t.Context(), fstest.MapFS{}, body)
	if got.Err != nil || got.Said != "all of its assets were there" || calls["PutObject"] != 1 || calls["UploadPart"]+calls["CopyObject"] != 0 {
		t.Errorf("a third run with nothing to do: %+v %v", got, calls)
	}
	again, err := bundle.Decode(m.BundleID, s.object(modelsBucket, bundle.ManifestKey(m.BundleID)))
	if diff := cmp.Diff(m, again); err != nil || diff != "" {
		t.Errorf("the manifest was written a second time: %v %s", err, diff)
	}
}

func cloudPort(t *testing.T, ctx context.Context, s *shelf, files fs.FS) *cloud.Port { //nolint:revive // t is first everywhere here
	t.Helper()
	c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: s, Endpoint: "https://sandbox.invalid", StaticCredentials: true, PollScale: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Port(ctx)
	p.Account, p.Files = "123456789012", files
	return p
}

// Nothing comes into being that is not what its name says, and no manifest
// without its assets.
func TestWrongAssetsAreNotStored(t *testing.T) {
	t.Parallel()
	big, small, copied, stored := bigFile(), []byte("small"), []byte("copied"), []byte("stored")
	other := bytes.Clone(big)
	other[bigBytes-1] = 1
	for name, c := range map[string]struct {
		change func(s *shelf, files fstest.MapFS)
		says   string
	}{
		"another large file":  {func(_ *shelf, f fstest.MapFS) { f["models/big"].Data = other }, "models/big changed since the plan: its SHA-256 is " + sumOf(other)},
		"another small file":  {func(_ *shelf, f fstest.MapFS) { f["models/small"].Data = []byte("smile") }, "models/small changed since the plan"},
		"no file":             {func(_ *shelf, f fstest.MapFS) { delete(f, "models/small") }, "models/small: file does not exist"},
		"another object":      {func(s *shelf, _ fstest.MapFS) { s.put("theirs", "some folder/ü+1", []byte("altered")) }, "has the SHA-256 " + sumOf([]byte("altered"))},
		"nothing stored":      {func(s *shelf, _ fstest.MapFS) { s.drop(bundle.AssetKey("other", sumOf(stored))) }, "is no longer stored"},
		"another size stored": {func(s *shelf, _ fstest.MapFS) { s.appears(bundle.AssetKey("other", sumOf(small)), []byte("x")) }, "somebody stored 1 B under its name"},
		"another manifest":    {func(*shelf, fstest.MapFS) {}, "says something else"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t)
			big := big
			if name != "another large file" {
				big = []byte("big")
			}
			body := wanted(t, big, small, copied, stored)
			s.put("theirs", "some folder/ü+1", copied)
			s.put(modelsBucket, bundle.AssetKey("other", sumOf(stored)), stored)
			if name == "another manifest" {
				s.put(modelsBucket, bundle.ManifestKey(body.Manifest.BundleID), []byte("{}"))
			}
			files := filesOf(bytes.Clone(big), small)
			c.change(s, files)
			got, _ := s.run(t.Context(), files, body)
			if got.Err == nil || !strings.Contains(got.Err.Message, c.says) {
				t.Fatalf("%v, want %q", got.Err, c.says)
			}
			if m := s.object(modelsBucket, bundle.ManifestKey(body.Manifest.BundleID)); len(m) > 2 {
				t.Error("there is a manifest")
			}
			if name == "another large file" && (s.unfinished() != 0 || s.object(modelsBucket, bundle.AssetKey("other", sumOf(big))) != nil) {
				t.Error("something of the wrong file is left")
			}
		})
	}
}

func (s *shelf) drop(key string) {
	if _, err := s.s3.DeleteObject(s.t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(modelsBucket), Key: aws.String(key)}); err != nil {
		s.t.Fatal(err)
	}
}

// appears lets somebody store an object just before the program does.
func (s *shelf) appears(key string, body []byte) {
	s.before = func(r *http.Request) error {
		if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, key) {
			s.put(modelsBucket, key, body)
		}
		return nil
	}
}

// Two at once end with one copy of everything, and neither fails.
func TestTwoStoreTheSameBundle(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	big, small, copied, stored := bigFile(), []byte("small"), []byte("copied"), []byte("stored")
	body := wanted(t, big, small, copied, stored)
	s.put("theirs", "some folder/ü+1", copied)
	s.put(modelsBucket, bundle.AssetKey("other", sumOf(stored)), stored)
	if _, err := s.s3.PutBucketVersioning(t.Context(), versioned()); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if got, _ := s.run(t.Context(), filesOf(big, small), body); got.Err != nil {
				t.Error(got.Err)
			}
		})
	}
	wait.Wait()
	out, err := s.s3.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String(modelsBucket)})
	if err != nil || len(out.Versions) != 5 {
		t.Errorf("%d versions of 5 objects, %v", len(out.Versions), err)
	}
}

// The lock is asked for again before the manifest.
func TestManifestIsGuarded(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	body := wanted(t, []byte("big"), []byte("small"), []byte("copied"), []byte("stored"))
	s.put("theirs", "some folder/ü+1", []byte("copied"))
	s.put(modelsBucket, bundle.AssetKey("other", sumOf([]byte("stored"))), []byte("stored"))
	p := cloudPort(t, t.Context(), s, filesOf([]byte("big"), []byte("small")))
	defer p.Close()
	asked := 0
	p.Guard = func(context.Context, apply.Request) error {
		if asked++; asked > 1 {
			return errors.New("it is somebody else's")
		}
		return nil
	}
	got, _ := ask(t, p, apply.Request{Op: apply.OpPutBundle, Bundle: &body})
	if got.Err == nil || got.Err.Kind != apply.FailureLocked {
		t.Errorf("%v, want that the lock is lost", got.Err)
	}
	if s.object(modelsBucket, bundle.ManifestKey(body.Manifest.BundleID)) != nil {
		t.Error("the manifest was written without the lock")
	}
}
