// Package github is what this program does on GitHub: one comment of its own
// on a pull request, edited in place; a check run with annotations; tickets;
// and the surroundings of a workflow run, read from the environment.
//
// It decides nothing about plans and imports none of ours: it takes texts and
// places. It writes only what it wrote before or what carries its marker. A
// failure of GitHub comes back as an error that a caller may tell and go on.
//
// Start with Open; then comment.go, check.go, issue.go, pull.go and ci.go.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v92/github"
)

// Options of a client.
type Options struct {
	API        string // base URL, "https://api.github.com" or "https://HOST/api/v3"; empty is github.com
	Token      Secret
	Repository string            // "owner/name"
	Transport  http.RoundTripper // nil means the environment's proxy and the default transport
	UserAgent  string
	Actions    bool // the token is that of a workflow run
	// Sleep waits between attempts; nil means the real clock.
	Sleep func(context.Context, time.Duration) error
}

// Client talks to one repository. Its methods may be called one after another.
type Client struct {
	api         *github.Client
	owner, repo string
	sleep       func(context.Context, time.Duration) error
	actions     bool
	me          *identity
	boards      map[string][]Ticket // by labels
}

// Open makes a client. It asks nothing of GitHub.
func Open(o Options) (*Client, error) {
	owner, repo, ok := strings.Cut(o.Repository, "/")
	if !ok || owner == "" || repo == "" || strings.ContainsAny(repo, "/?#") || strings.ContainsAny(owner, "?#") {
		return nil, fmt.Errorf("repository %q: want OWNER/NAME", o.Repository)
	}
	if o.Token.Empty() {
		return nil, ErrNoToken
	}
	options := []github.ClientOptionsFunc{
		github.WithTimeout(30 * time.Second), github.WithUserAgent(o.UserAgent),
		github.WithAuthToken(o.Token.value),
		github.WithDisableRateLimitCheck(), // waiting is ours, and bounded
	}
	if o.Transport != nil {
		options = append(options, github.WithTransport(o.Transport))
	} else {
		options = append(options, github.WithEnvProxy())
	}
	if o.API != "" {
		base := strings.TrimSuffix(o.API, "/") + "/"
		options = append(options, github.WithURLs(&base, nil))
	}
	api, err := github.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("github client: %w", err)
	}
	c := &Client{api: api, owner: owner, repo: repo, sleep: o.Sleep, actions: o.Actions}
	if c.sleep == nil {
		c.sleep = pause
	}
	return c, nil
}

// ErrNoToken is returned where a client needs a token and there is none.
var ErrNoToken = errors.New("no token for GitHub: set GITHUB_TOKEN")

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	attempts = 5
	// patience is how long all waiting for one request may take. GitHub's primary
	// limit resets by the hour; for that nobody waits.
	patience = 2 * time.Minute
)

// try makes a call until it succeeds or waiting makes no sense. A call that
// writes is repeated after an answer that may have been lost, so it first looks
// whether it was done.
func (c *Client) try(ctx context.Context, what string, call func() error) error {
	waited := time.Duration(0)
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil {
			return nil
		}
		wait, again := backOff(err, attempt)
		if ctx.Err() != nil || !again || attempt == attempts || waited+wait > patience {
			if _, ok := errors.AsType[*Error](err); ok {
				return err
			}
			return fmt.Errorf("%s: %w", what, &Error{Status: statusOf(err), err: err})
		}
		waited += wait
		if err := c.sleep(ctx, wait); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// backOff tells whether an error may pass, and how long to wait for that.
func backOff(err error, attempt int) (time.Duration, bool) {
	wait := time.Second << (attempt - 1)
	if _, ok := errors.AsType[*Error](err); ok {
		return 0, false // a call within this one has tried already
	}
	if limited, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		if after := limited.GetRetryAfter(); after > 0 {
			return after, true
		}
		return 15 * wait, true
	}
	if limited, ok := errors.AsType[*github.RateLimitError](err); ok {
		return max(wait, time.Until(limited.Rate.Reset.Time)), true
	}
	if _, ok := errors.AsType[*github.ErrorResponse](err); ok {
		status := statusOf(err)
		return wait, status >= 500 || status == http.StatusTooManyRequests
	}
	// No answer: a connection that broke.
	return wait, !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// Error is a refusal or failure of GitHub.
type Error struct {
	Status int // HTTP status; 0 when there was no answer
	err    error
}

func (e *Error) Error() string { return "GitHub: " + e.err.Error() }

// Unwrap gives the client's own error.
func (e *Error) Unwrap() error { return e.err }

// Denied tells whether the token lacks a permission: GitHub answers 403, or
// 404 for what a token may not even see.
func Denied(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound || e.Status == http.StatusUnauthorized)
}

func statusOf(err error) int {
	if e, ok := errors.AsType[*github.ErrorResponse](err); ok && e.Response != nil {
		return e.Response.StatusCode
	}
	if e, ok := errors.AsType[*github.AbuseRateLimitError](err); ok && e.Response != nil {
		return e.Response.StatusCode
	}
	if e, ok := errors.AsType[*github.RateLimitError](err); ok && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}

// pages calls list for each page until there is none.
func pages(list func(page int) (*github.Response, error)) error {
	for page := 1; page > 0; {
		r, err := list(page)
		if err != nil {
			return err
		}
		page = r.NextPage
	}
	return nil
}

// perPage is the most that GitHub gives at once.
const perPage = 100
