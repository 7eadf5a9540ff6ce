// Package packer_test runs the scripts of a worker image as the image does:
// bash and Python against an S3 on a port.
package packer_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two bundles that share an asset, replace one, and bring archives.
func twoBundles(b *bench) {
	t := b.t
	shared := b.asset("checkpoint", "models/checkpoints/sdxl.safetensors", "copy", []byte(strings.Repeat("sdxl ", 1000)))
	delete(shared, "action") // copy is the default
	b.bundle("one", shared,
		b.asset("vae", "models/vae/v.safetensors", "copy", []byte("vae 1")),
		b.asset("custom_node", "custom_nodes/nodes/", "extract_zip", zipped(t, packed{name: "deep/"}, packed{name: "deep/old.py", body: "old"}, packed{name: "init.py", body: "one"})),
	)
	b.bundle("two", shared,
		b.asset("vae", "models/vae/v.safetensors", "copy", []byte("vae 2")),
		b.asset("vae", "models/vae/again.safetensors", "copy", []byte("vae 2")),
		b.asset("custom_node", "custom_nodes/nodes", "extract_tar_gz", tarred(t,
			packed{name: "./", kind: '5'}, packed{name: "./init.py", body: "two"}, packed{name: "./run.sh", body: "run", mode: 0o755},
			packed{name: "./link.py", link: "init.py"}, packed{name: "sub/hard.py", link: "./init.py", kind: '1'})),
		b.asset("other", "models/other/ü ß.bin", "copy", []byte("other")),
	)
}

var wantOne = map[string]string{
	".active_bundle_id":                       "-rw-r--r-- one\n",
	".installed_bundle_paths":                 "-rw-r--r-- custom_nodes/nodes/deep/old.py\ncustom_nodes/nodes/init.py\nmodels/checkpoints/sdxl.safetensors\nmodels/vae/v.safetensors\n",
	"custom_nodes/example.py.disabled":        "-rw-r--r-- ",
	"custom_nodes/nodes/deep/old.py":          "-rw-r--r-- old",
	"custom_nodes/nodes/init.py":              "-rw-r--r-- one",
	"models/other/put_other_here":             "-rw-r--r-- ",
	"main.py":                                 "-rw-r--r-- comfyui\n",
	"models/checkpoints/put_checkpoints_here": "-rw-r--r-- ",
	"models/checkpoints/sdxl.safetensors":     "-rw-r--r-- " + strings.Repeat("sdxl ", 1000),
	"models/loras/by-hand.safetensors":        "-rw-r--r-- by hand\n",
	"models/vae/v.safetensors":                "-rw-r--r-- vae 1",
}

var wantTwo = map[string]string{
	".active_bundle_id":                       "-rw-r--r-- two\n",
	".installed_bundle_paths":                 "-rw-r--r-- custom_nodes/nodes/init.py\ncustom_nodes/nodes/link.py\ncustom_nodes/nodes/run.sh\ncustom_nodes/nodes/sub/hard.py\nmodels/checkpoints/sdxl.safetensors\nmodels/other/ü ß.bin\nmodels/vae/again.safetensors\nmodels/vae/v.safetensors\n",
	"custom_nodes/example.py.disabled":        "-rw-r--r-- ",
	"custom_nodes/nodes/init.py":              "-rw-r--r-- two",
	"custom_nodes/nodes/link.py":              "-rw-r--r-- two",
	"custom_nodes/nodes/run.sh":               "-rwxr-xr-x run",
	"custom_nodes/nodes/sub/hard.py":          "-rw-r--r-- two",
	"models/other/put_other_here":             "-rw-r--r-- ",
	"main.py":                                 "-rw-r--r-- comfyui\n",
	"models/checkpoints/put_checkpoints_here": "-rw-r--r-- ",
	"models/checkpoints/sdxl.safetensors":     "-rw-r--r-- " + strings.Repeat("sdxl ", 1000),
	"models/loras/by-hand.safetensors":        "-rw-r--r-- by hand\n",
	"models/other/ü ß.bin":                    "-rw-r--r-- other",
	"models/vae/again.safetensors":            "-rw-r--r-- vae 2",
	"models/vae/v.safetensors":                "-rw-r--r-- vae 2",
}

func TestApplySwitchAndRollBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	out := b.mustApply("one/")
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" {
		t.Fatalf("after the first bundle (-want +got):\n%s", diff)
	}
	if log, err := os.ReadFile(b.log); err != nil || string(log) != out {
		t.Errorf("the log file (%v) has not what was said:\n%s", err, log)
	}
	b.asked()
	b.mustApply("one")
	if got := b.asked(); !slices.Equal(got, []string{"GET bundles/one/manifest.json"}) {
		t.Errorf("what was installed was asked for again: %q", got)
	}
	// Python's cache of a node that goes must not keep its folder.
	b.write("custom_nodes/nodes/deep/__pycache__/old.pyc", "cache")
	b.mustApply("two")
	if diff := cmp.Diff(wantTwo, b.tree()); diff != "" {
		t.Fatalf("after the second bundle (-want +got):\n%s", diff)
	}
	if got := strings.Join(b.asked(), "\n"); strings.Contains(got, "assets/checkpoint/") || strings.Count(got, "GET assets/vae/") != 1 {
		t.Errorf("a shared asset was downloaded again:\n%s", got)
	}
	b.mustApply("one")
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" {
		t.Fatalf("back at the first bundle (-want +got):\n%s", diff)
	}
	if left, _ := os.ReadDir(filepath.Join(b.root, ".apply-bundle")); len(left) != 2 {
		t.Errorf("left beside lock and record: %v", left)
	}
	// A file that changed by itself is brought back.
	b.write("models/vae/v.safetensors", "damaged")
	b.mustApply("one")
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" {
		t.Errorf("after a repair (-want +got):\n%s", diff)
	}
	b.bundle("empty")
	b.mustApply("empty")
	if got := b.tree(); len(got) != 8 || got[".installed_bundle_paths"] != "-rw-r--r-- " {
		t.Errorf("after an empty bundle: %v", got)
	}
}

// An older installer wrote absolute paths and folders; what leads out of the
// root, belongs to ComfyUI or is behind a link stays.
func TestPathsOfAnOlderInstaller(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	outside := filepath.Join(t.TempDir(), "precious")
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(b.root, "models/linked")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"models/vae/gone.bin", "custom_nodes/gone/a/b.py", "models/linked/stays", "../stays", "bin/apply-bundle.sh"} {
		b.write(path, "x")
	}
	b.write(".installed_bundle_paths", strings.Join([]string{
		b.root + "/models/vae/gone.bin", "custom_nodes/gone/", "custom_nodes", "models", "models/checkpoints/", "../stays", outside,
		"models/linked/stays", "bin/apply-bundle.sh", "models/../../stays", "/", ".", "",
	}, "\n"))
	b.mustApply("one")
	got := b.tree()
	delete(got, "bin/apply-bundle.sh")
	want := maps.Clone(wantOne)
	want["models/linked"] = "-> " + outside
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, path := range []string{outside + "/stays", filepath.Join(b.root, "../stays"), filepath.Join(b.root, "bin/apply-bundle.sh")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("removed: %v", err)
		}
	}
}
