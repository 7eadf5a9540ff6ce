package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"reconcile/pkg/sandbox"
)

func newSandbox(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Work with the embedded sandbox: an AWS account in one file",
		Long: `The sandbox is an AWS account in one file: with --sandbox every command works
on it instead of AWS, over the same wire. Its state is kept between commands.
These commands start it anew, look into it, put it on a port for other programs,
change it by hand and let it go wrong.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSandboxReset(g), newSandboxShow(g), newSandboxServe(g), newSandboxMutate(g), newSandboxFault(g))
	return cmd
}

func (g *global) sandboxFile() string {
	if g.sandbox != "" {
		return g.sandbox
	}
	return defaultSandbox
}

func newSandboxReset(g *global) *cobra.Command {
	var fresh freshAccount
	var quotas sandbox.Quotas
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Start with a fresh account",
		Long: "reset replaces the sandbox's state by a fresh account, in which the\ncontainer images and fleet AMIs that specs ask for exist; with --bare by an\nempty one.\n\n" +
			timeHelp,
		Example: "  reconcile sandbox reset\n  reconcile sandbox reset --bare\n  reconcile sandbox reset --seed demo --time virtual",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := fresh.options(g)
			if err != nil {
				return err
			}
			options.Quotas = quotas
			if err := sandbox.Renew(options); err != nil {
				return err
			}
			if err := raiseVCPUs(cmd.Flags(), options); err != nil {
				return err
			}
			what := "a fresh account; its container images and fleet AMIs exist"
			if fresh.bare {
				what = "an empty account"
			}
			fmt.Fprintf(g.out, "%s: %s\n", g.sandboxFile(), what)
			return nil
		},
	}
	fresh.flags(cmd)
	cmd.Flags().IntVar(&quotas.Stacks, "quota-stacks", 0, "stacks a region may have; 0 is AWS's default, 2,000")
	cmd.Flags().IntVar(&quotas.Groups, "quota-groups", 0, "Auto Scaling groups a region may have; 0 is AWS's default, 500")
	cmd.Flags().IntVar(&quotas.Parameters, "quota-parameters", 0, "SSM parameters a region may have; 0 is AWS's default, 10,000")
	for _, q := range vcpuFlags() {
		cmd.Flags().Int(q.flag, q.value, q.usage)
	}
	return cmd
}

// vcpuFlag is a flag that sets a vCPU quota of EC2.
type vcpuFlag struct {
	flag, code, usage string
	value             int
}

func vcpuFlags() []vcpuFlag {
	return []vcpuFlag{
		{"quota-g-spot-vcpus", "L-3819A6DF", "vCPUs of G and VT Spot instances; a new AWS account has 0", 64},
		{"quota-g-vcpus", "L-DB2E81BA", "vCPUs of G and VT On-Demand instances; a new AWS account has 0", 64},
	}
}

// raiseVCPUs sets the quotas that flags name, in the account's own region.
func raiseVCPUs(flags *pflag.FlagSet, o sandbox.Options) (err error) {
	var changes []sandbox.QuotaChange
	for _, q := range vcpuFlags() {
		n, err := flags.GetInt(q.flag)
		if err != nil {
			return err
		}
		if n < 0 {
			return usageError(fmt.Errorf("--%s %d: a quota is not negative", q.flag, n))
		}
		if flags.Changed(q.flag) {
			changes = append(changes, sandbox.QuotaChange{Service: "ec2", Code: q.code, Value: float64(n)})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	box, err := sandbox.Open(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	for _, change := range changes {
		if err := box.SetQuota("", change); err != nil {
			return err
		}
	}
	return nil
}

func newSandboxShow(g *global) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show what is in the sandbox",
		Long:    "show lists the stacks, groups, parameters, secrets and other things that the\nsandbox's account holds; never a secret's value.",
		Example: "  reconcile sandbox show",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := os.Stat(g.sandboxFile()); err != nil {
				return fmt.Errorf("no sandbox: %w; any command with --sandbox makes one", err)
			}
			box, err := sandbox.Open(sandbox.Options{Path: g.sandboxFile()})
			if err != nil {
				return err
			}
			g.sayTorn(box)
			if err := box.Show(g.out); err != nil {
				return err
			}
			return box.Close()
		},
	}
}
