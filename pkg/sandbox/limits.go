package sandbox

import (
	"fmt"
	"io"
)

// Quotas are how much an account may hold in a region; 0 is AWS's default.
type Quotas struct {
	Stacks     int `json:"stacks,omitempty"`     // 2,000 (aws-limits 4.1)
	Groups     int `json:"groups,omitempty"`     // Auto Scaling groups: 500 (aws-limits 4.3)
	Parameters int `json:"parameters,omitempty"` // standard ones: 10,000 (aws-limits 4.2)
}

// defaultQuotas are what a new AWS account has.
var defaultQuotas = Quotas{Stacks: 2000, Groups: 500, Parameters: 10_000}

// inForce is what applies.
func inForce(own, standard int) int {
	if own > 0 {
		return own
	}
	return standard
}

// show writes the quotas that are not AWS's defaults.
func (q Quotas) show(w io.Writer) {
	for _, e := range []struct {
		name          string
		own, standard int
	}{
		{"stacks", q.Stacks, defaultQuotas.Stacks},
		{"Auto Scaling groups", q.Groups, defaultQuotas.Groups},
		{"parameters", q.Parameters, defaultQuotas.Parameters},
	} {
		if n := inForce(e.own, e.standard); n != e.standard {
			fmt.Fprintf(w, "quota\t%s\t%d a region (a new AWS account has %d)\n", e.name, n, e.standard)
		}
	}
}

// mostGroups is the quota of Auto Scaling groups, as support or the account's
// making raised it.
func (c *call) mostGroups() int {
	if raised, ok := c.region.Quotas["autoscaling/L-CDE20ADC"]; ok {
		return int(raised)
	}
	return inForce(c.account.Quotas.Groups, defaultQuotas.Groups)
}
