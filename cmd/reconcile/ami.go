package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"reconcile/pkg/ami"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

func newAMI(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ami",
		Short: "Work with the machine images of fleets",
		Long: `A fleet's workers start from an Amazon Machine Image (AMI). Packer makes it, an
SSM parameter names it, and a plan puts what the parameter names into the
fleet's launch template. These commands show images and where they come from,
make new ones and name the one that a fleet is to run.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAMIList(g), newAMIBuild(g, false), newAMIBuild(g, true), newAMIUse(g))
	return cmd
}

func newAMIList(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "list [STAGE/SLUG]...",
		Short: "Show the images of fleets: lineage and use",
		Long: `list shows, for each fleet (globs are understood; none named: all), the image
that its AMI parameter holds, the one that its group launches if that is another
one, and the other images that were built for its slug: NVIDIA driver, CUDA,
revision of ComfyUI, baked bundle, revision of the specs, time of the build, and
what uses it. Both stages of a slug share its images. Reading only.`,
		Example:     "  reconcile ami list --sandbox\n  reconcile ami list 'production/*' -o json",
		Annotations: withOutputs("text,json"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			ctx := cmd.Context()
			_, desired, err := g.load(ctx)
			if err != nil {
				return err
			}
			_, wanted, err := plan.Selected(desired, plan.Selection{Fleets: args})
			if err != nil {
				return err
			}
			s, err := g.open(ctx, desired.Target)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			if err := s.rightAccount(ctx, desired.Target); err != nil {
				return err
			}
			state, err := s.images(ctx, desired, wanted)
			if err != nil {
				return err
			}
			v := report.Images{Target: desired.Target, Fleets: ami.Overview(state, func(id string) bool { return wanted[id] })}
			if g.output == "json" {
				return unlessClosed(report.AMIJSON(g.out, v))
			}
			return unlessClosed(report.AMI(g.out, v, g.style(g.out)))
		},
	}
}

// rightAccount refuses to look at another account than the specs name.
func (s *session) rightAccount(ctx context.Context, t plan.Target) error {
	account, err := s.cloud.Account(ctx)
	if err != nil {
		return err
	}
	if account != t.Account {
		return &hinted{failWith(exitRefused, "the credentials are for account %s, the specs for account %s; nothing was read", account, t.Account), "aws sts get-caller-identity"}
	}
	return nil
}

// images reads what AWS has of the wanted fleets' images, and of the other
// stage's fleets of the same slugs, which may use them.
func (s *session) images(ctx context.Context, d plan.Desired, wanted map[string]bool) (ami.State, error) {
	slugs := map[string]bool{}
	for _, f := range d.Fleets {
		slugs[slugOf(f.ID)] = slugs[slugOf(f.ID)] || wanted[f.ID]
	}
	var fleets []plan.Fleet
	var sel plan.Selection
	for _, f := range d.Fleets {
		if slugs[slugOf(f.ID)] && f.AMIParameter != "" {
			fleets, sel.Fleets = append(fleets, f), append(sel.Fleets, f.ID)
		}
	}
	if len(fleets) == 0 {
		return ami.State{}, nil
	}
	reads, err := plan.Reads(d, sel)
	if err != nil {
		return ami.State{}, err
	}
	state, err := s.cloud.AMIs(ctx, fleets, reads.LaunchTemplates)
	if err != nil {
		return ami.State{}, fmt.Errorf("read what AWS has: %w", err)
	}
	return state, nil
}

func slugOf(fleet string) string { return fleet[strings.IndexByte(fleet, '/')+1:] }
