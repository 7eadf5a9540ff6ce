package sandbox

import (
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
)

// bucket is an S3 bucket of the account. Every object is a list of versions,
// the oldest first; without versioning it has one, with an empty id.
type bucket struct {
	Name       string                 `json:"name"`
	Region     string                 `json:"region"`
	Created    time.Time              `json:"created"`
	Versioning string                 `json:"versioning,omitempty"` // Enabled, Suspended or never set
	Objects    map[string][]*s3Object `json:"objects,omitempty"`
	Uploads    map[string]*upload     `json:"uploads,omitempty"` // by upload id
	Tags       map[string]string      `json:"tags,omitempty"`
	Settings   map[string]string      `json:"settings,omitempty"` // put by hand, by query name; "" was deleted
	Stack      string                 `json:"stack,omitempty"`    // ARN of the stack that made it
}

type s3Object struct {
	ID       string            `json:"id,omitempty"`
	Body     []byte            `json:"body,omitempty"` // of state files from before there were chunks
	Chunks   []chunk           `json:"chunks,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Hash     string            `json:"md5,omitempty"`
	Sums     map[string]string `json:"sums,omitempty"` // checksums by algorithm, in base64
	SumType  string            `json:"sumType,omitempty"`
	Modified time.Time         `json:"modified"`
	Parts    int               `json:"parts,omitempty"` // of a multipart upload
	PartSums []partSum         `json:"partSums,omitempty"`
	Marker   bool              `json:"deleteMarker,omitempty"`
}

type partSum struct {
	Size int64             `json:"n"`
	Sums map[string]string `json:"sums,omitempty"`
}

// chunks are where the bytes are.
func (o *s3Object) chunks() []chunk {
	if len(o.Body) > 0 {
		return []chunk{{Body: o.Body, Size: int64(len(o.Body))}}
	}
	return o.Chunks
}

func (o *s3Object) size() int64 {
	n := int64(0)
	for _, c := range o.chunks() {
		n += c.Size
	}
	return n
}

// partSizes are those of a multipart object; any other has one part.
func (o *s3Object) partSizes() []int64 {
	if len(o.PartSums) == 0 {
		return []int64{o.size()}
	}
	var out []int64
	for _, p := range o.PartSums {
		out = append(out, p.Size)
	}
	return out
}

// current is the object of a key as a plain GET sees it; nil when there is none.
func (b *bucket) current(key string) *s3Object {
	versions := b.Objects[key]
	if len(versions) == 0 || versions[len(versions)-1].Marker {
		return nil
	}
	return versions[len(versions)-1]
}

// put makes a version current. Without versioning it takes the place of the
// version with no id.
func (b *bucket) put(a *account, key string, o *s3Object) {
	makeMap(&b.Objects)
	if b.Versioning == string(gofakes3.VersioningEnabled) {
		o.ID = a.draw("object")[:32]
	} else {
		b.Objects[key] = slices.DeleteFunc(b.Objects[key], func(v *s3Object) bool { return v.ID == "" })
	}
	b.Objects[key] = append(b.Objects[key], o)
}

// remove is a DELETE without a version: a marker where versions are kept.
func (b *bucket) remove(a *account, key string, now time.Time) *s3Object {
	if b.Versioning != "" {
		marker := &s3Object{Marker: true, Modified: now}
		b.put(a, key, marker)
		return marker
	}
	delete(b.Objects, key)
	return nil
}

// removeVersion takes one version away for good.
func (b *bucket) removeVersion(key, id string) *s3Object {
	if id == "null" {
		id = ""
	}
	versions := b.Objects[key]
	i := slices.IndexFunc(versions, func(v *s3Object) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	gone := versions[i]
	b.Objects[key] = slices.Delete(versions, i, i+1)
	if len(b.Objects[key]) == 0 {
		delete(b.Objects, key)
	}
	return gone
}

// s3Backend keeps buckets in the account's state. It is called while the
// sandbox serves one request.
type s3Backend struct{ s *Sandbox }

var (
	_ gofakes3.Backend          = (*s3Backend)(nil)
	_ gofakes3.VersionedBackend = (*s3Backend)(nil)
)

// s3Clock is the sandbox's clock as gofakes3 asks for it.
type s3Clock struct{ s *Sandbox }

// Now implements gofakes3.TimeSource.
func (c s3Clock) Now() time.Time { return c.s.clock }

// Since implements gofakes3.TimeSource.
func (c s3Clock) Since(t time.Time) time.Duration { return c.s.clock.Sub(t) }

func (d *s3Backend) bucket(name string) (*bucket, error) {
	if b := d.s.account.Buckets[name]; b != nil {
		return b, nil
	}
	return nil, gofakes3.BucketNotFound(name)
}

// ListBuckets implements gofakes3.Backend.
func (d *s3Backend) ListBuckets() ([]gofakes3.BucketInfo, error) {
	out := []gofakes3.BucketInfo{}
	for _, name := range sortedKeys(d.s.account.Buckets) {
		out = append(out, gofakes3.BucketInfo{Name: name, CreationDate: gofakes3.NewContentTime(d.s.account.Buckets[name].Created)})
	}
	return out, nil
}

// ListBucket implements gofakes3.Backend.
func (d *s3Backend) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b, err := d.bucket(name)
	if err != nil {
		return nil, err
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	out := gofakes3.NewObjectList()
	var n int64
	last, lastPrefix := "", ""
	for _, key := range sortedKeys(b.Objects) {
		o := b.current(key)
		var match gofakes3.PrefixMatch
		if o == nil || !prefix.Match(key, &match) || key <= page.Marker || match.CommonPrefix && strings.HasPrefix(page.Marker, match.MatchedPart) {
			continue
		}
		if match.CommonPrefix && match.MatchedPart == lastPrefix {
			last = key
			continue
		}
		if page.MaxKeys > 0 && n == page.MaxKeys {
			out.IsTruncated, out.NextMarker = true, last
			break
		}
		n++
		last = key
		if match.CommonPrefix {
			lastPrefix = match.MatchedPart
			out.AddPrefix(match.MatchedPart)
			continue
		}
		out.Add(&gofakes3.Content{Key: key, LastModified: gofakes3.NewContentTime(o.Modified), ETag: o.etag(), Size: o.size(), StorageClass: gofakes3.StorageStandard})
	}
	return out, nil
}

// CreateBucket implements gofakes3.Backend.
func (d *s3Backend) CreateBucket(name string) error {
	if d.s.account.Buckets[name] != nil {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	d.s.account.Buckets[name] = &bucket{Name: name, Region: d.s.account.Region, Created: d.s.clock}
	return nil
}

// BucketExists implements gofakes3.Backend.
func (d *s3Backend) BucketExists(name string) (bool, error) {
	return d.s.account.Buckets[name] != nil, nil
}

// DeleteBucket implements gofakes3.Backend.
func (d *s3Backend) DeleteBucket(name string) error {
	b, err := d.bucket(name)
	if err != nil {
		return err
	}
	if len(b.Objects) > 0 {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	return d.ForceDeleteBucket(name)
}

// ForceDeleteBucket implements gofakes3.Backend.
func (d *s3Backend) ForceDeleteBucket(name string) error {
	delete(d.s.account.Buckets, name)
	return nil
}

// Objects themselves are served by s3_objects.go; gofakes3 never sees their
// bodies. What its interface asks for beyond listings is refused.

// GetObject implements gofakes3.Backend.
func (d *s3Backend) GetObject(string, string, *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// HeadObject implements gofakes3.Backend.
func (d *s3Backend) HeadObject(string, string) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// PutObject implements gofakes3.Backend.
func (d *s3Backend) PutObject(string, string, map[string]string, io.Reader, int64, *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	return gofakes3.PutObjectResult{}, gofakes3.ErrNotImplemented
}

const preconditionText = "At least one of the pre-conditions you specified did not hold"

// tagged tells whether a condition names the object's entity tag.
func (o *s3Object) tagged(match string) bool {
	return match == "*" || strings.Trim(match, `"`) == strings.Trim(o.etag(), `"`)
}

// DeleteObject implements gofakes3.Backend.
func (d *s3Backend) DeleteObject(string, string) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, gofakes3.ErrNotImplemented
}

// DeleteMulti implements gofakes3.Backend.
func (d *s3Backend) DeleteMulti(name string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	ids := make([]gofakes3.ObjectID, len(keys))
	for i, key := range keys {
		ids[i].Key = key
	}
	return d.DeleteMultiVersions(name, ids...)
}

// CopyObject implements gofakes3.Backend.
func (d *s3Backend) CopyObject(string, string, string, string, map[string]string) (gofakes3.CopyObjectResult, error) {
	return gofakes3.CopyObjectResult{}, gofakes3.ErrNotImplemented
}

// sortVersions orders a key's versions as listings show them, the newest first.
func sortVersions(versions []*s3Object) []*s3Object {
	out := slices.Clone(versions)
	slices.Reverse(out)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Modified.After(out[j].Modified) })
	return out
}
