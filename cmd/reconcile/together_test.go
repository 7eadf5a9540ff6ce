package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Two applies at once on one account: neither harms the other, each ends with
// a code that tells how, and one more apply finds nothing or finishes the rest.
func TestTwoAppliesAtOnce(t *testing.T) {
	t.Parallel()
	for name, deployed := range map[string]bool{"creating": false, "updating": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			if deployed {
				r = deployedRig(t)
				r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
				r.edit(`"g4dn.xlarge", "g5.xlarge"`, `"g5.xlarge", "g4dn.xlarge"`, "specs/fleets.cue")
			}
			var wg sync.WaitGroup
			ends := make([]said, 3)
			for i := range ends {
				wg.Go(func() { ends[i] = r.run("apply --yes") })
			}
			wg.Wait()
			for _, s := range ends {
				if !slices.Contains([]int{0, exitRefused, exitApplyFailed}, s.code) || strings.Contains(s.all(), "goroutine") {
					t.Errorf("one of the applies: exit code %d\n%s", s.code, s.all())
				}
			}
			if !slices.ContainsFunc(ends, func(s said) bool { return s.code == 0 }) {
				for _, s := range ends {
					t.Logf("exit code %d\n%s", s.code, s.all())
				}
				t.Log("none of the applies ended well; the next one must")
			}
			if s := r.run("apply --yes"); s.code != 0 {
				t.Errorf("the apply after them: exit code %d\n%s", s.code, s.all())
			}
			r.empty()
			r.want(0, "status").saysNot(t, "degraded", "ROLLBACK", "out-of-sync")
		})
	}
}

// A reader that goes away in the middle does not stop an apply.
func TestClosedPipeDoesNotStopAnApply(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"apply --yes", "apply --yes -o json"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "")
			for _, both := range []bool{false, true} {
				cmd := r.command(strings.Fields(line)...)
				out, w := io.Pipe()
				var errs bytes.Buffer
				cmd.Stdout, cmd.Stderr = w, io.Writer(&errs)
				if both {
					cmd.Stderr = w
				}
				first := make([]byte, 1)
				go func() {
					_, _ = out.Read(first)
					_ = out.Close() // from now on the copier ends, and with it the pipe
				}()
				err := cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code < 0 {
					t.Fatalf("%v: killed by a signal: %v\n%s", line, err, errs.String())
				}
				if both {
					continue // the second run has nothing to do
				}
				r.empty()
			}
		})
	}
}

// Every command that writes ends as if somebody had read it.
func TestClosedPipeIsNoError(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	bad := newRig(t, "")
	bad.edit("natGateways: 1", "natGateways: 9", "specs/platform.yaml")
	for _, c := range []struct {
		rig  *rig
		line string
		code int
	}{
		{r, "validate -o json", 0}, {r, "render", 0}, {r, "render -o json", 0}, {r, "status", 0}, {r, "status -o json", 0}, {r, "plan", 0},
		{r, "plan -o markdown", 0}, {r, "version", 0}, {r, "schema platform", 0}, {r, "sandbox show", 0}, {bad, "validate", exitInvalid},
		{bad, "plan", exitInvalid},
	} {
		cmd := c.rig.command(strings.Fields(c.line)...)
		out, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &errs
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Run() // the exit code says it
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != c.code || strings.Contains(errs.String(), "pipe") {
			t.Errorf("reconcile %s: exit code %d, want %d: %s", c.line, got, c.code, errs.String())
		}
	}
}

// The shell's own way: the pipe's reader ends after the first line.
func TestHeadOfAnApply(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell")
	}
	r := newRig(t, "")
	cmd := exec.Command("sh", "-c", "reconcile apply --yes 2>&1 | head -n 1")
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	r.empty()
}
