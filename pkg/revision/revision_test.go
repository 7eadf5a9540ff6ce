package revision

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing/object"
)

func TestOf(t *testing.T) {
	root := t.TempDir()
	specs := filepath.Join(root, "specs")
	if got, err := Of(root); got != "" || err != nil {
		t.Fatalf("no repository: got %q, %v", got, err)
	}
	repo, err := git.PlainInit(root, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Of(root); got != "" || err != nil {
		t.Fatalf("no commit: got %q, %v", got, err)
	}
	write(t, filepath.Join(specs, "platform.yaml"), "a: 1\n")
	write(t, filepath.Join(root, "README"), "x\n")
	work, err := repo.Worktree()
	if err != nil {
		t.Fatal(err)
	}
	if err := work.AddGlob("."); err != nil {
		t.Fatal(err)
	}
	who := &object.Signature{Name: "a", Email: "a@example.com", When: time.Unix(1700000000, 0)}
	hash, err := work.Commit("first", &git.CommitOptions{Author: who})
	if err != nil {
		t.Fatal(err)
	}

	check := func(name, want string) {
		t.Helper()
		got, err := Of(specs)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, want)
		}
	}
	check("clean", hash.String())
	write(t, filepath.Join(root, "README"), "changed\n")
	check("a change outside the folder does not count", hash.String())
	write(t, filepath.Join(specs, "platform.yaml"), "a: 2\n")
	check("changed file", hash.String()+"-dirty")
	write(t, filepath.Join(specs, "platform.yaml"), "a: 1\n")
	write(t, filepath.Join(specs, "new.yaml"), "b: 1\n")
	check("new file", hash.String()+"-dirty")
	if err := os.Remove(filepath.Join(specs, "new.yaml")); err != nil {
		t.Fatal(err)
	}
	check("clean again", hash.String())
	if err := os.Remove(filepath.Join(specs, "platform.yaml")); err != nil {
		t.Fatal(err)
	}
	check("removed file", hash.String()+"-dirty")
}

func TestOfCorruptRepository(t *testing.T) {
	root := t.TempDir()
	if _, err := git.PlainInit(root, false); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, ".git", "HEAD"), "0123456789012345678901234567890123456789\n")
	if _, err := Of(root); err == nil || !strings.Contains(err.Error(), "commit") {
		t.Errorf("want an error that names the missing commit, got %v", err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
