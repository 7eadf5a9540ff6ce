//go:build unix

package sandbox_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"reconcile/pkg/sandbox"
)

// A part of zeros but for its first bytes takes no room, whatever its size: so
// a body of 60 GB passes on a small disk.
func TestZerosTakeNoRoom(t *testing.T) {
	path, ctx, b := stateFile(t), t.Context(), aws.String("models")
	c := s3Client(open(t, sandbox.Options{Path: path}))
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}))
	up := must[*s3.CreateMultipartUploadOutput](t)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: aws.String("assets/checkpoint/2")}))
	const parts, size = 4, 16 << 20
	whole := sha256.New()
	var done types.CompletedMultipartUpload
	for n := range parts {
		body := make([]byte, size+n) // the last block is not a whole one
		body[0], body[size/2] = byte(n+1), 0xff
		_, _ = whole.Write(body)
		out := must[*s3.UploadPartOutput](t)(c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(body)}))
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: out.ETag})
	}
	must[*s3.CompleteMultipartUploadOutput](t)(c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: up.Key, UploadId: up.UploadId, MultipartUpload: &done}))
	got := must[*s3.GetObjectOutput](t)(c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: up.Key}))
	read := sha256.New()
	if n := must[int64](t)(io.Copy(read, got.Body)); n != parts*size+6 || hex.EncodeToString(read.Sum(nil)) != hex.EncodeToString(whole.Sum(nil)) {
		t.Errorf("read %d bytes of another content", n)
	}
	if room := roomOf(t, path+".objects"); room > 1<<20 {
		t.Errorf("%d MiB of zeros take %d bytes", parts*size>>20, room)
	}
}

// BenchmarkUpload sends parts of 16 MiB over HTTP to one multipart upload, all
// different: -benchtime 320x is 5 GiB. Its two bodies say what a byte costs:
// one that fills the disk, and one that is zero but for its first bytes.
func BenchmarkUpload(b *testing.B) {
	for name, filled := range map[string]bool{"zeros": false, "full": true} {
		b.Run(name, func(b *testing.B) {
			path, ctx, bucket := stateFile(b), b.Context(), aws.String("models")
			server := httptest.NewServer(open(b, sandbox.Options{Path: path}))
			defer server.Close()
			plain := config(nil)
			plain.HTTPClient = server.Client()
			plain.BaseEndpoint = &server.URL
			c := s3.NewFromConfig(plain, func(o *s3.Options) { o.UsePathStyle = true })
			must[*s3.CreateBucketOutput](b)(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))
			up := must[*s3.CreateMultipartUploadOutput](b)(c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("k"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}))
			body := make([]byte, 16<<20)
			if filled {
				copy(body, bytes.Repeat(partBody(1), 3))
			}
			var m runtime.MemStats
			peak, n := uint64(0), int32(0)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				n++
				copy(body, fmt.Sprintf("part %d", n))
				must[*s3.UploadPartOutput](b)(c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: &n, Body: bytes.NewReader(body), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}))
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
			b.ReportMetric(float64(peak)/(1<<20), "MiB-heap-at-most")
			b.ReportMetric(float64(roomOf(b, path+".objects"))/(float64(n)*float64(len(body))), "disk-bytes/byte")
		})
	}
}

// roomOf is how much of the disk the files of a folder take.
func roomOf(t testing.TB, folder string) int64 {
	t.Helper()
	room := int64(0)
	for _, e := range must[[]os.DirEntry](t)(os.ReadDir(folder)) {
		if s, ok := must[os.FileInfo](t)(e.Info()).Sys().(*syscall.Stat_t); ok {
			room += s.Blocks * 512
		}
	}
	return room
}
