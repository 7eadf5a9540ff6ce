package revision

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-git/go-billy/v5"
	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// ErrNoRepository says that a folder lies in no git repository.
var ErrNoRepository = errors.New("lies in no git repository")

// Repository is the git repository around one folder of specs, for reading.
// Its methods may be called from several goroutines.
type Repository struct {
	dir   string // the folder as it was named
	root  string // of the work tree, or of a bare repository
	below string // the folder below root, with slashes; "." for root itself
	bare  bool
	git   *git.Repository
	store *filesystem.Storage
	cfg   *config.Config
	mu    *sync.Mutex // go-git's storage is for one reader at a time
}

// Open finds the repository around dir: of a clone, of a linked worktree, of a
// submodule, or a bare one. The folder itself need not be there. Without a
// repository the error is ErrNoRepository.
func Open(dir string) (*Repository, error) {
	abs, err := resolved(dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dir, err)
	}
	for at := abs; ; at = filepath.Dir(at) {
		gitDir, bare, err := gitDirOf(at)
		if err != nil {
			return nil, err
		}
		if gitDir != "" {
			r := &Repository{dir: dir, root: at, below: slashed(at, abs), bare: bare, mu: new(sync.Mutex)}
			return r, r.open(gitDir)
		}
		if at == filepath.Dir(at) {
			return nil, fmt.Errorf("%s %w", dir, ErrNoRepository)
		}
	}
}

// resolved is an absolute path without links, also when its end is missing.
func resolved(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	missing := ""
	for at := abs; ; at = filepath.Dir(at) {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(real, missing), nil
		}
		if !errors.Is(err, os.ErrNotExist) || at == filepath.Dir(at) {
			return "", err
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}

func slashed(root, abs string) string {
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return "."
	}
	return path.Clean(filepath.ToSlash(rel))
}

// gitDirOf is the folder that holds the repository whose root is at, or "".
func gitDirOf(at string) (dir string, bare bool, err error) {
	dot := filepath.Join(at, ".git")
	info, err := os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		return dot, false, nil
	case err == nil:
		text, err := os.ReadFile(dot)
		if err != nil {
			return "", false, err
		}
		name, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
		if !ok {
			return "", false, fmt.Errorf("%s is neither a repository nor a file that names one", dot)
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(at, name)
		}
		return name, false, nil
	case !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission):
		return "", false, err
	}
	for _, part := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(at, part)); err != nil {
			return "", false, nil
		}
	}
	return at, true, nil
}

// open reads the configuration and leaves out the extensions that change
// nothing for a reader: go-git refuses a repository that has any.
func (r *Repository) open(gitDir string) error {
	common := gitDir
	if text, err := os.ReadFile(filepath.Join(gitDir, "commondir")); err == nil {
		if common = strings.TrimSpace(string(text)); !filepath.IsAbs(common) {
			common = filepath.Join(gitDir, common)
		}
	}
	fs := dotgit.NewRepositoryFilesystem(osfs.New(gitDir), osfs.New(common))
	r.store = filesystem.NewStorageWithOptions(fs, cache.NewObjectLRUDefault(), filesystem.Options{AlternatesFS: osfs.New("/")})
	cfg, err := r.store.Config()
	if err != nil {
		return fmt.Errorf("read the configuration of the repository of %s: %w", r.dir, err)
	}
	r.cfg = cfg
	for _, o := range cfg.Raw.Section("extensions").Options {
		if !readable(strings.ToLower(o.Key), strings.ToLower(o.Value)) {
			return fmt.Errorf("the repository of %s has the extension %s=%s, which this program cannot read", r.dir, o.Key, o.Value)
		}
	}
	var tree billy.Filesystem
	if !r.bare {
		tree = osfs.New(r.root)
	}
	r.git, err = git.Open(plain{r.store}, tree)
	if err != nil {
		return fmt.Errorf("open the repository of %s: %w", r.dir, err)
	}
	return nil
}

func readable(extension, value string) bool {
	switch extension {
	case "noop", "noop-v1", "preciousobjects", "worktreeconfig", "partialclone":
		return true
	case "objectformat":
		return value == "sha1"
	case "refstorage":
		return value == "files"
	}
	return false
}

// plain is a repository without its extensions.
type plain struct{ *filesystem.Storage }

func (p plain) Config() (*config.Config, error) {
	cfg, err := p.Storage.Config()
	if err == nil {
		cfg.Raw = cfg.Raw.RemoveSection("extensions")
	}
	return cfg, err
}

// remote is the remote to fetch from: origin, or the only one; "" without one.
func (r *Repository) remote() string {
	if _, ok := r.cfg.Remotes["origin"]; ok {
		return "origin"
	}
	only := ""
	for name := range r.cfg.Remotes {
		if only != "" {
			return ""
		}
		only = name
	}
	return only
}

// partial tells whether the clone left objects on the remote.
func (r *Repository) partial() bool {
	for _, s := range r.cfg.Raw.Section("remote").Subsections {
		if s.Option("promisor") == "true" || s.Option("partialclonefilter") != "" {
			return true
		}
	}
	return r.cfg.Raw.Section("extensions").Option("partialclone") != ""
}

// shallow tells whether the clone's history was cut off.
func (r *Repository) shallow() bool {
	cut, err := r.store.Shallow()
	return err == nil && len(cut) > 0
}
