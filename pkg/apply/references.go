package apply

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// references holds what open references were resolved to in this run. What a
// step of this run writes is forgotten, so that later steps read it anew.
type references struct {
	written    int                            // things forgotten so far
	stacks     map[string]*plan.LiveStack     // nil: absent
	parameters map[string]*plan.LiveParameter // nil: absent
}

func newReferences() *references {
	return &references{stacks: map[string]*plan.LiveStack{}, parameters: map[string]*plan.LiveParameter{}}
}

func (r *references) forgetStack(name string) {
	delete(r.stacks, name)
	r.written++
}

func (r *references) forgetParameter(name string) {
	delete(r.parameters, name)
	r.written++
}

// lookup finds the literal of a reference among what was read.
func (r *references) lookup(ref cfn.Ref) (string, bool) {
	if ref.Parameter != "" {
		p := r.parameters[ref.Parameter]
		if p == nil || p.Type == "SecureString" {
			return "", false
		}
		return p.Value, true
	}
	s := r.stacks[ref.Stack]
	if classOf(s) == plan.StatusAbsent {
		return "", false
	}
	v, ok := s.Outputs[ref.Output]
	return v, ok
}

// why says why a reference stays open.
func (r *references) why(ref cfn.Ref) string {
	if ref.Parameter != "" {
		if p := r.parameters[ref.Parameter]; p != nil && p.Type == "SecureString" {
			return fmt.Sprintf("parameter %s is a SecureString and cannot be referred to", ref.Parameter)
		}
		return fmt.Sprintf("parameter %s does not exist", ref.Parameter)
	}
	if classOf(r.stacks[ref.Stack]) == plan.StatusAbsent {
		return fmt.Sprintf("stack %s does not exist", ref.Stack)
	}
	return fmt.Sprintf("stack %s has no output %s", ref.Stack, ref.Output)
}

// resolve reads what the references need and has not been read, one request
// after the other, then goes on. It ends the task when a reference stays open.
func (t *task) resolve(refs []cfn.Ref, then func()) {
	var open []string
	for _, ref := range refs {
		if t.read(ref, func() { t.resolve(refs, then) }) {
			return
		}
		if _, ok := t.e.refs.lookup(ref); !ok {
			open = append(open, t.e.refs.why(ref))
		}
	}
	if len(open) > 0 {
		t.fail("a value that it needs is not there: " + strings.Join(open, "; "))
		return
	}
	then()
}

// read asks for what a reference reads, unless it is known; then it goes on
// with again. An answer from before a write of this run is not kept.
func (t *task) read(ref cfn.Ref, again func()) bool {
	known := t.e.refs
	written := known.written
	if ref.Parameter != "" {
		if _, ok := known.parameters[ref.Parameter]; ok {
			return false
		}
		t.send(Request{Op: OpReadParameter, Name: ref.Parameter}, func(r Response) {
			if r.Err != nil && r.Err.Kind != FailureAbsent {
				t.failed("read parameter "+ref.Parameter, r.Err)
				return
			}
			if known.written == written {
				known.parameters[ref.Parameter] = r.Parameter
			}
			again()
		})
		return true
	}
	if _, ok := known.stacks[ref.Stack]; ok {
		return false
	}
	t.send(Request{Op: OpReadStack, Stack: ref.Stack}, func(r Response) {
		if r.Err != nil && r.Err.Kind != FailureAbsent {
			t.failed("read stack "+ref.Stack, r.Err)
			return
		}
		if known.written == written {
			known.stacks[ref.Stack] = r.Stack
		}
		again()
	})
	return true
}
