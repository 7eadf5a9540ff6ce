package github

import (
	"context"
	"slices"

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
	all, err := c.tickets(ctx, labels)
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
	err := c.try(ctx, "write the issue", func() error {
		found, err := c.FindTicket(ctx, marker, labels...)
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
		return nil
	})
	return out, err
}

// CloseTicket closes the issue with a marker, with a last word in its text; nil
// when none is open.
func (c *Client) CloseTicket(ctx context.Context, marker, body string, labels ...string) (*Ticket, error) {
	var out *Ticket
	err := c.try(ctx, "close the issue", func() error {
		found, err := c.FindTicket(ctx, marker, labels...)
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
		out = &t
		return nil
	})
	return out, err
}
