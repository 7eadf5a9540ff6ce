//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// place is an empty folder with the shipped specs, in which the true binary
// runs as a process of its own on a sandbox of its own.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "specs"), os.DirFS("testdata/specs")); err != nil {
		t.Fatal(err)
	}
	return place{t, dir}
}

func (p place) command(args ...string) *exec.Cmd {
	p.t.Helper()
	path, err := exec.LookPath("reconcile")
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), path, args...)
	cmd.Dir = p.dir
	none := filepath.Join(p.dir, "none")
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "RECONCILE_SANDBOX=sandbox.json",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+none, "AWS_SHARED_CREDENTIALS_FILE="+none)
	return cmd
}

// run runs a command to its end: its exit code and what it wrote.
func (p place) run(args ...string) (code int, out string) {
	p.t.Helper()
	cmd := p.command(args...)
	b, err := cmd.CombinedOutput()
	return exitOf(p.t, err), string(b)
}

// ok runs a command that must end with exit code 0.
func (p place) ok(args ...string) string {
	p.t.Helper()
	code, out := p.run(args...)
	if code != 0 {
		p.t.Fatalf("reconcile %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func exitOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	t.Fatal(err)
	return -1
}

// started is a command on its way. Its progress comes line by line.
type started struct {
	cmd   *exec.Cmd
	lines chan string
	all   *bytes.Buffer
}

func (p place) start(args ...string) *started {
	p.t.Helper()
	s := &started{cmd: p.command(args...), lines: make(chan string, 10000), all: &bytes.Buffer{}}
	s.cmd.Stdout = io.Discard
	progress, err := s.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(s.lines)
		for in := bufio.NewScanner(progress); in.Scan(); {
			s.lines <- in.Text()
		}
	}()
	return s
}

// after waits for n lines of progress; false when the process ended first.
func (s *started) after(n int) bool {
	for range n {
		line, ok := <-s.lines
		if !ok {
			return false
		}
		fmt.Fprintln(s.all, line)
	}
	return true
}

// end waits for the process: its exit code, -1 when a signal ended it.
func (s *started) end(t *testing.T) int {
	t.Helper()
	for line := range s.lines {
		fmt.Fprintln(s.all, line)
	}
	return exitOf(t, s.cmd.Wait())
}

func (s *started) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// TestKilledAnywhere kills an apply without warning, early and late, and runs
// the same command again: it finishes the work, and then nothing is left to do.
func TestKilledAnywhere(t *testing.T) {
	runs := 10
	if testing.Short() {
		runs = 3
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 0))
			p := newPlace(t)
			for range 1 + seed%3 {
				s := p.start("apply", "--yes")
				// An apply writes some 40 lines; each starts or ends something.
				there := s.after(1 + r.IntN(30))
				time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
				s.signal(t, syscall.SIGKILL)
				if code := s.end(t); there && code != -1 && code != 0 {
					t.Fatalf("exit code %d before it was killed\n%s", code, s.all)
				}
			}
			code, out := p.run("apply", "--yes")
			if code != 0 {
				t.Fatalf("the same command again: exit code %d\n%s", code, out)
			}
			if out := p.ok("plan", "--detailed-exitcode"); !strings.Contains(out, "No changes") {
				t.Errorf("afterwards:\n%s", out)
			}
		})
	}
}

// TestKilledWhileDestroying is the same for the way back.
func TestKilledWhileDestroying(t *testing.T) {
	destroy := []string{"destroy", "--yes", "--allow-destroy", "--approve", "unprotect:bp-network", "--approve", "unprotect:bp-data"}
	for seed := range 3 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			p := newPlace(t)
			p.ok("apply", "--yes")
			s := p.start(destroy...)
			s.after(1 + r.IntN(15))
			s.signal(t, syscall.SIGKILL)
			s.end(t)
			p.ok(destroy...)
			if out := p.ok(destroy...); !strings.Contains(out, "No changes") {
				t.Errorf("afterwards:\n%s", out)
			}
		})
	}
}

// TestInterrupted: a first SIGINT ends the run within seconds, with the code
// for it and the command to go on with; the same command goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start("apply", "--yes")
	if !s.after(5) {
		t.Fatalf("ended early\n%s", s.all)
	}
	s.signal(t, os.Interrupt)
	asked := time.Now()
	if code := s.end(t); code != exitInterrupted {
		t.Errorf("exit code %d, want %d\n%s", code, exitInterrupted, s.all)
	}
	if took := time.Since(asked); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
	p.ok("apply", "--yes")
	if out := p.ok("plan", "--detailed-exitcode"); !strings.Contains(out, "No changes") {
		t.Errorf("afterwards:\n%s", out)
	}
}

// TestInterruptedTwice: a second SIGINT ends the process at once, whatever the
// first one waits for.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start("apply", "--yes")
	if !s.after(5) {
		t.Fatalf("ended early\n%s", s.all)
	}
	s.signal(t, os.Interrupt)
	deadline := time.Now().Add(5 * time.Second)
	for range 100 {
		time.Sleep(time.Millisecond)
		s.signal(t, os.Interrupt)
	}
	if code := s.end(t); code != exitInterrupted && code != -1 {
		t.Errorf("exit code %d\n%s", code, s.all)
	}
	if time.Now().After(deadline) {
		t.Error("not at once")
	}
	p.ok("apply", "--yes")
}
