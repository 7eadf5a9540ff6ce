package sandbox

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// s3Call is a request for an object or for a setting of a bucket.
type s3Call struct {
	*call
	q      *s3Request
	query  url.Values
	bucket *bucket
	key    string
}

// objectHeaders are kept with an object and come back with it.
func objectHeaders() []string {
	return []string{
		"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language", "Cache-Control", "X-Amz-Storage-Class",
		"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id",
	}
}

func keptHeaders(header map[string]string) map[string]string {
	out := map[string]string{}
	for name, value := range header {
		if slices.Contains(objectHeaders(), name) || strings.HasPrefix(name, "X-Amz-Meta-") {
			out[name] = value
		}
	}
	return out
}

func base64OfHex(h string) string {
	b, err := hex.DecodeString(h)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}

func noKey() *Fail { return s3Fail("NoSuchKey", 404, "The specified key does not exist.") }

func precondition(condition string) *Fail {
	return s3Fail("PreconditionFailed", 412, preconditionText+" ("+condition+")")
}

// writable holds the conditions of a write against what is there. If-Match on
// an object that does not exist is a 404 in S3, not a 412.
func (c *s3Call) writable() *Fail {
	o := c.bucket.current(c.key)
	if none := c.q.Header["If-None-Match"]; none != "" {
		if none != "*" {
			return s3Fail("NotImplemented", 501, "A header you provided implies functionality that is not implemented")
		}
		if o != nil {
			return precondition("If-None-Match")
		}
	}
	if match := c.q.Header["If-Match"]; match != "" {
		if o == nil {
			return noKey()
		}
		if !o.tagged(match) {
			return precondition("If-Match")
		}
	}
	return nil
}

func ok(header http.Header) *answer { return &answer{status: http.StatusOK, header: header} }

// version writes the header that names a version.
func (c *s3Call) version(h http.Header, o *s3Object) {
	switch {
	case o.ID != "":
		h.Set("X-Amz-Version-Id", o.ID)
	case c.bucket.Versioning != "":
		h.Set("X-Amz-Version-Id", "null")
	}
}

func (o *s3Object) checksums(h http.Header) {
	for _, name := range sortedKeys(o.Sums) {
		h.Set(checksumHeader(name), o.Sums[name])
		h.Set("X-Amz-Checksum-Type", o.sumType())
	}
}

func (o *s3Object) sumType() string {
	if o.SumType == "" {
		return "FULL_OBJECT"
	}
	return o.SumType
}

func (c *s3Call) putObject() (*answer, *Fail) {
	if refused := c.writable(); refused != nil {
		return nil, refused
	}
	tags, refused := headerTags(c.q.Header["X-Amz-Tagging"])
	if refused != nil {
		return nil, refused
	}
	b := c.q.Blob
	o := &s3Object{Chunks: []chunk{b.chunk}, Meta: keptHeaders(c.q.Header), Hash: b.MD5, Modified: c.now, Sums: b.Sums, Tags: tags}
	c.bucket.put(c.account, c.key, o)
	return c.written(o), nil
}

func (c *s3Call) written(o *s3Object) *answer {
	h := http.Header{"Etag": {o.etag()}, "X-Amz-Server-Side-Encryption": {o.encryption()}}
	o.checksums(h)
	c.version(h, o)
	return ok(h)
}

func (o *s3Object) encryption() string {
	if s := o.Meta["X-Amz-Server-Side-Encryption"]; s != "" {
		return s
	}
	return "AES256"
}

// wanted finds the version that a request asks for.
func (c *s3Call) wanted(version string) (*s3Object, *Fail) {
	if version == "" {
		versions := c.bucket.Objects[c.key]
		if o := c.bucket.current(c.key); o != nil {
			return o, nil
		}
		if len(versions) > 0 {
			return versions[len(versions)-1], noKey()
		}
		return nil, noKey()
	}
	_, o, err := (&s3Backend{c.sandbox}).version(c.bucket.Name, c.key, gofakes3.VersionID(version))
	switch {
	case err != nil && len(c.bucket.Objects[c.key]) == 0:
		return nil, noKey()
	case err != nil:
		return nil, s3Fail("NoSuchVersion", 404, "The specified version does not exist.")
	case o.Marker:
		return o, s3Fail("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
	}
	return o, nil
}

// unmodified are the conditions of a read.
func (o *s3Object) unmodified(header map[string]string) (status int) {
	modified := o.Modified.Truncate(time.Second)
	since := func(name string) (time.Time, bool) {
		t, err := http.ParseTime(header[name])
		return t, err == nil
	}
	if match := header["If-Match"]; match != "" {
		if !o.tagged(match) {
			return http.StatusPreconditionFailed
		}
	} else if t, ok := since("If-Unmodified-Since"); ok && modified.After(t) {
		return http.StatusPreconditionFailed
	}
	if none := header["If-None-Match"]; none != "" {
		if o.tagged(none) {
			return http.StatusNotModified
		}
	} else if t, ok := since("If-Modified-Since"); ok && !modified.After(t) {
		return http.StatusNotModified
	}
	return 0
}

// getObject answers GET and HEAD.
func (c *s3Call) getObject() (*answer, *Fail) {
	o, refused := c.wanted(c.query.Get("versionId"))
	if refused != nil {
		if o != nil && o.Marker {
			refused.header = http.Header{"X-Amz-Delete-Marker": {"true"}}
			c.version(refused.header, o)
		}
		return nil, refused
	}
	h := http.Header{}
	for name, value := range o.Meta {
		h.Set(name, value)
	}
	h.Set("Etag", o.etag())
	h.Set("Last-Modified", o.Modified.UTC().Format(http.TimeFormat))
	h.Set("Accept-Ranges", "bytes")
	h.Set("X-Amz-Server-Side-Encryption", o.encryption())
	c.version(h, o)
	if len(o.Tags) > 0 {
		h.Set("X-Amz-Tagging-Count", strconv.Itoa(len(o.Tags)))
	}
	switch o.unmodified(c.q.Header) {
	case http.StatusNotModified:
		return &answer{status: http.StatusNotModified, header: h}, nil
	case http.StatusPreconditionFailed:
		return nil, s3Fail("PreconditionFailed", 412, preconditionText)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "binary/octet-stream")
	}
	for name, values := range c.query {
		if header, ok := strings.CutPrefix(name, "response-"); ok && len(values) > 0 {
			h.Set(header, values[0])
		}
	}
	return c.stretch(o, h)
}

// stretch answers the whole object, a range or a part of it.
func (c *s3Call) stretch(o *s3Object, h http.Header) (*answer, *Fail) {
	a := &answer{status: http.StatusOK, header: h}
	from, length := int64(0), o.size()
	part := c.query.Get("partNumber")
	switch {
	case part != "":
		n, err := strconv.Atoi(part)
		sizes := o.partSizes()
		if err != nil || n < 1 || n > len(sizes) {
			return nil, s3Fail("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
		}
		for _, size := range sizes[:n-1] {
			from += size
		}
		length = sizes[n-1]
		if o.Parts > 0 {
			h.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(o.Parts))
			a.status = http.StatusPartialContent
		}
	case c.q.Header["Range"] != "":
		var partial, satisfiable bool
		if from, length, partial, satisfiable = byteRange(c.q.Header["Range"], o.size()); !satisfiable {
			f := s3Fail("InvalidRange", 416, "The requested range is not satisfiable")
			f.header = http.Header{"Content-Range": {"bytes */" + strconv.FormatInt(o.size(), 10)}}
			return nil, f
		}
		if partial {
			a.status = http.StatusPartialContent
		}
	}
	if a.status == http.StatusPartialContent {
		h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(from+length-1, 10)+"/"+strconv.FormatInt(o.size(), 10))
	} else if c.q.Header["X-Amz-Checksum-Mode"] == "ENABLED" {
		o.checksums(h)
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	a.length = length
	if c.q.Method == http.MethodGet {
		a.stream = c.sandbox.blobs.open(o.chunks(), from, length)
	}
	return a, nil
}

// byteRange reads one range; one that makes no sense is no range, as HTTP says.
func byteRange(s string, size int64) (from, length int64, partial, satisfiable bool) {
	spec, ok := strings.CutPrefix(s, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, true
	}
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, size, false, true
		}
		n = min(n, size)
		return size - n, n, true, n > 0
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil || start < 0 {
		return 0, size, false, true
	}
	end := size - 1
	if last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < start {
			return 0, size, false, true
		}
		end = min(n, size-1)
	}
	return start, end - start + 1, true, start < size
}

// deleteObject answers DELETE of an object or of one of its versions.
func (c *s3Call) deleteObject() (*answer, *Fail) {
	if match := c.q.Header["If-Match"]; match != "" {
		o := c.bucket.current(c.key)
		if o == nil {
			return nil, noKey()
		}
		if !o.tagged(match) {
			return nil, precondition("If-Match")
		}
	}
	a := &answer{status: http.StatusNoContent, header: http.Header{}}
	if id := c.query.Get("versionId"); id != "" {
		gone := c.bucket.removeVersion(c.key, id)
		a.header.Set("X-Amz-Version-Id", id)
		if gone != nil && gone.Marker {
			a.header.Set("X-Amz-Delete-Marker", "true")
		}
		return a, nil
	}
	if marker := c.bucket.remove(c.account, c.key, c.now); marker != nil {
		a.header.Set("X-Amz-Delete-Marker", "true")
		c.version(a.header, marker)
	}
	return a, nil
}

// s3XML writes an answer.
func s3XML(root string, d doc, h http.Header) *answer {
	h.Set("Content-Type", "application/xml")
	return &answer{status: http.StatusOK, header: h, body: d.document(root)}
}

func (d doc) document(root string) []byte {
	var w strings.Builder
	w.WriteString(xml.Header + "<" + root + ` xmlns="` + s3Namespace + `">` + d.fragment() + "</" + root + ">")
	return []byte(w.String())
}

// getObjectAttributes answers what X-Amz-Object-Attributes asks for.
func (c *s3Call) getObjectAttributes() (*answer, *Fail) {
	o, refused := c.wanted(c.query.Get("versionId"))
	if refused != nil {
		return nil, refused
	}
	out := doc{}
	for name := range strings.SplitSeq(c.q.Header["X-Amz-Object-Attributes"], ",") {
		switch strings.TrimSpace(name) {
		case "ETag":
			out["ETag"] = strings.Trim(o.etag(), `"`)
		case "ObjectSize":
			out["ObjectSize"] = o.size()
		case "StorageClass":
			out["StorageClass"] = o.storageClass()
		case "Checksum":
			if sums := o.sumDoc(); len(sums) > 0 {
				sums["ChecksumType"] = o.sumType()
				out["Checksum"] = sums
			}
		case "ObjectParts":
			if o.Parts > 0 {
				out["ObjectParts"] = o.partDoc()
			}
		default:
			return nil, s3Fail("InvalidArgument", 400, "Invalid attribute name specified.")
		}
	}
	h := http.Header{"Last-Modified": {o.Modified.UTC().Format(http.TimeFormat)}}
	c.version(h, o)
	return s3XML("GetObjectAttributesResponse", out, h), nil
}

func (o *s3Object) storageClass() string {
	if s := o.Meta["X-Amz-Storage-Class"]; s != "" {
		return s
	}
	return "STANDARD"
}

func (o *s3Object) sumDoc() doc {
	out := doc{}
	for name, sum := range o.Sums {
		out["Checksum"+strings.ToUpper(name)] = sum
	}
	return out
}

// partDoc lists the parts where their checksums are kept, as S3 does.
func (o *s3Object) partDoc() doc {
	out := doc{"PartsCount": o.Parts, "PartNumberMarker": 0, "NextPartNumberMarker": o.Parts, "MaxParts": 1000, "IsTruncated": false}
	var list repeats
	for i, p := range o.PartSums {
		d := doc{"PartNumber": i + 1, "Size": p.Size}
		for name, sum := range p.Sums {
			d["Checksum"+strings.ToUpper(name)] = sum
		}
		list = append(list, d)
	}
	out["Part"] = list
	return out
}
