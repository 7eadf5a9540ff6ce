package revision

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// UnknownError says that the repository has no such revision.
type UnknownError struct {
	Rev     string
	Nearest []string // branches and tags that look like it, best first
	Detail  string   // what of it is not there, or ""
	Next    string   // the command that may bring it, or ""
}

func (e *UnknownError) Error() string {
	text := fmt.Sprintf("there is no revision %q", e.Rev)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if len(e.Nearest) > 0 {
		text += "; near it: " + strings.Join(e.Nearest, ", ")
	}
	return text
}

// Hint is the command to run next.
func (e *UnknownError) Hint() string { return e.Next }

// AmbiguousError says that the start of a commit's id is that of several.
type AmbiguousError struct {
	Rev     string
	Commits []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q begins the id of %d commits: %s; write more of it", e.Rev, len(e.Commits), strings.Join(e.Commits, ", "))
}

// IncompleteError says that the clone lacks what the answer needs: its history
// was cut off, or its files were left on the remote.
type IncompleteError struct {
	Reason string
	Next   string
}

func (e *IncompleteError) Error() string { return e.Reason }

// Hint is the command to run next.
func (e *IncompleteError) Hint() string { return e.Next }

// EntryError says that a revision holds something that is not read.
type EntryError struct {
	Path, Commit string
	Reason       string
	Next         string
}

func (e *EntryError) Error() string {
	return fmt.Sprintf("%s at %s %s", e.Path, Short(e.Commit), e.Reason)
}

// Hint is the command to run next.
func (e *EntryError) Hint() string { return e.Next }

// Short is a commit's id as people read it, with "-dirty" kept.
func Short(commit string) string {
	id, dirty := strings.CutSuffix(commit, dirtySuffix)
	if len(id) == 40 {
		id = id[:12]
	}
	if dirty {
		id += dirtySuffix
	}
	return id
}

// lacking explains an object that is not there.
func (r *Repository) lacking(doing string, err error) error {
	if !errors.Is(err, plumbing.ErrObjectNotFound) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	switch {
	case r.partial():
		return &IncompleteError{Reason: doing + ": the clone is partial and left it on the remote, where this program does not fetch", Next: "git fetch --refetch --no-filter" + spaced(r.remote())}
	case r.shallow():
		return &IncompleteError{Reason: doing + ": the clone is shallow and its history ends before it", Next: "git fetch --unshallow" + spaced(r.remote())}
	}
	return &IncompleteError{Reason: doing + ": the repository lacks an object", Next: "git fsck"}
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}
