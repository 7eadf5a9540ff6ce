// Package revision says which git revision a folder of specs is at. It reads
// the repository with go-git and never writes to it or to the work tree.
//
// Start with Of.
package revision

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Of returns the commit that dir is at, as 40 hex digits, followed by
// "-dirty" when a file below dir differs from that commit. It returns "" when
// dir lies in no repository or the repository has no commit yet.
//
// Only the files below dir are compared, so the cost does not grow with the
// repository.
func Of(dir string) (string, error) {
	repo, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("open the repository of %s: %w", dir, err)
	}
	head, err := repo.Head()
	if errors.Is(err, plumbing.ErrReferenceNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read HEAD of %s: %w", dir, err)
	}
	commit, err := repo.CommitObject(head.Hash())
	if err != nil {
		return "", fmt.Errorf("read commit %s: %w", head.Hash(), err)
	}
	work, err := repo.Worktree()
	if errors.Is(err, git.ErrIsBareRepository) {
		return head.Hash().String(), nil
	}
	if err != nil {
		return "", fmt.Errorf("find the work tree of %s: %w", dir, err)
	}
	same, err := unchanged(commit, work.Filesystem.Root(), dir)
	if err != nil {
		return "", err
	}
	if !same {
		return head.Hash().String() + "-dirty", nil
	}
	return head.Hash().String(), nil
}

// unchanged compares the files below dir with the commit, both ways.
func unchanged(commit *object.Commit, root, dir string) (bool, error) {
	below, err := relative(root, dir)
	if err != nil {
		return false, err
	}
	tree, err := commit.Tree()
	if err != nil {
		return false, fmt.Errorf("read the tree of %s: %w", commit.Hash, err)
	}
	if below != "." {
		tree, err = tree.Tree(below)
		if errors.Is(err, object.ErrDirectoryNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("read %s of %s: %w", below, commit.Hash, err)
		}
	}
	committed := map[string]plumbing.Hash{}
	err = tree.Files().ForEach(func(f *object.File) error {
		committed[f.Name] = f.Hash
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("list %s of %s: %w", below, commit.Hash, err)
	}
	return sameFiles(dir, committed)
}

func sameFiles(dir string, committed map[string]plumbing.Hash) (bool, error) {
	seen, same := 0, true
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
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
		want, ok := committed[filepath.ToSlash(rel)]
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

// relative is dir below root, with forward slashes, "." for the root itself.
func relative(root, dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return "", err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return "", err
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return "", err
	}
	rel = path.Clean(filepath.ToSlash(rel))
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", fmt.Errorf("%s lies outside the repository at %s", dir, root)
	}
	return rel, nil
}
