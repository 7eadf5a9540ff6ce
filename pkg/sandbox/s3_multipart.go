package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"sort"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// upload is a multipart upload that is not completed yet.
type upload struct {
	Key     string            `json:"key"`
	Meta    map[string]string `json:"meta,omitempty"`
	Created time.Time         `json:"created"`
	Parts   map[int]*s3Part   `json:"parts,omitempty"`
}

type s3Part struct {
	Body     []byte    `json:"body"`
	Hash     string    `json:"md5"`
	Modified time.Time `json:"modified"`
}

// minPart is the least size of every part but the last.
const minPart = 5 << 20

var _ gofakes3.MultipartBackend = (*s3Backend)(nil)

func (d *s3Backend) upload(name, key string, id gofakes3.UploadID) (*bucket, *upload, error) {
	b, err := d.bucket(name)
	if err != nil {
		return nil, nil, err
	}
	u := b.Uploads[string(id)]
	if u == nil || u.Key != key {
		return nil, nil, gofakes3.ErrNoSuchUpload
	}
	return b, u, nil
}

// CreateMultipartUpload implements gofakes3.MultipartBackend.
func (d *s3Backend) CreateMultipartUpload(name, key string, meta map[string]string) (gofakes3.UploadID, error) {
	b, err := d.bucket(name)
	if err != nil {
		return "", err
	}
	makeMap(&b.Uploads)
	id := d.s.account.draw("upload")
	b.Uploads[id] = &upload{Key: key, Meta: maps.Clone(meta), Created: d.s.clock, Parts: map[int]*s3Part{}}
	return gofakes3.UploadID(id), nil
}

// UploadPart implements gofakes3.MultipartBackend.
func (d *s3Backend) UploadPart(name, key string, id gofakes3.UploadID, number int, size int64, input io.Reader) (string, error) {
	body, err := gofakes3.ReadAll(input, size)
	if err != nil {
		return "", err
	}
	_, u, err := d.upload(name, key, id)
	if err != nil {
		return "", err
	}
	if number < 1 || number > 10_000 {
		return "", gofakes3.ErrInvalidPart
	}
	sum := md5.Sum(body)
	p := &s3Part{Body: body, Hash: hex.EncodeToString(sum[:]), Modified: d.s.clock}
	makeMap(&u.Parts)
	u.Parts[number] = p
	return `"` + p.Hash + `"`, nil
}

// CompleteMultipartUpload implements gofakes3.MultipartBackend.
func (d *s3Backend) CompleteMultipartUpload(name, key string, id gofakes3.UploadID, input *gofakes3.CompleteMultipartUploadRequest) (gofakes3.VersionID, string, error) {
	b, u, err := d.upload(name, key, id)
	if err != nil {
		return "", "", err
	}
	var body bytes.Buffer
	sums := md5.New()
	for i, want := range input.Parts {
		p := u.Parts[want.PartNumber]
		switch {
		case p == nil || strings.Trim(want.ETag, `"`) != p.Hash:
			return "", "", gofakes3.ErrInvalidPart
		case i > 0 && want.PartNumber <= input.Parts[i-1].PartNumber:
			return "", "", gofakes3.ErrInvalidPartOrder
		case i < len(input.Parts)-1 && len(p.Body) < minPart:
			return "", "", gofakes3.ErrorMessage("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
		}
		_, _ = body.Write(p.Body)
		sum, err := hex.DecodeString(p.Hash)
		if err != nil {
			return "", "", err
		}
		_, _ = sums.Write(sum) // a hash never fails
	}
	if len(input.Parts) == 0 {
		return "", "", gofakes3.ErrMalformedXML
	}
	o := &s3Object{Body: body.Bytes(), Meta: u.Meta, Hash: hex.EncodeToString(sums.Sum(nil)), Parts: len(input.Parts), Modified: d.s.clock}
	b.put(d.s.account, key, o)
	delete(b.Uploads, string(id))
	return gofakes3.VersionID(o.ID), o.etag(), nil
}

// AbortMultipartUpload implements gofakes3.MultipartBackend.
func (d *s3Backend) AbortMultipartUpload(name, key string, id gofakes3.UploadID) error {
	b, _, err := d.upload(name, key, id)
	if err != nil {
		return err
	}
	delete(b.Uploads, string(id))
	return nil
}

// ListMultipartUploads implements gofakes3.MultipartBackend.
func (d *s3Backend) ListMultipartUploads(name string, marker *gofakes3.UploadListMarker, prefix gofakes3.Prefix, limit int64) (*gofakes3.ListMultipartUploadsResult, error) {
	b, err := d.bucket(name)
	if err != nil {
		return nil, err
	}
	out := &gofakes3.ListMultipartUploadsResult{Bucket: name, Prefix: prefix.Prefix, Delimiter: prefix.Delimiter, MaxUploads: limit}
	ids := sortedKeys(b.Uploads)
	sort.SliceStable(ids, func(i, j int) bool { return b.Uploads[ids[i]].Key < b.Uploads[ids[j]].Key })
	for _, id := range ids {
		u := b.Uploads[id]
		if marker != nil && (u.Key < marker.Object || u.Key == marker.Object && gofakes3.UploadID(id) <= marker.UploadID) || !strings.HasPrefix(u.Key, prefix.Prefix) {
			continue
		}
		if limit > 0 && int64(len(out.Uploads)) == limit {
			last := out.Uploads[limit-1]
			out.IsTruncated, out.NextKeyMarker, out.NextUploadIDMarker = true, last.Key, last.UploadID
			break
		}
		out.Uploads = append(out.Uploads, gofakes3.ListMultipartUploadItem{Key: u.Key, UploadID: gofakes3.UploadID(id), Initiated: gofakes3.NewContentTime(u.Created), StorageClass: gofakes3.StorageStandard})
	}
	return out, nil
}

// ListParts implements gofakes3.MultipartBackend.
func (d *s3Backend) ListParts(name, key string, id gofakes3.UploadID, marker int, limit int64) (*gofakes3.ListMultipartUploadPartsResult, error) {
	_, u, err := d.upload(name, key, id)
	if err != nil {
		return nil, err
	}
	out := &gofakes3.ListMultipartUploadPartsResult{Bucket: name, Key: key, UploadID: id, MaxParts: limit, PartNumberMarker: marker, StorageClass: gofakes3.StorageStandard}
	numbers := make([]int, 0, len(u.Parts))
	for n := range u.Parts {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	for _, n := range numbers {
		if n <= marker {
			continue
		}
		if limit > 0 && int64(len(out.Parts)) == limit {
			out.IsTruncated, out.NextPartNumberMarker = true, out.Parts[limit-1].PartNumber
			break
		}
		p := u.Parts[n]
		out.Parts = append(out.Parts, gofakes3.ListMultipartUploadPartItem{PartNumber: n, ETag: `"` + p.Hash + `"`, Size: int64(len(p.Body)), LastModified: gofakes3.NewContentTime(p.Modified)})
	}
	return out, nil
}

// etag is the entity tag as headers carry it. That of a multipart object is
// a hash of hashes with the number of parts.
func (o *s3Object) etag() string {
	if o.Parts > 0 {
		return fmt.Sprintf(`"%s-%d"`, o.Hash, o.Parts)
	}
	return `"` + o.Hash + `"`
}
