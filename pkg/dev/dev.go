// Package dev says what a dev GPU instance is: what to make of a fleet's image,
// what belongs together, what to remove, and which commands apply a bundle to
// it. It is pure: pkg/cloud asks AWS, and tells it. The names, tags and commands
// are a contract with others (facts: contracts, "Dev GPU instance").
// Start with Fleet and Launch.
package dev

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Tags of everything that belongs to a dev instance.
const (
	TagManagedBy = "ManagedBy"
	ManagedBy    = "dev-gpu-action"
	TagStage     = "Stage"
	TagSlug      = "FleetSlug"
	// TagHours is how long the instance runs after each boot. It says what the user
	// data does and changes nothing by itself.
	TagHours = "Hours"
	tagName  = "Name"
)

// Port is where ComfyUI answers.
const Port = 8188

// VolumeGiB is the size of an instance's one disk.
const VolumeGiB = 100

// Hours that an instance may run after a boot.
const (
	DefaultHours = 4
	MaxHours     = 72
)

// Warning is how long before the shutdown whoever is logged in hears of it.
const Warning = 30 * time.Minute

// Fleet is whose image and type an instance has.
type Fleet struct {
	Platform string `json:"-"` // the Platform's name, which begins each parameter's
	Stage    string `json:"stage"`
	Slug     string `json:"slug"`
}

var fleetID = regexp.MustCompile(`^(staging|production)/([a-z0-9][a-zA-Z0-9._-]{0,127})$`)

// ParseFleet reads "STAGE/SLUG".
func ParseFleet(platform, id string) (Fleet, error) {
	m := fleetID.FindStringSubmatch(id)
	if m == nil {
		return Fleet{}, fmt.Errorf("%q is no fleet: write staging/SLUG or production/SLUG", id)
	}
	return Fleet{platform, m[1], m[2]}, nil
}

// ID is "stage/slug".
func (f Fleet) ID() string { return f.Stage + "/" + f.Slug }

// Group is the name of the security group.
func (f Fleet) Group() string { return "dev-gpu-" + f.Stage + "-" + f.Slug }

// Tags are those of the contract, by which everything is found again.
func (f Fleet) Tags() map[string]string {
	return map[string]string{TagManagedBy: ManagedBy, TagStage: f.Stage, TagSlug: f.Slug}
}

// The parameters that say what to start; contracts.md has their values.

// ImageParameter holds the AMI.
func (f Fleet) ImageParameter() string { return "/" + f.Platform + "/ami/fleets/" + f.ID() }

// ConfigParameter holds the desired_config, for the instance type.
func (f Fleet) ConfigParameter() string {
	return "/" + f.Platform + "/fleets/" + f.ID() + "/desired_config"
}

// BundleParameter holds the active bundle.
func (f Fleet) BundleParameter() string {
	return "/" + f.Platform + "/fleets/" + f.ID() + "/active_bundle"
}

// ProfileParameter holds the name of the instance profile.
func (f Fleet) ProfileParameter() string { return "/" + f.Platform + "/packer/instance_profile" }

// BucketParameter holds the name of the models bucket.
func (f Fleet) BucketParameter() string { return "/" + f.Platform + "/models/bucket" }

// Launch is everything that an instance is made of.
type Launch struct {
	Fleet   Fleet
	Image   string // AMI id
	Type    string
	Profile string // name of an instance profile
	Subnet  string
	Group   string // id of the security group
	Hours   int
}

// Tags of the instance and its disk.
func (l Launch) Tags() map[string]string {
	tags := l.Fleet.Tags()
	tags[TagHours], tags[tagName] = strconv.Itoa(l.Hours), l.Fleet.Group()
	return tags
}

// Token makes a second request the same as the first. It hangs on the security
// group, which stop deletes, so that a later start makes another instance; try
// counts instances of this group that somebody terminated.
func (l Launch) Token(try int) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{l.Group, l.Subnet, strconv.Itoa(try)}, "\n")))
	return "reconcile-dev-" + hex.EncodeToString(sum[:])[:40]
}

// TypeIn reads the instance type of a desired_config.
func TypeIn(config string) (string, error) {
	var doc struct {
		Type string `json:"instance_type"`
	}
	if err := json.Unmarshal([]byte(config), &doc); err != nil {
		return "", fmt.Errorf("no JSON: %w", err)
	}
	if doc.Type == "" {
		return "", fmt.Errorf("no instance_type in it")
	}
	return doc.Type, nil
}

// Instance is one as EC2 shows it.
type Instance struct {
	ID       string    `json:"id"`
	Fleet    Fleet     `json:"fleet"`
	State    string    `json:"state"` // EC2's names
	Type     string    `json:"type"`
	Image    string    `json:"image"`
	Zone     string    `json:"zone"`
	Address  string    `json:"address,omitempty"` // public, while it runs
	Groups   []string  `json:"groups,omitempty"`
	Launched time.Time `json:"launched"`        // the last boot
	Hours    int       `json:"hours,omitempty"` // 0: not known
	Tags     Tags      `json:"-"`
}

// Tags by key.
type Tags map[string]string

// Of fills in what an instance's tags say.
func (i *Instance) Of(platform string, tags Tags) {
	i.Tags = tags
	i.Fleet = Fleet{platform, tags[TagStage], tags[TagSlug]}
	if n, err := strconv.Atoi(tags[TagHours]); err == nil && n > 0 && n <= MaxHours {
		i.Hours = n
	}
}

// Ours tells whether an instance is a dev instance at all.
func (i Instance) Ours() bool { return i.Tags[TagManagedBy] == ManagedBy }

// Gone tells whether an instance is at its end.
func (i Instance) Gone() bool { return i.State == "terminated" || i.State == "shutting-down" }

// Up tells whether an instance runs, or soon will.
func (i Instance) Up() bool { return i.State == "running" || i.State == "pending" }

// URL of ComfyUI; empty without a public address.
func (i Instance) URL() string {
	if i.Address == "" {
		return ""
	}
	return "http://" + i.Address + ":" + strconv.Itoa(Port)
}

// Stops is when the instance shuts itself down; zero when it does not run or
// was made by something that did not say.
func (i Instance) Stops() time.Time {
	if !i.Up() || i.Hours == 0 {
		return time.Time{}
	}
	return i.Launched.Add(time.Duration(i.Hours) * time.Hour)
}
