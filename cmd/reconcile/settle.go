package main

import (
	"context"
	"fmt"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// maxSettles bounds how often one command waits for earlier runs: after that
// the plan says what is busy.
const maxSettles = 3

// settled reads, waits for what earlier runs left at work on AWS, and reads
// again, so that the plan starts from an account in which nothing of ours
// moves. A run that was killed is finished by the same command this way.
func (g *global) settled(ctx context.Context, s *session, owner string,
	read func() (plan.Live, error), busy func(plan.Live) ([]plan.LiveStack, error),
) (plan.Live, error) {
	for n := 0; ; n++ {
		live, err := read()
		if err != nil {
			return live, fmt.Errorf("read what AWS has: %w", err)
		}
		running, err := busy(live)
		if err != nil || len(running) == 0 || n == maxSettles {
			return live, err
		}
		waited, err := g.settle(ctx, s, running, owner)
		if err != nil || len(waited) == 0 {
			return live, err
		}
	}
}

func (g *global) settle(ctx context.Context, s *session, running []plan.LiveStack, owner string) ([]string, error) {
	port := s.cloud.Port(ctx)
	defer port.Close()
	progress := report.NewProgress(g.progressTo(), report.ProgressOptions{
		Options: g.style(g.err), JSON: g.output == "json", Now: time.Now,
	})
	defer progress.Close()
	return apply.Settle(ctx, running, owner, port, func(e apply.Event) {
		if e.Type == apply.EventNote {
			progress.Observe(e)
		}
	})
}
