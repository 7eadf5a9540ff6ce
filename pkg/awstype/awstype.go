// Package awstype holds what AWS publishes about its resource types: which
// properties there are and what values they take, which ones replace the
// resource when they change, which ones AWS alone writes, and which types
// lose data when they are deleted.
//
// It is a table and the questions one asks it. It must not know templates,
// plans or AWS clients: the plan and the sandbox read the same facts here and
// share nothing else. Start with Lookup, Validate and Type.Replacement. The
// data comes from regenerate.py; see NOTICE.
package awstype

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Type is a resource type. All paths are dotted, without a leading
// "Properties.", and a "*" stands for any list index or map key:
// "SecurityGroupIngress.*.FromPort".
type Type struct {
	Name                  string
	Properties            []string // top-level names, sorted
	Required              []string // top-level names
	CreateOnly            []string // a change replaces the resource
	ConditionalCreateOnly []string // a change replaces it, depending on the values
	ReadOnly              []string // attributes: set by AWS, readable with Fn::GetAtt
	WriteOnly             []string // never returned by AWS, so never comparable with live values
	Identifier            []string // primary identifier
	TagProperty           string   // top-level name of the tags; empty when it cannot be tagged
	// NameProperty is the top-level property that gives the resource an
	// explicit, unique name; empty when there is none. While it stays the same,
	// a replacement cannot succeed: the new resource is created first.
	NameProperty string

	schema map[string]any
}

// Lookup finds a type by its name, "AWS::S3::Bucket".
func Lookup(name string) (Type, bool) {
	e, ok := table().entries[name]
	if !ok {
		return Type{}, false
	}
	t := e.parsed().t
	return t, t.Name != ""
}

// Names lists all known types, sorted.
func Names() []string {
	return slices.Clone(table().names)
}

// Stateful tells whether losing a resource of this type loses data. It knows
// more types than Lookup does.
func Stateful(name string) bool {
	_, ok := table().stateful[name]
	return ok
}

// Source says what the data was generated from.
func Source() string { return table().source }

//go:embed schemas.zip
var packed []byte

type data struct {
	source   string
	names    []string
	entries  map[string]*entry
	stateful map[string]bool
	err      error
}

// entry parses one type when it is first asked for: most runs use a third of
// the types.
type entry struct {
	parsed  func() parsedType
	rule    func() *rule
	compile func() (*jsonschema.Schema, error) // when the rule does not accept
}

type parsedType struct {
	t   Type
	err error
}

// table unpacks the data once. A fault in the embedded data shows as no type
// being known and as a Problem of every Validate; a test holds that there is none.
var table = sync.OnceValue(func() data {
	d, err := unpack(packed)
	d.err = err
	return d
})

func unpack(packed []byte) (data, error) {
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return data{}, fmt.Errorf("unpack resource schemas: %w", err)
	}
	var about struct {
		Source   string   `json:"source"`
		Stateful []string `json:"stateful"`
	}
	d := data{entries: make(map[string]*entry, len(archive.File))}
	for _, f := range archive.File {
		name := f.Name
		if name == "about" {
			if err := unpackJSON(f, &about); err != nil {
				return data{}, fmt.Errorf("read resource schemas: %w", err)
			}
			continue
		}
		d.names = append(d.names, name)
		parsed := sync.OnceValue(func() parsedType { return parse(f) })
		d.entries[name] = &entry{
			parsed:  parsed,
			rule:    sync.OnceValue(func() *rule { return ruleOf(parsed()) }),
			compile: sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(name, parsed()) }),
		}
	}
	sort.Strings(d.names)
	d.source = about.Source
	d.stateful = make(map[string]bool, len(about.Stateful))
	for _, name := range about.Stateful {
		d.stateful[name] = true
	}
	return d, nil
}

func unpackJSON(f *zip.File, v any) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	return json.NewDecoder(r).Decode(v)
}

func parse(f *zip.File) parsedType {
	name := f.Name
	var schema map[string]any
	if err := unpackJSON(f, &schema); err != nil {
		return parsedType{err: fmt.Errorf("read resource schema of %s: %w", name, err)}
	}
	t := Type{
		Name:                  name,
		Required:              stringsOf(schema["required"]),
		CreateOnly:            paths(schema["createOnlyProperties"]),
		ConditionalCreateOnly: paths(schema["conditionalCreateOnlyProperties"]),
		ReadOnly:              paths(schema["readOnlyProperties"]),
		WriteOnly:             paths(schema["writeOnlyProperties"]),
		Identifier:            paths(schema["primaryIdentifier"]),
		NameProperty:          nameProperties[name],
		schema:                schema,
	}
	properties, _ := schema["properties"].(map[string]any)
	for p := range properties {
		t.Properties = append(t.Properties, p)
	}
	sort.Strings(t.Properties)
	if tagging, ok := schema["tagging"].(map[string]any); ok && tagging["taggable"] == true {
		pointer, _ := tagging["tagProperty"].(string)
		t.TagProperty = strings.TrimPrefix(pointer, "/properties/")
		if t.TagProperty == "" && slices.Contains(t.Properties, "Tags") {
			t.TagProperty = "Tags"
		}
	}
	return parsedType{t: correct(t)}
}

// paths turns ["/properties/A/*/B"] into ["A.*.B"], sorted.
func paths(v any) []string {
	out := stringsOf(v)
	for i, p := range out {
		out[i] = strings.ReplaceAll(strings.TrimPrefix(p, "/properties/"), "/", ".")
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
