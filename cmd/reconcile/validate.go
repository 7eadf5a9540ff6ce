package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reconcile/pkg/report"
	"reconcile/pkg/spec"
)

func newValidate(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the specs, without any AWS call",
		Long: `validate runs four passes and prints all findings of the first pass that has
any, each with file:line:column: syntax and limits; shape; rules within and
across documents; the rendered templates against AWS's resource schemas.`,
		Example:     "  reconcile validate\n  reconcile validate --specs other -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json,github"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, desired, err := g.validated(cmd.Context())
			var issues spec.Issues
			if err != nil && !errors.As(err, &issues) {
				return err
			}
			switch g.output {
			case "json":
				err = report.IssuesJSON(g.out, issues)
			case "github":
				err = report.IssuesGitHub(g.out, issues)
			default:
				err = report.Issues(g.out, issues, g.style(g.out))
			}
			if err := unlessClosed(err); err != nil {
				return err
			}
			if len(issues) > 0 {
				return failWith(exitInvalid, "%s: %s", g.specs, counted(len(issues), "finding"))
			}
			if g.output == "text" {
				fmt.Fprintf(g.out, "%s: valid. Platform %s, %s, %s, %s of your own; renders %s.\n", g.specs, set.Platform.Name,
					counted(len(set.Fleets), "fleet"), counted(len(set.Bundles), "bundle"), counted(len(set.Stacks), "stack"), counted(len(desired.Stacks), "stack"))
			}
			return nil
		},
	}
}
