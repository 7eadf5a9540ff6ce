package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"pgregory.net/rapid"

	"reconcile/schema"
)

// The JSON Schemas are generated from the CUE definitions; editors and pass 2
// read the first, pass 3 the second. Here both judge the same mutated
// documents and must say the same.
func TestSchemasAgree(t *testing.T) {
	seeds := agreementSeeds(t)
	for _, d := range schema.Definitions() {
		t.Run(d.Name, func(t *testing.T) {
			v, err := newValidator(d.Name)
			if err != nil {
				t.Fatal(err)
			}
			seed := seeds[d.Name]
			if seed == nil {
				t.Fatalf("no valid document of %s to begin with", d.Name)
			}
			judge := judges{validator: v, definition: d.CUE}
			if a, b := judge.accept(t, seed); !a || !b {
				t.Fatalf("the seed is refused: JSON Schema %v, CUE %v", a, b)
			}
			refused := 0
			rapid.Check(t, func(t *rapid.T) {
				for range 10 {
					doc := clone(seed)
					for range rapid.IntRange(1, 3).Draw(t, "mutations") {
						doc = mutate(t, doc, seed)
					}
					inJSON, inCUE := judge.accept(t, doc)
					if inJSON != inCUE {
						b, _ := json.Marshal(doc)
						t.Fatalf("JSON Schema accepts: %v, CUE accepts: %v\n%s", inJSON, inCUE, b)
					}
					if !inJSON {
						refused++
					}
				}
			})
			if refused == 0 {
				t.Error("no mutation was refused")
			}
		})
	}
}

type fatal interface {
	Fatalf(format string, args ...any)
	Helper()
}

// judges are both schemas of one kind. A CUE context keeps what it evaluated,
// so it is renewed now and then.
type judges struct {
	validator   *validator
	definition  string
	context     *cue.Context
	definitions cue.Value
	uses        int
}

func (j *judges) accept(t fatal, doc any) (inJSON, inCUE bool) {
	t.Helper()
	if j.uses%200 == 0 {
		j.context = cuecontext.New()
		var err error
		if j.definitions, err = definitions(j.context); err != nil {
			t.Fatalf("%v", err)
		}
	}
	j.uses++
	u := j.definitions.LookupPath(cue.ParsePath(j.definition)).Unify(j.context.Encode(doc))
	return j.validator.schema.Validate(doc) == nil, u.Validate(cue.Concrete(true)) == nil
}

// agreementSeeds are valid documents with every field, from testdata/agree.
func agreementSeeds(t *testing.T) map[string]any {
	t.Helper()
	seeds := map[string]any{}
	files, err := filepath.Glob("testdata/agree/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		n, issues := parseJSON(f, text)
		if len(issues) > 0 {
			t.Fatal(issues)
		}
		seeds[strings.TrimSuffix(filepath.Base(f), ".json")] = n.value(nil)
	}
	return seeds
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

// mutate changes one place of the document: it removes, adds, renames, repeats
// or replaces.
func mutate(t *rapid.T, v, seed any) any {
	switch v := v.(type) {
	case map[string]any:
		keys := sortedKeys(v)
		if len(keys) == 0 || rapid.IntRange(0, 9).Draw(t, "leave") == 0 {
			return mutateObject(t, v, keys)
		}
		k := rapid.SampledFrom(keys).Draw(t, "key")
		v[k] = mutate(t, v[k], seed)
		return v
	case []any:
		if len(v) == 0 || rapid.IntRange(0, 3).Draw(t, "list") == 0 {
			return mutateList(t, v)
		}
		i := rapid.IntRange(0, len(v)-1).Draw(t, "index")
		v[i] = mutate(t, v[i], seed)
		return v
	case string:
		if rapid.Bool().Draw(t, "edit") {
			return editText(t, v)
		}
	case int64:
		if rapid.Bool().Draw(t, "near") {
			return v + int64(rapid.IntRange(-2, 2).Draw(t, "delta"))
		}
	}
	return rapid.SampledFrom(oddValues()).Draw(t, "value")
}

func oddValues() []any {
	return []any{nil, true, false, int64(0), int64(1), int64(-1), int64(255), int64(256), int64(65536), int64(1) << 40, 0.5, -1.5,
		"", " ", "a", "A", "0", "true", "10.0.0.0/16", "us-east-1", "x.y", "staging", "copy", "{{resolve:ssm:x}}", "ä", "\n", "a\nb", "日本",
		strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 81), strings.Repeat("ä", 128), strings.Repeat("a", 129), strings.Repeat("x", 5000),
		[]any{}, []any{"a"}, []any{"a", "a"}, []any{int64(1)}, map[string]any{}, map[string]any{"a": "b"}}
}

func mutateObject(t *rapid.T, v map[string]any, keys []string) any {
	switch how := rapid.IntRange(0, 2).Draw(t, "how"); {
	case how == 0 && len(keys) > 0:
		delete(v, rapid.SampledFrom(keys).Draw(t, "remove"))
	case how == 1 && len(keys) > 0:
		k := rapid.SampledFrom(keys).Draw(t, "rename")
		x := v[k]
		delete(v, k)
		v[editText(t, k)] = x
	default:
		v[rapid.SampledFrom([]string{"zz", "name", "stage", "size", "A-b", "a b", ""}).Draw(t, "add")] = rapid.SampledFrom(oddValues()).Draw(t, "added")
	}
	return v
}

func mutateList(t *rapid.T, v []any) any {
	switch how := rapid.IntRange(0, 2).Draw(t, "how"); {
	case how == 0 && len(v) > 0:
		return v[1:]
	case how == 1 && len(v) > 0:
		return append(v, clone(v[0]))
	}
	return append(v, rapid.SampledFrom(oddValues()).Draw(t, "item"))
}

func editText(t *rapid.T, s string) string {
	at := rapid.IntRange(0, len(s)).Draw(t, "at")
	insert := rapid.SampledFrom([]string{"-", ".", "_", " ", "A", "0", "/", "\n", "é", ":", "x"}).Draw(t, "insert")
	switch how := rapid.IntRange(0, 2).Draw(t, "edit"); {
	case how == 0 && at < len(s):
		return strings.ToValidUTF8(s[:at]+s[at+1:], "")
	case how == 1:
		return strings.ToUpper(s)
	}
	return strings.ToValidUTF8(s[:at]+insert+s[at:], "")
}

// Every field of a definition is in the seeds, so that mutations reach it.
func TestAgreementSeedsAreWhole(t *testing.T) {
	for kind, seed := range agreementSeeds(t) {
		have := map[string]bool{}
		var walk func(v any, path string)
		walk = func(v any, path string) {
			have[path] = true
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					sub := joinPath(path, k)
					if path == "spec.parameters" || path == "spec.tags" {
						sub = path + ".*"
					}
					walk(x, sub)
				}
			case []any:
				for _, x := range v {
					walk(x, path+"[]")
				}
			}
		}
		walk(seed, "")
		fields, err := schema.Fields(kind)
		if err != nil {
			t.Fatal(err)
		}
		var missing []string
		for _, f := range fields {
			if !have[f.Path] {
				missing = append(missing, f.Path)
			}
		}
		sort.Strings(missing)
		if len(missing) > 0 {
			t.Errorf("testdata/agree/%s.json lacks %s", kind, fmt.Sprint(missing))
		}
	}
}
