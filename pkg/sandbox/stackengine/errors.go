package stackengine

import (
	"fmt"

	"github.com/aws/smithy-go"
)

// Error is an answer of CloudFormation that refuses. It carries AWS's code and
// text, and the HTTP status that goes with it.
type Error struct {
	Code    string
	Message string
	Status  int
}

var _ smithy.APIError = (*Error)(nil)

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// ErrorCode returns AWS's code.
func (e *Error) ErrorCode() string { return e.Code }

// ErrorMessage returns AWS's text.
func (e *Error) ErrorMessage() string { return e.Message }

// ErrorFault says who is to blame.
func (e *Error) ErrorFault() smithy.ErrorFault {
	if e.Status >= 500 {
		return smithy.FaultServer
	}
	return smithy.FaultClient
}

// invalid is CloudFormation's answer to nearly everything.
func invalid(format string, args ...any) *Error {
	return &Error{Code: "ValidationError", Message: fmt.Sprintf(format, args...), Status: 400}
}
