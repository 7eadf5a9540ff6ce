// Package bundle turns a Bundle of the specs into the manifest and the objects
// of the models bucket, compares manifests, and finds what nobody needs any
// more. It is pure: it reads no file, asks no AWS and has no clock. The shapes
// and names are the contract with the backend and the workers (facts:
// contracts). Start with Of.
package bundle

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // a name-based UUID, not a signature
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"reconcile/pkg/spec"
)

// Prefixes of the keys in the models bucket.
const (
	AssetPrefix  = "assets/"
	BundlePrefix = "bundles/"
)

const manifestName = "/manifest.json"

// Manifest is the content of bundles/ID/manifest.json, its fields in the
// contract's order. CreatedAt is empty until the manifest is written.
type Manifest struct {
	ManifestVersion int     `json:"manifest_version"`
	BundleID        string  `json:"bundle_id"` // UUID
	Name            string  `json:"name"`
	CreatedAt       string  `json:"created_at"` // RFC 3339 in UTC
	Notes           *string `json:"notes"`
	Assets          []Asset `json:"assets"`
}

// Asset is one file of a manifest.
type Asset struct {
	AssetID          *int64 `json:"asset_id"` // the backend's; nil for a bundle born in the specs
	Kind             string `json:"kind"`
	SHA256           string `json:"sha256"`
	Key              string `json:"asset_s3_key"`
	OriginalFilename string `json:"original_filename"`
	TargetPath       string `json:"target_path"`
	Action           string `json:"action"`
}

// AssetKey is where an asset is stored.
func AssetKey(kind, sha256 string) string { return AssetPrefix + kind + "/" + sha256 }

// ManifestKey is where a bundle's manifest is stored.
func ManifestKey(id string) string { return BundlePrefix + id + manifestName }

// IDOfKey is the bundle's id in a manifest's key; false for another key.
func IDOfKey(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, BundlePrefix)
	id, is := strings.CutSuffix(rest, manifestName)
	return id, ok && is && id != "" && !strings.Contains(id, "/")
}

// Pointer is the value of active_bundle that names a bundle.
func Pointer(id string) string { return BundlePrefix + id }

// IDOfPointer is the bundle's id in a value of active_bundle: "bundles/ID", with
// or without a slash at its end, or "none"; false where it names none.
func IDOfPointer(value string) (string, bool) {
	id, ok := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(value), "/"), BundlePrefix)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// Of is the manifest of a bundle, without the moment of its creation. Assets
// are in the order of their targets: in which order the document has them, and
// where their files come from, decides nothing.
func Of(b spec.Bundle) (Manifest, error) {
	m := Manifest{ManifestVersion: 1, Name: b.Title, Assets: make([]Asset, 0, len(b.Assets))}
	if m.Name == "" {
		m.Name = b.Name
	}
	if b.Notes != "" {
		m.Notes = &b.Notes
	}
	for _, a := range b.Assets {
		m.Assets = append(m.Assets, Asset{
			Kind: a.Kind, SHA256: a.SHA256, Key: AssetKey(a.Kind, a.SHA256),
			OriginalFilename: a.Filename, TargetPath: strings.TrimSuffix(a.TargetPath, "/"), Action: a.Action,
		})
	}
	slices.SortStableFunc(m.Assets, func(a, b Asset) int { return strings.Compare(a.TargetPath, b.TargetPath) })
	id, err := m.id()
	if err != nil {
		return Manifest{}, fmt.Errorf("bundle %s: %w", b.Name, err)
	}
	m.BundleID = id
	return m, nil
}

// id is a UUID of version 5 (RFC 9562) over all that the manifest says but the
// id itself and when it was made: equal content has an equal id, and what is
// stored under an id never has to change.
func (m Manifest) id() (string, error) {
	text, err := Encode(m.content())
	if err != nil {
		return "", err
	}
	// The URL namespace, and a name that no URL has.
	namespace := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(namespace, append([]byte("reconcile:bundle:"), text...)...)) //nolint:gosec // see above
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]), nil
}

// content is the manifest without what does not decide its id.
func (m Manifest) content() Manifest {
	m.BundleID, m.CreatedAt = "", ""
	m.Assets = slices.Clone(m.Assets)
	for i := range m.Assets {
		m.Assets[i].AssetID = nil
	}
	return m
}

// Same tells whether two manifests say the same, but for when they were made
// and the backend's numbers.
func (m Manifest) Same(o Manifest) bool {
	a, errA := Encode(m.content())
	b, errB := Encode(o.content())
	return errA == nil && errB == nil && m.BundleID == o.BundleID && bytes.Equal(a, b)
}

// Encode writes a manifest as the contract has it: compact JSON.
func Encode(m Manifest) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", m.BundleID, err)
	}
	return b.Bytes(), nil
}

// Decode reads a manifest that anybody may have written, and checks that it is
// the bundle whose id its key has.
func Decode(id string, body []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(body, &m); err != nil {
		return Manifest{}, fmt.Errorf("manifest of bundle %s: %w", id, err)
	}
	switch {
	case m.ManifestVersion != 1:
		return Manifest{}, fmt.Errorf("manifest of bundle %s: manifest_version %d, want 1", id, m.ManifestVersion)
	case m.BundleID != id:
		return Manifest{}, fmt.Errorf("manifest of bundle %s: it says that it is of bundle %q", id, m.BundleID)
	}
	for i, a := range m.Assets {
		if a.Key != AssetKey(a.Kind, a.SHA256) {
			return Manifest{}, fmt.Errorf("manifest of bundle %s: assets[%d]: asset_s3_key %q is not %s", id, i, a.Key, AssetKey(a.Kind, a.SHA256))
		}
		if a.Action == "" {
			m.Assets[i].Action = "copy"
		}
	}
	return m, nil
}

// ErrUnknown is returned for a bundle that is neither in the specs nor stored.
var ErrUnknown = errors.New("no such bundle")
