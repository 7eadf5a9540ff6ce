package stackengine

// fault tells whether an operation on a resource is to fail, and how many
// seconds longer than usual it takes.
func (e *Engine) fault(s *Stack, r *StackResource, phase Phase) (delay float64, failure *HandlerError) {
	if e.Fail != nil {
		if err := e.Fail(s.Name, r.LogicalID, r.Type, phase); err != nil {
			failure = handlerError(err)
			if failure.Code == codeInternal {
				failure = &HandlerError{Code: codeGeneral, Message: failure.Message}
			}
		}
	}
	for i := range e.State.Faults {
		f := &e.State.Faults[i]
		if !f.matches(s, r, phase) {
			continue
		}
		f.Used++
		delay += f.Delay
		if f.Message == "" || failure != nil {
			continue
		}
		code := f.Code
		if code == "" {
			code = codeGeneral
		}
		failure = &HandlerError{Code: code, Message: f.Message}
	}
	return delay, failure
}

func (f *Fault) matches(s *Stack, r *StackResource, phase Phase) bool {
	return (f.Times == 0 || f.Used < f.Times) &&
		(f.Stack == "" || f.Stack == s.Name) &&
		(f.Logical == "" || f.Logical == r.LogicalID) &&
		(f.Type == "" || f.Type == r.Type) &&
		(f.Phase == "" || f.Phase == phase)
}
