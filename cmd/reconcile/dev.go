package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/cloud"
	"reconcile/pkg/dev"
	"reconcile/pkg/plan"
)

func newDev(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start and stop GPU instances to try things on",
		Long: `A dev instance is one On-Demand instance of a fleet's image and type, outside
of its Auto Scaling group, with ComfyUI open to one network. It takes no jobs
and stops itself after some hours. These commands act with your own rights: no
role of a workflow starts one.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDevStart(g), newDevList(g), newDevStop(g), newDevApplyBundle(g))
	return cmd
}

// devSession opens the account of the specs, and no other.
func (g *global) devSession(ctx context.Context) (*session, plan.Desired, error) {
	_, desired, err := g.load(ctx)
	if err != nil {
		return nil, desired, err
	}
	s, err := g.open(ctx, desired.Target)
	if err != nil {
		return nil, desired, err
	}
	account, err := s.cloud.Account(ctx)
	if err == nil && account != desired.Target.Account {
		err = failWith(exitRefused, "the credentials are for account %s, the specs for account %s", account, desired.Target.Account)
	}
	if err != nil {
		return nil, desired, errors.Join(err, s.close())
	}
	return s, desired, nil
}

// devStep says on stderr what was just done.
func (g *global) devStep(text string) { fmt.Fprintln(g.err, printable(text)) }

var ownCommand = regexp.MustCompile(`reconcile (dev (start|list|stop|apply-bundle)|apply)\b`)

// refused gives a refusal its exit code, and its next command the flags of this
// invocation.
func (g *global) refused(err error) error {
	if err == nil {
		return nil
	}
	code := exitError
	var hint hinter
	var refusal *dev.Refusal
	if errors.As(err, &refusal) {
		code = exitRefused
	}
	if !errors.As(err, &hint) {
		return err
	}
	next := hint.Hint()
	if flags := g.flags(); len(flags) > 0 {
		next = ownCommand.ReplaceAllString(next, "$0 "+strings.Join(flags, " "))
	}
	return &coded{code, &hinted{err, next}}
}

func newDevStart(g *global) *cobra.Command {
	var w cloud.DevStart
	var everyone bool
	cmd := &cobra.Command{
		Use:   "start STAGE/SLUG",
		Short: "Start a fleet's dev instance, or find the one that there is",
		Long: `start makes an instance of the fleet's image, type and the AMI builds' profile
in the default VPC, with a public address and a security group that lets one
network in, on ComfyUI's port. It waits until the instance runs, prints the
address and when it stops itself. Started again, it is the same instance: one
that stopped is booted, and a new --cidr takes the old one's place.`,
		Example: "  reconcile dev start staging/gpu-default --cidr 203.0.113.7/32\n  reconcile dev start staging/gpu-default --cidr 203.0.113.7/32 --hours 8",
		Args:    oneArg("STAGE/SLUG"),

		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			w.HoursAsked = cmd.Flags().Changed("hours")
			if _, err := dev.UserData(w.Hours); err != nil {
				return g.refused(err)
			}
			if err := dev.CheckCIDR(w.CIDR, everyone); err != nil {
				return g.refused(err)
			}
			if _, err := dev.ParseFleet("", args[0]); err != nil {
				return usageError(err)
			}
			ctx := cmd.Context()
			s, desired, err := g.devSession(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			if _, _, err := plan.Selected(desired, plan.Selection{Fleets: args}); err != nil {
				return err
			}
			if w.Fleet, err = dev.ParseFleet(desired.Target.Platform, args[0]); err != nil {
				return err
			}
			started, err := s.cloud.StartDev(ctx, w, g.devStep)
			if err != nil {
				return g.refused(err)
			}
			return unlessClosed(g.showDevStarted(s, started))
		},
	}
	f := cmd.Flags()
	f.StringVar(&w.CIDR, "cidr", "", "the one `NETWORK` that may reach ComfyUI, like 203.0.113.7/32; needed")
	f.IntVar(&w.Hours, "hours", dev.DefaultHours, "after how many hours of running it stops itself, with a warning half an hour before")
	f.BoolVar(&everyone, "open-to-everyone", false, "let --cidr be the whole Internet; ComfyUI asks for no password")
	return cmd
}

func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s takes one %s, got %d arguments; see %s --help", cmd.CommandPath(), name, len(args), cmd.CommandPath())
		}
		return nil
	}
}

func newDevList(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List dev instances: age, hours left, price",
		Long: `list shows the dev instances of the account, found by their tags, whoever made
them, and security groups that one left behind. The price is On-Demand, as far
as AWS's price list has it. Reading only.`,
		Example:     "  reconcile dev list\n  reconcile dev list -o json",
		Args:        noArgs,
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			s, desired, err := g.devSession(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			left, err := s.cloud.DevLeftovers(ctx, desired.Target.Platform)
			if err != nil {
				return err
			}
			return unlessClosed(g.showDevList(s, left, s.cloud.DevPrices(ctx, left.Instances)))
		},
	}
}

func newDevStop(g *global) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "stop STAGE/SLUG|INSTANCE",
		Short: "Terminate a dev instance and remove what was made with it",
		Long: `stop terminates the dev instance, which deletes its disk, waits, and deletes its
security group. What it removes it finds by its tags, so it also finishes what
an earlier start or stop left.`,
		Example: "  reconcile dev stop staging/gpu-default\n  reconcile dev stop i-0123456789abcdef0 --yes",
		Args:    oneArg("STAGE/SLUG or INSTANCE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if _, err := (dev.Leftover{}).Named("", args[0]); err != nil && !strings.HasPrefix(args[0], "i-") {
				return usageError(err)
			}
			ctx := cmd.Context()
			s, desired, err := g.devSession(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			all, err := s.cloud.DevLeftovers(ctx, desired.Target.Platform)
			if err != nil {
				return err
			}
			left, err := all.Named(desired.Target.Platform, args[0])
			if err != nil {
				return g.refused(err)
			}
			if left.Empty() {
				fmt.Fprintf(g.out, "nothing to stop: there is no dev instance of %s, and nothing is left of one\n", printable(args[0]))
				return nil
			}
			for _, i := range left.Instances {
				fmt.Fprintf(g.err, "%s of %s is %s; it is terminated, and its disk deleted\n", i.ID, printable(i.Fleet.ID()), i.State)
			}
			if !yes {
				if err := g.askDevStop(cmd); err != nil {
					return err
				}
			}
			if err := s.cloud.StopDev(ctx, left, g.devStep); err != nil {
				return g.refused(err)
			}
			fmt.Fprintln(g.out, "stopped: nothing is left of it")
			return nil
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask; needed where there is no terminal")
	return cmd
}

func (g *global) askDevStop(cmd *cobra.Command) error {
	if !terminal(g.in) {
		return failWith(exitRefused, "no terminal to ask on; if nobody needs what is on its disk, add --yes")
	}
	fmt.Fprint(g.err, "\nWhat is on its disk is lost. Only 'yes' is taken: ")
	line, err := g.readLine(cmd.Context())
	if err != nil || strings.TrimSpace(line) != "yes" {
		return failWith(exitRefused, "not confirmed; nothing was changed")
	}
	return nil
}
