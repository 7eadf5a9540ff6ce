// Package schema holds the only definition of the documents: CUE files, and
// the JSON Schemas generated from them, embedded.
//
// It validates nothing; pkg/spec does. Start with platform.cue. After an edit
// run go generate, which a test insists on.
package schema

//go:generate sh -c "UPDATE=1 go test -run TestGenerated ."

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.cue
var cueFiles embed.FS

//go:embed *.schema.json
var jsonFiles embed.FS

// Definition is one kind of document or contract.
type Definition struct {
	Name string // "platform", as in platform.schema.json
	CUE  string // "#Platform"
	File string // the CUE file that defines it
}

// Definitions lists the kinds of documents, then the contracts with other
// programs.
func Definitions() []Definition {
	return []Definition{
		{"platform", "#Platform", "platform.cue"},
		{"fleet", "#Fleet", "fleet.cue"},
		{"bundle", "#Bundle", "bundle.cue"},
		{"stack", "#Stack", "stack.cue"},
		{"fleet-templates", "#FleetTemplates", "contracts.cue"},
		{"desired-config", "#DesiredConfig", "contracts.cue"},
		{"bundle-manifest", "#BundleManifest", "contracts.cue"},
	}
}

// Kinds lists the names that JSON and Fields accept.
func Kinds() []string {
	var names []string
	for _, d := range Definitions() {
		names = append(names, d.Name)
	}
	return names
}

// CUE is the folder of CUE files, one package.
func CUE() fs.FS { return cueFiles }

// JSON is the JSON Schema (draft 2020-12) of a kind, in any case: "platform",
// "Platform", "fleet-templates".
func JSON(kind string) ([]byte, error) {
	for _, d := range Definitions() {
		if strings.EqualFold(d.Name, kind) {
			return jsonFiles.ReadFile(d.Name + ".schema.json")
		}
	}
	return nil, fmt.Errorf("no schema of kind %q: there are %s", kind, strings.Join(Kinds(), ", "))
}
