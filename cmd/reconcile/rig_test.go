package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// rig is a folder in which the true binary runs on a sandbox of its own, and a
// hand that reaches into that sandbox as somebody else would: over the SDK.
type rig struct {
	t   testing.TB
	dir string
	env []string

	binary string // another one than the command as users get it
}

// newRig copies a folder of specs; the shipped one when specs is empty.
func newRig(t testing.TB, specs string) *rig {
	t.Helper()
	if specs == "" {
		specs = filepath.Join("testdata", "specs")
	}
	r := &rig{t: t, dir: t.TempDir()}
	if err := os.CopyFS(filepath.Join(r.dir, "specs"), os.DirFS(specs)); err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.dir, "NO_COLOR=1", sandboxEnv + "=" + defaultSandbox,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + r.path("none"), "AWS_SHARED_CREDENTIALS_FILE=" + r.path("none"),
	}
	return r
}

// deployedRig starts from the shipped platform as applied.
func deployedRig(t testing.TB) *rig {
	t.Helper()
	r := newRig(t, "")
	state, err := deployedState()
	if err != nil {
		t.Fatal(err)
	}
	r.write(defaultSandbox, string(state))
	return r
}

// deployedState is the sandbox's file after an apply of the shipped specs,
// made once for all tests.
var deployedState = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "reconcile")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	specs := filepath.Join(dir, "specs") // a copy: outside of any repository they have no revision
	if err := os.CopyFS(specs, os.DirFS(filepath.Join("testdata", "specs"))); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "box.json")
	binary, err := plainBinary()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "apply", "--yes", "--specs", specs, "--sandbox="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(out)))
	}
	return os.ReadFile(file)
})

// plainBinary is the command as users get it. Under the race detector the
// tests' own build is five times as slow; TestRace runs that one.
var plainBinary = sync.OnceValues(func() (string, error) {
	own, err := exec.LookPath("reconcile")
	if err != nil || !raceEnabled {
		return own, err
	}
	plain := filepath.Join(filepath.Dir(own), "plain", "reconcile") // goes with the folder of the other one
	if out, err := exec.Command("go", "build", "-o", plain, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return plain, nil
})

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(name, body string) {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(r.path(name)), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(r.path(name), []byte(body), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.Remove(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// edit replaces text in a file, which must be there.
func (r *rig) edit(old, new, file string) {
	r.t.Helper()
	b, err := os.ReadFile(r.path(file))
	if err != nil {
		r.t.Fatal(err)
	}
	body := string(b)
	if !strings.Contains(body, old) {
		r.t.Fatalf("%s does not contain %q", file, old)
	}
	r.write(file, strings.ReplaceAll(body, old, new))
}

// said is what a command answered.
type said struct {
	line     string
	code     int
	out, err string
}

func (s said) all() string { return s.out + s.err }

// command is the true binary with these arguments.
func (r *rig) command(args ...string) *exec.Cmd {
	r.t.Helper()
	find := plainBinary
	if r.binary != "" {
		find = func() (string, error) { return exec.LookPath(r.binary) }
	}
	binary, err := find()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	return cmd
}

// run runs one command line, split at spaces.
func (r *rig) run(line string) said {
	r.t.Helper()
	var out, errs bytes.Buffer
	cmd := r.command(strings.Fields(line)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("reconcile %s: %v", line, err)
	}
	return said{line: line, code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
}

// want runs a command that must end with a code and say all of these.
func (r *rig) want(code int, line string, says ...string) said {
	r.t.Helper()
	s := r.run(line)
	if s.code != code {
		r.t.Fatalf("reconcile %s: exit code %d, want %d\n%s\n%s", line, s.code, code, s.out, s.err)
	}
	s.says(r.t, says...)
	return s
}

// says holds that these words were said, however the lines were broken.
func (s said) says(t testing.TB, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(flat(s.all()), flat(w)) {
			t.Errorf("reconcile %s does not say %q:\n%s\n%s", s.line, w, s.out, s.err)
		}
	}
}

func (s said) saysNot(t testing.TB, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(flat(s.all()), flat(w)) {
			t.Errorf("reconcile %s says %q:\n%s\n%s", s.line, w, s.out, s.err)
		}
	}
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }

// empty holds that nothing is left to do.
func (r *rig) empty() {
	r.t.Helper()
	r.want(0, "plan --detailed-exitcode", "No changes.")
}

// plan is the plan as programs read it.
func (r *rig) plan(flags string) plan.Plan {
	r.t.Helper()
	s := r.run("plan -o json " + flags)
	var p plan.Plan
	if err := json.Unmarshal([]byte(s.out), &p); err != nil {
		r.t.Fatalf("plan -o json %s: %v\n%s\n%s", flags, err, s.out, s.err)
	}
	return p
}

// steps are the ids of a plan's steps with their actions.
func steps(p plan.Plan) []string {
	out := make([]string, len(p.Steps))
	for i, s := range p.Steps {
		out[i] = string(s.Action) + " " + string(s.ID)
	}
	return out
}

// box opens the sandbox's file beside the binary.
func (r *rig) box(use func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config)) {
	r.t.Helper()
	box, err := sandbox.Open(sandbox.Options{Path: r.path(defaultSandbox)})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	use(ctx, box, sdk(box, "us-east-1"))
	if err := box.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func sdk(box *sandbox.Sandbox, region string) aws.Config {
	return aws.Config{
		Region: region, HTTPClient: box, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "somebody", SecretAccessKey: "else"}, nil
		}),
	}
}

// rule adds a fault for the calls of the commands that follow.
func (r *rig) rule(rules ...sandbox.FaultRule) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		for _, f := range rules {
			if err := box.AddFault(f); err != nil {
				r.t.Fatal(err)
			}
		}
	})
}

// breaks makes resources fail in the operations that follow.
func (r *rig) breaks(faults ...stackengine.Fault) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		for _, f := range faults {
			if err := box.AddResourceFault("", f); err != nil {
				r.t.Fatal(err)
			}
		}
	})
}

// calm takes all faults away.
func (r *rig) calm() {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		if err := box.ClearFaults(); err != nil {
			r.t.Fatal(err)
		}
	})
}
