package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// copySource finds what X-Amz-Copy-Source names, and holds its conditions.
func (c *s3Call) copySource() (*bucket, string, *s3Object, *Fail) {
	address, version, _ := strings.Cut(c.q.Header["X-Amz-Copy-Source"], "?versionId=")
	path, err := url.PathUnescape(strings.TrimPrefix(address, "/"))
	name, key, found := strings.Cut(path, "/")
	if err != nil || !found {
		return nil, "", nil, s3Fail("InvalidArgument", 400, "Invalid copy source object key")
	}
	from := c.account.Buckets[name]
	if from == nil {
		return nil, "", nil, s3Fail("NoSuchBucket", 404, "The specified bucket does not exist")
	}
	source := *c
	source.bucket, source.key = from, key
	o, refused := source.wanted(version)
	if refused != nil {
		return nil, "", nil, refused
	}
	if match := c.q.Header["X-Amz-Copy-Source-If-Match"]; match != "" && !o.tagged(match) {
		return nil, "", nil, precondition("x-amz-copy-source-If-Match")
	}
	if none := c.q.Header["X-Amz-Copy-Source-If-None-Match"]; none != "" && o.tagged(none) {
		return nil, "", nil, precondition("x-amz-copy-source-If-None-Match")
	}
	return from, key, o, nil
}

func (c *s3Call) copyObject() (*answer, *Fail) {
	from, key, o, refused := c.copySource()
	if refused != nil {
		return nil, refused
	}
	if refused := c.writable(); refused != nil {
		return nil, refused
	}
	replace := strings.EqualFold(c.q.Header["X-Amz-Metadata-Directive"], "REPLACE")
	switch {
	case from == c.bucket && key == c.key && !replace && c.q.Header["X-Amz-Storage-Class"] == "":
		return nil, s3Fail("InvalidRequest", 400, "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	case o.size() > 5<<30:
		return nil, s3Fail("InvalidRequest", 400, "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120")
	}
	made := &s3Object{Chunks: slices.Clone(o.chunks()), Meta: maps.Clone(o.Meta), Hash: o.Hash, Modified: c.now, Sums: maps.Clone(o.Sums), SumType: o.SumType, Tags: maps.Clone(o.Tags)}
	if replace {
		made.Meta = keptHeaders(c.q.Header)
	}
	if o.Parts > 0 { // the copy is one piece
		sum, err := c.md5Of(o.chunks(), o.size())
		if err != nil {
			return nil, asFail(err)
		}
		made.Hash, made.Sums, made.SumType = sum, nil, ""
	}
	c.bucket.put(c.account, c.key, made)
	h := http.Header{}
	c.version(h, made)
	if o.ID != "" {
		h.Set("X-Amz-Copy-Source-Version-Id", o.ID)
	}
	out := doc{"ETag": made.etag(), "LastModified": c.now}
	for name, sum := range made.Sums {
		out["Checksum"+strings.ToUpper(name)] = sum
	}
	return s3XML("CopyObjectResult", out, h), nil
}

func (c *s3Call) md5Of(chunks []chunk, size int64) (string, error) {
	r := c.sandbox.blobs.open(chunks, 0, size)
	defer func() { _ = r.Close() }() // it was only read
	h := md5.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
