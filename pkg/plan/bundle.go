package plan

import (
	"fmt"
	"path"
	"slices"

	"reconcile/pkg/spec"
)

// stored tells whether the manifest is there and says what the specs say.
func (b Bundle) stored(live LiveBundle) bool {
	return live.Exists && live.Manifest != nil && b.Manifest.Same(*live.Manifest)
}

// origins are where the assets come from, without what is known of it.
func (b Bundle) origins() []Asset {
	out := slices.Clone(b.Assets)
	for i := range out {
		out[i].Local, out[i].Source, out[i].Hash = nil, spec.Source{}, spec.Source{}
	}
	return out
}

// bundle decides what has to be stored for a bundle. A manifest that is there
// was written after all of its assets, so these are looked for only without it,
// or when the bundle is named: one that lost an asset is mended so.
func (c *computation) bundle(b *Bundle, n *node) {
	for i := range b.Assets {
		c.wrongFile(b, &b.Assets[i])
	}
	at := b.Object()
	live, read := c.l.Bundles[objectKey(at)]
	if !read {
		c.more.manifests[at] = true
	}
	stored := b.stored(live)
	if stored && len(c.sel.Bundles) == 0 {
		return
	}
	step := Step{
		ID: n.id, Kind: KindBundle, Target: b.Name, Action: ActionCreate, Source: b.Source, Base: FingerprintBundle(&live),
		Body:     Body{Bundle: &BundleBody{Name: b.Name, Bucket: b.Bucket, Manifest: b.Manifest}},
		Rollback: "name the bundle before; what was stored stays until reconcile bundle gc finds that nothing needs it",
	}
	if p := c.unwritable(b, live); p != nil && !stored {
		step.Blocked = p.blocked()
		c.tell(p, b.Source)
	}
	missing, size := 0, int64(0)
	for i := range b.Assets {
		a := &b.Assets[i]
		upload, there, p := c.asset(b, a, live.NoBucket)
		step.Body.Bundle.Assets = append(step.Body.Bundle.Assets, upload)
		if p != nil {
			c.tell(p, a.Source)
			if step.Blocked == nil {
				step.Blocked = p.blocked()
			}
		}
		if there || p != nil {
			continue
		}
		missing++
		size += upload.Size
		step.Changes = append(step.Changes, Change{Resource: a.Key, Type: typeObject, Action: ActionCreate, After: c.origin(upload), Source: a.Source})
	}
	switch {
	case missing > 0 && stored:
		step.Reason = fmt.Sprintf("%s of %d, %s, got lost", count(missing, "asset"), len(b.Assets), Bytes(size))
	case missing > 0:
		step.Reason = fmt.Sprintf("%s of %d to store, %s; then the manifest", count(missing, "asset"), len(b.Assets), Bytes(size))
	case stored && step.Blocked == nil:
		return
	default:
		step.Reason = "all of its assets are stored, its manifest is not"
	}
	if stored {
		c.add(n, step)
		return
	}
	step.Changes = append(step.Changes, Change{Resource: at.Key, Type: typeObject, Action: ActionCreate, After: b.Manifest.Name, Source: b.Source})
	c.add(n, step)
}

// typeObject is no type of CloudFormation: S3 objects are no resources there.
const typeObject = "S3 object"

// unwritable finds why the manifest cannot be written.
func (c *computation) unwritable(b *Bundle, live LiveBundle) *problem {
	p := &problem{target: b.Name, command: "reconcile bundle diff " + b.Name + " " + b.Manifest.BundleID}
	where := fmt.Sprintf("bundle %s: its manifest s3://%s/%s", b.Name, b.Bucket, b.Object().Key)
	switch {
	case live.Problem != "":
		p.code, p.command = "bundle-unreadable", "reconcile bundle verify "+b.Name
		p.reason = where + " exists and cannot be read: " + live.Problem
	case live.Exists:
		p.code = "bundle-differs"
		p.reason = where + " exists and says something else; what is stored under an id never changes. Any change of the bundle, of its notes say, gives it another id"
	case live.NoBucket && c.steps[ID(KindStack, b.Stack)] == nil:
		p.code, p.command = "bucket-missing", "reconcile apply"
		p.reason = fmt.Sprintf("bundle %s: there is no bucket %s yet, which stack %s makes", b.Name, b.Bucket, b.Stack)
	default:
		return nil
	}
	return p
}

// asset is what becomes of one object: there, or to be uploaded or copied, or
// the reason why neither can be.
func (c *computation) asset(b *Bundle, a *Asset, noBucket bool) (u Upload, there bool, p *problem) {
	u = Upload{Key: a.Key, SHA256: a.SHA256, File: a.File, From: a.From}
	if a.Local != nil {
		u.Size = a.Local.Size
	}
	at := Object{b.Bucket, a.Key}
	live, read := c.l.Assets[objectKey(at)]
	if !read && !noBucket {
		c.more.assets[at] = true
	}
	p = &problem{code: "asset-missing", target: b.Name, command: "reconcile plan"}
	named := fmt.Sprintf("bundle %s: %sasset %s", b.Name, whole(a.Source), a.Key)
	switch {
	case live.Exists && live.SHA256 != "" && live.SHA256 != a.SHA256, live.Exists && a.Local != nil && a.Local.Exists && a.Local.Size != live.Size:
		p.code, p.command = "asset-damaged", "reconcile bundle verify "+b.Name
		p.reason = fmt.Sprintf("%s is stored with another content than its name says (%s)", named, Bytes(live.Size))
	case live.Exists:
		u.Size = live.Size
		return u, true, nil
	case a.File != "" && (a.Local == nil || !a.Local.Exists):
		p.reason = fmt.Sprintf("%s is not stored, and the file %s is not here; apply where the file is, or run there: reconcile bundle push %s", named, c.shown(a.File), b.Name)
		p.command = "reconcile bundle push " + b.Name
	case a.File != "" && a.Local.Problem != "":
		p.code, p.reason = "asset-unreadable", fmt.Sprintf("%s is not stored, and the file %s cannot be read: %s", named, c.shown(a.File), a.Local.Problem)
	case a.File != "":
		return u, false, nil
	case a.From != nil:
		p = c.copied(a, &u, named, p)
	default:
		p.reason = named + " is not stored, and the specs name neither a file nor an object to take it from"
		p.command = "reconcile bundle list"
	}
	return u, false, p
}

// copied looks at what an asset would be copied from.
func (c *computation) copied(a *Asset, u *Upload, named string, p *problem) *problem {
	from := "s3://" + objectKey(*a.From)
	source, read := c.l.Assets[objectKey(*a.From)]
	u.Size = source.Size
	switch {
	case !read:
		c.more.copied[*a.From] = true
		return nil
	case source.Problem != "":
		p.code, p.reason = "asset-unreadable", fmt.Sprintf("%s is not stored, and %s cannot be read: %s", named, from, source.Problem)
	case !source.Exists:
		p.reason = fmt.Sprintf("%s is not stored, and there is no %s", named, from)
	case source.SHA256 != "" && source.SHA256 != a.SHA256:
		p.code, p.reason = "asset-hash", fmt.Sprintf("%s: S3 has the SHA-256 %s for %s", named, source.SHA256, from)
	default:
		return nil
	}
	return p
}

// wrongFile refuses a file that is not what the specs say, whatever is stored.
func (c *computation) wrongFile(b *Bundle, a *Asset) {
	if a.Local == nil || !a.Local.Exists || a.Local.Problem != "" || a.Local.SHA256 == a.SHA256 {
		return
	}
	c.find(Finding{Severity: SeverityError, Code: "asset-hash", Target: b.Name, Source: a.Hash, Command: "sha256sum " + c.shown(a.File),
		Message: fmt.Sprintf("bundle %s: %sthe file %s has the SHA-256 %s, and the specs say %s; one of them is not what was meant", b.Name, whole(a.Hash), c.shown(a.File), a.Local.SHA256, a.SHA256)})
}

// whole is a place with its column, for one of many assets that may share a line.
func whole(s spec.Source) string {
	if s.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d: ", s.File, s.Line, s.Column)
}

// shown is a file in the folder of specs as the user names it.
func (c *computation) shown(file string) string { return path.Join(c.d.Folder, file) }

// origin says for readers where an object comes from.
func (c *computation) origin(u Upload) string {
	switch {
	case u.File != "":
		return c.shown(u.File) + ", " + Bytes(u.Size)
	case u.From != nil:
		return "copy of s3://" + objectKey(*u.From) + ", " + Bytes(u.Size)
	}
	return "stored"
}

// Bytes is a size for people, in decimal units as disks are sold.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < 4 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"kB", "MB", "GB", "TB", "PB"}[unit])
}
