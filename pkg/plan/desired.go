package plan

import (
	"reconcile/pkg/bundle"
	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// Target is the one place a plan is for.
type Target struct {
	Platform string `json:"platform"` // the Platform's name, and the owner in every marker
	Account  string `json:"account"`
	Region   string `json:"region"`
	Revision string `json:"revision,omitempty"` // git revision of the specs, or empty
	Specs    string `json:"specs"`              // digest of the spec files
	// Role is what CloudFormation acts with, see Own; a plan in a file has no
	// other place to know it from.
	Role string `json:"role,omitempty"`
}

// Desired is everything that the specs ask for, before anything of AWS is
// known. Slices are sorted by name.
type Desired struct {
	Target     Target
	Folder     string // of the specs, as the user names it
	Stacks     []Stack
	Parameters []Parameter
	Secrets    []Secret
	LogGroups  []LogGroup
	Fleets     []Fleet
	Images     []Image // container images that services need
	Bundles    []Bundle
	// Certificate must be issued before the stacks that use it deploy.
	Certificate *Certificate
	Approvals   []spec.Approval
	Notes       []Finding // what the renderer wants said in every plan
	Own         Own
}

// Own is what this program keeps for itself in the account: the stack that is
// created before everything else and deleted after it, and the bucket in it.
type Own struct {
	Stack  string `json:"stack,omitempty"`
	Bucket string `json:"bucket,omitempty"`
	// Role is what CloudFormation acts with in every other stack; empty: with the
	// rights of whoever calls.
	Role string `json:"role,omitempty"`
}

// Stack is one CloudFormation stack. Its template may hold open references.
type Stack struct {
	Name         string
	Template     cfn.Template
	Tags         map[string]string
	Parameters   map[string]any // template parameters of a user's own stack: string or open reference
	Capabilities []string
	DependsOn    []string // names of stacks, beside those that references imply
	// After lists IDs of parameter, secret and log-group steps that come first.
	After   []StepID
	Protect bool   // termination protection
	Fleet   string // "stage/slug" of a fleet's stack
	Group   string // Auto Scaling group in this stack, if any
	Source  spec.Source
	// Sources maps "LogicalID" or "LogicalID.Path" to the spec line that decides it;
	// the longest matching prefix wins, then Source.
	Sources map[string]spec.Source
	// Stateful lists logical ids whose loss loses data.
	Stateful []string
}

// ParameterPolicy says when a parameter is written.
type ParameterPolicy string

const (
	// PolicyOwn writes the value whenever it differs.
	PolicyOwn ParameterPolicy = "own"
	// PolicyCreate writes only when the parameter is absent.
	PolicyCreate ParameterPolicy = "create"
)

// Parameter is an SSM parameter written by a step of its own (those inside
// stacks are resources of the stack).
type Parameter struct {
	Name     string
	Type     string // String or SecureString
	DataType string // text or aws:ec2:image
	Value    any    // string or open reference; nil with Generate
	Generate string // "hex48": 48 random bytes in hex, made at the moment of writing
	Policy   ParameterPolicy
	Bundle   string // name in Desired.Bundles: Value names it, and may be written once it is stored
	Fleet    string
	Contract bool // shared with the backend: overwritten by name, deleted only if we created it
	Source   spec.Source
	Describe string
}

// Secret is a Secrets Manager secret whose value a step writes when it has none.
type Secret struct {
	Name     string // secret name
	Stack    string // stack that declares it
	Generate string // "laravel-key" or "oauth-empty"
	Source   spec.Source
	// Finding, if set, is reported while the secret has only the generated value.
	Describe string
}

// LogGroup is a CloudWatch log group written directly.
type LogGroup struct {
	Name          string
	RetentionDays int
	Source        spec.Source
}

// Fleet is what the plan and status say about a fleet beside its stack.
type Fleet struct {
	ID           string // stage/slug
	Stack        string
	Group        string // Auto Scaling group name
	MaxSize      int
	AMIParameter string
	Source       spec.Source
}

// Image is a tag in ECR that a stack's services need before they can start.
type Image struct {
	Repository string
	Tag        string
	Stack      string // the stack that needs it
	Source     spec.Source
}

// Object is an S3 object.
type Object struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

// Bundle is a set of assets in the models bucket, and the manifest that names them.
type Bundle struct {
	Name     string
	Bucket   string
	Stack    string          // that declares the bucket
	Manifest bundle.Manifest // without the moment of its creation
	Assets   []Asset         // each object once, sorted by key
	Used     bool            // a fleet names it; another one is stored only when it is selected
	Source   spec.Source
}

// Object is the bundle's manifest in the bucket.
func (b Bundle) Object() Object { return Object{b.Bucket, bundle.ManifestKey(b.Manifest.BundleID)} }

// Asset is an object of a bundle and where it comes from; with neither File nor
// From it must be stored already.
type Asset struct {
	Key    string
	SHA256 string
	File   string      // relative to the folder of specs
	From   *Object     // to copy
	Local  *LocalFile  // what is known of File; nil: it was not looked at
	Source spec.Source // of File or From, or else of the whole entry
	Hash   spec.Source // of SHA256
}

// LocalFile is a file on this machine.
type LocalFile struct {
	Exists  bool
	Size    int64  // bytes
	SHA256  string // of all of it
	Problem string // why it cannot be read
}

// Certificate is an ACM certificate.
type Certificate struct {
	ARN    string
	Stack  string
	Domain string // host name that it must cover; empty: not compared
	Source spec.Source
}

// OwnOf names what this program keeps for a platform.
func OwnOf(t Target) Own {
	stack := t.Platform + "-reconcile"
	return Own{Stack: stack, Bucket: stack + "-" + t.Account, Role: t.Role}
}
