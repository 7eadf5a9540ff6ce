package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/github"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// commentFlags are those of comment.
type commentFlags struct {
	pull       int
	repository string
	commit     string
	dry        bool
	reports    []string
	result     string
}

func newComment(g *global) *cobra.Command {
	var sel selectFlags
	var c commentFlags
	cmd := &cobra.Command{
		Use:   "comment --pr N",
		Short: "Tell a pull request what it would change, or how it went",
		Long: `comment validates the specs, plans, and writes the plan as one comment on the
pull request on GitHub, which later runs edit; and as a check run with a remark
at each spec line. Invalid specs are told there too. It makes no write call to
AWS.

With --result it tells a merged pull request how its apply ended: FILE is what
apply -o json wrote. Without --pr the pull request is that of --commit.

The token is GITHUB_TOKEN; repository, server and run are those of the workflow.
In a workflow it also writes the step's summary and the outputs has-changes,
summary and effects.`,
		Example:     "  reconcile comment --pr 12 --report plan.html\n  reconcile comment --pr 12 --dry-run --sandbox\n  reconcile comment --result apply.jsonl",
		Args:        noArgs,
		Annotations: withOutputs("text"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := g.surroundings()
			if c.repository != "" {
				at.ci.Repository = c.repository
			}
			if cmd.Flags().Changed("result") {
				return g.outcome(cmd.Context(), at, c)
			}
			if c.pull < 1 {
				return errors.New("--pr N names the pull request")
			}
			return g.comment(cmd.Context(), at, c, sel)
		},
	}
	sel.bind(cmd)
	g.bindRev(cmd)
	f := cmd.Flags()
	f.IntVar(&c.pull, "pr", 0, "number `N` of the pull request")
	f.StringVar(&c.repository, "repo", "", "repository `OWNER/NAME`; default: that of the workflow (GITHUB_REPOSITORY)")
	f.BoolVar(&c.dry, "dry-run", false, "print the comment, and ask nothing of GitHub")
	f.StringArrayVar(&c.reports, "report", nil, "write the whole report to `FILE`, .html or .md (repeatable)")
	f.StringVar(&c.result, "result", "", "tell how an apply ended: `FILE` with the output of apply -o json, - for the standard input")
	f.StringVar(&c.commit, "commit", "", "with --result, the `SHA` that was applied; default: that of the workflow (GITHUB_SHA)")
	return cmd
}

// comment plans and tells the pull request.
func (g *global) comment(ctx context.Context, at surroundings, c commentFlags, sel selectFlags) error {
	at.pull = c.pull
	p := publication{g: g, at: at, dry: c.dry, marker: github.Marker("plan", at.folder)}
	if !c.dry {
		if err := p.open(ctx); err != nil {
			return err
		}
	}
	made := p.page(ctx, sel)
	for _, file := range c.reports {
		if err := made.save(file); err != nil {
			return errors.Join(made.err, err)
		}
	}
	return errors.Join(made.err, p.publish(ctx, made))
}

// publication is a plan on its way to a pull request.
type publication struct {
	g      *global
	at     surroundings
	dry    bool
	marker string
	client *github.Client
	stale  string // the head that this run knows, where the pull request has gone on
	before *report.Snapshot
}

// open reads what is on GitHub already.
func (p *publication) open(ctx context.Context) error {
	client, err := p.at.client(p.at.ci.Repository)
	if err != nil {
		return err
	}
	pull, err := client.Pull(ctx, p.at.pull)
	if err != nil {
		return needs(err, "pull-requests: read")
	}
	if p.at.head == "" {
		p.at.head = pull.Head
	}
	if pull.Head != p.at.head {
		p.stale = p.at.head
	}
	// Links and the comparison are worth no failure.
	if p.at.files, err = client.Files(ctx, p.at.pull); err != nil {
		p.g.log.Warn("the pull request's files are unknown", "error", err)
	}
	old, err := client.Sticky(ctx, p.at.pull, p.marker)
	if err != nil {
		p.g.log.Warn("the earlier comment is unknown", "error", err)
	} else if old != nil {
		p.before = report.ReadSnapshot(old.Body)
	}
	p.client = client
	return nil
}

// needs adds the permission that a token lacks.
func needs(err error, permission string) error {
	if github.Denied(err) {
		return fmt.Errorf("%w; the token needs the permission %s", err, permission)
	}
	return err
}

// page is what is told, in each of its forms.
type page struct {
	write      func(io.Writer, report.Options) error // Markdown
	html       func(io.Writer, report.Options) error
	style      report.Options
	title      string
	conclusion github.Conclusion
	remarks    []report.Remark
	effects    string
	changes    bool
	hidden     string // snapshot
	err        error  // that the command ends with
}

// page plans, or says why there is no plan.
func (p *publication) page(ctx context.Context, sel selectFlags) page {
	style := report.Options{Flags: p.g.flags(), Select: sel.flags(), Rev: p.g.rev}
	style.Review = report.Review{Folder: p.at.folder, Link: p.at.link, Full: p.at.ci.Run, Before: p.before}
	made := page{style: style, conclusion: github.Failure}
	if p.before != nil {
		made.hidden = p.before.Hidden() // kept while there is no plan
	}
	computed, s, carried, err := p.g.plan(ctx, sel, nil, false)
	if s != nil {
		defer func() { made.err = errors.Join(made.err, s.close()) }()
	}
	var invalid *invalidSpecs
	switch {
	case errors.As(err, &invalid):
		made.title = "The specs are invalid: " + counted(len(invalid.issues), "finding")
		made.write = func(w io.Writer, o report.Options) error { return report.IssuesMarkdown(w, invalid.issues, o) }
		made.html = func(w io.Writer, o report.Options) error { return report.IssuesHTML(w, invalid.issues, o) }
		made.remarks, made.err = report.IssueRemarks(invalid.issues), err
	case err != nil:
		made.title = "No plan could be made"
		made.write = func(w io.Writer, o report.Options) error { return report.FailureMarkdown(w, err.Error(), o) }
		made.html = func(w io.Writer, o report.Options) error { return report.FailureHTML(w, err.Error(), o) }
		made.err = err
	default:
		made.plan(computed, carried, p.at.head)
	}
	return made
}

func (m *page) plan(p plan.Plan, carried []plan.Approval, head string) {
	m.style.Given = given(apply.Options{Approve: carried})
	m.title, m.effects, m.changes = report.PlanTitle(p, m.style), plan.Effects(p), !p.Empty()
	m.write = func(w io.Writer, o report.Options) error { return report.PlanMarkdown(w, p, o) }
	m.html = func(w io.Writer, o report.Options) error { return report.PlanHTML(w, p, o) }
	m.remarks, m.hidden = report.PlanRemarks(p, m.style), report.NewSnapshot(p, head).Hidden()
	m.err = planExit(p, false, true)
	refused, _ := report.Unapproved(p, m.style.Given)
	switch {
	case m.err != nil:
	case len(refused) > 0:
		m.conclusion = github.Neutral
	default:
		m.conclusion = github.Success
	}
}

// markdown is the page in at most so many bytes; 0 means no bound.
func (m page) markdown(most int) (string, error) {
	var b strings.Builder
	o := m.style
	o.MaxBytes = most
	err := m.write(&b, o)
	return b.String(), err
}

// save writes the whole page to a file, in the form that its name says.
func (m page) save(file string) error {
	write := m.write
	switch {
	case strings.HasSuffix(file, ".html"), strings.HasSuffix(file, ".htm"):
		write = m.html
	case strings.HasSuffix(file, ".md"):
	default:
		return fmt.Errorf("--report %s: want a name that ends in .html or .md", file)
	}
	var b strings.Builder
	o := m.style
	o.Before = nil
	if err := write(&b, o); err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
