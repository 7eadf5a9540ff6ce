// Package revision reads a folder of specs from git: what commit it is at,
// what it holds at any other, what changed between two, and whether one
// descends from the other. It reads the repository with go-git, and writes
// neither to it nor to the work tree; it never fetches.
//
// Start with Open.
package revision

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// dirtySuffix follows the commit of a folder that differs from it.
const dirtySuffix = "-dirty"

// Of returns the commit that dir is at, as 40 hex digits, followed by
// "-dirty" when a file below dir differs from that commit. It returns "" when
// dir lies in no repository or the repository has no commit yet.
//
// Only the files below dir are compared, so the cost does not grow with the
// repository.
func Of(dir string) (string, error) {
	r, err := Open(dir)
	if errors.Is(err, ErrNoRepository) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.Current()
}

// Dirty tells whether a revision that Of gave is not what its commit holds,
// and gives the commit.
func Dirty(rev string) (commit string, dirty bool) {
	return strings.CutSuffix(rev, dirtySuffix)
}

// Current is Of for an open repository.
func (r *Repository) Current() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	head, err := r.git.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read HEAD of %s: %w", r.dir, err)
	}
	commit, err := r.git.CommitObject(head.Hash())
	if err != nil {
		return "", fmt.Errorf("read commit %s: %w", head.Hash(), err)
	}
	if r.bare {
		return head.Hash().String(), nil
	}
	same, err := r.unchanged(commit)
	if err != nil {
		return "", err
	}
	if !same {
		return head.Hash().String() + dirtySuffix, nil
	}
	return head.Hash().String(), nil
}

// unchanged compares the files below the folder with the commit, both ways.
func (r *Repository) unchanged(commit *object.Commit) (bool, error) {
	committed, err := r.files(commit)
	if err != nil {
		return false, err
	}
	return sameFiles(filepath.Join(r.root, filepath.FromSlash(r.below)), committed)
}

// files maps the regular files of the folder at a commit to what they hold;
// none when the commit has no such folder.
func (r *Repository) files(commit *object.Commit) (map[string]plumbing.Hash, error) {
	tree, err := commit.Tree()
	if err == nil && r.below != "." {
		tree, err = tree.Tree(r.below)
	}
	if errors.Is(err, object.ErrDirectoryNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, r.lacking(fmt.Sprintf("read %s of %s", r.below, Short(commit.Hash.String())), err)
	}
	out := map[string]plumbing.Hash{}
	walk := object.NewTreeWalker(tree, true, nil)
	defer walk.Close()
	for {
		name, e, err := walk.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, r.lacking(fmt.Sprintf("list %s of %s", r.below, Short(commit.Hash.String())), err)
		}
		switch e.Mode {
		case filemode.Regular, filemode.Deprecated, filemode.Executable:
			out[name] = e.Hash
		}
	}
}

// Changed lists the files of the folder, by their names in it and sorted, that
// differ between two commits; one that was moved is there twice.
func (r *Repository) Changed(a, b string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var sides [2]map[string]plumbing.Hash
	for i, id := range []string{a, b} {
		c, err := r.git.CommitObject(plumbing.NewHash(id))
		if err != nil {
			return nil, r.lacking("read commit "+Short(id), err)
		}
		if sides[i], err = r.files(c); err != nil {
			return nil, err
		}
	}
	var out []string
	for name, h := range sides[0] {
		if sides[1][name] != h {
			out = append(out, name)
		}
	}
	for name := range sides[1] {
		if _, had := sides[0][name]; !had {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out, nil
}

func sameFiles(dir string, committed map[string]plumbing.Hash) (bool, error) {
	seen, same := 0, true
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && p == dir {
			return filepath.SkipAll
		}
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if d.IsDir() || !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		want, ok := committed[path.Clean(filepath.ToSlash(rel))]
		if !ok {
			same = false
			return filepath.SkipAll
		}
		seen++
		got, err := blobHash(p)
		if err != nil {
			return err
		}
		if got != want {
			same = false
			return filepath.SkipAll
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("compare %s with its commit: %w", dir, err)
	}
	return same && seen == len(committed), nil
}

func blobHash(file string) (plumbing.Hash, error) {
	f, err := os.Open(file)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plumbing.ZeroHash, err
	}
	h := plumbing.NewHasher(plumbing.BlobObject, info.Size())
	if _, err := io.Copy(h, f); err != nil {
		return plumbing.ZeroHash, err
	}
	return h.Sum(), nil
}
