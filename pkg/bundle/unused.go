package bundle

import (
	"slices"
	"strings"
	"time"
)

// Stored is what the models bucket holds, and who needs which bundle.
type Stored struct {
	Manifests []StoredManifest `json:"manifests"` // sorted by id
	Assets    []Object         `json:"assets"`    // sorted by key
	Uses      []Use            `json:"uses"`
}

// Object is an object of the bucket.
type Object struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"` // bytes
	Modified time.Time `json:"modified"`
}

// StoredManifest is a manifest in the bucket.
type StoredManifest struct {
	Object
	ID       string    `json:"id"`
	Manifest *Manifest `json:"manifest,omitempty"` // nil when it cannot be read
	Problem  string    `json:"problem,omitempty"`
}

// Use is a reason why a bundle is needed.
type Use struct {
	ID string `json:"id"`
	By string `json:"by"` // "active in staging/gpu-default"
}

// UsesOf are the reasons why a bundle is needed.
func (s Stored) UsesOf(id string) []string {
	var out []string
	for _, u := range s.Uses {
		if u.ID == id {
			out = append(out, u.By)
		}
	}
	return out
}

// Size is what the assets of a manifest take, in bytes, each once; missing are
// the keys that are not stored.
func (s Stored) Size(m Manifest) (size int64, missing []string) {
	stored := map[string]int64{}
	for _, a := range s.Assets {
		stored[a.Key] = a.Size
	}
	for _, key := range Keys(m) {
		n, ok := stored[key]
		if !ok {
			missing = append(missing, key)
		}
		size += n
	}
	return size, missing
}

// Keys are the objects that a manifest names, each once, sorted.
func Keys(m Manifest) []string {
	keys := make([]string, 0, len(m.Assets))
	for _, a := range m.Assets {
		keys = append(keys, a.Key)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Unused is what nobody needs.
type Unused struct {
	Bundles []StoredManifest
	Assets  []Object
	// Unreadable are manifests that cannot be read: which assets they need nobody
	// knows, so no asset is unused.
	Unreadable []StoredManifest
}

// FindUnused finds the bundles that nothing uses and the specs do not declare,
// and the assets that are in no other bundle. What is younger than a moment is
// left alone: it may be on its way into a bundle.
func FindUnused(s Stored, declared []Manifest, before time.Time) Unused {
	used, needed := map[string]bool{}, map[string]bool{}
	for _, u := range s.Uses {
		used[u.ID] = true
	}
	for _, m := range declared {
		used[m.BundleID] = true
		for _, key := range Keys(m) {
			needed[key] = true
		}
	}
	var out Unused
	for _, m := range s.Manifests {
		switch {
		case m.Manifest == nil:
			out.Unreadable = append(out.Unreadable, m)
		case !used[m.ID] && m.Modified.Before(before):
			out.Bundles = append(out.Bundles, m)
		default:
			for _, key := range Keys(*m.Manifest) {
				needed[key] = true
			}
		}
	}
	if len(out.Unreadable) > 0 {
		return out
	}
	for _, a := range s.Assets {
		if !needed[a.Key] && a.Modified.Before(before) {
			out.Assets = append(out.Assets, a)
		}
	}
	return out
}

// Find is the stored bundle of an id, or of the start of one that is no other's.
func (s Stored) Find(id string) (StoredManifest, bool) {
	var found []StoredManifest
	for _, m := range s.Manifests {
		if m.ID == id {
			return m, true
		}
		if len(id) >= 4 && strings.HasPrefix(m.ID, id) {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		return StoredManifest{}, false
	}
	return found[0], true
}
