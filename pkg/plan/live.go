package plan

import (
	"time"

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
	Images          map[string]LiveImage // key "repository:tag"
	Objects         map[string]bool      // key "bucket/key": exists
	Certificates    map[string]LiveCertificate
	NotRead         []string // what this read did not look at, for people
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
	Protected  bool // termination protection

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
