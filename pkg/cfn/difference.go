package cfn

import (
	"sort"
	"strings"

	"reconcile/pkg/awstype"
)

// Kind says what happens to the thing that a Difference names.
type Kind string

// The kinds. With an empty Path they speak of the whole resource, else of the
// property, list element or attribute at Path.
const (
	Add    Kind = "add"
	Remove Kind = "remove"
	Modify Kind = "modify"
)

// Masked stands for a value that must not be shown.
const Masked = "(sensitive)"

// Difference is one difference between two templates, down to the property.
//
// List elements stand in brackets: by name where elements have one
// ("Tags[Owner].Value", "ContainerDefinitions[web].Image"), else by index. An
// index counts in the old list for Remove and Modify, in the new one for Add.
// A map key that holds a dot or a bracket stands quoted in brackets.
type Difference struct {
	Resource string // logical id; "Outputs.X", "Parameters.X", "Conditions.X", "Mappings.X", "Rules.X", "Transform"
	Type     string // of the resource, as it becomes (as it was, when removed)
	Kind     Kind
	Path     string // "Properties.…", "DeletionPolicy", …; empty for a whole resource
	Before   any    // nil for Add, and for whole resources
	After    any    // nil for Remove; holds open references as they are
	// Document is a readable line diff of a document or of text with several
	// lines; Before and After still hold the whole values.
	Document  string
	Unknown   bool // After holds an open reference: known after apply
	Sensitive bool // literals in Before and After are Masked
	Replace   awstype.Replace
}

// Diff compares what two templates deploy, before and after. It ignores
// descriptions and metadata of the template and our own two outputs, exactly
// as the digest does. The result is sorted: resources first, then sections.
//
// Values compare as CloudFormation sees them: 80 equals "80", and lists whose
// order has no meaning (tags, policy statements, containers, what the resource
// schema declares a set) compare by identity. So an empty result means that
// nothing would change, although the digests may differ.
func Diff(before, after Template) []Difference {
	var out []Difference
	for _, id := range union(before.Resources, after.Resources) {
		b, had := before.Resources[id]
		a, has := after.Resources[id]
		switch {
		case !had:
			out = append(out, Difference{Resource: id, Type: a.Type, Kind: Add, Replace: awstype.No})
		case !has:
			out = append(out, Difference{Resource: id, Type: b.Type, Kind: Remove, Replace: awstype.No})
		default:
			out = append(out, diffResource(id, b, a)...)
		}
	}
	out = append(out, diffSections(before, after)...)
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i].Resource, out[j].Resource
		if as, bs := strings.Contains(a, "."), strings.Contains(b, "."); as != bs {
			return bs
		}
		return a < b
	})
	return out
}

func diffResource(id string, b, a Resource) []Difference {
	if b.Type != a.Type {
		return []Difference{{
			Resource: id, Type: a.Type, Kind: Modify, Path: "Type",
			Before: b.Type, After: a.Type, Replace: awstype.Yes,
		}}
	}
	w := newWalker(id, a.Type)
	w.compare(place{path: "Condition"}, nonEmpty(b.Condition), nonEmpty(a.Condition))
	w.compare(place{path: "DependsOn", set: true}, listed(b.DependsOn), listed(a.DependsOn))
	w.compare(place{path: "DeletionPolicy"}, nonEmpty(b.DeletionPolicy), nonEmpty(a.DeletionPolicy))
	w.compare(place{path: "UpdateReplacePolicy"}, nonEmpty(b.UpdateReplacePolicy), nonEmpty(a.UpdateReplacePolicy))
	w.compare(place{path: "CreationPolicy"}, nonNil(b.CreationPolicy), nonNil(a.CreationPolicy))
	w.compare(place{path: "UpdatePolicy"}, nonNil(b.UpdatePolicy), nonNil(a.UpdatePolicy))
	w.compare(place{path: "Metadata"}, nonNil(b.Metadata), nonNil(a.Metadata))
	w.secretName = secretLooking(scalarText(a.Properties["Name"])) || secretLooking(scalarText(b.Properties["Name"]))
	// An absent and an empty Properties are the same.
	w.compare(place{path: "Properties"}, orEmpty(b.Properties), orEmpty(a.Properties))
	for i := range w.out {
		w.out[i].Replace = replacement(w.t, w.known, w.out[i], b, a)
	}
	return w.out
}

func diffSections(before, after Template) []Difference {
	var out []Difference
	section := func(name string, b, a map[string]any) {
		for _, key := range union(b, a) {
			w := newWalker(name+"."+key, "")
			w.noEcho = noEcho(b[key]) || noEcho(a[key])
			w.compare(place{}, entry(b, key), entry(a, key))
			out = append(out, w.out...)
		}
	}
	section("Outputs", outputs(before), outputs(after))
	section("Parameters", before.Parameters, after.Parameters)
	section("Mappings", before.Mappings, after.Mappings)
	section("Conditions", before.Conditions, after.Conditions)
	section("Rules", before.Rules, after.Rules)
	w := newWalker("Transform", "")
	w.compare(place{}, before.Transform, after.Transform)
	return append(out, w.out...)
}

// outputs is the tree form of the outputs that are not our own.
func outputs(t Template) map[string]any {
	out := make(map[string]any, len(t.Outputs))
	for name, o := range t.Outputs {
		if name == DigestOutput || name == RevisionOutput {
			continue
		}
		m := map[string]any{"Value": o.Value}
		if o.Description != "" {
			m["Description"] = o.Description
		}
		if o.Condition != "" {
			m["Condition"] = o.Condition
		}
		if o.Export != nil {
			m["Export"] = o.Export
		}
		out[name] = m
	}
	return out
}

// absent marks a value that is not there, apart from an explicit null.
type absent struct{}

func nonEmpty(s string) any {
	if s == "" {
		return absent{}
	}
	return s
}

func listed(l StringList) any {
	if len(l) == 0 {
		return absent{}
	}
	out := make([]any, len(l))
	for i, s := range l {
		out[i] = s
	}
	return out
}

func nonNil(m map[string]any) any {
	if m == nil {
		return absent{}
	}
	return m
}

func orEmpty(m map[string]any) any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

func entry(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return absent{}
}

func union[V any](a, b map[string]V) []string {
	all := make(map[string]bool, len(a)+len(b))
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return sortedKeys(all)
}
