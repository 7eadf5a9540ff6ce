package apply

import (
	"strings"
	"testing"
)

// A request that was not sent because the lock is not ours ends the run, and
// nothing more is asked for.
func TestLockLostEndsTheRun(t *testing.T) {
	f := newFake()
	p := stepPlan(deleteStep(f.deploy("bp-a", owner, topic("old"))), deleteStep(f.deploy("bp-b", owner, topic("old"))))
	refused := 0
	f.before = func(r Request) *Failure {
		if !r.Op.Mutates() {
			return nil
		}
		refused++
		return &Failure{Kind: FailureLocked, Message: "held by ana@laptop"}
	}
	r := run(t, f, p, Options{Parallelism: 1})
	if r.Locked != "held by ana@laptop" || r.Interrupted || r.Done() || r.Failed() || refused != 1 {
		t.Errorf("%+v after %d requests", r, refused)
	}
	for _, s := range r.Steps {
		if s.Outcome != OutcomeInterrupted || strings.Contains(s.Message, "goes on") {
			t.Errorf("%s: %s, %s", s.Step, s.Outcome, s.Message)
		}
	}
}

// The stack without which there is no lock is created in one call, and a
// creation of somebody else at the same time is looked on.
func TestPlainCreation(t *testing.T) {
	other := func(f *fake, end string) {
		f.before = func(r Request) *Failure {
			if r.Op != OpCreateStack {
				return nil
			}
			f.before = nil
			s := f.add("bp-a", "REVIEW_IN_PROGRESS")
			in := *r.Create
			s.Description = in.Template.Description
			f.begin(s, "rc-another-run", "CREATE_IN_PROGRESS", func() { f.install(s, in.Template); s.Status = end })
			return &Failure{Kind: FailureConflict, Code: "AlreadyExistsException", Message: "Stack [bp-a] already exists"}
		}
	}
	for name, c := range map[string]struct {
		arrange func(*fake)
		want    Outcome
		message string
		writes  int
	}{
		"alone":               {func(*fake) {}, OutcomeDone, "is CREATE_COMPLETE", 1},
		"it fails":            {func(f *fake) { f.ends["bp-a"] = "ROLLBACK_COMPLETE" }, OutcomeFailed, "ended in ROLLBACK_COMPLETE", 1},
		"the answer is lost":  {func(f *fake) { f.after = once(OpCreateStack, connectionLost()) }, OutcomeDone, "is CREATE_COMPLETE", 2},
		"the request is lost": {func(f *fake) { f.before = once(OpCreateStack, connectionLost()) }, OutcomeDone, "is CREATE_COMPLETE", 2},
		"denied":              {func(f *fake) { f.before = once(OpCreateStack, Failure{Kind: FailureDenied, Code: "AccessDenied"}) }, OutcomeFailed, "create stack bp-a", 1},
		"somebody is faster":  {func(f *fake) { other(f, "CREATE_COMPLETE") }, OutcomeDone, "is already as planned", 1},
		"and fails":           {func(f *fake) { other(f, "ROLLBACK_COMPLETE") }, OutcomeRefused, "moved since the plan", 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			p := computePlan(f, wish{name: "bp-a", template: topic("new")})
			p.Steps[0].Body.Stack.Plain = true
			c.arrange(f)
			got := run(t, f, seal(p), Options{}).Steps[0]
			if got.Outcome != c.want || !strings.Contains(got.Message, c.message) || mutations(f) != c.writes {
				t.Errorf("%s: %s; %d writes", got.Outcome, got.Message, mutations(f))
			}
			for _, r := range f.log {
				if r.Op == OpCreateChangeSet {
					t.Error("it made a change set")
				}
			}
		})
	}
	// Where a stack is there, plain or not, it is a change set.
	f := newFake()
	f.deploy("bp-a", owner, topic("old"))
	p := computePlan(f, wish{name: "bp-a", template: topic("new")})
	p.Steps[0].Body.Stack.Plain = true
	if r := run(t, f, seal(p), Options{}); !r.Done() {
		t.Error(outcomes(r))
	}
}
