package stackengine

import (
	"context"
	"fmt"
	"time"
)

// Handle serves one request: op is the operation's name, in its
// *cloudformation.OpInput; the answer is the *cloudformation.OpOutput. A
// refusal is an *Error.
func (e *Engine) Handle(ctx context.Context, op string, in any) (any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.advance(ctx, now)
	return nil, &Error{Code: "InvalidAction", Message: fmt.Sprintf("Could not find operation %s for version 2010-05-15", op), Status: 400}
}

func (e *Engine) now() time.Time {
	if e.Now == nil {
		return time.Now().UTC()
	}
	return e.Now().UTC()
}
