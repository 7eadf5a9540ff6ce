package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

func newRollout(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollout",
		Short: "Follow and end the rollouts of fleets",
		Long: `A rollout replaces the instances of a fleet that run; apply starts it, as part
of the fleet's stack update. These commands show how far it is, and end it.`,
	}
	cmd.AddCommand(newRolloutStatus(g), newRolloutBack(g, false), newRolloutBack(g, true))
	return cmd
}

func newRolloutStatus(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "status [STAGE/SLUG]...",
		Short: "Show how far the rollouts of fleets are",
		Long: `status shows, for each fleet, its stack, the newest rollout with the instances
that are left, its pauses, the alarms that end it, and every instance. Without
a fleet it shows all of them. Reading only.`,
		Example:     "  reconcile rollout status --sandbox\n  reconcile rollout status staging/gpu-default -o json",
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			s, fleets, _, err := g.rolling(ctx, args)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			all := make([]report.RolloutStatus, len(fleets))
			for i, f := range fleets {
				r, err := s.cloud.Rollout(ctx, f.Stack, f.Group)
				if err != nil {
					return err
				}
				all[i] = rolloutStatus(f, r)
			}
			if g.output == "json" {
				return unlessClosed(report.RolloutsJSON(g.out, all))
			}
			return unlessClosed(report.Rollouts(g.out, all, g.style(g.out)))
		},
	}
}

// rolling opens AWS for the fleets that are named, or for all.
func (g *global) rolling(ctx context.Context, names []string) (*session, []plan.Fleet, plan.Target, error) {
	_, desired, err := g.load(ctx)
	if err != nil {
		return nil, nil, desired.Target, err
	}
	fleets := desired.Fleets
	if len(names) > 0 {
		_, wanted, err := plan.Selected(desired, plan.Selection{Fleets: names})
		if err != nil {
			return nil, nil, desired.Target, err
		}
		fleets = slices.DeleteFunc(slices.Clone(fleets), func(f plan.Fleet) bool { return !wanted[f.ID] })
	}
	s, err := g.open(ctx, desired.Target)
	if err != nil {
		return nil, nil, desired.Target, err
	}
	account, err := s.cloud.Account(ctx)
	if err == nil && account != desired.Target.Account {
		err = failWith(exitRefused, "the credentials are for account %s, the specs for account %s", account, desired.Target.Account)
	}
	return s, fleets, desired.Target, err
}

func rolloutStatus(f plan.Fleet, r cloud.Rollout) report.RolloutStatus {
	out := report.RolloutStatus{Fleet: f.ID, Stack: f.Stack, Rollout: "none", Instances: []report.RolloutInstance{}}
	if r.Stack == nil {
		return out
	}
	out.Status, out.Next = r.Stack.Status, afterwards(f, r)
	for _, i := range r.Instances {
		out.Instances = append(out.Instances, report.RolloutInstance(i))
	}
	if n := r.Refresh; n != nil {
		out.Rollout, out.Reason, out.Percent, out.Left, out.Checks, out.Started, out.Ended = n.Status, n.Reason, n.Percent, n.Left, n.Checkpoints, n.Start, n.End
		for _, a := range r.Alarms {
			if out.Alarms == nil {
				out.Alarms = map[string]string{}
			}
			out.Alarms[a.Name] = a.State
		}
	}
	return out
}

// afterwards is the command that a fleet's state asks for.
func afterwards(f plan.Fleet, r cloud.Rollout) string {
	switch {
	case r.Stack.Status == "UPDATE_ROLLBACK_FAILED":
		return "reconcile apply --fleet " + f.ID + " --approve recover:" + f.Stack
	case r.Stack.Status == "UPDATE_IN_PROGRESS" && r.Refresh.Running():
		return "reconcile rollout rollback " + f.ID
	case r.Refresh.Running() && !strings.HasSuffix(r.Stack.Status, "_IN_PROGRESS"):
		return "aws autoscaling cancel-instance-refresh --auto-scaling-group-name " + f.Group // not the stack's
	}
	return ""
}

func newRolloutBack(g *global, wait bool) *cobra.Command {
	use, short := "cancel", "End a rollout; the fleet goes back to what it ran before"
	if wait {
		use, short = "rollback", "End a rollout and wait until the fleet is back at what it ran"
	}
	return &cobra.Command{
		Use:   use + " STAGE/SLUG",
		Short: short,
		Long: short + `.

The rollout is part of the fleet's stack update, so both end by cancelling that
update: CloudFormation goes back, and replaces the new instances by old ones.
cancel returns when AWS has taken it, rollback waits. Where it goes back
already, both say so. Where it ended, they name what goes back.

An apply that waits for the rollout holds the lock. It is ended all the same,
and that apply tells of it.`,
		Example: "  reconcile rollout " + use + " staging/gpu-default --sandbox",
		Args:    oneFleet,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			s, fleets, target, err := g.rolling(ctx, args)
			if s != nil {
				defer func() { err = errors.Join(err, s.close()) }()
			}
			if err != nil {
				return err
			}
			if len(fleets) != 1 {
				return failWith(exitRefused, "%s names %s; one rollout is ended at a time", args[0], counted(len(fleets), "fleet"))
			}
			return g.back(ctx, s, fleets[0], target, "reconcile rollout "+use+" "+fleets[0].ID, wait)
		},
	}
}

func oneFleet(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(errors.New("name one fleet, STAGE/SLUG"))
	}
	return nil
}

// back ends the rollout of a fleet.
func (g *global) back(ctx context.Context, s *session, f plan.Fleet, target plan.Target, command string, wait bool) error {
	r, err := s.cloud.Rollout(ctx, f.Stack, f.Group)
	switch {
	case err != nil:
		return err
	case r.Stack == nil:
		return failWith(exitRefused, "stack %s of fleet %s does not exist", f.Stack, f.ID)
	case r.Stack.Marker.Owner != target.Platform:
		return failWith(exitRefused, "stack %s does not belong to platform %s; it is never touched", f.Stack, target.Platform)
	}
	switch r.Stack.Status {
	case "UPDATE_ROLLBACK_COMPLETE":
		fmt.Fprintf(g.out, "the last update of %s went back already\n", f.ID)
		return nil
	case "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS":
		fmt.Fprintf(g.out, "the rollout of %s goes back already\n", f.ID)
	case "UPDATE_IN_PROGRESS":
		if !r.Refresh.Running() {
			return failWith(exitRefused, "stack %s is being updated, and no rollout of it has begun; next: reconcile rollout status %s", f.Stack, f.ID)
		}
		if err := g.cancelUpdate(ctx, s, f, target, r, command); err != nil {
			return err
		}
		fmt.Fprintf(g.out, "the rollout of %s goes back\n", f.ID)
	default:
		return ended(f, r)
	}
	if !wait {
		return nil
	}
	stack, causes, err := s.cloud.Settled(ctx, r.Stack.ID)
	if err != nil {
		return err
	}
	if stack == nil || stack.Status != "UPDATE_ROLLBACK_COMPLETE" {
		return g.notBack(f, stack, causes)
	}
	fmt.Fprintf(g.out, "%s is back at what it ran before\n", f.ID)
	return nil
}

func (g *global) notBack(f plan.Fleet, stack *plan.LiveStack, causes []apply.Cause) error {
	if stack == nil {
		return failWith(exitApplyFailed, "stack %s is gone", f.Stack)
	}
	if stack.Status != "UPDATE_ROLLBACK_FAILED" {
		return failWith(exitApplyFailed, "stack %s ended as %s: it was too late to go back; next: %s", f.Stack, stack.Status, earlier(f))
	}
	why := stack.Reason
	if len(causes) > 0 {
		why = causes[0].Resource + ": " + causes[0].Reason
	}
	return failWith(exitApplyFailed, "%s could not go back, stack %s is %s: %s; next: reconcile apply --fleet %s --approve recover:%s",
		f.ID, f.Stack, stack.Status, printable(why), f.ID, f.Stack)
}

// ended refuses to take back what is over.
func ended(f plan.Fleet, r cloud.Rollout) error {
	if next := afterwards(f, r); next != "" {
		return failWith(exitRefused, "stack %s of fleet %s is %s: there is no rollout of its own to end; next: %s", f.Stack, f.ID, r.Stack.Status, next)
	}
	return failWith(exitRefused, "no rollout of %s is under way, stack %s is %s; next: %s", f.ID, f.Stack, r.Stack.Status, earlier(f))
}

// earlier says how to go back when a rollout is over: the specs by an earlier
// revision, an AMI by its parameter, which no revision holds.
func earlier(f plan.Fleet) string {
	return fmt.Sprintf("reconcile apply --rev OLD --allow-rollback, or for an AMI put an earlier value back (aws ssm get-parameter-history --name %s) and apply", f.AMIParameter)
}

// cancelUpdate cancels the stack's update under the lock, and writes it into
// the journal. Where the apply that waits for it has the lock, it is that one's
// operation which ends, and its own end tells.
func (g *global) cancelUpdate(ctx context.Context, s *session, f plan.Fleet, target plan.Target, r cloud.Rollout, command string) error {
	step := plan.Step{ID: plan.RolloutID(f.Stack), Kind: plan.KindStack, Target: f.Stack, Action: plan.ActionRecover}
	p := plan.Plan{FormatVersion: plan.FormatVersion, Tool: version(), Target: target, Steps: []plan.Step{step}}
	t, err := g.newTurn(s, s.own, p, command)
	if err != nil {
		return err
	}
	defer t.release(ctx)
	var held *lock.HeldError
	if _, err := t.take(ctx, 0, p); errors.As(err, &held) {
		t.warn("the lock is held by " + printable(held.Holder.String()) + ", which waits for what runs; it will see this rollout end")
	} else if err != nil {
		return err
	} else if err := t.held.Check(ctx); err != nil {
		return locked(err, "")
	}
	notes := newRecorder(t, p, nil)
	notes.start(ctx)
	sum := sha256.Sum256([]byte(r.Stack.ID + "\x00" + r.Refresh.ID))
	result, code := apply.StepResult{Step: step.ID, Target: step.Target, Outcome: apply.OutcomeDone, Message: "cancelled", RolledBack: true}, exitOK
	failed := s.cloud.CancelUpdate(ctx, r.Stack.ID, "rc-cancel-"+hex.EncodeToString(sum[:16]))
	if failed != nil {
		result.Outcome, result.Message, result.RolledBack, code = apply.OutcomeFailed, failed.Error(), false, exitError
	}
	if err := notes.close(ctx, apply.Result{Steps: []apply.StepResult{result}}, code); err != nil {
		t.warn("the journal of this run is incomplete: " + err.Error())
	}
	if errors.Is(failed, cloud.ErrNotUpdating) {
		return failWith(exitRefused, "%w; next: reconcile rollout status %s", failed, f.ID)
	}
	return failed
}
