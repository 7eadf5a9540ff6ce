package bundle_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/bundle"
	"reconcile/pkg/spec"
)

func base() spec.Bundle {
	return spec.Bundle{Meta: spec.Meta{Name: "base"}, Title: "Base SDXL + <nodes>", Assets: []spec.Asset{
		{Kind: "custom_node", SHA256: strings.Repeat("b", 64), Filename: "n.zip", TargetPath: "custom_nodes/n/", Action: "extract_zip"},
		{Kind: "checkpoint", SHA256: strings.Repeat("a", 64), Filename: "m.safetensors", TargetPath: "models/checkpoints/m.safetensors", Action: "copy"},
	}}
}

func of(t *testing.T, b spec.Bundle) bundle.Manifest {
	t.Helper()
	m, err := bundle.Of(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The manifest is what the contract says, and the schema that guards it takes it.
func TestManifestIsTheContracts(t *testing.T) {
	m := of(t, base())
	m.CreatedAt = "2026-02-18T12:34:56Z"
	body, err := bundle.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"manifest_version":1,"bundle_id":"` + m.BundleID + `","name":"Base SDXL + <nodes>","created_at":"2026-02-18T12:34:56Z","notes":null,"assets":[` +
		`{"asset_id":null,"kind":"custom_node","sha256":"` + strings.Repeat("b", 64) + `","asset_s3_key":"assets/custom_node/` + strings.Repeat("b", 64) + `","original_filename":"n.zip","target_path":"custom_nodes/n","action":"extract_zip"},` +
		`{"asset_id":null,"kind":"checkpoint","sha256":"` + strings.Repeat("a", 64) + `","asset_s3_key":"assets/checkpoint/` + strings.Repeat("a", 64) + `","original_filename":"m.safetensors","target_path":"models/checkpoints/m.safetensors","action":"copy"}]}` + "\n"
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Error(diff)
	}
	contract, err := spec.OpenContract("bundle-manifest")
	if err != nil {
		t.Fatal(err)
	}
	if err := contract.Check("manifest.json", body); err != nil {
		t.Errorf("the contract refuses it: %v", err)
	}
	again, err := bundle.Decode(m.BundleID, body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Error(diff)
	}
}

func TestIDFollowsContent(t *testing.T) {
	first := of(t, base()).BundleID
	if len(first) != 36 || first[14] != '5' || !strings.Contains("89ab", first[19:20]) {
		t.Errorf("%s is no UUID of version 5", first)
	}
	for name, c := range map[string]struct {
		change func(*spec.Bundle)
		same   bool
	}{
		"order":  {func(b *spec.Bundle) { slices.Reverse(b.Assets) }, true},
		"origin": {func(b *spec.Bundle) { b.Assets[0].File, b.Assets[1].S3URL, b.Source.Line = "x", "s3://b/k", 9 }, true},
		"title":  {func(b *spec.Bundle) { b.Title = "other" }, false},
		"notes":  {func(b *spec.Bundle) { b.Notes = "other" }, false},
		"hash":   {func(b *spec.Bundle) { b.Assets[1].SHA256 = strings.Repeat("c", 64) }, false},
		"path":   {func(b *spec.Bundle) { b.Assets[1].TargetPath = "models/x" }, false},
		"action": {func(b *spec.Bundle) { b.Assets[0].Action = "copy" }, false},
		"less":   {func(b *spec.Bundle) { b.Assets = b.Assets[1:] }, false},
	} {
		b := base()
		c.change(&b)
		if got := of(t, b); got.BundleID == first != c.same || got.Same(of(t, base())) != c.same {
			t.Errorf("%s: the id is the same: %v, want %v", name, got.BundleID == first, c.same)
		}
	}
}

// A manifest that somebody else wrote has the backend's numbers, and is the
// same bundle; one that lies about itself is refused.
func TestDecode(t *testing.T) {
	m := of(t, base())
	m.CreatedAt = "2026-02-18T12:34:56Z"
	number := int64(7)
	theirs := m
	theirs.Assets = slices.Clone(m.Assets)
	theirs.Assets[0].AssetID = &number
	if !m.Same(theirs) {
		t.Error("the backend's number makes another bundle")
	}
	for name, c := range map[string]struct {
		change func(map[string]any)
		says   string
	}{
		"version": {func(m map[string]any) { m["manifest_version"] = 2 }, "manifest_version 2"},
		"id":      {func(m map[string]any) { m["bundle_id"] = "other" }, `it is of bundle "other"`},
		"key":     {func(m map[string]any) { m["assets"].([]any)[0].(map[string]any)["asset_s3_key"] = "assets/vae/x" }, "asset_s3_key"},
		"shape":   {func(m map[string]any) { m["assets"] = "none" }, "cannot unmarshal"},
	} {
		body, err := bundle.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil {
			t.Fatal(err)
		}
		c.change(doc)
		body, err = json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Decode(m.BundleID, body); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestKeysAndPointers(t *testing.T) {
	for value, want := range map[string]string{"bundles/a": "a", "bundles/a/": "a", "none": "", "": "", "bundles/": "", "bundles/a/b": "", " bundles/a\n": "a"} {
		if got, ok := bundle.IDOfPointer(value); ok != (want != "") || ok && got != want {
			t.Errorf("pointer %q names %q, %v", value, got, ok)
		}
	}
	for key, want := range map[string]string{"bundles/a/manifest.json": "a", "bundles/manifest.json": "", "bundles/a/b/manifest.json": "", "bundles/a/x": ""} {
		if got, ok := bundle.IDOfKey(key); ok != (want != "") || ok && got != want {
			t.Errorf("key %q is of %q, %v", key, got, ok)
		}
	}
}

func TestCompare(t *testing.T) {
	before, changed := of(t, base()), base()
	changed.Assets[1].SHA256 = strings.Repeat("c", 64)
	changed.Assets[0].TargetPath = "custom_nodes/other"
	var paths []string
	for _, d := range bundle.Compare(before, of(t, changed)) {
		switch {
		case d.Before == nil:
			paths = append(paths, "+ "+d.Path)
		case d.After == nil:
			paths = append(paths, "- "+d.Path)
		default:
			paths = append(paths, "~ "+d.Path)
		}
	}
	if diff := cmp.Diff([]string{"- custom_nodes/n", "+ custom_nodes/other", "~ models/checkpoints/m.safetensors"}, paths); diff != "" {
		t.Error(diff)
	}
	if d := bundle.Compare(before, before); len(d) != 0 {
		t.Errorf("a bundle differs from itself: %v", d)
	}
}
