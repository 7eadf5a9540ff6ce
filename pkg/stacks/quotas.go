package stacks

import (
	"fmt"

	"reconcile/pkg/plan"
)

// Quotas that a new account has in a region (facts: aws-limits 4.1 to 4.3). AWS
// raises them on request.
const (
	quotaStacks     = 2000
	quotaGroups     = 500
	quotaParameters = 10_000
)

// quotas warn before an apply fails half-way: what these specs alone need is
// more than a new account may hold.
func (p *platform) quotas(d plan.Desired) []plan.Finding {
	groups, parameters := 0, len(d.Parameters)
	for _, s := range d.Stacks {
		for _, r := range s.Template.Resources {
			switch r.Type {
			case "AWS::AutoScaling::AutoScalingGroup":
				groups++
			case "AWS::SSM::Parameter":
				parameters++
			}
		}
	}
	var over []plan.Finding
	for _, q := range []struct {
		what        string
		needs, have int
	}{
		{"CloudFormation stacks", len(d.Stacks), quotaStacks},
		{"Auto Scaling groups", groups, quotaGroups},
		{"standard SSM parameters", parameters, quotaParameters},
	} {
		if q.needs > q.have {
			over = append(over, plan.Finding{
				Severity: plan.SeverityWarning, Code: "quota", Target: p.Name, Source: p.At("spec.region"),
				Message: fmt.Sprintf("the specs need %d %s, and an account has %d a region by default: have the quota raised before you apply", q.needs, q.what, q.have),
			})
		}
	}
	return over
}
