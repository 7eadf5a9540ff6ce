package report

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// ErrNoResult is returned for an output that ends before its result: the run
// was killed, or refused before it began.
var ErrNoResult = errors.New("no result in it: the run ended before it had one")

// ReadResult finds the result in what ResultJSON and the events before it
// wrote. Lines that are torn or none of ours are passed over.
func ReadResult(r io.Reader) (apply.Result, error) {
	var out struct {
		Type string `json:"type"`
		apply.Result
	}
	found := false
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		one := out
		one.Type, one.Result = "", apply.Result{}
		if json.Unmarshal(line, &one) == nil && one.Type == "result" {
			out, found = one, true
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return apply.Result{}, fmt.Errorf("read the result: %w", err)
		}
	}
	if !found {
		return apply.Result{}, ErrNoResult
	}
	return out.Result, nil
}

// OutcomeMarkdown tells those who merged a change how its apply ended; r is nil
// when it ended without a result. again is the command that goes on.
func OutcomeMarkdown(w io.Writer, r *apply.Result, again string, o Options) error {
	o.Color = false
	p := newPage(o)
	if r == nil {
		p.linef("### The apply ended without a result\n")
		p.outcomeWhere()
		p.linef("It was stopped, or refused before its first step. The same command on the same commit goes on: %s", code(again))
		return p.flush(w)
	}
	if r.Aside != "" {
		p.linef("### Stepped aside: nothing was applied\n")
		p.outcomeWhere()
		p.linef("There is a newer one: %s.", escape(r.Aside))
		return p.flush(w)
	}
	if r.Ended != "" {
		p.linef("### Nothing was applied\n")
		p.outcomeWhere()
		p.linef("It ended before its first step: %s", escape(clip(r.Ended, maxEnded)))
		if r.Next != "" {
			p.linef("\nnext: %s", code(r.Next))
		}
		p.linef("\nThe same command on the same commit goes on: %s", code(again))
		return p.flush(w)
	}
	n := map[string]int{}
	for _, s := range r.Steps {
		n[string(s.Outcome)]++
	}
	p.linef("### %s\n", outcomeWord(n, len(r.Steps), r.Interrupted))
	p.outcomeWhere()
	if r.Locked != "" {
		p.linef("The run ended because of the lock: %s.\n", escape(r.Locked))
	}
	if len(r.Steps) == 0 {
		p.linef("There was nothing to change.")
		return p.flush(w)
	}
	for _, group := range []apply.Outcome{apply.OutcomeFailed, apply.OutcomeRefused, apply.OutcomeInterrupted, apply.OutcomeBlocked, apply.OutcomeSkipped, apply.OutcomeDone} {
		p.WriteString(p.outcomes(*r, group))
	}
	if !r.Done() {
		p.linef("\nWhat was done stays done. The same command on the same commit goes on: %s", code(again))
	}
	return p.flush(w)
}

// maxEnded is how many characters of an error a comment shows; the log has the rest.
const maxEnded = 2000

func clip(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func (p *page) outcomeWhere() {
	if p.o.Folder != "" {
		p.linef("Specs in %s.", code(p.o.Folder))
	}
	if p.o.Full != "" {
		p.linef("[The run](%s) has the log.", p.o.Full)
	}
	p.WriteByte('\n')
}

// outcomes are the steps that ended in one way: those that were done by their
// names, the others with their reasons.
func (p *page) outcomes(r apply.Result, of apply.Outcome) string {
	title := map[apply.Outcome]string{
		apply.OutcomeFailed: "Failed", apply.OutcomeRefused: "Refused; nothing of these was changed", apply.OutcomeInterrupted: "Interrupted",
		apply.OutcomeBlocked: "Blocked", apply.OutcomeSkipped: "Skipped", apply.OutcomeDone: "Done",
	}[of]
	var list, names []string
	for _, s := range r.Steps {
		if s.Outcome != of {
			continue
		}
		if of == apply.OutcomeDone || of == apply.OutcomeSkipped {
			names = append(names, s.Target)
			continue
		}
		line := "- " + code(s.Target)
		if s.Message != "" {
			line += ": " + escape(s.Message)
		}
		for _, c := range s.Causes {
			line += "  \n  " + escape(causeText(c))
		}
		if s.RolledBack {
			line += "  \n  CloudFormation rolled the stack back to what it was."
		}
		if s.Command != "" {
			line += "  \n  next: " + code(p.o.complete(s.Command))
		}
		list = append(list, line)
	}
	if names != nil {
		list = []string{fmt.Sprintf("%s: %s", counted(len(names), "step"), code(compact(names)))}
	}
	room := 1 << 40
	if p.o.MaxBytes > 0 {
		room = max(0, p.o.MaxBytes-p.Len()-p.spare()) / 2
	}
	return items(title, list, room)
}

// outcomeWord is a result in a few words, for a title.
func outcomeWord(n map[string]int, total int, interrupted bool) string {
	switch {
	case interrupted:
		return "Interrupted"
	case n["failed"] > 0:
		return fmt.Sprintf("The apply failed: %d of %s done", n["done"], counted(total, "step"))
	case n["done"] == 0 && total > 0:
		return "Nothing was applied: " + counted(total, "step") + " left"
	case n["done"] < total:
		return fmt.Sprintf("Applied in part: %d of %s", n["done"], counted(total, "step"))
	}
	return "Applied: " + counted(total, "step")
}

// SettledMarkdown takes the place of a question whose command applies nothing any
// more: of what was done at a later commit, or of the question that is asked now.
func SettledMarkdown(commit, where string, applied bool, o Options) string {
	p := newPage(o)
	if applied {
		p.linef("### Applied with a later merge\n")
	} else {
		p.linef("### Asked again after a later merge\n")
	}
	p.outcomeWhere()
	at := "a later commit"
	if commit != "" {
		at = "commit " + code(short(commit))
	}
	switch {
	case applied:
		p.linef("What was asked here is part of what %s was applied with; there is nothing to approve any more.", at)
	case where != "":
		p.linef("The plan is another one since %s; it is asked for in %s.", at, where)
	default:
		p.linef("The plan is another one since %s; its own run asks for it.", at)
	}
	return p.String()
}

// Question is the first line of what QuestionMarkdown writes.
const Question = "### Nothing was applied: this plan needs an approval"

// QuestionMarkdown asks those who merged a change for a plan that is not the one
// that was approved: why, the command that applies exactly this plan, and the
// plan.
func QuestionMarkdown(w io.Writer, p plan.Plan, why, command string, o Options) error {
	o.Color = false
	q := newPage(o)
	q.linef("%s\n", Question)
	q.linef("%s.\n", escape(strings.ToUpper(why[:1])+why[1:]))
	q.linef("Read the plan below. This command applies it, and no other one:\n")
	q.fenced("sh", cleanLines(command))
	q.linef("")
	if o.MaxBytes > 0 {
		o.MaxBytes -= q.Len()
	}
	if err := q.flush(w); err != nil {
		return err
	}
	return PlanMarkdown(w, p, o)
}
