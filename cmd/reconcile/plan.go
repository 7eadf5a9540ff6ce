package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// display is how much of a plan is shown.
type display struct{ verbose bool }

func (d *display) bind(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&d.verbose, "verbose", false, "show everything: each resource with its properties, whole documents, all notes")
}

// selectFlags limit a command to some fleets and stacks.
type selectFlags struct {
	fleets, stacks []string
	since          string // git revision; plan only
	bundles        []string
	storeOnly      bool
}

func (s *selectFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.fleets, "fleet", nil, "only the fleet `STAGE/SLUG` (repeatable, globs), what it adds to, and what it needs that is missing")
	cmd.Flags().StringArrayVar(&s.stacks, "stack", nil, "only the stack `NAME` (repeatable, globs), and what it needs that is missing")
}

// flags are what was given, as a command line has it.
func (s *selectFlags) flags() []string {
	var out []string
	for _, f := range s.fleets {
		out = append(out, "--fleet "+report.ShellWord(f))
	}
	for _, f := range s.stacks {
		out = append(out, "--stack "+report.ShellWord(f))
	}
	return out
}

func (s *selectFlags) selection() plan.Selection {
	return plan.Selection{Fleets: s.fleets, Stacks: s.stacks, Bundles: s.bundles, StoreOnly: s.storeOnly}
}

func newPlan(g *global) *cobra.Command {
	var sel selectFlags
	var detailed bool
	var out string
	var show display
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change",
		Long: `plan validates the specs, reads what AWS has, and shows what apply would change,
down to the property, with the spec line that causes it. It makes no write
call of any kind: no change set, no upload.`,
		Example:     "  reconcile plan --sandbox\n  reconcile plan --fleet 'staging/*' -o markdown\n  reconcile plan --detailed-exitcode\n  reconcile plan --rev main --changed-since main~1\n  reconcile plan --out plan.sealed",
		Args:        noArgs,
		Annotations: withOutputs("text,json,markdown,html"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, s, carried, err := g.plan(cmd.Context(), sel, nil, false)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			if err := unlessClosed(g.printPlan(p, g.planStyle(show, sel.flags(), given(apply.Options{Approve: carried})))); err != nil {
				return err
			}
			if err := planExit(p, false, g.output != "json"); err != nil {
				return err // and a plan that may not be applied is not written
			}
			if out != "" {
				if err := g.seal(out, p, s.approvals); err != nil {
					return err
				}
			}
			return planExit(p, detailed, g.output != "json")
		},
	}
	sel.bind(cmd)
	g.bindRev(cmd)
	cmd.Flags().StringVar(&sel.since, "changed-since", "", "only what the change of the specs since the git revision `REV` can affect: what differs, what depends on it, and stacks that went away")
	cmd.Flags().StringVar(&out, "out", "", "write the plan to `FILE`, to be applied exactly as it is by apply FILE")
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are changes or drift")
	show.bind(cmd)
	return cmd
}

// plan is planIn with a session that it opens.
func (g *global) plan(ctx context.Context, wanted selectFlags, approve []plan.Approval, wait bool) (plan.Plan, *session, []plan.Approval, error) {
	return g.planIn(ctx, nil, wanted, approve, wait)
}

// planIn is the way from specs to a plan that plan and apply share. The session
// stays open and belongs to the caller, also on error when it is not nil; nil
// opens one. With
// wait it first waits for what earlier runs left at work. Beside the given
// consents count those that the specs carry, which come back.
func (g *global) planIn(ctx context.Context, s *session, wanted selectFlags, approve []plan.Approval, wait bool) (plan.Plan, *session, []plan.Approval, error) {
	set, desired, err := g.load(ctx)
	if err != nil {
		return plan.Plan{}, s, nil, err
	}
	sel := wanted.selection()
	if sel.Since, err = g.since(ctx, wanted.since, desired); err != nil {
		return plan.Plan{}, s, nil, err
	}
	if _, err := plan.Reads(desired, sel); err != nil {
		return plan.Plan{}, s, nil, err
	}
	if s == nil {
		if s, err = g.open(ctx, desired.Target); err != nil {
			return plan.Plan{}, nil, nil, err
		}
	}
	s.own = desired.Own
	if desired.Bundles, err = g.localFiles(ctx, desired.Bundles, sel); err != nil {
		return plan.Plan{}, s, nil, err
	}
	live, err := g.settled(ctx, s, desired.Target.Platform,
		func() (plan.Live, error) { return s.cloud.Read(ctx, desired, sel) },
		func(l plan.Live) ([]plan.LiveStack, error) {
			if !wait {
				return nil, nil
			}
			return plan.Busy(desired, l, sel)
		})
	if err != nil {
		return plan.Plan{}, s, nil, err
	}
	notes, err := g.descends(desired.Target, plan.AppliedIn(live, desired.Target.Platform), wait)
	if err != nil {
		return plan.Plan{}, s, nil, err
	}
	s.approvals = desired.Approvals
	desired, carried := plan.Consents(desired, time.Now())
	desired.Notes = append(desired.Notes, notes...)
	desired, carried = plan.Spent(desired, carried, g.spender(ctx, s, desired.Target))
	s.carried = desired.Approvals
	desired.Notes = append(desired.Notes, plan.ExpiredExceptions(set.Platform, time.Now())...)
	if set.Platform.Requires != "" && g.release == "" {
		desired.Notes = append(desired.Notes, plan.Finding{Severity: plan.SeverityWarning, Code: "requires-unchecked", Target: set.Platform.Name,
			Source:  set.Platform.At("spec.requires"),
			Message: fmt.Sprintf("the specs require %s and this build (%s) is no release: nothing was compared", set.Platform.Requires, version())})
	}
	p, err := plan.Compute(desired, live, plan.Options{Tool: version(), Select: sel, Approve: slices.Concat(approve, carried)})
	if err == nil && wait {
		err = g.agreed(ctx, p, carried)
	}
	return p, s, carried, err
}

// planStyle is how a plan looks on the standard output.
func (g *global) planStyle(show display, selected []string, given func(plan.Approval) bool) report.Options {
	o := g.style(g.out)
	o.Verbose, o.Select, o.Rev, o.Given = show.verbose, selected, g.rev, given
	return o
}

func (g *global) printPlan(p plan.Plan, o report.Options) error {
	switch g.output {
	case "json":
		return report.PlanJSON(g.out, p)
	case "markdown":
		return report.PlanMarkdown(g.out, p, o)
	case "html":
		return report.PlanHTML(g.out, p, o)
	}
	return report.PlanText(g.out, p, o)
}

// planExit is the exit code that a plan earns: error findings refuse; with
// --detailed-exitcode changes and drift are 2. told says that the findings were
// shown already.
func planExit(p plan.Plan, detailed, told bool) error {
	var errs []plan.Finding
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityError {
			errs = append(errs, f)
		}
	}
	switch {
	case len(errs) > 0 && told:
		return failWith(exitRefused, "the plan has %s and is not applied", counted(len(errs), "error"))
	case len(errs) > 0:
		return failWith(exitRefused, "%s: %s", errs[0].Target, errs[0].Message)
	case detailed && (!p.Empty() || len(p.Drift) > 0):
		return exitWith(exitChanges)
	}
	return nil
}
