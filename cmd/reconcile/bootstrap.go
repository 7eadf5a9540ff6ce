package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

func newBootstrap(g *global) *cobra.Command {
	var allow consent
	var show display
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the platform's own stack: bucket, and roles for workflows",
		Long: `bootstrap plans and applies the stack PLATFORM-reconcile alone: the bucket of
lock, journal, plans and large templates; and where the Platform names a
repository (spec.github) the OIDC provider, the roles that its workflows assume,
CloudFormation's role and the boundary of them all. It ends with what to put
into GitHub.

It needs the rights to make roles. Workflows have none of them and cannot change
this stack: after a change of it, run bootstrap again. destroy deletes it last.`,
		Example:     "  reconcile bootstrap --sandbox --yes\n  reconcile bootstrap --profile admin",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			options, err := allow.options()
			if err != nil {
				return err
			}
			set, desired, err := g.load(cmd.Context())
			if err != nil {
				return err
			}
			sel := selectFlags{stacks: []string{desired.Own.Stack}}
			w := work{command: "reconcile bootstrap", consent: allow}
			w.make = func(ctx context.Context, s *session) (proposal, *session, error) {
				p, s, carried, err := g.planIn(ctx, s, sel, options.Approve, true)
				if err != nil {
					return proposal{}, s, err
				}
				o := options
				o.Approve, o.Spent = append(plan.Expand(options.Approve, p), carried...), s.spent
				style := g.planStyle(show, nil, given(o))
				style.Spent = s.spent
				return proposal{plan: p, options: o, style: style}, s, nil
			}
			first, s, err := w.make(cmd.Context(), nil)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			if err := g.run(cmd.Context(), s, first, w); err != nil || g.output != "text" {
				return err
			}
			return handover(g.out, set.Platform, desired.Own)
		},
	}
	allow.bind(cmd)
	show.bind(cmd)
	return cmd
}

// handover says what GitHub must be told, and how.
func handover(w io.Writer, p spec.Platform, own plan.Own) error {
	access := stacks.Accesses(p)
	if access == nil {
		_, err := fmt.Fprintf(w, "\nStack %s has the bucket %s. With spec.github it also has roles for a repository's workflows.\n", own.Stack, own.Bucket)
		return err
	}
	repository := report.ShellWord(p.GitHub.Repository)
	lines := []string{
		"", "Workflows of " + p.GitHub.Repository + " get their roles once GitHub has these (gh is GitHub's command line):", "",
	}
	environments := []string{p.GitHub.ApplyEnvironment}
	if e := p.GitHub.PlanEnvironment; e != "" {
		environments = append(environments, e)
	}
	for _, e := range environments {
		lines = append(lines, "  gh api --method PUT repos/"+repository+"/environments/"+report.ShellWord(e))
	}
	for _, a := range access {
		line := "  gh " + a.Kind + " set " + a.Name + " --repo " + repository
		if a.Environment != "" {
			line += " --env " + report.ShellWord(a.Environment)
		}
		lines = append(lines, line+" --body "+a.Role)
	}
	lines = append(lines, "", "Give the environment "+p.GitHub.ApplyEnvironment+" required reviewers, and let only the branch "+p.GitHub.Branch+" deploy to it.")
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
