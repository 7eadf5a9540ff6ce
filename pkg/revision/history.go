package revision

import (
	"container/heap"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Relation of a commit to another one.
type Relation string

// The relations. Each is certain: where the clone cannot tell, Relate fails.
const (
	Same   Relation = "same"
	After  Relation = "after"  // it descends from the other
	Before Relation = "before" // the other descends from it
	Apart  Relation = "apart"  // neither; the other may not be in the repository at all
)

// Relate says how a commit stands to another; both are whole ids, "-dirty"
// counts for nothing. In a clone whose history is cut off before the answer
// the error is an *IncompleteError.
func (r *Repository) Relate(commit, other string) (Relation, error) {
	commit, other = strings.TrimSuffix(commit, dirtySuffix), strings.TrimSuffix(other, dirtySuffix)
	if commit == other {
		return Same, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	from, to := plumbing.NewHash(commit), plumbing.NewHash(other)
	found, whole, err := r.reaches(from, to)
	switch {
	case err != nil:
		return "", err
	case found:
		return After, nil
	case !whole:
		return "", &IncompleteError{
			Reason: fmt.Sprintf("the clone is shallow: whether %s descends from %s is not known", Short(commit), Short(other)),
			Next:   "git fetch --unshallow" + spaced(r.remote()),
		}
	}
	if _, err := r.git.CommitObject(to); err != nil {
		return Apart, nil // not here, so no ancestor of a commit whose whole history is
	}
	if found, _, err = r.reaches(to, from); err != nil {
		return "", err
	}
	if found {
		return Before, nil
	}
	return Apart, nil
}

// reaches walks the history of a commit, the newest first, until it meets
// another. whole says that nothing of the history was missing.
func (r *Repository) reaches(from, to plumbing.Hash) (found, whole bool, err error) {
	cut, err := r.store.Shallow()
	if err != nil {
		return false, false, fmt.Errorf("read where the history is cut off: %w", err)
	}
	ends := map[plumbing.Hash]bool{}
	for _, h := range cut {
		ends[h] = true
	}
	first, err := r.git.CommitObject(from)
	if err != nil {
		return false, false, r.lacking("read commit "+Short(from.String()), err)
	}
	whole = true
	seen := map[plumbing.Hash]bool{from: true}
	for walk := (byTime{first}); len(walk) > 0; {
		c := heap.Pop(&walk).(*object.Commit)
		if c.Hash == to {
			return true, whole, nil
		}
		for _, p := range c.ParentHashes {
			if seen[p] {
				continue
			}
			seen[p] = true
			if p == to {
				return true, whole, nil
			}
			parent, err := r.git.CommitObject(p)
			if errors.Is(err, plumbing.ErrObjectNotFound) && ends[c.Hash] {
				whole = false
				continue
			}
			if err != nil {
				return false, false, r.lacking("read commit "+Short(p.String()), err)
			}
			heap.Push(&walk, parent)
		}
	}
	return false, whole, nil
}

// byTime is a heap of commits, the newest on top.
type byTime []*object.Commit

func (b byTime) Len() int           { return len(b) }
func (b byTime) Less(i, j int) bool { return b[i].Committer.When.After(b[j].Committer.When) }
func (b byTime) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b *byTime) Push(x any)        { *b = append(*b, x.(*object.Commit)) }
func (b *byTime) Pop() any {
	old := *b
	last := old[len(old)-1]
	*b = old[:len(old)-1]
	return last
}
