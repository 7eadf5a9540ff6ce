package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"reconcile/pkg/sandbox/stackengine"
)

// formatVersion is the version of the state file. Any other one is refused:
// version 1 had no checksums, version 2 no revisions of task definitions.
const formatVersion = 3

// account is everything that the sandbox remembers: plain data that marshals
// to JSON. It is only touched while Sandbox.mu is held.
type account struct {
	ID      string    `json:"account"`
	Region  string    `json:"region"` // where a call without a region goes
	Bare    bool      `json:"bare,omitempty"`
	Seed    string    `json:"seed"` // everything "random" derives from it
	Created time.Time `json:"created"`
	Last    time.Time `json:"last"`             // time of the last write
	Serial  int64     `json:"serial,omitempty"` // counts names that were drawn
	Quotas  Quotas    `json:"quotas,omitzero"`

	Regions map[string]*region `json:"regions,omitempty"`
	Buckets map[string]*bucket `json:"buckets,omitempty"`
	Faults  []FaultRule        `json:"faults,omitempty"`
	Past    *past              `json:"past,omitempty"` // what stale reads see

	Pace  Pace          `json:"pace,omitempty"`
	Ahead time.Duration `json:"ahead,omitempty"` // of the wall clock
}

// region is the state of the regional services.
type region struct {
	Name            string                     `json:"name"`
	Stacks          *stackengine.State         `json:"stacks,omitempty"`
	Parameters      map[string]*parameter      `json:"parameters,omitempty"`
	Images          map[string]*image          `json:"images,omitempty"`
	Secrets         map[string]*secret         `json:"secrets,omitempty"`
	LogGroups       map[string]*logGroup       `json:"logGroups,omitempty"`
	Repositories    map[string]*repository     `json:"repositories,omitempty"`
	Services        map[string]*ecsService     `json:"services,omitempty"`        // by "cluster/name"
	Tasks           map[string][]*taskRevision `json:"taskDefinitions,omitempty"` // task definitions by family, by revision
	Groups          map[string]*group          `json:"groups,omitempty"`
	LaunchTemplates map[string]*launchTemplate `json:"launchTemplates,omitempty"`
	Made            map[string]*made           `json:"made,omitempty"`   // by "type|id"
	Alarms          map[string]*alarmState     `json:"alarms,omitempty"` // by name
	Metrics         map[string]*metric         `json:"metrics,omitempty"`
	Instances       map[string]*instance       `json:"instances,omitempty"` // by id; those of groups are the groups'
	Snapshots       map[string]*snapshot       `json:"snapshots,omitempty"`
	Commands        map[string]*command        `json:"commands,omitempty"`     // by id
	Agents          map[string]*Agent          `json:"agents,omitempty"`       // by instance, where somebody set one
	RunningTasks    map[string]*ecsTask        `json:"runningTasks,omitempty"` // one-off tasks by ARN, stopped ones too
	Quotas          map[string]float64         `json:"quotas,omitempty"`       // "service/code" where somebody changed one
	TaskEnds        []TaskEnd                  `json:"taskEnds,omitempty"`     // how the next tasks end

	engine *stackengine.Engine
	wakes  *wakeQueue // nil until it is needed; see wakes.go
}

func newAccount(id, regionName, seed string, bare bool, now time.Time) *account {
	return &account{ID: id, Region: regionName, Seed: seed, Bare: bare, Created: now, Last: now, Regions: map[string]*region{}, Buckets: map[string]*bucket{}}
}

// init makes the maps that JSON left out.
func (r *region) init() {
	makeMap(&r.Parameters)
	makeMap(&r.Groups)
	makeMap(&r.Secrets)
	makeMap(&r.LogGroups)
	makeMap(&r.Repositories)
	makeMap(&r.Services)
	makeMap(&r.Images)
	makeMap(&r.Tasks)
	makeMap(&r.LaunchTemplates)
	makeMap(&r.Made)
	makeMap(&r.Alarms)
	makeMap(&r.Metrics)
	makeMap(&r.Instances)
	makeMap(&r.Snapshots)
	makeMap(&r.Commands)
	makeMap(&r.Agents)
	makeMap(&r.RunningTasks)
}

func makeMap[K comparable, V any](m *map[K]V) {
	if *m == nil {
		*m = map[K]V{}
	}
}

// hash derives stable hex digits from the account's seed and some words.
func (a *account) hash(words ...string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", a.Seed)
	for _, w := range words {
		fmt.Fprintf(h, "%d:%s\n", len(w), w)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// draw returns new hex digits, never the same twice. Only writes may draw, or
// a replay of the journal would give other names.
func (a *account) draw(kind string) string {
	a.Serial++
	return a.hash(kind, fmt.Sprint(a.Serial))
}

// number derives a stable number.
func (a *account) number(words ...string) uint64 {
	b, _ := hex.DecodeString(a.hash(words...)[:16]) // hex by construction
	return binary.BigEndian.Uint64(b)
}

// uuid shapes hex digits as a version 4 UUID.
func uuid(hexDigits string) string {
	h := hexDigits
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:32]
}

// init makes a decoded snapshot ready for use.
func (a *account) init() error {
	makeMap(&a.Regions)
	makeMap(&a.Buckets)
	for name, r := range a.Regions {
		if r == nil {
			return fmt.Errorf("snapshot: region %s is null", name)
		}
		r.init()
	}
	return nil
}
