package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"reconcile/pkg/plan"
)

// Sync says whether what is deployed is what the specs say.
type Sync string

// Health says whether what is deployed works.
type Health string

// The two axes of a status.
const (
	Synced      Sync = "synced"
	OutOfSync   Sync = "out-of-sync"
	NotDeployed Sync = "absent" // not deployed
	Extra       Sync = "extra"  // deployed, in no spec

	Healthy       Health = "healthy"
	Busy          Health = "busy"     // an operation runs
	Degraded      Health = "degraded" // stuck, or fewer instances than wanted
	HealthUnknown Health = "unknown"
)

// StackStatus is the status of one stack.
type StackStatus struct {
	Name     string    `json:"name"`
	Sync     Sync      `json:"sync"`
	Health   Health    `json:"health"`
	Status   string    `json:"status,omitempty"` // CloudFormation's word
	Revision string    `json:"revision,omitempty"`
	Updated  time.Time `json:"updated,omitzero"`
	Reason   string    `json:"reason,omitempty"`
}

// FleetStatus is the status of one fleet.
type FleetStatus struct {
	Fleet     string `json:"fleet"` // stage/slug
	Sync      Sync   `json:"sync"`
	Health    Health `json:"health"`
	Live      bool   `json:"live"`    // the group exists, and the numbers are its own
	Desired   int    `json:"desired"` // what the autoscaler wants now
	InService int    `json:"inService"`
	Max       int    `json:"max"`
	Reason    string `json:"reason,omitempty"`
}

// Overview is what the status command shows.
type Overview struct {
	FormatVersion string        `json:"formatVersion"`
	Target        plan.Target   `json:"target"`
	Stacks        []StackStatus `json:"stacks"`
	Fleets        []FleetStatus `json:"fleets"`
}

// StatusJSON writes an overview as one JSON document.
func StatusJSON(w io.Writer, v Overview) error {
	v.FormatVersion = plan.FormatVersion
	if v.Stacks == nil {
		v.Stacks = []StackStatus{}
	}
	if v.Fleets == nil {
		v.Fleets = []FleetStatus{}
	}
	return writeJSON(w, v, "  ")
}

// Status writes an overview as two tables.
func Status(w io.Writer, v Overview, o Options) error {
	p := newPage(o)
	p.linef("%s", p.bold(clean(v.Target.Platform)+" in account "+clean(v.Target.Account)+", "+clean(v.Target.Region)))
	p.WriteByte('\n')
	rows := [][]string{{"STACK", "SYNC", "HEALTH", "STATUS", "REVISION", "UPDATED"}}
	for _, s := range v.Stacks {
		updated := "-"
		if !s.Updated.IsZero() {
			updated = s.Updated.UTC().Format("2006-01-02 15:04Z")
		}
		rows = append(rows, []string{s.Name, string(s.Sync), string(s.Health), dash(s.Status), dash(s.Revision), updated})
	}
	reasons := make([]string, len(rows))
	for i, s := range v.Stacks {
		reasons[i+1] = s.Reason
	}
	p.table(p.fit(rows, "REVISION", "UPDATED", "STATUS"), reasons)
	if len(v.Fleets) > 0 {
		p.WriteByte('\n')
		rows = [][]string{{"FLEET", "SYNC", "HEALTH", "DESIRED", "IN SERVICE", "MAX"}}
		reasons = []string{""}
		for _, f := range v.Fleets {
			row := []string{f.Fleet, string(f.Sync), string(f.Health), "-", "-", "-"}
			if f.Live {
				row[3], row[4], row[5] = fmt.Sprint(f.Desired), fmt.Sprint(f.InService), fmt.Sprint(f.Max)
			}
			rows = append(rows, row)
			reasons = append(reasons, f.Reason)
		}
		p.table(rows, reasons)
	}
	return p.flush(w)
}

// fit leaves out columns that may go: those that say nothing and, from the first
// on, as many as the page is too narrow for.
func (p *page) fit(rows [][]string, may ...string) [][]string {
	for _, name := range may {
		at := slices.Index(rows[0], name)
		if !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[at] != "-" }) || p.o.Width > 0 && tableWidth(rows) > p.o.Width {
			narrower := make([][]string, len(rows))
			for i, row := range rows {
				narrower[i] = slices.Concat(row[:at], row[at+1:])
			}
			rows = narrower
		}
	}
	return rows
}

func tableWidth(rows [][]string) int {
	total := -columnGap
	for i := range rows[0] {
		widest := 0
		for _, row := range rows {
			widest = max(widest, lipgloss.Width(clean(row[i])))
		}
		total += widest + columnGap
	}
	return total
}

const columnGap = 2

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// table writes rows in columns; a reason goes on a line of its own below.
func (p *page) table(rows [][]string, reasons []string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
	}
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			text := cell
			switch {
			case n == 0:
				text = p.dim(cell)
			case cell == string(Synced) || cell == string(Healthy):
				text = p.green(cell)
			case cell == string(Degraded) || cell == string(NotDeployed):
				text = p.red(cell)
			case cell == string(OutOfSync) || cell == string(Busy) || cell == string(Extra) || cell == string(HealthUnknown):
				text = p.yellow(cell)
			}
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-lipgloss.Width(cell)+columnGap))
			}
		}
		p.linef("%s", b.String())
		if reasons[n] != "" {
			p.paragraph(4, reasons[n])
		}
	}
}
