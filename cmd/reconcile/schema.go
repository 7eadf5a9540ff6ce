package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/schema"
)

func newSchema(g *global) *cobra.Command {
	return &cobra.Command{
		Use:       "schema KIND",
		Short:     "Print the JSON Schema of a kind or contract",
		Long:      "schema prints the JSON Schema (draft 2020-12) of a kind of document, or of a JSON contract with another program.\nKinds: " + strings.Join(schema.Kinds(), ", ") + ".",
		Example:   "  reconcile schema fleet > fleet.schema.json",
		ValidArgs: schema.Kinds(),
		Args:      cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			body, err := schema.JSON(strings.ToLower(args[0]))
			if err != nil {
				return fmt.Errorf("%w; kinds: %s", err, strings.Join(schema.Kinds(), ", "))
			}
			_, err = g.out.Write(body)
			return err
		},
	}
}
