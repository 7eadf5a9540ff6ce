package plan

import (
	"reconcile/pkg/bundle"
	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// FormatVersion of the JSON encoding of a Plan. It moves when a field changes
// its meaning or goes away.
const FormatVersion = "1.0"

// StepID names a step for the life of a plan: "stack/bp-network",
// "parameter/bp/fleets/staging/gpu-default/desired_config",
// "recover/bp-data", "protect/bp-data".
type StepID string

// Kind of a step.
type Kind string

// The kinds of steps.
const (
	KindStack     Kind = "stack"
	KindParameter Kind = "parameter"
	KindSecret    Kind = "secret"
	KindLogGroup  Kind = "log-group"
	KindObjects   Kind = "objects" // all that a bucket holds
	KindBundle    Kind = "bundle"
)

// Action of a step, and of a change to one resource.
type Action string

// The actions. A change uses create, update, replace, delete and import only.
const (
	ActionNone      Action = "none"
	ActionCreate    Action = "create"
	ActionUpdate    Action = "update"
	ActionReplace   Action = "replace"
	ActionDelete    Action = "delete"
	ActionImport    Action = "import"
	ActionRecover   Action = "recover"
	ActionProtect   Action = "protect"
	ActionUnprotect Action = "unprotect"
	ActionRun       Action = "run"
)

// Replace says whether a change replaces its resource.
type Replace string

// The three answers. Maybe counts as yes for approvals.
const (
	ReplaceNo    Replace = "no"
	ReplaceMaybe Replace = "maybe"
	ReplaceYes   Replace = "yes"
)

// Plan is the ordered list of steps that would make the account match the
// specs. It holds no secret.
type Plan struct {
	FormatVersion string    `json:"formatVersion"`
	Tool          string    `json:"tool"` // version that computed it
	Target        Target    `json:"target"`
	Destroy       bool      `json:"destroy,omitempty"`
	Steps         []Step    `json:"steps"` // each after all it needs; ties by ID; unchanged things are no steps
	Findings      []Finding `json:"findings,omitempty"`
	Applied       *Applied  `json:"applied,omitempty"` // the revision applied last
	Since         *Limits   `json:"since,omitempty"`   // what a change of the specs limited the plan to
	Drift         []Change  `json:"drift,omitempty"`   // hand edits of what the plan reads anyway
	NotRead       []string  `json:"notRead,omitempty"` // what an empty plan did not look at
	Summary       Summary   `json:"summary"`
	Digest        string    `json:"digest"` // of everything above but Tool
}

// Summary counts resources, as Terraform users know it; a replacement counts
// under Add and Destroy. A parameter, secret or log group counts as one resource.
type Summary struct {
	Import  int `json:"import,omitempty"`
	Add     int `json:"add"`
	Change  int `json:"change"`
	Destroy int `json:"destroy"`
	Replace int `json:"replace"`
	Drift   int `json:"drift"`
	Blocked int `json:"blocked"` // steps
}

// Step is one thing that apply does.
type Step struct {
	ID        StepID      `json:"id"`
	Kind      Kind        `json:"kind"`
	Target    string      `json:"target"` // stack name, parameter name, …
	Action    Action      `json:"action"`
	Needs     []StepID    `json:"needs,omitempty"`
	Base      string      `json:"base"` // fingerprint of the live state it was computed from, or BaseAfter
	Body      Body        `json:"body"`
	Changes   []Change    `json:"changes,omitempty"`
	Unknown   []string    `json:"unknown,omitempty"` // open references, known after apply
	Blocked   *Blocked    `json:"blocked,omitempty"`
	Approvals []Approval  `json:"approvals,omitempty"` // needed before it runs
	Risk      string      `json:"risk,omitempty"`      // for the reader
	Rollback  string      `json:"rollback,omitempty"`  // how, or why not
	Reason    string      `json:"reason,omitempty"`    // for the reader; apply never looks at it
	Source    spec.Source `json:"source"`
	Rollout   *Rollout    `json:"rollout,omitempty"` // for the reader: what it does to running instances
}

// Body is what a step writes; exactly one field is set. No field ever holds
// a secret: generated values are made where they are written.
type Body struct {
	Stack     *StackBody     `json:"stack,omitempty"`
	Parameter *ParameterBody `json:"parameter,omitempty"`
	Secret    *SecretBody    `json:"secret,omitempty"`
	LogGroup  *LogGroupBody  `json:"logGroup,omitempty"`
	Bucket    *BucketBody    `json:"bucket,omitempty"`
	Recover   *RecoverBody   `json:"recover,omitempty"`
	Bundle    *BundleBody    `json:"bundle,omitempty"`
}

// BundleBody stores the assets that are missing and then the manifest.
type BundleBody struct {
	Name     string          `json:"name"`
	Bucket   string          `json:"bucket"`
	Manifest bundle.Manifest `json:"manifest"` // created_at is set when it is written
	Assets   []Upload        `json:"assets"`   // all of them, sorted by key
}

// Upload is an object that a bundle needs, and where it comes from if it is not
// there; with neither File nor From it must be.
type Upload struct {
	Key    string  `json:"key"`
	SHA256 string  `json:"sha256"`
	File   string  `json:"file,omitempty"` // relative to the folder of specs
	From   *Object `json:"from,omitempty"` // to copy
	Size   int64   `json:"size,omitempty"` // bytes, where it is known
}

// StackBody is a stack's template with its open references; apply substitutes
// them just before the step. A delete or protection step has no template.
type StackBody struct {
	Name         string            `json:"name"`
	ID           string            `json:"id,omitempty"` // of the live stack
	Owner        string            `json:"owner"`
	Template     *cfn.Template     `json:"template,omitempty"`
	Tags         map[string]string `json:"tags,omitempty"`
	Parameters   map[string]any    `json:"parameters,omitempty"` // strings or open references
	Capabilities []string          `json:"capabilities,omitempty"`
	Retain       []string          `json:"retain,omitempty"` // logical ids a delete keeps although they fail
	// Revert puts back, by a drift-aware change set, what Template deployed before;
	// the template itself is the deployed one and is not sent.
	Revert bool `json:"revert,omitempty"`
	// Plain is a creation without a change set: one call, which one of two
	// racers loses. It is for the stack without which there is no lock.
	Plain bool `json:"plain,omitempty"`
	// Imports are the existing things that an import step takes into the stack,
	// each by its logical id; its template has them and changes nothing else.
	Imports []Import `json:"imports,omitempty"`
	// Capacity lists the groups from which the step may take running instances
	// away, with their numbers at the time of the plan, idle ones too. Apply reads
	// them again and refuses to take away more.
	Capacity []Capacity `json:"capacity,omitempty"`
}

// Import is an existing thing that becomes a resource of a stack.
type Import struct {
	Resource   string            `json:"resource"` // logical id
	Type       string            `json:"type"`
	Identifier map[string]string `json:"identifier"` // primary identifier: {"BucketName": "bp-media-123456789012"}
}

// Capacity is what an Auto Scaling group had when a step was planned that may shrink it.
type Capacity struct {
	Group     string `json:"group"`
	Max       int    `json:"max"` // after the step; 0 when the group goes away
	Desired   int    `json:"desired"`
	InService int    `json:"inService"`
	Protected int    `json:"protected"`
}

// ParameterBody is an SSM parameter.
type ParameterBody struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	DataType string `json:"dataType,omitempty"`
	Value    any    `json:"value,omitempty"`    // string or open reference
	Generate string `json:"generate,omitempty"` // generator instead of a value
	Version  int64  `json:"version,omitempty"`  // live version it was computed from; 0: absent
	Owner    string `json:"owner"`              // tag reconcile:owner of a parameter that is created
	Describe string `json:"describe,omitempty"`
}

// SecretBody writes a first value into a secret.
type SecretBody struct {
	Name     string `json:"name"`
	Generate string `json:"generate"`
}

// LogGroupBody is a log group.
type LogGroupBody struct {
	Name          string `json:"name"`
	RetentionDays int    `json:"retentionDays"`
}

// BucketBody is a bucket that is emptied before the deletion of its stack.
type BucketBody struct {
	Name    string `json:"name"`
	Stack   string `json:"stack"` // that it belongs to
	StackID string `json:"stackID"`
	Last    string `json:"last,omitempty"` // prefix of the keys that go after all others
}

// Recovery operations on a stuck stack.
const (
	RecoverDelete           = "delete"            // DeleteStack of a stack that never worked
	RecoverContinueRollback = "continue-rollback" // ContinueUpdateRollback without skips
	RecoverRollback         = "rollback"          // RollbackStack
	RecoverRetryDelete      = "retry-delete"      // DeleteStack once more
	RecoverSweep            = "sweep"             // delete a left-over REVIEW_IN_PROGRESS stack
)

// RecoverBody brings a stuck stack into a status from which it can go on.
type RecoverBody struct {
	Name      string   `json:"name"`
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	Operation string   `json:"operation"`
	Resources []string `json:"resources,omitempty"` // blast radius: logical ids
}

// Change is one difference, down to the property. A created or deleted
// resource is one change with an empty path.
type Change struct {
	Stack     string      `json:"stack,omitempty"`
	Resource  string      `json:"resource"` // logical id; "Outputs.X", "Tags.X" for the stack itself
	Type      string      `json:"type,omitempty"`
	Physical  string      `json:"physical,omitempty"`
	Action    Action      `json:"action"`
	Path      string      `json:"path,omitempty"` // "Properties.MixedInstancesPolicy.LaunchTemplate.Overrides[1]"
	Before    any         `json:"before,omitempty"`
	After     any         `json:"after,omitempty"`
	Document  string      `json:"document,omitempty"`  // a readable diff, for user data, policies, dashboards
	Unknown   bool        `json:"unknown,omitempty"`   // After is known after apply
	Sensitive bool        `json:"sensitive,omitempty"` // Before and After are masked
	Replace   Replace     `json:"replace,omitempty"`
	Retained  bool        `json:"retained,omitempty"` // a delete that keeps the thing itself
	Source    spec.Source `json:"source,omitzero"`
}

// Blocked says why a step cannot run yet, and what unblocks it.
type Blocked struct {
	Reason  string `json:"reason"`
	Command string `json:"command"`
}

// ApprovalKind names a danger.
type ApprovalKind string

// The kinds that --approve KIND:TARGET knows.
const (
	ApproveDestroy   ApprovalKind = "destroy"
	ApproveReplace   ApprovalKind = "replace"
	ApproveCapacity  ApprovalKind = "capacity"
	ApproveRecover   ApprovalKind = "recover"
	ApproveUnprotect ApprovalKind = "unprotect"
	ApproveDowngrade ApprovalKind = "downgrade"
)

// Approval is a consent that a step needs, named so that it can be given.
type Approval struct {
	Kind   ApprovalKind `json:"kind"`
	Target string       `json:"target"` // stack name, or stack name/logical id
	Why    string       `json:"why"`
}

// String is the form of the --approve flag.
func (a Approval) String() string { return string(a.Kind) + ":" + a.Target }

// Severity of a finding.
type Severity string

// The severities: an error refuses the whole apply.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// Finding is something the reader must know that is not a step.
type Finding struct {
	Severity Severity    `json:"severity"`
	Code     string      `json:"code"`   // stable: "wrong-account", "ami-missing", …
	Target   string      `json:"target"` // stack, fleet, parameter, …
	Message  string      `json:"message"`
	Command  string      `json:"command,omitempty"` // what to run next
	Source   spec.Source `json:"source,omitzero"`
}

// Empty tells whether nothing would change.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Step finds a step by ID.
func (p Plan) Step(id StepID) (Step, bool) {
	for _, s := range p.Steps {
		if s.ID == id {
			return s, true
		}
	}
	return Step{}, false
}
