package apply

import (
	"strings"
	"testing"

	"reconcile/pkg/plan"
)

func stepPlan(steps ...plan.Step) plan.Plan {
	return seal(plan.Plan{FormatVersion: plan.FormatVersion, Target: plan.Target{Platform: owner}, Steps: steps})
}

func deleteStep(s *fakeStack) plan.Step {
	return plan.Step{
		ID: plan.ID(plan.KindStack, s.Name), Kind: plan.KindStack, Target: s.Name, Action: plan.ActionDelete,
		Base: plan.FingerprintStack(&s.LiveStack), Body: plan.Body{Stack: &plan.StackBody{Name: s.Name, ID: s.ID, Owner: owner}},
	}
}

func TestStackDelete(t *testing.T) {
	cases := map[string]struct {
		arrange func(f *fake, s *fakeStack, step *plan.Step)
		want    Outcome
		message string
		writes  int
		gone    bool
	}{
		"plain":        {nil, OutcomeDone, "is deleted", 1, true},
		"already gone": {func(f *fake, s *fakeStack, _ *plan.Step) { s.Status = "DELETE_COMPLETE" }, OutcomeDone, "is already gone", 0, true},
		"its name belongs to another": {func(f *fake, s *fakeStack, _ *plan.Step) {
			s.Status = "DELETE_COMPLETE"
			f.deploy("bp-a", owner, topic("theirs"))
		}, OutcomeDone, "is already gone", 0, true},
		"moved":     {func(f *fake, s *fakeStack, _ *plan.Step) { s.Updated = f.now() }, OutcomeRefused, "moved since the plan", 0, false},
		"no mark":   {func(f *fake, s *fakeStack, _ *plan.Step) { s.Description = "" }, OutcomeRefused, "carries no mark", 0, false},
		"protected": {func(f *fake, s *fakeStack, _ *plan.Step) { s.Protected = true }, OutcomeRefused, "termination protection", 0, false},
		"busy":      {func(f *fake, s *fakeStack, _ *plan.Step) { f.begin(s, "hand", "UPDATE_IN_PROGRESS", func() {}) }, OutcomeRefused, "somebody else's operation", 0, false},
		"being deleted already": {func(f *fake, s *fakeStack, _ *plan.Step) {
			f.begin(s, "hand", "DELETE_IN_PROGRESS", func() { s.Status = "DELETE_COMPLETE" })
		}, OutcomeDone, "is deleted", 0, true},
		// An export in use: no failure, only the status from before (A9).
		"comes back": {func(f *fake, s *fakeStack, _ *plan.Step) {
			f.ends["bp-a"] = "CREATE_COMPLETE"
			s.Reason = "Export e cannot be deleted as it is in use by bp-b"
		}, OutcomeFailed, "stack bp-a is not deleted, it is CREATE_COMPLETE: Export e cannot be deleted as it is in use by bp-b", 1, false},
		"delete fails": {func(f *fake, s *fakeStack, _ *plan.Step) { f.ends["bp-a"] = "DELETE_FAILED" }, OutcomeFailed, "it is DELETE_FAILED", 1, false},
		"delete fails, then keeps what it may": {func(f *fake, s *fakeStack, step *plan.Step) {
			step.Body.Stack.Retain = []string{"R"}
			f.ends["bp-a"] = "DELETE_FAILED"
			f.before = func(r Request) *Failure {
				if len(r.Retain) > 0 {
					if s.Status != "DELETE_FAILED" {
						f.wrong = append(f.wrong, "retain from "+s.Status)
					}
					delete(f.ends, "bp-a")
				}
				return nil
			}
		}, OutcomeDone, "is deleted", 2, true},
		"delete fails, whatever it may keep": {func(f *fake, _ *fakeStack, step *plan.Step) {
			step.Body.Stack.Retain = []string{"R"}
			f.ends["bp-a"] = "DELETE_FAILED"
		}, OutcomeFailed, "it is DELETE_FAILED", 2, false},
		"a watch sees the state from before": {func(f *fake, s *fakeStack, _ *plan.Step) {
			before, used := s.LiveStack, false
			f.edit = func(r Request, a *Response) {
				if r.Op == OpWatchStack && !used {
					used, a.Stack, a.Token = true, &before, "by-hand"
				}
			}
		}, OutcomeDone, "is deleted", 1, true},
		"answer lost":  {func(f *fake, _ *fakeStack, _ *plan.Step) { f.after = once(OpDeleteStack, connectionLost()) }, OutcomeDone, "is deleted", 1, true},
		"request lost": {func(f *fake, _ *fakeStack, _ *plan.Step) { f.before = once(OpDeleteStack, connectionLost()) }, OutcomeDone, "is deleted", 2, true},
		"not approved": {func(_ *fake, _ *fakeStack, step *plan.Step) {
			step.Approvals = []plan.Approval{{Kind: plan.ApproveDestroy, Target: "bp-a"}}
		}, OutcomeRefused, "not approved: destroy:bp-a", 0, false},
		"stops instances": {func(f *fake, _ *fakeStack, step *plan.Step) {
			f.groups["workers"] = plan.LiveGroup{Desired: 1}
			step.Body.Stack.Capacity = []plan.Capacity{{Group: "workers"}}
		}, OutcomeRefused, "would stop 1 instances", 0, false},
		"unknown status": {func(_ *fake, s *fakeStack, step *plan.Step) {
			s.Status = "BRAND_NEW"
			step.Base = plan.FingerprintStack(&s.LiveStack)
		}, OutcomeRefused, "does not know the status", 0, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			s := f.deploy("bp-a", owner, topic("old"))
			step := deleteStep(s)
			if c.arrange != nil {
				c.arrange(f, s, &step)
			}
			got := run(t, f, stepPlan(step), Options{}).Steps[0]
			if got.Outcome != c.want || !strings.Contains(got.Message, c.message) || mutations(f) != c.writes {
				t.Errorf("%s: %s; %d writes", got.Outcome, got.Message, mutations(f))
			}
			if s.Status == "DELETE_COMPLETE" != c.gone {
				t.Errorf("left in %s", s.Status)
			}
		})
	}
}

// Lifting protection, then deleting: the second step starts from what the
// first one left.
func TestUnprotectThenDelete(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	s.Protected = true
	lift := deleteStep(s)
	lift.ID, lift.Action = plan.UnprotectID("bp-a"), plan.ActionUnprotect
	remove := deleteStep(s)
	remove.Needs, remove.Base = []plan.StepID{lift.ID}, plan.BaseAfter(lift.ID)
	if r := run(t, f, stepPlan(lift, remove), Options{}); !r.Done() || s.Status != "DELETE_COMPLETE" {
		t.Errorf("%sleft in %s", outcomes(r), s.Status)
	}
}

func TestProtectAfterCreate(t *testing.T) {
	f := newFake()
	p := computePlan(f, wish{name: "bp-a", template: topic("new")})
	protect := plan.Step{
		ID: plan.ProtectID("bp-a"), Kind: plan.KindStack, Target: "bp-a", Action: plan.ActionProtect,
		Needs: []plan.StepID{"stack/bp-a"}, Base: plan.BaseAfter("stack/bp-a"), Body: plan.Body{Stack: &plan.StackBody{Name: "bp-a", Owner: owner}},
	}
	p.Steps = append(p.Steps, protect)
	if r := run(t, f, seal(p), Options{}); !r.Done() || !f.find("bp-a").Protected {
		t.Error(outcomes(r))
	}
	// Again, in a plan that did not create it: protected already.
	protect.Needs, protect.Base = nil, plan.FingerprintStack(&f.find("bp-a").LiveStack)
	f.log = nil
	if r := run(t, f, stepPlan(protect), Options{}); !r.Done() || mutations(f) > 0 {
		t.Errorf("%s%d writes", outcomes(r), mutations(f))
	}
}

// A step that follows another step on its stack has no fingerprint of its own,
// so it does not run when that step did not.
func TestFollowingNothingIsRefused(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	step := deleteStep(s)
	step.Base = plan.BaseAfter("recover/bp-a")
	if r := run(t, f, stepPlan(step), Options{}); !r.Refused() || mutations(f) > 0 {
		t.Errorf("%s%d writes", outcomes(r), mutations(f))
	}
}

func TestRecovery(t *testing.T) {
	cases := map[string]struct {
		operation, status string
		arrange           func(f *fake, s *fakeStack)
		want              Outcome
		message           string
		writes            int
		left              string
	}{
		"delete":            {plan.RecoverDelete, "ROLLBACK_COMPLETE", nil, OutcomeDone, "is gone", 1, "DELETE_COMPLETE"},
		"retry delete":      {plan.RecoverRetryDelete, "DELETE_FAILED", nil, OutcomeDone, "is gone", 1, "DELETE_COMPLETE"},
		"retry fails again": {plan.RecoverRetryDelete, "DELETE_FAILED", func(f *fake, _ *fakeStack) { f.ends["bp-a"] = "DELETE_FAILED" }, OutcomeFailed, "is still not recovered, it is DELETE_FAILED", 1, "DELETE_FAILED"},
		"sweep":             {plan.RecoverSweep, "REVIEW_IN_PROGRESS", func(_ *fake, s *fakeStack) { s.Description = "" }, OutcomeDone, "is gone", 1, "DELETE_COMPLETE"},
		"rollback":          {plan.RecoverRollback, "UPDATE_FAILED", nil, OutcomeDone, "is UPDATE_ROLLBACK_COMPLETE", 1, "UPDATE_ROLLBACK_COMPLETE"},
		"continue":          {plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", nil, OutcomeDone, "is UPDATE_ROLLBACK_COMPLETE", 1, "UPDATE_ROLLBACK_COMPLETE"},
		"continue in vain": {
			plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", func(f *fake, _ *fakeStack) { f.ends["bp-a"] = "UPDATE_ROLLBACK_FAILED" },
			OutcomeFailed, "continued 3 times and no resource was skipped", 3, "UPDATE_ROLLBACK_FAILED",
		},
		"answer lost":       {plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", func(f *fake, _ *fakeStack) { f.after = once(OpContinueRollback, connectionLost()) }, OutcomeDone, "", 1, "UPDATE_ROLLBACK_COMPLETE"},
		"request lost":      {plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", func(f *fake, _ *fakeStack) { f.before = once(OpContinueRollback, connectionLost()) }, OutcomeDone, "", 2, "UPDATE_ROLLBACK_COMPLETE"},
		"already gone":      {plan.RecoverDelete, "ROLLBACK_COMPLETE", func(_ *fake, s *fakeStack) { s.Status = "DELETE_COMPLETE" }, OutcomeDone, "", 0, "DELETE_COMPLETE"},
		"another status":    {plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", func(_ *fake, s *fakeStack) { s.Status = "UPDATE_COMPLETE" }, OutcomeRefused, "moved since the plan: it is UPDATE_COMPLETE", 0, "UPDATE_COMPLETE"},
		"tried by another":  {plan.RecoverContinueRollback, "UPDATE_ROLLBACK_FAILED", func(f *fake, s *fakeStack) { s.Updated = f.now() }, OutcomeRefused, "moved since the plan", 0, "UPDATE_ROLLBACK_FAILED"},
		"not ours":          {plan.RecoverDelete, "ROLLBACK_COMPLETE", func(_ *fake, s *fakeStack) { s.Description = "x" }, OutcomeRefused, "no mark", 0, "ROLLBACK_COMPLETE"},
		"gone, to continue": {plan.RecoverRollback, "UPDATE_FAILED", func(_ *fake, s *fakeStack) { s.Status = "DELETE_COMPLETE" }, OutcomeRefused, "does not exist any more", 0, "DELETE_COMPLETE"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			s := f.deploy("bp-a", owner, topic("old"))
			s.Status = c.status
			step := plan.Step{
				ID: plan.RecoverID("bp-a"), Kind: plan.KindStack, Target: "bp-a", Action: plan.ActionRecover, Base: plan.FingerprintStack(&s.LiveStack),
				Body: plan.Body{Recover: &plan.RecoverBody{Name: "bp-a", ID: s.ID, Status: c.status, Operation: c.operation}},
			}
			if c.arrange != nil {
				c.arrange(f, s)
			}
			got := run(t, f, stepPlan(step), Options{}).Steps[0]
			if got.Outcome != c.want || !strings.Contains(got.Message, c.message) || mutations(f) != c.writes || s.Status != c.left {
				t.Errorf("%s: %s; %d writes; left in %s", got.Outcome, got.Message, mutations(f), s.Status)
			}
		})
	}
}

// A stack that takes the name between the guard and the request is another's.
func TestDeleteGoesByID(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	var theirs *fakeStack
	p := stepPlan(deleteStep(s))
	f.before = func(r Request) *Failure {
		if r.Op == OpDeleteStack {
			s.Status = "DELETE_COMPLETE"
			theirs = f.deploy("bp-a", owner, topic("theirs"))
		}
		return nil
	}
	run(t, f, p, Options{})
	if theirs.Status != "CREATE_COMPLETE" {
		t.Errorf("their stack is %s", theirs.Status)
	}
}

// Two steps on one stack that do not need each other take turns.
func TestOneOperationAtATime(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	p := computePlan(f, wish{name: "bp-a", template: topic("new")})
	remove := deleteStep(s)
	remove.ID = "stack/again"
	p.Steps = append(p.Steps, remove)
	if r := run(t, f, seal(p), Options{}); outcomes(r) != "stack/bp-a done\nstack/again done\n" {
		t.Error(outcomes(r))
	}
}

func TestDestroyNamesItsOwnCommand(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	moved, unapproved := deleteStep(s), deleteStep(f.deploy("bp-b", owner, topic("old")))
	s.Updated = f.now()
	unapproved.Approvals = []plan.Approval{{Kind: plan.ApproveDestroy, Target: "bp-b"}}
	p := stepPlan(moved, unapproved)
	p.Destroy = true
	r := run(t, f, p, Options{})
	if r.Steps[0].Command != "reconcile destroy" || r.Steps[1].Command != "reconcile destroy --approve destroy:bp-b" {
		t.Errorf("%q, %q", r.Steps[0].Command, r.Steps[1].Command)
	}
}
