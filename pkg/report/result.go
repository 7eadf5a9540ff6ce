package report

import (
	"fmt"
	"io"
	"slices"
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
	{apply.OutcomeSkipped, "Skipped"},
	{apply.OutcomeInterrupted, "Interrupted"},
	{apply.OutcomeBlocked, "Blocked"},
	{apply.OutcomeRefused, "Refused; nothing of these was changed"},
	{apply.OutcomeFailed, "Failed"},
}

// Result writes how a run ended: what did not happen and why, the counts, and
// what to run next. A cause is told once for all that it stopped, and so is a
// command that several steps ask for.
func Result(w io.Writer, p plan.Plan, r apply.Result, o Options) error {
	t := resultText{page: newPage(o), p: p, r: r, asked: map[string]int{}, steps: stepsOf(p), ends: map[plan.StepID]apply.Outcome{}}
	for _, s := range r.Steps {
		t.asked[s.Command]++
		t.ends[s.Step] = s.Outcome
	}
	for _, group := range outcomes {
		of := t.of(group.outcome)
		if len(of) == 0 {
			continue
		}
		t.linef("\n%s", t.bold(group.title))
		switch group.outcome {
		case apply.OutcomeSkipped:
			t.together(of)
		case apply.OutcomeInterrupted:
			t.interrupted(of)
		case apply.OutcomeBlocked:
			t.blocked(of)
		default:
			for _, s := range of {
				t.step(s)
			}
		}
	}
	t.linef("\n%s", t.bold(resultTotals(p, r)))
	t.next()
	return t.flush(w)
}

func stepsOf(p plan.Plan) map[plan.StepID]plan.Step {
	out := make(map[plan.StepID]plan.Step, len(p.Steps))
	for _, s := range p.Steps {
		out[s.ID] = s
	}
	return out
}

func (t *resultText) planned(id plan.StepID) (plan.Step, bool) {
	s, ok := t.steps[id]
	return s, ok
}

// of are the steps that ended in this way.
func (t *resultText) of(o apply.Outcome) []apply.StepResult {
	var out []apply.StepResult
	for _, s := range t.r.Steps {
		if outcomeOf(t.steps, s) == o {
			out = append(out, s)
		}
	}
	return out
}

// outcomeOf is how a step ended. One that the plan blocks is blocked, also
// where the run skipped it for another one before it.
func outcomeOf(steps map[plan.StepID]plan.Step, s apply.StepResult) apply.Outcome {
	if step, ok := steps[s.Step]; ok && step.Blocked != nil && s.Outcome == apply.OutcomeSkipped {
		return apply.OutcomeBlocked
	}
	return s.Outcome
}

type resultText struct {
	*page
	p     plan.Plan
	r     apply.Result
	steps map[plan.StepID]plan.Step
	ends  map[plan.StepID]apply.Outcome
	asked map[string]int // how many steps ask for it
}

// together tells of steps that did not run for the same reason as one.
func (t *resultText) together(steps []apply.StepResult) {
	var roots []plan.StepID
	same := map[plan.StepID][]string{}
	count := map[plan.StepID]int{}
	told := map[string]bool{}
	for _, s := range steps {
		if count[s.Cause] == 0 {
			roots = append(roots, s.Cause)
		}
		count[s.Cause]++
		if key := string(s.Cause) + "\n" + s.Target; !told[key] {
			told[key] = true
			same[s.Cause] = append(same[s.Cause], clean(s.Target))
		}
	}
	for _, root := range roots {
		t.item(2, "", 6, fmt.Sprintf("%s because %s %s: %s", counted(count[root], "step"), t.rootName(root), t.ended(root), some(same[root])))
	}
}

// blocked tells what the plan blocked, each cause once.
func (t *resultText) blocked(steps []apply.StepResult) {
	in := plan.Plan{}
	for _, s := range steps {
		if step, ok := t.planned(s.Step); ok && step.Blocked != nil {
			in.Steps = append(in.Steps, step)
			continue
		}
		t.step(s)
	}
	t.blockades(in)
}

// interrupted tells of the steps that were at work, and as one of those that
// had not begun.
func (t *resultText) interrupted(steps []apply.StepResult) {
	var waiting []string
	for _, s := range steps {
		if s.Command != "" || len(steps) == 1 {
			t.step(s)
			continue
		}
		waiting = append(waiting, clean(s.Target))
	}
	if len(waiting) > 0 {
		t.item(2, "", 6, counted(len(waiting), "step")+" not started: "+some(slices.Compact(waiting)))
	}
}

// rootName is how a step is called in a sentence.
func (t *resultText) rootName(id plan.StepID) string {
	s, ok := t.planned(id)
	switch {
	case !ok:
		return clean(string(id))
	case s.Kind == plan.KindStack:
		return clean(s.Target)
	}
	return kindName(s) + " " + clean(s.Target)
}

// ended says how the step ended because of which others did not run.
func (t *resultText) ended(id plan.StepID) string {
	switch t.ends[id] {
	case apply.OutcomeFailed:
		return "failed"
	case apply.OutcomeInterrupted:
		return "was interrupted"
	case apply.OutcomeBlocked:
		return "is blocked"
	case apply.OutcomeRefused:
		return "was refused"
	}
	return "was not done"
}

func (t *resultText) step(s apply.StepResult) {
	line := t.yellow(string(s.Outcome))
	if s.Outcome == apply.OutcomeFailed {
		line = t.red("failed")
	}
	line = "  " + line + " " + clean(s.Target)
	step, known := t.planned(s.Step)
	if known {
		line = fmt.Sprintf("  %s %s: %s", kindName(step), t.bold(clean(s.Target)), headline(step))
	}
	t.linef("%s", line)
	switch {
	case unapproved(s) && known:
		var lacks []string
		for _, a := range step.Approvals {
			if !t.o.given(a) {
				lacks = append(lacks, a.String()+t.o.spent(a))
			}
		}
		t.paragraph(6, "not approved: "+strings.Join(lacks, ", "))
	case s.Message != "":
		t.paragraph(6, s.Message)
	}
	if s.Cause != "" && !strings.Contains(s.Message, string(s.Cause)) {
		t.paragraph(6, "because of "+t.rootName(s.Cause))
	}
	for _, c := range s.Causes {
		if text := causeText(c); !strings.Contains(s.Message, text) {
			t.paragraph(6, text)
		}
	}
	if s.RolledBack {
		t.paragraph(6, "CloudFormation rolled the stack back to what it was.")
	}
	if s.Command != "" && !t.last(s) {
		t.command(6, "next: ", flagged(t.o.complete(s.Command)))
	}
}

// unapproved tells whether a step was refused for want of consent.
func unapproved(s apply.StepResult) bool {
	return s.Outcome == apply.OutcomeRefused && strings.Contains(s.Command, " --approve ")
}

// last tells whether a step's command is one for the end: it gives consent, or
// runs the whole again.
func (t *resultText) last(s apply.StepResult) bool {
	return unapproved(s) || t.asked[s.Command] > 1 || s.Command == runCommand(t.p) || s.Command == "reconcile plan"
}

// next ends the page with the commands that concern the run as a whole.
func (t *resultText) next() {
	var consent []plan.Step
	var commands []string
	for _, s := range t.r.Steps {
		if s.Outcome == apply.OutcomeDone || outcomeOf(t.steps, s) == apply.OutcomeBlocked {
			continue
		}
		if step, ok := t.planned(s.Step); ok && len(step.Approvals) > 0 {
			consent = append(consent, step)
		}
		if s.Command != "" && t.last(s) && !unapproved(s) && !slices.Contains(commands, s.Command) {
			commands = append(commands, s.Command)
		}
	}
	for _, c := range commands {
		t.command(2, "next: ", flagged(t.o.complete(c)))
	}
	if len(commands) == 0 && len(t.of(apply.OutcomeBlocked)) > 0 {
		t.command(2, "once unblocked: ", flagged(t.o.complete(runCommand(t.p))))
	}
	if slices.ContainsFunc(t.r.Steps, unapproved) {
		t.command(2, "with your approval: ", t.o.approving(t.p, consent))
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
	n, steps := map[apply.Outcome]int{}, stepsOf(p)
	for _, s := range r.Steps {
		n[outcomeOf(steps, s)]++
	}
	what := "Apply"
	if p.Destroy {
		what = "Destroy"
	}
	how := "complete"
	switch {
	case r.Locked != "":
		how = "ended without the lock"
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
