package main

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/pkg/sandbox"
)

// devListed is what dev list says to programs.
type devListed struct {
	Instances []struct{ ID, State, URL string }
	Unused    []string `json:"unusedSecurityGroups"`
}

func (r *rig) devList() devListed {
	r.t.Helper()
	var out devListed
	if err := json.Unmarshal([]byte(r.want(0, "dev list -o json").out), &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// A start and a stop that end anywhere are finished by the same command: one
// instance at most, and in the end nothing. Lost answers are those of a process
// that was killed while AWS did what it was asked.
func TestDevKilledBetweenCalls(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const start, stop = "dev start staging/gpu-default --cidr 203.0.113.7/32", "dev stop staging/gpu-default --yes"
	fails := func(line, operation string, f sandbox.Fault) {
		t.Helper()
		r.rule(sandbox.FaultRule{Service: "ec2", Operation: operation, Fault: f})
		if s := r.run(line); s.code == 0 {
			t.Errorf("%s passes without an answer to %s:\n%s", line, operation, s.all())
		}
		r.calm()
	}
	lost, denied := sandbox.Fault{Lost: sandbox.LostAfter}, sandbox.Fault{Code: "UnauthorizedOperation", Message: "not you"}
	fails(start, "CreateSecurityGroup", lost)
	fails(start, "AuthorizeSecurityGroupIngress", denied)
	fails(start, "RunInstances", lost)
	s := r.want(0, start, "the same instance")
	first := r.devList()
	if len(first.Instances) != 1 || len(first.Unused) != 0 {
		t.Fatalf("%+v", first)
	}
	s.says(t, first.Instances[0].ID)
	fails(stop, "TerminateInstances", lost)
	fails(stop, "DeleteSecurityGroup", denied)
	if got := r.devList(); len(got.Instances) != 0 || len(got.Unused) != 1 {
		t.Fatalf("%+v", got)
	}
	r.want(0, stop, "is deleted")
	r.want(0, start, "was made").saysNot(t, first.Instances[0].ID)
}

// What stopped itself is booted again; what somebody terminated is not.
func TestDevStoppedAndTerminated(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const start = "dev start staging/gpu-default --cidr 203.0.113.7/32"
	byHand := func(action, id string) {
		t.Helper()
		r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
			if err := signedQuery(ctx, cfg, "ec2", "https://ec2.us-east-1.amazonaws.com/", "Version=2016-11-15&InstanceId.1="+id+"&Action="+action); err != nil {
				t.Fatal(err)
			}
		})
	}
	r.want(0, start, "was made")
	id := r.devList().Instances[0].ID
	byHand("StopInstances", id)
	r.want(0, start, id, "runs again", "started again, with what is on its disk", "in 4 h 0 min")
	byHand("TerminateInstances", id)
	s := r.want(0, start, "was made")
	s.saysNot(t, id)
	r.rule(sandbox.FaultRule{Service: "ec2", Operation: "RunInstances", Fault: sandbox.Fault{Code: "VcpuLimitExceeded", Message: "You have requested more vCPU capacity than your current vCPU limit of 0"}})
	r.want(1, "dev start production/gpu-default --cidr 203.0.113.7/32", "start a g4dn.xlarge: VcpuLimitExceeded: You have requested more", "--quota-code L-DB2E81BA")
	r.want(0, "dev stop production/gpu-default --yes", "stopped")
	r.want(0, "dev stop "+r.devList().Instances[0].ID+" --yes", "stopped: nothing is left of it")
	if got := r.devList(); len(got.Instances)+len(got.Unused) != 0 {
		t.Errorf("%+v", got)
	}
}
