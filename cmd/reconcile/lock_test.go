//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/pkg/cloud"
	"reconcile/pkg/journal"
	"reconcile/pkg/lock"
	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// bucket reaches into the platform's own bucket as another machine would.
func (r *rig) bucket(use func(ctx context.Context, b *cloud.Bucket)) {
	r.t.Helper()
	r.box(func(ctx context.Context, box *sandbox.Sandbox, _ aws.Config) {
		c, err := cloud.Open(ctx, cloud.Options{Region: "us-east-1", HTTPClient: box, StaticCredentials: true})
		if err != nil {
			r.t.Fatal(err)
		}
		use(ctx, c.Bucket("123456789012", "bp-reconcile-123456789012"))
	})
}

// lockedBy lets somebody else take the lock, who then dies.
func (r *rig) lockedBy(who string, lease time.Duration) {
	r.t.Helper()
	r.bucket(func(ctx context.Context, b *cloud.Bucket) {
		_, err := lock.Taker{Store: b.Lock("lock/bp.json"), Clock: cloud.Monotonic()}.Take(ctx, lock.Record{
			ID: "of " + who, Who: who, Command: "reconcile apply", URL: "https://ci.example.com/runs/7", Since: time.Now(), Lease: lease}, 0)
		if err != nil {
			r.t.Fatal(err)
		}
	})
}

// Whoever holds the lock keeps the others from changing anything, and from nothing else.
func TestLocked(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, "unlock --yes", "not locked")
	r.lockedBy("ana@laptop", 10*time.Minute)
	r.want(0, "plan --detailed-exitcode", "No changes.")
	r.want(0, "status")
	r.want(0, "apply --yes", "No changes.") // nothing to do takes no lock

	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	said := r.want(6, "apply --yes --lock-timeout 0s", "locked by ana@laptop, reconcile apply", "https://ci.example.com/runs/7", "lease 10m0s", "reconcile unlock")
	said.saysNot(t, "Apply complete")
	r.want(6, "apply --yes --lock-timeout 300ms", "waiting for the lock, held by ana@laptop", "locked by ana@laptop")
	r.want(6, "destroy --yes --allow-destroy --stack bp-monitoring --lock-timeout 0s", "locked by ana@laptop")
	r.want(2, "plan --detailed-exitcode", "1 to change")

	r.want(4, "unlock", "ana@laptop", "add --yes")
	r.want(0, "unlock --yes", "s3://bp-reconcile-123456789012/lock/bp.json", "held by ana@laptop", "unlocked")
	r.want(0, "apply --yes", "Apply complete")
	r.want(0, "unlock --yes", "not locked")
	r.empty()
}

// A dead holder is replaced after its lease, without a hand.
func TestDeadHolderIsReplaced(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.lockedBy("dead@ci", 500*time.Millisecond)
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	r.want(0, "apply --yes", "waiting for the lock, held by dead@ci", "Apply complete")
	r.empty()
}

// A run whose lock is taken away changes nothing more and says so.
func TestLockLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "apply --yes --stack bp-cicd")
	r.breaks(stackengine.Fault{Stack: "bp-network", Logical: "Vpc", Phase: stackengine.PhaseCreate, Delay: slow})
	s := r.start("apply --yes")
	if !s.sees("bp-network") {
		t.Fatalf("ended early\n%s", s.all)
	}
	r.want(0, "unlock --yes", "unlocked")
	r.lockedBy("ana@laptop", 10*time.Minute)
	if code := s.end(t); code != exitLocked || !strings.Contains(s.all.String(), "ock was") {
		t.Fatalf("exit code %d\n%s", code, s.all)
	}
	if p := r.plan(""); len(p.Steps) < 3 {
		t.Errorf("it went on: %v", steps(p))
	}
	r.want(0, "unlock --yes", "held by ana@laptop")
	r.want(0, "history", "lock lost")
	r.calm()
	r.want(0, "apply --yes")
	r.empty()
}

// sees waits for a line of progress.
func (s *started) sees(word string) bool {
	for line := range s.lines {
		fmt.Fprintln(s.all, line)
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// CI cancels a job by SIGINT and 7.5 s later by SIGTERM: by then the run has
// ended, and its lock is free.
func TestCancelledRunReleasesItsLock(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		r := newRig(t, "")
		r.breaks(stackengine.Fault{Stack: "bp-network", Logical: "Vpc", Phase: stackengine.PhaseCreate, Delay: slow})
		s := r.start("apply --yes")
		if !s.sees("bp-network") {
			t.Fatalf("ended early\n%s", s.all)
		}
		s.signal(t, sig)
		asked := time.Now()
		if code := s.end(t); code != exitInterrupted {
			t.Errorf("%v: exit code %d\n%s", sig, code, s.all)
		}
		if took := time.Since(asked); took > 7*time.Second {
			t.Errorf("%v: ended after %s", sig, took)
		}
		r.want(0, "unlock --yes", "not locked")
		r.want(0, "history", "interrupted")
		r.calm()
		r.want(0, "apply --yes")
		r.empty()
	}
}

// Two who apply the very first time do not come into each other's way: one
// makes the bucket, the other one waits for its lock.
func TestTwoFirstAppliers(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	a, b := r.start("apply --yes"), r.start("apply --yes")
	codes := []int{a.end(t), b.end(t)}
	if codes[0] != 0 || codes[1] != 0 {
		t.Errorf("exit codes %v\n%s\n%s", codes, a.all, b.all)
	}
	r.empty()
	r.want(0, "unlock --yes", "not locked")
}

// What a run used up is in the journal; the journal is a hint and its loss
// changes nothing.
func TestHistory(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want(0, "history", "no runs are recorded")
	r.want(0, "apply --yes")
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-compute", Logical: "BackendScaling", Times: 1, Message: "no", Code: "GeneralServiceException"},
		stackengine.Fault{Stack: "bp-compute", Phase: stackengine.PhaseUpdate, Times: 1, Message: "no"})
	r.want(5, "apply --yes")
	r.calm()
	r.want(0, "apply --yes")
	var got struct{ Runs []journal.Run }
	if err := json.Unmarshal([]byte(r.want(0, "history -o json").out), &got); err != nil {
		t.Fatal(err)
	}
	var outcomes []string
	for _, run := range got.Runs {
		outcomes = append(outcomes, run.State())
		if run.Begin.Command != "reconcile apply" || len(run.Begin.Plan) != 64 || len(run.Steps) == 0 || run.Duration() <= 0 {
			t.Errorf("%+v", run)
		}
	}
	if strings.Join(outcomes, ", ") != "done, failed, done" {
		t.Errorf("outcomes %v", outcomes)
	}
	if lines := strings.Count(r.want(0, "history --limit 1").out, "\n"); lines != 2 {
		t.Errorf("%d lines", lines)
	}
	r.bucket(func(ctx context.Context, b *cloud.Bucket) {
		keys, err := b.List(ctx, journal.Prefix)
		if err != nil || len(keys) != 3 {
			t.Fatal(keys, err)
		}
		text, err := b.Get(ctx, keys[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, put := range []struct {
			key  string
			text string
		}{
			{keys[0], string(text[:len(text)-40])}, // a torn tail
			{keys[1], `{"begin":{"formatVersion":2}}` + "\n"},
			{keys[2], "\x00"},
		} {
			if err := b.Put(ctx, put.key, []byte(put.text)); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.want(0, "history", "reconcile apply", "format 2", "use the newer one", "nothing of it can be read", "no end recorded")
	r.empty()
}

// A template that is too big for a request goes through the bucket; one that
// is too big for CloudFormation is refused before any call.
func TestLargeTemplates(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.write("specs/big.yaml", "apiVersion: reconcile/v1\nkind: Stack\nmetadata: {name: bp-big}\nspec: {template: ./big.json}\n")
	template := func(topics, length int) string {
		resources := map[string]any{}
		for i := range topics {
			resources[fmt.Sprintf("T%03d", i)] = map[string]any{"Type": "AWS::SNS::Topic", "Metadata": map[string]any{"Why": strings.Repeat("x", length)}}
		}
		b, err := json.Marshal(map[string]any{"Resources": resources})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	r.write("specs/big.json", template(30, 4000))
	r.want(0, "apply --yes --stats", "Apply complete", "GetTemplate")
	r.empty()
	r.bucket(func(ctx context.Context, b *cloud.Bucket) {
		keys, err := b.List(ctx, "templates/")
		if err != nil || len(keys) != 1 || len(keys[0]) != len("templates/.json")+64 {
			t.Errorf("%v, %v", keys, err)
		}
	})
	r.write("specs/big.json", template(300, 4000))
	r.want(3, "validate", "specs/big.json", "larger than 1 MB")
}

// slow is long enough for a command beside the run, in seconds of AWS.
const slow = 8000
