package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func widget(title string, y int) string {
	return fmt.Sprintf(`{"type":"metric","x":0,"y":%d,"properties":{"title":%q,"metrics":[["AWS/EC2","CPU","Id",%q,{"stat":"Sum"}],["AWS/EC2","Disk","Id",%q]],"annotations":{"horizontal":[{"label":"a long label of a threshold","value":5}],"vertical":[{"label":"a deployment"}]}}}`, y, title, title, title)
}

func dashboard(widgets ...string) string { return `{"widgets":[` + strings.Join(widgets, ",") + `]}` }

func TestADocumentIsToldByItsPaths(t *testing.T) {
	for name, c := range map[string]struct{ before, after, want string }{
		"a value": {`{"a":{"b":1,"c":"x"}}`, `{"a":{"b":2,"c":"x"}}`, `
~ a: {"b": 1, "c": "x"} -> {"b": 2, "c": "x"}`},
		"a value of a larger object": {`{"a":{"b":1,"c":"a text that makes it too long for a line"}}`, `{"a":{"b":2,"c":"a text that makes it too long for a line"}}`, `
~ a.b: 1 -> 2`},
		"order and spaces": {`{"a":1,"b":2}`, `{ "b": 2, "a": 1 }`, ``},
		"an entry more in a list": {dashboard(widget("one", 0)), dashboard(widget("one", 0), widget("two", 6)), `
@@ widgets[1]
+{
+  "properties": {
+    "annotations": {
+      "horizontal": [{"label": "a long label of a threshold", "value": 5}]
+      "vertical": [{"label": "a deployment"}]
+    }
+    "metrics": [
+      ["AWS/EC2", "CPU", "Id", "two", {"stat": "Sum"}]
+      ["AWS/EC2", "Disk", "Id", "two"]
+    ]
+    "title": "two"
+  }
+  "type": "metric"
+  "x": 0
+  "y": 6
+}`},
		"the first of a list goes": {dashboard(widget("one", 0), widget("two", 6)), dashboard(widget("two", 0)), `
@@ widgets[0]
-{
-  "properties": {
-    "annotations": {
-      "horizontal": [{"label": "a long label of a threshold", "value": 5}]
-      "vertical": [{"label": "a deployment"}]
-    }
-    "metrics": [
-      ["AWS/EC2", "CPU", "Id", "one", {"stat": "Sum"}]
-      ["AWS/EC2", "Disk", "Id", "one"]
-    ]
-    "title": "one"
-  }
-  "type": "metric"
-  "x": 0
-  "y": 0
-}
~ widgets[1].y: 6 -> 0`},
		"what it holds is another thing": {`{"a":1}`, `[1]`, `
@@ document
-{
-  "a": 1
-}
+[
+  1
+]`},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(jsonDiff(c.before, c.after), "\n")
			if diff := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if jsonDiff("#!/bin/sh\n", "{}") != nil || jsonDiff("{} {}", "{}") != nil {
		t.Error("what is no JSON has a JSON diff")
	}
}

// Whatever moves, the lines that go and come are those of the one and the other.
func TestADocumentDiffLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom([]string{"{", "}", "[", "a", "  {", "  }", "  b"}), 0, 12)
		var old, now documentText
		for _, l := range list.Draw(t, "old") {
			old.add(l, "p", "")
		}
		for _, l := range list.Draw(t, "now") {
			now.add(l, "p", "")
		}
		script := edits(old, now)
		slide(script)
		if len(script) == 0 {
			if old.String() != now.String() {
				t.Fatal("a difference is lost")
			}
			return
		}
		var before, after documentText
		for _, e := range script {
			switch {
			case e.kind == udiff.Equal:
				before.add(e.old.text, "p", "")
				after.add(e.now.text, "p", "")
			case e.kind == udiff.Delete:
				before.add(e.old.text, "p", "")
			default:
				after.add(e.now.text, "p", "")
			}
		}
		if before.String() != old.String() || after.String() != now.String() {
			t.Fatalf("old %q is told as %q, now %q as %q", old, before, now, after)
		}
	})
}

func TestSecretsHaveNoDocument(t *testing.T) {
	c := plan.Change{Path: "Value", Before: cfn.Masked, After: cfn.Masked, Sensitive: true}
	if d := documentOf(c); d != nil {
		t.Errorf("got %q", d)
	}
}

func TestALongDocumentIsCut(t *testing.T) {
	var before, after []string
	for i := range 60 {
		before = append(before, fmt.Sprintf(`"key-%02d":"%s"`, i, strings.Repeat("a", 20)))
		after = append(after, fmt.Sprintf(`"key-%02d":"%s"`, i, strings.Repeat("b", 20)))
	}
	step := plan.Step{Kind: plan.KindStack, Target: "s", Action: plan.ActionUpdate, Changes: []plan.Change{{
		Stack: "s", Resource: "D", Type: "AWS::CloudWatch::Dashboard", Action: plan.ActionUpdate, Path: "Properties.DashboardBody",
		Before: "{" + strings.Join(before, ",") + "}", After: "{" + strings.Join(after, ",") + "}",
	}}}
	lines := func(o Options) (n int, last string) {
		for _, r := range o.body(step) {
			if r.kind == rowDocument {
				n, last = n+1, r.text
			}
		}
		return n, last
	}
	if n, last := lines(Options{}); n != 25 || last != "… 36 more lines" {
		t.Errorf("%d lines, the last %q", n, last)
	}
	if n, _ := lines(Options{Verbose: true}); n != 60 {
		t.Errorf("verbose: %d lines", n)
	}
}
