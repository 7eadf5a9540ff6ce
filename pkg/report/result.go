package report

import (
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// outcomes is the order in which a result is told: what needs care last, where
// a terminal leaves it in sight.
var outcomes = []struct {
	outcome apply.Outcome
	title   string
}{
	{apply.OutcomeSkipped, "Skipped, because something they need did not happen"},
	{apply.OutcomeInterrupted, "Interrupted"},
	{apply.OutcomeBlocked, "Blocked"},
	{apply.OutcomeRefused, "Refused; nothing of these was changed"},
	{apply.OutcomeFailed, "Failed"},
}

// Result writes how a run ended: what did not happen and why, what to run
// next, and the counts.
func Result(w io.Writer, p plan.Plan, r apply.Result, o Options) error {
	t := newPage(o)
	for _, group := range outcomes {
		title := group.title
		for _, s := range r.Steps {
			if s.Outcome != group.outcome {
				continue
			}
			if title != "" {
				t.linef("\n%s", t.bold(title))
				title = ""
			}
			t.stepResult(p, s)
		}
	}
	if t.Len() > 0 {
		t.WriteByte('\n')
	}
	t.linef("%s", t.bold(resultTotals(p, r)))
	return t.flush(w)
}

func (t *page) stepResult(p plan.Plan, s apply.StepResult) {
	name := clean(s.Target)
	if step, ok := p.Step(s.Step); ok {
		name = kindName(step) + " " + name + ": " + verb(step)
	}
	switch s.Outcome {
	case apply.OutcomeFailed:
		t.linef("  %s %s", t.red("failed"), name)
	default:
		t.linef("  %s %s", t.yellow(string(s.Outcome)), name)
	}
	if s.Message != "" {
		t.paragraph(6, s.Message)
	}
	if s.Cause != "" && !strings.Contains(s.Message, string(s.Cause)) {
		t.paragraph(6, "because of "+string(s.Cause))
	}
	for _, c := range s.Causes {
		t.paragraph(6, causeText(c))
	}
	if s.RolledBack {
		t.paragraph(6, "CloudFormation rolled the stack back to what it was.")
	}
	if s.Command != "" {
		t.linef("      next: %s", t.bold(clean(s.Command)))
	}
}

func causeText(c apply.Cause) string {
	var parts []string
	for _, s := range []string{c.Resource, c.Type, c.Status} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	line := strings.Join(parts, " ")
	if c.Reason != "" {
		line += ": " + c.Reason
	}
	return line
}

func resultTotals(p plan.Plan, r apply.Result) string {
	n := map[apply.Outcome]int{}
	for _, s := range r.Steps {
		n[s.Outcome]++
	}
	what := "Apply"
	if p.Destroy {
		what = "Destroy"
	}
	how := "complete"
	switch {
	case r.Interrupted:
		how = "interrupted"
	case n[apply.OutcomeFailed] > 0:
		how = "failed"
	case n[apply.OutcomeDone] < len(r.Steps):
		how = "incomplete"
	}
	parts := []string{counted(n[apply.OutcomeDone], "step") + " done"}
	for _, o := range []apply.Outcome{apply.OutcomeFailed, apply.OutcomeSkipped, apply.OutcomeRefused, apply.OutcomeBlocked, apply.OutcomeInterrupted} {
		if n[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[o], o))
		}
	}
	return what + " " + how + ": " + strings.Join(parts, ", ") + "."
}

// ResultJSON writes the result as one line of JSON, the last of the stream of
// event lines: {"type": "result", …}.
func ResultJSON(w io.Writer, p plan.Plan, r apply.Result) error {
	if r.Steps == nil {
		r.Steps = []apply.StepResult{}
	}
	counts := map[apply.Outcome]int{}
	for _, s := range r.Steps {
		counts[s.Outcome]++
	}
	return writeJSON(w, struct {
		Type          string                `json:"type"`
		FormatVersion string                `json:"formatVersion"`
		Plan          string                `json:"plan"` // its digest
		Counts        map[apply.Outcome]int `json:"counts"`
		apply.Result
	}{"result", plan.FormatVersion, p.Digest, counts, r}, "")
}
