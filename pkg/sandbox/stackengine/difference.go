package stackengine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/awstype"
)

// difference is one place where two property documents differ.
type difference struct {
	path   string // "Tags[0].Value"
	before any    // nil when absent
	after  any    // nil when absent
}

// pointer is the path as a change set shows it: "/Properties/Tags/0/Value".
func (d difference) pointer() string {
	var b strings.Builder
	b.WriteString("/Properties")
	for rest := d.path; rest != ""; {
		var segment string
		segment, rest = cutSegment(rest)
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(segment))
	}
	return b.String()
}

// top is the property that the path begins with.
func (d difference) top() string {
	segment, _ := cutSegment(d.path)
	return segment
}

func (d difference) kind() string {
	switch {
	case d.before == nil:
		return "Add"
	case d.after == nil:
		return "Remove"
	}
	return "Modify"
}

// differences lists the leaves at which two values differ, in the order of the
// keys. A part that is only on one side is one difference per leaf.
func differences(path string, before, after any) []difference {
	switch {
	case equal(before, after):
		return nil
	case before == nil:
		return oneSided(path, after, func(p string, v any) difference { return difference{p, nil, v} })
	case after == nil:
		return oneSided(path, before, func(p string, v any) difference { return difference{p, v, nil} })
	}
	var out []difference
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			break
		}
		all := map[string]any{}
		maps.Copy(all, b)
		maps.Copy(all, a)
		for _, k := range keys(all) {
			out = append(out, differences(join1(path, k), b[k], a[k])...)
		}
		return out
	case []any:
		a, ok := after.([]any)
		if !ok {
			break
		}
		for i := range max(len(a), len(b)) {
			out = append(out, differences(path+"["+itoa(i)+"]", at(b, i), at(a, i))...)
		}
		return out
	}
	return []difference{{path, before, after}}
}

func oneSided(path string, v any, make func(string, any) difference) []difference {
	var out []difference
	switch v := v.(type) {
	case map[string]any:
		for _, k := range keys(v) {
			out = append(out, oneSided(join1(path, k), v[k], make)...)
		}
	case []any:
		for i, e := range v {
			out = append(out, oneSided(path+"["+itoa(i)+"]", e, make)...)
		}
	}
	if len(out) == 0 {
		out = append(out, make(path, v))
	}
	return out
}

// join1 appends a key; one that looks like a path of its own is quoted, as
// awstype.Split expects it.
func join1(path, key string) string {
	if strings.ContainsAny(key, ".[]") {
		return path + `["` + key + `"]`
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// The kinds of change of a resource.
const (
	changeNone   = iota
	changeRecord // only what CloudFormation keeps about it: policies, dependencies
	changeInPlace
	changeReplace
)

// changeOf compares a resource with what it should become, both evaluated.
func changeOf(r, next *StackResource) int {
	t, _ := awstype.Lookup(r.Type)
	kind := changeNone
	if r.Delete != next.Delete || r.Replace != next.Replace || !slices.Equal(r.Needs, next.Needs) || !sameJSON(r.Policy, next.Policy) {
		kind = changeRecord
	}
	if !sameJSON(r.Metadata, next.Metadata) {
		kind = changeInPlace
	}
	if !maps.Equal(r.Tags, next.Tags) {
		kind = changeInPlace
		if recreation(t, t.TagProperty) == "Always" {
			return changeReplace
		}
	}
	for _, d := range differences("", asAny(r.Properties), asAny(next.Properties)) {
		if replaces(t, d) {
			return changeReplace
		}
		kind = changeInPlace
	}
	return kind
}

// sameJSON compares documents, not bytes: a state file escapes differently.
func sameJSON(a, b json.RawMessage) bool {
	return string(a) == string(b) || len(a) > 0 && len(b) > 0 && equal(asAny(a), asAny(b))
}

func asAny(raw json.RawMessage) any { return decode(raw) }

// recreation is what a change at path requires: Always, Conditionally, Never.
func recreation(t awstype.Type, path string) string {
	switch t.Replacement(path) {
	case awstype.Yes:
		return "Always"
	case awstype.Maybe:
		return "Conditionally"
	}
	return "Never"
}

// replaces tells whether executing the difference replaces the resource.
func replaces(t awstype.Type, d difference) bool {
	switch recreation(t, d.path) {
	case "Always":
		return true
	case "Conditionally":
		return slices.Contains(replacesWhenChanged[t.Name], d.top())
	}
	return false
}
