package main

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
)

func newBundleVerify(g *global) *cobra.Command {
	var deep bool
	cmd := &cobra.Command{
		Use:   "verify [BUNDLE]",
		Short: "Check stored bundles: manifests and assets",
		Long: `verify holds the manifest of a stored bundle, or of all of them, against the
contract, and looks for each of its assets. S3 has the SHA-256 of what this
program stored in one piece; the sum of everything else is unknown until --deep
reads it, which takes as long as a download. It ends with exit code 1 when
something is wrong.`,
		Example: "  reconcile bundle verify --sandbox\n  reconcile bundle verify base --deep",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withShelf(cmd.Context(), func(s *session, at shelf) error {
				stored := at.stored.Manifests
				if len(args) == 1 {
					m, err := at.named(args[0])
					if err != nil {
						return err
					}
					one, ok := at.stored.Find(m.BundleID)
					if !ok {
						return &hinted{failWith(exitError, "bundle %s (%s) is not stored", args[0], m.BundleID), "reconcile bundle push " + args[0]}
					}
					stored = []bundle.StoredManifest{one}
				}
				return g.verify(cmd.Context(), s, at, stored, deep)
			})
		},
	}
	cmd.Flags().BoolVar(&deep, "deep", false, "read every asset for its SHA-256")
	return cmd
}

func (g *global) verify(ctx context.Context, s *session, at shelf, stored []bundle.StoredManifest, deep bool) error {
	contract, err := spec.OpenContract("bundle-manifest")
	if err != nil {
		return err
	}
	keys := map[string]bool{}
	for _, m := range stored {
		if m.Manifest != nil {
			for _, key := range bundle.Keys(*m.Manifest) {
				keys[key] = true
			}
		}
	}
	state, err := states(ctx, s, at, keys, deep)
	if err != nil {
		return err
	}
	bad := 0
	for _, m := range stored {
		body, err := s.cloud.Manifest(ctx, at.target.Account, at.bucket, m.ID)
		if err != nil {
			return err
		}
		var problems []string
		if m.Problem != "" {
			problems = append(problems, m.Problem)
		} else if err := contract.Check(bundle.ManifestKey(m.ID), body); err != nil {
			problems = append(problems, err.Error())
		}
		summed := 0
		if m.Manifest != nil {
			var wrong []string
			summed, wrong = assetProblems(*m.Manifest, state)
			problems = append(problems, wrong...)
		}
		if len(problems) == 0 {
			all := len(bundle.Keys(*m.Manifest))
			fmt.Fprintf(g.out, "ok   %s  %s: %d of %s by SHA-256%s\n", m.ID, report.Line(m.Manifest.Name), summed, counted(all, "object"), unsummed(all-summed))
			continue
		}
		bad++
		fmt.Fprintf(g.out, "BAD  %s\n", m.ID)
		for _, p := range problems {
			fmt.Fprintf(g.out, "     %s\n", report.Line(p))
		}
	}
	if bad > 0 {
		return &hinted{failWith(exitError, "%s of %d damaged; push stores what is missing again, where the specs declare the bundle", counted(bad, "bundle"), len(stored)), "reconcile bundle push NAME"}
	}
	return nil
}

func unsummed(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", 1 of unknown sum (--deep reads it)"
	}
	return fmt.Sprintf(", %d of unknown sum (--deep reads them)", n)
}

// states looks at every object once.
func states(ctx context.Context, s *session, at shelf, keys map[string]bool, deep bool) (map[string]plan.LiveAsset, error) {
	names := make([]string, 0, len(keys))
	for key := range keys {
		names = append(names, key)
	}
	found := make([]plan.LiveAsset, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, key := range names {
		g.Go(func() (err error) {
			found[i], err = s.cloud.AssetState(ctx, at.target.Account, at.bucket, key, deep)
			return err
		})
	}
	err := g.Wait()
	out := make(map[string]plan.LiveAsset, len(names))
	for i, key := range names {
		out[key] = found[i]
	}
	return out, err
}

// assetProblems tells how many objects have the SHA-256 of their name, and
// what is wrong with others.
func assetProblems(m bundle.Manifest, state map[string]plan.LiveAsset) (summed int, problems []string) {
	for _, key := range bundle.Keys(m) {
		switch live := state[key]; {
		case !live.Exists:
			problems = append(problems, key+" is missing")
		case live.SHA256 == "":
		case live.SHA256 == path.Base(key):
			summed++
		default:
			problems = append(problems, key+" holds another content: its SHA-256 is "+live.SHA256)
		}
	}
	return summed, problems
}
