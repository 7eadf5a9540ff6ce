package report

import (
	"bytes"
	"encoding/json"
	"io"
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
