package report

import (
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/ami"
	"reconcile/pkg/plan"
)

// Images is what ami list shows.
type Images struct {
	FormatVersion string      `json:"formatVersion"`
	Target        plan.Target `json:"target"`
	Fleets        []ami.Row   `json:"fleets"`
}

// AMIJSON writes images as one JSON document.
func AMIJSON(w io.Writer, v Images) error {
	v.FormatVersion = plan.FormatVersion
	return writeJSON(w, v, "  ")
}

// AMI writes images as a table: of each fleet first the one that its parameter
// holds, then another one that its group launches, then the rest.
func AMI(w io.Writer, v Images, o Options) error {
	p := newPage(o)
	p.linef("%s", p.bold("Images of "+clean(v.Target.Platform)+" in account "+clean(v.Target.Account)+", "+clean(v.Target.Region)))
	p.WriteByte('\n')
	rows := [][]string{{"FLEET", "IMAGE", "WHAT", "DRIVER", "CUDA", "COMFYUI", "BUNDLE", "SPECS", "BUILT", "USED BY"}}
	reasons := []string{""}
	add := func(fleet, what string, u ami.Use, reason string) {
		l := u.Lineage
		built := "-"
		if !l.Built.IsZero() {
			built = l.Built.Format("2006-01-02 15:04Z")
		}
		rows = append(rows, []string{fleet, dash(u.ID), what, dash(l.Driver), dash(l.CUDA), dash(short(l.ComfyUI)), dash(l.Bundle), dash(short(l.Revision)), built, usedBy(u)})
		reasons = append(reasons, reason)
	}
	for _, f := range v.Fleets {
		current := ami.Use{Image: ami.Image{ID: f.AMI}}
		if f.Image != nil {
			current = *f.Image
		}
		add(f.Fleet, "parameter", current, f.Problem)
		if f.Launches != nil {
			add("", "launched", *f.Launches, "")
		}
		for _, u := range f.Others {
			add("", "other", u, "")
		}
	}
	p.table(p.fit(rows, "SPECS", "CUDA", "DRIVER", "COMFYUI", "BUNDLE"), reasons)
	return p.flush(w)
}

func usedBy(u ami.Use) string {
	var parts []string
	for _, n := range []struct {
		n    int
		noun string
	}{{len(u.Parameters), "parameter"}, {len(u.Fleets), "group"}, {len(u.Instances), "instance"}} {
		if n.n > 0 {
			parts = append(parts, counted(n.n, n.noun))
		}
	}
	return dash(strings.Join(parts, ", "))
}

// AMIBuilt says what a build left, and what to run next.
func AMIBuilt(w io.Writer, fleet, image, parameter string, version int64) error {
	_, err := fmt.Fprintf(w, "%s: %s holds %s (version %d)\n", clean(fleet), clean(parameter), clean(image), version)
	return err
}
