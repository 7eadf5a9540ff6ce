package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

func outcomeOfEach() apply.Result {
	return apply.Result{Steps: []apply.StepResult{
		{Step: "parameter/bp/fleets/staging/gpu-default/desired_config", Target: "/bp/fleets/staging/gpu-default/desired_config", Outcome: apply.OutcomeDone},
		{Step: "stack/bp-network", Target: "bp-network", Outcome: apply.OutcomeFailed, Message: "UPDATE_ROLLBACK_COMPLETE", RolledBack: true,
			Causes:  []apply.Cause{{Stack: "bp-network", Resource: "Vpc", Type: "AWS::EC2::VPC", Status: "CREATE_FAILED", Reason: "The maximum number of VPCs has been reached."}},
			Command: "reconcile apply"},
		{Step: "stack/bp-gpu-fleet-staging-gpu-default", Target: "bp-gpu-fleet-staging-gpu-default", Outcome: apply.OutcomeSkipped, Message: "skipped because of stack/bp-network", Cause: "stack/bp-network"},
		{Step: "stack/bp-compute", Target: "bp-compute", Outcome: apply.OutcomeBlocked, Message: "image bp-backend:latest is not in ECR", Command: "docker push …"},
		{Step: "log-group//gpu-workers/gpu-default", Target: "/gpu-workers/gpu-default", Outcome: apply.OutcomeDone},
		{Step: "recover/bp-data", Target: "bp-data", Outcome: apply.OutcomeRefused, Message: "needs --approve recover:bp-data", Command: "reconcile apply --approve recover:bp-data"},
	}}
}

func TestResult(t *testing.T) {
	golden(t, "result.txt", written(t, func(w io.Writer) error { return Result(w, updates(), outcomeOfEach(), Options{}) }))
	for want, r := range map[string]apply.Result{
		"\nApply complete: 2 steps done.\n": {Steps: []apply.StepResult{{Outcome: apply.OutcomeDone}, {Outcome: apply.OutcomeDone}}},
		"\nApply complete: 0 steps done.\n": {},
		"\nBlocked\n  blocked x\n\nApply incomplete: 0 steps done, 1 blocked.\n  once unblocked: reconcile apply\n": {Steps: []apply.StepResult{{Target: "x", Outcome: apply.OutcomeBlocked}}},
		"\nInterrupted\n  interrupted x\n      not started\n\nApply interrupted: 0 steps done, 1 interrupted.\n": {
			Interrupted: true, Steps: []apply.StepResult{{Target: "x", Outcome: apply.OutcomeInterrupted, Message: "not started"}}},
	} {
		got := written(t, func(w io.Writer) error { return Result(w, plan.Plan{}, r, Options{}) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestResultJSONIsOneLine(t *testing.T) {
	got := written(t, func(w io.Writer) error { return ResultJSON(w, updates(), outcomeOfEach()) })
	if bytes.Count([]byte(got), []byte("\n")) != 1 {
		t.Errorf("more than a line:\n%s", got)
	}
	var back struct {
		Type, Plan string
		Counts     map[string]int
		Steps      []apply.StepResult
	}
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatal(err)
	}
	if back.Type != "result" || back.Plan != "d1" || back.Counts["failed"] != 1 || len(back.Steps) != 6 {
		t.Errorf("got %+v", back)
	}
}

func TestStatus(t *testing.T) {
	v := Overview{
		Target: target,
		Stacks: []StackStatus{
			{Name: "bp-network", Sync: Synced, Health: Healthy, Status: "UPDATE_COMPLETE", Revision: "3f2a9c1", Updated: time.Date(2026, 11, 23, 9, 5, 0, 0, time.UTC)},
			{Name: "bp-data", Sync: OutOfSync, Health: Degraded, Status: "UPDATE_ROLLBACK_FAILED", Reason: "the last update failed, and so did its rollback"},
			{Name: "bp-compute", Sync: NotDeployed, Health: HealthUnknown},
		},
		Fleets: []FleetStatus{
			{Fleet: "production/gpu-default", Sync: NotDeployed, Health: HealthUnknown, Max: 3},
			{Fleet: "staging/gpu-default", Sync: Synced, Health: Healthy, Live: true, Desired: 2, InService: 2, Max: 3},
		},
	}
	golden(t, "status.txt", written(t, func(w io.Writer) error { return Status(w, v, Options{}) }))
	got := written(t, func(w io.Writer) error { return StatusJSON(w, Overview{}) })
	var back map[string]any
	if err := json.Unmarshal([]byte(got), &back); err != nil || back["stacks"] == nil || back["fleets"] == nil {
		t.Errorf("%v in %s", err, got)
	}
}

func TestStatusLeavesOutWhatDoesNotFit(t *testing.T) {
	v := Overview{Target: target, Stacks: []StackStatus{{Name: "bp-network", Sync: Synced, Health: Healthy, Status: "UPDATE_COMPLETE", Updated: time.Date(2026, 11, 23, 9, 5, 0, 0, time.UTC)}}}
	for width, want := range map[int]string{
		0:  "STACK       SYNC    HEALTH   STATUS           UPDATED",
		50: "STACK       SYNC    HEALTH   STATUS",
		44: "STACK       SYNC    HEALTH   STATUS",
		43: "STACK       SYNC    HEALTH",
	} {
		got := written(t, func(w io.Writer) error { return Status(w, v, Options{Width: width}) })
		if head := strings.Split(got, "\n")[2]; head != want {
			t.Errorf("%d columns: %q, want %q", width, head, want)
		}
	}
}

// What one cause stopped is told as one, and what it takes to go on once.
func TestAResultTellsEachCauseOnce(t *testing.T) {
	p := plan.Plan{Destroy: true, Steps: []plan.Step{
		{ID: "stack/a", Kind: plan.KindStack, Target: "a", Action: plan.ActionDelete, Approvals: []plan.Approval{{Kind: plan.ApproveDestroy, Target: "a", Why: "a is deleted"}}},
		{ID: "unprotect/b", Kind: plan.KindStack, Target: "b", Action: plan.ActionUnprotect, Approvals: []plan.Approval{{Kind: plan.ApproveUnprotect, Target: "b", Why: "b is protected"}}},
		{ID: "stack/b", Kind: plan.KindStack, Target: "b", Action: plan.ActionDelete},
		{ID: "parameter/p", Kind: plan.KindParameter, Target: "/p", Action: plan.ActionDelete},
	}}
	skipped := func(id plan.StepID, name string) apply.StepResult {
		return apply.StepResult{Step: id, Target: name, Outcome: apply.OutcomeSkipped, Message: "skipped because of stack/a", Cause: "stack/a"}
	}
	r := apply.Result{Steps: []apply.StepResult{
		{Step: "stack/a", Target: "a", Outcome: apply.OutcomeRefused, Message: "not approved: destroy:a (a is deleted) (specs/platform.yaml:2)", Command: "reconcile destroy --approve destroy:a"},
		skipped("unprotect/b", "b"), skipped("stack/b", "b"), skipped("parameter/p", "/p"),
	}}
	want := `
Skipped
  3 steps because a was refused: b, /p

Refused; nothing of these was changed
  stack a: delete
      not approved: destroy:a

Destroy incomplete: 0 steps done, 3 skipped, 1 refused.
  with your approval: reconcile destroy --sandbox --approve destroy:a --approve unprotect:b
`
	got := written(t, func(w io.Writer) error { return Result(w, p, r, Options{Flags: []string{"--sandbox"}}) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A step that the plan blocks is blocked, also where the run skipped it.
func TestAResultTellsOfBlockedSteps(t *testing.T) {
	p := plan.Plan{}
	r := apply.Result{}
	for _, name := range []string{"a", "b"} {
		p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionCreate, Blocked: &plan.Blocked{Reason: name + " has no image", Command: "docker push " + name}})
		r.Steps = append(r.Steps, apply.StepResult{Step: plan.StepID("stack/" + name), Target: name, Outcome: apply.OutcomeBlocked, Message: name + " has no image"})
	}
	r.Steps[1] = apply.StepResult{Step: "stack/b", Target: "b", Outcome: apply.OutcomeSkipped, Message: "skipped because of stack/a", Cause: "stack/a"}
	want := `
Blocked
  a
      a has no image
      unblock: docker push a
  b
      b has no image
      unblock: docker push b

Apply incomplete: 0 steps done, 2 blocked.
  once unblocked: reconcile apply
`
	got := written(t, func(w io.Writer) error { return Result(w, p, r, Options{}) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnInterruptedRunSaysWhatGoesOn(t *testing.T) {
	r := apply.Result{Interrupted: true, Steps: []apply.StepResult{
		{Step: "stack/a", Target: "a", Outcome: apply.OutcomeInterrupted, Message: "the deployment of stack a goes on without us", Command: "reconcile apply"},
		{Step: "stack/b", Target: "b", Outcome: apply.OutcomeInterrupted, Message: "not started"},
		{Step: "stack/c", Target: "c", Outcome: apply.OutcomeInterrupted, Message: "not started"},
	}}
	want := `
Interrupted
  interrupted a
      the deployment of stack a goes on without us
  2 steps not started: b, c

Apply interrupted: 0 steps done, 3 interrupted.
  next: reconcile apply --sandbox
`
	got := written(t, func(w io.Writer) error { return Result(w, plan.Plan{}, r, Options{Flags: []string{"--sandbox"}}) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
