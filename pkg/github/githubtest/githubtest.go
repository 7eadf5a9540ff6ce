// Package githubtest is a GitHub for tests, over HTTP: comments, check runs,
// statuses, issues and pull requests with the paging, limits and refusals of
// the real one, so that the real client runs against it. It holds its state in
// memory and is no part of the program.
//
// Start with New.
package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Token is the one that the server takes.
const Token = "ghs_0123456789abcdefTESTTOKEN"

// Author of what is written.
type Author struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Type  string `json:"type"` // User or Bot
}

// Actions is who a workflow run's token writes as.
func Actions() Author { return Author{ID: 41898282, Login: "github-actions[bot]", Type: "Bot"} }

// Comment on a pull request or issue.
type Comment struct {
	ID     int64  `json:"id"`
	Number int    `json:"-"`
	Body   string `json:"body"`
	User   Author `json:"user"`
	URL    string `json:"html_url"`
	Issue  string `json:"issue_url"`
	Edits  int    `json:"-"`
}

// Annotation of a check run, as it was sent.
type Annotation struct {
	Path      string `json:"path"`
	StartLine int    `json:"start_line"`
	EndLine   int    `json:"end_line"`
	Level     string `json:"annotation_level"`
	Title     string `json:"title"`
	Message   string `json:"message"`
}

// Output of a check run.
type Output struct {
	Title       string       `json:"title"`
	Summary     string       `json:"summary"`
	Annotations []Annotation `json:"annotations,omitempty"`
}

// Check is a check run.
type Check struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	SHA        string `json:"head_sha"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion,omitempty"`
	External   string `json:"external_id"`
	Details    string `json:"details_url"`
	Output     Output `json:"output"`
	App        App    `json:"app"`
}

// App is who wrote a check run.
type App struct {
	Slug string `json:"slug"`
}

// Status of a commit.
type Status struct {
	SHA         string `json:"-"`
	State       string `json:"state"`
	Context     string `json:"context"`
	Description string `json:"description"`
	Target      string `json:"target_url"`
}

// Issue is a ticket.
type Issue struct {
	Number int      `json:"number"`
	Title  string   `json:"title"`
	Body   string   `json:"body"`
	State  string   `json:"state"`
	Labels []string `json:"-"`
	User   Author   `json:"user"`
	URL    string   `json:"html_url"`
	Events []string `json:"-"` // opened, edited, closed, reopened
}

// Pull is a pull request.
type Pull struct {
	Number  int
	Head    string
	Base    string // branch; empty is main
	Fork    bool
	Merged  bool
	Merge   string            // commit that brought it to its base
	Patches map[string]string // changed files and their diffs
}

// Server is a GitHub with one repository.
type Server struct {
	*httptest.Server
	Repository string

	mu       sync.Mutex
	me       Author
	asUser   bool // the token is a person's
	next     int64
	comments []*Comment
	checks   []*Check
	statuses []*Status
	issues   []*Issue
	pulls    []*Pull
	denied   []string
	faults   []fault
	requests []string
}

type fault struct {
	match  string // "POST /repos/…": a part of method and path
	status int
	after  bool // the request is carried out, and the answer lost
	header http.Header
	body   string
}

// New starts a server for repository "acme/platform"; the caller closes it.
func New() *Server {
	s := &Server{Repository: "acme/platform", me: Actions(), next: 1000}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

// AsPerson makes the token that of a person instead of an app's.
func (s *Server) AsPerson(a Author) { s.lock(func() { s.me, s.asUser = a, true }) }

// Deny refuses requests whose "METHOD path" has a part, for want of permission.
func (s *Server) Deny(part string) { s.lock(func() { s.denied = append(s.denied, part) }) }

// Fail answers the next request that has a part with a status, n times; with
// after it is carried out first and the answer is lost.
func (s *Server) Fail(part string, status, n int, after bool) {
	s.lock(func() {
		for range n {
			s.faults = append(s.faults, fault{match: part, status: status, after: after, body: `{"message":"Server Error"}`})
		}
	})
}

// Limit refuses the next request that has a part by the secondary rate limit.
func (s *Server) Limit(part string, seconds int) {
	s.lock(func() {
		s.faults = append(s.faults, fault{match: part, status: http.StatusForbidden, header: http.Header{"Retry-After": {strconv.Itoa(seconds)}},
			body: `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`})
	})
}

// AddPull adds a pull request.
func (s *Server) AddPull(p Pull) { s.lock(func() { s.pulls = append(s.pulls, &p) }) }

// Push moves the head of a pull request.
func (s *Server) Push(number int, head string) {
	s.lock(func() {
		for _, p := range s.pulls {
			if p.Number == number {
				p.Head = head
			}
		}
	})
}

// Merge merges a pull request as a commit.
func (s *Server) Merge(number int, commit string) {
	s.lock(func() {
		for _, p := range s.pulls {
			if p.Number == number {
				p.Merged, p.Merge = true, commit
			}
		}
	})
}

// AddCheck adds a completed check run as somebody else's app, or as another
// workflow, may write one.
func (s *Server) AddCheck(c Check) {
	s.lock(func() {
		c.ID, c.Status = s.id(), "completed"
		s.checks = append(s.checks, &c)
	})
}

// AddComment writes a comment as somebody.
func (s *Server) AddComment(number int, by Author, body string) {
	s.lock(func() { s.comment(number, by, body) })
}

// AddIssue opens an issue as somebody.
func (s *Server) AddIssue(by Author, title, body string) {
	s.lock(func() { s.issue(by, title, body, nil) })
}

// Comments of a pull request or issue.
func (s *Server) Comments(number int) []Comment {
	var out []Comment
	s.lock(func() {
		for _, c := range s.comments {
			if c.Number == number {
				out = append(out, *c)
			}
		}
	})
	return out
}

// Checks are all check runs.
func (s *Server) Checks() []Check { return copies(s, &s.checks) }

// Statuses are all commit statuses.
func (s *Server) Statuses() []Status { return copies(s, &s.statuses) }

// Issues are all issues.
func (s *Server) Issues() []Issue { return copies(s, &s.issues) }

// Requests are the requests so far, "METHOD path".
func (s *Server) Requests() []string {
	var out []string
	s.lock(func() { out = slices.Clone(s.requests) })
	return out
}

func copies[T any](s *Server, list *[]*T) []T {
	var out []T
	s.lock(func() {
		for _, e := range *list {
			out = append(out, *e)
		}
	})
	return out
}

func (s *Server) lock(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *Server) id() int64 {
	s.next++
	return s.next
}

func (s *Server) comment(number int, by Author, body string) *Comment {
	c := &Comment{ID: s.id(), Number: number, Body: body, User: by}
	c.URL = fmt.Sprintf("https://github.com/%s/pull/%d#issuecomment-%d", s.Repository, number, c.ID)
	c.Issue = fmt.Sprintf("https://api.github.com/repos/%s/issues/%d", s.Repository, number)
	s.comments = append(s.comments, c)
	return c
}

func (s *Server) issue(by Author, title, body string, labels []string) *Issue {
	i := &Issue{Number: 500 + len(s.issues), Title: title, Body: body, State: "open", Labels: labels, User: by, Events: []string{"opened"}}
	i.URL = fmt.Sprintf("https://github.com/%s/issues/%d", s.Repository, i.Number)
	s.issues = append(s.issues, i)
	return i
}

// serve answers one request at a time.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := r.Method + " " + r.URL.Path
	s.requests = append(s.requests, line)
	if r.Header.Get("Authorization") != "Bearer "+Token {
		refuse(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	for _, part := range s.denied {
		if strings.Contains(line, part) {
			refuse(w, http.StatusForbidden, "Resource not accessible by integration")
			return
		}
	}
	for i, f := range s.faults {
		if !strings.Contains(line, f.match) {
			continue
		}
		s.faults = slices.Delete(s.faults, i, i+1)
		if f.after {
			s.route(httptest.NewRecorder(), r)
		}
		for k, v := range f.header {
			w.Header()[k] = v
		}
		w.WriteHeader(f.status)
		_, _ = w.Write([]byte(f.body))
		return
	}
	s.route(w, r)
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"message": message})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
