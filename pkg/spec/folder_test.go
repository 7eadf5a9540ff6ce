package spec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

// onDisk copies the valid base folder and returns it.
func onDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "specs")
	if err := os.CopyFS(dir, os.DirFS("testdata/base")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestSymlinksAreNotFollowed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a privilege there")
	}
	secret := filepath.Join(t.TempDir(), "secret.yaml")
	write(t, secret, "top: secret-of-another-folder\n")
	for name, c := range map[string]struct{ link, target, want string }{
		"a file outside":   {"linked.yaml", secret, "specs/linked.yaml:1:1: is a symbolic link, which is not followed; put the file or folder itself here [symlink]\n"},
		"a file inside":    {"linked.yaml", "fleet.yaml", "specs/linked.yaml:1:1: is a symbolic link, which is not followed; put the file or folder itself here [symlink]\n"},
		"a folder outside": {"more", filepath.Dir(secret), "specs/more:1:1: is a symbolic link, which is not followed; put the file or folder itself here [symlink]\n"},
		"a loop":           {"more", ".", "specs/more:1:1: is a symbolic link, which is not followed; put the file or folder itself here [symlink]\n"},
		"no spec":          {"notes.txt", secret, "valid\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := onDisk(t)
			if err := os.Symlink(c.target, filepath.Join(dir, c.link)); err != nil {
				t.Fatal(err)
			}
			_, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir, Name: "specs"})
			if diff := cmp.Diff(c.want, findings(err)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("a template outside", func(t *testing.T) {
		dir := onDisk(t)
		if err := os.Symlink(secret, filepath.Join(dir, "_t.yaml")); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "stack.yaml"), "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: x}\nspec: {template: _t.yaml}\n")
		_, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir, Name: "specs"})
		if got := findings(err); !strings.Contains(got, "there is no file specs/_t.yaml") || strings.Contains(got, "secret-of") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("the folder itself", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(onDisk(t), link); err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Load(context.Background(), spec.LoadOptions{Dir: link}); err != nil {
			t.Error(err)
		}
	})
}

func TestFoldersAndOtherFiles(t *testing.T) {
	dir := onDisk(t)
	write(t, filepath.Join(dir, "production", "fleet.yml"), "# a comment\n---\n---\napiVersion: reconcile/v1\nkind: Fleet\nmetadata: {name: a, stage: production}\nspec: {template: gpu-default, instanceTypes: [g5.xlarge]}\n...\n")
	write(t, filepath.Join(dir, "production", "more.cue"), "package specs\n\nb: {apiVersion: \"reconcile/v1\", kind: \"Fleet\", metadata: {name: \"b\", stage: \"production\"}, spec: {template: \"gpu-default\", instanceTypes: [\"g5.xlarge\"]}}\n")
	write(t, filepath.Join(dir, "empty.yaml"), "")
	write(t, filepath.Join(dir, "comment.yaml"), "# nothing here yet\n")
	write(t, filepath.Join(dir, "README.md"), "# Notes\n")
	write(t, filepath.Join(dir, ".git", "config.yaml"), "a: [\n")
	write(t, filepath.Join(dir, "_drafts", "broken.yaml"), "a: [\n")
	write(t, filepath.Join(dir, ".hidden.yaml"), "a: [\n")
	set, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir, Name: "./specs"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range set.Fleets {
		got = append(got, f.ID()+" "+f.Source.File)
	}
	want := []string{"production/a specs/production/fleet.yml", "production/b specs/production/more.cue", "staging/gpu-default specs/fleet.yaml"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestLineEndsAndByteOrderMark(t *testing.T) {
	base, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	windows := "\uFEFF" + strings.ReplaceAll(string(base), "\n", "\r\n")
	files := fstest.MapFS{"platform.yaml": {Data: []byte(windows)}}
	set, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
	if err != nil {
		t.Fatal(err)
	}
	if got := set.Platform.At("spec.account"); got != (spec.Source{File: "specs/platform.yaml", Line: 5, Column: 12}) {
		t.Errorf("account is at %+v", got)
	}
	if set.Platform.Account != "123456789012" || set.Platform.Region != "us-east-1" {
		t.Errorf("got %+v", set.Platform)
	}
}

func TestLimits(t *testing.T) {
	base, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a large file", func(t *testing.T) {
		files := fstest.MapFS{"platform.yaml": {Data: []byte(string(base) + strings.Repeat("# padding\n", 120_000))}}
		_, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
		if diff := cmp.Diff("specs/platform.yaml:1:1: is larger than 1 MB; split it [file-size]\n", findings(err)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("many files", func(t *testing.T) {
		files := fstest.MapFS{"platform.yaml": {Data: base}}
		for i := range 10_001 {
			files[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: []byte("a: [\n")}
		}
		_, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
		if err == nil || !strings.Contains(err.Error(), "at most 10000 are read") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("many documents", func(t *testing.T) {
		files := fstest.MapFS{"platform.yaml": {Data: base}}
		for i := range 3 {
			files[fmt.Sprintf("f%d.yaml", i)] = &fstest.MapFile{Data: []byte(strings.Repeat("---\nkind: x\n", 7000))}
		}
		_, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
		if err == nil || !strings.Contains(err.Error(), "at most 20000 are read") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFolderThatIsNone(t *testing.T) {
	for _, dir := range []string{filepath.Join(t.TempDir(), "absent"), "load_test.go", ""} {
		_, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir})
		var issues spec.Issues
		if err == nil || errors.As(err, &issues) {
			t.Errorf("%q: got %v", dir, err)
		}
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := spec.Load(ctx, spec.LoadOptions{Dir: "testdata/base"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The digest is of the files alone: not of how the folder is named or read.
func TestDigest(t *testing.T) {
	load := func(opts spec.LoadOptions) spec.Set {
		t.Helper()
		set, err := spec.Load(context.Background(), opts)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	dir := onDisk(t)
	a := load(spec.LoadOptions{Dir: dir, Name: "specs"})
	b := load(spec.LoadOptions{FS: os.DirFS(dir), Name: "elsewhere/specs"})
	if a.Digest != b.Digest || len(a.Digest) != 64 {
		t.Errorf("%s and %s", a.Digest, b.Digest)
	}
	if diff := cmp.Diff([]string{"elsewhere/specs/fleet-templates.json", "elsewhere/specs/fleet.yaml", "elsewhere/specs/platform.yaml"}, b.Files); diff != "" {
		t.Error(diff)
	}
	write(t, filepath.Join(dir, "notes.txt"), "not a spec")
	if c := load(spec.LoadOptions{Dir: dir}); c.Digest != a.Digest {
		t.Error("a file that is no spec changed the digest")
	}
	write(t, filepath.Join(dir, "stack.yaml"), "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: x}\nspec: {template: t.json}\n")
	write(t, filepath.Join(dir, "t.json"), `{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}`)
	d := load(spec.LoadOptions{Dir: dir})
	write(t, filepath.Join(dir, "t.json"), `{"Resources": {"Q": {"Type": "AWS::SNS::Topic"}}}`)
	if e := load(spec.LoadOptions{Dir: dir}); e.Digest == d.Digest {
		t.Error("another template has the same digest")
	}
}
