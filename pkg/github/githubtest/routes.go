package githubtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxBody        = 65_536 // characters of a comment or issue
	maxAnnotations = 50     // in one request
)

// route finds what a path means. The server may stand under /api/v3, as an
// enterprise server does.
func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v3"), "/api")
	switch {
	case path == "/user" && s.asUser:
		answer(w, http.StatusOK, s.me)
		return
	case path == "/user":
		refuse(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	case path == "/graphql":
		answer(w, http.StatusOK, map[string]any{"data": map[string]any{"viewer": map[string]any{"login": s.me.Login, "databaseId": s.me.ID}}})
		return
	}
	rest, ok := strings.CutPrefix(path, "/repos/"+s.Repository+"/")
	if !ok {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	parts := strings.Split(rest, "/")
	for _, known := range s.routes() {
		if args, ok := match(known.method+" "+known.path, r.Method, parts); ok {
			known.do(w, r, args)
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

type route struct {
	method, path string
	do           func(w http.ResponseWriter, r *http.Request, args []string)
}

func (s *Server) routes() []route {
	return []route{
		{"GET", "issues/*/comments", s.listComments}, {"POST", "issues/*/comments", s.createComment},
		{"GET", "issues/comments", s.allComments}, {"PATCH", "issues/comments/*", s.editComment}, {"DELETE", "issues/comments/*", s.deleteComment},
		{"GET", "issues", s.listIssues}, {"POST", "issues", s.createIssue}, {"PATCH", "issues/*", s.editIssue},
		{"POST", "check-runs", s.createCheck}, {"PATCH", "check-runs/*", s.editCheck}, {"GET", "commits/*/check-runs", s.listChecks},
		{"POST", "statuses/*", s.createStatus},
		{"GET", "pulls/*", s.getPull}, {"GET", "pulls/*/files", s.listFiles}, {"GET", "commits/*/pulls", s.pullsOf},
	}
}

// match compares a pattern with a path; a star is one part.
func match(pattern, method string, parts []string) ([]string, bool) {
	verb, path, _ := strings.Cut(pattern, " ")
	want := strings.Split(path, "/")
	if verb != method || len(want) != len(parts) {
		return nil, false
	}
	var args []string
	for i, p := range want {
		switch p {
		case "*":
			args = append(args, parts[i])
		case parts[i]:
		default:
			return nil, false
		}
	}
	return args, true
}

// page answers with one page of a list and the links to others.
func page[T any](w http.ResponseWriter, r *http.Request, list []T, wrap func([]T) any) {
	number := max(1, integer(r.URL.Query().Get("page")))
	per := integer(r.URL.Query().Get("per_page"))
	if per <= 0 {
		per = 30
	}
	per = min(per, 100)
	from := min((number-1)*per, len(list))
	to := min(from+per, len(list))
	if to < len(list) {
		next := *r.URL
		q := next.Query()
		q.Set("page", strconv.Itoa(number+1))
		next.RawQuery = q.Encode()
		w.Header().Set("Link", fmt.Sprintf(`<http://%s%s>; rel="next"`, r.Host, next.String()))
	}
	if wrap != nil {
		answer(w, http.StatusOK, wrap(list[from:to]))
		return
	}
	answer(w, http.StatusOK, list[from:to])
}

func integer(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// read decodes a request; GitHub refuses texts that are too long.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, "Problems parsing JSON")
		return false
	}
	return true
}

func tooLong(w http.ResponseWriter, body string) bool {
	if utf8.RuneCountInString(body) <= maxBody {
		return false
	}
	answer(w, http.StatusUnprocessableEntity, map[string]any{"message": "Validation Failed",
		"errors": []any{map[string]any{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long (maximum is 65536 characters)"}}})
	return true
}

func (s *Server) listComments(w http.ResponseWriter, r *http.Request, args []string) {
	list := []*Comment{}
	for _, c := range s.comments {
		if c.Number == integer(args[0]) {
			list = append(list, c)
		}
	}
	page(w, r, list, nil)
}

// allComments are those of the repository, the last ones first where that is
// asked for.
func (s *Server) allComments(w http.ResponseWriter, r *http.Request, _ []string) {
	list := slices.Clone(s.comments)
	if q := r.URL.Query(); q.Get("sort") != "" && q.Get("direction") == "desc" {
		slices.Reverse(list)
	}
	page(w, r, list, nil)
}

func (s *Server) createComment(w http.ResponseWriter, r *http.Request, args []string) {
	var in struct{ Body string }
	if !read(w, r, &in) || tooLong(w, in.Body) {
		return
	}
	answer(w, http.StatusCreated, s.comment(integer(args[0]), s.me, in.Body))
}

func (s *Server) ownComment(w http.ResponseWriter, id string) *Comment {
	for _, c := range s.comments {
		if c.ID == int64(integer(id)) {
			return c
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
	return nil
}

func (s *Server) editComment(w http.ResponseWriter, r *http.Request, args []string) {
	var in struct{ Body string }
	c := s.ownComment(w, args[0])
	if c == nil || !read(w, r, &in) || tooLong(w, in.Body) {
		return
	}
	c.Body = in.Body
	c.Edits++
	answer(w, http.StatusOK, c)
}

func (s *Server) deleteComment(w http.ResponseWriter, _ *http.Request, args []string) {
	if c := s.ownComment(w, args[0]); c != nil {
		s.comments = slices.DeleteFunc(s.comments, func(o *Comment) bool { return o == c })
		w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) listIssues(w http.ResponseWriter, r *http.Request, _ []string) {
	q := r.URL.Query()
	list := []*Issue{}
	for _, i := range slices.Backward(s.issues) {
		has := true
		for label := range strings.SplitSeq(q.Get("labels"), ",") {
			has = has && (label == "" || slices.Contains(i.Labels, label))
		}
		if state := q.Get("state"); has && (state == "all" || i.State == state || state == "" && i.State == "open") {
			list = append(list, i)
		}
	}
	page(w, r, list, nil)
}

func (s *Server) createIssue(w http.ResponseWriter, r *http.Request, _ []string) {
	var in struct {
		Title, Body string
		Labels      []string
	}
	if !read(w, r, &in) || tooLong(w, in.Body) {
		return
	}
	if in.Title == "" {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	answer(w, http.StatusCreated, s.issue(s.me, in.Title, in.Body, in.Labels))
}

func (s *Server) editIssue(w http.ResponseWriter, r *http.Request, args []string) {
	var in struct{ Title, Body, State *string }
	if !read(w, r, &in) || in.Body != nil && tooLong(w, *in.Body) {
		return
	}
	for _, i := range s.issues {
		if i.Number != integer(args[0]) {
			continue
		}
		event := "edited"
		if in.Title != nil {
			i.Title = *in.Title
		}
		if in.Body != nil {
			i.Body = *in.Body
		}
		if in.State != nil && *in.State != i.State {
			event = map[string]string{"open": "reopened", "closed": "closed"}[*in.State]
			i.State = *in.State
		}
		i.Events = append(i.Events, event)
		answer(w, http.StatusOK, i)
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) createStatus(w http.ResponseWriter, r *http.Request, args []string) {
	var in Status
	if !read(w, r, &in) {
		return
	}
	if utf8.RuneCountInString(in.Description) > 140 || !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State) {
		refuse(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	in.SHA = args[0]
	s.statuses = append(s.statuses, &in)
	answer(w, http.StatusCreated, in)
}
