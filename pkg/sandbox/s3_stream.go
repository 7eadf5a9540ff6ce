package sandbox

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// isUpload tells a request whose body becomes an object or a part of one.
func isUpload(r *http.Request) bool {
	sc, ok := signatureScope(r, r.URL.Query())
	if !ok || sc.service != "s3" || r.Method != http.MethodPut || r.Header.Get("X-Amz-Copy-Source") != "" {
		return false
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if bucketOfHost(r) == "" {
		_, path, _ = strings.Cut(path, "/")
	}
	query := r.URL.Query()
	for name := range query {
		if !strings.HasPrefix(name, "X-Amz-") && !slices.Contains([]string{"partNumber", "uploadId", "x-id"}, name) {
			return false
		}
	}
	return path != ""
}

// receive spools the body of an upload and holds it against what its headers say.
func (s *Sandbox) receive(r *http.Request) (*spooled, map[string]string, error) {
	body := io.Reader(r.Body)
	if r.Body == nil {
		body = strings.NewReader("")
	}
	trailers := map[string]string{}
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		body = &chunkedBody{in: bufio.NewReader(body), trailers: trailers}
	}
	var sums []string
	for _, a := range checksums() {
		if r.Header.Get(checksumHeader(a)) != "" || strings.EqualFold(r.Header.Get("X-Amz-Sdk-Checksum-Algorithm"), a) || strings.EqualFold(r.Header.Get("X-Amz-Trailer"), checksumHeader(a)) {
			sums = append(sums, a)
		}
	}
	if len(sums) == 0 {
		sums = []string{"Crc64nvme"} // what S3 computes by itself
	}
	got, err := s.blobs.spool(body, sums)
	return got, trailers, err
}

// hold refuses a body that is not what the headers announce.
func (q *s3Request) hold(r *http.Request) *Fail {
	b := q.Blob
	for name, have := range b.Sums {
		if want, ok := q.Header[checksumHeader(name)]; ok && want != have {
			return s3Fail("BadDigest", 400, "The "+strings.ToUpper(name)+" you specified did not match the calculated checksum.")
		}
	}
	if want := q.Header["Content-Md5"]; want != "" && want != base64OfHex(b.MD5) {
		return s3Fail("BadDigest", 400, "The Content-MD5 you specified did not match what we received.")
	}
	if want := r.Header.Get("X-Amz-Content-Sha256"); len(want) == 64 && want != b.SHA {
		return s3Fail("XAmzContentSHA256Mismatch", 400, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if want, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err == nil && want != b.Size {
		return s3Fail("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	if b.Size > 5<<30 {
		return s3Fail("EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size")
	}
	return nil
}

// errTorn is the end of a chunked body before its end.
var errTorn = errors.New("the chunked body is torn")

// chunkedBody decodes an aws-chunked body while it is read.
type chunkedBody struct {
	in       *bufio.Reader
	left     int64
	begun    bool
	done     bool
	trailers map[string]string
}

// Read implements io.Reader.
func (c *chunkedBody) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.done {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if errors.Is(err, io.EOF) && (c.left > 0 || !c.done) {
		err = errTorn
	}
	return n, err
}

func (c *chunkedBody) next() error {
	if c.begun { // the end of the chunk before
		if line, err := c.line(); err != nil || line != "" {
			return errTorn
		}
	}
	c.begun = true
	line, err := c.line()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 62)
	if err != nil {
		return errTorn
	}
	if c.left = int64(n); n > 0 {
		return nil
	}
	c.done = true
	for {
		line, err := c.line()
		if err != nil || line == "" {
			return nil //nolint:nilerr // the last line may lack its end
		}
		if name, value, ok := strings.Cut(line, ":"); ok {
			c.trailers[http.CanonicalHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
}

func (c *chunkedBody) line() (string, error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return "", errTorn
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
