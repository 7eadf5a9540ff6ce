package github

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/google/go-github/v92/github"
)

// MaxComment is how many characters of a comment are used at most; GitHub
// refuses 65,536.
const MaxComment = 60_000

const markerEnd = " -->"

// Marker is the hidden first line by which a comment or ticket is found again.
func Marker(kind, name string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r) {
			return r
		}
		return '_'
	}, name)
	safe = strings.ReplaceAll(safe, "--", "-_") // two hyphens could end the comment that hides it
	return "<!-- reconcile:" + kind + ":" + safe + markerEnd
}

// Comment is a comment on a pull request or ticket.
type Comment struct {
	ID   int64
	Body string
	URL  string
}

// Sticky returns our comment with a marker, and further ones of ours that have
// it too; nil when there is none.
func (c *Client) Sticky(ctx context.Context, number int, marker string) (*Comment, error) {
	found, err := c.stickies(ctx, number, marker)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// stickies are all comments of ours that begin with the marker, oldest first.
func (c *Client) stickies(ctx context.Context, number int, marker string) ([]Comment, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	var found []Comment
	err = pages(func(page int) (r *github.Response, err error) {
		err = c.try(ctx, "list the comments", func() error {
			var list []*github.IssueComment
			list, r, err = c.api.Issues.ListComments(ctx, c.owner, c.repo, number,
				&github.IssueListCommentsOptions{ListOptions: github.ListOptions{Page: page, PerPage: perPage}})
			if err != nil {
				return err
			}
			for _, m := range list {
				if me.wrote(m.User) && marked(m.GetBody(), marker) {
					found = append(found, Comment{ID: m.GetID(), Body: m.GetBody(), URL: m.GetHTMLURL()})
				}
			}
			return nil
		})
		return r, err
	})
	return found, err
}

// maxPages of the comments that were written last are looked through for those
// on other pull requests.
const maxPages = 3

// Others are our comments that begin with a marker, on any pull request or issue
// but one, among those that were written or edited last.
func (c *Client) Others(ctx context.Context, number int, marker string) ([]Comment, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	var found []Comment
	for page := 1; page > 0 && page <= maxPages; {
		var r *github.Response
		err := c.try(ctx, "list the comments of the repository", func() (err error) {
			var list []*github.IssueComment
			list, r, err = c.api.Issues.ListComments(ctx, c.owner, c.repo, 0, &github.IssueListCommentsOptions{
				Sort: new("updated"), Direction: new("desc"), ListOptions: github.ListOptions{Page: page, PerPage: perPage}})
			if err != nil {
				return err
			}
			for _, m := range list {
				if me.wrote(m.User) && marked(m.GetBody(), marker) && path.Base(m.GetIssueURL()) != strconv.Itoa(number) {
					found = append(found, Comment{ID: m.GetID(), Body: m.GetBody(), URL: m.GetHTMLURL()})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		page = r.NextPage
	}
	return found, nil
}

// Rewrite gives a comment of ours another text after its marker.
func (c *Client) Rewrite(ctx context.Context, id int64, marker, body string) error {
	return c.try(ctx, "edit the comment", func() error {
		_, _, err := c.api.Issues.UpdateComment(ctx, c.owner, c.repo, id, github.IssueCommentRequest{Body: marker + "\n" + body})
		return err
	})
}

// marked tells whether a text begins with the marker.
func marked(body, marker string) bool {
	first, _, _ := strings.Cut(body, "\n")
	return strings.TrimRight(first, "\r ") == marker
}

// Upsert writes the one comment of ours that begins with the marker: edited
// where it exists, created where not. Should two runs have made one each, the
// older stays.
func (c *Client) Upsert(ctx context.Context, number int, marker, body string) (Comment, error) {
	body = marker + "\n" + body
	var out Comment
	err := c.try(ctx, "write the comment", func() error {
		// Looked for on each attempt: the answer of the one before may be lost.
		found, err := c.stickies(ctx, number, marker)
		if err != nil {
			return err
		}
		request := github.IssueCommentRequest{Body: body}
		var m *github.IssueComment
		switch {
		case len(found) == 0:
			m, _, err = c.api.Issues.CreateComment(ctx, c.owner, c.repo, number, request)
		case found[0].Body == body:
			out = found[0]
		default:
			m, _, err = c.api.Issues.UpdateComment(ctx, c.owner, c.repo, found[0].ID, request)
		}
		if err != nil {
			return err
		}
		if m != nil {
			out = Comment{ID: m.GetID(), Body: m.GetBody(), URL: m.GetHTMLURL()}
		}
		for _, extra := range found[min(1, len(found)):] {
			if _, err := c.api.Issues.DeleteComment(ctx, c.owner, c.repo, extra.ID); err != nil && statusOf(err) != 404 {
				return err
			}
		}
		return nil
	})
	return out, err
}
