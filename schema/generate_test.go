package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/encoding/jsonschema"

	"reconcile/schema"
)

// TestGenerated holds the JSON Schemas to the CUE definitions. UPDATE=1 writes them.
func TestGenerated(t *testing.T) {
	root := compile(t)
	for _, d := range schema.Definitions() {
		want := generate(t, root.LookupPath(cue.ParsePath(d.CUE)), d.Name)
		file := d.Name + ".schema.json"
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := schema.JSON(d.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what %s generates: run go generate ./schema", file, d.File)
		}
	}
}

func compile(t *testing.T) cue.Value {
	t.Helper()
	inst := build.NewContext().NewInstance("schema", nil)
	files, err := fs.Glob(schema.CUE(), "*.cue")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := fs.ReadFile(schema.CUE(), f)
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(f, b, parser.ParseComments)
		if err != nil {
			t.Fatal(errors.Details(err, nil))
		}
		if err := inst.AddSyntax(syntax); err != nil {
			t.Fatal(errors.Details(err, nil))
		}
	}
	if err := inst.Complete(); err != nil {
		t.Fatal(errors.Details(err, nil))
	}
	v := cuecontext.New().BuildInstance(inst)
	if err := v.Validate(); err != nil {
		t.Fatal(errors.Details(err, nil))
	}
	return v
}

// generate is CUE's own JSON Schema of a definition, made flat, with what CUE
// leaves out: defaults, examples, and what a text looks like in words.
func generate(t *testing.T, v cue.Value, name string) []byte {
	t.Helper()
	expr, err := jsonschema.Generate(v, nil)
	if err != nil {
		t.Fatalf("%s: %v", name, errors.Details(err, nil))
	}
	raw, err := cuecontext.New().BuildExpr(expr).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	s["title"] = name
	var out bytes.Buffer
	write(&out, annotate(t, s, v), v, "")
	out.WriteByte('\n')
	return out.Bytes()
}

// annotate flattens allOf and adds defaults, examples and expectations.
func annotate(t *testing.T, s map[string]any, v cue.Value) map[string]any {
	t.Helper()
	s = flatten(t, s)
	for _, keyword := range []string{"minimum", "maximum"} {
		if n, ok := s[keyword].(json.Number); ok {
			f, err := n.Float64()
			if err != nil {
				t.Fatal(err)
			}
			s[keyword] = json.Number(fmt.Sprintf("%.0f", f))
		}
	}
	if d, ok := v.Default(); ok && v.IncompleteKind()&(cue.StructKind|cue.ListKind) == 0 && !isConst(s) {
		raw, err := d.MarshalJSON()
		if err != nil {
			t.Fatalf("default of %s: %v", v.Path(), err)
		}
		s["default"] = json.RawMessage(raw)
	}
	if _, ok := s["properties"]; ok && s["additionalProperties"] == nil {
		// In a conjunction of lists CUE leaves the items open: write close({…}) there.
		t.Fatalf("%s is an open struct", v.Path())
	}
	if values, ok := s["enum"].([]any); ok && s["type"] == nil {
		s["type"] = jsonType(values[0])
	}
	if isConst(s) && s["type"] == nil {
		s["type"] = jsonType(s["const"])
	}
	if e := attribute(t, v, "example"); e != "" {
		s["examples"] = []any{json.RawMessage(e)}
	}
	if items, ok := s["items"].(map[string]any); ok {
		items = annotate(t, items, element(v))
		if e := attribute(t, v, "expect"); e != "" {
			items["patternErrorMessage"] = text(t, e)
		}
		s["items"] = items
	} else if e := attribute(t, v, "expect"); e != "" {
		s["patternErrorMessage"] = text(t, e)
	}
	if members, _ := s["properties"].(map[string]any); len(members) != len(named(v)) {
		t.Fatalf("%s: the JSON Schema has %d properties, the definition has %d", v.Path(), len(members), len(named(v)))
	}
	for _, f := range fields(v) {
		for _, keyword := range []string{"properties", "patternProperties"} {
			members, _ := s[keyword].(map[string]any)
			if sub, ok := members[f.name].(map[string]any); ok {
				members[f.name] = annotate(t, sub, f.value)
			}
		}
	}
	if alternatives, ok := s["anyOf"].([]any); ok {
		_, operands := v.Expr()
		for i, a := range alternatives {
			alternatives[i] = annotate(t, a.(map[string]any), operands[i])
		}
	}
	return s
}

func isConst(s map[string]any) bool {
	_, ok := s["const"]
	return ok
}

func jsonType(v any) string {
	if _, ok := v.(json.Number); ok {
		return "integer"
	}
	return "string"
}

func attribute(t *testing.T, v cue.Value, name string) string {
	t.Helper()
	a := v.Attribute(name)
	if a.Err() != nil {
		return ""
	}
	return a.Contents()
}

func text(t *testing.T, quoted string) string {
	t.Helper()
	var s string
	if err := json.Unmarshal([]byte(quoted), &s); err != nil {
		t.Fatalf("@expect(%s): %v", quoted, err)
	}
	return s
}

// element is what every item of a list must be.
func element(v cue.Value) cue.Value {
	any := cue.MakePath(cue.AnyIndex)
	if _, operands := v.Expr(); len(operands) > 1 {
		for _, o := range operands {
			if e := element(o); e.Exists() && e.IncompleteKind() != cue.TopKind {
				return e
			}
		}
	}
	return v.LookupPath(any)
}

type member struct {
	name    string
	value   cue.Value
	pattern bool
}

func named(v cue.Value) []member {
	return slices.DeleteFunc(fields(v), func(m member) bool { return m.pattern })
}

// fields lists the fields of a struct in the order of the source; a pattern's
// name is its regular expression.
func fields(v cue.Value) []member {
	if v.IncompleteKind() != cue.StructKind {
		return nil
	}
	iter, err := v.Fields(cue.Optional(true), cue.Patterns(true))
	if err != nil {
		return nil
	}
	var all []member
	for iter.Next() {
		sel := iter.Selector()
		if sel.ConstraintType() == cue.PatternConstraint {
			_, args := sel.Pattern().Expr()
			re, err := args[0].String()
			if err != nil {
				continue
			}
			all = append(all, member{re, iter.Value(), true})
			continue
		}
		all = append(all, member{sel.Unquoted(), iter.Value(), false})
	}
	return all
}

// flatten merges the members of allOf into one schema. They must not disagree.
func flatten(t *testing.T, s map[string]any) map[string]any {
	t.Helper()
	parts, ok := s["allOf"].([]any)
	if !ok {
		return s
	}
	delete(s, "allOf")
	for _, part := range parts {
		for k, v := range flatten(t, part.(map[string]any)) {
			have, exists := s[k]
			switch {
			case !exists || k == "type" && have == "number" && v == "integer":
				s[k] = v
			case k == "type" && have == "integer" && v == "number", fmt.Sprint(have) == fmt.Sprint(v):
			default:
				t.Fatalf("allOf says %s: %v and %v", k, have, v)
			}
		}
	}
	return s
}

// write prints a schema with its keywords in reading order and its properties
// in the order of the definition.
func write(out *bytes.Buffer, s map[string]any, v cue.Value, indent string) {
	order := []string{"$schema", "title", "description", "type", "const", "enum", "anyOf", "pattern", "patternErrorMessage",
		"maxLength", "minimum", "maximum", "default", "examples", "minItems", "maxItems", "uniqueItems", "items", "required",
		"additionalProperties", "properties", "patternProperties"}
	keys := make([]string, 0, len(s))
	for k := range s {
		if !slices.Contains(order, k) {
			panic("keyword without a place in the order: " + k)
		}
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return slices.Index(order, keys[i]) < slices.Index(order, keys[j]) })
	in := indent + "  "
	out.WriteString("{\n")
	for i, k := range keys {
		if i > 0 {
			out.WriteString(",\n")
		}
		fmt.Fprintf(out, "%s%s: ", in, encode(k))
		switch k {
		case "properties", "patternProperties":
			writeMembers(out, s[k].(map[string]any), v, in)
		case "items":
			write(out, s[k].(map[string]any), element(v), in)
		case "anyOf":
			_, operands := v.Expr()
			out.WriteString("[")
			for j, a := range s[k].([]any) {
				if j > 0 {
					out.WriteString(", ")
				}
				write(out, a.(map[string]any), operands[j], in)
			}
			out.WriteString("]")
		default:
			out.WriteString(encode(s[k]))
		}
	}
	out.WriteString("\n" + indent + "}")
}

func writeMembers(out *bytes.Buffer, members map[string]any, v cue.Value, indent string) {
	out.WriteString("{\n")
	first := true
	for _, f := range fields(v) {
		sub, ok := members[f.name].(map[string]any)
		if !ok {
			continue
		}
		if !first {
			out.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(out, "%s  %s: ", indent, encode(f.name))
		write(out, sub, f.value, indent+"  ")
	}
	out.WriteString("\n" + indent + "}")
}

func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Every field says what it is, and every text field with a pattern says in
// words what it looks like.
func TestFieldsAreDescribed(t *testing.T) {
	for _, kind := range schema.Kinds() {
		description, err := schema.Description(kind)
		if err != nil || description == "" {
			t.Errorf("%s has no description (%v)", kind, err)
		}
		fields, err := schema.Fields(kind)
		if err != nil {
			t.Fatal(err)
		}
		if len(fields) < 4 {
			t.Errorf("%s has %d fields", kind, len(fields))
		}
		for _, f := range fields {
			if f.Doc == "" || !strings.HasSuffix(f.Doc, ".") {
				t.Errorf("%s: %s: Doc is %q", kind, f.Path, f.Doc)
			}
			if f.Type == "" {
				t.Errorf("%s: %s has no type", kind, f.Path)
			}
		}
		b, err := schema.JSON(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(b), `"pattern":`) != strings.Count(string(b), `"patternErrorMessage":`) && kind != "stack" {
			t.Errorf("%s: a pattern without words", kind)
		}
	}
}

func TestFieldsOfFleet(t *testing.T) {
	fields, err := schema.Fields("Fleet")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range fields {
		required := ""
		if f.Required {
			required = " required"
		}
		fmt.Fprintf(&got, "%s: %s%s [%s] default=%s example=%s\n", f.Path, f.Type, required, f.Limits, f.Default, f.Example)
	}
	want := `apiVersion: string required [always reconcile/v1] default= example="reconcile/v1"
kind: string required [always Fleet] default= example="Fleet"
metadata: object required [] default= example=
metadata.name: string required [at most 80 characters] default= example="gpu-default"
metadata.stage: string required [one of staging, production] default= example="staging"
spec: object required [] default= example=
spec.template: string required [at most 128 characters] default= example="gpu-default"
spec.instanceTypes: list of string required [1 to 40 items, no item twice] default= example=["g4dn.xlarge","g5.xlarge"]
spec.bundle: string [at most 63 characters] default= example="base-sdxl"
spec.enabled: boolean [] default=true example=
spec.rollout: object [] default= example=
spec.rollout.minHealthyPercent: integer [0 to 100] default=90 example=
spec.rollout.checkpointPercent: integer [0 to 99] default=25 example=
spec.rollout.checkpointMinutes: integer [0 to 2880] default=10 example=
spec.rollout.bakeMinutes: integer [0 to 2880] default=5 example=
spec.rollout.busyWorkers: string [one of wait, replace, keep] default="wait" example=
spec.rollout.watchAlarms: boolean [] default=true example=
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestJSONUnknownKind(t *testing.T) {
	_, err := schema.JSON("flet")
	if err == nil || !strings.Contains(err.Error(), "platform, fleet, bundle, stack") {
		t.Errorf("got %v", err)
	}
}
