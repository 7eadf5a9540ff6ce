package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// review is how a comment is written.
func review() Options {
	return Options{MaxBytes: 60_000, Review: Review{Folder: "specs", Full: "https://github.com/acme/platform/actions/runs/7",
		Link: func(s spec.Source) string {
			return fmt.Sprintf("https://github.com/acme/platform/blob/3f2a9c1/%s#L%d", s.File, s.Line)
		}}}
}

// twoHundred is a plan that changes 200 fleets; each says what one does.
func twoHundred(each func(i int, name string) []plan.Step) plan.Plan {
	p := plan.Plan{FormatVersion: plan.FormatVersion, Tool: "test", Target: target, Digest: "d"}
	for i := range 200 {
		steps := each(i, fmt.Sprintf("gpu-%03d", i+1))
		p.Steps = append(p.Steps, steps...)
		p.Summary.Change += len(steps)
	}
	return p
}

func fleetStep(name string, line int, changes ...plan.Change) plan.Step {
	stack := "bp-gpu-fleet-staging-" + name
	for i := range changes {
		changes[i].Stack, changes[i].Source = stack, at("fleets.cue", line)
	}
	return plan.Step{ID: plan.StepID("stack/" + stack), Kind: plan.KindStack, Target: stack, Action: plan.ActionUpdate, Base: "b",
		Body: plan.Body{Stack: &plan.StackBody{Name: stack, Owner: "bp"}}, Changes: changes, Source: at("fleets.cue", line)}
}

func image(name string, before, after string) plan.Change {
	return plan.Change{Resource: "LaunchTemplate", Type: "AWS::EC2::LaunchTemplate", Physical: "lt-" + name, Action: plan.ActionUpdate,
		Path: "Properties.LaunchTemplateData.ImageId", Before: before, After: after, Replace: plan.ReplaceNo}
}

func TestManyFleetsAlikeStayShort(t *testing.T) {
	p := twoHundred(func(i int, name string) []plan.Step {
		parameter := "/bp/fleets/staging/" + name + "/desired_config"
		config := fmt.Sprintf(`{"fleet":%q,"max_size":%%d}`, name)
		version := plan.Change{Resource: "Group", Type: "AWS::AutoScaling::AutoScalingGroup", Physical: "staging-" + name, Action: plan.ActionUpdate,
			Path: "Properties.LaunchTemplate.Version", Before: fmt.Sprint(i % 7), After: "x", Unknown: true, Replace: plan.ReplaceNo}
		return []plan.Step{
			{ID: plan.StepID("parameter" + parameter), Kind: plan.KindParameter, Target: parameter, Action: plan.ActionUpdate, Base: "b",
				Body: plan.Body{Parameter: &plan.ParameterBody{Name: parameter}}, Source: at("fleets.cue", 10+i),
				Changes: []plan.Change{{Resource: parameter, Action: plan.ActionUpdate, Path: "Value", Before: fmt.Sprintf(config, 3), After: fmt.Sprintf(config, 4), Source: at("fleets.cue", 10+i)}}},
			fleetStep(name, 10+i, version, image(name, "ami-0aaa", "ami-0bbb")),
		}
	})
	got := written(t, func(w io.Writer) error { return PlanMarkdown(w, p, review()) })
	golden(t, "alike.md", got)
	if n := strings.Count(got, "\n"); n > 60 || len(got) > 4000 {
		t.Errorf("%d lines, %d bytes", n, len(got))
	}
}

// differing is a plan in which each fleet changes in its own way, and every
// tenth in a dangerous one.
func differing() plan.Plan {
	return twoHundred(func(i int, name string) []plan.Step {
		s := fleetStep(name, 10+i, image(name, fmt.Sprintf("ami-%04d", i), fmt.Sprintf("ami-%04d", i+1)))
		for n := range 5 {
			s.Changes = append(s.Changes, plan.Change{Resource: fmt.Sprintf("Alarm%d", n), Type: "AWS::CloudWatch::Alarm", Action: plan.ActionUpdate, Path: "Properties.Threshold", Before: i, After: i + n + 1, Source: at("fleets.cue", 10+i)})
		}
		if i%10 == 0 {
			s.Approvals = []plan.Approval{{Kind: plan.ApproveCapacity, Target: s.Target, Why: fmt.Sprintf("%d of %d running instances of staging-%s are terminated", i%3+1, i+2, name)}}
		}
		return []plan.Step{s}
	})
}

func TestManyFleetsThatDifferLoseNoDanger(t *testing.T) {
	got := written(t, func(w io.Writer) error { return PlanMarkdown(w, differing(), review()) })
	golden(t, "differing.md", got)
	if n := utf8.RuneCountInString(got); n > 60_000 || len(got) < 50_000 {
		t.Errorf("%d characters, %d bytes", n, len(got))
	}
	for i := range 200 {
		name := fmt.Sprintf("gpu-%03d", i+1)
		if i%10 == 0 && !strings.Contains(got, fmt.Sprintf("**capacity** `bp-gpu-fleet-staging-%s`: %d of %d running", name, i%3+1, i+2)) {
			t.Errorf("the danger of %s is not told", name)
		}
	}
	if !strings.Contains(got, "/actions/runs/7) has all of it") {
		t.Error("it does not say where the rest is")
	}
}

// Whatever the number of dangers and the room, each is named, or it is said
// that they are not.
func TestDangersAreNeverCutInSilence(t *testing.T) {
	for _, n := range []int{1, 20, 200, 2000} {
		p := plan.Plan{Target: target}
		for i := range n {
			name := fmt.Sprintf("bp-%c%d-stack-%d", 'a'+i%26, i*7919%10007, i)
			p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionDelete,
				Approvals: []plan.Approval{{Kind: plan.ApproveDestroy, Target: name, Why: strings.Repeat(fmt.Sprint("all of ", i, " is lost "), 6)}}})
		}
		for _, bound := range []int{2_000, 20_000, 60_000} {
			o := review()
			o.MaxBytes = bound
			got := written(t, func(w io.Writer) error { return PlanMarkdown(w, p, o) })
			if len(got) > bound {
				t.Errorf("%d dangers in %d bytes: %d", n, bound, len(got))
			}
			named := 0
			for _, s := range p.Steps {
				if strings.Contains(got, strings.TrimPrefix(s.Target, "bp-")) {
					named++
				}
			}
			if named < n && !strings.Contains(got, "Their names do not fit") {
				t.Errorf("%d of %d dangers in %d bytes, and nothing is said:\n%s", named, n, bound, got[:min(len(got), 1500)])
			}
		}
	}
}

func TestSinceTheLastPush(t *testing.T) {
	before := NewSnapshot(updates(), "3f2a9c1")
	line := func(p plan.Plan, before Snapshot) string {
		o := review()
		o.Before = ReadSnapshot("<!-- x -->\n" + before.Hidden() + "\n### rest")
		if o.Before == nil {
			t.Fatalf("not read back: %s", before.Hidden())
		}
		got := written(t, func(w io.Writer) error { return PlanMarkdown(w, p, o) })
		_, rest, _ := strings.Cut(got, "\n**Since ")
		first, _, _ := strings.Cut(rest, "\n")
		return first
	}
	if got := line(updates(), before); got != "the push of `3f2a9c1`:** it does the same." {
		t.Errorf("%q", got)
	}
	order := updates()
	order.Steps = slices.Clone(order.Steps)
	order.Steps[1].Needs = append(slices.Clone(order.Steps[1].Needs), "stack/other")
	if got := line(order, before); got != "the push of `3f2a9c1`:** the same steps, in another order or with another role of CloudFormation." {
		t.Errorf("%q", got)
	}
	p := updates()
	p.Steps = p.Steps[1:]
	p.Steps[0].Action = plan.ActionReplace
	p.Steps = append(p.Steps, fleetStep("gpu-001", 1))
	want := "the push of `3f2a9c1`:** 1 new (`bp-gpu-fleet-staging-gpu-001`), 1 different (`bp-network`), 1 gone (`bp/fleets/staging/gpu-default/desired_config`), 4 steps as before."
	if got := line(p, before); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	big := NewSnapshot(differing(), "")
	for i := range 2000 {
		big.Steps[fmt.Sprint("stack/", i*7919%10007, "-", i)] = fmt.Sprintf("%08x", i*2654435761)
	}
	if n := len(big.Hidden()); n > maxSnapshot {
		t.Errorf("a snapshot of %d bytes", n)
	}
	if got := line(p, big); got != "the last plan:** it does something else." {
		t.Errorf("%q", got)
	}
	if n := len(NewSnapshot(differing(), strings.Repeat("a", 40)).Hidden()); n > 4000 {
		t.Errorf("200 fleets take %d bytes", n)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add(NewSnapshot(updates(), "x").Hidden())
	f.Add(snapshotOpen + "AAAA" + snapshotClose)
	f.Fuzz(func(t *testing.T, text string) {
		if s := ReadSnapshot(text); s != nil {
			sinceThen(*s, updates())
		}
	})
}

func TestCompactNames(t *testing.T) {
	for want, names := range map[string][]string{
		"a, b":                       {"a", "b"},
		"bp-fleet-gpu-{1…12}":        strings.Fields("bp-fleet-gpu-10 bp-fleet-gpu-11 bp-fleet-gpu-12 bp-fleet-gpu-1 bp-fleet-gpu-2 bp-fleet-gpu-3 bp-fleet-gpu-4 bp-fleet-gpu-5 bp-fleet-gpu-6 bp-fleet-gpu-7 bp-fleet-gpu-8 bp-fleet-gpu-9"),
		"bp-fleet-{a, b, g3, gpu-1}": strings.Fields("bp-fleet-a bp-fleet-b bp-fleet-gpu-1 bp-fleet-g3"),
		"/p/fleets/{a, b, c, d}/x":   strings.Fields("/p/fleets/a/x /p/fleets/b/x /p/fleets/c/x /p/fleets/d/x"),
		"aa-bb, aa-cc, x, y":         strings.Fields("aa-bb aa-cc x y"),
	} {
		if got := compact(names); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
