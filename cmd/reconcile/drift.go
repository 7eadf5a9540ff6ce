package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/spec"
)

func newDrift(g *global) *cobra.Command {
	var sel selectFlags
	var allow consent
	var show display
	var detect, fix, accept, detailed, issue bool
	var repository string
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show what somebody changed by hand, and put it back or accept it",
		Long: `drift compares what AWS has with what was deployed and sorts the differences:
changed by hand; owned by the autoscaler or the service, which is expected; and
newly known, which the next apply sets. It says what it did not look at. It only
reads, unless told otherwise:

--detect also asks CloudFormation's own drift detection, which takes minutes.
--fix makes a plan that puts back what was deployed, and applies it like apply.
--accept writes the smallest edit of the specs that accepts what is live.
--issue tells it in GitHub issues of its own, with the token in GITHUB_TOKEN.`,
		Example:     "  reconcile drift --sandbox\n  reconcile drift --fleet staging/gpu-default --fix\n  reconcile drift --accept --stack bp-compute\n  reconcile drift -o markdown --detailed-exitcode",
		Args:        noArgs,
		Annotations: withOutputs("text,json,markdown"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if fix && accept || issue && (fix || accept) {
				return usageError(errors.New("--fix, --accept and --issue exclude each other: give one"))
			}
			options, err := allow.options()
			if err != nil {
				return err
			}
			d, err := g.drift(cmd.Context(), nil, sel.selection(), detect, fix)
			if d != nil && d.session != nil {
				defer func() { err = errors.Join(err, d.session.close()) }()
			}
			if err != nil {
				return err
			}
			style := g.planStyle(show, sel.flags(), given(options))
			switch {
			case fix:
				return g.fixDrift(cmd.Context(), d, options, allow, style)
			case accept:
				return g.acceptDrift(cmd.Context(), d, style)
			}
			if err := unlessClosed(g.printDrift(d.report, style)); err != nil {
				return err
			}
			if issue {
				if err := g.ticket(cmd.Context(), d, repository, style); err != nil {
					return err
				}
			}
			if detailed && !d.report.Clean() {
				return exitWith(exitChanges)
			}
			return nil
		},
	}
	sel.bind(cmd)
	allow.bind(cmd)
	show.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&detect, "detect", false, "also ask CloudFormation's own drift detection about the stacks")
	f.BoolVar(&fix, "fix", false, "put back what was deployed")
	f.BoolVar(&accept, "accept", false, "edit the specs so that they say what is live")
	f.BoolVar(&issue, "issue", false, "keep one GitHub issue for the platform and one for each fleet: written while there is drift, closed when there is none")
	f.StringVar(&repository, "repo", "", "with --issue, the repository `OWNER/NAME`; default: that of the workflow (GITHUB_REPOSITORY)")
	f.BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when somebody changed something by hand")
	return cmd
}

// drifted is a drift report and what it was made of.
type drifted struct {
	session     *session
	set         spec.Set
	desired     plan.Desired
	live        plan.Live
	deployments []plan.Deployment
	selection   plan.Selection
	detect      bool
	parameters  []plan.Step // that write over a parameter outside of stacks
	report      drift.Report
}

// drift reads and compares, in a session that it opens if there is none. With
// wait it first waits for what earlier runs left at work.
func (g *global) drift(ctx context.Context, s *session, sel plan.Selection, detect, wait bool) (*drifted, error) {
	set, desired, err := g.load(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := plan.Reads(desired, sel); err != nil {
		return nil, err
	}
	if s == nil {
		if s, err = g.open(ctx, desired.Target); err != nil {
			return nil, err
		}
	}
	s.own = desired.Own
	d := &drifted{session: s, set: set, desired: desired, selection: sel, detect: detect}
	d.live, err = g.settled(ctx, s, desired.Target.Platform,
		func() (plan.Live, error) { return s.cloud.Read(ctx, desired, sel) },
		func(l plan.Live) ([]plan.LiveStack, error) {
			if !wait {
				return nil, nil
			}
			return plan.Busy(desired, l, sel)
		})
	if err != nil {
		return d, err
	}
	p, err := plan.Compute(desired, d.live, plan.Options{Tool: version(), Select: sel})
	if err != nil {
		return d, err
	}
	if d.live.Account != desired.Target.Account {
		return d, planExit(p, false, false)
	}
	if err := d.read(ctx, detect, p); err != nil {
		return d, fmt.Errorf("read what AWS has: %w", err)
	}
	return d, nil
}

func (d *drifted) read(ctx context.Context, detect bool, p plan.Plan) error {
	deployments, err := plan.Deployments(d.desired, d.live, d.selection)
	if err != nil {
		return err
	}
	d.deployments, err = d.session.cloud.WithResources(ctx, deployments)
	if err != nil {
		return err
	}
	d.parameters = handWritten(p)
	in := drift.Input{Target: d.desired.Target, Deployments: d.deployments, Now: time.Now(), Ignore: d.set.Platform.Ignore, Parameters: d.parameters}
	in.ParameterFleets = map[string]string{}
	for _, p := range d.desired.Parameters {
		in.ParameterFleets[p.Name] = p.Fleet
	}
	in.Subjects = drift.Subjects(d.deployments, d.desired.Target)
	if in.Live, err = d.session.cloud.Drift(ctx, in.Subjects); err != nil {
		return err
	}
	if detect {
		if in.Live.Detected, err = d.session.cloud.Detect(ctx, d.deployments); err != nil {
			return err
		}
	}
	if in.Absent, err = d.absent(); err != nil {
		return err
	}
	d.report = drift.Compare(in)
	return nil
}

// handWritten are the steps that write over a parameter that exists.
func handWritten(p plan.Plan) []plan.Step {
	var out []plan.Step
	for _, s := range p.Steps {
		if s.Kind == plan.KindParameter && s.Action == plan.ActionUpdate {
			out = append(out, s)
		}
	}
	return out
}

// absent are the selected stacks that were not compared, with their status.
func (d *drifted) absent() (map[string]string, error) {
	stacks, _, err := plan.Selected(d.desired, d.selection)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name := range stacks {
		out[name] = d.live.Stacks[name].Status
	}
	for _, c := range d.deployments {
		delete(out, c.Stack.Name)
	}
	return out, nil
}

func (g *global) printDrift(r drift.Report, o report.Options) error {
	switch g.output {
	case "json":
		return report.DriftJSON(g.out, r)
	case "markdown":
		return report.DriftMarkdown(g.out, r, o)
	}
	return report.Drift(g.out, r, o)
}

// Flapping: what this program put back so often in so long is somebody else's
// too, and is told of instead of put back once more.
const (
	flapping     = 3
	flappingOver = 24 * time.Hour
)

// fixDrift shows a plan that puts back what was deployed, asks, and applies it.
// After a wait for the lock it reads and compares anew.
func (g *global) fixDrift(ctx context.Context, d *drifted, options apply.Options, allow consent, style report.Options) error {
	left := 0
	proposed := func(ctx context.Context, d *drifted) (proposal, error) {
		p, findings, err := d.revert(ctx)
		left = findings
		granted := options
		granted.Approve = plan.Expand(options.Approve, p)
		return proposal{plan: p, options: granted, style: style}, err
	}
	w := work{command: "reconcile drift --fix", consent: allow}
	w.make = func(ctx context.Context, s *session) (proposal, *session, error) {
		again, err := g.drift(ctx, s, d.selection, d.detect, true)
		if err != nil {
			return proposal{}, s, err
		}
		p, err := proposed(ctx, again)
		return p, s, err
	}
	first, err := proposed(ctx, d)
	if err != nil {
		return err
	}
	if err := g.run(ctx, d.session, first, w); err != nil {
		return err
	}
	if left > 0 {
		return failWith(exitRefused, "%s not put back; see the warnings", counted(left, "difference"))
	}
	return nil
}

// revert plans to put back what was deployed, and counts what is not put back.
func (d *drifted) revert(ctx context.Context) (plan.Plan, int, error) {
	edits, parameters, left := drift.Edits(d.report.Hand)
	findings := notPutBack(left)
	held, err := d.holdFlapping(ctx, edits, parameters)
	if err != nil {
		return plan.Plan{}, 0, err
	}
	findings = append(findings, held...)
	p, err := plan.Revert(d.desired, d.live, plan.RevertOptions{Tool: version(), Select: d.selection, Edits: edits, Parameters: parameters, Findings: findings, NotRead: notLooked(d.report.Coverage)})
	return p, len(findings), err
}

// holdFlapping takes out of the edits what was put back often enough, and says
// so: a resource of a stack, which holds all of its stack, since a change set
// reverts the whole; and a parameter outside of stacks.
func (d *drifted) holdFlapping(ctx context.Context, edits map[string][]plan.Change, parameters map[string]bool) ([]plan.Finding, error) {
	var out []plan.Finding
	since := time.Now().Add(-flappingOver)
	for _, name := range slices.Sorted(maps.Keys(edits)) {
		reverts, err := d.session.cloud.Reverts(ctx, d.live.Stacks[name].ID, since)
		if err != nil {
			return nil, err
		}
		told := map[string]bool{}
		for _, e := range edits[name] {
			if n := reverts[e.Resource]; n >= flapping && !told[e.Resource] {
				told[e.Resource] = true
				out = append(out, flaps(name+"/"+e.Resource, n, e.Source))
			}
		}
		if len(told) > 0 {
			edits[name] = nil
		}
	}
	for _, s := range d.parameters {
		value, known := s.Body.Parameter.Value.(string)
		if !parameters[s.Target] || !known {
			continue
		}
		n, err := d.session.cloud.ParameterReverts(ctx, s.Target, value, since)
		if err != nil {
			return nil, err
		}
		if n >= flapping {
			delete(parameters, s.Target)
			out = append(out, flaps(s.Target, n, s.Source))
		}
	}
	return out, nil
}

// notLooked says what a fix that finds nothing did not look at.
func notLooked(c drift.Coverage) []string {
	n := 0
	for _, t := range c.NotLooked {
		n += t.Resources
	}
	how := "reconcile drift --detect --fix asks CloudFormation about them"
	if c.Detection {
		how = "CloudFormation was asked about them, as far as its detection supports them"
	}
	return []string{fmt.Sprintf("%s of %s (%s)", counted(n, "resource"), counted(len(c.NotLooked), "type"), how), "values of secrets"}
}

func flaps(target string, times int, at spec.Source) plan.Finding {
	return plan.Finding{Severity: plan.SeverityWarning, Code: "flapping", Target: target, Source: at,
		Message: fmt.Sprintf("%s was put back %d times in 24 hours and was changed again: something else owns it too. Stop that, accept it, or ignore it with spec.ignore; it is not put back", target, times)}
}

func notPutBack(left []drift.Finding) []plan.Finding {
	var out []plan.Finding
	for _, f := range left {
		out = append(out, plan.Finding{Severity: plan.SeverityWarning, Code: "not-revertible", Target: f.Stack + "/" + f.Resource, Source: f.Source,
			Message: fmt.Sprintf("%s is not put back: %s", f.Name(), f.Stays)})
	}
	return out
}
