package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
	"reconcile/pkg/workflow"
)

// action is set by the linker in releases: the repository and the commit that
// the release was built from, OWNER/NAME@COMMIT.
var action string

func newInit(g *global) *cobra.Command {
	var o spec.ScaffoldOptions
	var use, environment string
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a new folder of specs that validates",
		Long: `init writes a folder of specs that validates as it is, with editor modelines. It
never overwrites a file. The region is that of --region, us-east-1 without it.

In a git repository it also writes workflows for GitHub: validate, plan, apply,
drift, fleet and unlock. They install the release that wrote them; a build that
is no release needs --workflows for that. For a folder that has specs already it
writes the workflows alone, with the region, branch and environment that these
name.`,
		Example: "  reconcile init specs --account 123456789012 --region eu-west-1\n  reconcile init accounts/staging --environment staging-infra",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := g.specs
			o.Region = g.region
			if len(args) == 1 {
				dir = args[0]
			}
			if use == "" && action != "" && release != "" {
				use = action + " # v" + release
			}
			f := cmd.Flags()
			there := use != "" && held(dir) && !f.Changed("name") && !f.Changed("account")
			plans, err := g.workflowsFor(cmd.Context(), dir, use, environment, there, f.Changed("environment"))
			if err != nil {
				return err
			}
			var written []string
			if !there {
				written, err = spec.Scaffold(cmd.Context(), dir, o)
			}
			if err != nil {
				return err
			}
			more, err := plans.write()
			written = append(written, more...)
			for _, name := range written {
				fmt.Fprintln(g.out, name)
			}
			if err != nil {
				return err
			}
			if plans.note != "" {
				fmt.Fprintln(g.err, plans.note)
			}
			fmt.Fprintf(g.err, "next: reconcile validate --specs %s\n", dir)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "bp", "the Platform's name, which starts every stack's name")
	f.StringVar(&o.Account, "account", "123456789012", "AWS account, 12 digits")
	f.StringVar(&use, "workflows", "", "the action that the workflows install reconcile with, `\"OWNER/NAME@COMMIT # v1.2.3\"`; default: that of this release")
	f.StringVar(&environment, "environment", "production-infra", "GitHub environment of the jobs that change AWS")
	return cmd
}

// workflowsFor are the workflows for a new folder of specs, or for one that is
// there already.
func (g *global) workflowsFor(ctx context.Context, dir, use, environment string, there, given bool) (newWorkflow, error) {
	at, branch := workflow.Folder{Environment: environment, Region: cmp.Or(g.region, "us-east-1")}, "main"
	if there {
		var err error
		if branch, err = g.asSpecified(ctx, dir, &at, given); err != nil {
			return newWorkflow{}, err
		}
	}
	return newWorkflows(dir, use, branch, at)
}

// held tells whether a folder holds something already.
func held(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) > 0
}

// asSpecified takes what workflows must agree on with the specs of a folder that
// is there, and gives the branch that is applied.
func (g *global) asSpecified(ctx context.Context, dir string, at *workflow.Folder, given bool) (string, error) {
	g.specs = dir
	set, _, err := g.load(ctx)
	if err != nil {
		return "", err
	}
	at.Region = set.Platform.Region
	github := set.Platform.GitHub
	if github == nil {
		return "main", nil
	}
	if given && at.Environment != github.ApplyEnvironment {
		return "", fmt.Errorf("--environment %s: %s names %s (spec.github.environments.apply), which the roles trust", at.Environment, dir, github.ApplyEnvironment)
	}
	at.Environment, at.Plan = github.ApplyEnvironment, github.PlanEnvironment
	return github.Branch, nil
}

// newWorkflow is what init writes beside the specs.
type newWorkflow struct {
	dir   string // of the workflows
	files map[string][]byte
	note  string
}

// newWorkflows are those for a folder of specs in a git repository; none
// elsewhere, where the repository has workflows, or without an action.
func newWorkflows(dir, use, branch string, at workflow.Folder) (newWorkflow, error) {
	root, found := gitAbove(dir)
	if !found {
		if use != "" && use != action+" # v"+release {
			return newWorkflow{}, fmt.Errorf("--workflows: %s is in no git repository; git init makes one", dir)
		}
		return newWorkflow{}, nil
	}
	if use == "" {
		return newWorkflow{note: "no workflows: this build is no release; --workflows \"OWNER/NAME@COMMIT # v1.2.3\" names the action that installs one"}, nil
	}
	folder, err := filepath.Rel(root, resolved(dir))
	if err != nil {
		return newWorkflow{}, err
	}
	at.Specs, at.Account = filepath.ToSlash(folder), stacks.AccessSuffix(at.Environment)
	p := newWorkflow{dir: filepath.Join(root, ".github", "workflows")}
	p.files, err = workflow.Files(workflow.Options{Action: use, Branch: branch, Folders: []workflow.Folder{at}})
	if err != nil {
		return p, fmt.Errorf("workflows: %w", err)
	}
	for name := range p.files {
		if _, err := os.Lstat(filepath.Join(p.dir, name)); err == nil {
			return newWorkflow{note: fmt.Sprintf("no workflows: %s has %s already; add {specs: %s, environment: %s, account: %s, region: %s} to the matrices there",
				p.dir, name, at.Specs, at.Environment, at.Account, at.Region)}, nil
		}
	}
	return p, nil
}

func (p newWorkflow) write() ([]string, error) {
	var names, written []string
	for name := range p.files {
		names = append(names, name)
	}
	slices.Sort(names)
	if names != nil {
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		path := filepath.Join(p.dir, name)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return written, fmt.Errorf("new workflow: %w", err)
		}
		_, err = f.Write(p.files[name])
		if err = errors.Join(err, f.Close()); err != nil {
			return written, fmt.Errorf("new workflow %s: %w", path, err)
		}
		written = append(written, filepath.Join(".github", "workflows", name))
	}
	return written, nil
}

// gitAbove is the root of the git repository that a folder, which need not
// exist yet, is in.
func gitAbove(dir string) (string, bool) {
	at := resolved(dir)
	for {
		if _, err := os.Lstat(at); err == nil {
			at = resolved(at)
			break
		}
		at = filepath.Dir(at)
	}
	for {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at, true
		}
		if at == filepath.Dir(at) {
			return "", false
		}
		at = filepath.Dir(at)
	}
}
