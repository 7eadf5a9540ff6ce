package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"reconcile/pkg/drift"
	"reconcile/pkg/plan"
)

// DriftJSON writes a drift report as one JSON document.
func DriftJSON(w io.Writer, r drift.Report) error { return writeJSON(w, r, "  ") }

// Drift writes a drift report: what somebody changed by hand first, then what
// is expected, newly known and ignored, and last what was not looked at.
func Drift(w io.Writer, r drift.Report, o Options) error {
	t := driftText{page: newPage(o), r: r}
	t.linef("%s", t.bold(driftTitle(r)))
	t.hand()
	t.counts("Owned by the autoscaler or the service, as expected", r.Expected)
	t.counts("Newly known: the next apply sets it", r.New)
	t.counts("Ignored, as the specs say", r.Ignored)
	t.notes()
	t.coverage()
	if !r.Clean() {
		t.linef("")
		t.linef("To put it back:  %s", clean(o.complete(driftCommand(r, "--fix"))))
		t.linef("To accept it:    %s", clean(o.complete(driftCommand(r, "--accept"))))
	}
	return t.flush(w)
}

// driftCommand goes on from a report: what only CloudFormation's detection has
// found, only another one finds again.
func driftCommand(r drift.Report, flag string) string {
	if r.Coverage.Detection {
		return "reconcile drift --detect " + flag
	}
	return "reconcile drift " + flag
}

func driftTitle(r drift.Report) string {
	if r.Clean() {
		return "No drift: what was looked at is as it was deployed."
	}
	return "Drift: " + counted(len(r.Hand), "difference") + " made by hand."
}

type driftText struct {
	*page
	r drift.Report
}

// hand writes the hand edits, a block per resource.
func (t *driftText) hand() {
	last := ""
	for _, f := range t.r.Hand {
		if head := headOf(f); head != last {
			t.linef("")
			t.linef("%s %s", t.symbol(symbolDrift), clean(head))
			last = head
		}
		t.linef("    %s%s", t.edit(f), t.dim(sourceOf(f)))
		if f.Stays != "" {
			t.paragraph(6, clean("not put back by --fix: "+f.Stays))
		}
		if f.By != "" {
			t.linef("      %s", t.dim("found by CloudFormation's own detection"))
		}
	}
}

func headOf(f drift.Finding) string {
	head := f.Resource
	if f.Stack != "" {
		head = f.Stack + "/" + f.Resource
	}
	head += "  " + f.Type
	if f.Physical != "" && f.Physical != f.Resource {
		head += "  " + f.Physical
	}
	return head
}

// edit is "MaxSize: 3, deployed was 10".
func (t *driftText) edit(f drift.Finding) string {
	switch {
	case f.Kind == drift.Deleted:
		return t.red("deleted by hand")
	case f.Live == nil:
		return clean(fmt.Sprintf("%s: gone, deployed was %s", shortPath(f.Path), t.o.show(f.Deployed)))
	case f.Deployed == nil:
		return clean(fmt.Sprintf("%s: %s, added by hand", shortPath(f.Path), t.o.show(f.Live)))
	}
	return clean(fmt.Sprintf("%s: %s, deployed was %s", shortPath(f.Path), t.o.show(f.Live), t.o.show(f.Deployed)))
}

func sourceOf(f drift.Finding) string {
	if at := place(f.Source); at != "" {
		return "  (" + clean(at) + ")"
	}
	return ""
}

// counts writes a bucket by rule; with Verbose every finding of it.
func (t *driftText) counts(title string, findings []drift.Finding) {
	if len(findings) == 0 {
		return
	}
	t.linef("")
	t.linef("%s: %d", title, len(findings))
	for _, g := range byRule(findings) {
		line := fmt.Sprintf("%s (%s): %s", g[0].Rule, counted(len(g), "value"), g[0].Reason)
		if g[0].Expires != "" {
			line += ", until " + g[0].Expires
		}
		t.item(2, "", 4, clean(line))
		for _, f := range g {
			if t.o.Verbose || f.Rule == "ignore" {
				t.linef("      %s: %s", clean(f.Name()), clean(t.o.show(f.Live)))
			}
		}
	}
}

// byRule groups findings by rule and reason, in the order of appearance.
func byRule(findings []drift.Finding) [][]drift.Finding {
	var out [][]drift.Finding
	for _, f := range findings {
		i := slices.IndexFunc(out, func(g []drift.Finding) bool { return g[0].Rule == f.Rule && g[0].Reason == f.Reason })
		if i < 0 {
			out = append(out, nil)
			i = len(out) - 1
		}
		out[i] = append(out[i], f)
	}
	return out
}

func (t *driftText) notes() {
	if len(t.r.Notes) > 0 {
		t.linef("")
	}
	for _, n := range t.r.Notes {
		line := clean(n.Message)
		if at := place(n.Source); at != "" {
			line += " (" + clean(at) + ")"
		}
		t.item(0, t.severity(n.Severity, string(n.Severity)+": "), 2, line)
	}
}

func (t *driftText) coverage() {
	t.linef("")
	for _, line := range coverageLines(t.r.Coverage, t.o.Verbose) {
		t.item(0, "", 2, clean(line))
	}
}

// coverageLines say what was looked at and what was not.
func coverageLines(c drift.Coverage, all bool) []string {
	lines := []string{fmt.Sprintf("Looked at %s of %s.", counted(resources(c.Looked), "resource"), counted(len(c.Looked), "type"))}
	if len(c.NotLooked) > 0 {
		var names []string
		for _, t := range c.NotLooked {
			names = append(names, fmt.Sprintf("%s %d", t.Type, t.Resources))
		}
		how := "drift --detect asks CloudFormation about them"
		if c.Detection {
			how = "CloudFormation's own detection was asked about them, as far as it supports them"
		}
		lines = append(lines, fmt.Sprintf("Not looked at: %s of %s (%s): %s.", counted(resources(c.NotLooked), "resource"),
			counted(len(c.NotLooked), "type"), how, strings.Join(names, ", ")))
		for _, t := range c.NotLooked {
			if !strings.HasPrefix(t.Why, "no reading") {
				lines = append(lines, fmt.Sprintf("Not looked at: %s: %s.", t.Type, t.Why))
			}
		}
	}
	if n := len(c.Properties); n > 0 && all {
		lines = append(lines, "Not compared, because no reading covers them: "+strings.Join(c.Properties, ", ")+".")
	} else if n > 0 {
		lines = append(lines, fmt.Sprintf("Not compared: %s that no reading covers (--verbose names them).", properties(n)))
	}
	if c.Open > 0 {
		lines = append(lines, fmt.Sprintf("Not compared: %s that only AWS knows, or secret.", counted(c.Open, "value")))
	}
	if len(c.Stacks) > 0 {
		lines = append(lines, "Stacks not compared: "+strings.Join(c.Stacks, ", ")+".")
	}
	return lines
}

func properties(n int) string {
	if n == 1 {
		return "1 property"
	}
	return fmt.Sprintf("%d properties", n)
}

func resources(types []drift.TypeCount) int {
	n := 0
	for _, t := range types {
		n += t.Resources
	}
	return n
}

// DriftMarkdown writes a drift report for an issue or a step summary.
func DriftMarkdown(w io.Writer, r drift.Report, o Options) error {
	o.Color = false
	m := driftText{page: newPage(o), r: r}
	m.linef("### %s\n", escape(driftTitle(r)))
	where := []string{code(r.Target.Platform), "account " + code(r.Target.Account), code(r.Target.Region)}
	if r.Target.Revision != "" {
		where = append(where, "specs at "+code(r.Target.Revision))
	}
	m.linef("%s", strings.Join(where, " · "))
	m.table()
	m.folded("Owned by the autoscaler or the service, as expected", r.Expected)
	m.folded("Newly known: the next apply sets it", r.New)
	m.folded("Ignored, as the specs say", r.Ignored)
	for _, n := range r.Notes {
		m.linef("\n**%s**: %s", escape(string(n.Severity)), escape(n.Message))
	}
	m.linef("")
	for _, line := range coverageLines(r.Coverage, o.Verbose) {
		m.linef("- %s", escape(line))
	}
	if !r.Clean() {
		m.linef("\nPut it back with %s, or accept it with %s.", code(o.complete(driftCommand(r, "--fix"))), code(o.complete(driftCommand(r, "--accept"))))
	}
	return m.flush(w)
}

// table has a line per hand edit. With Options.MaxBytes the last lines give
// way to one that counts them.
func (t *driftText) table() {
	if len(t.r.Hand) == 0 {
		return
	}
	t.linef("\n| resource | property | live | deployed | spec |\n|---|---|---|---|---|")
	for i, f := range t.r.Hand {
		live, deployed := cell(t.o.show(f.Live)), cell(t.o.show(f.Deployed))
		switch {
		case f.Kind == drift.Deleted:
			live, deployed = "**deleted**", ""
		case f.Live == nil:
			live = "gone"
		case f.Deployed == nil:
			deployed = "not set"
		}
		name := f.Resource
		if f.Stack != "" {
			name = f.Stack + "/" + f.Resource
		}
		row := fmt.Sprintf("| %s | %s | %s | %s | %s |\n", cell(name), cell(shortPath(f.Path)), live, deployed, cell(place(f.Source)))
		if t.o.MaxBytes > 0 && t.Len()+len(row)+t.spare() > t.o.MaxBytes/2 {
			t.linef("\n…and %s more; run %s.", counted(len(t.r.Hand)-i, "difference"), code("reconcile drift"))
			return
		}
		t.WriteString(row)
	}
}

// cell is text in a table as code, in which a bar would end it.
func cell(s string) string {
	if s == "" {
		return ""
	}
	return strings.ReplaceAll(code(clean(s)), "|", `\|`)
}

func (t *driftText) folded(title string, findings []drift.Finding) {
	if len(findings) == 0 {
		return
	}
	t.linef("\n<details><summary>%s: %d</summary>\n", escape(title), len(findings))
	for _, g := range byRule(findings) {
		line := fmt.Sprintf("- **%s**: %s", escape(g[0].Rule), escape(g[0].Reason))
		if g[0].Expires != "" {
			line += ", until " + escape(g[0].Expires)
		}
		t.linef("%s", line)
		for _, f := range g {
			t.linef("  - %s: %s", code(f.Name()), code(t.o.show(f.Live)))
		}
	}
	t.linef("\n</details>")
}

// DriftFindings writes what a command says beside a plan, one to a line.
func DriftFindings(w io.Writer, findings []plan.Finding, o Options) error {
	t := driftText{page: newPage(o), r: drift.Report{Notes: findings}}
	t.notes()
	return t.flush(w)
}
