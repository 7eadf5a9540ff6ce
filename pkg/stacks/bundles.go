package stacks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// renderBundles: all that the specs declare, used by a fleet or not.
func (p *platform) renderBundles(d *plan.Desired) error {
	for _, b := range p.set.Bundles {
		manifest, err := bundle.Of(b)
		if err != nil {
			return err
		}
		d.Bundles = append(d.Bundles, plan.Bundle{
			Name: b.Name, Bucket: p.bucket("models"), Stack: p.data(), Manifest: manifest, Assets: assetsOf(b), Source: b.Source,
			Used: slices.ContainsFunc(p.set.Fleets, func(f spec.Fleet) bool { return f.Bundle == b.Name }),
		})
	}
	slices.SortFunc(d.Bundles, func(a, b plan.Bundle) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// assetsOf are the objects of a bundle, each once, sorted by key. Of two
// entries for one object the first that says where it comes from counts.
func assetsOf(b spec.Bundle) []plan.Asset {
	byKey := map[string]plan.Asset{}
	for i, a := range b.Assets {
		key := bundle.AssetKey(a.Kind, a.SHA256)
		if had, twice := byKey[key]; twice && (had.File != "" || had.From != nil) {
			continue
		}
		at := fmt.Sprintf("spec.assets[%d]", i)
		out := plan.Asset{Key: key, SHA256: a.SHA256, File: a.Path, Source: b.At(at), Hash: b.At(at + ".sha256")}
		switch {
		case a.File != "":
			out.Source = b.At(at + ".file")
		case a.S3URL != "":
			out.Source = b.At(at + ".s3URL")
		}
		if rest, ok := strings.CutPrefix(a.S3URL, "s3://"); ok {
			bucket, key, _ := strings.Cut(rest, "/")
			out.From = &plan.Object{Bucket: bucket, Key: key}
		}
		byKey[key] = out
	}
	out := make([]plan.Asset, 0, len(byKey))
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		out = append(out, byKey[key])
	}
	return out
}
