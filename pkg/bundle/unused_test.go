package bundle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/bundle"
)

// What is used, declared, young or shared stays; a manifest that cannot be read
// keeps every asset.
func TestFindUnused(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	old, young := now.AddDate(0, -2, 0), now.AddDate(0, 0, -1)
	manifest := func(id string, keys ...string) *bundle.Manifest {
		m := &bundle.Manifest{BundleID: id}
		for _, k := range keys {
			m.Assets = append(m.Assets, bundle.Asset{Key: k})
		}
		return m
	}
	stored := func() bundle.Stored {
		s := bundle.Stored{Uses: []bundle.Use{{ID: "active", By: "active in staging/a"}, {ID: "baked", By: "baked into ami-1"}, {ID: "before", By: "version 3 of /p"}, {ID: "gone", By: "version 1 of /p"}}}
		for _, m := range []struct {
			id       string
			modified time.Time
		}{{"active", old}, {"baked", old}, {"before", old}, {"declared", old}, {"loose", old}, {"young", young}} {
			s.Manifests = append(s.Manifests, bundle.StoredManifest{ID: m.id, Object: bundle.Object{Modified: m.modified}, Manifest: manifest(m.id, "shared", "of-"+m.id)})
			s.Assets = append(s.Assets, bundle.Object{Key: "of-" + m.id, Modified: m.modified})
		}
		s.Assets = append(s.Assets, bundle.Object{Key: "orphan", Modified: old}, bundle.Object{Key: "new-orphan", Modified: young},
			bundle.Object{Key: "shared", Modified: old}, bundle.Object{Key: "only-declared", Modified: old})
		return s
	}
	declared := []bundle.Manifest{*manifest("declared"), *manifest("not-stored", "only-declared")}
	find := func(s bundle.Stored) string {
		u := bundle.FindUnused(s, declared, now.AddDate(0, -1, 0))
		var out []string
		for _, m := range u.Bundles {
			out = append(out, "bundle "+m.ID)
		}
		for _, a := range u.Assets {
			out = append(out, "asset "+a.Key)
		}
		for _, m := range u.Unreadable {
			out = append(out, "unreadable "+m.ID)
		}
		return strings.Join(out, ", ")
	}
	if diff := cmp.Diff("bundle loose, asset of-loose, asset orphan", find(stored())); diff != "" {
		t.Error(diff)
	}
	broken := stored()
	broken.Manifests[0].Manifest, broken.Manifests[0].Problem = nil, "not JSON"
	if diff := cmp.Diff("bundle loose, unreadable active", find(broken)); diff != "" {
		t.Error(diff)
	}
}
