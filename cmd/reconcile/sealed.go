package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/revision"
	"reconcile/pkg/spec"
)

// maxPlanFile is far above the plan of the largest platform.
const maxPlanFile = 256 << 20

// seal writes a plan to a file that only its owner reads. The file is whole or
// is not there.
func (g *global) seal(file string, p plan.Plan, approvals []spec.Approval) error {
	data, err := plan.Seal(p, approvals)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".plan-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write the plan: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if g.output == "text" {
		fmt.Fprintf(g.err, "%s: this plan, to be applied as it is by reconcile apply %s\n", file, report.ShellWord(file))
	}
	return nil
}

// proposed is the plan that an apply is about: the one in a file, or a new one.
func (g *global) proposed(ctx context.Context, s *session, args []string, sel selectFlags, approve []plan.Approval) (plan.Plan, *session, []plan.Approval, error) {
	p, s, carried, err := g.sealedOrNew(ctx, s, args, sel, approve)
	var aside *steppedAside
	if errors.As(err, &aside) && g.output == "json" {
		err = errors.Join(err, g.resultJSON(plan.Plan{}, apply.Result{Aside: aside.Error()}))
	}
	return p, s, carried, err
}

func (g *global) sealedOrNew(ctx context.Context, s *session, args []string, sel selectFlags, approve []plan.Approval) (plan.Plan, *session, []plan.Approval, error) {
	if len(args) == 1 {
		return g.sealed(ctx, s, args[0])
	}
	if g.approved != "" && !isDigest(g.approved) {
		if _, err := readSealed(g.approved); err != nil {
			return plan.Plan{}, nil, nil, fmt.Errorf("--approved-effects wants 64 hex digits or the file of a plan: %w", err)
		}
	}
	return g.planIn(ctx, s, sel, approve, true)
}

// planFile takes one argument at most, the file of a sealed plan.
func planFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("%s takes one file of a plan at most, got %q; see %s --help", cmd.CommandPath(), args, cmd.CommandPath())
	}
	for _, flag := range []string{"fleet", "stack"} {
		if len(args) == 1 && cmd.Flags().Changed(flag) {
			return fmt.Errorf("%s is applied as it is: leave out --%s, or plan again with it", args[0], flag)
		}
	}
	return nil
}

// sealed opens the plan in a file, and the account that it is for. What it
// gives is what global.planIn gives. The steps are as they were sealed; which
// revision was applied last, and which approvals were used up, is asked anew.
func (g *global) sealed(ctx context.Context, s *session, file string) (plan.Plan, *session, []plan.Approval, error) {
	in, err := readSealed(file)
	if err != nil {
		return plan.Plan{}, s, nil, err
	}
	p := in.Plan
	if p.Tool != version() {
		return plan.Plan{}, s, nil, &hinted{failWith(exitRefused, "%s was planned by reconcile %s, and this is %s: another version may render other templates", file, p.Tool, version()), g.command("reconcile plan --out " + report.ShellWord(file))}
	}
	if err := g.sameSpecs(ctx, file, p.Target); err != nil {
		return plan.Plan{}, s, nil, err
	}
	if s == nil {
		if s, err = g.open(ctx, p.Target); err != nil {
			return plan.Plan{}, nil, nil, err
		}
	}
	account, err := s.cloud.Account(ctx)
	switch {
	case err != nil:
		return plan.Plan{}, s, nil, err
	case account != p.Target.Account:
		return plan.Plan{}, s, nil, failWith(exitRefused, "%s is a plan for account %s, the credentials are for account %s", file, p.Target.Account, account)
	}
	if p.Target.Revision != "" {
		if p.Applied, err = s.cloud.Applied(ctx, p.Target.Platform); err != nil {
			return plan.Plan{}, s, nil, err
		}
	}
	if _, err := g.descends(p.Target, p.Applied, true); err != nil {
		return plan.Plan{}, s, nil, err
	}
	used := g.spender(ctx, s, p.Target)
	s.carried = slices.DeleteFunc(in.Given(time.Now()), func(a spec.Approval) bool { return used(a) != "" })
	carried := make([]plan.Approval, len(s.carried))
	for i, a := range s.carried {
		carried[i] = plan.ConsentOf(a)
	}
	return p, s, carried, g.reviewed(p)
}

func readSealed(file string) (plan.Sealed, error) {
	f, err := os.Open(file)
	if err != nil {
		if strings.HasSuffix(file, ".json") {
			return plan.Sealed{}, fmt.Errorf("read the plan: %w; to name the sandbox's file write --sandbox=%s", err, report.ShellWord(file))
		}
		return plan.Sealed{}, fmt.Errorf("read the plan: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPlanFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return plan.Sealed{}, fmt.Errorf("read the plan: %w", err)
	}
	if len(data) > maxPlanFile {
		return plan.Sealed{}, failWith(exitRefused, "%s is larger than any plan", file)
	}
	s, err := plan.OpenSealed(data)
	var refused *plan.SealedError
	switch {
	case errors.As(err, &refused) && refused.Foreign && bytes.HasPrefix(data, []byte(`{"reconcile-sandbox":`)):
		return s, &hinted{failWith(exitRefused, "%s is the state of a sandbox and no plan; it is named by --sandbox=%s", file, report.ShellWord(file)), "reconcile apply --sandbox=" + report.ShellWord(file)}
	case err != nil:
		return s, failWith(exitRefused, "%s: %w", file, err)
	}
	return s, nil
}

// sameSpecs refuses a plan of other specs than those that are here. Where there
// are none, the plan's own digest and revision are all that is known.
func (g *global) sameSpecs(ctx context.Context, file string, t plan.Target) error {
	if _, err := os.Stat(g.specs); errors.Is(err, os.ErrNotExist) && g.rev == "" {
		return nil
	}
	options, _, err := g.source(g.rev)
	if err != nil {
		return err
	}
	set, err := spec.Load(ctx, options)
	why := "differ from those"
	var issues spec.Issues
	switch {
	case errors.As(err, &issues):
		why = "are not valid (" + counted(len(issues), "finding") + ") and so are others than those"
	case err != nil:
		return err
	case set.Digest == t.Specs:
		return nil
	}
	e := &hinted{failWith(exitRefused, "the specs in %s %s that %s was planned from", g.named(), why, file), g.command("reconcile plan --out " + report.ShellWord(file))}
	if commit, dirty := revision.Dirty(t.Revision); commit != "" && !dirty && g.rev == "" {
		e.error = failWith(exitRefused, "the specs in %s %s that %s was planned from, those of commit %s (--rev %s compares with them)", g.named(), why, file, revision.Short(commit), revision.Short(commit))
	}
	return e
}

// reviewed refuses a plan that does something else than what was approved.
func (g *global) reviewed(p plan.Plan) error {
	if g.approved == "" || p.Empty() {
		return nil
	}
	want, approved := g.approved, plan.Plan{}
	if !isDigest(want) {
		s, err := readSealed(g.approved)
		if err != nil {
			return fmt.Errorf("--approved-effects: %w", err)
		}
		approved, want = s.Plan, plan.Effects(s.Plan)
	}
	if plan.Effects(p) == want {
		return nil
	}
	if begun(p) {
		g.log.Info("an apply of this commit began already, with its effects approved; what is left of it is done", "commit", p.Target.Revision)
		return nil
	}
	return &hinted{failWith(exitRefused, "the plan does something else than what was approved (effects %s, approved %s): %s", plan.Effects(p)[:12], want[:12], differing(approved, p)),
		g.command("reconcile plan")}
}

func isDigest(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }

// differing names the steps in which two plans differ, or all of the new one
// where the other is not known.
func differing(approved, p plan.Plan) string {
	if approved.FormatVersion == "" {
		return "it has " + counted(len(p.Steps), "step") + ": " + some(stepIDs(p.Steps))
	}
	var added, changed, gone []string
	for _, s := range p.Steps {
		was, there := approved.Step(s.ID)
		switch {
		case !there:
			added = append(added, string(s.ID))
		case plan.StepEffects(was) != plan.StepEffects(s):
			changed = append(changed, string(s.ID))
		}
	}
	for _, s := range approved.Steps {
		if _, there := p.Step(s.ID); !there {
			gone = append(gone, string(s.ID))
		}
	}
	var parts []string
	for _, part := range []struct {
		what string
		ids  []string
	}{{"new", added}, {"otherwise", changed}, {"gone", gone}} {
		if len(part.ids) > 0 {
			parts = append(parts, part.what+": "+some(part.ids))
		}
	}
	if was, is := plan.ActsAs(approved), plan.ActsAs(p); was != is {
		parts = append(parts, fmt.Sprintf("CloudFormation acts with %s, approved was %s", roleName(is), roleName(was)))
	}
	switch {
	case parts != nil:
	case approved.Target.Platform == p.Target.Platform && approved.Target.Account == p.Target.Account && approved.Target.Region == p.Target.Region:
		return "its steps are in another order"
	default:
		return "it is for another account, region or platform"
	}
	return strings.Join(parts, "; ")
}

func roleName(arn string) string {
	if arn == "" {
		return "the rights of the caller"
	}
	return "role " + arn
}

func stepIDs(steps []plan.Step) []string {
	ids := make([]string, len(steps))
	for i, s := range steps {
		ids[i] = string(s.ID)
	}
	return ids
}

// some names a few.
func some(names []string) string {
	const shown = 10
	slices.Sort(names)
	if more := len(names) - shown; more > 1 {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
