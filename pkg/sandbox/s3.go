package sandbox

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// S3 is served by gofakes3 over a backend of our own (s3_backend.go). Here is
// what it leaves to others: virtual hosts, chunked bodies, checksums,
// conditions of a delete, and a refusal of what it would take for something else.

// s3Headers are the request headers that S3 acts on; the rest, signatures
// among it, is not kept.
var s3Headers = []string{
	"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Cache-Control", "Content-Md5", "Range",
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
	"X-Amz-Copy-Source", "X-Amz-Copy-Source-Range", "X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match", "X-Amz-Metadata-Directive",
	"X-Amz-Checksum-Algorithm", "X-Amz-Checksum-Type", "X-Amz-Checksum-Mode", "X-Amz-Object-Attributes", "X-Amz-Expected-Bucket-Owner", "X-Amz-Storage-Class", "X-Amz-Tagging",
	"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	"X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256", "X-Amz-Checksum-Crc64nvme",
}

// s3Queries are the query parameters of the operations that are served.
// Another one, such as policy or tagging, asks for an operation that is not.
var s3Queries = []string{
	"attributes", "cors", "encryption", "lifecycle", "logging", "ownershipControls", "policy", "publicAccessBlock",
	"continuation-token", "delete", "delimiter", "encoding-type", "fetch-owner", "key-marker", "list-type", "location", "marker",
	"max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber", "prefix", "start-after", "tagging", "upload-id-marker", "uploadId",
	"uploads", "version-id-marker", "versionId", "versioning", "versions", "x-id", "max-buckets", "bucket-region",
}

// s3Route understands an S3 request; what comes out is in path style.
func s3Route(r *http.Request, body []byte) (*s3Request, *Fail) {
	path := r.URL.EscapedPath()
	if bucket := bucketOfHost(r); bucket != "" {
		path = "/" + bucket + path
	}
	query := r.URL.Query()
	for name := range query {
		if strings.HasPrefix(name, "X-Amz-") {
			query.Del(name) // a presigned URL
		} else if !slices.Contains(s3Queries, name) && !strings.HasPrefix(name, "response-") {
			return nil, &Fail{Code: "NotImplemented", Message: "the sandbox's S3 has no operation for ?" + name, Status: http.StatusNotImplemented}
		}
	}
	req := &s3Request{Method: r.Method, URI: path, Header: map[string]string{}, Body: body}
	if len(query) > 0 {
		req.URI += "?" + query.Encode()
	}
	for _, name := range s3Headers {
		if v := strings.Join(r.Header.Values(name), ","); v != "" {
			req.Header[name] = v
		}
	}
	for name := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			req.Header[name] = r.Header.Get(name)
		}
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") && !isUpload(r) {
		if err := req.unchunk(); err != nil {
			return nil, err
		}
	}
	return req, req.verify()
}

// bucketOfHost is the bucket of a virtual-hosted request:
// BUCKET.s3.REGION.amazonaws.com, BUCKET.localhost, BUCKET.sandbox.
func bucketOfHost(r *http.Request) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if net.ParseIP(host) != nil {
		return ""
	}
	for _, base := range []string{".s3.", ".s3-"} {
		if i := strings.Index(host, base); i > 0 && strings.HasSuffix(host, ".amazonaws.com") {
			return host[:i]
		}
	}
	for _, base := range []string{".localhost", ".sandbox"} {
		if bucket, ok := strings.CutSuffix(host, base); ok {
			return bucket
		}
	}
	return ""
}

func s3Fail(code string, status int, message string) *Fail {
	return &Fail{Code: code, Message: message, Status: status}
}

// unchunk decodes an aws-chunked body; a trailing checksum becomes a header.
func (q *s3Request) unchunk() *Fail {
	bad := s3Fail("IncompleteBody", 400, "The request body terminated unexpectedly")
	rest := q.Body
	var out []byte
	for {
		line, after, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok {
			return bad
		}
		size, _, _ := strings.Cut(string(line), ";")
		n, err := strconv.ParseUint(size, 16, 31)
		if err != nil || n > uint64(len(after)) {
			return bad
		}
		out = append(out, after[:n]...)
		rest = after[n:]
		if n == 0 {
			break
		}
		if rest, ok = bytes.CutPrefix(rest, []byte("\r\n")); !ok {
			return bad
		}
	}
	for line := range strings.SplitSeq(string(rest), "\r\n") {
		name, value, ok := strings.Cut(line, ":")
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if ok && slices.Contains(s3Headers, name) {
			q.Header[name] = strings.TrimSpace(value)
		}
	}
	q.Body = out
	if encoding := strings.TrimPrefix(strings.TrimPrefix(q.Header["Content-Encoding"], "aws-chunked"), ","); encoding != "" {
		q.Header["Content-Encoding"] = encoding
	} else {
		delete(q.Header, "Content-Encoding")
	}
	return nil
}

// verify holds the body against the checksum that came with it.
func (q *s3Request) verify() *Fail {
	if q.Method != http.MethodPut || len(q.Body) == 0 {
		return nil
	}
	for name, sum := range map[string]func() hash.Hash{
		"X-Amz-Checksum-Crc32":  func() hash.Hash { return crc32.NewIEEE() },
		"X-Amz-Checksum-Crc32c": func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"X-Amz-Checksum-Sha1":   sha1.New,
		"X-Amz-Checksum-Sha256": sha256.New,
	} {
		want, ok := q.Header[name]
		if !ok {
			continue
		}
		h := sum()
		_, _ = h.Write(q.Body) // a hash never fails
		if base64.StdEncoding.EncodeToString(h.Sum(nil)) != want {
			return s3Fail("BadDigest", 400, "The "+strings.TrimPrefix(name, "X-Amz-Checksum-")+" you specified did not match the calculated checksum.")
		}
	}
	return nil
}

// bucket and key of a path-style URI; empty when there is none.
func (q *s3Request) target() (bucket, key string, query url.Values) {
	u, err := url.ParseRequestURI(q.URI)
	if err != nil {
		return "", "", nil
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return bucket, key, u.Query()
}

// operation is the name that the API reference gives the request, for
// counting and faults.
func (q *s3Request) operation() string {
	bucket, key, query := q.target()
	has := func(name string) bool { return query.Has(name) }
	if s := settingOf(q); s != nil {
		return s.operation(q.Method)
	}
	switch {
	case has("attributes"):
		return "GetObjectAttributes"
	case has("uploadId") && q.Method == http.MethodPut && q.Header["X-Amz-Copy-Source"] != "":
		return "UploadPartCopy"
	case has("uploadId"):
		return map[string]string{"GET": "ListParts", "PUT": "UploadPart", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}[q.Method]
	case has("uploads"):
		return map[string]string{"GET": "ListMultipartUploads", "POST": "CreateMultipartUpload"}[q.Method]
	case has("versioning"):
		return map[string]string{"GET": "GetBucketVersioning", "PUT": "PutBucketVersioning"}[q.Method]
	case has("tagging") && key != "":
		return map[string]string{"GET": "GetObjectTagging", "PUT": "PutObjectTagging", "DELETE": "DeleteObjectTagging"}[q.Method]
	case has("tagging"):
		return map[string]string{"GET": "GetBucketTagging", "PUT": "PutBucketTagging", "DELETE": "DeleteBucketTagging"}[q.Method]
	case has("versions"):
		return "ListObjectVersions"
	case has("location"):
		return "GetBucketLocation"
	case has("delete"):
		return "DeleteObjects"
	case key != "" && q.Header["X-Amz-Copy-Source"] != "":
		return "CopyObject"
	case key != "":
		return map[string]string{"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}[q.Method]
	case bucket == "":
		return "ListBuckets"
	case q.Method == http.MethodGet && query.Get("list-type") == "2":
		return "ListObjectsV2"
	}
	return map[string]string{"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}[q.Method]
}

// serveS3 answers a request.
func (s *Sandbox) serveS3(c *call, q *s3Request) *answer {
	bucket, key, query := q.target()
	if refused := s.checkS3(c, q); refused != nil {
		return s.refuse(refused, protocolS3, nil, uuid(hexOf("s3", q.URI)))
	}
	if b := c.account.Buckets[bucket]; b != nil && key == "" && q.Method == http.MethodPut && q.operation() == "CreateBucket" {
		if c.region.Name == "us-east-1" { // facts: failure-modes C11
			return &answer{status: http.StatusOK, header: http.Header{"Location": {"/" + bucket}}}
		}
		return s.refuse(s3Fail("BucketAlreadyOwnedByYou", 409, "Your previous request to create the named bucket succeeded and you already own it."), protocolS3, nil, uuid(hexOf("s3", q.URI)))
	}
	if query.Has("tagging") && key == "" {
		return s.serveBucketTags(c, q, bucket)
	}
	if own := s.ownS3(q, key, query); own != nil {
		at := &s3Call{call: c, q: q, query: query, bucket: c.account.Buckets[bucket], key: key}
		if at.bucket == nil {
			return s.refuse(s3Fail("NoSuchBucket", 404, "The specified bucket does not exist"), protocolS3, nil, uuid(hexOf("s3", q.URI)))
		}
		a, refused := own(at)
		if refused != nil {
			return s.refuse(refused, protocolS3, nil, uuid(hexOf("s3", q.URI)))
		}
		return a
	}
	r, err := http.NewRequestWithContext(c.ctx, q.Method, "http://s3"+q.URI, bytes.NewReader(q.Body))
	if err != nil {
		return s.refuse(s3Fail("InvalidURI", 400, "Couldn't parse the specified URI."), protocolS3, nil, uuid(hexOf("s3", q.URI)))
	}
	for name, value := range q.Header {
		if !strings.HasPrefix(name, "If-") || key != "" {
			r.Header.Set(name, value)
		}
	}
	r.Header.Set("Content-Length", strconv.Itoa(len(q.Body)))
	w := &recorder{header: http.Header{}, status: http.StatusOK}
	s.s3.ServeHTTP(w, r)
	if b := c.account.Buckets[bucket]; b != nil {
		w.header.Set("X-Amz-Bucket-Region", b.Region)
	}
	return &answer{status: w.status, header: w.header, body: w.body.Bytes()}
}

// ownS3 finds the handler of an operation that gofakes3 does not serve.
func (s *Sandbox) ownS3(q *s3Request, key string, query url.Values) func(*s3Call) (*answer, *Fail) {
	if set := settingOf(q); set != nil && key == "" {
		return func(c *s3Call) (*answer, *Fail) { return c.serveSetting(set) }
	}
	if query.Has("uploads") && q.Method == http.MethodGet {
		return (*s3Call).listUploads
	}
	if key == "" {
		return nil
	}
	return map[string]func(*s3Call) (*answer, *Fail){
		"PutObject": (*s3Call).putObject, "GetObject": (*s3Call).getObject, "HeadObject": (*s3Call).getObject, "DeleteObject": (*s3Call).deleteObject,
		"CopyObject": (*s3Call).copyObject, "GetObjectAttributes": (*s3Call).getObjectAttributes, "CreateMultipartUpload": (*s3Call).createUpload,
		"UploadPart": (*s3Call).uploadPart, "UploadPartCopy": (*s3Call).uploadPart, "CompleteMultipartUpload": (*s3Call).completeUpload,
		"AbortMultipartUpload": (*s3Call).abortUpload, "ListParts": (*s3Call).listParts,
		"GetObjectTagging": (*s3Call).objectTags, "PutObjectTagging": (*s3Call).objectTags, "DeleteObjectTagging": (*s3Call).objectTags,
	}[q.operation()]
}

// checkS3 refuses the wrong owner.
func (s *Sandbox) checkS3(c *call, q *s3Request) *Fail {
	if owner := q.Header["X-Amz-Expected-Bucket-Owner"]; owner != "" && owner != c.account.ID {
		return s3Fail("AccessDenied", 403, "Access Denied")
	}
	return nil
}

// recorder collects a handler's answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header         { return w.header }
func (w *recorder) WriteHeader(status int)      { w.status = status }
func (w *recorder) Write(b []byte) (int, error) { return w.body.Write(b) }

// newS3 makes the handler for the account in memory.
func (s *Sandbox) newS3() http.Handler {
	return gofakes3.New(&s3Backend{s}, gofakes3.WithTimeSource(s3Clock{s}), gofakes3.WithTimeSkewLimit(0), gofakes3.WithRequestID(binary.BigEndian.Uint64([]byte("sandbox0")))).Server()
}
