package spec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"reconcile/pkg/spec"
)

// TestValid loads the archives of testdata/valid and compares the whole Set,
// without the positions, which TestPositions reads. UPDATE=1 rewrites it.
func TestValid(t *testing.T) {
	archives, err := filepath.Glob("testdata/valid/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			set, err := spec.Load(context.Background(), spec.LoadOptions{FS: archiveFS(archive), Name: "specs", Version: "1.5.0"})
			if err != nil {
				t.Fatal(err)
			}
			got := dump(t, set)
			if os.Getenv("UPDATE") != "" {
				setFile(archive, "want.json", got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(file(archive, "want.json"), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func archiveFS(archive *txtar.Archive) fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range archive.Files {
		if f.Name != "want.json" {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return files
}

// dump is a Set as JSON without positions and digest.
func dump(t *testing.T, set spec.Set) string {
	t.Helper()
	set.Digest = ""
	set.Platform.Positions = nil
	for i := range set.Templates {
		set.Templates[i].Positions = nil
	}
	for i := range set.Fleets {
		set.Fleets[i].Positions = nil
	}
	for i := range set.Bundles {
		set.Bundles[i].Positions = nil
	}
	for i := range set.Stacks {
		set.Stacks[i].Positions = nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(set); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPositions(t *testing.T) {
	load := func(name string) spec.Set {
		t.Helper()
		archive, err := txtar.ParseFile("testdata/valid/" + name)
		if err != nil {
			t.Fatal(err)
		}
		set, err := spec.Load(context.Background(), spec.LoadOptions{FS: archiveFS(archive), Name: "specs"})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	yaml, cue := load("everything.txtar"), load("cue.txtar")
	for _, c := range []struct {
		what string
		got  spec.Source
		want spec.Source
	}{
		{"a scalar", yaml.Platform.At("spec.network.cidr"), spec.Source{File: "specs/platform.yaml", Line: 14, Column: 11}},
		{"an object", yaml.Platform.At("spec.network"), spec.Source{File: "specs/platform.yaml", Line: 13, Column: 3}},
		{"an item", yaml.Platform.At("spec.network.availabilityZones[2]"), spec.Source{File: "specs/platform.yaml", Line: 15, Column: 49}},
		{"an absent field", yaml.Platform.At("spec.network.colour"), spec.Source{File: "specs/platform.yaml", Line: 13, Column: 3}},
		{"an absent section", load("minimal.txtar").Platform.At("spec.database.multiAZ"), spec.Source{File: "specs/platform.yaml", Line: 4, Column: 1}},
		{"a second document", yaml.Stacks[1].Source, spec.Source{File: "specs/stacks/queue.yaml", Line: 17, Column: 1}},
		{"a map's value", yaml.Stacks[0].At("spec.parameters.Topic.output"), spec.Source{File: "specs/stacks/queue.yaml", Line: 12, Column: 38}},
		{"a fleet template's field", yaml.Templates[0].At("max_size"), spec.Source{File: "specs/fleet-templates.json", Line: 1, Column: 118}},
		{"a fleet template's default", yaml.Templates[0].At("colour"), yaml.Templates[0].Source},
		{"CUE: a scalar", cue.Platform.At("spec.account"), spec.Source{File: "specs/all.cue", Line: 15, Column: 12}},
		{"CUE: an item", cue.Platform.At("spec.network.availabilityZones[1]"), spec.Source{File: "specs/all.cue", Line: 18, Column: 46}},
		{"CUE: from a definition", cue.Fleets[0].At("spec.template"), spec.Source{File: "specs/all.cue", Line: 29, Column: 13}},
		{"CUE: from a default", cue.Fleets[1].At("spec.instanceTypes[0]"), spec.Source{File: "specs/all.cue", Line: 30, Column: 34}},
		{"CUE: from another file", cue.Fleets[0].At("spec.instanceTypes[0]"), spec.Source{File: "specs/production.cue", Line: 3, Column: 35}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.what, c.got, c.want)
		}
	}
}
