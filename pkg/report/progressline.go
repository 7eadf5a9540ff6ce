package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// follow keeps the state of the run and returns the lines that an event is
// worth. Not every event is: a stack tells of each of its resources twice, and
// what is blocked or skipped the plan says before and the result after.
func (p *Progress) follow(e apply.Event) []string {
	name := p.name(e)
	step := p.step(e)
	switch e.Type {
	case apply.EventStepStarted:
		now := p.o.Now()
		p.active = append(p.active, &activity{step: step, began: now, told: now})
		if p.o.Terminal || quick(step) {
			return nil
		}
		return []string{name + ": " + headline(step)}
	case apply.EventStepProgress:
		return p.progress(name, e)
	case apply.EventStepDone:
		a := p.finish(e.Step)
		p.done++
		if n := p.small[kindName(step)]; n >= crowd && quick(step) {
			if l := p.fold(kindName(step), n); news(e.Message) == "" {
				return l
			}
		}
		line := p.ink.green("done") + " " + name + ": " + past(step)
		if a != nil {
			line += settled(a) + took(p.o.Now().Sub(a.began))
		}
		if message := news(e.Message); message != "" {
			line += " (" + message + ")"
		}
		return []string{line}
	case apply.EventStepFailed:
		p.finish(e.Step)
		l := []string{p.ink.red("failed") + " " + name + ": " + clean(e.Message)}
		for _, c := range e.Causes {
			l = append(l, "  "+clean(causeText(c)))
		}
		if p.o.Terminal {
			p.failed = append(p.failed, l...)
			return nil
		}
		return l
	case apply.EventStepSkipped, apply.EventStepBlocked:
		p.finish(e.Step)
		return nil
	case apply.EventStepRefused:
		if p.finish(e.Step) == nil {
			return nil // before it began: for want of consent, which the plan says
		}
		return []string{p.ink.yellow("refused") + " " + name + ": " + clean(e.Message)}
	}
	// How to resume the result says, with the flags that it takes.
	message, _, resumes := strings.Cut(e.Message, "; to resume: ")
	if message == "" || resumes && p.o.Told {
		return nil
	}
	return []string{name + ": " + clean(message)}
}

// crowd is how many quick steps of one kind are so many that each hundredth is
// worth a line, and the last: a thousand fleets have three thousand parameters.
const crowd = 50

func (p *Progress) fold(kind string, of int) []string {
	p.folded[kind]++
	n := p.folded[kind]
	if n%100 != 0 && n != of {
		return nil
	}
	return []string{p.ink.green("done") + fmt.Sprintf(" %d of %s", n, counted(of, kind))}
}

// transferEvery is how often a line tells how far a transfer is.
const transferEvery = 10 * time.Second

// transferred is how far a transfer is, how fast it goes and for how long still.
func transferred(t apply.Transfer) string {
	line := plan.Bytes(t.Bytes) + " of " + plan.Bytes(t.Total)
	if t.Total > 0 {
		line += fmt.Sprintf(" (%d %%)", 100*t.Bytes/t.Total)
	}
	if t.PerSecond > 0 {
		line += ", " + plan.Bytes(t.PerSecond) + "/s"
		if t.SecondsLeft > 0 {
			line += ", " + elapsed(time.Duration(t.SecondsLeft)*time.Second) + " left"
		}
	}
	return line
}

// settled is how many resources a stack's operation worked on. Of a deletion
// the plan knows which of them are kept.
func settled(a *activity) string {
	n, kept := a.settled, 0
	if a.step.Action == plan.ActionDelete && n > 0 {
		n = 0
		for _, g := range byResource(a.step.Changes) {
			if g[0].Retained {
				kept++
			} else {
				n++
			}
		}
	}
	switch {
	case kept > 0:
		return fmt.Sprintf(" %s, kept %d", counted(n, "resource"), kept)
	case n > 0:
		return " " + counted(n, "resource")
	}
	return ""
}

// quick tells whether a step is one call: only its end is worth a line.
func quick(s plan.Step) bool {
	switch s.Action {
	case plan.ActionProtect, plan.ActionUnprotect:
		return true
	}
	return s.Kind != "" && s.Kind != plan.KindStack && s.Kind != plan.KindBundle
}

// news is a message that says more than that a step is done.
func news(message string) string {
	state, is := strings.CutPrefix(message, "is ")
	if is && (state == "deleted" || state == "gone" || strings.HasSuffix(state, "_COMPLETE") && !strings.Contains(state, "ROLLBACK")) {
		return ""
	}
	return clean(message)
}

// progress tells of what goes wrong at once, and of the rest only on a terminal.
func (p *Progress) progress(name string, e apply.Event) []string {
	if e.Progress == nil {
		return nil
	}
	now := *e.Progress
	var rolledBack bool
	var l []string
	if i := p.index(e.Step); i >= 0 {
		a := p.active[i]
		if t := now.Transfer; t != nil && !p.o.Terminal && p.o.Now().Sub(a.told) >= transferEvery {
			a.told = p.o.Now()
			l = append(l, name+": "+transferred(*t))
		}
		rolledBack = strings.Contains(now.Status, "ROLLBACK") && now.Status != a.last.Status
		a.last, a.settled = now, max(a.settled, now.Done)
	}
	if rolledBack {
		l = append(l, p.ink.red("rollback")+" "+name+": "+clean(now.Status))
	}
	// AWS cancels the rest once one resource failed: that is no news.
	if strings.HasSuffix(now.State, "_FAILED") && !strings.Contains(now.Reason, "cancelled") {
		l = append(l, p.ink.red("failing")+" "+name+": "+clean(causeText(apply.Cause{Resource: now.Resource, Type: now.Type, Status: now.State, Reason: now.Reason})))
	}
	return l
}

func (p *Progress) index(id plan.StepID) int {
	return slices.IndexFunc(p.active, func(a *activity) bool { return a.step.ID == id })
}

// finish counts a step that ended and gives what is known of it, nil when it
// never began.
func (p *Progress) finish(id plan.StepID) *activity {
	p.ended++
	i := p.index(id)
	if i < 0 {
		return nil
	}
	a := p.active[i]
	p.active = slices.Delete(p.active, i, i+1)
	return a
}

func (p *Progress) step(e apply.Event) plan.Step {
	if s, ok := p.steps[e.Step]; ok {
		return s
	}
	return plan.Step{ID: e.Step, Target: e.Target, Action: e.Action}
}

// name is the target; what is no stack says what it is.
func (p *Progress) name(e apply.Event) string {
	s := p.step(e)
	if s.Kind == "" || s.Kind == plan.KindStack {
		return clean(s.Target)
	}
	return kindName(s) + " " + clean(s.Target)
}

// past says what was done. "created 41 resources" reads on after it.
func past(s plan.Step) string {
	if s.Kind == plan.KindBundle && s.Action == plan.ActionCreate {
		return "stored"
	}
	switch s.Action {
	case plan.ActionCreate:
		return "created"
	case plan.ActionUpdate:
		return "updated"
	case plan.ActionReplace:
		return "replaced"
	case plan.ActionDelete:
		return "deleted"
	case plan.ActionImport:
		return "imported"
	case plan.ActionRecover:
		return "recovered"
	case plan.ActionProtect:
		return "protected from termination"
	case plan.ActionUnprotect:
		return "protection lifted"
	}
	return "done"
}
