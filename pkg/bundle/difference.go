package bundle

import (
	"slices"
	"strings"
)

// Difference is what one bundle installs otherwise than another, at one path.
type Difference struct {
	Path   string `json:"path"`             // below /opt/comfyui
	Before *Asset `json:"before,omitempty"` // nil: only the second has it
	After  *Asset `json:"after,omitempty"`  // nil: only the first has it
}

// Compare tells what changes on an instance that goes from one bundle to
// another, in the order of the paths.
func Compare(before, after Manifest) []Difference {
	byPath := map[string]*Difference{}
	at := func(path string) *Difference {
		if byPath[path] == nil {
			byPath[path] = &Difference{Path: path}
		}
		return byPath[path]
	}
	for _, a := range before.Assets {
		a.AssetID = nil
		at(a.TargetPath).Before = &a
	}
	for _, a := range after.Assets {
		a.AssetID = nil
		at(a.TargetPath).After = &a
	}
	var out []Difference
	for _, d := range byPath {
		if d.Before == nil || d.After == nil || *d.Before != *d.After {
			out = append(out, *d)
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return out
}
