package stackengine

import (
	"context"
	"time"
)

// Provider carries out the side effects of one resource type. It is called
// while the engine serves a request and must not call the engine back. A
// refusal is a *HandlerError; any other error becomes an internal failure of
// the handler.
type Provider interface {
	// Create makes the resource. It fails with AlreadyExists when the name is taken.
	Create(ctx context.Context, r Resource) (Physical, error)
	// Update changes it in place from old to r; both have the same PhysicalID.
	Update(ctx context.Context, old, r Resource) (Physical, error)
	// Delete removes it. What is gone already is deleted: return nil or NotFound.
	Delete(ctx context.Context, r Resource) error
	// Read returns the live properties, for drift detection; NotFound when gone.
	Read(ctx context.Context, r Resource) (map[string]any, error)
}

// Waiter is a Provider whose resources become stable in their own time, or
// never.
type Waiter interface {
	Provider
	// Settle is asked when the usual time is over. It tells when to ask again;
	// the zero time means that the resource is stable. A refusal fails it.
	Settle(ctx context.Context, r Resource) (time.Time, error)
}

// Resource is what a provider is told of a resource.
type Resource struct {
	Account, Region string
	Stack           string // name
	StackID         string // ARN
	LogicalID       string
	Type            string
	PhysicalID      string    // empty before Create
	Now             time.Time // when it happens: the engine may be behind the clock
	// Properties are evaluated: no intrinsic function is left, and
	// {{resolve:ssm:…}} is replaced. {{resolve:secretsmanager:…}} stays text.
	Properties map[string]any
	// UpdatePolicy is the resource attribute of that name, evaluated; nil without
	// one. In a rollback it is that of the template before the update
	// (documentation of UpdatePolicy).
	UpdatePolicy map[string]any
	// Rollback tells that the resource is brought back to what an update found.
	Rollback bool
	// Signals are those that came while it was updated.
	Signals Signals
	// Attributes are what Create or Update returned last.
	Attributes map[string]string
	// Tags are the stack's tags and the aws:cloudformation:… ones, which AWS
	// adds to what Properties has. Properties win.
	Tags map[string]string
	// GeneratedName is unique and in CloudFormation's form,
	// STACK-LOGICALID-RANDOM, for a resource without an explicit name.
	GeneratedName string
	// Random gives the same text of n characters of the alphabet for the same
	// resource and label; for ids.
	Random func(label, alphabet string, n int) string
}

// Signals are the unique ids that SignalResource named, by status.
type Signals struct {
	Success []string `json:"success,omitempty"`
	Failure []string `json:"failure,omitempty"`
}

// Physical is what a provider made.
type Physical struct {
	ID string // what Ref returns
	// Attributes are what Fn::GetAtt returns, by dotted name; a list is a JSON
	// array. A property need not be repeated here.
	Attributes map[string]string
}

// HandlerError is the refusal of a resource handler. Code is a handler error
// code: AlreadyExists, NotFound, InvalidRequest, GeneralServiceException, …
type HandlerError struct {
	Code    string
	Message string
}

func (e *HandlerError) Error() string { return e.Code + ": " + e.Message }
