package sandbox_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// styles are the ways a client reaches S3: virtual hosts and path style over
// TLS endpoints in process, and a port.
func styles(t *testing.T, box *sandbox.Sandbox) map[string]*s3.Client {
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	port := config(nil)
	port.HTTPClient = server.Client()
	port.BaseEndpoint = &server.URL
	return map[string]*s3.Client{
		"virtual host": s3.NewFromConfig(config(box)),
		"path":         s3.NewFromConfig(config(box), func(o *s3.Options) { o.UsePathStyle = true }),
		"port":         s3.NewFromConfig(port, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

func TestObjects(t *testing.T) {
	box := open(t, sandbox.Options{})
	for style, c := range styles(t, box) {
		t.Run(style, func(t *testing.T) {
			ctx, b := t.Context(), aws.String("bucket-"+strings.ReplaceAll(style, " ", "-"))
			_, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b})
			wantCode(t, err, "NotFound")
			must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
			must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b})) // us-east-1 says 200 to the owner
			key := aws.String("bundles/a b/manifest+1.json")
			made := must[*s3.PutObjectOutput](t)(c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: key, Body: strings.NewReader(`{"a":1}`), ContentType: aws.String("application/json"), Metadata: map[string]string{"sha": "1"}, ChecksumAlgorithm: types.ChecksumAlgorithmSha256}))
			head := must[*s3.HeadObjectOutput](t)(c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: key, ChecksumMode: types.ChecksumModeEnabled}))
			if *head.ContentLength != 7 || head.Metadata["sha"] != "1" || *head.ETag != *made.ETag || *head.ContentType != "application/json" || aws.ToString(head.ChecksumSHA256) == "" {
				t.Errorf("head %+v", head)
			}
			got := must[*s3.GetObjectOutput](t)(c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: key}))
			if body := must[[]byte](t)(io.ReadAll(got.Body)); string(body) != `{"a":1}` {
				t.Errorf("body %q", body)
			}
			ranged := must[*s3.GetObjectOutput](t)(c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: key, Range: aws.String("bytes=1-3")}))
			if body := must[[]byte](t)(io.ReadAll(ranged.Body)); string(body) != `"a"` {
				t.Errorf("range %q", body)
			}
			_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: aws.String("none")})
			wantCode(t, err, "NotFound")
			_, err = c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("none")})
			wantCode(t, err, "NoSuchKey")
			_, err = c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: b, ExpectedBucketOwner: aws.String("999999999999")})
			wantCode(t, err, "Forbidden")
			_, err = c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: b})
			wantCode(t, err, "NotImplemented")
			_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b})
			wantCode(t, err, "BucketNotEmpty")
			must[*s3.DeleteObjectOutput](t)(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key}))
			must[*s3.DeleteBucketOutput](t)(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b}))
		})
	}
}

// What a lock needs (facts: aws-limits 4.5).
func TestConditionalWrites(t *testing.T) {
	box := open(t, sandbox.Options{})
	c := s3.NewFromConfig(config(box))
	ctx, b, key := t.Context(), aws.String("locks"), aws.String("lock.json")
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	write := func(match, noneMatch *string, body string) (*s3.PutObjectOutput, error) {
		return c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: key, Body: strings.NewReader(body), IfMatch: match, IfNoneMatch: noneMatch})
	}
	_, err := write(aws.String(`"0"`), nil, "x")
	wantCode(t, err, "NoSuchKey")
	one, err := write(nil, aws.String("*"), "one")
	if err != nil {
		t.Fatal(err)
	}
	_, err = write(nil, aws.String("*"), "two")
	wantCode(t, err, "PreconditionFailed")
	two, err := write(one.ETag, nil, "two")
	if err != nil {
		t.Fatal(err)
	}
	_, err = write(one.ETag, nil, "three")
	wantCode(t, err, "PreconditionFailed")
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key, IfMatch: one.ETag})
	wantCode(t, err, "PreconditionFailed")
	must[*s3.DeleteObjectOutput](t)(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key, IfMatch: two.ETag}))
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: key, Body: strings.NewReader("x"), ChecksumSHA256: aws.String("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")})
	wantCode(t, err, "BadDigest")
}

func TestListObjects(t *testing.T) {
	box := open(t, sandbox.Options{})
	c := s3.NewFromConfig(config(box))
	ctx, b := t.Context(), aws.String("many")
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	for i := range 25 {
		must[*s3.PutObjectOutput](t)(c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String(fmt.Sprintf("d%d/f%02d", i%3, i)), Body: strings.NewReader("x")}))
	}
	var keys []string
	in := &s3.ListObjectsV2Input{Bucket: b, MaxKeys: aws.Int32(7)}
	pages := 0
	for {
		out := must[*s3.ListObjectsV2Output](t)(c.ListObjectsV2(ctx, in))
		pages++
		for _, o := range out.Contents {
			keys = append(keys, *o.Key)
		}
		if in.ContinuationToken = out.NextContinuationToken; in.ContinuationToken == nil {
			break
		}
	}
	if len(keys) != 25 || pages != 4 || keys[0] != "d0/f00" || keys[24] != "d2/f23" {
		t.Errorf("%d keys in %d pages: %v", len(keys), pages, keys)
	}
	var prefixes []string
	in = &s3.ListObjectsV2Input{Bucket: b, MaxKeys: aws.Int32(1), Delimiter: aws.String("/")}
	for {
		out := must[*s3.ListObjectsV2Output](t)(c.ListObjectsV2(ctx, in))
		for _, p := range out.CommonPrefixes {
			prefixes = append(prefixes, *p.Prefix)
		}
		if in.ContinuationToken = out.NextContinuationToken; in.ContinuationToken == nil {
			break
		}
	}
	if d := cmp.Diff([]string{"d0/", "d1/", "d2/"}, prefixes); d != "" {
		t.Error(d)
	}
	out := must[*s3.ListObjectsV2Output](t)(c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b, Prefix: aws.String("d1/")}))
	if len(out.Contents) != 8 {
		t.Errorf("%d below d1/", len(out.Contents))
	}
	copied := must[*s3.CopyObjectOutput](t)(c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy"), CopySource: aws.String("many/d0/f00")}))
	if aws.ToString(copied.CopyObjectResult.ETag) == "" {
		t.Error("a copy has no ETag")
	}
	del := must[*s3.DeleteObjectsOutput](t)(c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: b, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("copy")}, {Key: aws.String("d0/f00")}}}}))
	if len(del.Deleted) != 2 {
		t.Errorf("deleted %+v", del)
	}
}

func TestMultipart(t *testing.T) {
	path := stateFile(t)
	box := open(t, sandbox.Options{Path: path})
	c := s3.NewFromConfig(config(box))
	ctx, b, key := t.Context(), aws.String("big"), aws.String("object")
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	up := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key}))
	var parts []types.CompletedPart
	for i := range 2 {
		// The second part comes through another process that has read the journal.
		other := s3.NewFromConfig(config(open(t, sandbox.Options{Path: path})))
		out := must[*s3.UploadPartOutput](t)(other.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(bytes.Repeat([]byte{byte('a' + i)}, 5<<20))}))
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(i + 1))})
	}
	done := must[*s3.CompleteMultipartUploadOutput](t)(c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}}))
	head := must[*s3.HeadObjectOutput](t)(c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: key}))
	if *head.ContentLength != 10<<20 {
		t.Errorf("%d bytes", *head.ContentLength)
	}
	if *head.ETag != *done.ETag || !strings.HasSuffix(*head.ETag, `-2"`) {
		t.Errorf("entity tags %s and %s", *done.ETag, *head.ETag)
	}
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: key, IfMatch: aws.String(`"other"`)})
	wantCode(t, err, "PreconditionFailed")
	must[*s3.PutObjectOutput](t)(c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: key, Body: strings.NewReader("v"), IfMatch: head.ETag}))
}
