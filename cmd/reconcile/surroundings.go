package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"reconcile/pkg/github"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
)

// surroundings are the repository around the specs and the workflow run, if
// there is one.
type surroundings struct {
	ci     github.CI
	root   string // of the repository
	folder string // the specs, from the root
	pull   int
	head   string // commit that links point to
	files  map[string]github.File
}

func (g *global) surroundings() surroundings {
	s := surroundings{ci: github.Environment(os.Getenv)}
	s.head = s.ci.Head
	s.root = repositoryOf(g.specs, s.ci.Workspace)
	s.folder = s.path(g.specs)
	if s.folder == "" {
		s.folder = filepath.ToSlash(filepath.Clean(g.specs))
	}
	return s
}

// repositoryOf is the nearest folder above the specs that git keeps, else the
// checkout of the workflow, else where we are.
func repositoryOf(specs, workspace string) string {
	dir := resolved(specs)
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	if workspace != "" {
		return resolved(workspace)
	}
	return resolved(".")
}

// resolved is an absolute path without links, as far as it exists.
func resolved(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		return real
	}
	return absolute
}

// path is a file from the root of the repository; empty outside of it.
func (s surroundings) path(file string) string {
	below, err := filepath.Rel(s.root, resolved(file))
	if err != nil || below == ".." || strings.HasPrefix(below, ".."+string(filepath.Separator)) {
		return ""
	}
	return filepath.ToSlash(below)
}

// link is where GitHub shows a spec line: in the pull request's own diff where
// that has it, else in the file at the head commit.
func (s surroundings) link(at spec.Source) string {
	path := s.path(at.File)
	if path == "" || s.ci.Repository == "" || s.head == "" {
		return ""
	}
	base := s.ci.Server + "/" + s.ci.Repository
	if s.pull > 0 && s.files[path].Shows(at.Line) {
		sum := sha256.Sum256([]byte(path))
		return base + "/pull/" + strconv.Itoa(s.pull) + "/files/" + s.head + "#diff-" + hex.EncodeToString(sum[:]) + "R" + strconv.Itoa(at.Line)
	}
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return base + "/blob/" + url.PathEscape(s.head) + "/" + strings.Join(parts, "/") + "#L" + strconv.Itoa(max(1, at.Line))
}

// located are findings with their files named from the root of the repository,
// as everything of GitHub wants them.
func (s surroundings) located(issues spec.Issues) spec.Issues {
	out := make(spec.Issues, len(issues))
	for i, issue := range issues {
		if path := s.path(issue.File); path != "" {
			issue.File = path
		}
		out[i] = issue
	}
	return out
}

// annotations are remarks at files of the repository.
func (s surroundings) annotations(remarks []report.Remark) []github.Annotation {
	level := map[plan.Severity]github.Level{plan.SeverityError: github.Problem, plan.SeverityWarning: github.Warning, plan.SeverityNote: github.Notice}
	var out []github.Annotation
	for _, r := range remarks {
		if path := s.path(r.At.File); path != "" && r.At.File != "" {
			out = append(out, github.Annotation{Path: path, Line: r.At.Line, Level: level[r.Level], Title: r.Title, Message: r.Message})
		}
	}
	return out
}

// client opens GitHub for the repository.
func (s surroundings) client(repository string) (*github.Client, error) {
	return github.Open(github.Options{
		API: s.ci.API, Token: s.ci.Token, Repository: repository, UserAgent: "reconcile/" + version(), Actions: s.ci.Actions,
	})
}
