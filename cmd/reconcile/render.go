package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/stacks"
)

func newRender(g *global) *cobra.Command {
	var names []string
	var out string
	cmd := &cobra.Command{
		Use:   "render",
		Short: "Write the CloudFormation templates, without any AWS call",
		Long: `render prints the templates of all stacks, or of some, as YAML (-o json: JSON).
A value that only AWS knows, such as another stack's output, is a placeholder
of the right form; the template's Metadata lists each placeholder and what it
stands for.`,
		Example:     "  reconcile render --stack bp-network\n  reconcile render --out build -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, desired, err := g.load(cmd.Context())
			if err != nil {
				return err
			}
			format, ext := cfn.YAML, ".yaml"
			if g.output == "json" {
				format, ext = cfn.JSON, ".json"
			}
			if out != "" {
				if err := os.MkdirAll(out, 0o755); err != nil {
					return err
				}
			}
			matched := 0
			for _, s := range desired.Stacks {
				if ok, err := matches(names, s.Name); err != nil || !ok {
					if err != nil {
						return err
					}
					continue
				}
				matched++
				body, err := cfn.Render(stacks.Offline(s.Template, desired.Target.Account, desired.Target.Region), format)
				if err != nil {
					return fmt.Errorf("render %s: %w", s.Name, err)
				}
				if out == "" {
					if format == cfn.YAML {
						fmt.Fprintf(g.out, "---\n# %s\n", s.Name)
					}
					if _, err := g.out.Write(body); err != nil {
						return err
					}
					continue
				}
				name := filepath.Join(out, s.Name+ext)
				if err := os.WriteFile(name, body, 0o644); err != nil {
					return err
				}
				fmt.Fprintln(g.err, name)
			}
			if matched == 0 {
				return failWith(exitError, "--stack %v matches no stack; there are %v", names, stackNames(desired.Stacks))
			}
			return nil
		},
	}
	g.bindRev(cmd)
	cmd.Flags().StringArrayVar(&names, "stack", nil, "only the stack `NAME` (repeatable, globs)")
	cmd.Flags().StringVar(&out, "out", "", "write one file per stack into `DIR`")
	return cmd
}

// matches tells whether name matches one of the globs; no glob matches all.
func matches(globs []string, name string) (bool, error) {
	for _, g := range globs {
		ok, err := path.Match(g, name)
		if err != nil {
			return false, fmt.Errorf("glob %q: %w", g, err)
		}
		if ok {
			return true, nil
		}
	}
	return len(globs) == 0, nil
}

func stackNames(stacks []plan.Stack) []string {
	names := make([]string, len(stacks))
	for i, s := range stacks {
		names[i] = s.Name
	}
	return names
}
