//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// started is a command on its way. Its progress comes line by line.
type started struct {
	cmd   *exec.Cmd
	lines chan string
	all   *bytes.Buffer
}

// start runs a command line, split at spaces, and does not wait for its end.
func (r *rig) start(line string) *started {
	r.t.Helper()
	s := &started{cmd: r.command(strings.Fields(line)...), lines: make(chan string, 10000), all: &bytes.Buffer{}}
	s.cmd.Stdout = io.Discard
	progress, err := s.cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		r.t.Fatal(err)
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
func (s *started) end(t testing.TB) int {
	t.Helper()
	for line := range s.lines {
		fmt.Fprintln(s.all, line)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *started) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// TestKilledAnywhere kills an apply without warning, early and late, and runs
// the same command again: it finishes the work, and then nothing is left to do.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	runs := 10
	if testing.Short() {
		runs = 3
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(seed), 0))
			r := newRig(t, "")
			for range 1 + seed%3 {
				r.kill("apply --yes", random)
			}
			r.want(0, "apply --yes")
			r.empty()
		})
	}
}

// kill starts a command and ends it without warning, somewhere.
func (r *rig) kill(line string, random *rand.Rand) {
	r.t.Helper()
	s := r.start(line)
	// A whole apply writes some 40 lines; each starts or ends something.
	there := s.after(1 + random.IntN(30))
	time.Sleep(time.Duration(random.IntN(60)) * time.Millisecond)
	s.signal(r.t, syscall.SIGKILL)
	if code := s.end(r.t); there && code != -1 && code != 0 {
		r.t.Fatalf("exit code %d before it was killed\n%s", code, s.all)
	}
}

// destroyAll keeps buckets and secrets; the database goes, in whose network
// nothing else could be deleted.
const destroyAll = "destroy --yes --allow-destroy --resource bp-data/Database --approve unprotect:bp-network --approve unprotect:bp-data"

// TestKilledWhileDestroying is the same for the way back, and for the way from
// what is kept.
func TestKilledWhileDestroying(t *testing.T) {
	t.Parallel()
	for seed := range 3 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			r := deployedRig(t)
			r.kill(destroyAll, random)
			r.want(0, destroyAll)
			r.want(0, destroyAll, "No changes.")
			r.kill("apply --yes", random)
			r.kill("apply --yes", random)
			r.want(0, "apply --yes")
			r.empty()
		})
	}
}

// TestInterrupted: a first SIGINT ends the run within seconds, with the code
// for it; the same command goes on.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	s := r.start("apply --yes")
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
	r.want(0, "apply --yes")
	r.empty()
}

// TestInterruptedTwice: a second signal ends the process at once, whatever the
// first one waits for, and the same command goes on.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	for _, second := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(second.String(), func(t *testing.T) {
			t.Parallel()
			r, stall := stalling(t)
			s := r.start("apply --yes")
			if !s.sees("bp-compute: update") {
				t.Fatalf("ended early\n%s", s.all)
			}
			stall.Store(true)
			asked := time.Now()
			s.signal(t, os.Interrupt)
			for range 100 { // the system keeps one of a kind that nobody took yet
				s.signal(t, second)
				time.Sleep(time.Millisecond)
			}
			if code := s.end(t); code != exitInterrupted {
				t.Errorf("exit code %d\n%s", code, s.all)
			}
			if took := time.Since(asked); took > 1500*time.Millisecond {
				t.Errorf("ended after %v", took)
			}
			stall.Store(false)
			r.want(0, "unlock --yes", "unlocked")
			r.calm()
			r.want(0, "apply --yes")
			r.empty()
		})
	}
}

// TestInterruptedWhileAWSIsSilent: CI cancels a job by SIGINT and 7.5 s later
// by SIGTERM. Also where no request is answered any more the run has ended by
// then; the lock is left to its lease, and the same command goes on.
func TestInterruptedWhileAWSIsSilent(t *testing.T) {
	t.Parallel()
	r, stall := stalling(t)
	s := r.start("apply --yes")
	if !s.sees("bp-compute: update") {
		t.Fatalf("ended early\n%s", s.all)
	}
	stall.Store(true)
	s.signal(t, os.Interrupt)
	asked := time.Now()
	if code := s.end(t); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, s.all)
	}
	if took := time.Since(asked); took > 7*time.Second {
		t.Errorf("ended after %v", took)
	}
	if text := flat(s.all.String()); !strings.Contains(text, "the lock stays until its lease of 1m0s is over") {
		t.Errorf("%s", s.all)
	}
	stall.Store(false)
	r.want(0, "unlock --yes", "unlocked")
	r.calm()
	r.want(0, "apply --yes")
	r.empty()
}

// stalling is a platform with an update to do that takes long, on an AWS that
// stops to answer when told.
func stalling(t *testing.T) (*rig, *atomic.Bool) {
	t.Helper()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Delay: slow})
	stall, over := &atomic.Bool{}, make(chan struct{})
	r.served(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if stall.Load() {
				select {
				case <-q.Context().Done():
				case <-over:
				}
				return
			}
			next.ServeHTTP(w, q)
		})
	})
	t.Cleanup(func() { close(over) })
	return r, stall
}
