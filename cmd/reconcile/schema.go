package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/report"
	"reconcile/schema"
)

// planKind is the one schema that describes an output of ours.
const planKind = "plan"

func newSchema(g *global) *cobra.Command {
	kinds := append(schema.Kinds(), planKind)
	list := strings.Join(kinds, ", ")
	return &cobra.Command{
		Use:   "schema KIND",
		Short: "Print the JSON Schema of a kind or contract",
		Long: "schema prints the JSON Schema (draft 2020-12) of a kind of document, of a JSON\n" +
			"contract with another program, or of what plan -o json prints.\n" +
			strings.Join(wrapped("Kinds: "+list+".", helpColumns), "\n"),
		Example:   "  reconcile schema fleet > fleet.schema.json",
		ValidArgs: kinds,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(kinds, strings.ToLower(args[0])) {
				return fmt.Errorf("schema %q: want one kind of %s", strings.Join(args, " "), list)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			kind := strings.ToLower(args[0])
			body := report.PlanSchema()
			if kind != planKind {
				var err error
				if body, err = schema.JSON(kind); err != nil {
					return err
				}
			}
			_, err := g.out.Write(body)
			return err
		},
	}
}
