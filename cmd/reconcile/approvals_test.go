package main

import (
	"fmt"
	"testing"
)

// An approval in the Platform document does what --approve does, until it expires.
func TestApprovalsTravelWithTheSpecs(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const stack = "bp-gpu-fleet-production-gpu-default"
	r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
	approve := func(expires string) string {
		return fmt.Sprintf("  region: us-east-1\n  approvals:\n    - {kind: destroy, target: %s, expires: %q}\n", stack, expires)
	}
	r.want(4, "apply --yes", "approve destroy:"+stack)
	r.edit("  region: us-east-1\n", approve("2020-01-31"), "specs/platform.yaml")
	r.want(4, "apply --yes", "approval destroy:"+stack+" expired on 2020-01-31", "approve destroy:"+stack)
	r.edit("2020-01-31", "2126-01-31", "specs/platform.yaml")
	r.want(0, "plan", "destroy:"+stack+" (given)").saysNot(t, "without your approval")
	r.want(0, "apply --yes", "Apply complete")
	r.want(0, "plan --verbose --detailed-exitcode", "No changes.", "approval destroy:"+stack+" was used by run", "does not count again", "specs/platform.yaml:9")
}

// An approval is for one time: when the fleet comes back and goes again, it has to be given again.
func TestApprovalCountsOnce(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const stack = "bp-gpu-fleet-production-gpu-default"
	r.edit("  region: us-east-1\n", "  region: us-east-1\n  approvals:\n    - {kind: destroy, target: "+stack+", expires: 2126-01-31}\n", "specs/platform.yaml")
	r.want(0, "plan --verbose", "approval destroy:"+stack+" allows nothing in this plan")
	r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
	r.want(0, "apply --yes")
	r.edit(`["staging"]`, `["staging", "production"]`, "specs/fleets.cue")
	r.want(0, "apply --yes")
	r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
	r.want(4, "apply --yes", "was used by run", "approve destroy:"+stack)
	r.edit("expires: 2126-01-31", "expires: 2126-02-28", "specs/platform.yaml") // given again
	r.want(0, "apply --yes")
}

// destroy is somebody's own decision: no merge carries it.
func TestDestroyTakesNoApprovalFromTheSpecs(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("  region: us-east-1\n", "  region: us-east-1\n  approvals:\n    - {kind: destroy, target: bp-gpu-fleet-production-gpu-default, expires: 2126-01-31}\n", "specs/platform.yaml")
	r.want(4, "destroy --stack bp-gpu-fleet-production-gpu-default --yes", "approve destroy:bp-gpu-fleet-production-gpu-default")
}

// Many replacements may be approved by one glob, and the plan then names each;
// what deletes data or lifts a protection never is.
func TestApprovalByGlob(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("email: ops@example.com", "email: people@example.com", "specs/platform.yaml")
	r.want(4, "apply --yes --approve replace:bp-compute*", "replace:bp-monitoring/AlertEmail")
	r.want(1, "apply --yes --approve destroy:bp-*", "approved by its full name")
	r.want(1, "destroy --yes --approve unprotect:*", "approved by its full name")
	r.want(1, "apply --yes --approve replace:bp-[", "syntax error in pattern")
	r.want(0, "apply --yes --approve replace:bp-mon*", "replace:bp-monitoring/AlertEmail (given)")
	r.empty()
}
