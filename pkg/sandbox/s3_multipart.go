package sandbox

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// upload is a multipart upload that is not completed yet.
type upload struct {
	Key     string            `json:"key"`
	Meta    map[string]string `json:"meta,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Created time.Time         `json:"created"`
	Sum     string            `json:"sum,omitempty"`     // algorithm; "" for S3's own choice
	SumType string            `json:"sumType,omitempty"` // COMPOSITE or FULL_OBJECT
	Parts   map[int]*s3Part   `json:"parts,omitempty"`
}

type s3Part struct {
	Chunks   []chunk           `json:"chunks"`
	Size     int64             `json:"size"`
	Hash     string            `json:"md5"`
	Sums     map[string]string `json:"sums,omitempty"`
	Modified time.Time         `json:"modified"`
}

// Limits of S3's multipart uploads.
const (
	minPart  = 5 << 20 // every part but the last
	maxParts = 10_000
)

func noUpload() *Fail {
	return s3Fail("NoSuchUpload", 404, "The specified multipart upload does not exist. The upload ID might be invalid, or the multipart upload might have been aborted or completed.")
}

func (c *s3Call) upload() (*upload, *Fail) {
	u := c.bucket.Uploads[c.query.Get("uploadId")]
	if u == nil || u.Key != c.key {
		return nil, noUpload()
	}
	return u, nil
}

// createUpload: what the parts' checksums become is said here.
func (c *s3Call) createUpload() (*answer, *Fail) {
	tags, refused := headerTags(c.q.Header["X-Amz-Tagging"])
	if refused != nil {
		return nil, refused
	}
	u := &upload{Key: c.key, Meta: keptHeaders(c.q.Header), Tags: tags, Created: c.now, Parts: map[int]*s3Part{}}
	h := http.Header{}
	if name := c.q.Header["X-Amz-Checksum-Algorithm"]; name != "" {
		u.Sum, u.SumType = algorithmOf(name), c.q.Header["X-Amz-Checksum-Type"]
		if u.Sum == "" {
			return nil, s3Fail("InvalidRequest", 400, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
		}
		if u.SumType == "" {
			u.SumType = "COMPOSITE"
			if u.Sum == "Crc64nvme" {
				u.SumType = "FULL_OBJECT"
			}
		}
		if u.SumType == "FULL_OBJECT" == strings.HasPrefix(u.Sum, "Sha") || u.SumType == "COMPOSITE" && u.Sum == "Crc64nvme" {
			return nil, s3Fail("InvalidRequest", 400, "The "+u.SumType+" checksum type cannot be used with the "+strings.ToLower(u.Sum)+" checksum algorithm.")
		}
		h.Set("X-Amz-Checksum-Algorithm", strings.ToUpper(u.Sum))
		h.Set("X-Amz-Checksum-Type", u.SumType)
	}
	makeMap(&c.bucket.Uploads)
	id := c.account.draw("upload")
	c.bucket.Uploads[id] = u
	return s3XML("InitiateMultipartUploadResult", doc{"Bucket": c.bucket.Name, "Key": c.key, "UploadId": id}, h), nil
}

func (c *s3Call) uploadPart() (*answer, *Fail) {
	u, refused := c.upload()
	if refused != nil {
		return nil, refused
	}
	n, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || n < 1 || n > maxParts {
		return nil, s3Fail("InvalidArgument", 400, "Part number must be an integer between 1 and 10000, inclusive")
	}
	if c.q.Header["X-Amz-Copy-Source"] != "" {
		return c.copyPart(u, n)
	}
	b := c.q.Blob
	if u.Sum != "" && b.Sums[u.Sum] == "" {
		for name := range b.Sums {
			if name != "Crc64nvme" {
				return nil, s3Fail("InvalidRequest", 400, "Checksum Type mismatch occurred, expected checksum Type: "+strings.ToLower(u.Sum)+", actual checksum Type: "+strings.ToLower(name))
			}
		}
	}
	p := &s3Part{Chunks: []chunk{b.chunk}, Size: b.Size, Hash: b.MD5, Sums: b.Sums, Modified: c.now}
	makeMap(&u.Parts)
	u.Parts[n] = p
	h := http.Header{"Etag": {`"` + p.Hash + `"`}, "X-Amz-Server-Side-Encryption": {"AES256"}}
	for name, sum := range p.Sums {
		h.Set(checksumHeader(name), sum)
	}
	return ok(h), nil
}

// copyPart makes a part of a stretch of another object, without a second copy.
func (c *s3Call) copyPart(u *upload, n int) (*answer, *Fail) {
	_, _, o, refused := c.copySource()
	if refused != nil {
		return nil, refused
	}
	from, length := int64(0), o.size()
	if r := c.q.Header["X-Amz-Copy-Source-Range"]; r != "" {
		var satisfiable bool
		if from, length, _, satisfiable = byteRange(r, o.size()); !satisfiable {
			return nil, s3Fail("InvalidArgument", 400, "Range specified is not valid for source object of size: "+strconv.FormatInt(o.size(), 10))
		}
	}
	p := &s3Part{Size: length, Modified: c.now}
	for _, part := range o.chunks() {
		if from >= part.Size {
			from -= part.Size
			continue
		}
		if size := min(part.Size-from, length); size > 0 {
			p.Chunks = append(p.Chunks, cut(part, from, size))
			length -= size
		}
		from = 0
	}
	sum, err := c.md5Of(p.Chunks, p.Size)
	if err != nil {
		return nil, asFail(err)
	}
	p.Hash = sum
	makeMap(&u.Parts)
	u.Parts[n] = p
	return s3XML("CopyPartResult", doc{"ETag": `"` + sum + `"`, "LastModified": c.now}, http.Header{}), nil
}

// completion is the body of CompleteMultipartUpload.
type completion struct {
	Parts []struct {
		Number int    `xml:"PartNumber"`
		ETag   string `xml:"ETag"`
		Crc32  string `xml:"ChecksumCRC32"`
		Crc32c string `xml:"ChecksumCRC32C"`
		Sha1   string `xml:"ChecksumSHA1"`
		Sha256 string `xml:"ChecksumSHA256"`
		Crc64  string `xml:"ChecksumCRC64NVME"`
	} `xml:"Part"`
}

// completeUpload joins the parts; no byte is copied.
func (c *s3Call) completeUpload() (*answer, *Fail) {
	u, refused := c.upload()
	if refused != nil {
		return nil, refused
	}
	var in completion
	if xml.Unmarshal(c.q.Body, &in) != nil || len(in.Parts) == 0 {
		return nil, s3Fail("MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema")
	}
	if refused := c.writable(); refused != nil {
		return nil, refused
	}
	o := &s3Object{Meta: u.Meta, Tags: u.Tags, Parts: len(in.Parts), Modified: c.now}
	sums := md5.New()
	for i, want := range in.Parts {
		p := u.Parts[want.Number]
		bad := func(have, want string) bool { return want != "" && have != want }
		switch {
		case p == nil || strings.Trim(want.ETag, `"`) != p.Hash,
			bad(p.Sums["Crc32"], want.Crc32), bad(p.Sums["Crc32c"], want.Crc32c), bad(p.Sums["Sha1"], want.Sha1), bad(p.Sums["Sha256"], want.Sha256), bad(p.Sums["Crc64nvme"], want.Crc64):
			return nil, s3Fail("InvalidPart", 400, "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		case i > 0 && want.Number <= in.Parts[i-1].Number:
			return nil, s3Fail("InvalidPartOrder", 400, "The list of parts was not in ascending order. Parts must be ordered by part number.")
		case i < len(in.Parts)-1 && p.Size < minPart:
			return nil, s3Fail("EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")
		}
		o.Chunks = append(o.Chunks, p.Chunks...)
		o.PartSums = append(o.PartSums, partSum{p.Size, p.Sums})
		sum, err := hex.DecodeString(p.Hash)
		if err != nil {
			return nil, asFail(err)
		}
		_, _ = sums.Write(sum) // a hash never fails
	}
	o.Hash = hex.EncodeToString(sums.Sum(nil))
	if refused := c.sumUp(u, o); refused != nil {
		return nil, refused
	}
	c.bucket.put(c.account, c.key, o)
	delete(c.bucket.Uploads, c.query.Get("uploadId"))
	h := http.Header{"X-Amz-Server-Side-Encryption": {o.encryption()}}
	c.version(h, o)
	out := o.sumDoc()
	if len(out) > 0 {
		out["ChecksumType"] = o.sumType()
	}
	out["Location"] = "https://" + c.bucket.Name + ".s3." + c.bucket.Region + ".amazonaws.com/" + c.key
	out["Bucket"], out["Key"], out["ETag"] = c.bucket.Name, c.key, o.etag()
	return s3XML("CompleteMultipartUploadResult", out, h), nil
}

// sumUp makes the object's checksum of its parts', and holds it against the
// one that the request announces.
func (c *s3Call) sumUp(u *upload, o *s3Object) *Fail {
	name, kind := u.Sum, u.SumType
	if name == "" {
		name, kind = "Crc64nvme", "FULL_OBJECT"
	}
	var parts []string
	var sizes []int64
	for _, p := range o.PartSums {
		parts, sizes = append(parts, p.Sums[name]), append(sizes, p.Size)
	}
	var sum string
	var known bool
	if kind == "FULL_OBJECT" {
		sum, known = fullObject(name, parts, sizes)
	} else {
		sum, known = composite(name, parts)
	}
	if !known {
		return nil // a part came without
	}
	if want := c.q.Header[checksumHeader(name)]; want != "" && strings.Split(want, "-")[0] != strings.Split(sum, "-")[0] {
		return s3Fail("BadDigest", 400, "The "+strings.ToLower(name)+" you specified did not match what we received.")
	}
	o.Sums, o.SumType = map[string]string{name: sum}, kind
	return nil
}

func (c *s3Call) abortUpload() (*answer, *Fail) {
	if _, refused := c.upload(); refused != nil {
		return nil, refused
	}
	delete(c.bucket.Uploads, c.query.Get("uploadId"))
	return &answer{status: http.StatusNoContent, header: http.Header{}}, nil
}

// limit reads max-uploads and max-parts: 1,000 at most.
func (c *s3Call) limit(name string) int {
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil || n < 0 || n > 1000 {
		return 1000
	}
	return n
}

func (c *s3Call) listUploads() (*answer, *Fail) {
	limit, prefix := c.limit("max-uploads"), c.query.Get("prefix")
	keyMarker, idMarker := c.query.Get("key-marker"), c.query.Get("upload-id-marker")
	ids := sortedKeys(c.bucket.Uploads)
	sort.SliceStable(ids, func(i, j int) bool { return c.bucket.Uploads[ids[i]].Key < c.bucket.Uploads[ids[j]].Key })
	out := doc{"Bucket": c.bucket.Name, "KeyMarker": keyMarker, "UploadIdMarker": idMarker, "Prefix": opt(prefix), "MaxUploads": limit, "IsTruncated": false}
	var list, prefixes repeats
	var seen []string
	for _, id := range ids {
		u := c.bucket.Uploads[id]
		if !strings.HasPrefix(u.Key, prefix) || u.Key < keyMarker || u.Key == keyMarker && (idMarker == "" || id <= idMarker) {
			continue
		}
		if d := c.query.Get("delimiter"); d != "" {
			if rest := strings.TrimPrefix(u.Key, prefix); strings.Contains(rest, d) {
				common := prefix + rest[:strings.Index(rest, d)+len(d)]
				if !slices.Contains(seen, common) {
					seen = append(seen, common)
					prefixes = append(prefixes, doc{"Prefix": common})
				}
				continue
			}
		}
		if len(list) == limit {
			out["IsTruncated"] = true
			break
		}
		owner := doc{"ID": c.account.ID, "DisplayName": "sandbox"}
		d := doc{"Key": u.Key, "UploadId": id, "Initiated": u.Created, "StorageClass": "STANDARD", "Initiator": owner, "Owner": owner}
		if u.Sum != "" {
			d["ChecksumAlgorithm"], d["ChecksumType"] = strings.ToUpper(u.Sum), u.SumType
		}
		list = append(list, d)
		out["NextKeyMarker"], out["NextUploadIdMarker"] = u.Key, id
	}
	if out["IsTruncated"] == false {
		out["NextKeyMarker"], out["NextUploadIdMarker"] = nil, nil
	}
	out["Upload"], out["CommonPrefixes"] = list, prefixes
	return s3XML("ListMultipartUploadsResult", out, http.Header{}), nil
}

func (c *s3Call) listParts() (*answer, *Fail) {
	u, refused := c.upload()
	if refused != nil {
		return nil, refused
	}
	limit := c.limit("max-parts")
	marker, err := strconv.Atoi(c.query.Get("part-number-marker"))
	if err != nil {
		marker = 0
	}
	out := doc{"Bucket": c.bucket.Name, "Key": c.key, "UploadId": c.query.Get("uploadId"), "PartNumberMarker": marker, "MaxParts": limit, "IsTruncated": false, "StorageClass": "STANDARD"}
	if u.Sum != "" {
		out["ChecksumAlgorithm"], out["ChecksumType"] = strings.ToUpper(u.Sum), u.SumType
	}
	numbers := make([]int, 0, len(u.Parts))
	for n := range u.Parts {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	var list repeats
	for _, n := range numbers {
		if n <= marker {
			continue
		}
		if len(list) == limit {
			out["IsTruncated"] = true
			break
		}
		p := u.Parts[n]
		d := doc{"PartNumber": n, "ETag": `"` + p.Hash + `"`, "Size": p.Size, "LastModified": p.Modified}
		for name, sum := range p.Sums {
			d["Checksum"+strings.ToUpper(name)] = sum
		}
		list = append(list, d)
		out["NextPartNumberMarker"] = n
	}
	out["Part"] = list
	return s3XML("ListPartsResult", out, http.Header{}), nil
}

// etag is the entity tag as headers carry it. That of a multipart object is
// a hash of hashes with the number of parts.
func (o *s3Object) etag() string {
	if o.Parts > 0 {
		return fmt.Sprintf(`"%s-%d"`, o.Hash, o.Parts)
	}
	return `"` + o.Hash + `"`
}
