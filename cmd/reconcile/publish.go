package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"reconcile/pkg/apply"
	"reconcile/pkg/github"
	"reconcile/pkg/report"
)

// body is the comment: the page, and the snapshot that nobody sees.
func (p *publication) body(m page) (string, error) {
	text, err := m.markdown(github.MaxComment - len(p.marker) - len(m.hidden) - 2)
	if err != nil {
		return "", err
	}
	if m.hidden != "" {
		text = m.hidden + "\n" + text
	}
	return text, nil
}

// publish writes the page to the workflow and to GitHub. What is written to
// the workflow does not depend on GitHub.
func (p *publication) publish(ctx context.Context, m page) error {
	body, err := p.body(m)
	if err != nil {
		return err
	}
	if p.dry {
		_, err := fmt.Fprintf(p.g.out, "%s\n%s", p.marker, body)
		return unlessClosed(err)
	}
	if err := p.workflow(m); err != nil {
		return err
	}
	return errors.Join(p.check(ctx, m), p.comment(ctx, body))
}

// workflow writes the step's summary and its outputs.
func (p *publication) workflow(m page) error {
	if room := p.at.ci.SummaryRoom(); room > 0 {
		text, err := m.markdown(room - 1)
		if err != nil {
			return err
		}
		if err := p.at.ci.Summary(text); err != nil {
			return err
		}
	}
	return p.at.ci.Output(map[string]string{
		"has-changes": strconv.FormatBool(m.changes), "summary": m.title, "effects": m.effects,
	}, "has-changes", "summary", "effects")
}

// comment writes the one comment, unless the pull request has gone on: then a
// newer run has or will have the word.
func (p *publication) comment(ctx context.Context, body string) error {
	if p.stale != "" {
		fmt.Fprintf(p.g.err, "the pull request has gone on since %s: its comment is left to the newer run\n", p.stale)
		return nil
	}
	c, err := p.client.Upsert(ctx, p.at.pull, p.marker, body)
	if err != nil {
		return needs(err, "pull-requests: write")
	}
	fmt.Fprintln(p.g.out, c.URL)
	return nil
}

// check writes the check run of the head commit; where the token may write
// only a status, the remarks go to the log, which GitHub shows at the lines too.
func (p *publication) check(ctx context.Context, m page) error {
	summary, err := m.markdown(github.MaxComment)
	if err != nil {
		return err
	}
	check := github.Check{
		Name: checkName(p.at.folder), SHA: p.at.head, Conclusion: m.conclusion, Title: m.title, Summary: summary,
		Details: p.at.ci.Run, External: m.effects, Annotations: p.at.annotations(m.remarks),
	}
	status, err := p.client.Report(ctx, check)
	if err != nil {
		return needs(err, "checks: write or statuses: write")
	}
	if status {
		fmt.Fprintln(p.g.err, "the token may not write check runs (checks: write); the commit has a status instead, without remarks")
	}
	return nil
}

// outcome tells a merged pull request how its apply ended.
func (g *global) outcome(ctx context.Context, at surroundings, c commentFlags) error {
	result, err := readResult(g.in, c.result)
	if err != nil {
		return err
	}
	var b strings.Builder
	style := report.Options{Flags: g.flags(), MaxBytes: github.MaxComment - 200}
	style.Review = report.Review{Folder: at.folder, Full: at.ci.Run}
	again := strings.Join(append([]string{"reconcile apply"}, g.flags()...), " ")
	if err := report.OutcomeMarkdown(&b, result, again, style); err != nil {
		return err
	}
	marker := github.Marker("outcome", at.folder)
	if c.dry {
		_, err := fmt.Fprintf(g.out, "%s\n%s", marker, b.String())
		return unlessClosed(err)
	}
	if err := at.ci.Summary(b.String()); err != nil {
		return err
	}
	client, err := at.client(at.ci.Repository)
	if err != nil {
		return err
	}
	number, err := pullOf(ctx, client, at, c)
	if err != nil {
		return err
	}
	if number != 0 {
		written, err := client.Upsert(ctx, number, marker, b.String())
		if err != nil {
			return needs(err, "pull-requests: write")
		}
		fmt.Fprintln(g.out, written.URL)
	}
	if result == nil || !result.Complete() {
		return nil
	}
	at.head = cmp.Or(c.commit, at.ci.SHA)
	return needs(settle(ctx, client, at, number, "", true), "pull-requests: write")
}

// pullOf is the pull request to tell; 0 where a commit came without one, which
// is no error.
func pullOf(ctx context.Context, client *github.Client, at surroundings, c commentFlags) (int, error) {
	if c.pull > 0 {
		return c.pull, nil
	}
	commit := c.commit
	if commit == "" {
		commit = at.ci.SHA
	}
	if commit == "" {
		return 0, errors.New("--pr N or --commit SHA names the pull request")
	}
	p, err := client.PullOf(ctx, commit)
	if err != nil || p == nil {
		return 0, needs(err, "pull-requests: read")
	}
	return p.Number, nil
}

// readResult reads the result of an apply; nil when it ended without one.
func readResult(in io.Reader, file string) (*apply.Result, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--result: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	r, err := report.ReadResult(in)
	if errors.Is(err, report.ErrNoResult) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &r, nil
}
