package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
	"reconcile/pkg/report"
)

// acceptDrift writes the edits of the specs that accept what is live. Each is
// tried on a copy first: what it would change beside refuses it.
func (g *global) acceptDrift(ctx context.Context, d *drifted, style report.Options) error {
	edits, refused := g.editsFor(d.report.Hand)
	a := report.Accepted{Refused: refused}
	for _, e := range edits {
		if e.Print {
			a.Printed = append(a.Printed, e)
			continue
		}
		if err := g.tried(ctx, d.desired, e); err != nil {
			if errors.Is(err, context.Canceled) {
				return err
			}
			for _, f := range e.Findings() {
				a.Refused = append(a.Refused, report.NotAccepted{Finding: f, Why: err.Error()})
			}
			continue
		}
		a.Written = append(a.Written, e)
	}
	if err := g.writeEdits(a.Written); err != nil {
		return err
	}
	var err error
	if g.output == "json" {
		err = report.AcceptedJSON(g.out, a)
	} else {
		err = report.AcceptedText(g.out, a, style)
	}
	if err := unlessClosed(err); err != nil {
		return err
	}
	if len(a.Refused) > 0 {
		return failWith(exitRefused, "%s not accepted", counted(len(a.Refused), "difference"))
	}
	return nil
}

// editsFor finds one edit per scalar of the specs.
func (g *global) editsFor(hand []drift.Finding) ([]drift.Edit, []report.NotAccepted) {
	var edits []drift.Edit
	var refused []report.NotAccepted
	for _, f := range hand {
		e, err := g.editFor(f)
		if err == nil {
			if i := slices.IndexFunc(edits, e.Same); i >= 0 {
				edits[i], err = edits[i].Join(e)
			} else {
				edits = append(edits, e)
			}
		}
		if err != nil {
			refused = append(refused, report.NotAccepted{Finding: f, Why: err.Error()})
		}
	}
	return edits, refused
}

func (g *global) editFor(f drift.Finding) (drift.Edit, error) {
	if f.Source.File == "" {
		return drift.EditFor(f, nil)
	}
	body, err := g.excerpt(f.Source.File)
	if err != nil {
		return drift.Edit{}, err
	}
	return drift.EditFor(f, body)
}

// tried loads the specs with the edit from a copy, and tells what the edit
// would change beside what it accepts.
func (g *global) tried(ctx context.Context, before plan.Desired, e drift.Edit) error {
	dir, err := os.MkdirTemp("", "reconcile-accept")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	try := *g
	try.specs = filepath.Join(dir, filepath.Base(g.specs))
	if err := os.CopyFS(try.specs, os.DirFS(g.specs)); err != nil {
		return fmt.Errorf("copy the specs: %w", err)
	}
	if err := try.writeEdit(g.specs, e); err != nil {
		return err
	}
	_, after, err := try.validated(ctx)
	if err != nil {
		return fmt.Errorf("%s:%d cannot be %s: %w", e.File, e.Line, e.New, err)
	}
	if beside := besides(before, after, e); len(beside) > 0 {
		return fmt.Errorf("%s:%d decides more: it would change %s too", e.File, e.Line, strings.Join(beside, ", "))
	}
	return nil
}

// besides lists what two renderings differ in, apart from what the edit
// accepts; and what it accepts and does not reach.
func besides(before, after plan.Desired, e drift.Edit) []string {
	accepted, reached := map[string]any{}, map[string]bool{}
	for _, f := range e.Findings() {
		accepted[f.Stack+"/"+f.Resource+" "+f.Path] = f.Live
	}
	templates := map[string]cfn.Template{}
	for _, s := range after.Stacks {
		templates[s.Name] = s.Template
	}
	var out []string
	for _, s := range before.Stacks {
		for _, diff := range cfn.Diff(s.Template, templates[s.Name]) {
			at := s.Name + "/" + diff.Resource + " " + diff.Path
			if live, ok := accepted[at]; ok && fmt.Sprint(live) == fmt.Sprint(diff.After) {
				reached[at] = true
				continue
			}
			out = append(out, s.Name+"/"+diff.Resource+" "+strings.TrimPrefix(diff.Path, "Properties."))
		}
	}
	was := map[string]any{}
	for _, p := range before.Parameters {
		was[p.Name] = p.Value
	}
	for _, p := range after.Parameters {
		if fmt.Sprint(was[p.Name]) != fmt.Sprint(p.Value) {
			out = append(out, "parameter "+p.Name)
		}
	}
	for at := range accepted {
		if !reached[at] && len(out) == 0 {
			out = append(out, "nothing of "+at)
		}
	}
	return out
}

func (g *global) writeEdits(edits []drift.Edit) error {
	// From the end of a file to its beginning, so that no edit moves another.
	slices.SortFunc(edits, func(a, b drift.Edit) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return (b.Line<<16 + b.Column) - (a.Line<<16 + a.Column)
	})
	for _, e := range edits {
		if err := g.writeEdit(g.specs, e); err != nil {
			return err
		}
	}
	return nil
}

// writeEdit edits a file below g.specs, which the edit names below the folder named.
func (g *global) writeEdit(named string, e drift.Edit) error {
	name, err := filepath.Rel(named, e.File)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(g.specs)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	body, err := root.ReadFile(name)
	if err != nil {
		return err
	}
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	return root.WriteFile(name, e.Apply(body), info.Mode().Perm())
}
