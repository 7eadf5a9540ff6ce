package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

func newStatus(g *global) *cobra.Command {
	var sel selectFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show each stack and fleet: synced or not, healthy or not",
		Long: `status shows, for each stack, whether it is what the specs say and whether it
works, and the revision of the specs that last changed it; for each fleet its
live, in-service and largest capacity. Reading only.`,
		Example:     "  reconcile status --sandbox\n  reconcile status --fleet 'production/*' -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			_, desired, err := g.load(ctx)
			if err != nil {
				return err
			}
			stacks, fleets, err := plan.Selected(desired, sel.selection())
			if err != nil {
				return err
			}
			s, err := g.open(ctx, desired.Target)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			status, err := s.cloud.Status(ctx, desired, sel.selection())
			if err != nil {
				return fmt.Errorf("read what AWS has: %w", err)
			}
			p, err := plan.Compute(desired, status.Live, plan.Options{Tool: version(), Select: sel.selection()})
			if err != nil {
				return err
			}
			refused := planExit(p, false, false)
			if status.Live.Account != desired.Target.Account {
				return refused // what was read is somebody else's
			}
			desired.Stacks = slices.DeleteFunc(desired.Stacks, func(s plan.Stack) bool { return !stacks[s.Name] })
			desired.Fleets = slices.DeleteFunc(desired.Fleets, func(f plan.Fleet) bool { return !fleets[f.ID] })
			v := overview(desired, status, p)
			if g.output == "json" {
				err = report.StatusJSON(g.out, v)
			} else {
				err = report.Status(g.out, v, g.style(g.out))
			}
			return cmp.Or(unlessClosed(err), refused)
		},
	}
	sel.bind(cmd)
	return cmd
}

// overview joins what the specs want, what is live and what would change.
func overview(d plan.Desired, s cloud.Status, p plan.Plan) report.Overview {
	v := report.Overview{FormatVersion: plan.FormatVersion, Target: d.Target}
	changed := map[string]bool{} // stacks and fleets with a step
	for _, step := range p.Steps {
		changed[step.Target] = true
	}
	refused := map[string]string{}
	for _, f := range p.Findings {
		if f.Severity == plan.SeverityError {
			refused[f.Target] = f.Message
		}
	}
	edits := map[string]int{}
	for _, d := range p.Drift {
		edits[d.Stack]++
	}
	health := map[string]report.Health{}
	for _, want := range d.Stacks {
		row := stackRow(want.Name, s, changed[want.Name])
		if n := edits[want.Name]; n > 0 {
			row.Sync, row.Reason = report.OutOfSync, cmp.Or(row.Reason, counted(n, "setting")+" edited by hand")
		}
		if why := refused[want.Name]; why != "" {
			row.Sync, row.Health, row.Reason = report.OutOfSync, report.HealthUnknown, why
		}
		health[want.Name] = row.Health
		v.Stacks = append(v.Stacks, row)
	}
	v.Stacks = append(v.Stacks, extras(d, s, p)...)
	for _, f := range d.Fleets {
		v.Fleets = append(v.Fleets, fleetRow(d, f, s.Live, changed, health[f.Stack]))
	}
	return v
}

// extras are the stacks that the plan would delete: deployed, in no spec.
func extras(d plan.Desired, s cloud.Status, p plan.Plan) []report.StackStatus {
	seen := map[string]bool{}
	for _, want := range d.Stacks {
		seen[want.Name] = true
	}
	var out []report.StackStatus
	for _, step := range p.Steps {
		if step.Kind == plan.KindStack && !seen[step.Target] {
			seen[step.Target] = true
			row := stackRow(step.Target, s, true)
			row.Sync = report.Extra
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b report.StackStatus) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func stackRow(name string, s cloud.Status, changed bool) report.StackStatus {
	live, ok := s.Live.Stacks[name]
	if !ok {
		return report.StackStatus{Name: name, Sync: report.NotDeployed, Health: report.HealthUnknown}
	}
	row := report.StackStatus{
		Name: name, Sync: report.Synced, Health: report.Healthy, Status: live.Status,
		Revision: live.Outputs[cfn.RevisionOutput], Updated: live.Updated,
	}
	if changed {
		row.Sync = report.OutOfSync
	}
	action, known := plan.ActionFor(live.Status)
	switch {
	case !known || action.Class == plan.StatusStuck || action.Class == plan.StatusStopped:
		row.Health, row.Reason = report.Degraded, cmp.Or(live.Reason, action.Doing)
	case action.Class == plan.StatusBusy:
		row.Health, row.Reason = report.Busy, action.Doing
	case action.Class == plan.StatusAbsent:
		row.Sync, row.Health = report.NotDeployed, report.HealthUnknown
	case action.Warn != "":
		row.Health, row.Reason = report.Degraded, action.Warn
	}
	var ill []string
	for _, service := range s.Services {
		if service.Stack == name && !service.Healthy() {
			ill = append(ill, fmt.Sprintf("%s runs %d of %d tasks", service.Name, service.Running, service.Desired))
		}
	}
	if len(ill) > 0 {
		row.Health, row.Reason = report.Degraded, strings.Join(ill, "; ")
	}
	return row
}

func fleetRow(d plan.Desired, f plan.Fleet, live plan.Live, changed map[string]bool, stack report.Health) report.FleetStatus {
	row := report.FleetStatus{Fleet: f.ID, Sync: report.Synced, Health: stack}
	if changed[f.Stack] || parameterChanged(d, f.ID, changed) {
		row.Sync = report.OutOfSync
	}
	if _, ok := live.Stacks[f.Stack]; !ok {
		row.Sync = report.NotDeployed
	}
	group, ok := live.Groups[f.Group]
	if !ok {
		return row
	}
	row.Live, row.Desired, row.InService, row.Max = true, group.Desired, group.InService, group.Max
	if group.InService < group.Desired && row.Health == report.Healthy {
		row.Health = report.Busy
		row.Reason = fmt.Sprintf("%d of %d instances are in service", group.InService, group.Desired)
	}
	return row
}

func parameterChanged(d plan.Desired, fleet string, changed map[string]bool) bool {
	for _, p := range d.Parameters {
		if p.Fleet == fleet && changed[p.Name] {
			return true
		}
	}
	return false
}
