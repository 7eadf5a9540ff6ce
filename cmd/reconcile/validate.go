package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
)

func newValidate(g *global) *cobra.Command {
	var sarif string
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the specs, without any AWS call",
		Long: `validate runs four passes and prints all findings of the first pass that has
any, each with file:line:column: syntax and limits; shape; rules within and
across documents; the rendered templates against AWS's resource schemas.`,
		Example:     "  reconcile validate\n  reconcile validate --specs other -o json\n  reconcile validate -o github --sarif findings.sarif",
		Args:        noArgs,
		Annotations: withOutputs("text,json,github"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, desired, err := g.validated(cmd.Context())
			var issues spec.Issues
			if err != nil && !errors.As(err, &issues) {
				return err
			}
			if sarif != "" {
				if err := g.writeSARIF(sarif, issues); err != nil {
					return err
				}
			}
			switch g.output {
			case "json":
				err = report.IssuesJSON(g.out, issues)
			case "github":
				err = report.IssuesGitHub(g.out, g.surroundings().located(issues))
			default:
				err = errors.Join(report.Issues(g.out, issues, g.style(g.out)), g.annotate(issues))
			}
			if err := unlessClosed(err); err != nil {
				return err
			}
			if len(issues) > 0 {
				return failWith(exitInvalid, "%s: %s", g.named(), counted(len(issues), "finding"))
			}
			if g.output == "text" {
				fmt.Fprintf(g.out, "%s: valid. Platform %s, %s, %s, %s of your own; renders %s.\n", g.named(), set.Platform.Name,
					counted(len(set.Fleets), "fleet"), counted(len(set.Bundles), "bundle"), counted(len(set.Stacks), "stack"), counted(len(desired.Stacks), "stack"))
				for _, n := range desired.Notes {
					if n.Severity == plan.SeverityWarning {
						fmt.Fprintf(g.out, "%s:%d: warning: %s\n", n.Source.File, n.Source.Line, n.Message)
					}
				}
			}
			return nil
		},
	}
	g.bindRev(cmd)
	cmd.Flags().StringVar(&sarif, "sarif", "", "write the findings to `FILE` as SARIF 2.1.0, for code scanning; an empty list where there are none")
	return cmd
}

func (g *global) writeSARIF(file string, issues spec.Issues) error {
	var b bytes.Buffer
	at := g.surroundings()
	if err := report.SARIF(&b, at.located(issues), at.folder, version()); err != nil {
		return err
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	return nil
}
