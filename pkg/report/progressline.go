package report

import (
	"slices"
	"strings"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// follow keeps the state of the run and returns the lines that an event is
// worth. Not every event is: a stack tells of each of its resources twice.
func (p *Progress) follow(e apply.Event) []string {
	name := p.name(e)
	switch e.Type {
	case apply.EventStepStarted:
		p.active = append(p.active, &activity{step: p.step(e), began: p.o.Now()})
		if p.o.Terminal {
			return nil
		}
		return []string{name + ": " + verb(p.step(e))}
	case apply.EventStepProgress:
		return p.progress(name, e)
	case apply.EventStepDone:
		a := p.finish(e.Step)
		p.done++
		line := p.ink.green("done") + " " + name + ": " + past(p.step(e).Action)
		if a != nil {
			if a.settled > 0 {
				line += ", " + counted(a.settled, "resource")
			}
			line += " in " + elapsed(p.o.Now().Sub(a.began))
		}
		// That a stack is CREATE_COMPLETE the word before says.
		if plain := strings.HasPrefix(e.Message, "is ") && strings.HasSuffix(e.Message, "_COMPLETE") && !strings.Contains(e.Message, "ROLLBACK"); e.Message != "" && !plain {
			line += " (" + clean(e.Message) + ")"
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
	case apply.EventStepSkipped:
		p.finish(e.Step)
		because := clean(e.Message)
		if e.Cause != "" {
			because = "because of " + clean(string(e.Cause))
		}
		return []string{p.ink.yellow("skipped") + " " + name + ": " + because}
	case apply.EventStepRefused:
		p.finish(e.Step)
		return []string{p.ink.yellow("refused") + " " + name + ": " + clean(e.Message)}
	case apply.EventStepBlocked:
		p.finish(e.Step)
		return []string{p.ink.yellow("blocked") + " " + name + ": " + clean(e.Message)}
	}
	if e.Message == "" {
		return nil
	}
	return []string{name + ": " + clean(e.Message)}
}

// progress tells of what goes wrong at once, and of the rest only on a terminal.
func (p *Progress) progress(name string, e apply.Event) []string {
	if e.Progress == nil {
		return nil
	}
	now := *e.Progress
	var rolledBack bool
	if i := p.index(e.Step); i >= 0 {
		a := p.active[i]
		rolledBack = strings.Contains(now.Status, "ROLLBACK") && now.Status != a.last.Status
		a.last, a.settled = now, max(a.settled, now.Done)
	}
	var l []string
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

func (p *Progress) finish(id plan.StepID) *activity {
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

func past(a plan.Action) string {
	switch a {
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
		return "protected"
	case plan.ActionUnprotect:
		return "protection lifted"
	}
	return "done"
}
