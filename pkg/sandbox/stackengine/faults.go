package stackengine

import "strconv"

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
		if !f.matches(s, r, phase) || !f.strikes(e.lot(i, f.Seen)) {
			continue
		}
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

// lot is what chance says, from 0 to 1, to the nth operation that a fault saw.
func (e *Engine) lot(fault, n int) float64 {
	bits, err := strconv.ParseUint(e.random(hexDigits, 13, "lot", itoa(fault), itoa(n)), 16, 64)
	if err != nil {
		return 0
	}
	return float64(bits) / (1 << 52)
}

func (f *Fault) matches(s *Stack, r *StackResource, phase Phase) bool {
	return (f.Stack == "" || f.Stack == s.Name) &&
		(f.Logical == "" || f.Logical == r.LogicalID) &&
		(f.Type == "" || f.Type == r.Type) &&
		(f.Phase == "" || f.Phase == phase)
}

// strikes counts a matching operation and tells whether it is hit. lot is a
// number from 0 to 1 that is the operation's own.
func (f *Fault) strikes(lot float64) bool {
	f.Seen++
	if f.Seen <= f.After || f.Times > 0 && f.Used >= f.Times || f.Chance > 0 && lot >= f.Chance {
		return false
	}
	f.Used++
	return true
}
