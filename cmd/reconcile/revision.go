package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/plan"
	"reconcile/pkg/revision"
	"reconcile/pkg/spec"
)

// bindRev gives a command the flag that loads the specs from git.
func (g *global) bindRev(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.rev, "rev", "", "the specs as they are at the git revision `REV` (a branch, tag or commit, with ~N), whatever is in the folder")
}

// source says where specs are loaded from and at which revision they are: the
// folder, or the same folder at a git revision, of which the work tree shows
// nothing.
func (g *global) source(rev string) (spec.LoadOptions, string, error) {
	if rev == "" {
		if _, err := os.Stat(g.specs); err != nil {
			return spec.LoadOptions{}, "", failWith(exitInvalid, "no specs: %w; start with reconcile init, or name the folder with --specs DIR", err)
		}
		at, err := revision.Of(g.specs)
		if err != nil {
			g.log.Warn("the specs' git revision is unknown", "error", err)
		}
		return spec.LoadOptions{Dir: g.specs, Version: g.release}, at, nil
	}
	repository, commit, err := g.resolve("--rev", rev)
	if err != nil {
		return spec.LoadOptions{}, "", err
	}
	files, err := repository.Files(commit)
	if err != nil {
		return spec.LoadOptions{}, "", revisionError("--rev "+rev, err)
	}
	g.files = files
	return spec.LoadOptions{FS: files, Name: g.specs, Version: g.release}, commit, nil
}

// resolve finds the repository of the specs and the commit of a revision.
func (g *global) resolve(flag, rev string) (*revision.Repository, string, error) {
	repository, err := revision.Open(g.specs)
	if err != nil {
		return nil, "", fmt.Errorf("%s %s: %w", flag, rev, err)
	}
	commit, err := repository.Resolve(rev)
	if err != nil {
		return nil, "", revisionError(flag+" "+rev, err)
	}
	return repository, commit, nil
}

// revisionError gives an error of git its exit code: what git lacks or holds
// is refused, what it does not know is a mistake of the command line.
func revisionError(doing string, err error) error {
	var lacks *revision.IncompleteError
	var entry *revision.EntryError
	if errors.As(err, &lacks) || errors.As(err, &entry) {
		return failWith(exitRefused, "%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// named is the folder of specs as it is told to people.
func (g *global) named() string {
	if g.rev == "" {
		return g.specs
	}
	return g.specs + " at " + g.rev
}

// since compares what the specs asked for at a revision with what they ask for
// now. Specs that were not valid then limit nothing.
func (g *global) since(ctx context.Context, rev string, now plan.Desired) (*plan.Since, error) {
	if rev == "" {
		return nil, nil
	}
	repository, commit, err := g.resolve("--changed-since", rev)
	if err != nil {
		return nil, err
	}
	name := revision.Short(commit)
	if name != rev && len(rev) < 40 {
		name = rev + " (" + name + ")"
	}
	files, err := repository.Files(commit)
	var entry *revision.EntryError
	switch {
	case errors.As(err, &entry):
		return &plan.Since{Commit: name, Everything: entry.Error()}, nil
	case err != nil:
		return nil, revisionError("--changed-since "+rev, err)
	}
	_, before, err := rendered(ctx, spec.LoadOptions{FS: files, Name: g.specs, Version: g.release}, commit)
	var issues spec.Issues
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &issues):
		first := issues[0]
		return &plan.Since{Commit: name, Everything: fmt.Sprintf("the specs were not valid then (%s, the first at %s:%d)", counted(len(issues), "finding"), first.File, first.Line)}, nil
	case err != nil:
		return &plan.Since{Commit: name, Everything: "the specs could not be read then: " + err.Error()}, nil
	}
	changes, err := plan.ChangedSince(before, now)
	changes.Commit = name
	return &changes, err
}

// descent is what an apply of another commit than a newer one needs.
type descent struct{ allowRollback, stepAside bool }

func (d *descent) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&d.allowRollback, "allow-rollback", false, "apply a commit that does not descend from the one applied last")
	f.BoolVar(&d.stepAside, "step-aside", false, "where a newer commit was applied already, do nothing and exit with 0: for runs that a merge starts")
}

// descends holds the specs' commit against the one that was applied last. An
// apply of one that does not descend from it is refused; of a plan it is a note.
func (g *global) descends(t plan.Target, last *plan.Applied, applies bool) ([]plan.Finding, error) {
	if last == nil || last.Revision == "" {
		return nil, nil
	}
	note := func(format string, args ...any) []plan.Finding {
		return []plan.Finding{{Severity: plan.SeverityNote, Code: "revision", Target: t.Platform, Message: fmt.Sprintf(format, args...)}}
	}
	commit, dirty := revision.Dirty(t.Revision)
	before := revision.Short(last.Revision)
	switch {
	case commit == "":
		return note("whether the specs are newer than commit %s, which was applied last, was not checked: they have no git revision", before), nil
	case dirty:
		return note("whether the specs are newer than commit %s, which was applied last, was not checked: files differ from commit %s", before, revision.Short(commit)), nil
	}
	repository, err := revision.Open(g.specs)
	var relation revision.Relation
	if err == nil {
		relation, err = repository.Relate(commit, last.Revision)
	}
	ours := revision.Short(commit)
	switch {
	case err == nil && (relation == revision.Same || relation == revision.After):
		return nil, nil
	case err != nil && applies && !g.descent.allowRollback:
		return nil, &hinted{failWith(exitRefused, "whether commit %s descends from %s, which was applied last, is not known: %w", ours, before, err), hint(err)}
	case err != nil:
		return note("whether commit %s descends from %s, which was applied last, is not known: %v", ours, before, err), nil
	case g.descent.allowRollback && applies:
		return note("commit %s does not descend from %s, which was applied last; applied all the same, with --allow-rollback", ours, before), nil
	case !applies:
		return note("commit %s does not descend from %s, which was applied last: apply would refuse it", ours, before), nil
	case relation == revision.Before && g.descent.stepAside:
		return nil, &steppedAside{ours, before}
	case relation == revision.Before:
		return nil, &hinted{
			failWith(exitRefused, "commit %s is older than %s, which was applied last%s; apply the newer one, or go back on purpose with --allow-rollback", ours, before, g.tookBack(repository, commit, last.Revision)),
			g.command("reconcile apply --rev " + before),
		}
	}
	return nil, &hinted{
		failWith(exitRefused, "commit %s does not descend from %s, which was applied last: a force push, another branch, or a clone that has not fetched it; merge it first, or apply all the same with --allow-rollback", ours, before),
		"git merge " + before,
	}
}

// tookBack names the spec files that an older commit has otherwise.
func (g *global) tookBack(r *revision.Repository, commit, last string) string {
	id, _ := revision.Dirty(last)
	files, err := r.Changed(commit, id)
	if err != nil || len(files) == 0 {
		return ""
	}
	const shown = 5
	text := " and has other content in " + strings.Join(files[:min(shown, len(files))], ", ")
	if more := len(files) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// command is one of ours with the flags of this invocation.
func (g *global) command(line string) string {
	return strings.Join(append([]string{line}, g.flags()...), " ")
}

// hinted is an error with the next command.
type hinted struct {
	error
	next string
}

func (h *hinted) Unwrap() error { return h.error }
func (h *hinted) Hint() string  { return h.next }

func hint(err error) string {
	var h hinter
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// steppedAside ends an apply that a newer one made needless: exit code 0.
type steppedAside struct{ ours, newer string }

func (s *steppedAside) Error() string {
	return fmt.Sprintf("commit %s is older than %s, which was applied already: stepping aside, nothing was changed", s.ours, s.newer)
}
