package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/cloud"
	"reconcile/pkg/journal"
	"reconcile/pkg/lock"
)

func newHistory(g *global) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Show the applies of this platform",
		Long: `history shows who applied which revision and plan, how it ended and how long it
took, the newest first, as the journal in the platform's own bucket has it. The
journal is a hint: what AWS has is shown by plan and status.`,
		Example:     "  reconcile history --sandbox\n  reconcile history --limit 5 -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if limit < 1 {
				return fmt.Errorf("--limit %d: want 1 or more", limit)
			}
			ctx := cmd.Context()
			_, desired, err := g.load(ctx)
			if err != nil {
				return err
			}
			s, err := g.open(ctx, desired.Target)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			runs, err := g.runs(ctx, s.cloud.Bucket(desired.Target.Account, desired.Own.Bucket), limit)
			if err != nil {
				return err
			}
			return unlessClosed(g.printRuns(runs))
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many runs")
	return cmd
}

// readsAtOnce bounds the runs that are read side by side.
const readsAtOnce = 8

// runs reads the newest runs. One that cannot be read is told and left out.
func (g *global) runs(ctx context.Context, bucket *cloud.Bucket, limit int) ([]journal.Run, error) {
	all, err := bucket.List(ctx, journal.Prefix)
	if err != nil {
		return nil, err
	}
	var keys []string
	for i := len(all) - 1; i >= 0 && len(keys) < limit; i-- {
		if strings.HasSuffix(all[i], ".jsonl") {
			keys = append(keys, all[i])
		}
	}
	runs, problems := make([]*journal.Run, len(keys)), make([]error, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i, key := range keys {
		group.Go(func() error {
			text, err := bucket.Get(ctx, key)
			if errors.Is(err, lock.ErrAbsent) {
				return nil // it expired meanwhile
			}
			if err != nil {
				return err
			}
			run, err := journal.Parse(text)
			if err != nil {
				problems[i] = err
				return nil
			}
			runs[i] = &run
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := []journal.Run{}
	for i, r := range runs {
		if problems[i] != nil {
			fmt.Fprintf(g.err, "%s: %s\n", printable(keys[i]), printable(problems[i].Error()))
		}
		if r != nil {
			out = append(out, *r)
		}
	}
	return out, nil
}

func (g *global) printRuns(runs []journal.Run) error {
	if g.output == "json" {
		return g.printJSON(struct {
			FormatVersion int           `json:"formatVersion"`
			Runs          []journal.Run `json:"runs"`
		}{journal.FormatVersion, runs})
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(g.out, "no runs are recorded")
		return err
	}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN (UTC)\tWHO\tCOMMAND\tREVISION\tPLAN\tOUTCOME\tTOOK\tSTEPS")
	for _, r := range runs {
		took := "-"
		if r.End != nil {
			took = r.Duration().Round(time.Second / 10).String()
		}
		cells := []string{r.Begin.At.UTC().Format("2006-01-02 15:04:05"), r.Begin.Who, r.Begin.Command, start(r.Begin.Revision), start(r.Begin.Plan), r.State(), took, r.Counts()}
		for i, c := range cells {
			cells[i] = strings.Join(strings.Fields(printable(c)), " ")
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// start is as much of a hash as people compare.
func start(hash string) string {
	if hash == "" {
		return "-"
	}
	return hash[:min(len(hash), 12)]
}
