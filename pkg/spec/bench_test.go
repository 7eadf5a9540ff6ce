package spec_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"reconcile/pkg/spec"
)

// fleetFolders are folders of n fleets, the ways in which people write them.
func fleetFolders(t testing.TB, n int) map[string]fs.FS {
	t.Helper()
	platform, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	templates, err := os.ReadFile("testdata/base/fleet-templates.json")
	if err != nil {
		t.Fatal(err)
	}
	var yaml, cue strings.Builder
	cue.WriteString("package specs\n")
	files := fstest.MapFS{}
	for i := range n {
		doc := fmt.Sprintf("apiVersion: reconcile/v1\nkind: Fleet\nmetadata: {name: gpu-%04d, stage: staging}\nspec:\n  template: gpu-default\n  instanceTypes: [g4dn.xlarge, g5.xlarge]\n  enabled: false\n", i)
		yaml.WriteString("---\n" + doc)
		files[fmt.Sprintf("fleets/%04d.yaml", i)] = &fstest.MapFile{Data: []byte(doc)}
		fmt.Fprintf(&cue, "\"gpu-%04d\": {apiVersion: \"reconcile/v1\", kind: \"Fleet\", metadata: {name: \"gpu-%04d\", stage: \"staging\"}\n\tspec: {template: \"gpu-default\", instanceTypes: [\"g4dn.xlarge\", \"g5.xlarge\"], enabled: false}}\n", i, i)
	}
	loop := fmt.Sprintf(`package specs

import "list"

#Fleet: {
	apiVersion: "reconcile/v1"
	kind:       "Fleet"
	metadata: {name: string, stage: "staging"}
	spec: {
		template: "gpu-default"
		instanceTypes: ["g4dn.xlarge", "g5.xlarge"]
		enabled: false
	}
}

for i in list.Range(0, %d, 1) {
	"gpu-\(i)": #Fleet & {metadata: name: "gpu-\(i)"}
}
`, n)
	split := func(text string) fstest.MapFS { // files of at most 1 MB
		out, part, size := fstest.MapFS{}, 0, 0
		var b strings.Builder
		flush := func() {
			out[fmt.Sprintf("fleets%d.cue", part)] = &fstest.MapFile{Data: []byte("package specs\n" + b.String())}
			b.Reset()
			part, size = part+1, 0
		}
		for _, line := range strings.SplitAfter(strings.TrimPrefix(text, "package specs\n"), "}}\n") {
			if size+len(line) > 900_000 {
				flush()
			}
			b.WriteString(line)
			size += len(line)
		}
		flush()
		return out
	}
	folders := map[string]fstest.MapFS{
		"yaml-one-file": {"fleets.yaml": {Data: []byte(yaml.String())}},
		"yaml-files":    files,
		"cue-documents": split(cue.String()),
		"cue-loop":      {"fleets.cue": {Data: []byte(loop)}},
	}
	out := map[string]fs.FS{}
	for name, f := range folders {
		f["platform.yaml"], f["fleet-templates.json"] = &fstest.MapFile{Data: platform}, &fstest.MapFile{Data: templates}
		out[name] = f
	}
	return out
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 100, 1000, 5000} {
		folders := fleetFolders(b, n)
		for _, name := range []string{"yaml-one-file", "yaml-files", "cue-documents", "cue-loop"} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					set, err := spec.Load(context.Background(), spec.LoadOptions{FS: folders[name], Name: "specs"})
					if err != nil || len(set.Fleets) != n {
						b.Fatal(len(set.Fleets), err)
					}
				}
			})
		}
	}
}
