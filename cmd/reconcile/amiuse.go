package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/lock"
	"reconcile/pkg/plan"
)

func newAMIUse(g *global) *cobra.Command {
	var c consent
	cmd := &cobra.Command{
		Use:   "use STAGE/SLUG AMI",
		Short: "Make a fleet's AMI parameter name an image that exists",
		Long: `use writes an image's id into the fleet's AMI parameter and waits until AWS has
accepted it: to go back to an image, to take the one that staging runs into
production, or one whose build could not write it. Nothing is launched by that;
the next plan of the fleet shows what changes, and refuses an older image that
was not approved.`,
		Example:     "  reconcile ami use staging/gpu-default ami-0123456789abcdef0 --sandbox",
		Annotations: withOutputs("text,json"),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%s takes a fleet and an AMI id; see %s --help", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !amiID.MatchString(args[1]) {
				return fmt.Errorf("%q is no AMI id: want ami- and 8 or 17 hexadecimal digits", args[1])
			}
			w, s, err := g.onFleet(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			if err := w.ready(cmd.Context(), s); err != nil {
				return err
			}
			if err := w.image(cmd.Context(), s.cloud, args[1]); err != nil {
				return err
			}
			return w.promote(cmd.Context(), g, s, args[1], cmd.CommandPath(), c)
		},
	}
	bindPromotion(cmd, &c)
	return cmd
}

var amiID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

func bindPromotion(cmd *cobra.Command, c *consent) {
	cmd.Flags().BoolVar(&c.yes, "yes", false, "do not ask; needed where there is no terminal")
	cmd.Flags().DurationVar(&c.lockTimeout, "lock-timeout", lockPatience, "how long to wait for somebody else's lock, `DURATION`; a dead run's is free after a minute of waiting")
}

// fleetWork is a fleet of the specs whose image a command is about.
type fleetWork struct {
	desired plan.Desired
	fleet   plan.Fleet
}

// onFleet loads the specs and opens the account of the one fleet that is named.
func (g *global) onFleet(ctx context.Context, name string) (fleetWork, *session, error) {
	_, desired, err := g.load(ctx)
	if err != nil {
		return fleetWork{}, nil, err
	}
	if _, _, err := plan.Selected(desired, plan.Selection{Fleets: []string{name}}); err != nil {
		return fleetWork{}, nil, err
	}
	for _, f := range desired.Fleets {
		if f.ID != name {
			continue
		}
		s, err := g.open(ctx, desired.Target)
		return fleetWork{desired, f}, s, err
	}
	return fleetWork{}, nil, fmt.Errorf("%q is no STAGE/SLUG: an image is built for one fleet", name)
}

// ready refuses before any work what could not be written afterwards: another
// account, and a platform without a place for the lock.
func (w fleetWork) ready(ctx context.Context, s *session) error {
	t := w.desired.Target
	if err := s.rightAccount(ctx, t); err != nil {
		return err
	}
	_, err := s.cloud.Bucket(t.Account, w.desired.Own.Bucket).Get(ctx, lockKey(t))
	switch {
	case errors.Is(err, lock.ErrAbsent):
		return nil // nobody has it
	case errors.Is(err, lock.ErrNoPlace):
		return &hinted{failWith(exitRefused, "there is no bucket %s yet, and so no lock: the parameter of fleet %s could not be written", w.desired.Own.Bucket, w.fleet.ID),
			s.g.command("reconcile apply --stack " + w.desired.Own.Stack)}
	}
	return err
}

// promote writes the parameter as an apply does: shown, asked for, under the
// lock, guarded, with its line in the journal, and done only when AWS has
// accepted the image.
func (w fleetWork) promote(ctx context.Context, g *global, s *session, image, command string, c consent) error {
	make := func(ctx context.Context, s *session) (proposal, *session, error) {
		live, err := s.cloud.ReadParameters(ctx, []string{w.fleet.AMIParameter})
		if err != nil {
			return proposal{}, s, err
		}
		var before *plan.LiveParameter
		if p, ok := live[w.fleet.AMIParameter]; ok {
			before = &p
		}
		p, err := plan.Promote(w.desired.Target, version(), w.fleet, before, image)
		options := apply.Options{Parallelism: 1}
		return proposal{plan: p, options: options, style: g.planStyle(display{}, nil, given(options))}, s, err
	}
	p, s, err := make(ctx, s)
	if err != nil {
		return err
	}
	if p.plan.Empty() && g.output == "text" {
		_, err = fmt.Fprintf(g.out, "%s holds %s already\n", w.fleet.AMIParameter, image)
	} else {
		err = g.run(ctx, s, p, work{command: command, consent: c, make: make})
	}
	if err == nil && g.output == "text" {
		_, err = fmt.Fprintf(g.out, "\nnext: %s\n", printable(g.command("reconcile plan --fleet "+w.fleet.ID)))
	}
	return unlessClosed(err)
}

// image checks that an image is there before a parameter names it: AWS would
// answer 200 and store nothing.
func (w fleetWork) image(ctx context.Context, c *cloud.Cloud, id string) error {
	found, err := c.ImagesByID(ctx, []string{id})
	if err != nil {
		return err
	}
	switch i := found[id]; {
	case !i.Exists():
		return &hinted{failWith(exitRefused, "fleet %s: there is no image %s that this account can use in %s (InvalidAMIID.NotFound)", w.fleet.ID, id, c.Region()), "reconcile ami list " + w.fleet.ID}
	case i.State != "available":
		return &hinted{failWith(exitRefused, "fleet %s: image %s is %s, not available", w.fleet.ID, id, i.State), "aws ec2 wait image-available --image-ids " + id}
	}
	return nil
}
