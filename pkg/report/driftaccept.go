package report

import (
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/drift"
)

// Accepted is what became of hand edits that were to be accepted.
type Accepted struct {
	Written []drift.Edit  `json:"written"`
	Printed []drift.Edit  `json:"printed,omitempty"` // of CUE files, to be made by hand
	Refused []NotAccepted `json:"refused,omitempty"`
}

// NotAccepted is a difference that no edit of the specs accepts.
type NotAccepted struct {
	Finding drift.Finding `json:"finding"`
	Why     string        `json:"why"`
}

// AcceptedJSON writes it as one JSON document.
func AcceptedJSON(w io.Writer, a Accepted) error {
	if a.Written == nil {
		a.Written = []drift.Edit{}
	}
	return writeJSON(w, a, "  ")
}

// AcceptedText writes what was edited, what is left to edit by hand, and what
// cannot be accepted, with what to do about it.
func AcceptedText(w io.Writer, a Accepted, o Options) error {
	p := newPage(o)
	if len(a.Written)+len(a.Printed)+len(a.Refused) == 0 {
		p.linef("Nothing to accept: what was looked at is as it was deployed.")
	}
	for _, e := range a.Written {
		p.linef("%s %s", p.yellow("~"), clean(editLine(e)))
		p.linef("    %s", p.dim("accepts "+clean(accepts(e))))
	}
	for _, e := range a.Printed {
		p.linef("%s %s", p.yellow("?"), clean(editLine(e)))
		p.linef("    %s", p.dim("CUE is not edited for you: make this change; it accepts "+clean(accepts(e))))
	}
	for _, r := range a.Refused {
		p.item(0, p.red("x")+" ", 4, clean(fmt.Sprintf("%s: %s not accepted: %s.", r.Finding.Name(), o.show(r.Finding.Live), r.Why)))
		p.item(4, "", 4, "put it back with drift --fix, or hide it for a time with spec.ignore")
	}
	if len(a.Written)+len(a.Printed) > 0 {
		p.linef("")
		p.linef("Then deploy it, which changes nothing that is live:  %s", clean(o.complete("reconcile apply")))
	}
	return p.flush(w)
}

func editLine(e drift.Edit) string {
	field := e.Field
	if field != "" {
		field += ": "
	}
	return fmt.Sprintf("%s:%d:%d  %s%s -> %s", e.File, e.Line, e.Column, field, e.Old, e.New)
}

func accepts(e drift.Edit) string {
	var names []string
	for _, f := range e.Findings() {
		names = append(names, f.Name())
	}
	return strings.Join(names, ", ")
}
