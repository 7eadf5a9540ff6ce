package github

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/go-github/v92/github"
)

// Pull is a pull request.
type Pull struct {
	Number int
	Head   string // commit of its branch
	Base   string // branch that it is for
	Merge  string // commit that brought it to its base; of an open one, GitHub's trial
	Fork   bool   // the branch is in another repository
	Open   bool
	Merged bool
	URL    string
}

// Pull reads a pull request.
func (c *Client) Pull(ctx context.Context, number int) (Pull, error) {
	var out Pull
	err := c.try(ctx, "read pull request "+strconv.Itoa(number), func() error {
		p, _, err := c.api.PullRequests.Get(ctx, c.owner, c.repo, number)
		if err == nil {
			out = pull(p)
		}
		return err
	})
	return out, err
}

func pull(p *github.PullRequest) Pull {
	return Pull{
		Number: p.GetNumber(), Head: p.GetHead().GetSHA(), Base: p.GetBase().GetRef(), Merge: p.GetMergeCommitSHA(), Open: p.GetState() == "open",
		Merged: p.GetMerged() || p.MergedAt != nil, URL: p.GetHTMLURL(),
		Fork: p.GetHead().GetRepo().GetFullName() != p.GetBase().GetRepo().GetFullName(),
	}
}

// PullOf returns the pull request that brought a commit to its branch; nil when
// none did. A merged one goes before others.
func (c *Client) PullOf(ctx context.Context, sha string) (*Pull, error) {
	all, err := c.pullsOf(ctx, sha)
	var found *Pull
	for _, p := range all {
		if found == nil || p.Merged && !found.Merged {
			found = &p
		}
	}
	return found, err
}

// MergedAs returns the pull request whose merge made this very commit of a
// branch, by whichever way of merging; nil when none did. An empty branch is
// any.
func (c *Client) MergedAs(ctx context.Context, sha, branch string) (*Pull, error) {
	all, err := c.pullsOf(ctx, sha)
	for _, p := range all {
		if p.Merged && p.Merge == sha && (branch == "" || p.Base == branch) {
			return &p, err
		}
	}
	return nil, err
}

// pullsOf are the pull requests that have to do with a commit.
func (c *Client) pullsOf(ctx context.Context, sha string) ([]Pull, error) {
	var out []Pull
	err := pages(func(page int) (r *github.Response, err error) {
		err = c.try(ctx, "find the pull request of "+sha, func() error {
			var list []*github.PullRequest
			list, r, err = c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.repo, sha, &github.ListOptions{Page: page, PerPage: perPage})
			if err != nil {
				return err
			}
			for _, p := range list {
				out = append(out, pull(p))
			}
			return nil
		})
		return r, err
	})
	return out, err
}

// File is a file that a pull request changes.
type File struct {
	Path string
	// Shown are the lines of the new file that its diff shows, as pairs: first
	// line and count.
	Shown [][2]int
}

// Shows tells whether the diff shows a line.
func (f File) Shows(line int) bool {
	for _, s := range f.Shown {
		if line >= s[0] && line < s[0]+s[1] {
			return true
		}
	}
	return false
}

// Files lists what a pull request changes; GitHub tells 3,000 files at most.
func (c *Client) Files(ctx context.Context, number int) (map[string]File, error) {
	out := map[string]File{}
	err := pages(func(page int) (r *github.Response, err error) {
		err = c.try(ctx, "list the files of the pull request", func() error {
			var list []*github.CommitFile
			list, r, err = c.api.PullRequests.ListFiles(ctx, c.owner, c.repo, number, &github.ListOptions{Page: page, PerPage: perPage})
			if err != nil {
				return err
			}
			for _, f := range list {
				out[f.GetFilename()] = File{Path: f.GetFilename(), Shown: hunks(f.GetPatch())}
			}
			return nil
		})
		return r, err
	})
	return out, err
}

// hunks reads "@@ -1,2 +3,4 @@" as {3, 4}.
func hunks(patch string) [][2]int {
	var out [][2]int
	for line := range strings.SplitSeq(patch, "\n") {
		rest, ok := strings.CutPrefix(line, "@@ -")
		if !ok {
			continue
		}
		_, rest, ok = strings.Cut(rest, " +")
		span, _, end := strings.Cut(rest, " @@")
		if !ok || !end {
			continue
		}
		first, count, several := strings.Cut(span, ",")
		from, err := strconv.Atoi(first)
		n := 1
		if several && err == nil {
			n, err = strconv.Atoi(count)
		}
		if err == nil {
			out = append(out, [2]int{from, n})
		}
	}
	return out
}
