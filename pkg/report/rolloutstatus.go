package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"reconcile/pkg/plan"
)

// RolloutStatus is how far the rollout of one fleet is.
type RolloutStatus struct {
	Fleet     string            `json:"fleet"` // stage/slug
	Stack     string            `json:"stack"`
	Status    string            `json:"status,omitempty"` // of the stack, CloudFormation's word; empty: absent
	Rollout   string            `json:"rollout"`          // of the newest refresh, AWS's word; "none" without one
	Reason    string            `json:"reason,omitempty"`
	Percent   int               `json:"percent"`
	Left      int               `json:"left"` // instances still to replace
	Checks    []int             `json:"checkpoints,omitempty"`
	Started   time.Time         `json:"started,omitzero"`
	Ended     time.Time         `json:"ended,omitzero"`
	Alarms    map[string]string `json:"alarms,omitempty"` // name → state
	Instances []RolloutInstance `json:"instances"`
	Next      string            `json:"next,omitempty"` // command
}

// RolloutInstance is an instance of the fleet.
type RolloutInstance struct {
	ID        string `json:"id"`
	Type      string `json:"type,omitempty"`
	State     string `json:"state"`
	Health    string `json:"health,omitempty"`
	Version   string `json:"version,omitempty"` // of the launch template
	Protected bool   `json:"protected,omitempty"`
}

// RolloutsJSON writes the rollouts as one JSON document.
func RolloutsJSON(w io.Writer, all []RolloutStatus) error {
	if all == nil {
		all = []RolloutStatus{}
	}
	return writeJSON(w, struct {
		FormatVersion string          `json:"formatVersion"`
		Rollouts      []RolloutStatus `json:"rollouts"`
	}{plan.FormatVersion, all}, "  ")
}

// Rollouts writes the rollouts for people.
func Rollouts(w io.Writer, all []RolloutStatus, o Options) error {
	p := newPage(o)
	for i, r := range all {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.rollout(r)
	}
	return p.flush(w)
}

func (p *page) rollout(r RolloutStatus) {
	p.linef("%s: stack %s is %s", p.bold(clean(r.Fleet)), clean(r.Stack), dash(clean(r.Status)))
	switch {
	case r.Status == "":
		return
	case r.Started.IsZero():
		p.paragraph(2, "no rollout in the last six weeks")
	default:
		p.paragraph(2, r.progress())
		if r.Reason != "" {
			p.paragraph(2, "AWS says: "+clean(r.Reason))
		}
		if len(r.Checks) > 0 {
			p.paragraph(2, "pauses at "+strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Checks), " ", " %, "), "[]")+" %")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Alarms)) {
		p.paragraph(2, fmt.Sprintf("alarm %s is %s", clean(name), clean(r.Alarms[name])))
	}
	if len(r.Instances) == 0 {
		p.paragraph(2, "no instance runs")
	} else {
		rows := [][]string{{"INSTANCE", "TYPE", "STATE", "HEALTH", "VERSION", "JOB"}}
		for _, i := range r.Instances {
			job := "-"
			if i.Protected {
				job = "protected"
			}
			rows = append(rows, []string{clean(i.ID), dash(clean(i.Type)), clean(i.State), dash(clean(i.Health)), dash(clean(i.Version)), job})
		}
		p.table(rows, make([]string, len(rows)))
	}
	if r.Next != "" {
		p.command(2, "next: ", flagged(p.o.complete(r.Next)))
	}
}

func (r RolloutStatus) progress() string {
	text := fmt.Sprintf("rollout %s, %d %%, %s to replace, ", clean(r.Rollout), r.Percent, counted(r.Left, "instance"))
	if !r.Ended.IsZero() {
		return text + "took " + r.Ended.Sub(r.Started).Round(time.Second).String() + ", ended " + r.Ended.UTC().Format("2006-01-02 15:04Z")
	}
	return text + "began " + r.Started.UTC().Format("2006-01-02 15:04Z")
}
