package apply

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// drawWishes draws stacks that read outputs of earlier ones.
func drawWishes(t *rapid.T) []wish {
	n := rapid.IntRange(1, 8).Draw(t, "stacks")
	var wishes []wish
	for i := range n {
		w := wish{name: fmt.Sprintf("bp-%d", i)}
		var value any = fmt.Sprintf("v%d", rapid.IntRange(0, 2).Draw(t, "value"))
		for j := range i {
			if rapid.IntRange(0, 2).Draw(t, "need") == 0 {
				w.needs = append(w.needs, wishes[j].name)
				value = cfn.Join(value, cfn.StackOutput(wishes[j].name, "Value"))
			}
		}
		w.template = topic(value)
		wishes = append(wishes, w)
	}
	return wishes
}

// drawLive puts some of the stacks there, in any settled status.
func drawLive(t *rapid.T, f *fake, wishes []wish) {
	for _, w := range wishes {
		switch rapid.IntRange(0, 5).Draw(t, "live") {
		case 0, 1:
			f.deploy(w.name, owner, topic("old"))
		case 2:
			s := f.deploy(w.name, owner, topic("old"))
			s.Status = rapid.SampledFrom([]string{
				"UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "DELETE_FAILED", "UPDATE_FAILED",
			}).Draw(t, "status")
			if s.Status == "ROLLBACK_COMPLETE" {
				s.Template = nil
			}
		}
	}
}

func scriptedFailure(t *rapid.T) *Failure {
	return &Failure{
		Code: rapid.SampledFrom([]string{"", "AccessDenied", "Scripted"}).Draw(t, "code"), Message: "scripted",
		Kind: rapid.SampledFrom([]FailureKind{FailureOther, FailureAbsent, FailureBusy, FailureConflict, FailureDenied}).Draw(t, "kind"),
	}
}

// drawFaults lets anything fail: requests, answers and operations.
func drawFaults(t *rapid.T, f *fake, wishes []wish) {
	rate := rapid.IntRange(0, 30).Draw(t, "faults in 100")
	fault := func(Request) *Failure {
		if rapid.IntRange(1, 100).Draw(t, "fault") > rate {
			return nil
		}
		return scriptedFailure(t)
	}
	f.before, f.after = fault, fault
	for _, w := range wishes {
		if rapid.IntRange(1, 100).Draw(t, "end") <= rate {
			f.ends[w.name] = rapid.SampledFrom([]string{
				"ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED", "UPDATE_COMPLETE",
			}).Draw(t, "bad end")
		}
	}
}

func drawOrder(t *rapid.T, f *fake) {
	f.pick = func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "next") }
}

// checkOrder holds what is true of every run, from the events and the result.
func checkOrder(t *rapid.T, p plan.Plan, r Result, events []Event) {
	ended := map[plan.StepID]EventType{}
	for _, e := range events {
		s, _ := p.Step(e.Step)
		switch e.Type {
		case EventNote:
		case EventStepStarted:
			for _, n := range s.Needs {
				if ended[n] != EventStepDone {
					t.Fatalf("%s started although %s is %q", s.ID, n, ended[n])
				}
			}
		case EventStepProgress:
			if ended[e.Step] != "" {
				t.Fatalf("%s goes on after its end", e.Step)
			}
		default:
			if ended[e.Step] != "" {
				t.Fatalf("%s ended twice", e.Step)
			}
			ended[e.Step] = e.Type
		}
	}
	for i, s := range p.Steps {
		got := r.Steps[i]
		if got.Step != s.ID || got.Outcome == "" {
			t.Fatalf("result %d is %+v, of step %s", i, got, s.ID)
		}
		if got.Outcome == OutcomeSkipped {
			root, ok := p.Step(got.Cause)
			if !ok || ended[root.ID] == EventStepDone || ended[root.ID] == EventStepSkipped {
				t.Fatalf("%s is skipped because of %q, which is %q", s.ID, got.Cause, ended[root.ID])
			}
		}
		if (got.Outcome == OutcomeRefused || got.Outcome == OutcomeFailed) && got.Command == "" {
			t.Fatalf("%s says no next command: %s", s.ID, got.Message)
		}
	}
}

func TestAnyRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		wishes := drawWishes(t)
		drawLive(t, f, wishes)
		p := computePlan(f, wishes...)
		drawFaults(t, f, wishes)
		drawOrder(t, f)
		var events []Event
		o := Options{Parallelism: rapid.IntRange(1, 4).Draw(t, "parallelism")}
		r, err := Run(context.Background(), p, f, o, func(e Event) { events = append(events, e) })
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range f.wrong {
			t.Fatal(w)
		}
		checkOrder(t, p, r, events)
	})
}

// A run that is killed at any message, by a new plan and by the same one
// again, ends where a run that is not killed ends.
func TestKilledRunsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		wishes := drawWishes(t)
		drawLive(t, f, wishes)
		drawOrder(t, f)
		p := computePlan(f, wishes...)
		for range rapid.IntRange(0, 4).Draw(t, "kills") {
			if rapid.Bool().Draw(t, "new plan") {
				p = computePlan(f, wishes...)
			}
			f.crash = rapid.IntRange(1, 40).Draw(t, "killed at")
			runOnce(t, f, p)
			f.crash, f.queue = 0, nil
			if rapid.Bool().Draw(t, "operations end") {
				f.settle()
			}
		}
		for range 4 { // recover, deploy; a stack that a kill left busy costs one more
			f.settle()
			runOnce(t, f, computePlan(f, wishes...))
		}
		if left := computePlan(f, wishes...); !left.Empty() {
			t.Fatalf("still to do: %+v", left.Steps)
		}
		for _, s := range f.stacks {
			if len(s.sets) > 0 {
				t.Fatalf("change sets stay behind on %s (%s)", s.Name, s.Status)
			}
		}
	})
}

func runOnce(t *rapid.T, f *fake, p plan.Plan) {
	if _, err := Run(context.Background(), p, f, Options{}, nil); err != nil {
		t.Fatal(err)
	}
	for _, w := range f.wrong {
		t.Fatal(w)
	}
}

// The same answers in the same order make the same run, observed or not.
func TestRunIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wishes := drawWishes(t)
		var logs [2]string
		for i := range logs {
			f := newFake()
			f.ends["bp-1"] = "ROLLBACK_COMPLETE"
			var observe func(Event)
			if i == 1 {
				observe = func(Event) {}
			}
			r, err := Run(context.Background(), computePlan(f, wishes...), f, Options{}, observe)
			if err != nil {
				t.Fatal(err)
			}
			logs[i] = fmt.Sprintf("%+v", r)
			for _, q := range f.log {
				logs[i] += fmt.Sprintf("\n%d %s %s %s %s %s", q.ID, q.Step, q.Op, q.Stack, q.Token, q.ChangeSet)
			}
		}
		if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
			t.Fatalf("two runs differ:\n%s", diff)
		}
	})
}

// An output that was read before a step of this run wrote it, but whose answer
// came after, is not what later steps get.
func TestReferencesAreReadAnew(t *testing.T) {
	f := newFake()
	f.deploy("bp-a", owner, topic("old"))
	p := computePlan(f,
		wish{name: "bp-a", template: topic("new")},
		wish{name: "bp-early", template: topic(cfn.StackOutput("bp-a", "Value"))}, // needs nothing
		wish{name: "bp-late", template: topic(cfn.StackOutput("bp-a", "Value")), needs: []string{"bp-a"}},
	)
	f.pick = func(n int) int { // answers of bp-early last
		for i, r := range f.queue {
			if r.Step != "stack/bp-early" || r.Op == OpReadStack && r.Stack == nil {
				return i
			}
		}
		return 0
	}
	r := run(t, f, p, Options{})
	for _, name := range []string{"bp-early", "bp-late"} {
		if got := f.find(name).Template.Resources["Topic"].Properties["DisplayName"]; got != "value of new" {
			t.Errorf("%s has %q\n%s", name, got, outcomes(r))
		}
	}
}

func TestParallelismIsALimit(t *testing.T) {
	f := newFake()
	var wishes []wish
	for i := range 20 {
		wishes = append(wishes, wish{name: fmt.Sprintf("bp-%02d", i), template: topic("x")})
	}
	running, most := 0, 0
	_, err := Run(context.Background(), computePlan(f, wishes...), f, Options{Parallelism: 3}, func(e Event) {
		switch e.Type {
		case EventStepStarted:
			running++
		case EventStepDone:
			running--
		}
		most = max(most, running)
	})
	if err != nil || most != 3 {
		t.Errorf("%d steps at once, %v", most, err)
	}
}

func TestInterrupted(t *testing.T) {
	f := newFake()
	wishes := append(chain(), wish{name: "bp-other", template: topic("x")})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.edit = func(r Request, _ *Response) {
		if r.Op == OpExecuteChangeSet {
			cancel()
		}
	}
	var notes []string
	r, err := Run(ctx, computePlan(f, wishes...), f, Options{}, func(e Event) {
		if e.Type == EventNote {
			notes = append(notes, e.Message)
		}
	})
	if err != nil || !r.Interrupted || r.Failed() || r.Done() {
		t.Fatalf("%+v, %v", r, err)
	}
	want := []StepResult{
		{Step: "stack/bp-a", Target: "bp-a", Outcome: OutcomeInterrupted, Message: "the deployment of stack bp-a goes on without us (specs/bp-a.yaml:1)", Command: resumeCommand},
		{Step: "stack/bp-b", Target: "bp-b", Outcome: OutcomeInterrupted, Message: "not started (specs/bp-b.yaml:1)"},
		{Step: "stack/bp-c", Target: "bp-c", Outcome: OutcomeInterrupted, Message: "not started (specs/bp-c.yaml:1)"},
		{Step: "stack/bp-other", Target: "bp-other", Outcome: OutcomeInterrupted, Message: "stopped before anything was changed (specs/bp-other.yaml:1)", Command: resumeCommand},
	}
	if diff := cmp.Diff(want, r.Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all := strings.Join(notes, "\n"); all != "the deployment of stack bp-a goes on without us; to resume: reconcile apply" {
		t.Errorf("notes:\n%s", all)
	}
	asked := len(f.log)
	if r, _ := Run(ctx, computePlan(newFake(), wishes...), f, Options{}, nil); len(f.log) != asked || !r.Interrupted {
		t.Error("a run whose context has ended asks for something")
	}
}

func BenchmarkRun(b *testing.B) {
	var wishes []wish
	for i := range 1000 {
		w := wish{name: fmt.Sprintf("bp-%04d", i), template: topic("x")}
		if i >= 10 {
			up := fmt.Sprintf("bp-%04d", i/10)
			w.needs, w.template = []string{up}, topic(cfn.StackOutput(up, "Value"))
		}
		wishes = append(wishes, w)
	}
	p := computePlan(newFake(), wishes...)
	for b.Loop() {
		if r, err := Run(context.Background(), p, newFake(), Options{}, nil); err != nil || !r.Done() {
			b.Fatal(err)
		}
	}
}
