package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

func newDestroy(g *global) *cobra.Command {
	var sel selectFlags
	var allow consent
	var show display
	var resources []string
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Take the platform, or parts of it, away",
		Long: `destroy is a plan like any other: reverse order, guards, named approvals.
Databases, buckets and secrets are kept unless --resource names them and they
are approved, a database with its stack and the network that it is in; lifting
a termination protection is a step of its own. What does not carry this
platform's mark is never touched.`,
		Example:     "  reconcile destroy --sandbox --fleet staging/gpu-default\n  reconcile destroy --stack 'bp-*' --allow-destroy",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			consents, err := allow.options()
			if err != nil {
				return err
			}
			_, desired, err := g.load(ctx)
			if err != nil {
				return err
			}
			s, err := g.open(ctx, desired.Target)
			if err != nil {
				return err
			}
			s.own = desired.Own
			defer func() { err = errors.Join(err, s.close()) }()
			o := plan.DestroyOptions{Tool: version(), Select: sel.selection(), Resources: resources}
			selected := sel.flags()
			for _, r := range resources {
				selected = append(selected, "--resource "+report.ShellWord(r))
			}
			w := work{command: "reconcile destroy", consent: allow}
			w.make = func(ctx context.Context, s *session) (proposal, *session, error) {
				live, err := g.settled(ctx, s, desired.Target.Platform,
					func() (plan.Live, error) { return s.cloud.ReadDestroy(ctx, desired, o) },
					func(l plan.Live) ([]plan.LiveStack, error) { return plan.DestroyBusy(desired, l, o) })
				if err != nil {
					return proposal{}, s, err
				}
				p, err := plan.Destroy(desired, live, o)
				if err != nil {
					return proposal{}, s, err
				}
				granted := consents
				granted.Approve = plan.Expand(consents.Approve, p)
				return proposal{plan: p, options: granted, style: g.planStyle(show, selected, given(granted))}, s, nil
			}
			first, _, err := w.make(ctx, s)
			if err != nil {
				return err
			}
			return g.run(ctx, s, first, w)
		},
	}
	sel.bind(cmd)
	allow.bind(cmd)
	show.bind(cmd)
	cmd.Flags().StringArrayVar(&resources, "resource", nil, "do not keep the stateful resource `STACK/LOGICALID` (repeatable); it still needs its approval")
	return cmd
}
