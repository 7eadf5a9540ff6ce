package stackengine

import (
	"encoding/json"
	"time"
)

// State is everything that the engine remembers. It is plain data: it
// marshals to JSON and back without loss.
type State struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	// Seed makes the generated ids; the same requests against the same seed give the same ids.
	Seed uint64 `json:"seed"`
	// MaxStacks is the quota; 0 means AWS's default of 2,000.
	MaxStacks int `json:"maxStacks,omitempty"`

	Stacks     map[string]*Stack     `json:"stacks,omitempty"`     // by ARN; deleted ones stay
	Names      map[string]string     `json:"names,omitempty"`      // name → ARN of the stack that has it now
	Count      map[string]int        `json:"count,omitempty"`      // how many there ever were, by what is counted
	ChangeSets map[string]*ChangeSet `json:"changeSets,omitempty"` // by ARN
	Tokens     map[string]Token      `json:"tokens,omitempty"`     // by client request token
	Items      map[string]*Item      `json:"items,omitempty"`      // what exists, by type and physical id
	Drifts     map[string]*Detection `json:"drifts,omitempty"`     // drift detections by id
	Faults     []Fault               `json:"faults,omitempty"`
}

// Stack is a stack, alive or deleted.
type Stack struct {
	ID         string    `json:"id"` // ARN
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Created    time.Time `json:"created"`
	Updated    time.Time `json:"updated,omitzero"`
	Deleted    time.Time `json:"deleted,omitzero"`
	Protected  bool      `json:"protected,omitempty"`
	Policy     string    `json:"policy,omitempty"` // stack policy, JSON
	DriftState string    `json:"drift,omitempty"`
	DriftTime  time.Time `json:"driftTime,omitzero"`

	// Deployed is what the stack has, or is moving to while Op runs.
	Deployed Deployment `json:"deployed"`
	// Stable is what a rollback returns to; set while an update runs or has failed.
	Stable *Deployment `json:"stable,omitempty"`
	// Of a nested stack: whose it is, and what it had before the parent's update.
	Parent  string      `json:"parent,omitempty"` // ARN
	Root    string      `json:"root,omitempty"`   // ARN
	Earlier *Deployment `json:"earlier,omitempty"`

	Resources map[string]*StackResource `json:"resources,omitempty"` // by logical id
	Garbage   []*StackResource          `json:"garbage,omitempty"`   // awaits the clean-up phase
	Outputs   []Output                  `json:"outputs,omitempty"`   // sorted by key
	Imports   []string                  `json:"imports,omitempty"`   // export names, sorted
	Events    []Event                   `json:"events,omitempty"`    // oldest first
	Op        *Operation                `json:"op,omitempty"`        // what runs
	Last      []OperationRef            `json:"last,omitempty"`      // newest first
	Serial    int                       `json:"serial,omitempty"`    // counts what needs an id
	// Texts holds resource properties that events show, by digest.
	Texts map[string]string `json:"texts,omitempty"`
}

// Deployment is what a template was deployed with.
type Deployment struct {
	Template     string            `json:"template,omitempty"`
	Parameters   map[string]string `json:"parameters,omitempty"`
	Resolved     map[string]string `json:"resolved,omitempty"` // of SSM parameter types
	Tags         map[string]string `json:"tags,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Notify       []string          `json:"notify,omitempty"`
	RoleARN      string            `json:"roleARN,omitempty"`
	Description  string            `json:"description,omitempty"`
	ChangeSet    string            `json:"changeSet,omitempty"` // ARN
	Timeout      int32             `json:"timeout,omitempty"`   // minutes
	NoRollback   bool              `json:"noRollback,omitempty"`
	RetainExcept bool              `json:"retainExceptOnCreate,omitempty"`
	Monitor      int32             `json:"monitor,omitempty"`  // minutes, of the rollback configuration
	Triggers     []Trigger         `json:"triggers,omitempty"` // of it
}

// Trigger is an alarm that would roll an operation back. Nothing here goes off.
type Trigger struct {
	ARN  string `json:"arn"`
	Type string `json:"type"`
}

// StackResource is a resource of a stack.
type StackResource struct {
	LogicalID  string            `json:"logicalID"`
	Type       string            `json:"type"`
	PhysicalID string            `json:"physicalID,omitempty"`
	Status     string            `json:"status"`
	Reason     string            `json:"reason,omitempty"`
	Updated    time.Time         `json:"updated"`
	Properties json.RawMessage   `json:"properties,omitempty"` // evaluated, as deployed
	Attributes map[string]string `json:"attributes,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"` // of the stack, if it can be tagged
	Metadata   json.RawMessage   `json:"metadata,omitempty"`
	Policy     json.RawMessage   `json:"updatePolicy,omitempty"` // evaluated
	Delete     string            `json:"deletionPolicy,omitempty"`
	Replace    string            `json:"updateReplacePolicy,omitempty"`
	Needs      []string          `json:"needs,omitempty"` // logical ids
	Serial     int               `json:"serial,omitempty"`
	Text       string            `json:"text,omitempty"` // properties as events show them: key of Stack.Texts

	Awaits  *Awaited `json:"awaits,omitempty"`  // signals, while it is created
	Signals *Signals `json:"signals,omitempty"` // that came while it was updated
	// Fresh tells that the running or failed operation made it.
	Fresh bool `json:"fresh,omitempty"`
	// Imported tells that it was there before: taking it back out of the stack
	// leaves it.
	Imported bool `json:"imported,omitempty"`
	// Before is what the running or failed operation found, when it touched it.
	Before *StackResource `json:"before,omitempty"`
	// Actual is what an operation that reverts drift found instead of Properties;
	// Missing that it found nothing.
	Actual  json.RawMessage `json:"actual,omitempty"`
	Missing bool            `json:"missing,omitempty"`
	// Skipped tells that a rollback was continued without it: its drift is not
	// checked until it is asked for (reference of StackResourceDriftInformation).
	Skipped bool `json:"skipped,omitempty"`

	DriftState string    `json:"drift,omitempty"`
	DriftTime  time.Time `json:"driftTime,omitzero"`
}

// Item is a resource that exists in the account, in a stack or left by one.
type Item struct {
	Type       string            `json:"type"`
	PhysicalID string            `json:"physicalID"`
	Name       string            `json:"name,omitempty"` // explicit or generated, when names are unique
	Owner      string            `json:"owner,omitempty"`
	LogicalID  string            `json:"logicalID,omitempty"`
	Properties json.RawMessage   `json:"properties,omitempty"` // live
	Hand       json.RawMessage   `json:"hand,omitempty"`       // set by hand and not shown by the service that keeps the rest
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Output is an output of a stack.
type Output struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Export      string `json:"export,omitempty"`
}

// Event is an event of a stack or of one of its resources.
type Event struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	LogicalID  string    `json:"logicalID"`
	PhysicalID string    `json:"physicalID,omitempty"`
	Type       string    `json:"type"`
	Status     string    `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	Token      string    `json:"token,omitempty"`
	Operation  string    `json:"operation,omitempty"`
	Properties string    `json:"properties,omitempty"` // key of Stack.Texts
}

// OperationRef names an operation that ran on a stack.
type OperationRef struct {
	ID    string    `json:"id"`
	Type  string    `json:"type"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end,omitzero"`
	OK    bool      `json:"ok,omitempty"`
	Token string    `json:"token,omitempty"`
	// Findings are those of early validation, of a create or an update.
	Findings []Finding `json:"findings,omitempty"`
}

// ChangeSet is a change set, settled when the clock passes Ready.
type ChangeSet struct {
	ID          string       `json:"id"` // ARN
	Name        string       `json:"name"`
	Stack       string       `json:"stack"` // ARN
	Type        string       `json:"type"`
	Created     time.Time    `json:"created"`
	Start       time.Time    `json:"start"` // CREATE_PENDING before
	Ready       time.Time    `json:"ready"` // CREATE_IN_PROGRESS before
	Failed      string       `json:"failed,omitempty"`
	Execution   string       `json:"execution"`
	Token       string       `json:"token,omitempty"`
	Digest      string       `json:"digest"` // of the request without the token
	Description string       `json:"description,omitempty"`
	OnFailure   string       `json:"onFailure,omitempty"`
	Operation   string       `json:"operation,omitempty"` // id
	Target      Deployment   `json:"target"`
	Changes     []Change     `json:"changes,omitempty"`
	Findings    []Finding    `json:"findings,omitempty"` // of early validation
	Import      []ImportItem `json:"import,omitempty"`
	ImportAny   bool         `json:"importAny,omitempty"`
	NoRollback  bool         `json:"noRollback,omitempty"`
	Revert      bool         `json:"revertDrift,omitempty"` // DeploymentMode REVERT_DRIFT
	StackDrift  string       `json:"stackDrift,omitempty"`
	Mode        string       `json:"mode,omitempty"` // of DeploymentConfig
	Gone        time.Time    `json:"gone,omitzero"`  // when its deletion is over

	// Of a change set of a hierarchy of nested stacks.
	Nested   bool              `json:"nested,omitempty"`   // IncludeNestedStacks
	Parent   string            `json:"parent,omitempty"`   // ARN; "" for the root
	Root     string            `json:"root,omitempty"`     // ARN; "" for the root
	Children map[string]string `json:"children,omitempty"` // ARNs by logical id
	Going    time.Time         `json:"going,omitzero"`     // when its own deletion begins, after its children's
}

// ImportItem names an existing resource that becomes part of a stack.
type ImportItem struct {
	LogicalID  string            `json:"logicalID"`
	Type       string            `json:"type"`
	Identifier map[string]string `json:"identifier,omitempty"`
}

// Finding is what early validation says of a change set or an operation.
type Finding struct {
	Check      string `json:"check,omitempty"` // AWS::EarlyValidation::…; "" of a warning
	Name       string `json:"name"`
	Mode       string `json:"mode,omitempty"` // FAIL, WARN
	PhysicalID string `json:"physicalID,omitempty"`
	LogicalID  string `json:"logicalID"`
	Type       string `json:"type"`
	Path       string `json:"path"`
	Reason     string `json:"reason"`
}

// Change is what a change set announces for one resource. AWS answers
// differently with and without IncludePropertyValues, so both are kept.
type Change struct {
	LogicalID  string        `json:"logicalID"`
	PhysicalID string        `json:"physicalID,omitempty"`
	Type       string        `json:"type"`
	Action     string        `json:"action"`
	ChangeSet  string        `json:"changeSet,omitempty"` // ARN, of a nested stack
	Plain      Announcement  `json:"plain"`               // without property values
	Values     *Announcement `json:"values,omitempty"`    // with them; nil: the change is not listed then
	Before     string        `json:"before,omitempty"`    // context, JSON
	After      string        `json:"after,omitempty"`

	// Of drift-aware change sets only.
	Drift    string         `json:"drift,omitempty"`
	Previous string         `json:"previous,omitempty"` // context, JSON
	Ignored  []IgnoredDrift `json:"ignored,omitempty"`
}

// Announcement is how a change set shows a change.
type Announcement struct {
	Replacement  string         `json:"replacement,omitempty"`
	PolicyAction string         `json:"policyAction,omitempty"`
	Scope        []string       `json:"scope,omitempty"`
	Details      []ChangeDetail `json:"details,omitempty"`
}

// ChangeDetail is one reason for a change.
type ChangeDetail struct {
	Attribute  string  `json:"attribute"`
	Name       string  `json:"name,omitempty"`
	Path       string  `json:"path,omitempty"`
	Kind       string  `json:"kind,omitempty"` // Add, Remove, Modify
	Before     *string `json:"before,omitempty"`
	After      *string `json:"after,omitempty"`
	Recreation string  `json:"recreation,omitempty"`
	Evaluation string  `json:"evaluation"`
	Source     string  `json:"source"`
	Causing    string  `json:"causing,omitempty"`

	// Of drift-aware change sets only.
	From        string  `json:"from,omitempty"` // of Before
	DriftBefore *string `json:"driftBefore,omitempty"`
	DriftActual *string `json:"driftActual,omitempty"`
}

// Token remembers what a client request token was used for.
type Token struct {
	Op     string `json:"op"`
	Stack  string `json:"stack"` // ARN
	Digest string `json:"digest"`
	ID     string `json:"id,omitempty"` // operation
}

// Fault makes resource operations fail, be slow or both. Empty fields match
// everything.
type Fault struct {
	Stack   string  `json:"stack,omitempty"`    // name
	Logical string  `json:"resource,omitempty"` // logical id
	Type    string  `json:"type,omitempty"`
	Phase   Phase   `json:"phase,omitempty"`
	After   int     `json:"after,omitempty"`   // lets so many matching operations pass first
	Times   int     `json:"times,omitempty"`   // how often; 0 means always
	Chance  float64 `json:"chance,omitempty"`  // of each operation to be hit; 0 means always
	Message string  `json:"message,omitempty"` // empty: only slow
	Code    string  `json:"code,omitempty"`    // handler error code; GeneralServiceException if empty
	Delay   float64 `json:"delay,omitempty"`   // further seconds, before Scale
	Seen    int     `json:"seen,omitempty"`    // matching operations so far
	Used    int     `json:"used,omitempty"`    // operations that it hit
}

// Detection is a drift detection.
type Detection struct {
	ID      string    `json:"id"`
	Stack   string    `json:"stack"` // ARN
	Logical []string  `json:"logical,omitempty"`
	Start   time.Time `json:"start"`
	Ready   time.Time `json:"ready"`
	Drifted int32     `json:"drifted,omitempty"`
	State   string    `json:"state,omitempty"`
	Done    bool      `json:"done,omitempty"`
	// Found is the drift status by logical id, seen at Start and shown at Ready.
	Found map[string]string `json:"found,omitempty"`
}
