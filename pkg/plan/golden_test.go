package plan_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"reconcile/pkg/plan"
)

var update = flag.Bool("update", false, "write the plans into the golden files")

// options of a golden case, file "options".
type options struct {
	Fleets, Stacks []string
	Approve        []string
	Destroy        bool
	Resources      []string
}

// TestGolden runs each testdata/*.txtar: "was" is the specs that were applied
// before (the account is empty without it), "live" is laid over the account
// that they left, "specs" is what is wanted now ("was" again without it), and
// "plan" is what must come out.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range a.Files {
				parts[f.Name] = string(f.Data)
			}
			got := golden(t, parts)
			if !*update {
				if diff := cmp.Diff(parts["plan"], got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
				return
			}
			for i := range a.Files {
				if a.Files[i].Name == "plan" {
					a.Files = append(a.Files[:i], a.Files[i+1:]...)
					break
				}
			}
			a.Files = append(a.Files, txtar.File{Name: "plan", Data: []byte(got)})
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func golden(t *testing.T, parts map[string]string) string {
	t.Helper()
	was, specs := parse[plan.Desired](t, parts["was"]), parse[plan.Desired](t, parts["specs"])
	if parts["specs"] == "" {
		specs = parse[plan.Desired](t, parts["was"])
	}
	if was.Target.Platform == "" {
		was.Target = specs.Target
	}
	l := deployed(t, was)
	overlay(&l, parse[plan.Live](t, parts["live"]))
	o := parse[options](t, parts["options"])
	if o.Destroy {
		return outcome(plan.Destroy(specs, l, plan.DestroyOptions{
			Select: plan.Selection{Fleets: o.Fleets, Stacks: o.Stacks}, Resources: o.Resources}))
	}
	approve := make([]plan.Approval, len(o.Approve))
	for i, a := range o.Approve {
		kind, target, _ := strings.Cut(a, ":")
		approve[i] = plan.Approval{Kind: plan.ApprovalKind(kind), Target: target}
	}
	return outcome(plan.Compute(specs, l, plan.Options{
		Select: plan.Selection{Fleets: o.Fleets, Stacks: o.Stacks}, Approve: approve}))
}

func outcome(p plan.Plan, err error) string {
	var notRead *plan.NotReadError
	switch {
	case errors.As(err, &notRead):
		return "not read: " + strings.Join(notRead.Stacks, ", ") + "\n"
	case err != nil:
		return fmt.Sprintf("error: %v\n", err)
	}
	return show(p)
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := yaml.UnmarshalStrict([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// overlay lays over what the case says of the account. A stack without a
// template keeps the deployed half; an entry that says "gone" is taken out.
func overlay(l *plan.Live, over plan.Live) {
	if over.Account != "" {
		l.Account = over.Account
	}
	for name, s := range over.Stacks {
		base, was := l.Stacks[name]
		if s.Status == "gone" {
			delete(l.Stacks, name)
			continue
		}
		if !was {
			s.Name = name
			l.Stacks[name] = s
			continue
		}
		base.Status, base.Reason, base.Token = s.Status, s.Reason, s.Token
		if s.Description != "" {
			base.Owned, base.Description = false, s.Description
		}
		if s.Protected {
			base.Protected = true
		}
		resources := maps.Clone(base.Resources)
		for id, r := range s.Resources {
			old := resources[id]
			old.Status = r.Status
			resources[id] = old
		}
		base.Resources = resources
		maps.Copy(base.Tags, s.Tags)
		l.Stacks[name] = base
	}
	for name, p := range over.Parameters {
		if p.Type == "gone" {
			delete(l.Parameters, name)
			continue
		}
		l.Parameters[name] = p
	}
	maps.Copy(l.Secrets, over.Secrets)
	for name, s := range over.Secrets {
		if s.ARN == "gone" {
			delete(l.Secrets, name)
		}
	}
	maps.Copy(l.LogGroups, over.LogGroups)
	for name, g := range over.Groups {
		if g.LaunchTemplate == "gone" {
			delete(l.Groups, name)
			continue
		}
		l.Groups[name] = g
	}
	maps.Copy(l.LaunchTemplates, over.LaunchTemplates)
	maps.Copy(l.Images, over.Images)
	maps.Copy(l.Bundles, over.Bundles)
	maps.Copy(l.Assets, over.Assets)
	maps.Copy(l.Certificates, over.Certificates)
	l.Named, l.Remains = over.Named, over.Remains
}
