package spec

import (
	"encoding/json"
	"strings"
)

// APIVersion is the one version of the documents that this program reads.
const APIVersion = "reconcile/v1"

// Kind of a document.
type Kind string

// The four kinds.
const (
	KindPlatform Kind = "Platform"
	KindFleet    Kind = "Fleet"
	KindBundle   Kind = "Bundle"
	KindStack    Kind = "Stack"
)

// Source is a place in a spec file: File is relative to the specs directory's
// parent as the user named it ("specs/platform.yaml"), Line and Column count from 1.
type Source struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column,omitempty"`
}

// Set is a whole folder of specs, validated: defaults filled in, fleets and
// bundles and stacks sorted (fleets by stage then name).
type Set struct {
	Platform  Platform
	Fleets    []Fleet
	Bundles   []Bundle
	Stacks    []Stack
	Templates []FleetTemplate // fleet-templates.json
	Digest    string          // hex SHA-256 over names and bytes of the files read
	Dir       string          // as the user named it
	Files     []string        // files read, sorted
}

// Meta is what every document has.
type Meta struct {
	Name   string
	Source Source
	// Positions of every field by dotted path ("spec.network.cidr",
	// "spec.instanceTypes[0]"); filled by Load, read through At.
	Positions map[string]Source
}

// At is the place of the field at path, or of its nearest enclosing field, or
// of the document.
func (m Meta) At(path string) Source {
	for path != "" {
		if s, ok := m.Positions[path]; ok {
			return s
		}
		path = parentPath(path)
	}
	return m.Source
}

func parentPath(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' || path[i] == '[' {
			return path[:i]
		}
	}
	return ""
}

// Platform is the account's platform: one per specs folder.
type Platform struct {
	Meta
	Requires   string
	Account    string // 12 digits
	Region     string
	Owner      string // the Owner tag; empty omits it
	Domain     Domain
	Alerts     Alerts
	Network    Network
	Database   Database
	Cache      Cache
	Backend    Service
	Frontend   Service
	GitHub     *GitHub // nil: no roles for workflows
	Exceptions []Exception
	Approvals  []Approval
	Ignore     []Ignore
}

// Domain is the public host name and its certificate; both or neither.
type Domain struct {
	Name           string
	CertificateARN string
}

// Set tells whether HTTPS is on.
func (d Domain) Set() bool { return d.Name != "" && d.CertificateARN != "" }

// Alerts says who hears of alarms, and the monthly budget (0: none).
type Alerts struct {
	Email            string
	MonthlyBudgetUSD int
}

// Network of the platform.
type Network struct {
	CIDR              string
	AvailabilityZones []string // 2 or 3
	NATGateways       int      // 1 to len(AvailabilityZones)
}

// Database is the RDS MariaDB instance.
type Database struct {
	InstanceClass string
	EngineVersion string // full minor version, "10.11.x"
	MultiAZ       bool
	StorageGiB    int
	MaxStorageGiB int
	BackupDays    int
}

// Cache is the ElastiCache node.
type Cache struct {
	NodeType      string
	EngineVersion string
	Encryption    bool // opt-in: TLS and AUTH need another resource type and application settings
}

// Service is an ECS Fargate service with CPU target tracking.
type Service struct {
	CPU              int // CPU units
	MemoryMiB        int
	MinTasks         int
	MaxTasks         int
	CPUTargetPercent int
}

// GitHub is the repository whose workflows may plan and apply.
type GitHub struct {
	Repository       string // OWNER/NAME
	OwnerID          string // with RepositoryID: tokens name both by number, see Subject
	RepositoryID     string
	Branch           string // that is applied
	ApplyEnvironment string
	PlanEnvironment  string // empty: jobs that plan have none
	OIDCProviderARN  string // of the account's provider; empty: ours to make
}

// Subject is the "sub" claim of a token for a context such as
// "environment:production-infra" or "pull_request", in the one of GitHub's two
// forms that this repository's tokens have.
func (g GitHub) Subject(context string) string {
	owner, name, _ := strings.Cut(g.Repository, "/")
	if g.RepositoryID != "" {
		owner, name = owner+"@"+g.OwnerID, name+"@"+g.RepositoryID
	}
	return "repo:" + owner + "/" + name + ":" + context
}

// Exception turns a security default off, with a reason.
type Exception struct {
	Rule    string
	Reason  string
	Expires string // YYYY-MM-DD, empty: never
}

// Approval carries a named approval through a merge.
type Approval struct {
	Kind    string // destroy, replace, capacity, recover, unprotect, downgrade
	Target  string
	Expires string // RFC 3339 date or time
	Reason  string
	Source  Source
}

// Ignore hides hand edits from the drift report, for a reason and until a day.
type Ignore struct {
	Stack    string // glob
	Resource string // logical id, glob
	Path     string // property and all in it; empty: the whole resource
	Reason   string
	Expires  string // YYYY-MM-DD
	Source   Source
}

// String names what is ignored: "bp-network/AlbSecurityGroup SecurityGroupIngress".
func (i Ignore) String() string {
	name := i.Stack + "/" + i.Resource
	if i.Path != "" {
		name += " " + i.Path
	}
	return name
}

// Fleet is one GPU fleet in one stage.
type Fleet struct {
	Meta
	Stage         string // staging or production
	Template      string // template_slug in fleet-templates.json
	InstanceTypes []string
	Bundle        string // Bundle name; empty: the Admin UI owns active_bundle
	Enabled       bool
	Rollout       Rollout
}

// Rollout is how instances that run are replaced.
type Rollout struct {
	MinHealthyPercent int    `json:"minHealthyPercent"`
	CheckpointPercent int    `json:"checkpointPercent"` // replaced before the pause; 0: no pause
	CheckpointMinutes int    `json:"checkpointMinutes"`
	BakeMinutes       int    `json:"bakeMinutes"`
	BusyWorkers       string `json:"busyWorkers"` // wait, replace or keep
	WatchAlarms       bool   `json:"watchAlarms"`
}

// ID is "stage/slug".
func (f Fleet) ID() string { return f.Stage + "/" + f.Name }

// FleetTemplate is one entry of the backend's fleet-templates.json, the
// defaults of facts/contracts.md filled in (300, 2, 15).
type FleetTemplate struct {
	Slug                 string
	DisplayName          string
	AllowedInstanceTypes []string
	MaxSize              int
	WarmupSeconds        int
	BacklogTarget        int
	ScaleToZeroMinutes   int
	Source               Source
	// Positions of its fields by their names in the file; read through At.
	Positions map[string]Source
}

// At is the place of a field, "max_size", or of the whole entry.
func (t FleetTemplate) At(field string) Source {
	if s, ok := t.Positions[field]; ok {
		return s
	}
	return t.Source
}

// Bundle is a set of assets that a fleet installs.
type Bundle struct {
	Meta
	Title  string
	Notes  string
	Assets []Asset
}

// Asset is one file of a bundle.
type Asset struct {
	Kind       string // checkpoint, lora, vae, embedding, controlnet, custom_node, other
	SHA256     string
	File       string // local file, relative to the spec; or
	Path       string // that file, relative to the folder of specs, with slashes
	S3URL      string // s3://bucket/key; or neither: stored already under SHA256
	Filename   string // original_filename
	TargetPath string
	Action     string // copy, extract_zip, extract_tar_gz
}

// Stack is a user's own CloudFormation template.
type Stack struct {
	Meta
	Template              string          // path as written, relative to the spec file
	Body                  json.RawMessage // the template, as canonical JSON
	DependsOn             []string        // stack names
	Parameters            map[string]ParameterValue
	Capabilities          []string
	Tags                  map[string]string
	TerminationProtection bool
}

// ParameterValue is a literal, or an output of another stack.
type ParameterValue struct {
	Value  string
	Stack  string
	Output string
}

// Template finds a fleet template by slug.
func (s Set) Template(slug string) (FleetTemplate, bool) {
	for _, t := range s.Templates {
		if t.Slug == slug {
			return t, true
		}
	}
	return FleetTemplate{}, false
}
