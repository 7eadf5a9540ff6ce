package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"reconcile/pkg/apply"
	"reconcile/pkg/github"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/revision"
)

// checkName is the check run that comment gives a pull request's last commit,
// and that an apply of its merge looks for.
func checkName(folder string) string { return "reconcile/plan (" + folder + ")" }

// agreed refuses a plan that does something else than what was approved: by its
// effects, or by the pull request whose merge made the commit.
func (g *global) agreed(ctx context.Context, p plan.Plan, carried []plan.Approval) error {
	err := g.reviewed(p)
	if !g.byPull || p.Empty() || begun(p) || g.approved != "" && err == nil {
		return err
	}
	a := approval{g: g, at: g.surroundings(), plan: p, carried: carried}
	why, err := a.lacks(ctx)
	if err != nil {
		return &hinted{failWith(exitRefused, "what was approved is not known, and nothing was changed: %w", err), g.command("reconcile apply --approved-by-pr")}
	}
	if why == "" {
		return nil
	}
	refused := &asked{&hinted{failWith(exitRefused, "%s; this plan has the effects %s, and nothing was changed", why, plan.Effects(p)), a.command()}}
	if err := a.ask(ctx, why); err != nil {
		return errors.Join(refused.error, fmt.Errorf("the pull request could not be asked: %w", err))
	}
	return refused
}

// asked is a refusal that was put as a question to those who merged.
type asked struct{ error }

func (a *asked) Unwrap() error { return a.error }

// begun tells whether an apply of this very commit has changed something
// already: what is left of a plan never has the effects of the whole.
func begun(p plan.Plan) bool {
	if p.Applied == nil || p.Target.Revision == "" || p.Applied.Revision != p.Target.Revision {
		return false
	}
	_, dirty := revision.Dirty(p.Target.Revision)
	return !dirty
}

// approval holds a plan against the merged pull request that it comes from.
type approval struct {
	g       *global
	at      surroundings
	plan    plan.Plan
	carried []plan.Approval
	client  *github.Client
	pull    *github.Pull
}

// lacks says why the plan is not approved; "" when it is. An error means that
// GitHub was not to be had.
func (a *approval) lacks(ctx context.Context) (string, error) {
	commit, dirty := revision.Dirty(a.plan.Target.Revision)
	if commit == "" || dirty {
		return "the specs are at no commit, so that no pull request has approved them", nil
	}
	a.at.head = commit
	var err error
	if a.client, err = a.at.client(a.at.ci.Repository); err != nil {
		return "", err
	}
	if a.pull, err = a.client.MergedAs(ctx, commit, a.at.ci.Branch); err != nil {
		return "", needs(err, "pull-requests: read")
	}
	if a.pull == nil {
		return "commit " + revision.Short(commit) + " is not the merge of a pull request, so that none has approved it", nil
	}
	name := checkName(a.at.folder)
	check, err := a.client.Checked(ctx, a.pull.Head, name)
	if err != nil {
		return "", needs(err, "checks: read")
	}
	who := fmt.Sprintf("pull request %d", a.pull.Number)
	switch {
	case check == nil:
		return fmt.Sprintf("%s was merged without a finished check run %q of its last commit %s", who, name, revision.Short(a.pull.Head)), nil
	case check.External == "" || check.Conclusion != github.Success && check.Conclusion != github.Neutral:
		return fmt.Sprintf("%s was merged although its check run %q had no plan that can be applied", who, name), nil
	case check.External != plan.Effects(a.plan):
		return fmt.Sprintf("the plan does something else than what %s approved (effects %.12s)", who, check.External), nil
	}
	return "", nil
}

// command applies exactly this plan: it names its effects.
func (a *approval) command() string {
	effects := plan.Effects(a.plan)
	if a.at.ci.Actions && a.at.ci.Workflow != "" && a.at.ci.Branch != "" {
		return fmt.Sprintf("gh workflow run %s --ref %s -f effects=%s", report.ShellWord(a.at.ci.Workflow), report.ShellWord(a.at.ci.Branch), effects)
	}
	return a.g.command("reconcile apply --approved-effects " + effects)
}

// settle closes the questions in other merged pull requests: the command in them
// names a plan that there is no more. where is the question that is asked instead.
func settle(ctx context.Context, client *github.Client, at surroundings, number int, where string, applied bool) error {
	marker := github.Marker("outcome", at.folder)
	others, err := client.Others(ctx, number, marker)
	if err != nil {
		return err
	}
	o := report.Options{Review: report.Review{Folder: at.folder, Full: at.ci.Run}}
	for _, c := range others {
		if !strings.HasPrefix(c.Body, marker+"\n"+report.Question) {
			continue
		}
		if err := client.Rewrite(ctx, c.ID, marker, report.SettledMarkdown(at.head, where, applied, o)); err != nil {
			return err
		}
	}
	return nil
}

// ask tells the workflow, and the pull request where there is one, what the plan
// does now and how exactly that is approved. The outcome takes the place of the
// question.
func (a *approval) ask(ctx context.Context, why string) error {
	style := report.Options{Flags: a.g.flags(), Given: given(apply.Options{Approve: a.carried}), MaxBytes: github.MaxComment - 200}
	style.Review = report.Review{Folder: a.at.folder, Link: a.at.link, Full: a.at.ci.Run}
	if a.pull != nil {
		if told, err := a.client.Sticky(ctx, a.pull.Number, github.Marker("plan", a.at.folder)); err == nil && told != nil {
			style.Before = report.ReadSnapshot(told.Body)
		}
	}
	var b strings.Builder
	if err := report.QuestionMarkdown(&b, a.plan, why, a.command(), style); err != nil {
		return err
	}
	if err := a.at.ci.Summary(b.String()); err != nil {
		return err
	}
	if a.pull == nil {
		return nil
	}
	c, err := a.client.Upsert(ctx, a.pull.Number, github.Marker("outcome", a.at.folder), b.String())
	if err != nil {
		return needs(err, "pull-requests: write")
	}
	fmt.Fprintf(a.g.err, "asked in %s\n", printable(c.URL))
	if err := settle(ctx, a.client, a.at, a.pull.Number, c.URL, false); err != nil {
		a.g.log.Warn("a question in an older pull request stays open", "error", err)
	}
	return nil
}
