package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// scale is a folder of specs with many fleets on disk, and a sandbox in memory
// whose quotas are raised as far as it takes.
type scale struct {
	t     testing.TB
	g     *global
	box   *sandbox.Sandbox
	clock cloud.Clock
	out   bytes.Buffer
}

// The forms in which people write fleets: a YAML file each, or CUE documents,
// a hundred in a file.
const (
	formYAML = "yaml"
	formCUE  = "cue"
)

func newScale(t testing.TB, form string, n int, clock cloud.Clock) *scale {
	t.Helper()
	s := &scale{t: t, clock: clock}
	dir := filepath.Join(t.TempDir(), "specs")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "specs"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "fleets.cue")); err != nil {
		t.Fatal(err)
	}
	s.g = &global{stdio: stdio{out: &s.out, err: io.Discard}, specs: dir, output: "text", color: "never"}
	for name, body := range fleetFiles(form, n) {
		s.write(name, body)
	}
	box, err := sandbox.Open(sandbox.Options{Seed: "scale", Now: func() time.Time { return s.clock.Now() }, Quotas: sandbox.Quotas{Stacks: max(2000, 2*n), Groups: max(500, n), Parameters: max(10_000, 3*n)}})
	if err != nil {
		t.Fatal(err)
	}
	s.box = box
	t.Cleanup(func() { _ = box.Close() })
	return s
}

func (s *scale) write(name, body string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.g.specs, name), []byte(body), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func fleetSlug(i int) string { return fmt.Sprintf("gpu-%04d", i) }

func fleetYAML(i int, more string) string {
	return fmt.Sprintf("apiVersion: reconcile/v1\nkind: Fleet\nmetadata: {name: %s, stage: staging}\nspec:\n  template: gpu-default\n  instanceTypes: [g4dn.xlarge, g5.xlarge]\n%s", fleetSlug(i), more)
}

func fleetCUE(i int) string {
	return fmt.Sprintf(`%[1]q: {
	apiVersion: "reconcile/v1"
	kind:       "Fleet"
	metadata: {name: %[1]q, stage: "staging"}
	spec: {
		template: "gpu-default"
		instanceTypes: ["g4dn.xlarge", "g5.xlarge"]
	}
}
`, fleetSlug(i))
}

func fleetFiles(form string, n int) map[string]string {
	files := map[string]string{}
	var b strings.Builder
	for i := range n {
		if form == formYAML {
			files[fleetSlug(i)+".yaml"] = fleetYAML(i, "")
			continue
		}
		b.WriteString(fleetCUE(i))
		if i%100 == 99 || i == n-1 {
			files[fmt.Sprintf("fleets%02d.cue", i/100)] = "package specs\n" + b.String()
			b.Reset()
		}
	}
	return files
}

// cloud opens the account anew, so that calls are counted from zero.
func (s *scale) cloud() *cloud.Cloud {
	s.t.Helper()
	c, err := cloud.Open(s.t.Context(), cloud.Options{Region: "us-east-1", HTTPClient: s.box, StaticCredentials: true, Clock: s.clock})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *scale) load(ctx context.Context) plan.Desired {
	s.t.Helper()
	_, desired, err := s.g.load(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return desired
}

// plan is what the command does, from specs on disk to the report.
func (s *scale) plan(ctx context.Context, c *cloud.Cloud) (plan.Desired, plan.Plan) {
	s.t.Helper()
	desired := s.load(ctx)
	return desired, s.compare(ctx, c, desired)
}

func (s *scale) compare(ctx context.Context, c *cloud.Cloud, desired plan.Desired) plan.Plan {
	s.t.Helper()
	live, err := c.Read(ctx, desired, plan.Selection{})
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := plan.Compute(desired, live, plan.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.out.Reset()
	if err := s.g.printPlan(p, s.g.planStyle(display{}, nil, given(apply.Options{}))); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// calls is how often AWS was called, by operation.
func calls(c *cloud.Cloud) (total, throttled int, by map[string]int) {
	by = map[string]int{}
	for _, n := range c.Stats() {
		by[n.Operation] += n.Calls
		total, throttled = total+n.Calls, throttled+n.Throttled
	}
	return total, throttled, by
}

// bound is the fewest calls that page sizes allow (facts of AWS: 100 stacks a
// page as users see it, GetParameters 10 names, DescribeParameters and
// DescribeLogGroups 50, DescribeAutoScalingGroups 100, launch templates 200)
// for what a plan for the desired state looks at, with all stacks alive.
func bound(t testing.TB, d plan.Desired) map[string]int {
	t.Helper()
	reads, err := plan.Reads(d, plan.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	pages := func(n, size int) int { return max(1, (n+size-1)/size) }
	orphans := 0
	for _, p := range d.Parameters {
		if strings.HasPrefix(p.Name, reads.ParameterPath) {
			orphans++
		}
	}
	folders := map[string]int{}
	for _, l := range d.LogGroups {
		folders[l.Name[:strings.LastIndexByte(l.Name, '/')]]++
	}
	repositories := map[string]bool{}
	for _, i := range reads.Images {
		repositories[i.Repository] = true
	}
	b := map[string]int{
		"GetCallerIdentity":              1,
		"ListStacks":                     pages(len(d.Stacks), 100),
		"DescribeStacks":                 min(len(reads.StackOutputs), pages(len(d.Stacks), 100)),
		"GetParameters":                  pages(len(reads.Parameters), 10),
		"DescribeParameters":             pages(orphans, 50),
		"DescribeAutoScalingGroups":      pages(len(reads.Groups), 100),
		"DescribeLaunchTemplateVersions": pages(len(reads.LaunchTemplates), 200),
		"DescribeSecret":                 len(reads.Secrets),
		"DescribeImages":                 len(repositories), // of ECR; EC2 is asked for none while no image changes
	}
	for _, n := range folders {
		b["DescribeLogGroups"] += pages(n, 50)
	}
	return b
}

func sum(by map[string]int) (n int) {
	for _, m := range by {
		n += m
	}
	return n
}

// shifted is the wall clock, or the one of a synctest bubble, moved by so much.
type shifted struct{ by time.Duration }

func (s shifted) Now() time.Time { return time.Now().Add(s.by) }

func (shifted) Sleep(ctx context.Context, d time.Duration) error {
	time.Sleep(d)
	return ctx.Err()
}

// hurried is a clock that nobody waits for: a sleep moves it and returns.
type hurried struct {
	mu  sync.Mutex
	now time.Time
}

func newHurried() *hurried { return &hurried{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)} }

func (h *hurried) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hurried) Sleep(ctx context.Context, d time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
	return ctx.Err()
}
