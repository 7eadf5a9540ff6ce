package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// served is `reconcile sandbox serve` in another process.
type served struct {
	cmd *exec.Cmd
	err bytes.Buffer
	env []string // what it says to export
}

func (r *rig) serve(t *testing.T, args ...string) *served {
	t.Helper()
	binary, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := &served{cmd: exec.Command(binary, append([]string{"sandbox", "serve", "--listen", "127.0.0.1:0"}, args...)...)}
	s.cmd.Dir, s.cmd.Env, s.cmd.Stderr = r.dir, r.env, &s.err
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for len(s.env) < 6 && lines.Scan() {
		if line, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			s.env = append(s.env, line)
		}
	}
	if len(s.env) < 6 {
		_ = s.cmd.Wait()
		t.Fatalf("it says to export %q\n%s", s.env, s.err.String())
	}
	return s
}

// end interrupts it and gives what it said on stderr.
func (s *served) end(t *testing.T, signal os.Signal) string {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer killed.Stop()
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v\n%s", err, s.err.String())
	}
	return s.err.String()
}

// Another process applies to the served sandbox as it would to AWS, and what
// it made is in the file. The same seed, time and requests give the same answers.
func TestSandboxServe(t *testing.T) {
	t.Parallel()
	digest := regexp.MustCompile(`answers +(sha256:[0-9a-f]{64})`)
	run := func(signal os.Signal) string {
		r := newRig(t, "")
		s := r.serve(t, "--sandbox=box.json", "--seed", "demo", "--time", "virtual", "--stats", "--log-level", "debug")
		binary, err := plainBinary()
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"plan"}, {"apply", "--yes", "--stack", "bp-network"}} {
			cmd := exec.Command(binary, args...)
			cmd.Dir = r.dir
			for _, e := range r.env {
				if !strings.HasPrefix(e, sandboxEnv) {
					cmd.Env = append(cmd.Env, e)
				}
			}
			cmd.Env = append(cmd.Env, s.env...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
		}
		said := s.end(t, signal)
		for _, want := range []string{"operation=CreateChangeSet", "status=200", "ListStacks", " calls", "total"} {
			if !strings.Contains(said, want) {
				t.Errorf("no %q in\n%s", want, said)
			}
		}
		if strings.Contains(said, "TemplateBody") || strings.Contains(said, "Signature") {
			t.Error("the log shows what calls say")
		}
		r.want(0, "sandbox show --sandbox=box.json", "bp-network", "CREATE_COMPLETE")
		m := digest.FindStringSubmatch(said)
		if m == nil {
			t.Fatal("no digest in", said)
		}
		return m[1]
	}
	run(syscall.SIGINT)
	run(syscall.SIGTERM)
}

func TestSandboxServeRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "sandbox reset")
	r.want(0, "sandbox show")
	r.want(4, "sandbox serve --bare --listen 127.0.0.1:0", "reconcile sandbox reset takes both")
	r.want(4, "sandbox serve --seed x --listen 127.0.0.1:0", "reconcile sandbox reset takes both")
	r.want(1, "sandbox serve --time slow", "want real, fast or virtual")
	r.want(1, "sandbox serve --listen nowhere", "nowhere")
	if _, err := os.Stat(r.path(defaultSandbox)); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone")
	}
}
