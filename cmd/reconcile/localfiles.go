package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"reconcile/pkg/checksum"
	"reconcile/pkg/plan"
)

// checksums is where the SHA-256 of large local files is remembered.
const checksums = ".reconcile/checksums.json"

const (
	// filesAtOnce are read at the same time.
	filesAtOnce = 4
	// worthSaying is how many bytes are read without a word.
	worthSaying = 1 << 30
)

// specFiles is the folder of specs, out of which no link leads: on disk, or at
// the revision that was asked for. It is nil where there is none.
func (g *global) specFiles() (fs.FS, func()) {
	if g.files != nil {
		return g.files, func() {}
	}
	root, err := os.OpenRoot(g.specs)
	if err != nil {
		return nil, func() {}
	}
	return root.FS(), func() { _ = root.Close() } // it was only read
}

// localFiles looks at the files that the bundles of a plan name, and takes
// their sums. A file that is not here may be stored already, which the plan
// finds out.
func (g *global) localFiles(ctx context.Context, bundles []plan.Bundle, sel plan.Selection) ([]plan.Bundle, error) {
	files, closing := g.specFiles()
	defer closing()
	if files == nil {
		return bundles, nil
	}
	folder := g.specs
	if g.files != nil {
		folder = ""
	}
	bundles = slices.Clone(bundles)
	cache := checksum.Open(filepath.FromSlash(checksums), time.Now)
	var looked []*plan.Asset
	unread := int64(0)
	for i := range bundles {
		b := &bundles[i]
		if !b.Used && !slices.ContainsFunc(sel.Bundles, func(p string) bool { ok, err := path.Match(p, b.Name); return ok && err == nil }) {
			continue
		}
		b.Assets = slices.Clone(b.Assets)
		for j := range b.Assets {
			a := &b.Assets[j]
			if a.File == "" {
				continue
			}
			size, known, err := cache.Known(files, folder, a.File)
			if a.Local = localFile(checksum.Sum{Size: size}, err); err == nil {
				looked = append(looked, a)
				if !known {
					unread += size
				}
			}
		}
	}
	if unread > worthSaying {
		fmt.Fprintf(g.err, "reading %s of local files for their SHA-256, which %s remembers\n", plan.Bytes(unread), checksums)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for _, a := range looked {
		group.Go(func() error {
			sum, err := cache.Of(inner, files, folder, a.File)
			if inner.Err() != nil {
				return inner.Err()
			}
			a.Local = localFile(sum, err)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, failWith(exitInterrupted, "interrupted while local files were read; nothing was changed")
	}
	if err := cache.Save(); err != nil {
		g.log.Warn("the sums of local files are not remembered", "error", err)
	}
	return bundles, nil
}

func localFile(sum checksum.Sum, err error) *plan.LocalFile {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &plan.LocalFile{}
	case err != nil:
		return &plan.LocalFile{Exists: true, Problem: err.Error()}
	}
	return &plan.LocalFile{Exists: true, Size: sum.Size, SHA256: sum.SHA256}
}
