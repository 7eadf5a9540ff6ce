package awstype

import (
	"slices"
	"sort"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// presence is what AWS's schemas say, beyond JSON Schema draft 7, about which
// properties go together: requiredXor, requiredOr, dependentExcluded and
// dependentRequired.
type presence struct{}

// Compile reads the keywords of one schema node.
func (presence) Compile(_ jsonschema.CompilerContext, m map[string]any) (jsonschema.ExtSchema, error) {
	if p, ok := presenceOf(m); ok {
		return p, nil
	}
	return nil, nil
}

func presenceOf(m map[string]any) (presenceRules, bool) {
	p := presenceRules{
		exactlyOne: stringsOf(m["requiredXor"]),
		atLeastOne: stringsOf(m["requiredOr"]),
		excluded:   listsOf(m["dependentExcluded"]),
		needed:     listsOf(m["dependentRequired"]),
	}
	return p, p.exactlyOne != nil || p.atLeastOne != nil || p.excluded != nil || p.needed != nil
}

func listsOf(v any) map[string][]string {
	m, _ := v.(map[string]any)
	if len(m) == 0 {
		return nil
	}
	out := make(map[string][]string, len(m))
	for k, e := range m {
		out[k] = stringsOf(e)
	}
	return out
}

type presenceRules struct {
	exactlyOne, atLeastOne []string
	excluded, needed       map[string][]string
}

// Validate checks one object.
func (p presenceRules) Validate(ctx jsonschema.ValidationContext, v any) error {
	object, ok := v.(map[string]any)
	if !ok || intrinsic(v) {
		return nil
	}
	var causes []error
	p.check(object, func(keyword, format string, args ...any) {
		causes = append(causes, ctx.Error(keyword, format, args...))
	})
	if len(causes) == 0 {
		return nil
	}
	return jsonschema.ValidationError{}.Group(ctx.Error("presence", "properties do not go together"), causes...)
}

// check reports each rule that an object breaks. A property whose value is an
// intrinsic may turn out to be absent (AWS::NoValue), so it neither satisfies
// nor breaks a rule that forbids.
func (p presenceRules) check(object map[string]any, fail func(keyword, format string, args ...any)) {
	certain := func(name string) bool {
		e, ok := object[name]
		return ok && !conditional(e)
	}
	present := func(names []string, test func(string) bool) []string {
		var out []string
		for _, n := range names {
			if test(n) {
				out = append(out, n)
			}
		}
		return out
	}
	exists := func(name string) bool { _, ok := object[name]; return ok }

	if len(p.exactlyOne) > 0 {
		if len(present(p.exactlyOne, exists)) == 0 {
			fail("requiredXor", "one of %s is required", enumerate(p.exactlyOne))
		}
		if both := present(p.exactlyOne, certain); len(both) > 1 {
			fail("requiredXor", "only one of %s may be set", enumerate(both))
		}
	}
	if len(p.atLeastOne) > 0 && len(present(p.atLeastOne, exists)) == 0 {
		fail("requiredOr", "at least one of %s is required", enumerate(p.atLeastOne))
	}
	for _, name := range keys(p.excluded) {
		if both := present(p.excluded[name], certain); certain(name) && len(both) > 0 {
			pair := append([]string{name}, both...)
			sort.Strings(pair)
			fail("dependentExcluded", "%s cannot be set together", enumerate(pair))
		}
	}
	for _, name := range keys(p.needed) {
		for _, n := range p.needed[name] {
			if certain(name) && !exists(n) {
				fail("dependentRequired", "%s is required when %s is set", n, name)
			}
		}
	}
}

func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
