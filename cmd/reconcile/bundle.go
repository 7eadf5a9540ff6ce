package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

func newBundle(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Asset bundles of fleets: store, list, compare, verify",
		Long: `A bundle is a set of models, nodes and other files that the workers of a fleet
install. Its assets are stored once under their SHA-256, its manifest names
them, and a fleet's active_bundle names the manifest. apply stores what the
fleets of the specs name; these commands do it for one bundle, and look at what
is stored.`,
	}
	cmd.AddCommand(newBundlePush(g), newBundleList(g), newBundleShow(g), newBundleDiff(g), newBundleVerify(g), newBundleGC(g))
	return cmd
}

func newBundlePush(g *global) *cobra.Command {
	var allow consent
	var show display
	var storeOnly bool
	cmd := &cobra.Command{
		Use:   "push NAME",
		Short: "Store a bundle of the specs and switch its fleets to it",
		Long: `push stores the assets of a bundle that are missing, from local files and other
objects, then its manifest, and then moves active_bundle of the fleets that name
the bundle, as apply does it; a bundle that no fleet names is only stored.

An upload that was cut off is gone on with by the same command.`,
		Example: "  reconcile bundle push base --sandbox\n  reconcile bundle push base --store-only",
		Args:    oneBundle,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			options, err := allow.options()
			if err != nil {
				return err
			}
			sel := selectFlags{bundles: args, storeOnly: storeOnly}
			w := work{command: "reconcile bundle push " + args[0], consent: allow}
			w.make = func(ctx context.Context, s *session) (proposal, *session, error) {
				p, s, carried, err := g.planIn(ctx, s, sel, options.Approve, true)
				if err != nil {
					return proposal{}, s, err
				}
				o := options
				o.Approve, o.Spent = append(plan.Expand(options.Approve, p), carried...), s.spent
				return proposal{plan: p, options: o, style: g.planStyle(show, nil, given(o))}, s, nil
			}
			first, s, err := w.make(cmd.Context(), nil)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			return g.run(cmd.Context(), s, first, w)
		},
		Annotations: withOutputs("text,json"),
	}
	cmd.Flags().BoolVar(&storeOnly, "store-only", false, "leave active_bundle of its fleets to apply")
	allow.bind(cmd)
	show.bind(cmd)
	return cmd
}

func oneBundle(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes the name of one bundle, got %q; see %s --help", cmd.CommandPath(), args, cmd.CommandPath())
	}
	return nil
}

// shelf is what the specs declare and what is stored.
type shelf struct {
	target  plan.Target
	bucket  string
	bundles []plan.Bundle
	stored  bundle.Stored
}

// withShelf loads the specs, opens the account, reads the bucket, and lets a
// command use it.
func (g *global) withShelf(ctx context.Context, use func(s *session, at shelf) error) (err error) {
	_, desired, err := g.load(ctx)
	if err != nil {
		return err
	}
	s, err := g.open(ctx, desired.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	account, err := s.cloud.Account(ctx)
	if err != nil {
		return err
	}
	if account != desired.Target.Account {
		return failWith(exitRefused, "the credentials are for account %s, the specs for account %s; nothing was read", account, desired.Target.Account)
	}
	at := shelf{target: desired.Target, bucket: desired.Target.Platform + "-models-" + account, bundles: desired.Bundles}
	if at.stored, err = s.cloud.Shelf(ctx, at.target, at.bucket); err != nil {
		return err
	}
	return use(s, at)
}

// named is a bundle by its name in the specs or by its id in the bucket.
func (at shelf) named(name string) (bundle.Manifest, error) {
	for _, b := range at.bundles {
		if b.Name == name {
			return b.Manifest, nil
		}
	}
	if m, ok := at.stored.Find(name); ok {
		if m.Manifest == nil {
			return bundle.Manifest{}, failWith(exitRefused, "bundle %s cannot be read: %s", m.ID, m.Problem)
		}
		return *m.Manifest, nil
	}
	return bundle.Manifest{}, &hinted{failWith(exitError, "there is no bundle %q in the specs, and none with such an id in s3://%s", name, at.bucket), "reconcile bundle list"}
}

// bundleRow is a line of bundle list.
type bundleRow struct {
	ID       string   `json:"id"`
	Spec     string   `json:"spec,omitempty"` // name in the specs
	Name     string   `json:"name"`
	Stored   bool     `json:"stored"`
	Assets   int      `json:"assets"`
	Bytes    int64    `json:"bytes"`
	Missing  []string `json:"missing,omitempty"` // keys that are not stored
	Created  string   `json:"created,omitempty"`
	UsedBy   []string `json:"usedBy,omitempty"`
	Problem  string   `json:"problem,omitempty"`
	manifest *bundle.Manifest
}

func (at shelf) rows() []bundleRow {
	rows := map[string]*bundleRow{}
	for _, m := range at.stored.Manifests {
		rows[m.ID] = &bundleRow{ID: m.ID, Stored: true, Problem: m.Problem, manifest: m.Manifest}
	}
	for _, b := range at.bundles {
		id := b.Manifest.BundleID
		if rows[id] == nil {
			rows[id] = &bundleRow{ID: id, manifest: &b.Manifest}
		}
		rows[id].Spec = b.Name
	}
	out := make([]bundleRow, 0, len(rows))
	for _, r := range rows {
		if r.manifest != nil {
			r.Name, r.Created, r.Assets = r.manifest.Name, r.manifest.CreatedAt, len(r.manifest.Assets)
			r.Bytes, r.Missing = at.stored.Size(*r.manifest)
		}
		r.UsedBy = at.stored.UsesOf(r.ID)
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b bundleRow) int { return strings.Compare(b.Created+b.ID, a.Created+a.ID) })
	return out
}

func newBundleList(g *global) *cobra.Command {
	return &cobra.Command{
		Use:         "list",
		Short:       "List the bundles that are stored or declared, the newest first",
		Long:        "list shows every bundle of the models bucket and of the specs: what it takes,\nwhere it is active, and what is missing.",
		Example:     "  reconcile bundle list --sandbox\n  reconcile bundle list -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.withShelf(cmd.Context(), func(_ *session, at shelf) error {
				rows := at.rows()
				if g.output == "json" {
					return unlessClosed(g.printJSON(rows))
				}
				w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "ID\tSPEC\tNAME\tASSETS\tSIZE\tCREATED\tSTATE")
				for _, r := range rows {
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", r.ID, dash(r.Spec), report.Line(r.Name), r.Assets, plan.Bytes(r.Bytes), dash(r.Created), r.state())
				}
				return unlessClosed(w.Flush())
			})
		},
	}
}

func (r bundleRow) state() string {
	switch {
	case r.Problem != "":
		return "unreadable: " + report.Line(r.Problem)
	case !r.Stored && len(r.Missing) > 0:
		return fmt.Sprintf("not stored, %s missing", counted(len(r.Missing), "object"))
	case !r.Stored:
		return "not stored"
	case len(r.Missing) > 0:
		return fmt.Sprintf("damaged: %s missing", counted(len(r.Missing), "object"))
	case len(r.UsedBy) > 0:
		return strings.Join(r.UsedBy, ", ")
	}
	return "stored"
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return report.Line(s)
}

func newBundleShow(g *global) *cobra.Command {
	return &cobra.Command{
		Use:         "show BUNDLE",
		Short:       "Show a bundle with its assets",
		Long:        "show tells of a bundle, by its name in the specs or its id in the bucket (or the\nstart of it): what it installs where, and who uses it.",
		Example:     "  reconcile bundle show base --sandbox\n  reconcile bundle show base -o json",
		Args:        oneBundle,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withShelf(cmd.Context(), func(_ *session, at shelf) error {
				m, err := at.named(args[0])
				if err != nil {
					return err
				}
				if stored, ok := at.stored.Find(m.BundleID); ok && stored.Manifest != nil {
					m = *stored.Manifest
				}
				if g.output == "json" {
					return unlessClosed(g.printJSON(m))
				}
				return unlessClosed(g.showBundle(at, m))
			})
		},
	}
}

func (g *global) showBundle(at shelf, m bundle.Manifest) error {
	i := slices.IndexFunc(at.rows(), func(r bundleRow) bool { return r.ID == m.BundleID })
	row := at.rows()[i]
	fmt.Fprintf(g.out, "%s  %s\n  %s in %s, %s\n", m.BundleID, report.Line(m.Name), plan.Bytes(row.Bytes), counted(len(m.Assets), "asset"), row.state())
	if m.Notes != nil && *m.Notes != "" {
		fmt.Fprintf(g.out, "  %s\n", report.Line(*m.Notes))
	}
	sizes := map[string]int64{}
	for _, a := range at.stored.Assets {
		sizes[a.Key] = a.Size
	}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	for _, a := range m.Assets {
		size := "missing"
		if n, ok := sizes[a.Key]; ok {
			size = plan.Bytes(n)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", report.Line(a.TargetPath), a.Action, size, report.Line(a.Key))
	}
	return w.Flush()
}

func newBundleDiff(g *global) *cobra.Command {
	return &cobra.Command{
		Use:         "diff A B",
		Short:       "Compare what two bundles install",
		Long:        "diff tells what changes on an instance that goes from bundle A to bundle B,\neach by its name in the specs or its id in the bucket.",
		Example:     "  reconcile bundle diff base base --sandbox",
		Annotations: withOutputs("text,json"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%s takes two bundles, got %q; see %s --help", cmd.CommandPath(), args, cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.withShelf(cmd.Context(), func(_ *session, at shelf) error {
				before, err := at.named(args[0])
				if err != nil {
					return err
				}
				after, err := at.named(args[1])
				if stored, ok := at.stored.Find(args[1]); ok && stored.Manifest != nil {
					after, err = *stored.Manifest, nil
				}
				if err != nil {
					return err
				}
				differences := bundle.Compare(before, after)
				if g.output == "json" {
					return unlessClosed(g.printJSON(differences))
				}
				return unlessClosed(g.showDifferences(before, after, differences))
			})
		},
	}
}

func (g *global) showDifferences(before, after bundle.Manifest, differences []bundle.Difference) error {
	if before.Name != after.Name {
		fmt.Fprintf(g.out, "~ name %q -> %q\n", before.Name, after.Name)
	}
	if len(differences) == 0 {
		_, err := fmt.Fprintln(g.out, "Both install the same.")
		return err
	}
	for _, d := range differences {
		switch {
		case d.Before == nil:
			fmt.Fprintf(g.out, "+ %s  %s %s\n", report.Line(d.Path), d.After.Action, report.Line(d.After.Key))
		case d.After == nil:
			fmt.Fprintf(g.out, "- %s  %s %s\n", report.Line(d.Path), d.Before.Action, report.Line(d.Before.Key))
		default:
			fmt.Fprintf(g.out, "~ %s  %s %s -> %s %s\n", report.Line(d.Path), d.Before.Action, report.Line(d.Before.Key), d.After.Action, report.Line(d.After.Key))
		}
	}
	return nil
}
