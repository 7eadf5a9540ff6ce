package dev

import "fmt"

// Trouble is AWS's refusal of a step: what was being done, AWS's code and words,
// and the next command.
type Trouble struct {
	Doing   string
	Code    string // empty where AWS gave none
	Message string
	Next    string
}

func (t *Trouble) Error() string {
	if t.Code == "" {
		return t.Doing + ": " + t.Message
	}
	return t.Doing + ": " + t.Code + ": " + t.Message
}

// Hint is the next command.
func (t *Trouble) Hint() string { return t.Next }

// NextAfter is what helps against AWS's code while an instance of a type is
// started; empty where only the message does.
func NextAfter(code string, f Fleet, kind, region string) string {
	switch code {
	case "InsufficientInstanceCapacity", "Unsupported":
		return fmt.Sprintf("try again later, or name another type first in instanceTypes of fleet %s, then reconcile apply --fleet %s; no zone of %s gave %s", f.ID(), f.ID(), region, kind)
	case "VcpuLimitExceeded", "MaxSpotInstanceCountExceeded":
		return "stop another one (reconcile dev list), or ask for more: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value N --region " + region
	case "VPCIdNotSpecified", "InvalidVpcID.NotFound":
		return NoDefaultVPC(region).Next
	case "InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed":
		return fmt.Sprintf("build an image and write its id into %s", f.ImageParameter())
	case "UnauthorizedOperation", "AccessDenied", "AccessDeniedException":
		return "run it with rights of your own: no role of a workflow starts dev instances (docs/dev.md lists the actions)"
	case "DependencyViolation":
		return "something else still uses the security group; see which, take it off there, then run reconcile dev stop " + f.ID() + " again"
	}
	return ""
}

// NoDefaultVPC is said where there is none.
func NoDefaultVPC(region string) *Refusal {
	return &Refusal{"there is no default VPC in " + region + ", where a dev instance would be", "aws ec2 create-default-vpc --region " + region}
}

// NoParameter is said of a parameter that does not exist; AWS's code for it is
// ParameterNotFound.
func NoParameter(name, what, next string) *Refusal {
	return &Refusal{fmt.Sprintf("ParameterNotFound: %s does not exist, which has %s", name, what), next}
}
