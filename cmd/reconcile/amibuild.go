package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/bundle"
	"reconcile/pkg/packer"
	"reconcile/pkg/plan"
)

// packerTemplate is the template's file in the folder (facts: contracts, "AMI builds").
const packerTemplate = "comfyui-worker.pkr.hcl"

// building are the flags of ami build and ami bake.
type building struct {
	folder, worker string
	set            []string
	consent        consent
	bake           bool
}

func newAMIBuild(g *global, bake bool) *cobra.Command {
	b := building{bake: bake}
	cmd := &cobra.Command{
		Use:   "build STAGE/SLUG",
		Short: "Build a fleet's machine image and make its parameter name it",
		Long: `build runs Packer for one fleet: NVIDIA driver and CUDA, ComfyUI, the worker
and the bundle installer, without a bundle. The instance type is that of the
fleet's desired_config. Packer's progress is shown while it goes on; an
interrupt is passed on, and Packer takes away what it made. Then the fleet's
AMI parameter is made to name the image, under the lock, and is waited for
until AWS has accepted it. Nothing is launched by that: the next plan of the
fleet shows what changes.`,
		Example: "  reconcile ami build staging/gpu-default --worker ../worker",
		Args:    fleetAlone,
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.buildAMI(cmd.Context(), args[0], b)
		},
	}
	if bake {
		cmd.Use, cmd.Short = "bake STAGE/SLUG", "Build a fleet's machine image with its active bundle in it"
		cmd.Long = `bake is build with the fleet's active bundle in the image, so that a worker
boots without downloading it. Beside the instance type, the models bucket, the
active bundle and Packer's instance profile come from SSM.`
		cmd.Example = "  reconcile ami bake staging/gpu-default --worker ../worker"
	}
	f := cmd.Flags()
	f.StringVar(&b.folder, "packer", "packer", "`FOLDER` with the Packer template "+packerTemplate)
	f.StringVar(&b.worker, "worker", "", "`FOLDER` of the worker program that goes into the image; it is not part of this repository")
	f.StringArrayVar(&b.set, "var", nil, "another variable of the template, `NAME=VALUE` (repeatable); it wins")
	f.DurationVar(&b.consent.lockTimeout, "lock-timeout", lockPatience, "how long to wait for somebody else's lock, `DURATION`; a dead run's is free after a minute of waiting")
	return cmd
}

func fleetAlone(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one fleet, STAGE/SLUG; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	return nil
}

// buildAMI resolves everything first, so that what is missing is said before
// half an hour of work, and takes the lock only for the parameter: a build is
// long, and changes nothing that others change.
func (g *global) buildAMI(ctx context.Context, fleet string, b building) (err error) {
	if err := b.check(fleet); err != nil {
		return err
	}
	w, s, err := g.onFleet(ctx, fleet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := w.ready(ctx, s); err != nil {
		return err
	}
	variables, err := w.variables(ctx, s, b)
	if err != nil {
		return err
	}
	image, err := g.runPacker(ctx, s, w, b, variables)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.err, "%s: built %s\n", fleet, image)
	// From here on a failure must not lose the image.
	b.consent.yes = true
	if err = w.image(ctx, s.cloud, image); err == nil {
		err = w.promote(ctx, g, s, image, b.command(), b.consent)
	}
	if err != nil {
		return &hinted{fmt.Errorf("image %s of fleet %s was built, and %s does not name it: %w", image, fleet, w.fleet.AMIParameter, err),
			g.command(fmt.Sprintf("reconcile ami use %s %s", fleet, image))}
	}
	return nil
}

func (b building) command() string {
	if b.bake {
		return "reconcile ami bake"
	}
	return "reconcile ami build"
}

// check refuses what can be seen without any account.
func (b building) check(fleet string) error {
	again := b.command() + " " + fleet
	if _, err := os.Stat(filepath.Join(b.folder, packerTemplate)); err != nil {
		return &hinted{fmt.Errorf("no Packer template: %w", err), again + " --packer FOLDER"}
	}
	for _, v := range b.set {
		if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
			return fmt.Errorf("--var %q: want NAME=VALUE", v)
		}
	}
	if b.worker == "" {
		return &hinted{errors.New("--worker is missing: the worker program is not part of this repository, and an image without it serves no job"), again + " --worker FOLDER"}
	}
	if info, err := os.Stat(b.worker); err != nil || !info.IsDir() {
		return &hinted{fmt.Errorf("--worker %s is no folder", b.worker), again + " --worker FOLDER"}
	}
	return nil
}

// variables resolves the template's variables from the specs and SSM (facts:
// contracts, "AMI builds").
func (w fleetWork) variables(ctx context.Context, s *session, b building) (map[string]string, error) {
	t := w.desired.Target
	base := "/" + t.Platform + "/fleets/" + w.fleet.ID
	names := struct{ config, bundle, bucket, profile string }{base + "/desired_config", base + "/active_bundle", "/" + t.Platform + "/models/bucket", "/" + t.Platform + "/packer/instance_profile"}
	live, err := s.cloud.ReadParameters(ctx, []string{names.config, names.bundle, names.bucket, names.profile, w.fleet.AMIParameter})
	if err != nil {
		return nil, err
	}
	if p, ok := live[w.fleet.AMIParameter]; ok { // what could not be written is said before the build
		if _, err := plan.Promote(t, version(), w.fleet, &p, p.Value); err != nil {
			return nil, err
		}
	}
	missing := func(name, why string) error {
		return &hinted{failWith(exitRefused, "fleet %s: parameter %s %s", w.fleet.ID, name, why), s.g.command("reconcile apply --fleet " + w.fleet.ID)}
	}
	var config struct {
		InstanceType string `json:"instance_type"`
	}
	if p, ok := live[names.config]; !ok {
		return nil, missing(names.config, "does not exist: it says on which instance type to build")
	} else if err := json.Unmarshal([]byte(p.Value), &config); err != nil || config.InstanceType == "" {
		return nil, missing(names.config, "holds no instance_type")
	}
	worker, err := filepath.Abs(b.worker)
	if err != nil {
		return nil, err
	}
	out := map[string]string{
		"fleet_slug": slugOf(w.fleet.ID), "aws_region": t.Region, "instance_type": config.InstanceType, "worker_path": worker,
	}
	if t.Revision != "" {
		out["spec_revision"] = t.Revision
	}
	if b.bake {
		id, ok := bundle.IDOfPointer(live[names.bundle].Value)
		if !ok {
			return nil, &hinted{failWith(exitRefused, "fleet %s has no active bundle to bake: %s says %q", w.fleet.ID, names.bundle, live[names.bundle].Value), s.g.command("reconcile ami build " + w.fleet.ID)}
		}
		for _, name := range []string{names.bucket, names.profile} {
			if live[name].Value == "" {
				return nil, missing(name, "does not exist: stack "+t.Platform+"-data makes it")
			}
		}
		out["bundle_id"], out["models_s3_prefix"] = id, bundle.Pointer(id)
		out["models_s3_bucket"], out["packer_instance_profile"] = live[names.bucket].Value, live[names.profile].Value
	}
	for _, v := range b.set {
		name, value, _ := strings.Cut(v, "=")
		out[name] = value
	}
	return out, nil
}

// runPacker builds, with Packer's messages on standard error.
func (g *global) runPacker(ctx context.Context, s *session, w fleetWork, b building, variables map[string]string) (string, error) {
	env, end, err := g.packerEnv(ctx, s, w.desired.Target)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	image, err := packer.Run(ctx, packer.Build{Template: b.folder, Variables: variables, Env: env}, w.desired.Target.Region, func(e packer.Event) {
		if e.Kind == packer.Artifact {
			return
		}
		for _, line := range strings.Split(strings.TrimRight(e.Text, "\n"), "\n") {
			fmt.Fprintf(g.err, "%7s  %s\n", time.Since(begun).Round(time.Second), printable(line))
		}
	})
	if unserved := end(); unserved != nil { // the image is worth more
		g.log.Warn("the sandbox's port for Packer", "error", unserved)
	}
	var absent *packer.NotFoundError
	switch {
	case err == nil:
		return image, nil
	case errors.As(err, &absent):
		return "", &hinted{fmt.Errorf("fleet %s: %w; see https://developer.hashicorp.com/packer/install", w.fleet.ID, absent), "packer version"}
	case errors.Is(err, context.Canceled):
		return "", failWith(exitInterrupted, "interrupted; Packer took away what it made, and %s is as it was", w.fleet.AMIParameter)
	}
	return "", &hinted{failWith(exitApplyFailed, "fleet %s: %w; %s is as it was", w.fleet.ID, err, w.fleet.AMIParameter), "packer validate " + filepath.ToSlash(b.folder)}
}

// packerEnv is Packer's environment: this one's, with the profile and region of
// the flags. In the sandbox it leads to the sandbox, on a port of its own while the build goes on,
// and to nothing else: a build in a sandbox must not cost money.
func (g *global) packerEnv(ctx context.Context, s *session, t plan.Target) (env []string, end func() error, err error) {
	set := []string{"AWS_REGION=" + t.Region, "AWS_DEFAULT_REGION=" + t.Region}
	end = func() error { return nil }
	if s.sandbox == nil {
		if g.profile != "" {
			set = append(set, "AWS_PROFILE="+g.profile)
		}
		return append(os.Environ(), set...), end, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("put the sandbox on a port for Packer: %w", err)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.sandbox.ServeOn(serving, l) }()
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") {
			env = append(env, v)
		}
	}
	set = append(set, "AWS_ENDPOINT_URL=http://"+l.Addr().String(), "AWS_ACCESS_KEY_ID=sandbox", "AWS_SECRET_ACCESS_KEY=sandbox",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	return append(env, set...), func() error { stop(); return <-ended }, nil
}
