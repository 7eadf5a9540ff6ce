package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// consent is what allows a plan to run.
type consent struct {
	yes          bool
	approve      []string
	allowDestroy bool
	parallelism  int
	lockTimeout  time.Duration
}

func (c *consent) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&c.yes, "yes", false, "do not ask; needed where there is no terminal")
	f.StringArrayVar(&c.approve, "approve", nil, "consent to one danger that the plan names, `KIND:TARGET` (repeatable); kinds: destroy, replace, capacity, recover, unprotect, downgrade; TARGET may be a glob for replace, capacity, recover and downgrade")
	f.BoolVar(&c.allowDestroy, "allow-destroy", false, "consent to all the destroys that the plan lists")
	f.IntVar(&c.parallelism, "parallelism", 8, "steps at once")
	f.DurationVar(&c.lockTimeout, "lock-timeout", lockPatience, "how long to wait for somebody else's lock, `DURATION`; a dead run's is free after a minute of waiting")
}

// options reads the flags; the plan's own digest seeds the tokens.
func (c *consent) options() (apply.Options, error) {
	if c.parallelism < 1 {
		return apply.Options{}, fmt.Errorf("--parallelism %d: want 1 or more", c.parallelism)
	}
	o := apply.Options{Parallelism: c.parallelism}
	for _, text := range c.approve {
		kind, target, ok := strings.Cut(text, ":")
		switch k := plan.ApprovalKind(kind); k {
		case plan.ApproveDestroy, plan.ApproveReplace, plan.ApproveCapacity, plan.ApproveRecover, plan.ApproveUnprotect, plan.ApproveDowngrade:
			if !ok || target == "" {
				return o, fmt.Errorf("--approve %q: want KIND:TARGET", text)
			}
			a := plan.Approval{Kind: k, Target: target}
			if err := allowedPattern(a); err != nil {
				return o, err
			}
			o.Approve = append(o.Approve, a)
		default:
			return o, fmt.Errorf("--approve %q: the kind is one of destroy, replace, capacity, recover, unprotect, downgrade", text)
		}
	}
	if c.allowDestroy {
		o.AllowAll = map[plan.ApprovalKind]bool{plan.ApproveDestroy: true}
	}
	return o, nil
}

// allowedPattern refuses a glob that is none, and one for a kind whose every
// target must be named.
func allowedPattern(a plan.Approval) error {
	if !a.Pattern() {
		return nil
	}
	if !a.Kind.Globs() {
		return fmt.Errorf("--approve %q: a %s is approved by its full name, each by itself; a glob is for replace, capacity, recover and downgrade", a, a.Kind)
	}
	if _, err := path.Match(a.Target, ""); err != nil {
		return fmt.Errorf("--approve %q: %w", a, err)
	}
	return nil
}

func newApply(g *global) *cobra.Command {
	var sel selectFlags
	var allow consent
	var show display
	cmd := &cobra.Command{
		Use:   "apply [PLANFILE]",
		Short: "Make AWS match the specs",
		Long: `apply plans, shows the plan, asks, and carries it out: dependency order,
independent steps in parallel. A step whose live state moved since the plan is
refused; dangers need a named approval. Killed at any moment, the same command
finishes the work.

With PLANFILE it applies the plan that plan --out wrote, and nothing else: a
file that was altered, another version of this program, another account or
other specs are refused, and each step whose live state moved since.

A commit that does not descend from the one applied last is refused.

--approved-by-pr finds the pull request whose merge made the commit, with the
token in GITHUB_TOKEN, and asks there for a plan that it did not approve.`,
		Example:     "  reconcile apply --sandbox --yes\n  reconcile apply --fleet staging/gpu-default\n  reconcile apply --approve replace:bp-data/Cache\n  reconcile apply plan.sealed\n  reconcile apply --rev v1.2.0 --allow-rollback",
		Args:        planFile,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if g.byPull && (len(args) > 0 || sel.flags() != nil) {
				return usageError(errors.New("--approved-by-pr is about all that a pull request does: leave out the plan's file, --fleet and --stack"))
			}
			options, err := allow.options()
			if err != nil {
				return err
			}
			w := work{command: "reconcile apply", consent: allow}
			w.make = func(ctx context.Context, s *session) (proposal, *session, error) {
				p, s, carried, err := g.proposed(ctx, s, args, sel, options.Approve)
				if err != nil {
					return proposal{}, s, err
				}
				o := options
				o.Approve, o.Spent = append(plan.Expand(options.Approve, p), carried...), s.spent
				style := g.planStyle(show, sel.flags(), given(o))
				style.Spent = s.spent
				return proposal{plan: p, options: o, style: style, records: true, whole: len(args) == 0 && sel.selection().All()}, s, nil
			}
			first, s, err := w.make(cmd.Context(), nil)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return g.unbegun(err)
			}
			return g.unbegun(g.run(cmd.Context(), s, first, w))
		},
	}
	sel.bind(cmd)
	g.bindRev(cmd)
	g.descent.bind(cmd)
	cmd.Flags().StringVar(&g.approved, "approved-effects", "", "refuse a plan that would do something else than what was approved: `HEX`, the effects that comment tells, or the file of a plan")
	cmd.Flags().BoolVar(&g.byPull, "approved-by-pr", false, "refuse a plan that would do something else than what the merged pull request's check run was given, and ask there; effects given with --approved-effects pass too")
	allow.bind(cmd)
	show.bind(cmd)
	return cmd
}

// given tells which consents these options hold.
func given(o apply.Options) func(plan.Approval) bool {
	return func(a plan.Approval) bool {
		return o.AllowAll[a.Kind] || slices.ContainsFunc(o.Approve, func(g plan.Approval) bool { return g.Kind == a.Kind && g.Target == a.Target })
	}
}

func resultExit(r apply.Result) error {
	switch {
	case r.Locked != "":
		return locked(errors.New(r.Locked), "reconcile apply")
	case r.Interrupted:
		return exitWith(exitInterrupted)
	case r.Failed():
		return exitWith(exitApplyFailed)
	case r.Refused() || r.Blocked():
		return exitWith(exitRefused)
	}
	return nil
}

// ask prompts on a terminal. Elsewhere only --yes lets a plan run.
func (g *global) ask(ctx context.Context, p plan.Plan, options apply.Options) error {
	if !terminal(g.in) || g.output != "text" {
		return failWith(exitRefused, "no terminal to ask on; read the plan, then add --yes")
	}
	refused, skipped := report.Unapproved(p, given(options))
	runs := len(p.Steps) - len(refused) - len(skipped) - p.Summary.Blocked
	what := "these steps"
	switch {
	case runs == 0:
		return failWith(exitRefused, "no step can run; nothing was changed")
	case runs < len(p.Steps):
		what = "the " + counted(runs, "step") + " that can run"
	case runs == 1:
		what = "this step"
	}
	fmt.Fprintf(g.err, "\nDo %s? Only 'yes' is taken: ", what)
	line, err := g.readLine(ctx)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(g.err)
		return failWith(exitInterrupted, "interrupted; nothing was changed")
	}
	if err != nil || strings.TrimSpace(line) != "yes" {
		if err != nil {
			fmt.Fprintln(g.err)
		}
		return failWith(exitRefused, "not confirmed; nothing was changed")
	}
	return nil
}

// progressTo is stderr for people; events in JSON are part of the result.
func (g *global) progressTo() io.Writer {
	if g.output == "json" {
		return g.out
	}
	return g.err
}

// readLine reads an answer, or ends with the context: a read from a terminal
// cannot be taken back, so it is left alone when the program ends.
func (g *global) readLine(ctx context.Context) (string, error) {
	type answer struct {
		line string
		err  error
	}
	read := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(g.in).ReadString('\n')
		read <- answer{line, err}
	}()
	select {
	case a := <-read:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
