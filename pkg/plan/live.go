package plan

import (
	"time"

	"reconcile/pkg/ami"
	"reconcile/pkg/bundle"
	"reconcile/pkg/cfn"
)

// Live is what AWS had when it was read. Maps are keyed by name. What was not
// read is absent, and listed in NotRead.
type Live struct {
	Account         string
	Region          string
	Stacks          map[string]LiveStack
	Parameters      map[string]LiveParameter
	Secrets         map[string]LiveSecret
	LogGroups       map[string]LiveLogGroup
	Groups          map[string]LiveGroup
	LaunchTemplates map[string]LiveLaunchTemplate
	// AMIs are machine images by id, read where a plan changes what a group
	// launches; the zero Image says that it was looked for and does not exist.
	AMIs   map[string]ami.Image
	Images map[string]LiveImage // key "repository:tag"
	// Bundles are manifests, key "bucket/key"; Assets are the objects that they
	// name, and those that would be copied.
	Bundles      map[string]LiveBundle
	Assets       map[string]LiveAsset
	Certificates map[string]LiveCertificate
	// Named is what has the names that resources to be created would get; key
	// NamedResource.Key. An entry that does not exist says that it was looked for.
	Named map[string]LiveNamed
	// Remains are the resources of stacks that were deleted, as far as AWS still
	// tells of them (90 days): by the stack's ARN, then by logical id.
	Remains map[string]map[string]LiveResource
	NotRead []string // what this read did not look at, for people
}

// LiveStack is a stack. The second half is read only for stacks whose digest
// differs, that others refer to, or that are in a status that needs care.
type LiveStack struct {
	Name        string
	ID          string // ARN
	Status      string
	Reason      string
	Description string
	Updated     time.Time // last update, or creation
	Marker      cfn.Marker
	Owned       bool // a marker is there
	// Token is the ClientRequestToken of the newest operation; read only while
	// an operation runs, else empty.
	Token string

	Described  bool
	Outputs    map[string]string
	Tags       map[string]string
	Parameters map[string]string
	Protected  bool   // termination protection
	Role       string // ARN of the role that CloudFormation acts with in it; empty: none

	Template  *cfn.Template           // nil until read
	Resources map[string]LiveResource // by logical id; nil until read
}

// LiveResource is a resource of a stack.
type LiveResource struct {
	Type       string
	PhysicalID string
	Status     string
	Reason     string
}

// LiveParameter is an SSM parameter. Value is empty for a SecureString: plan
// never decrypts.
type LiveParameter struct {
	Type     string
	DataType string
	Value    string
	Version  int64
	Modified time.Time
	// Owner is the Platform that created it, from the tag reconcile:owner; read
	// for a destroy only (tags cost a call each), else empty.
	Owner string
}

// LiveSecret is what DescribeSecret says.
type LiveSecret struct {
	ARN        string
	HasCurrent bool // a version carries AWSCURRENT
	Deleting   bool // scheduled for deletion
	// Versions counts version ids; 1 means only the generated value.
	Versions int
}

// LiveLogGroup is a log group; RetentionDays 0 means never expires.
type LiveLogGroup struct {
	RetentionDays int
}

// LiveGroup is an Auto Scaling group.
type LiveGroup struct {
	Min, Max, Desired     int
	InService             int
	Protected             int      // instances protected from scale-in
	LaunchTemplate        string   // name
	LaunchTemplateVersion string   // number, or $Latest
	InstanceTypes         []string // overrides, in order
	CapacityRebalance     bool
	DefaultInstanceWarmup int
	Refreshing            bool
}

// LiveLaunchTemplate is a launch template's newest version.
type LiveLaunchTemplate struct {
	ID             string
	LatestVersion  int64
	DefaultVersion int64
	ImageID        string // of the latest version
	InstanceType   string
}

// LiveImage is a tag in ECR.
type LiveImage struct {
	Exists bool
	Digest string
}

// LiveCertificate is an ACM certificate.
type LiveCertificate struct {
	Exists bool
	Status string // ISSUED, PENDING_VALIDATION, …
	Domain string
	SANs   []string
}

// LiveBundle is a manifest in the models bucket.
type LiveBundle struct {
	Exists   bool
	NoBucket bool             // the bucket is not there
	Manifest *bundle.Manifest // nil: absent, or it cannot be read
	Problem  string           // why it cannot be read
}

// LiveAsset is an object of S3.
type LiveAsset struct {
	Exists bool
	Size   int64  // bytes
	SHA256 string // in hex, where S3 has that of the whole object
	// Problem is why it cannot be looked at, with AWS's code; only for what is copied.
	Problem string
}

// LiveNamed is what has the name that a resource to be created would get.
type LiveNamed struct {
	Exists bool
	// Elsewhere says whose it is when it is out of reach: "another account",
	// "region eu-west-1"; empty: it is in this account and region.
	Elsewhere string
	ID        string   // primary identifier, as an import names it: the ARN of a secret, else the name
	Owner     string   // tag reconcile:owner
	Tagged    bool     // it has tags of people beside that one
	Stack     string   // name of the stack that it belongs to; empty: none
	Maker     string   // ARN of the stack that made it, from AWS's own tag; empty: unknown
	Deleting  bool     // scheduled for deletion
	Audiences []string // client ids of an OIDC provider
}
