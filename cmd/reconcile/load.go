package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

// load reads, validates and renders the specs: all four passes. Findings are
// printed on stderr and end in exit code 3, before any AWS call.
func (g *global) load(ctx context.Context) (spec.Set, plan.Desired, error) {
	set, desired, err := g.validated(ctx)
	var issues spec.Issues
	if errors.As(err, &issues) {
		if err := report.Issues(g.err, issues, g.style(g.err)); err != nil {
			return set, desired, err
		}
		if err := g.annotate(issues); err != nil {
			return set, desired, err
		}
		return set, desired, &coded{exitInvalid, &invalidSpecs{g.named(), issues}}
	}
	return set, desired, err
}

// invalidSpecs is an error that still has the findings, which were shown already.
type invalidSpecs struct {
	dir    string
	issues spec.Issues
}

func (e *invalidSpecs) Error() string { return e.dir + ": " + counted(len(e.issues), "finding") }

// annotate shows findings at their lines in a workflow run of GitHub.
func (g *global) annotate(issues spec.Issues) error {
	if at := g.surroundings(); at.ci.Actions {
		return report.IssuesGitHub(g.err, at.located(issues))
	}
	return nil
}

// validated is load without printing: findings come back as spec.Issues.
func (g *global) validated(ctx context.Context) (spec.Set, plan.Desired, error) {
	options, rev, err := g.source(g.rev)
	if err != nil {
		return spec.Set{}, plan.Desired{}, err
	}
	return rendered(ctx, options, rev)
}

// rendered loads specs from wherever they are, validates and renders them.
func rendered(ctx context.Context, options spec.LoadOptions, rev string) (spec.Set, plan.Desired, error) {
	set, err := spec.Load(ctx, options)
	if err != nil {
		return set, plan.Desired{}, err
	}
	desired, err := stacks.Render(set, stacks.Options{Revision: rev})
	if err != nil {
		return set, desired, fmt.Errorf("render: %w", err)
	}
	issues := asIssues(stacks.Check(desired))
	for _, n := range desired.Notes {
		if n.Severity == plan.SeverityError {
			issues = append(issues, spec.Issue{File: n.Source.File, Line: n.Source.Line, Column: n.Source.Column, Path: n.Target, Rule: n.Code, Message: n.Message})
		}
	}
	if len(issues) > 0 {
		return set, desired, issues
	}
	return set, desired, nil
}

// asIssues gives the fourth pass the form of the first three.
func asIssues(problems []stacks.Problem) spec.Issues {
	issues := make(spec.Issues, len(problems))
	for i, p := range problems {
		where := p.Stack
		if p.Resource != "" {
			where += "/" + p.Resource
		}
		if p.Path != "" {
			where += "." + p.Path
		}
		issues[i] = spec.Issue{File: p.Source.File, Line: p.Source.Line, Column: p.Source.Column, Path: where, Rule: "rendered-template", Message: p.Message}
	}
	return issues
}

// excerpt reads a spec file for a finding about it. It reads nothing outside of
// the folder and no link, whose target the finding must not show.
func (g *global) excerpt(file string) ([]byte, error) {
	name, err := filepath.Rel(g.specs, file)
	if err != nil {
		return nil, err
	}
	if g.files != nil {
		return fs.ReadFile(g.files, filepath.ToSlash(name))
	}
	root, err := os.OpenRoot(g.specs)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", file)
	}
	return root.ReadFile(name)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
