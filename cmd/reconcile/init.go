package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"reconcile/pkg/spec"
)

func newInit(g *global) *cobra.Command {
	var o spec.ScaffoldOptions
	cmd := &cobra.Command{
		Use:     "init [DIR]",
		Short:   "Write a new folder of specs that validates",
		Long:    "init writes a folder of specs that validates as it is, with editor modelines. It\nnever overwrites a file. The region is that of --region, us-east-1 without it.",
		Example: "  reconcile init specs --account 123456789012 --region eu-west-1",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := g.specs
			o.Region = g.region
			if len(args) == 1 {
				dir = args[0]
			}
			written, err := spec.Scaffold(cmd.Context(), dir, o)
			if err != nil {
				return err
			}
			for _, name := range written {
				fmt.Fprintln(g.out, name)
			}
			fmt.Fprintf(g.err, "next: reconcile validate --specs %s\n", dir)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "bp", "the Platform's name, which starts every stack's name")
	f.StringVar(&o.Account, "account", "123456789012", "AWS account, 12 digits")
	return cmd
}
