package cfn

import (
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// segment is one step of a Difference's path.
type segment struct {
	name  string
	index bool // stood in brackets without quotes
}

func segments(path string) []segment {
	var out []segment
	for path != "" {
		switch {
		case strings.HasPrefix(path, "."):
			path = path[1:]
		case strings.HasPrefix(path, `["`):
			quoted, err := strconv.QuotedPrefix(path[1:])
			if err != nil {
				panic(path)
			}
			name, _ := strconv.Unquote(quoted)
			out = append(out, segment{name: name})
			path = path[1+len(quoted)+1:]
		case strings.HasPrefix(path, "["):
			end := strings.IndexByte(path, ']')
			out = append(out, segment{name: path[1:end], index: true})
			path = path[end+1:]
		default:
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			out = append(out, segment{name: path[:end]})
			path = path[end:]
		}
	}
	return out
}

// edit is a difference with the rest of its path.
type edit struct {
	path []segment
	Difference
}

// patch applies differences to a value, as the documentation of Difference says
// that they read.
func patch(v any, name string, edits []edit) any {
	if len(edits) == 0 {
		return v
	}
	var whole []edit
	for _, e := range edits {
		if len(e.path) == 0 {
			whole = append(whole, e)
		}
	}
	if len(whole) > 0 {
		return whole[len(whole)-1].After
	}
	if m, ok := v.(map[string]any); ok {
		if !edits[0].path[0].index {
			out := make(map[string]any)
			for k, e := range m {
				out[k] = e
			}
			for key, below := range grouped(edits) {
				if e := below[0]; len(e.path) == 0 && e.Kind == Remove {
					delete(out, key)
					continue
				}
				out[key] = patch(out[key], key, below)
			}
			return out
		}
	}
	return patchList(oneOrMany(v), name, edits)
}

func patchList(l []any, name string, edits []edit) any {
	field := identity[name]
	gone := make(map[int]bool)
	changed := append([]any{}, l...)
	type insertion struct {
		at int
		v  any
	}
	var fresh []insertion
	byKey := func(key string) int {
		for i, e := range l {
			if m, ok := e.(map[string]any); ok && field != "" && m[field] == key {
				return i
			}
		}
		return -1
	}
	for key, below := range grouped(edits) {
		i, err := strconv.Atoi(key)
		if k := byKey(key); k >= 0 || err != nil {
			i = k
		}
		var modified []edit
		for _, e := range below {
			switch {
			case len(e.path) == 0 && e.Kind == Add:
				at := i
				if at < 0 {
					at = 1 << 30
				}
				fresh = append(fresh, insertion{at, e.After})
			case len(e.path) == 0 && e.Kind == Remove:
				gone[i] = true
			default:
				modified = append(modified, e)
			}
		}
		if len(modified) > 0 {
			changed[i] = patch(l[i], "", modified)
		}
	}
	var out []any
	for i, e := range changed {
		if !gone[i] {
			out = append(out, e)
		}
	}
	sort.SliceStable(fresh, func(i, j int) bool { return fresh[i].at < fresh[j].at })
	for _, f := range fresh {
		at := min(f.at, len(out))
		out = append(out[:at:at], append([]any{f.v}, out[at:]...)...)
	}
	if out == nil {
		out = []any{}
	}
	return out
}

func grouped(edits []edit) map[string][]edit {
	out := make(map[string][]edit)
	for _, e := range edits {
		head := e.path[0].name
		e.path = e.path[1:]
		out[head] = append(out[head], e)
	}
	return out
}

func patchProperties(before map[string]any, ds []Difference) map[string]any {
	var edits []edit
	for _, d := range ds {
		edits = append(edits, edit{segments(d.Path)[1:], d})
	}
	out, _ := patch(before, "", edits).(map[string]any)
	return out
}

// value draws a property value. Names come from a small alphabet, so that two
// draws have much in common.
func value(depth int) *rapid.Generator[any] {
	scalars := rapid.OneOf(
		rapid.Map(rapid.SampledFrom([]string{"a", "b", "c", "1", "true", "a\nb\n", "a\nc\n", `{"x":1}`, `{"x": 2}`}), func(s string) any { return s }),
		rapid.Map(rapid.IntRange(0, 3), func(i int) any { return float64(i) }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.SampledFrom([]any{
			LogicalRef("R"), GetAtt("R", "Arn"), Join("a", LogicalRef("R"), "\nb"),
			StackOutput("s", "O"), map[string]any{"Fn::Base64": "x\ny\n"}, map[string]any{"Fn::Sub": "${R}"},
		}),
	)
	if depth == 0 {
		return scalars
	}
	return rapid.OneOf(scalars, object(depth), rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(l []any) any { return l }))
}

func object(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		m := make(map[string]any)
		for range rapid.IntRange(0, 4).Draw(t, "size") {
			switch key := rapid.SampledFrom([]string{"A", "B", "C.d", "Tags", "Statement", "Action", "E[0]"}).Draw(t, "key"); key {
			case "Tags":
				m[key] = tags(t)
			default:
				m[key] = value(depth-1).Draw(t, key)
			}
		}
		return m
	})
}

func tags(t *rapid.T) []any {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID[string]).Draw(t, "tags")
	out := []any{}
	for _, n := range names {
		out = append(out, map[string]any{"Key": n, "Value": rapid.SampledFrom([]string{"1", "2"}).Draw(t, n)})
	}
	return out
}

func drawTemplate(t *rapid.T, label string) Template {
	properties, _ := object(3).Draw(t, label).(map[string]any)
	return one(Resource{Type: "Test::Thing", Properties: properties})
}

func TestDiffWithItselfIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawTemplate(t, "a")
		b, err := Canonical(a)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if ds := Diff(a, again); len(ds) > 0 {
			t.Fatalf("%s", lines(ds))
		}
	})
}

func TestApplyingTheDifferencesGivesTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTemplate(t, "a"), drawTemplate(t, "b")
		ds := Diff(a, b)
		patched := one(Resource{Type: "Test::Thing", Properties: patchProperties(a.Resources["X"].Properties, ds)})
		if rest := Diff(patched, b); len(rest) > 0 {
			got, _ := json.Marshal(patched)
			t.Fatalf("differences:\n%sgive %s\nwhich still differs:\n%s", lines(ds), got, lines(rest))
		}
	})
}

func TestDiffIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTemplate(t, "a"), drawTemplate(t, "b")
		first := lines(Diff(a, b))
		ca, _ := Canonical(a)
		cb, _ := Canonical(b)
		a2, _ := Parse(ca) // the same data in maps of another history
		b2, _ := Parse(cb)
		if again := lines(Diff(a2, b2)); again != first {
			t.Fatalf("first:\n%sthen:\n%s", first, again)
		}
	})
}

func FuzzParseAndDiff(f *testing.F) {
	f.Add(`{"Resources":{"A":{"Type":"AWS::EC2::VPC","Properties":{"Tags":[{"Key":"a"}]}}}}`, `{"Resources":{}}`)
	f.Add(`{"Resources":{"A":{"Type":"AWS::IAM::Policy","DependsOn":"B","Properties":{"PolicyDocument":{"Statement":{"Fn::Join":["",["a",{"Fn::GetAtt":"x"}]]}}}}}}`, `{"Transform":["a"],"Outputs":{"O":{"Value":[{"Fn::Sub":"${"}]}}}`)
	f.Add(`{"Resources":{"X":{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{\"a\":[1,{}]}"}}}}`, `{"Resources":{"X":{"Type":"AWS::CloudWatch::Dashboard","Properties":{"DashboardBody":"{}"}}}}`)
	f.Fuzz(func(t *testing.T, before, after string) {
		a, err := Parse([]byte(before))
		if err != nil {
			return
		}
		b, err := Parse([]byte(after))
		if err != nil {
			return
		}
		ds := Diff(a, b)
		NamedReplacements(a, b, ds)
		b.Dependents()
		b.Dependencies()
		Capabilities(b)
		if _, err := Render(b, YAML); err != nil {
			t.Errorf("render: %v", err)
		}
		if rest := Diff(b, b); len(rest) > 0 {
			t.Errorf("a template differs from itself: %s", lines(rest))
		}
		for _, d := range ds {
			if d.Kind == Modify && fmt.Sprint(d.Before) == fmt.Sprint(d.After) && !d.Sensitive && d.Document == "" && fingerprint(d.Before) == fingerprint(d.After) {
				t.Errorf("%s %s differs without a difference", d.Resource, d.Path)
			}
		}
	})
}
