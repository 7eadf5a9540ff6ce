package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/assetops"
	"reconcile/pkg/cloud"
	"reconcile/pkg/dev"
)

func newDevApplyBundle(g *global) *cobra.Command {
	var again bool
	cmd := &cobra.Command{
		Use:   "apply-bundle INSTANCE|STAGE/SLUG",
		Short: "Install the fleet's active bundle on a running dev instance",
		Long: `apply-bundle installs the active bundle of the instance's fleet by Systems
Manager's Run Command, restarts ComfyUI, and waits up to six hours. Interrupted,
the same command goes on waiting for what runs. The output is kept in the logs
bucket; with ASSET_OPS_API_URL and ASSET_OPS_SECRET in the environment the
backend hears of it.`,
		Example: "  reconcile dev apply-bundle i-0123456789abcdef0\n  reconcile dev apply-bundle staging/gpu-default",
		Args:    oneArg("INSTANCE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if !strings.HasPrefix(args[0], "i-") {
				if _, err := dev.ParseFleet("", args[0]); err != nil {
					return usageError(err)
				}
			}
			ctx := cmd.Context()
			s, desired, err := g.devSession(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.close()) }()
			a := cloud.DevApply{Account: desired.Target.Account, Again: again}
			if a.Instance, err = runningDev(ctx, s, desired.Target.Platform, args[0]); err != nil {
				return g.refused(err)
			}
			if a.Bundle, err = s.cloud.DevBundle(ctx, a.Instance.Fleet); err != nil {
				return g.refused(err)
			}
			if at := a.Instance.Stops(); !at.IsZero() && at.Sub(s.now()) < time.Hour {
				g.devStep(fmt.Sprintf("%s stops itself in %s, which ends what is not installed by then", a.Instance.ID, span(at.Sub(s.now()))))
			}
			done, err := s.cloud.ApplyDevBundle(ctx, a, g.devStep)
			if err != nil {
				return g.refused(err)
			}
			return g.showDevApplied(ctx, a, done)
		},
	}
	cmd.Flags().BoolVar(&again, "again", false, "send a new command also where an earlier one ended and its output was not kept")
	return cmd
}

// runningDev is the one instance that is meant, which must run.
func runningDev(ctx context.Context, s *session, platform, name string) (dev.Instance, error) {
	all, err := s.cloud.DevLeftovers(ctx, platform)
	if err != nil {
		return dev.Instance{}, err
	}
	left, err := all.Named(platform, name)
	if err != nil {
		return dev.Instance{}, err
	}
	return left.Running(name)
}

func (g *global) showDevApplied(ctx context.Context, a cloud.DevApply, done cloud.DevApplied) error {
	c := done.Command
	for _, line := range dev.Tail(c.Output, 10) {
		fmt.Fprintln(g.out, "  "+printable(line))
	}
	if done.Kept != nil {
		fmt.Fprintf(g.err, "warning: the output of %s was not kept: %s\n  next: the same command keeps it; with --again it installs anew\n", c.ID, printable(done.Kept.Error()))
	}
	if c.Status != "Success" {
		for _, line := range dev.Tail(c.Errors, 20) {
			fmt.Fprintln(g.err, "  "+printable(line))
		}
		return g.refused(&dev.Trouble{Doing: fmt.Sprintf("apply %s to %s", a.Bundle.Prefix, a.Instance.ID), Code: c.Status,
			Message: fmt.Sprintf("%s, exit code %d of command %s", c.Details, c.Code, c.ID),
			Next:    "see /var/log/comfyui-asset-sync.log on the instance, then reconcile dev apply-bundle " + a.Instance.ID})
	}
	g.recordApplied(ctx, a, done)
	how := "is installed on"
	if done.Earlier {
		how = "was installed by an earlier call's command on"
	}
	fmt.Fprintf(g.out, "%s %s %s, and ComfyUI runs anew: %s\n", a.Bundle.Prefix, how, a.Instance.ID, a.Instance.URL())
	if done.Kept == nil {
		fmt.Fprintf(g.out, "  output: s3://%s/%s\n", dev.LogsBucket(a.Instance.Fleet.Platform, a.Account), done.Key)
	}
	return nil
}

// recordApplied tells the backend. That it does not hear is a warning: the
// bundle is installed.
func (g *global) recordApplied(ctx context.Context, a cloud.DevApply, done cloud.DevApplied) {
	base := os.Getenv(assetops.URLVariable)
	if base == "" {
		fmt.Fprintln(g.err, "the backend does not hear of it: "+assetops.URLVariable+" is not set")
		return
	}
	e := assetops.Event{BundleID: a.Bundle.ID, Event: "dev_bundle_applied",
		Metadata: map[string]string{"fleet_slug": a.Instance.Fleet.Slug, "instance_id": a.Instance.ID, "bundle_prefix": a.Bundle.Prefix}}
	if done.Kept == nil {
		e.Artifact = &done.Key
	}
	err := assetops.Record(ctx, base, os.Getenv(assetops.SecretVariable), e)
	if err == nil {
		return
	}
	repeat, badBody := assetops.Repeat(e)
	if badBody != nil {
		repeat = badBody.Error()
	}
	fmt.Fprintf(g.err, "warning: the backend does not hear of it: %s\n  next: %s\n", printable(err.Error()), printable(repeat))
}
