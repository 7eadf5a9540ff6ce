package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"reconcile/pkg/drift"
	"reconcile/pkg/github"
	"reconcile/pkg/report"
)

// driftLabel is on every issue about drift.
const driftLabel = "drift"

// maxIssue is how many bytes an issue's text may have; GitHub takes 65,536
// characters.
const maxIssue = 60_000

// ticket keeps one issue for the platform and one for each fleet: written while
// there is drift, closed when there is none. With a selection only what was
// compared is told of.
func (g *global) ticket(ctx context.Context, d *drifted, repository string, style report.Options) error {
	at := g.surroundings()
	if repository == "" {
		repository = at.ci.Repository
	}
	client, err := at.client(repository)
	if err != nil {
		return err
	}
	style.MaxBytes = maxIssue
	platform := d.desired.Target.Platform
	if d.selection.All() {
		if err := g.ticketOf(ctx, client, d.report.Of(""), platform, "the platform "+platform, style); err != nil {
			return err
		}
	}
	if d.selection.All() {
		if err := g.closeLeft(ctx, client, d); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, dep := range d.deployments {
		if fleet := dep.Stack.Fleet; fleet != "" && !seen[fleet] {
			seen[fleet] = true
			if err := g.ticketOf(ctx, client, d.report.Of(fleet), platform+"/"+fleet, "fleet "+fleet, style); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *global) ticketOf(ctx context.Context, client *github.Client, r drift.Report, name, about string, style report.Options) error {
	r.Expected = nil // moves with the autoscaler, and an issue is no place for that
	var text strings.Builder
	if err := report.DriftMarkdown(&text, r, style); err != nil {
		return err
	}
	marker := github.Marker("drift", name)
	if r.Clean() {
		closed, err := client.CloseTicket(ctx, marker, text.String(), driftLabel)
		if err == nil && closed != nil {
			fmt.Fprintf(g.err, "closed %s: no drift of %s\n", printable(closed.URL), about)
		}
		return err
	}
	t, err := client.WriteTicket(ctx, marker, "Drift of "+about, text.String(), driftLabel)
	if err == nil {
		fmt.Fprintf(g.err, "drift of %s: %s\n", about, printable(t.URL))
	}
	return err
}

// closeLeft closes the issues of fleets that are not in the specs any more.
func (g *global) closeLeft(ctx context.Context, client *github.Client, d *drifted) error {
	platform := d.desired.Target.Platform
	var keep []string
	for _, s := range d.desired.Stacks {
		keep = append(keep, platform+"/"+s.Fleet)
	}
	left, err := client.LeftTickets(ctx, "drift", platform+"/", keep, driftLabel)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		fleet := strings.TrimPrefix(name, platform+"/")
		text := fmt.Sprintf("The fleet `%s` is not in the specs any more, so nothing compares it. What is left of it in AWS, `reconcile plan` lists.\n", fleet)
		closed, err := client.CloseTicket(ctx, github.Marker("drift", name), text, driftLabel)
		if err != nil {
			return err
		}
		if closed != nil {
			fmt.Fprintf(g.err, "closed %s: fleet %s is not in the specs any more\n", printable(closed.URL), printable(fleet))
		}
	}
	return nil
}
