// Package drift compares what AWS has with what was deployed, and sorts the
// differences: changed by hand, owned by the autoscaler or a service, and
// newly known to this version.
//
// It is pure: pkg/cloud reads, cmd/reconcile wires. Start with Compare; what a
// resource type's reading covers stands in coverage.go.
package drift

import (
	"time"

	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// FormatVersion of the JSON encoding of a Report.
const FormatVersion = "1.0"

// Key names a resource.
type Key struct{ Stack, Resource string }

// Subject is a deployed resource to look at.
type Subject struct {
	Key
	Type string
	ID   string // physical id; empty while unknown
	// Properties as deployed, in the template's shape. What only AWS knows is an Open.
	Properties map[string]any
	StackTags  map[string]string
}

// Open stands in Subject.Properties for a value that only AWS knows.
type Open struct{}

// Found is what AWS has of a resource. Properties are in the template's shape;
// one that Compared names and that is not here is not set.
type Found struct {
	Exists     bool
	Properties map[string]any
	// Owned are values that the autoscaler or the service owns, by property.
	Owned map[string]any
}

// Live is what was read of AWS.
type Live struct {
	Found map[Key]Found
	// Unread says why resources were not read (access denied), by type.
	Unread map[string]string
	// Detected is what CloudFormation's own detection found; nil: it was not asked.
	Detected []Detected
}

// Detected is one difference that CloudFormation's drift detection reports.
type Detected struct {
	Key
	Type     string
	Physical string
	// Deleted: the resource is gone, and there are no paths.
	Deleted  bool
	Path     string // "Properties.X.Y"
	Live     any
	Deployed any
}

// Kind of a difference.
type Kind string

// The kinds.
const (
	Modified Kind = "modified"
	Deleted  Kind = "deleted"
)

// Finding is one difference between AWS and what was deployed.
type Finding struct {
	Stack     string       `json:"stack,omitempty"`
	Resource  string       `json:"resource"` // logical id, or the name of a parameter that is in no stack
	Type      string       `json:"type"`
	Physical  string       `json:"physical,omitempty"`
	Fleet     string       `json:"fleet,omitempty"`
	Kind      Kind         `json:"kind"`
	Path      string       `json:"path,omitempty"` // "Properties.MaxSize"
	Live      any          `json:"live,omitempty"`
	Deployed  any          `json:"deployed,omitempty"`
	Document  string       `json:"document,omitempty"`
	Sensitive bool         `json:"sensitive,omitempty"`
	Replace   plan.Replace `json:"replace,omitempty"` // putting it back replaces the resource
	Source    spec.Source  `json:"source,omitzero"`
	// Stays says why CloudFormation does not put it back, and what does.
	Stays string `json:"stays,omitempty"`
	// Rule and Reason say why it is expected, newly known or ignored.
	Rule    string `json:"rule,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Expires string `json:"expires,omitempty"` // of an ignored one
	// By is "cloudformation" for what only its own detection found.
	By string `json:"by,omitempty"`
}

// Report is the whole answer.
type Report struct {
	FormatVersion string         `json:"formatVersion"`
	Target        plan.Target    `json:"target"`
	Hand          []Finding      `json:"changedByHand"`
	Expected      []Finding      `json:"expected"`
	New           []Finding      `json:"newlyKnown"`
	Ignored       []Finding      `json:"ignored"`
	Coverage      Coverage       `json:"coverage"`
	Notes         []plan.Finding `json:"notes,omitempty"`
}

// Clean tells whether nobody changed anything by hand, as far as was looked.
func (r Report) Clean() bool { return len(r.Hand) == 0 }

// Of is the part of a report that is about one fleet; with "" that which is
// about none. The notes and the coverage are the whole report's.
func (r Report) Of(fleet string) Report {
	of := func(all []Finding) []Finding {
		out := []Finding{}
		for _, f := range all {
			if f.Fleet == fleet {
				out = append(out, f)
			}
		}
		return out
	}
	r.Hand, r.Expected, r.New, r.Ignored = of(r.Hand), of(r.Expected), of(r.New), of(r.Ignored)
	return r
}

// Input is everything that Compare looks at.
type Input struct {
	Target      plan.Target
	Deployments []plan.Deployment
	Subjects    []Subject // Subjects(Deployments), with the ids that were read
	Live        Live
	// Parameters are the plan's steps that would write a parameter of its own.
	Parameters []plan.Step
	// ParameterFleets says which fleet a parameter is of.
	ParameterFleets map[string]string
	Ignore          []spec.Ignore
	Now             time.Time
	// Absent are selected stacks that are not settled, with their status; "" is not deployed.
	Absent map[string]string
}
