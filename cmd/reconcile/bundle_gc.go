package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// unusedAge is how long what nobody needs is left alone.
const unusedAge = 30 * 24 * time.Hour

func newBundleGC(g *global) *cobra.Command {
	var age time.Duration
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "List what nobody needs; it deletes nothing",
		Long: `gc lists the bundles that no fleet names, that were not among the last values of
any fleet's active_bundle, that are not baked into an image of the account and
that the specs do not declare; and the assets that are in no other bundle. What
is younger than --older-than is left alone: it may be on its way into a bundle.

It deletes nothing.`,
		Example:     "  reconcile bundle gc --sandbox\n  reconcile bundle gc --older-than 2160h -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if age < 0 {
				return fmt.Errorf("--older-than %s: want a time that is not negative", age)
			}
			return g.withShelf(cmd.Context(), func(s *session, at shelf) error {
				before := time.Now().Add(-age)
				needed, err := s.cloud.RollbackUses(cmd.Context(), at.target, before)
				if err != nil {
					return err
				}
				at.stored.Uses = slices.Concat(at.stored.Uses, needed)
				var declared []bundle.Manifest
				for _, b := range at.bundles {
					declared = append(declared, b.Manifest)
				}
				unused := bundle.FindUnused(at.stored, declared, before)
				if g.output == "json" {
					return unlessClosed(g.printJSON(unused))
				}
				return unlessClosed(g.showUnused(at, unused))
			})
		},
	}
	cmd.Flags().DurationVar(&age, "older-than", unusedAge, "leave alone what is younger than this `DURATION`")
	return cmd
}

func (g *global) showUnused(at shelf, u bundle.Unused) error {
	for _, m := range u.Unreadable {
		fmt.Fprintf(g.out, "! bundle %s cannot be read, so no asset counts as unused: %s\n", m.ID, report.Line(m.Problem))
	}
	for _, m := range u.Bundles {
		fmt.Fprintf(g.out, "- bundle %s  %s, since %s\n", m.ID, report.Line(m.Manifest.Name), m.Modified.Format(time.RFC3339))
	}
	var bytes int64
	for _, a := range u.Assets {
		bytes += a.Size
		fmt.Fprintf(g.out, "- asset  %s  %s, since %s\n", report.Line(a.Key), plan.Bytes(a.Size), a.Modified.Format(time.RFC3339))
	}
	_, err := fmt.Fprintf(g.out, "Unused: %s of %d, %s of %d (%s).\n", counted(len(u.Bundles), "bundle"), len(at.stored.Manifests), counted(len(u.Assets), "asset"), len(at.stored.Assets), plan.Bytes(bytes))
	return err
}
