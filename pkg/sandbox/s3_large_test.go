package sandbox_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/pkg/sandbox"
)

const partSize = 6 << 20

// partBody is the n-th part of a test's upload; equal for equal n.
func partBody(n int) []byte {
	b := make([]byte, partSize)
	r := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = r.Read(b)
	return b
}

func s3Client(box *sandbox.Sandbox) *s3.Client { return s3.NewFromConfig(config(box)) }

func blobFiles(t *testing.T, path string) (files int, bytes int64) {
	t.Helper()
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(path + ".objects")) {
		files++
		bytes += must[os.FileInfo](t)(e.Info()).Size()
	}
	return files, bytes
}

// A long body is in neither the memory nor the state file, equal ones are kept
// once, and whoever opens the file finds the object.
func TestLargeObjectsAreBesideTheState(t *testing.T) {
	path, ctx, b := stateFile(t), t.Context(), aws.String("models")
	box := open(t, sandbox.Options{Path: path})
	c := s3Client(box)
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	up := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: b, Key: aws.String("assets/checkpoint/1"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}))
	var done types.CompletedMultipartUpload
	whole, shas := sha256.New(), sha256.New()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for n := range 8 {
		body := partBody(n % 2) // four times the same two
		out := must[*s3.UploadPartOutput](t)(c.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: b, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
		}))
		sum := sha256.Sum256(body)
		if aws.ToString(out.ChecksumSHA256) != base64.StdEncoding.EncodeToString(sum[:]) {
			t.Fatalf("part %d: checksum %v", n, aws.ToString(out.ChecksumSHA256))
		}
		_, _ = whole.Write(body)
		_, _ = shas.Write(sum[:])
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: out.ETag, ChecksumSHA256: out.ChecksumSHA256})
	}
	made := must[*s3.CompleteMultipartUploadOutput](t)(c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, MultipartUpload: &done, IfNoneMatch: aws.String("*")}))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2*partSize {
		t.Errorf("48 MiB uploaded leave %d bytes in memory", grown)
	}
	if want := base64.StdEncoding.EncodeToString(shas.Sum(nil)) + "-8"; aws.ToString(made.ChecksumSHA256) != want || made.ChecksumType != types.ChecksumTypeComposite {
		t.Errorf("checksum %v %v, want %s", aws.ToString(made.ChecksumSHA256), made.ChecksumType, want)
	}
	if files, size := blobFiles(t, path); files != 2 || size != 2*partSize {
		t.Errorf("%d files of %d bytes", files, size)
	}
	if info := must[os.FileInfo](t)(os.Stat(path)); info.Size() > 100<<10 {
		t.Errorf("the state file has %d bytes", info.Size())
	}

	again := s3Client(open(t, sandbox.Options{Path: path}))
	got := must[*s3.GetObjectOutput](t)(again.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: up.Key}))
	read := sha256.New()
	if n := must[int64](t)(io.Copy(read, got.Body)); n != 8*partSize || hex.EncodeToString(read.Sum(nil)) != hex.EncodeToString(whole.Sum(nil)) {
		t.Errorf("read %d bytes of another content", n)
	}
	ranged := must[*s3.GetObjectOutput](t)(again.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: up.Key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", partSize-2, partSize+1))}))
	if body := must[[]byte](t)(io.ReadAll(ranged.Body)); !bytes.Equal(body, append(partBody(0)[partSize-2:], partBody(1)[:2]...)) {
		t.Errorf("a range over two parts is %x", body)
	}
	attributes := must[*s3.GetObjectAttributesOutput](t)(again.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{
		Bucket: b, Key: up.Key, ObjectAttributes: []types.ObjectAttributes{types.ObjectAttributesObjectSize, types.ObjectAttributesChecksum, types.ObjectAttributesObjectParts},
	}))
	if *attributes.ObjectSize != 8*partSize || attributes.Checksum.ChecksumType != types.ChecksumTypeComposite || *attributes.ObjectParts.TotalPartsCount != 8 || len(attributes.ObjectParts.Parts) != 8 {
		t.Errorf("attributes %+v", attributes)
	}
	if err := sandbox.Renew(sandbox.Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".objects"); !os.IsNotExist(err) {
		t.Error("a reset leaves the bodies:", err)
	}
}

// The checksum of a whole object made of its parts' is the one of its bytes.
func TestFullObjectChecksums(t *testing.T) {
	box := open(t, sandbox.Options{})
	c, ctx, b := s3Client(box), t.Context(), aws.String("sums")
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	bodies := [][]byte{partBody(1), partBody(2), []byte("the end")}
	whole := bytes.Join(bodies, nil)
	nvme := crc64.Checksum(whole, crc64.MakeTable(0x9a6c9329ac4bc9b5))
	want := map[types.ChecksumAlgorithm]string{types.ChecksumAlgorithmCrc64nvme: base64.StdEncoding.EncodeToString([]byte{byte(nvme >> 56), byte(nvme >> 48), byte(nvme >> 40), byte(nvme >> 32), byte(nvme >> 24), byte(nvme >> 16), byte(nvme >> 8), byte(nvme)})}
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme} {
		one := must[*s3.PutObjectOutput](t)(c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("one"), Body: bytes.NewReader(whole), ChecksumAlgorithm: algorithm}))
		up := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("many"), ChecksumAlgorithm: algorithm, ChecksumType: types.ChecksumTypeFullObject}))
		var parts types.CompletedMultipartUpload
		for n, body := range bodies {
			out := must[*s3.UploadPartOutput](t)(c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(body), ChecksumAlgorithm: algorithm}))
			parts.Parts = append(parts.Parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: out.ETag})
		}
		made := must[*s3.CompleteMultipartUploadOutput](t)(c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, MultipartUpload: &parts}))
		have := aws.ToString(made.ChecksumCRC32) + aws.ToString(made.ChecksumCRC32C) + aws.ToString(made.ChecksumCRC64NVME)
		single := aws.ToString(one.ChecksumCRC32) + aws.ToString(one.ChecksumCRC32C) + aws.ToString(one.ChecksumCRC64NVME)
		if have == "" || have != single || want[algorithm] != "" && have != want[algorithm] || made.ChecksumType != types.ChecksumTypeFullObject {
			t.Errorf("%s: of the parts %q, of the whole %q, want %q", algorithm, have, single, want[algorithm])
		}
	}
	wrong := aws.String(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("bad"), Body: strings.NewReader("x"), ChecksumSHA256: wrong})
	wantCode(t, err, "BadDigest")
	sum := md5.Sum([]byte("y"))
	_, err = c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: aws.String("bad"), Body: strings.NewReader("x"), ContentMD5: aws.String(base64.StdEncoding.EncodeToString(sum[:]))})
	wantCode(t, err, "BadDigest")
}

// An upload whose sender was killed is found, its whole parts too, and a torn
// body is none.
func TestKilledUploadIsFound(t *testing.T) {
	path, ctx, b := stateFile(t), t.Context(), aws.String("models")
	box := open(t, sandbox.Options{Path: path})
	c := s3Client(box)
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	up := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("assets/vae/1")}))
	must[*s3.UploadPartOutput](t)(c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(partBody(1))}))

	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	conn := must[net.Conn](t)(net.Dial("tcp", server.Listener.Addr().String()))
	_, err := fmt.Fprintf(conn, "PUT /models/assets/vae/1?partNumber=2&uploadId=%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n", *up.UploadId, server.Listener.Addr(), partSize)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(partBody(2)[:1<<20]); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}

	c = s3Client(open(t, sandbox.Options{Path: path}))
	list := must[*s3.ListMultipartUploadsOutput](t)(c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b, Prefix: aws.String("assets/")}))
	if len(list.Uploads) != 1 || *list.Uploads[0].UploadId != *up.UploadId {
		t.Fatalf("uploads %+v", list.Uploads)
	}
	parts := must[*s3.ListPartsOutput](t)(c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: up.Key, UploadId: up.UploadId}))
	if len(parts.Parts) != 1 || *parts.Parts[0].Size != partSize || aws.ToString(parts.Parts[0].ChecksumCRC64NVME) == "" {
		t.Errorf("parts %+v", parts.Parts)
	}
	must[*s3.AbortMultipartUploadOutput](t)(c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: up.Key, UploadId: up.UploadId}))
	_, err = c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: up.Key, UploadId: up.UploadId})
	wantCode(t, err, "NoSuchUpload")
	if left := must[[]string](t)(filepath.Glob(filepath.Join(path+".objects", "tmp-*"))); len(left) > 1 {
		t.Errorf("torn bodies stay: %v", left)
	}
}

// Conditions of every write, as the lock of a deployment needs them.
func TestConditionsOfWritesAndCopies(t *testing.T) {
	box := open(t, sandbox.Options{})
	c, ctx, b, key := s3Client(box), t.Context(), aws.String("locks"), aws.String("lock")
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	put := func(body string, none, match *string) (*s3.PutObjectOutput, error) {
		return c.PutObject(ctx, &s3.PutObjectInput{Bucket: b, Key: key, Body: strings.NewReader(body), IfNoneMatch: none, IfMatch: match})
	}
	_, err := put("x", nil, aws.String(`"0123"`))
	wantCode(t, err, "NoSuchKey")
	first := must[*s3.PutObjectOutput](t)(put("one", aws.String("*"), nil))
	_, err = put("two", aws.String("*"), nil)
	wantCode(t, err, "PreconditionFailed")
	second := must[*s3.PutObjectOutput](t)(put("two", nil, first.ETag))
	_, err = put("three", nil, first.ETag)
	wantCode(t, err, "PreconditionFailed")

	source := aws.String("locks/lock")
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy"), CopySource: source, CopySourceIfMatch: first.ETag})
	wantCode(t, err, "PreconditionFailed")
	must[*s3.CopyObjectOutput](t)(c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy"), CopySource: source, CopySourceIfMatch: second.ETag, IfNoneMatch: aws.String("*")}))
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy"), CopySource: source, IfNoneMatch: aws.String("*")})
	wantCode(t, err, "PreconditionFailed")
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: key, CopySource: source})
	wantCode(t, err, "InvalidRequest")

	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key, IfMatch: first.ETag})
	wantCode(t, err, "PreconditionFailed")
	must[*s3.DeleteObjectOutput](t)(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key, IfMatch: second.ETag}))
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b, Key: key, IfMatch: second.ETag})
	wantCode(t, err, "NoSuchKey")
}
