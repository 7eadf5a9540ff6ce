package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

var update = flag.Bool("update", os.Getenv("UPDATE") != "", "write the goldens")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// first is a first apply of a platform of the real size.
func first() plan.Plan {
	p := plan.Plan{FormatVersion: plan.FormatVersion, Tool: "test", Target: target, Digest: "d4"}
	for _, s := range []struct {
		name  string
		count int
	}{{"bp-network", 41}, {"bp-data", 33}, {"bp-compute", 26}} {
		step := plan.Step{ID: plan.StepID("stack/" + s.name), Kind: plan.KindStack, Target: s.name, Action: plan.ActionCreate, Source: at("platform.yaml", 3)}
		if n := len(p.Steps); n > 0 {
			step.Needs = []plan.StepID{p.Steps[n-1].ID}
		}
		for i := range s.count {
			step.Changes = append(step.Changes, plan.Change{Stack: s.name, Resource: fmt.Sprintf("Thing%02d", i), Type: []string{"AWS::EC2::Subnet", "AWS::IAM::Role", "AWS::ElasticLoadBalancingV2::TargetGroup"}[i%3], Action: plan.ActionCreate, Source: step.Source})
			p.Summary.Add++
		}
		p.Steps = append(p.Steps, step)
	}
	return p
}

func TestPlanText(t *testing.T) {
	for name, p := range map[string]plan.Plan{"updates": updates(), "empty": empty(), "hostile": hostile()} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) }))
		})
	}
	golden(t, "verbose.txt", written(t, func(w io.Writer) error { return PlanText(w, updates(), Options{Verbose: true, Width: 80}) }))
}

func TestAFirstApplyStaysReadable(t *testing.T) {
	got := written(t, func(w io.Writer) error { return PlanText(w, first(), Options{}) })
	lines := strings.Split(got, "\n")
	if len(lines) > 20 {
		t.Errorf("%d lines for 100 resources", len(lines))
	}
	for _, want := range []string{"stack bp-network: create 41 resources", "Plan: 100 to add, 0 to change, 0 to destroy."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for _, l := range lines {
		if len(l) > 100 {
			t.Errorf("line of %d characters: %s", len(l), l)
		}
	}
}

func TestPlanMarkdown(t *testing.T) {
	for name, p := range map[string]plan.Plan{"updates": updates(), "empty": empty(), "hostile": hostile()} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".md", written(t, func(w io.Writer) error { return PlanMarkdown(w, p, Options{}) }))
		})
	}
}

func TestMarkdownStaysWithinItsBound(t *testing.T) {
	for _, bound := range []int{420, 600, 700, 900, 2000} {
		got := written(t, func(w io.Writer) error { return PlanMarkdown(w, first(), Options{MaxBytes: bound}) })
		if len(got) > bound {
			t.Errorf("%d bytes, bound %d", len(got), bound)
		}
		named := strings.Count(got, "create 41 resources") + strings.Count(got, "create 33 resources") + strings.Count(got, "create 26 resources")
		if left := 3 - named; left > 0 && !strings.Contains(got, fmt.Sprintf("…and %s more", counted(left, "step"))) {
			t.Errorf("bound %d: does not say what is left out:\n%s", bound, got)
		}
		if strings.Count(got, "<details") != strings.Count(got, "</details>") || strings.Count(got, "```")%2 != 0 {
			t.Errorf("a block stays open:\n%s", got)
		}
	}
}

func TestNothingHostileReachesTheTerminal(t *testing.T) {
	for name, write := range map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return PlanText(w, hostile(), Options{Verbose: true}) },
		"markdown": func(w io.Writer) error { return PlanMarkdown(w, hostile(), Options{}) },
		"issues":   func(w io.Writer) error { return Issues(w, hostileIssues(), Options{Source: hostileFile}) },
		"github":   func(w io.Writer) error { return IssuesGitHub(w, hostileIssues()) },
	} {
		for _, r := range written(t, write) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s: %U reaches the output", name, r)
			}
		}
	}
}

func TestColorIsOnlyWhatIsAskedFor(t *testing.T) {
	plain := written(t, func(w io.Writer) error { return PlanText(w, updates(), Options{}) })
	colored := written(t, func(w io.Writer) error { return PlanText(w, updates(), Options{Color: true}) })
	if strings.Contains(plain, "\x1b") || !strings.Contains(colored, "\x1b[") {
		t.Error("color does not follow Options.Color")
	}
	if diff := cmp.Diff(plain, stripSGR(colored)); diff != "" {
		t.Errorf("color changes the text (-plain +colored):\n%s", diff)
	}
}

// stripSGR takes out the color sequences of our own.
func stripSGR(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, s, _ = strings.Cut(rest, "m")
	}
}

func TestPlanJSONFollowsItsSchema(t *testing.T) {
	schema := jsonschema.MustCompileString("plan.schema.json", string(PlanSchema()))
	for name, p := range map[string]plan.Plan{"updates": updates(), "empty": empty(), "hostile": hostile(), "first": first()} {
		got := written(t, func(w io.Writer) error { return PlanJSON(w, p) })
		var v any
		if err := json.Unmarshal([]byte(got), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %#v", name, err)
		}
		var back plan.Plan
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Errorf("%s does not read back: %v", name, err)
		}
	}
	if err := schema.Validate(map[string]any{"formatVersion": "1.0"}); err == nil {
		t.Error("the schema accepts half a plan")
	}
}

// What a plan would write is shown whole, but for literals that are secrets.
func TestPlanJSONMasksSecretsInTemplates(t *testing.T) {
	template := cfn.Template{Resources: map[string]cfn.Resource{
		"Key":  {Type: "AWS::SecretsManager::Secret", Properties: map[string]any{"Name": "k", "SecretString": "hunter2"}},
		"Code": {Type: "AWS::Lambda::Function", Properties: map[string]any{"Environment": map[string]any{"Variables": map[string]any{"DB_PASSWORD": "hunter2", "STAGE": "production"}}}},
		"Wait": {Type: "AWS::CloudFormation::WaitConditionHandle"},
	}}
	p := plan.Plan{Target: target, Steps: []plan.Step{{ID: "stack/a", Kind: plan.KindStack, Target: "a", Action: plan.ActionCreate,
		Body: plan.Body{Stack: &plan.StackBody{Name: "a", Template: &template}}}}}
	got := written(t, func(w io.Writer) error { return PlanJSON(w, p) })
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "production") || strings.Count(got, cfn.Masked) != 2 {
		t.Errorf("got\n%s", got)
	}
	if template.Resources["Key"].Properties["SecretString"] != "hunter2" {
		t.Error("the plan itself was changed: apply would write the mask")
	}
}

// The schema is written by hand; this holds it complete.
func TestPlanSchemaKnowsEveryField(t *testing.T) {
	var schema struct {
		Properties map[string]any
		Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal(PlanSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		value any
		known map[string]any
	}{
		{plan.Plan{}, schema.Properties},
		{plan.Target{}, schema.Defs["target"].Properties},
		{plan.Applied{}, schema.Defs["applied"].Properties},
		{plan.Limits{}, schema.Defs["since"].Properties},
		{plan.Step{}, schema.Defs["step"].Properties},
		{plan.Change{}, schema.Defs["change"].Properties},
		{plan.Body{}, schema.Defs["body"].Properties},
		{plan.StackBody{}, schema.Defs["stackBody"].Properties},
		{plan.Import{}, schema.Defs["import"].Properties},
		{plan.Capacity{}, schema.Defs["capacity"].Properties},
		{plan.ParameterBody{}, schema.Defs["parameterBody"].Properties},
		{plan.SecretBody{}, schema.Defs["secretBody"].Properties},
		{plan.LogGroupBody{}, schema.Defs["logGroupBody"].Properties},
		{plan.RecoverBody{}, schema.Defs["recoverBody"].Properties},
		{plan.BundleBody{}, schema.Defs["bundleBody"].Properties},
		{plan.Upload{}, schema.Defs["upload"].Properties},
		{plan.Object{}, schema.Defs["object"].Properties},
		{plan.Blocked{}, schema.Defs["blocked"].Properties},
		{plan.Approval{}, schema.Defs["approval"].Properties},
		{plan.Finding{}, schema.Defs["finding"].Properties},
		{plan.Summary{}, schema.Defs["summary"].Properties},
		{spec.Source{}, schema.Defs["source"].Properties},
	} {
		typ := reflect.TypeOf(c.value)
		var want, got []string
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			want = append(want, name)
		}
		for name := range c.known {
			got = append(got, name)
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", typ, diff)
		}
	}
}

// Whatever a text holds, it stays in its place: blocks and fences balance.
func FuzzMarkdown(f *testing.F) {
	f.Add("</details>\n```\n", "```diff")
	f.Add("\x1b]8;;http://x\a", "<details>")
	f.Fuzz(func(t *testing.T, a, b string) {
		p := plan.Plan{Steps: []plan.Step{{Target: a, Action: plan.ActionUpdate, Changes: []plan.Change{
			{Resource: a, Type: b, Action: plan.ActionUpdate, Path: b, Before: a, After: b, Document: a + "\n+" + b},
		}}}, Findings: []plan.Finding{{Severity: plan.SeverityError, Target: b, Message: a, Command: a}}}
		var out bytes.Buffer
		if err := PlanMarkdown(&out, p, Options{}); err != nil {
			t.Fatal(err)
		}
		var opened, closed int
		fence := ""
		for _, l := range strings.Split(out.String(), "\n") {
			switch {
			case fence == "" && strings.HasPrefix(l, "```"):
				fence = strings.TrimSuffix(l, "diff")
			case fence != "" && strings.HasPrefix(l, fence):
				fence = ""
			case fence == "" && strings.HasPrefix(l, "<details"):
				opened++
			case fence == "" && l == "</details>":
				closed++
			}
		}
		if fence != "" || opened != 1 || closed != 1 {
			t.Errorf("fence %q, %d opened, %d closed:\n%s", fence, opened, closed, out.String())
		}
	})
}
