package apply

import (
	"fmt"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

const secureString = "SecureString"

// maxParameterAsked bounds how often a write of a parameter is sent. It is the
// one write that no client repeats by itself; the read between two, which is
// repeated with pauses, keeps them apart.
const maxParameterAsked = 5

// parameterStep writes an SSM parameter:
//
//	references → read → guard → already equal? → write → version is one more?
//
// PutParameter has no token and no precondition, so the live version and
// value decide before and after (failure-modes E4, E5).
type parameterStep struct {
	*task
	body  plan.ParameterBody // Value is a string, or nil with a generator
	live  *plan.LiveParameter
	asked int
}

func startParameter(t *task) {
	p := &parameterStep{task: t, body: *t.step.Body.Parameter}
	p.resolve(cfn.Refs(p.body.Value), func() {
		if p.body.Generate == "" {
			v, ok := cfn.Resolve(p.body.Value, p.e.refs.lookup).(string)
			if !ok {
				p.fail(fmt.Sprintf("parameter %s: its value is no text", p.body.Name))
				return
			}
			p.body.Value = v
		}
		p.look()
	})
}

func (p *parameterStep) look() {
	p.send(Request{Op: OpReadParameter, Name: p.body.Name}, p.guard)
}

func (p *parameterStep) guard(r Response) {
	name := p.body.Name
	if r.Err != nil && r.Err.Kind != FailureAbsent {
		p.failed("read parameter "+name, r.Err)
		return
	}
	p.live = r.Parameter
	switch {
	case p.equal(p.live):
		p.written("is already as planned")
	case p.live != nil && p.body.Type == secureString && p.step.Action == plan.ActionCreate:
		p.written("exists meanwhile and is left as it is")
	case p.movedFrom(p.live):
		p.refuseMovedParameter(p.live)
	case p.step.Action == plan.ActionReplace && p.live != nil:
		p.deleteFirst()
	default:
		p.put()
	}
}

// equal tells whether the parameter already is what the step would write. A
// SecureString is never read, so it never is.
func (p *parameterStep) equal(live *plan.LiveParameter) bool {
	return live != nil && p.body.Type != secureString && p.body.Value == live.Value &&
		p.body.Type == live.Type && dataType(p.body.DataType) == dataType(live.DataType)
}

// dataType is what AWS makes of an empty one.
func dataType(s string) string {
	if s == "" {
		return "text"
	}
	return s
}

// movedFrom tells whether the parameter is another version than the plan saw.
func (t *task) movedFrom(live *plan.LiveParameter) bool {
	if _, follows := t.step.Follows(); follows {
		return false
	}
	return version(live) != t.step.Body.Parameter.Version || t.step.Moved(plan.FingerprintParameter(live))
}

func version(live *plan.LiveParameter) int64 {
	if live == nil {
		return 0
	}
	return live.Version
}

func (t *task) refuseMovedParameter(live *plan.LiveParameter) {
	name, planned := t.step.Body.Parameter.Name, t.step.Body.Parameter.Version
	now := "does not exist any more"
	if live != nil {
		now = fmt.Sprintf("is version %d", live.Version)
	}
	was := fmt.Sprintf("version %d", planned)
	if planned == 0 {
		was = "absent"
	}
	t.refuse(fmt.Sprintf("parameter %s moved since the plan: it was %s and %s", name, was, now), planCommand)
}

// deleteFirst makes room for a parameter whose type AWS does not change in place.
func (p *parameterStep) deleteFirst() {
	p.operate("the replacement of parameter "+p.body.Name, Request{Op: OpDeleteParameter, Name: p.body.Name}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			p.failed("delete parameter "+p.body.Name, r.Err)
			return
		}
		p.live = nil
		p.put()
	})
}

func (p *parameterStep) put() {
	p.asked++
	body := p.body
	body.Version = version(p.live)
	p.operate("the write of parameter "+body.Name, Request{Op: OpPutParameter, Name: body.Name, Parameter: &body}, p.answered)
}

func (p *parameterStep) answered(r Response) {
	if r.Err != nil {
		p.unsure(r.Err)
		return
	}
	if got, want := version(r.Parameter), version(p.live)+1; got != want {
		p.conflict(got, want)
		return
	}
	p.written("")
}

// unsure reads what a failed write left: it may have been carried out.
func (p *parameterStep) unsure(f *Failure) {
	if f.Kind == FailureDenied {
		p.failed("write parameter "+p.body.Name, f)
		return
	}
	p.send(Request{Op: OpReadParameter, Name: p.body.Name}, func(r Response) {
		seen := version(p.live)
		switch now := version(r.Parameter); {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			p.failed("write parameter "+p.body.Name, f)
		case now == seen && f.Code == "" && f.Kind == FailureOther && p.asked < maxParameterAsked:
			p.put()
		case now == seen:
			p.failed("write parameter "+p.body.Name, f)
		case now == seen+1 && p.equal(r.Parameter):
			p.written("")
		case p.live == nil && p.body.Type == secureString:
			p.written("exists now and is left as it is")
		default:
			p.conflict(now, seen+1)
		}
	})
}

func (p *parameterStep) conflict(got, want int64) {
	p.e.refs.forgetParameter(p.body.Name)
	p.end(StepResult{
		Outcome: OutcomeFailed, Command: planCommand,
		Message: fmt.Sprintf("parameter %s: somebody else wrote it at the same moment: it is version %d and not %d", p.body.Name, got, want),
	})
}

func (p *parameterStep) written(message string) {
	p.e.refs.forgetParameter(p.body.Name)
	p.done(message)
}

// startParameterDeletion deletes a parameter that is still as the plan saw it:
//
//	read → guard → delete
func startParameterDeletion(t *task) {
	name := t.step.Body.Parameter.Name
	t.send(Request{Op: OpReadParameter, Name: name}, func(r Response) {
		switch {
		case r.Err != nil && r.Err.Kind != FailureAbsent:
			t.failed("read parameter "+name, r.Err)
		case r.Parameter == nil:
			t.done("is already gone")
		case t.movedFrom(r.Parameter):
			t.refuseMovedParameter(r.Parameter)
		default:
			t.operate("the deletion of parameter "+name, Request{Op: OpDeleteParameter, Name: name}, func(r Response) {
				if r.Err != nil && r.Err.Kind != FailureAbsent {
					t.failed("delete parameter "+name, r.Err)
					return
				}
				t.e.refs.forgetParameter(name)
				t.done("")
			})
		}
	})
}
