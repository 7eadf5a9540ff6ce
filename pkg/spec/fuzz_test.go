package spec_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"reconcile/pkg/spec"
)

// FuzzLoad gives Load arbitrary bytes as a YAML spec, a template and the fleet
// templates. It must not panic; every finding must have a place that exists and
// a rule; and a second time it must say the same.
func FuzzLoad(f *testing.F) {
	platform, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		f.Fatal(err)
	}
	templates, err := os.ReadFile("testdata/base/fleet-templates.json")
	if err != nil {
		f.Fatal(err)
	}
	archives, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range archives {
		a, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if file.Name != "want" && filepath.Ext(file.Name) != ".cue" && len(file.Data) < 4000 {
				f.Add(string(file.Data), "Resources:\n  Q: {Type: !Sub AWS::SQS::Queue}\n", string(templates))
			}
		}
	}
	f.Add("apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: x}\nspec: {template: q.yaml}\n", "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties: !GetAtt [A, B.C]\n", string(templates))
	f.Add(string(platform), "{\"Resources\": {}}", "[{\"template_slug\": 1e400}]")
	f.Fuzz(func(t *testing.T, document, template, fleetTemplates string) {
		files := fstest.MapFS{
			"platform.yaml":        {Data: platform},
			"fuzz.yaml":            {Data: []byte(document)},
			"q.yaml":               {Data: []byte(template)},
			"fleet-templates.json": {Data: []byte(fleetTemplates)},
			"queue.yaml":           {Data: []byte("apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: fuzz}\nspec: {template: q.yaml}\n")},
		}
		_, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
		var issues spec.Issues
		if err != nil && !errors.As(err, &issues) {
			t.Fatalf("not a finding: %v", err)
		}
		for _, i := range issues {
			data := files[strings.TrimPrefix(i.File, "specs/")]
			if data == nil && i.File != "specs" {
				t.Fatalf("a finding in no file: %s", i)
			}
			if data != nil && i.Line > strings.Count(string(data.Data), "\n")+strings.Count(string(data.Data), "\r")+1 {
				t.Fatalf("a finding behind the end of its file: %s", i)
			}
			if i.Line < 1 || i.Column < 1 || i.Rule == "" || i.Message == "" || len(i.Message) > 2000 {
				t.Fatalf("half a finding: %#v", i)
			}
		}
		_, again := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
		if diff := cmp.Diff(findings(err), findings(again)); diff != "" {
			t.Fatalf("a second time says something else\n%s", diff)
		}
	})
}
