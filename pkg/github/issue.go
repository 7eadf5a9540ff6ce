package github

import (
	"context"
	"slices"
	"strings"

	"github.com/google/go-github/v92/github"
)

// Ticket is an issue of ours, one for each marker.
type Ticket struct {
	Number int
	Open   bool
	Title  string
	Body   string
	URL    string
}

// FindTicket returns the issue of ours whose text begins with a marker, open or
// closed; nil when there is none. An open one goes before a closed one, and
// the newest before older ones.
func (c *Client) FindTicket(ctx context.Context, marker string, labels ...string) (*Ticket, error) {
	return c.find(ctx, marker, labels, true)
}

// find looks at the list of this client, or at GitHub's of now.
func (c *Client) find(ctx context.Context, marker string, labels []string, fresh bool) (*Ticket, error) {
	all, err := c.board(ctx, labels, fresh)
	if err != nil {
		return nil, err
	}
	var found *Ticket
	for _, t := range all {
		if marked(t.Body, marker) && (found == nil || t.Open && !found.Open) {
			found = &t
		}
	}
	return found, nil
}

// board is the list of our tickets, read once for a run of writes: one for each
// fleet, and a token has a thousand requests an hour.
func (c *Client) board(ctx context.Context, labels []string, fresh bool) ([]Ticket, error) {
	name := strings.Join(labels, ",")
	if known, ok := c.boards[name]; ok && !fresh {
		return known, nil
	}
	all, err := c.tickets(ctx, labels)
	if err != nil {
		return nil, err
	}
	if c.boards == nil {
		c.boards = map[string][]Ticket{}
	}
	c.boards[name] = all
	return all, nil
}

// put takes what was written into the list.
func (c *Client) put(labels []string, t Ticket) {
	name := strings.Join(labels, ",")
	list := c.boards[name]
	if i := slices.IndexFunc(list, func(o Ticket) bool { return o.Number == t.Number }); i >= 0 {
		list[i] = t
		return
	}
	c.boards[name] = slices.Insert(list, 0, t)
}

// LeftTickets are the open issues of ours of a kind whose name begins with a
// prefix and is none of those to keep, by name. Names are as Marker writes them.
func (c *Client) LeftTickets(ctx context.Context, kind, prefix string, keep []string, labels ...string) (map[string]Ticket, error) {
	all, err := c.board(ctx, labels, false)
	if err != nil {
		return nil, err
	}
	kept := map[string]bool{}
	for _, name := range keep {
		kept[Marker(kind, name)] = true
	}
	begin := strings.TrimSuffix(Marker(kind, prefix), markerEnd)
	out := map[string]Ticket{}
	for _, t := range all {
		first, _, _ := strings.Cut(t.Body, "\n")
		first = strings.TrimRight(first, "\r ")
		if rest, ok := strings.CutPrefix(first, begin); ok && t.Open && !kept[first] && strings.HasSuffix(rest, markerEnd) {
			out[prefix+strings.TrimSuffix(rest, markerEnd)] = t
		}
	}
	return out, nil
}

// tickets are all issues that the token's author made, the newest first.
func (c *Client) tickets(ctx context.Context, labels []string) ([]Ticket, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	var out []Ticket
	err = pages(func(page int) (r *github.Response, err error) {
		err = c.try(ctx, "list the issues", func() error {
			var list []*github.Issue
			options := github.IssueListByRepoOptions{State: "all", Labels: labels, Sort: "created", Direction: "desc"}
			options.ListOptions = github.ListOptions{Page: page, PerPage: perPage}
			list, r, err = c.api.Issues.ListByRepo(ctx, c.owner, c.repo, &options)
			if err != nil {
				return err
			}
			for _, i := range list {
				if me.wrote(i.User) && !i.IsPullRequest() {
					out = append(out, ticket(i))
				}
			}
			return nil
		})
		return r, err
	})
	return out, err
}

func ticket(i *github.Issue) Ticket {
	return Ticket{Number: i.GetNumber(), Open: i.GetState() == "open", Title: i.GetTitle(), Body: i.GetBody(), URL: i.GetHTMLURL()}
}

// WriteTicket makes the issue with a marker say this: it is created, edited or
// opened again, and left alone where it says so already.
func (c *Client) WriteTicket(ctx context.Context, marker, title, body string, labels ...string) (Ticket, error) {
	body = marker + "\n" + body
	var out Ticket
	again := false // after an answer that was lost the list is read anew
	err := c.try(ctx, "write the issue", func() error {
		found, err := c.find(ctx, marker, labels, again)
		again = true
		if err != nil {
			return err
		}
		var i *github.Issue
		switch {
		case found == nil:
			i, _, err = c.api.Issues.Create(ctx, c.owner, c.repo, github.CreateIssueRequest{Title: title, Body: &body, Labels: slices.Clone(labels)})
		case found.Open && found.Title == title && found.Body == body:
			out = *found
			return nil
		default:
			edit := github.UpdateIssueRequest{Title: &title, Body: &body}
			if !found.Open {
				edit.State, edit.StateReason = new("open"), new("reopened")
			}
			i, _, err = c.api.Issues.Update(ctx, c.owner, c.repo, found.Number, edit)
		}
		if err != nil {
			return err
		}
		out = ticket(i)
		c.put(labels, out)
		return nil
	})
	return out, err
}

// CloseTicket closes the issue with a marker, with a last word in its text; nil
// when none is open.
func (c *Client) CloseTicket(ctx context.Context, marker, body string, labels ...string) (*Ticket, error) {
	var out *Ticket
	again := false
	err := c.try(ctx, "close the issue", func() error {
		found, err := c.find(ctx, marker, labels, again)
		again = true
		if err != nil || found == nil || !found.Open {
			return err
		}
		body := marker + "\n" + body
		i, _, err := c.api.Issues.Update(ctx, c.owner, c.repo, found.Number,
			github.UpdateIssueRequest{Body: &body, State: new("closed"), StateReason: new("completed")})
		if err != nil {
			return err
		}
		t := ticket(i)
		c.put(labels, t)
		out = &t
		return nil
	})
	return out, err
}
