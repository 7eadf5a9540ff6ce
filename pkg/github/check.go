package github

import (
	"context"
	"time"

	"github.com/google/go-github/v92/github"
)

// Conclusion of a check.
type Conclusion string

// The conclusions that are used.
const (
	Success Conclusion = "success"
	Neutral Conclusion = "neutral"
	Failure Conclusion = "failure"
)

// Level of an annotation.
type Level string

// The levels.
const (
	Notice  Level = "notice"
	Warning Level = "warning"
	Problem Level = "failure"
)

// Annotation is a remark at a line of a file.
type Annotation struct {
	Path    string // from the root of the repository
	Line    int    // from 1
	Column  int    // from 1; 0 when unknown
	Level   Level
	Title   string
	Message string
}

// Check is the result of a check of a commit.
type Check struct {
	Name, SHA   string
	Conclusion  Conclusion
	Title       string // one line
	Summary     string // Markdown
	Details     string // URL
	External    string // what a later run compares with
	Annotations []Annotation
}

const (
	// maxAnnotations is how many annotations GitHub takes in one request.
	maxAnnotations = 50
	maxSummary     = 65_535 // of a check run's output
	maxTitle       = 255
	maxMessage     = 64 << 10
	maxStatus      = 140 // description of a commit status
)

// Report writes a check run with all its annotations. Where the token may not
// write check runs, it writes a commit status, which has no annotations, and
// says so.
func (c *Client) Report(ctx context.Context, check Check) (status bool, err error) {
	run, err := c.begin(ctx, check)
	if Denied(err) {
		return true, c.status(ctx, check)
	}
	if err != nil {
		return false, err
	}
	rest := check.Annotations
	for {
		n := min(len(rest), maxAnnotations)
		last := n == len(rest)
		if err := c.add(ctx, run, check, rest[:n], last); err != nil {
			return false, err
		}
		if rest = rest[n:]; last {
			return false, nil
		}
	}
}

// begin creates the check run, at work. A second one of the same name takes
// the place of the first, so that a repetition does no harm.
func (c *Client) begin(ctx context.Context, check Check) (int64, error) {
	var id int64
	err := c.try(ctx, "create the check run", func() error {
		run, _, err := c.api.Checks.CreateCheckRun(ctx, c.owner, c.repo, github.CreateCheckRunOptions{
			Name: check.Name, HeadSHA: check.SHA, DetailsURL: text(check.Details), ExternalID: text(check.External),
			Status: new("in_progress"), StartedAt: &github.Timestamp{Time: time.Now()},
		})
		id = run.GetID()
		return err
	})
	return id, err
}

// add sends annotations; with the last ones the run is completed.
func (c *Client) add(ctx context.Context, id int64, check Check, annotations []Annotation, last bool) error {
	update := github.UpdateCheckRunOptions{Name: check.Name, DetailsURL: text(check.Details), ExternalID: text(check.External), Output: &github.CheckRunOutput{
		Title: new(cut(check.Title, maxTitle)), Summary: new(cut(check.Summary, maxSummary)),
	}}
	for _, a := range annotations {
		update.Output.Annotations = append(update.Output.Annotations, a.wire())
	}
	if last {
		update.Status, update.Conclusion = new("completed"), new(string(check.Conclusion))
		update.CompletedAt = &github.Timestamp{Time: time.Now()}
	}
	return c.try(ctx, "write the check run", func() error {
		_, _, err := c.api.Checks.UpdateCheckRun(ctx, c.owner, c.repo, id, update)
		return err
	})
}

func (a Annotation) wire() *github.CheckRunAnnotation {
	line := max(1, a.Line)
	w := &github.CheckRunAnnotation{
		Path: new(a.Path), StartLine: new(line), EndLine: new(line),
		AnnotationLevel: new(string(a.Level)), Message: new(cut(a.Message, maxMessage)),
	}
	if a.Title != "" {
		w.Title = new(cut(a.Title, maxTitle))
	}
	if a.Column > 0 {
		w.StartColumn, w.EndColumn = new(a.Column), new(a.Column)
	}
	return w
}

// status writes a commit status, which tokens without an app may write too.
func (c *Client) status(ctx context.Context, check Check) error {
	state := "success"
	if check.Conclusion == Failure {
		state = "failure"
	}
	return c.try(ctx, "write the commit status", func() error {
		_, _, err := c.api.Repositories.CreateStatus(ctx, c.owner, c.repo, check.SHA, github.RepoStatus{
			State: new(state), Context: new(check.Name), Description: new(cut(check.Title, maxStatus)), TargetURL: text(check.Details),
		})
		return err
	})
}

// Checked is a check run that was written before.
type Checked struct {
	Conclusion Conclusion
	External   string
	App        string // slug of the app that wrote it
	URL        string
}

// actionsApp is the app that writes for the token of a workflow run.
const actionsApp = "github-actions"

// Checked returns the newest completed check run with a name on a commit that a
// workflow run or the token's own app wrote; nil when there is none. Another
// app's is none of ours, and a commit status is none: anybody's token may write
// one.
func (c *Client) Checked(ctx context.Context, sha, name string) (*Checked, error) {
	me, err := c.self(ctx)
	if err != nil {
		return nil, err
	}
	var out *Checked
	newest := int64(-1)
	err = pages(func(page int) (r *github.Response, err error) {
		err = c.try(ctx, "read the check run", func() error {
			var list *github.ListCheckRunsResults
			list, r, err = c.api.Checks.ListCheckRunsForRef(ctx, c.owner, c.repo, sha, &github.ListCheckRunsOptions{
				CheckName: new(name), Status: new("completed"), Filter: new("latest"), ListOptions: github.ListOptions{Page: page, PerPage: perPage}})
			if err != nil {
				return err
			}
			for _, run := range list.CheckRuns {
				app := run.GetApp().GetSlug()
				ours := app == actionsApp || app != "" && me.login == app+"[bot]"
				if ours && run.GetName() == name && run.GetHeadSHA() == sha && run.GetID() > newest {
					newest = run.GetID()
					out = &Checked{Conclusion: Conclusion(run.GetConclusion()), External: run.GetExternalID(), App: app, URL: run.GetHTMLURL()}
				}
			}
			return nil
		})
		return r, err
	})
	return out, err
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// cut shortens to so many bytes, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most - len("…")
	for end > 0 && s[end]&0xc0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}
