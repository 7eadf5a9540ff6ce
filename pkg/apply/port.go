package apply

import (
	"context"
	"time"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// Port is all that the engine knows of AWS. Submit never blocks and never
// fails: what goes wrong is in the Response. Next waits for the next message
// of any request. A request ends with the one response that has Done set;
// Watch requests send progress before.
//
// The other side owns concurrency, timers, retries, polling and the request
// budget, so that one run is one sequence of messages.
type Port interface {
	Submit(Request)
	Next(ctx context.Context) (Response, error)
}

// RequestID counts from 1 within a run.
type RequestID int64

// Op is what a request asks for.
type Op string

// The operations. Each says what its Response carries.
const (
	// OpReadStack describes Stack (a name or ARN), with protection, tags, outputs: Response.Stack, nil when absent
	// (by ARN, a deleted stack is DELETE_COMPLETE or nil). With Template also Response.Stack.Template. With Token set,
	// also Response.Token: the ClientRequestToken of the newest operation in the stack's events.
	OpReadStack Op = "read-stack"
	// OpCreateChangeSet creates and waits until it is settled: Response.ChangeSet. It never imports but what the
	// request names. A change set with the same
	// name and token is ours from an answer that was lost: describe it and go on.
	OpCreateChangeSet Op = "create-change-set"
	// OpCreateStack creates the stack of Create, which does not exist, without a change set, with Token: Response.Stack,
	// of which only ID must be set; done when accepted. FailureConflict when there is a stack of the name.
	OpCreateStack Op = "create-stack"
	// OpExecuteChangeSet starts ChangeSet (an ARN) of Stack; Done when accepted.
	OpExecuteChangeSet Op = "execute-change-set"
	// OpDeleteChangeSet deletes ChangeSet; ok if gone.
	OpDeleteChangeSet Op = "delete-change-set"
	// OpWatchStack follows Stack (an ARN) until no operation runs on it (clean-up included): progress, then
	// Response.Stack as OpReadStack gives it, Causes, and Token: the ClientRequestToken of the operation that ended.
	// With Token set it follows the operation which that token started: a status from before it is no end.
	OpWatchStack Op = "watch-stack"
	// OpDeleteStack, OpContinueRollback and OpRollbackStack start the operation on Stack (an ARN) with Token; Done
	// when accepted. Retain is set only for a stack that is DELETE_FAILED.
	OpDeleteStack      Op = "delete-stack"
	OpContinueRollback Op = "continue-rollback"
	OpRollbackStack    Op = "rollback-stack"
	// OpSetProtection sets termination protection to Protect.
	OpSetProtection Op = "set-protection"
	// OpReadParameter reads Name without decryption: Response.Parameter, nil when absent.
	OpReadParameter Op = "read-parameter"
	// OpPutParameter writes Parameter, with its generated value if it has a generator: Response.Parameter, of which
	// only Version must be set. Version 0 in the request means that it must not exist yet (no overwrite; FailureConflict
	// when it does). It has no token: after a lost answer it is not sent again, the engine reads and decides. An
	// aws:ec2:image value is done when the new version can be read.
	OpPutParameter    Op = "put-parameter"
	OpDeleteParameter Op = "delete-parameter"
	// OpReadSecret is DescribeSecret of Name: Response.Secret, nil when absent.
	OpReadSecret Op = "read-secret"
	// OpPutSecret writes a generated value as the first current version, with Token.
	OpPutSecret Op = "put-secret"
	// OpReadLogGroup reads Name: Response.LogGroup, nil when absent.
	OpReadLogGroup Op = "read-log-group"
	// OpPutLogGroup creates it if needed and sets its retention.
	OpPutLogGroup    Op = "put-log-group"
	OpDeleteLogGroup Op = "delete-log-group"
	// OpEmptyBucket deletes all that the bucket Name holds, in every version, and the uploads that nobody finished,
	// but for keys that begin with Keep. Ok if the bucket is gone.
	OpEmptyBucket Op = "empty-bucket"
	// OpReadGroup reads the Auto Scaling group Name: Response.Group, nil when absent.
	OpReadGroup Op = "read-group"
	// OpReadBundle reads the manifest of Bundle: Response.Bundle, never nil.
	OpReadBundle Op = "read-bundle"
	// OpPutBundle stores what is missing of Bundle's assets and then its manifest, none of them over anything that is
	// there: progress, then Response.Said. A manifest that exists and says the same is as good as written;
	// FailureConflict when it says something else. It resumes what an earlier one left half done.
	OpPutBundle Op = "put-bundle"
)

// Mutates tells whether a request of this kind changes something at AWS.
func (o Op) Mutates() bool {
	switch o {
	case OpReadStack, OpWatchStack, OpReadParameter, OpReadSecret, OpReadLogGroup, OpReadGroup, OpReadBundle:
		return false
	}
	return true
}

// Request is one message to AWS's side. Only the fields that the Op names are set.
type Request struct {
	ID   RequestID
	Step plan.StepID
	Op   Op

	Stack     string // name or ARN
	Name      string // parameter, secret, log group, bucket, Auto Scaling group
	Token     string // idempotency token, derived from plan, stack and last update
	ChangeSet string // ARN
	Template  bool   // OpReadStack: with the deployed template
	Protect   bool
	Retain    []string // OpDeleteStack
	Keep      string   // OpEmptyBucket: prefix of the keys that stay; empty: none

	Create    *ChangeSetInput
	Parameter *plan.ParameterBody // Value is a literal here
	Secret    *plan.SecretBody
	LogGroup  *plan.LogGroupBody
	Bundle    *plan.BundleBody
}

// ChangeSetInput is a change set to create. The template has no open reference.
type ChangeSetInput struct {
	Name         string // "rc-" and the token's start
	StackName    string
	New          bool // the stack does not exist (or is REVIEW_IN_PROGRESS)
	Template     cfn.Template
	Tags         map[string]string
	Parameters   map[string]string
	Capabilities []string
	Revert       bool          // drift-aware: deploys what is deployed once more, against the live state
	Imports      []plan.Import // not empty: an import, which takes these and changes nothing else
	Description  string
}

// Response is one message back.
type Response struct {
	ID   RequestID
	Step plan.StepID
	Op   Op
	Done bool
	Err  *Failure

	Stack     *plan.LiveStack
	Token     string // OpReadStack with Token, OpWatchStack: of the newest operation, "" if it had none
	ChangeSet *ChangeSet
	Progress  *Progress
	// Causes of a failed operation, the deepest first; of a successful one the
	// old resources that its clean-up could not delete.
	Causes    []Cause
	Parameter *plan.LiveParameter
	Secret    *plan.LiveSecret
	LogGroup  *plan.LiveLogGroup
	Group     *plan.LiveGroup
	Bundle    *plan.LiveBundle
	Said      string // what was done, for people
}

// ChangeSet is a settled change set.
type ChangeSet struct {
	ARN     string
	StackID string
	Empty   bool   // it FAILED because there is nothing to change: success
	Failed  string // any other failure's reason
	Changes []Announced
}

// Announced is one resource change that CloudFormation announces.
type Announced struct {
	Resource     string // logical id
	Type         string
	Action       string   // Add, Modify, Remove, Import, Dynamic
	Replacement  string   // True, False, Conditional or empty
	PolicyAction string   // Delete, Retain, Snapshot, ReplaceAndDelete, …
	Paths        []string // changed property paths, "Properties.X.Y"
	// Dynamic: every detail depends on a value known only during execution
	// (Evaluation Dynamic), so the announcement is a possibility.
	Dynamic bool
}

// Progress of an operation on a stack.
type Progress struct {
	Stack    string    `json:"stack,omitempty"`
	Status   string    `json:"status,omitempty"`
	Resource string    `json:"resource,omitempty"` // logical id that is being worked on
	Type     string    `json:"type,omitempty"`
	State    string    `json:"state,omitempty"` // its resource status
	Reason   string    `json:"reason,omitempty"`
	Done     int       `json:"done,omitempty"` // resources settled in this operation
	Transfer *Transfer `json:"transfer,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// Transfer is how far the storing of a bundle is.
type Transfer struct {
	Bytes       int64 `json:"bytes"`                 // stored or found stored
	Total       int64 `json:"total"`                 // of all that was missing at the start
	PerSecond   int64 `json:"perSecond,omitempty"`   // bytes, of late
	SecondsLeft int64 `json:"secondsLeft,omitempty"` // at that rate
}

// Cause is a resource event that made an operation fail.
type Cause struct {
	Stack    string `json:"stack,omitempty"`
	Resource string `json:"resource,omitempty"`
	Type     string `json:"type,omitempty"`
	Status   string `json:"status,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Failure is an error of AWS in our words; secrets are masked before it gets here.
type Failure struct {
	Code    string // AWS's code, "" for transport and our own
	Message string
	Kind    FailureKind
}

// FailureKind is what the engine branches on.
type FailureKind string

// The kinds of failures.
const (
	FailureOther    FailureKind = ""
	FailureAbsent   FailureKind = "absent"   // the thing does not exist
	FailureBusy     FailureKind = "busy"     // somebody else's operation runs
	FailureConflict FailureKind = "conflict" // exists already, or changed under us
	FailureDenied   FailureKind = "denied"   // access denied
	FailureCanceled FailureKind = "canceled" // our context ended
	// FailureLocked: the request was not sent, because the lock is not ours. It ends the run.
	FailureLocked FailureKind = "locked"
)

func (f *Failure) Error() string {
	if f.Code == "" {
		return f.Message
	}
	return f.Code + ": " + f.Message
}
