package apply

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// fake is an AWS of maps: operations start when they are asked for and end
// when somebody watches, or in settle. It keeps its own rules: one operation
// at a time on a stack, and every write after a read by the same step.
type fake struct {
	stacks     map[string]*fakeStack // by id
	parameters map[string]plan.LiveParameter
	secrets    map[string]plan.LiveSecret
	logGroups  map[string]plan.LiveLogGroup
	groups     map[string]plan.LiveGroup

	ends   map[string]string        // stack name: status that its next operations end in, instead of success
	before func(Request) *Failure   // refuses a request before it is carried out
	after  func(Request) *Failure   // spoils the answer after it was carried out
	edit   func(Request, *Response) // changes an answer
	pick   func(n int) int          // which of n answers comes next
	crash  int                      // answers until the run is killed; 0 never
	wrong  []string                 // broken rules
	log    []Request                // everything asked
	queue  []Response               // answers on their way
	reads  map[plan.StepID]map[string]bool
	tick   int
}

type fakeStack struct {
	plan.LiveStack
	token string
	next  func() // ends the running operation
	sets  map[string]ChangeSetInput
	why   []Cause
}

func newFake() *fake {
	return &fake{
		stacks: map[string]*fakeStack{}, parameters: map[string]plan.LiveParameter{}, secrets: map[string]plan.LiveSecret{},
		logGroups: map[string]plan.LiveLogGroup{}, groups: map[string]plan.LiveGroup{}, ends: map[string]string{},
		reads: map[plan.StepID]map[string]bool{},
	}
}

func (f *fake) now() time.Time { f.tick++; return time.Unix(int64(f.tick), 0).UTC() }

// find is the stack of an id, or the living one of a name.
func (f *fake) find(key string) *fakeStack {
	if s, ok := f.stacks[key]; ok {
		return s
	}
	for _, s := range f.stacks {
		if s.Name == key && s.Status != "DELETE_COMPLETE" {
			return s
		}
	}
	return nil
}

// deploy puts a stack there as if it had been deployed earlier.
func (f *fake) deploy(name, owner string, t cfn.Template) *fakeStack {
	d, _ := cfn.DigestOf(t, nil, nil)
	s := f.add(name, "CREATE_COMPLETE")
	f.install(s, cfn.Seal(t, owner, d, ""))
	return s
}

func (f *fake) add(name, status string) *fakeStack {
	at := f.now()
	s := &fakeStack{LiveStack: plan.LiveStack{Name: name, ID: fmt.Sprintf("arn:%s/%d", name, f.tick), Status: status, Updated: at}, sets: map[string]ChangeSetInput{}}
	f.stacks[s.ID] = s
	return s
}

func (f *fake) install(s *fakeStack, t cfn.Template) {
	s.Template, s.Description, s.Outputs = &t, t.Description, map[string]string{}
	for name, o := range t.Outputs {
		s.Outputs[name] = fmt.Sprint(o.Value)
	}
}

// begin starts an operation.
func (f *fake) begin(s *fakeStack, token, running string, end func()) {
	if s.next != nil {
		f.wrong = append(f.wrong, "a second operation on "+s.Name)
	}
	before := s.LiveStack
	s.token, s.Status, s.Updated, s.why = token, running, f.now(), nil
	s.next = func() {
		s.next = nil
		if bad := f.ends[s.Name]; bad != "" {
			if strings.Contains(bad, "ROLLBACK_COMPLETE") && before.Template != nil {
				f.install(s, *before.Template)
			}
			s.Status, s.why = bad, []Cause{{Stack: s.Name, Resource: "R", Reason: "scripted"}}
			return
		}
		end()
	}
}

func (f *fake) settle() {
	for _, s := range f.stacks {
		if s.next != nil {
			s.next()
		}
	}
}

func (f *fake) Submit(r Request) {
	f.log = append(f.log, r)
	answer := Response{ID: r.ID, Step: r.Step, Op: r.Op, Done: true}
	if f.before != nil {
		answer.Err = f.before(r)
	}
	if answer.Err != nil && answer.Err.Kind == FailureAbsent {
		f.read(r, cmp.Or(r.Name, r.Stack)) // that is an answer to a read
	}
	if answer.Err == nil {
		f.carryOut(r, &answer)
		if f.after != nil {
			if lost := f.after(r); lost != nil {
				answer = Response{ID: r.ID, Step: r.Step, Op: r.Op, Done: true, Err: lost}
			}
		}
	}
	if f.edit != nil {
		f.edit(r, &answer)
	}
	f.queue = append(f.queue, answer)
}

func (f *fake) Next(ctx context.Context) (Response, error) {
	if len(f.queue) == 0 {
		return Response{}, fmt.Errorf("the engine waits for nothing")
	}
	if f.crash > 0 {
		if f.crash--; f.crash == 0 {
			return Response{}, context.Canceled
		}
	}
	i := 0
	if f.pick != nil {
		i = f.pick(len(f.queue))
	}
	r := f.queue[i]
	f.queue = slices.Delete(f.queue, i, i+1)
	return r, ctx.Err()
}

// read notes that a step has seen a target; changed, that it changes one.
func (f *fake) read(r Request, target string) {
	if f.reads[r.Step] == nil {
		f.reads[r.Step] = map[string]bool{}
	}
	f.reads[r.Step][target] = true
}

func (f *fake) changed(r Request, target string) {
	if !f.reads[r.Step][target] {
		f.wrong = append(f.wrong, fmt.Sprintf("%s of %s by %s without a read", r.Op, target, r.Step))
	}
}
