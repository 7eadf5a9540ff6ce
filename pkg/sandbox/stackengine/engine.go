// Package stackengine is a CloudFormation that behaves: change sets with full
// detail, the status machine of stacks, resources in dependency order,
// create-before-delete replacement, rollback, retain policies, protection,
// tokens, paging and AWS's own error codes and texts. It is typed on the SDK's
// input and output structures and knows no wire format.
//
// It starts no goroutine and no timer: every request first moves all running
// operations to the clock's now. It must not import the packages that render,
// compare or plan templates, or the product would only ever agree with itself;
// it shares with them nothing but AWS's published resource data.
//
// Start with Engine.Handle; then operation.go (how an operation moves),
// compare.go (what a change set announces) and generic.go (what a resource of
// an ordinary type does). evidence_test.go says where each behaviour is known from.
package stackengine

import (
	"context"
	"sync"
	"time"
)

// Engine is one account's CloudFormation in one region. The zero value of every
// field but State works. Handle may be called from several goroutines; the
// fields must not change after the first call.
type Engine struct {
	// State holds everything; it is plain data. While requests are served, read or
	// change it only inside Locked.
	State *State

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Scale multiplies every duration: 1 is AWS's pace, 0 means DefaultScale.
	Scale float64
	// Durations gives the seconds of an operation on a resource of a type; nil means DefaultDurations.
	Durations func(resourceType string, phase Phase) float64

	// Providers carry out the side effects of some types, by type name. Every
	// other type is a generic document.
	Providers map[string]Provider
	// Exists tells whether something that no stack created exists: a subnet of
	// a default VPC, a role made by hand. nil means nothing does.
	Exists func(resourceType, physicalID string) bool
	// Check refuses a resource before its handler is called: it refers to what
	// does not exist (create, update), or is still in use (delete). It must not
	// call the engine back. nil means no such check.
	Check func(ctx context.Context, phase Phase, r Resource) error
	// Holds tells whether something is in a bucket or a repository that would keep
	// its deletion from succeeding. nil means no.
	Holds func(ctx context.Context, r Resource) bool
	// Usage tells how much of the quota that bounds a type is used; ok is false
	// where none does. nil means none. Stacks are counted here.
	Usage func(resourceType string) (u Usage, ok bool)
	// Parameter resolves an SSM parameter for template parameters and
	// {{resolve:ssm:…}}; version is "" for the latest. nil means none exists.
	Parameter func(name, version string) (value string, ok bool)
	// Secure tells whether {{resolve:ssm-secure:…}} can be resolved; nil means unchecked.
	Secure func(name, version string) bool
	// Secret reads a secret for {{resolve:secretsmanager:…}}, to see whether the
	// reference holds; the value goes nowhere. refusal is the service's, "" where
	// there is a value. nil means unchecked.
	Secret func(id, stage, versionID string) (value, refusal string)
	// Output reads an output of a stack in another region, for Fn::GetStackOutput;
	// nil means that there is no other region.
	Output func(region, stack, key string) (value string, ok bool)
	// Zones lists the region's availability zones for Fn::GetAZs; nil means a, b and c.
	Zones func(region string) []string
	// Role tells whether a role exists that an operation is to use; nil means unchecked.
	Role func(arn string) bool
	// Fetch reads a template from a URL in S3; nil means that no object exists.
	Fetch func(ctx context.Context, url string) (string, error)
	// Fail makes an operation on a resource fail with the returned error, for
	// tests; State.Faults does the same as data.
	Fail func(stack, logicalID, resourceType string, phase Phase) error
	// Pages overrides page sizes, by operation name ("ListStacks"); see DefaultPages.
	Pages map[string]int

	mu sync.Mutex
	ix *index
}

// Phase is what is being done to a resource.
type Phase string

// The phases of an operation on a resource.
const (
	PhaseCreate   Phase = "create"
	PhaseUpdate   Phase = "update"
	PhaseDelete   Phase = "delete"
	PhaseRollback Phase = "rollback" // restoring or deleting while a rollback runs
)

// DefaultScale lets a platform that takes AWS half an hour take two seconds.
const DefaultScale = 0.001

// Locked runs f while no request is served. It may read and change anything,
// and replace State; what is derived from it is made anew afterwards.
func (e *Engine) Locked(f func(*State)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(e.State)
	e.ix = nil
}

// Advance moves every running operation to now. Handle does it by itself.
func (e *Engine) Advance(ctx context.Context, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.advance(ctx, now)
}

// Next tells when the next thing happens by itself, so that a test or a
// simulation can jump there. ok is false when nothing runs.
func (e *Engine) Next() (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.next()
}
