package githubtest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// checkRequest is what creates or edits a check run.
type checkRequest struct {
	Name       string  `json:"name"`
	SHA        string  `json:"head_sha"`
	Status     string  `json:"status"`
	Conclusion string  `json:"conclusion"`
	External   string  `json:"external_id"`
	Details    string  `json:"details_url"`
	Output     *Output `json:"output"`
}

func (in checkRequest) refused(w http.ResponseWriter) bool {
	bad := in.Name == "" || in.Conclusion != "" && !slices.Contains([]string{"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}, in.Conclusion) ||
		in.Status == "completed" && in.Conclusion == ""
	if in.Output != nil {
		bad = bad || in.Output.Title == "" || in.Output.Summary == "" || len(in.Output.Summary) > 65_535 || len(in.Output.Annotations) > maxAnnotations
		for _, a := range in.Output.Annotations {
			bad = bad || a.Path == "" || a.StartLine < 1 || a.EndLine < a.StartLine || a.Message == "" || len(a.Message) > 64<<10 || len([]rune(a.Title)) > 255 ||
				!slices.Contains([]string{"notice", "warning", "failure"}, a.Level)
		}
	}
	if bad {
		refuse(w, http.StatusUnprocessableEntity, "Invalid request.")
	}
	return bad
}

// put takes over what a request has; annotations add up.
func (in checkRequest) put(c *Check) {
	c.Name = in.Name
	for _, f := range []struct {
		to *string
		v  string
	}{{&c.Status, in.Status}, {&c.Conclusion, in.Conclusion}, {&c.External, in.External}, {&c.Details, in.Details}} {
		if f.v != "" {
			*f.to = f.v
		}
	}
	if in.Output != nil {
		c.Output.Title, c.Output.Summary = in.Output.Title, in.Output.Summary
		c.Output.Annotations = append(c.Output.Annotations, in.Output.Annotations...)
	}
}

// shown is a check run without its annotations, which have a path of their own.
func shown(c *Check) Check {
	out := *c
	out.Output.Annotations = nil
	return out
}

func (s *Server) createCheck(w http.ResponseWriter, r *http.Request, _ []string) {
	var in checkRequest
	if s.asUser {
		refuse(w, http.StatusForbidden, "You must authenticate via a GitHub App.")
		return
	}
	if !read(w, r, &in) || in.refused(w) {
		return
	}
	if in.SHA == "" {
		refuse(w, http.StatusUnprocessableEntity, "Invalid request.")
		return
	}
	c := &Check{ID: s.id(), SHA: in.SHA, App: App{Slug: strings.TrimSuffix(s.me.Login, "[bot]")}}
	in.put(c)
	s.checks = append(s.checks, c)
	answer(w, http.StatusCreated, shown(c))
}

func (s *Server) editCheck(w http.ResponseWriter, r *http.Request, args []string) {
	var in checkRequest
	if !read(w, r, &in) || in.refused(w) {
		return
	}
	for _, c := range s.checks {
		if c.ID == int64(integer(args[0])) {
			in.put(c)
			answer(w, http.StatusOK, shown(c))
			return
		}
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) listChecks(w http.ResponseWriter, r *http.Request, args []string) {
	q := r.URL.Query()
	list := []Check{}
	for _, c := range slices.Backward(s.checks) {
		again := slices.ContainsFunc(list, func(o Check) bool { return o.Name == c.Name && o.App == c.App }) && q.Get("filter") != "all"
		if c.SHA == args[0] && !again && (q.Get("check_name") == "" || q.Get("check_name") == c.Name) && (q.Get("status") == "" || q.Get("status") == c.Status) {
			list = append(list, shown(c))
		}
	}
	page(w, r, list, func(part []Check) any { return map[string]any{"total_count": len(list), "check_runs": part} })
}

// wire is a pull request as GitHub shows it.
func (s *Server) wire(p *Pull) map[string]any {
	from := s.Repository
	if p.Fork {
		from = "somebody/platform"
	}
	state := "open"
	out := map[string]any{"number": p.Number, "merged": p.Merged, "html_url": "https://github.com/" + s.Repository + "/pull/" + strconv.Itoa(p.Number),
		"head": map[string]any{"sha": p.Head, "repo": map[string]any{"full_name": from}},
		"base": map[string]any{"ref": cmp.Or(p.Base, "main"), "repo": map[string]any{"full_name": s.Repository}}}
	if p.Merged {
		state = "closed"
		out["merged_at"], out["merge_commit_sha"] = "2026-01-01T00:00:00Z", p.Merge
	}
	out["state"] = state
	return out
}

func (s *Server) getPull(w http.ResponseWriter, _ *http.Request, args []string) {
	if p := s.pull(args[0]); p != nil {
		answer(w, http.StatusOK, s.wire(p))
		return
	}
	refuse(w, http.StatusNotFound, "Not Found")
}

func (s *Server) pull(number string) *Pull {
	for _, p := range s.pulls {
		if strconv.Itoa(p.Number) == number {
			return p
		}
	}
	return nil
}

func (s *Server) listFiles(w http.ResponseWriter, r *http.Request, args []string) {
	p := s.pull(args[0])
	if p == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	list := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(p.Patches)) {
		list = append(list, map[string]any{"filename": name, "status": "modified", "patch": p.Patches[name]})
	}
	page(w, r, list, nil)
}

func (s *Server) pullsOf(w http.ResponseWriter, r *http.Request, args []string) {
	list := []map[string]any{}
	for _, p := range s.pulls {
		if p.Merge == args[0] || p.Head == args[0] {
			list = append(list, s.wire(p))
		}
	}
	page(w, r, list, nil)
}
