package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// selectFlags limit a command to some fleets and stacks.
type selectFlags struct{ fleets, stacks []string }

func (s *selectFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.fleets, "fleet", nil, "only the fleet `STAGE/SLUG` (repeatable, globs), what it adds to, and what it needs that is missing")
	cmd.Flags().StringArrayVar(&s.stacks, "stack", nil, "only the stack `NAME` (repeatable, globs), and what it needs that is missing")
}

func (s *selectFlags) selection() plan.Selection {
	return plan.Selection{Fleets: s.fleets, Stacks: s.stacks}
}

func newPlan(g *global) *cobra.Command {
	var sel selectFlags
	var detailed, verbose bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would change",
		Long: `plan validates the specs, reads what AWS has, and shows what apply would change,
down to the property, with the spec line that causes it. It makes no write
call of any kind: no change set, no upload.`,
		Example:     "  reconcile plan --sandbox\n  reconcile plan --fleet 'staging/*' -o markdown\n  reconcile plan --detailed-exitcode",
		Args:        noArgs,
		Annotations: withOutputs("text,json,markdown"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			p, s, err := g.plan(cmd.Context(), sel.selection(), nil)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			if err := g.printPlan(p, verbose); err != nil {
				return err
			}
			return planExit(p, detailed)
		},
	}
	sel.bind(cmd)
	cmd.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are changes or drift")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "show every property of resources that are created")
	return cmd
}

// plan is the way from specs to a plan that plan and apply share. The session
// stays open and belongs to the caller, also on error when it is not nil.
func (g *global) plan(ctx context.Context, sel plan.Selection, approve []plan.Approval) (plan.Plan, *session, error) {
	_, desired, err := g.load(ctx)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	if _, err := plan.Reads(desired, sel); err != nil {
		return plan.Plan{}, nil, err
	}
	s, err := g.open(ctx, desired.Target)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	live, err := s.cloud.Read(ctx, desired, sel)
	if err != nil {
		return plan.Plan{}, s, fmt.Errorf("read what AWS has: %w", err)
	}
	p, err := plan.Compute(desired, live, plan.Options{Tool: version(), Select: sel, Approve: approve})
	return p, s, err
}

func (g *global) printPlan(p plan.Plan, verbose bool) error {
	o := g.style(g.out)
	o.Verbose = verbose
	switch g.output {
	case "json":
		return report.PlanJSON(g.out, p)
	case "markdown":
		return report.PlanMarkdown(g.out, p, o)
	}
	return report.PlanText(g.out, p, o)
}

// planExit is the exit code that a plan earns: error findings refuse; with
// --detailed-exitcode changes and drift are 2.
func planExit(p plan.Plan, detailed bool) error {
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityError {
			return failWith(exitRefused, "%s: %s", f.Target, f.Message)
		}
	}
	if detailed && (!p.Empty() || len(p.Drift) > 0) {
		return exitWith(exitChanges)
	}
	return nil
}
