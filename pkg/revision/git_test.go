package revision

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// gits is a work tree that git itself made.
type gits struct {
	t    *testing.T
	root string
}

func newGits(t *testing.T) *gits {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal(err)
		}
		t.Skip("git is not installed")
	}
	g := &gits{t, filepath.Join(t.TempDir(), "work")}
	if err := os.MkdirAll(g.root, 0o755); err != nil {
		t.Fatal(err)
	}
	g.git("init", "-q", "-b", "main")
	g.git("config", "uploadpack.allowFilter", "true")
	g.git("config", "uploadpack.allowAnySHA1InWant", "true")
	return g
}

func (g *gits) git(args ...string) string { g.t.Helper(); return g.in(g.root, args...) }

func (g *gits) in(dir string, args ...string) string {
	g.t.Helper()
	c := exec.Command("git", append([]string{
		"-c", "gc.auto=0", "-c", "maintenance.auto=false", // nothing goes on after the command in a folder that is removed
		"-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false", "-c", "core.warnAmbiguousRefs=false",
		"-c", "protocol.file.allow=always",
	}, args...)...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := c.CombinedOutput()
	if err != nil {
		g.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (g *gits) commit(files map[string]string) string {
	g.t.Helper()
	for name, text := range files {
		write(g.t, filepath.Join(g.root, name), text)
	}
	g.git("add", "-A")
	g.git("commit", "-q", "--allow-empty", "-m", "m")
	return g.git("rev-parse", "HEAD")
}

func open(t *testing.T, dir string) *Repository {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Whatever git resolves, we resolve alike, or refuse.
func TestResolveAsGitDoes(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	first := g.commit(map[string]string{"specs/a.yaml": "a: 1\n"})
	g.git("tag", "v1")
	g.git("tag", "-a", "-m", "x", "v1-annotated")
	second := g.commit(map[string]string{"specs/a.yaml": "a: 2\n"})
	g.git("branch", "feature/x", first)
	g.git("branch", second[:6], first) // a name that is the start of another commit
	g.git("update-ref", "refs/remotes/origin/main", second)
	g.git("checkout", "-q", "feature/x")
	g.commit(map[string]string{"specs/b.yaml": "b: 1\n"})
	g.git("checkout", "-q", "main")
	g.git("merge", "-q", "--no-ff", "-m", "merge", "feature/x")
	r := open(t, filepath.Join(g.root, "specs"))
	for _, rev := range []string{
		"HEAD", "@", "main", "feature/x", "v1", "v1-annotated", "v1-annotated^{}", "v1^{commit}", "origin/main", "refs/heads/main", "heads/main",
		first, first[:7], first[:4], second[:6], "HEAD~1", "HEAD~", "HEAD^", "HEAD^2", "HEAD^1~1", "HEAD^^", "HEAD~2", "HEAD~0", "HEAD^0", strings.ToUpper(first[:10]),
	} {
		got, err := r.Resolve(rev)
		if want := g.git("rev-parse", rev+"^{commit}"); err != nil || got != want {
			t.Errorf("%s: got %s, %v; git says %s", rev, got, err, want)
		}
	}
	for rev, want := range map[string]string{
		"": "write a branch", "HEAD@{1}": "write a branch", ":/m": "write a branch", "a..b": "write a branch", "--all": "write a branch",
		"HEAD~9": "parents", "HEAD^3": "has 2 parents", "HEAD^{tree}": "not understood", "HEAD~99999999999": "too large",
		"feture/x": "near it: feature/x", "x": "near it: feature/x", "abc": "no revision", strings.Repeat("0", 40): "force push", "deadbeef0": "force push",
	} {
		var unknown *UnknownError
		if _, err := r.Resolve(rev); !errors.As(err, &unknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", rev, err, want)
		}
	}
}

func TestAmbiguousStart(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	seen := map[string]string{}
	r := open(t, g.root)
	for range 1500 { // some two of them begin with the same four digits
		id := g.in(g.root, "commit-tree", "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "-m", string(rune('a'+len(seen)%26))+strings.Repeat("x", len(seen)/26))
		if other, twice := seen[id[:4]]; twice && other != id {
			var ambiguous *AmbiguousError
			if _, err := open(t, g.root).Resolve(id[:4]); !errors.As(err, &ambiguous) || len(ambiguous.Commits) != 2 {
				t.Errorf("%s: got %v", id[:4], err)
			}
			if got, err := r.Resolve(id); err != nil || got != id {
				t.Errorf("%s: got %s, %v", id, got, err)
			}
			return
		}
		seen[id[:4]] = id
	}
	t.Fatal("no two commits begin alike")
}

// The files of a revision are those that git would check out, and the work
// tree is neither read nor written.
func TestFiles(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	old := g.commit(map[string]string{"specs/a.yaml": "a: 1\n", "specs/deep/er/b.cue": "b: 1\n", "specs/x.sh": "x\n", "other": "o\n"})
	g.git("update-index", "--chmod=+x", "specs/x.sh")
	if err := os.Symlink("../other", filepath.Join(g.root, "specs", "readme")); err != nil {
		t.Fatal(err)
	}
	now := g.commit(map[string]string{"specs/a.yaml": "a: 2\n"})
	write(t, filepath.Join(g.root, "specs", "untracked.yaml"), "u: 1\n")
	r := open(t, filepath.Join(g.root, "specs"))
	files, err := r.Files(now)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(files, "a.yaml"); err != nil || string(text) != "a: 2\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := fs.ReadFile(files, "readme"); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link was followed: %v", err)
	}
	before, err := r.Files(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(before, "a.yaml", "deep/er/b.cue", "x.sh"); err != nil {
		t.Error(err)
	}
	changed, err := r.Changed(old, now)
	if diff := cmp.Diff([]string{"a.yaml"}, changed); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, err := r.Current(); err != nil || got != now+"-dirty" {
		t.Errorf("current: %s, %v", got, err)
	}
	if err := os.Remove(filepath.Join(g.root, "specs", "untracked.yaml")); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Current(); err != nil || got != now {
		t.Errorf("a link makes it dirty: %s, %v", got, err)
	}
	if out := g.git("status", "--porcelain"); out != "" {
		t.Errorf("something was written: %s", out)
	}
}

func TestRefusedEntries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		make   func(*gits)
		reason string
		next   string
	}{
		"absolute link":    {func(g *gits) { symlink(g, "/etc/passwd", "specs/link") }, "specs/link at .* is a symbolic link out of the repository", "git rm specs/link"},
		"link that climbs": {func(g *gits) { symlink(g, "../../secret", "specs/link") }, "out of the repository", "git rm specs/link"},
		"submodule": {func(g *gits) {
			g.git("update-index", "--add", "--cacheinfo", "160000,"+g.git("rev-parse", "HEAD")+",specs/sub")
			g.git("commit", "-q", "-m", "s")
		}, "specs/sub at .* is a submodule", "git rm specs/sub"},
		"no folder": {func(g *gits) { g.git("mv", "specs", "elsewhere"); g.git("commit", "-q", "-m", "m") }, "is not there", "git ls-tree"},
		"folder is a link": {func(g *gits) {
			g.git("mv", "specs", "elsewhere")
			symlink(g, "elsewhere", "specs")
		}, "specs at .* is a symbolic link", "git show"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGits(t)
			first := g.commit(map[string]string{"specs/a.yaml": "a: 1\n"})
			c.make(g)
			head := g.git("rev-parse", "HEAD")
			g.git("checkout", "-q", first) // the work tree has the folder itself
			_, err := open(t, filepath.Join(g.root, "specs")).Files(head)
			var entry *EntryError
			if !errors.As(err, &entry) || !strings.HasPrefix(entry.Hint(), c.next) {
				t.Fatalf("got %v", err)
			}
			if !matches(c.reason, err.Error()) {
				t.Errorf("got %v, want %s", err, c.reason)
			}
		})
	}
}

func symlink(g *gits, target, name string) {
	g.t.Helper()
	if err := os.Symlink(target, filepath.Join(g.root, name)); err != nil {
		g.t.Fatal(err)
	}
	g.commit(nil)
}

func matches(pattern, text string) bool {
	for _, part := range strings.Split(pattern, ".*") {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}

// Relate agrees with git merge-base.
func TestRelate(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	base := g.commit(map[string]string{"specs/a.yaml": "a: 1\n"})
	g.git("checkout", "-q", "-b", "side")
	side := g.commit(map[string]string{"specs/b.yaml": "b: 1\n"})
	g.git("checkout", "-q", "main")
	head := g.commit(map[string]string{"specs/a.yaml": "a: 2\n"})
	g.git("merge", "-q", "--no-ff", "-m", "merge", "side")
	merged := g.git("rev-parse", "HEAD")
	r := open(t, filepath.Join(g.root, "specs"))
	for _, c := range []struct {
		commit, other string
		want          Relation
	}{
		{base, base, Same}, {base + "-dirty", base, Same}, {merged, base, After}, {merged, side, After}, {base, merged, Before},
		{side, merged + "-dirty", Before}, {head, side, Apart}, {head, strings.Repeat("1", 40), Apart},
	} {
		if got, err := r.Relate(c.commit, c.other); err != nil || got != c.want {
			t.Errorf("%s to %s: got %s, %v; want %s", Short(c.commit), Short(c.other), got, err, c.want)
		}
	}
}

// A clone that lacks something answers what it can, and names the command
// that mends it, which does.
func TestClonesThatLackSomething(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	first := g.commit(map[string]string{"specs/a.yaml": "a: 1\n"})
	g.commit(map[string]string{"specs/a.yaml": "a: 2\n"})
	second := g.git("rev-parse", "HEAD")
	head := g.commit(map[string]string{"specs/a.yaml": "a: 3\n"})

	t.Run("shallow", func(t *testing.T) {
		clone := filepath.Join(t.TempDir(), "c")
		g.git("clone", "-q", "--depth", "1", "file://"+g.root, clone)
		dir := filepath.Join(clone, "specs")
		if got, err := open(t, dir).Relate(head, second); err != nil || got != After {
			t.Errorf("a parent is known: %s, %v", got, err)
		}
		var lacks *IncompleteError
		_, err := open(t, dir).Relate(head, first)
		if !errors.As(err, &lacks) || lacks.Hint() != "git fetch --unshallow origin" {
			t.Fatalf("got %v", err)
		}
		if _, err := open(t, dir).Resolve("HEAD~2"); !errors.As(err, &lacks) {
			t.Errorf("got %v", err)
		}
		var unknown *UnknownError
		if _, err := open(t, dir).Resolve(first); !errors.As(err, &unknown) || unknown.Hint() != "git fetch --unshallow origin" {
			t.Errorf("got %v", err)
		}
		g.in(clone, strings.Fields(lacks.Hint())[1:]...)
		if got, err := open(t, dir).Relate(head, first); err != nil || got != After {
			t.Errorf("mended: %s, %v", got, err)
		}
	})
	t.Run("partial", func(t *testing.T) {
		clone := filepath.Join(t.TempDir(), "c")
		g.git("clone", "-q", "--filter=blob:none", "file://"+g.root, clone)
		dir := filepath.Join(clone, "specs")
		files, err := open(t, dir).Files(first)
		if err != nil {
			t.Fatal(err)
		}
		var lacks *IncompleteError
		_, err = fs.ReadFile(files, "a.yaml")
		if !errors.As(err, &lacks) || lacks.Hint() != "git fetch --refetch --no-filter origin" {
			t.Fatalf("got %v", err)
		}
		g.in(clone, strings.Fields(lacks.Hint())[1:]...)
		files, err = open(t, dir).Files(first)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := fs.ReadFile(files, "a.yaml"); err != nil || string(text) != "a: 1\n" {
			t.Errorf("mended: %q, %v", text, err)
		}
	})
	t.Run("force push", func(t *testing.T) {
		clone := filepath.Join(t.TempDir(), "c")
		g.git("clone", "-q", "--branch", "main", "file://"+g.root, clone)
		g.git("checkout", "-q", "-b", "late", second)
		late := g.commit(map[string]string{"specs/a.yaml": "a: 4\n"})
		var unknown *UnknownError
		if _, err := open(t, filepath.Join(clone, "specs")).Resolve("origin/late"); !errors.As(err, &unknown) {
			t.Fatalf("got %v", err)
		}
		g.in(clone, strings.Fields(unknown.Hint())[1:]...)
		if got, err := open(t, filepath.Join(clone, "specs")).Resolve("origin/late"); err != nil || got != late {
			t.Errorf("mended: %s, %v", got, err)
		}
	})
}

// Repositories come in several forms.
func TestForms(t *testing.T) {
	t.Parallel()
	g := newGits(t)
	old := g.commit(map[string]string{"specs/a.yaml": "a: 1\n"})
	head := g.commit(map[string]string{"specs/a.yaml": "a: 2\n"})
	other := func(name string) string { return filepath.Join(filepath.Dir(g.root), name) }
	g.git("worktree", "add", "-q", other("linked"), old)
	g.git("clone", "-q", "--bare", ".", other("bare.git"))
	g.git("clone", "-q", "--shared", ".", other("shared"))
	g.git("clone", "-q", ".", other("sparse"))
	g.in(other("sparse"), "sparse-checkout", "set", "specs")
	g.git("clone", "-q", ".", other("packed"))
	g.in(other("packed"), "gc", "-q")
	for name, at := range map[string]string{"work": head, "linked": old, "bare.git": head, "shared": head, "sparse": head, "packed": head} {
		r := open(t, filepath.Join(other(name), "specs"))
		if got, err := r.Resolve("HEAD"); err != nil || got != at {
			t.Errorf("%s: HEAD is %s, %v", name, got, err)
		}
		if got, err := r.Current(); err != nil || got != at {
			t.Errorf("%s: current is %s, %v; want %s", name, got, err, at)
		}
		files, err := r.Files(old)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text, err := fs.ReadFile(files, "a.yaml"); err != nil || string(text) != "a: 1\n" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
		if got, err := r.Relate(head, old); err != nil || got != After {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoRepository) {
		t.Errorf("got %v", err)
	}
	g.git("config", "core.repositoryformatversion", "1")
	g.git("config", "extensions.objectformat", "sha256")
	if _, err := Open(g.root); err == nil || !strings.Contains(err.Error(), "objectformat=sha256") {
		t.Errorf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	got := nearest("main", []string{"origin/main", "maintenance", "mian", "release"})
	if !slices.Equal(got, []string{"origin/main", "mian"}) {
		t.Errorf("got %v", got)
	}
}
