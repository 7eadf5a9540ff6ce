package sandbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// openPaced opens without the scale that the other tests have.
func openPaced(t testing.TB, o sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	s, err := sandbox.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const oneQueue = `{"Resources":{"Q":{"Type":"AWS::SQS::Queue"}}}`

func createStack(t testing.TB, s *sandbox.Sandbox, name string) {
	t.Helper()
	in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String(oneQueue)}
	if _, err := cloudformation.NewFromConfig(config(s)).CreateStack(t.Context(), in); err != nil {
		t.Fatal(err)
	}
}

func statusOf(t testing.TB, s *sandbox.Sandbox, name string) cfntypes.StackStatus {
	t.Helper()
	out, err := cloudformation.NewFromConfig(config(s)).DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return out.Stacks[0].StackStatus
}

// Virtual time stands, except for the one who asks the same again: it then
// goes on until the answer is another.
func TestVirtualTime(t *testing.T) {
	t.Parallel()
	path := stateFile(t)
	s := openPaced(t, sandbox.Options{Path: path, Pace: sandbox.PaceVirtual, Seed: "v"})
	createStack(t, s, "one")
	if got := statusOf(t, s, "one"); got != cfntypes.StackStatusCreateInProgress {
		t.Fatal(got)
	}
	createStack(t, s, "two") // somebody writes: nobody waits
	if got := statusOf(t, s, "one"); got != cfntypes.StackStatusCreateInProgress {
		t.Fatal(got)
	}
	if got := statusOf(t, s, "one"); got != cfntypes.StackStatusCreateComplete {
		t.Fatal("a poll did not move time:", got)
	}
	two := openPaced(t, sandbox.Options{Path: path})
	if two.Time() != sandbox.PaceVirtual {
		t.Error("the pace is not the account's")
	}
	if got := statusOf(t, two, "two"); got != cfntypes.StackStatusCreateComplete {
		t.Error("the time that went on is not in the file:", got)
	}
	at, err := two.Advance(24 * time.Hour)
	if err != nil || at.Year() != 2026 || at.Day() != 2 {
		t.Error(at, err)
	}
	if _, err := two.Advance(-time.Second); err == nil {
		t.Error("time went back")
	}
}

// Time that was skipped stays skipped, and the wall clock goes on from there.
func TestAdvanceInFastTime(t *testing.T) {
	t.Parallel()
	clk := newClock()
	path := stateFile(t)
	s := openPaced(t, sandbox.Options{Path: path, Now: clk.now, Pace: sandbox.PaceReal})
	createStack(t, s, "one")
	at, err := s.Advance(time.Hour)
	if err != nil || !at.Equal(clk.now().Add(time.Hour)) {
		t.Fatal(at, err)
	}
	again := openPaced(t, sandbox.Options{Path: path, Now: clk.now})
	if got := statusOf(t, again, "one"); got != cfntypes.StackStatusCreateComplete {
		t.Error(got)
	}
	createStack(t, again, "two")
	if got := statusOf(t, again, "two"); got != cfntypes.StackStatusCreateInProgress {
		t.Error("real time is not as slow as AWS:", got)
	}
	clk.pass(10 * time.Minute)
	if got := statusOf(t, again, "two"); got != cfntypes.StackStatusCreateComplete {
		t.Error("the clock stands still after it was moved:", got)
	}
	if err := again.SetPace("slow"); err == nil {
		t.Error("a pace that there is not")
	}
}

// trace is the digest of all answers, in their order.
type trace struct {
	mu sync.Mutex
	h  string
}

func (r *trace) observe(e sandbox.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := sha256.Sum256([]byte(fmt.Sprintln(r.h, e.Service, e.Operation, e.Status, e.Code, e.ID) + string(e.Answer)))
	r.h = hex.EncodeToString(sum[:])
}

// The same seed and the same order of requests give the same answers, to the
// byte, chance included; another seed gives others.
func TestSameSeedSameTrace(t *testing.T) {
	t.Parallel()
	run := func(seed string) string {
		tr := &trace{}
		s := openPaced(t, sandbox.Options{Path: stateFile(t), Pace: sandbox.PaceVirtual, Seed: seed, Observe: tr.observe})
		if err := s.AddFault(sandbox.FaultRule{Service: "cloudformation", Chance: 0.3, Fault: sandbox.Fault{Throttle: true}}); err != nil {
			t.Fatal(err)
		}
		c := cloudformation.NewFromConfig(config(s))
		for i := range 20 {
			name := aws.String(fmt.Sprint("s", i))
			_, _ = c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateBody: aws.String(oneQueue)})
			for range 3 {
				_, _ = c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
			}
		}
		return tr.h
	}
	one, again, other := run("one"), run("one"), run("two")
	if one != again {
		t.Error("one seed, two traces")
	}
	if one == other {
		t.Error("two seeds, one trace")
	}
}

// Two hundred stacks at once, each polled by its own client: all are made, and
// what each is told does not depend on the others.
func TestManyStacksAtOnce(t *testing.T) {
	t.Parallel()
	const n = 200
	run := func() map[string][]string {
		s := openPaced(t, sandbox.Options{Path: stateFile(t), Pace: sandbox.PaceVirtual, Seed: "many"})
		c := cloudformation.NewFromConfig(withRetries(config(s)))
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				name := fmt.Sprint("s", i)
				if _, err := c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String(oneQueue)}); err != nil {
					t.Error(err)
					return
				}
				for range 1000 {
					out, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
					if err != nil {
						t.Error(err)
						return
					}
					if out.Stacks[0].StackStatus == cfntypes.StackStatusCreateComplete {
						return
					}
				}
				t.Errorf("%s is not made", name)
			})
		}
		wg.Wait()
		told := map[string][]string{}
		for i := range n {
			name := fmt.Sprint("s", i)
			out, err := c.DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &name})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range out.StackEvents {
				told[name] = append(told[name], fmt.Sprintln(*e.LogicalResourceId, e.ResourceStatus, aws.ToString(e.ResourceStatusReason)))
			}
		}
		return told
	}
	if d := cmp.Diff(run(), run()); d != "" {
		t.Error(d)
	}
}
