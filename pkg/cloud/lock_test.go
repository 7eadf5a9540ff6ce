//go:build unix

package cloud_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/lock"
	"reconcile/pkg/sandbox"
)

const lockAccount, lockBucket = "123456789012", "bp-reconcile-123456789012"

// lockServer is a sandbox on a port, with the bucket of a lock.
func lockServer(t *testing.T) string {
	t.Helper()
	box, err := sandbox.Open(sandbox.Options{Seed: "lock", Account: lockAccount, Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(box)
	t.Cleanup(func() {
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	p := lockCloud(t, server.URL).Port(t.Context())
	t.Cleanup(p.Close)
	made := must(t, p, apply.Request{Op: apply.OpCreateStack, Stack: "bp-reconcile", Token: "t", Create: &apply.ChangeSetInput{
		StackName: "bp-reconcile", New: true, Template: cfn.Template{Resources: map[string]cfn.Resource{
			"Bucket": {Type: "AWS::S3::Bucket", Properties: map[string]any{"BucketName": lockBucket, "VersioningConfiguration": map[string]any{"Status": "Enabled"}}},
		}},
	}})
	must(t, p, apply.Request{Op: apply.OpWatchStack, Stack: made.Stack.ID, Token: "t"})
	return server.URL
}

func lockCloud(t *testing.T, url string) *cloud.Cloud {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	c, err := cloud.Open(context.WithoutCancel(t.Context()), cloud.Options{Region: "us-east-1", Endpoint: url, HTTPClient: client, StaticCredentials: true, PollScale: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// step is what one process did, with the time before and after by the one
// clock of this machine.
type step struct {
	ID         string
	Op         string // take, check, release
	OK         bool
	Begin, End int64
}

// TestLockHelper is no test but the other processes: it takes the lock, checks
// it, rests where it is told to, and releases it.
func TestLockHelper(t *testing.T) {
	url := os.Getenv("RECONCILE_LOCK_HELPER")
	if url == "" {
		t.Skip("it is run by the tests of the lock")
	}
	out := json.NewEncoder(os.Stdout)
	id := rand.Text()
	bucket := lockCloud(t, url).Bucket(lockAccount, lockBucket)
	lease, _ := time.ParseDuration(os.Getenv("RECONCILE_LOCK_LEASE"))
	log := func(op string, ok bool, begin time.Time) {
		if err := out.Encode(step{id, op, ok, begin.UnixNano(), time.Now().UnixNano()}); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	held, err := lock.Taker{Store: bucket.Lock("lock/bp.json"), Clock: cloud.Monotonic(), Poll: 150 * time.Millisecond}.
		Take(t.Context(), lock.Record{ID: id, Who: id, Lease: lease, Since: time.Now()}, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	log("take", true, begin)
	keeping, stop := context.WithCancel(t.Context())
	kept := make(chan error, 1)
	if os.Getenv("RECONCILE_LOCK_DIES") != "" { // whoever started it ends it
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	go func() { kept <- held.Keep(keeping) }()
	for n := range 2 {
		begin = time.Now()
		err := held.Check(t.Context())
		log("check", err == nil, begin)
		if err == nil {
			if err := bucket.Put(t.Context(), fmt.Sprintf("changed/%s-%d", id, n), nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop()
	if err := <-kept; err != nil && !errors.Is(err, context.Canceled) {
		t.Log("the lock was not kept:", err)
	}
	begin = time.Now()
	if err := held.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	log("release", true, begin)
}

// helper is another process.
type helper struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin io.WriteCloser
	fails strings.Builder
}

func startHelper(t *testing.T, url string, lease time.Duration, dies bool) *helper {
	t.Helper()
	h := &helper{cmd: exec.Command(os.Args[0], "-test.run=^TestLockHelper$")}
	h.cmd.Env = append(os.Environ(), "RECONCILE_LOCK_HELPER="+url, "RECONCILE_LOCK_LEASE="+lease.String())
	if dies {
		h.cmd.Env = append(h.cmd.Env, "RECONCILE_LOCK_DIES=1")
	}
	h.cmd.Stderr = &h.fails
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	h.lines = bufio.NewScanner(out)
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.cmd.Process.Kill(); _ = h.cmd.Wait() })
	return h
}

// next is the next thing that the process did; false when it ended.
func (h *helper) next(t *testing.T) (s step, ok bool) {
	t.Helper()
	for h.lines.Scan() {
		if json.Unmarshal(h.lines.Bytes(), &s) == nil && s.ID != "" {
			return s, true
		}
	}
	return s, false
}

// mutex is the lock as it should be, one step after another: a take finds it
// free or a dead holder's, a check passes for the holder alone.
func mutex(dead map[string]bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			holder, s := state.(string), input.(step)
			switch s.Op {
			case "take":
				return holder == "" || dead[holder], s.ID
			case "check":
				return s.OK == (holder == s.ID), holder
			}
			if holder == s.ID {
				return true, ""
			}
			return true, holder
		},
	}
}

// TestSixtyFourProcesses want one lock. Some die with it in their hands.
func TestSixtyFourProcesses(t *testing.T) {
	processes, deaths := 64, 3
	if testing.Short() {
		processes, deaths = 12, 1
	}
	const lease = 5 * time.Second
	url := lockServer(t)
	var mu sync.Mutex
	var history []porcupine.Operation
	dead := map[string]bool{}
	released := 0
	var all sync.WaitGroup
	for n := range processes {
		h := startHelper(t, url, lease, n < deaths)
		all.Go(func() {
			for {
				s, ok := h.next(t)
				if !ok {
					break
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: n, Input: s, Call: s.Begin, Output: nil, Return: s.End})
				if s.Op == "release" {
					released++
				}
				if n < deaths {
					dead[s.ID] = true
				}
				mu.Unlock()
				if n < deaths {
					_ = h.cmd.Process.Kill()
				}
			}
			if err := h.cmd.Wait(); err != nil && n >= deaths {
				t.Errorf("process %d: %v\n%s", n, err, h.fails.String())
			}
		})
	}
	all.Wait()
	if released != processes-deaths {
		t.Errorf("%d of %d processes released the lock", released, processes-deaths)
	}
	if result := porcupine.CheckOperationsTimeout(mutex(dead), history, time.Minute); result != porcupine.Ok {
		t.Errorf("the history of %d steps is no mutex's: %s", len(history), result)
	}
	// The judge can say no: a second holder at the same time is found.
	twice := append(history, porcupine.Operation{ClientId: processes, Input: step{ID: "thief", Op: "check", OK: true}, Call: history[0].Call, Return: history[len(history)-1].Return})
	if porcupine.CheckOperationsTimeout(mutex(dead), twice, time.Minute) != porcupine.Illegal {
		t.Error("a check that passed without a take went unnoticed")
	}
}

// TestPausedHolder: a process that sleeps through its lease finds the lock in
// other hands when it wakes, and changes nothing.
func TestPausedHolder(t *testing.T) {
	const lease = 2 * time.Second
	url := lockServer(t)
	h := startHelper(t, url, lease, true)
	taken, ok := h.next(t)
	if !ok {
		t.Fatal(h.fails.String())
	}
	if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	bucket := lockCloud(t, url).Bucket(lockAccount, lockBucket)
	begun := time.Now()
	other, err := lock.Taker{Store: bucket.Lock("lock/bp.json"), Clock: cloud.Monotonic()}.
		Take(t.Context(), lock.Record{ID: "other", Who: "other", Lease: time.Hour}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < lease {
		t.Errorf("taken over after %s, with a lease of %s", took, lease)
	}
	if err := h.stdin.Close(); err != nil { // it goes on as soon as it wakes
		t.Fatal(err)
	}
	if err := h.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	checks := 0
	for {
		s, ok := h.next(t)
		if !ok {
			break
		}
		if s.Op == "check" {
			if checks++; s.OK {
				t.Error("a check passed after the lock was taken over")
			}
		}
	}
	if checks == 0 {
		t.Errorf("it never woke: %s", h.fails.String())
	}
	changed, err := bucket.List(t.Context(), "changed/"+taken.ID)
	if err != nil || len(changed) > 0 {
		t.Errorf("the paused holder changed %v (%v)", changed, err)
	}
	if err := other.Check(t.Context()); err != nil {
		t.Errorf("its release took the lock from the new holder: %v", err)
	}
}

// TestStoreSaysWhatHappened holds the S3 store to the promises of lock.Store.
func TestStoreSaysWhatHappened(t *testing.T) {
	c := lockCloud(t, lockServer(t))
	ctx := t.Context()
	s := c.Bucket(lockAccount, lockBucket).Lock("lock/x.json")
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	_, err := s.Read(ctx)
	want("read nothing", err, lock.ErrAbsent)
	want("replace nothing", s.Replace(ctx, []byte("x"), `"abc"`), lock.ErrAbsent)
	want("create", s.Create(ctx, []byte("1")), nil)
	want("create again", s.Create(ctx, []byte("2")), lock.ErrChanged)
	first, err := s.Read(ctx)
	want("read", err, nil)
	want("replace", s.Replace(ctx, []byte("2"), first.Tag), nil)
	want("replace the old one", s.Replace(ctx, []byte("3"), first.Tag), lock.ErrChanged)
	want("delete the old one", s.Delete(ctx, first.Tag), lock.ErrChanged)
	second, err := s.Read(ctx)
	want("read again", err, nil)
	want("delete", s.Delete(ctx, second.Tag), nil)
	_, err = s.Read(ctx)
	want("read after the end", err, lock.ErrAbsent)
	want("create where a deleted version lies", s.Create(ctx, []byte("4")), nil)
	_, err = c.Bucket(lockAccount, "no-such-bucket-of-ours").Lock("x").Read(ctx)
	want("no bucket", err, lock.ErrNoPlace)
	_, err = c.Bucket("999999999999", lockBucket).Lock("lock/x.json").Read(ctx)
	want("somebody else's bucket", err, lock.ErrDenied)
}
