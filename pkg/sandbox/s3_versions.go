package sandbox

import (
	"slices"

	"github.com/johannesboyne/gofakes3"
)

// VersioningConfiguration implements gofakes3.VersionedBackend.
func (d *s3Backend) VersioningConfiguration(name string) (gofakes3.VersioningConfiguration, error) {
	b, err := d.bucket(name)
	if err != nil {
		return gofakes3.VersioningConfiguration{}, err
	}
	return gofakes3.VersioningConfiguration{Status: gofakes3.VersioningStatus(b.Versioning)}, nil
}

// SetVersioningConfiguration implements gofakes3.VersionedBackend.
func (d *s3Backend) SetVersioningConfiguration(name string, v gofakes3.VersioningConfiguration) error {
	b, err := d.bucket(name)
	if err != nil {
		return err
	}
	if v.MFADelete.Enabled() {
		return gofakes3.ErrNotImplemented
	}
	b.Versioning = string(v.Status)
	return nil
}

// version finds a version; "null" is the one without an id.
func (d *s3Backend) version(name, key string, id gofakes3.VersionID) (*bucket, *s3Object, error) {
	b, err := d.bucket(name)
	if err != nil {
		return nil, nil, err
	}
	versions, want := b.Objects[key], string(id)
	if want == "null" {
		want = ""
	}
	if len(versions) == 0 {
		return nil, nil, gofakes3.KeyNotFound(key)
	}
	i := slices.IndexFunc(versions, func(v *s3Object) bool { return v.ID == want })
	if i < 0 {
		return nil, nil, gofakes3.ErrNoSuchVersion
	}
	return b, versions[i], nil
}

// GetObjectVersion implements gofakes3.VersionedBackend.
func (d *s3Backend) GetObjectVersion(string, string, gofakes3.VersionID, *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// HeadObjectVersion implements gofakes3.VersionedBackend.
func (d *s3Backend) HeadObjectVersion(string, string, gofakes3.VersionID) (*gofakes3.Object, error) {
	return nil, gofakes3.ErrNotImplemented
}

// DeleteObjectVersion implements gofakes3.VersionedBackend.
func (d *s3Backend) DeleteObjectVersion(string, string, gofakes3.VersionID) (gofakes3.ObjectDeleteResult, error) {
	return gofakes3.ObjectDeleteResult{}, gofakes3.ErrNotImplemented
}

// DeleteMultiVersions implements gofakes3.VersionedBackend.
func (d *s3Backend) DeleteMultiVersions(name string, ids ...gofakes3.ObjectID) (gofakes3.MultiDeleteResult, error) {
	b, err := d.bucket(name)
	if err != nil {
		return gofakes3.MultiDeleteResult{}, err
	}
	var out gofakes3.MultiDeleteResult
	for _, id := range ids {
		if id.VersionID != "" {
			b.removeVersion(id.Key, id.VersionID)
		} else {
			b.remove(d.s.account, id.Key, d.s.clock)
		}
		out.Deleted = append(out.Deleted, id)
	}
	return out, nil
}

// ListBucketVersions implements gofakes3.VersionedBackend.
func (d *s3Backend) ListBucketVersions(name string, prefix *gofakes3.Prefix, page *gofakes3.ListBucketVersionsPage) (*gofakes3.ListBucketVersionsResult, error) {
	b, err := d.bucket(name)
	if err != nil {
		return nil, err
	}
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	if page == nil {
		page = &gofakes3.ListBucketVersionsPage{}
	}
	out := gofakes3.NewListBucketVersionsResult(name, prefix, page)
	var n int64
	var lastKey string
	var lastID gofakes3.VersionID
	for _, key := range sortedKeys(b.Objects) {
		var match gofakes3.PrefixMatch
		if !prefix.Match(key, &match) || key < page.KeyMarker || key == page.KeyMarker && !page.HasVersionIDMarker {
			continue
		}
		if match.CommonPrefix {
			out.AddPrefix(match.MatchedPart)
			continue
		}
		skip := key == page.KeyMarker
		for i, v := range sortVersions(b.Objects[key]) {
			id := gofakes3.VersionID(v.ID)
			if id == "" {
				id = "null"
			}
			if skip {
				skip = id != page.VersionIDMarker
				continue
			}
			if page.MaxKeys > 0 && n == page.MaxKeys {
				out.IsTruncated, out.NextKeyMarker, out.NextVersionIDMarker = true, lastKey, lastID
				return out, nil
			}
			n++
			lastKey, lastID = key, id
			out.Versions = append(out.Versions, listed(key, id, v, i == 0))
		}
	}
	return out, nil
}

func listed(key string, id gofakes3.VersionID, v *s3Object, latest bool) gofakes3.VersionItem {
	if v.Marker {
		return &gofakes3.DeleteMarker{Key: key, VersionID: id, IsLatest: latest, LastModified: gofakes3.NewContentTime(v.Modified)}
	}
	return &gofakes3.Version{Key: key, VersionID: id, IsLatest: latest, LastModified: gofakes3.NewContentTime(v.Modified), Size: v.size(), ETag: v.etag(), StorageClass: gofakes3.StorageStandard}
}
