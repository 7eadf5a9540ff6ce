package ami

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The tags of an image. The first five are other people's (facts: contracts,
// "AMI builds"); the rest is the lineage.
const (
	TagName      = "Name"
	TagFleet     = "FleetSlug"
	TagBuilt     = "BuildTime" // RFC 3339, or Packer's {{timestamp}}: seconds since 1970
	TagManagedBy = "ManagedBy"
	TagBundle    = "BundleId" // empty or "none": no bundle is baked in

	TagDriver   = "NvidiaDriver"    // "550-server" or "550.163.01"
	TagCUDA     = "CudaVersion"     // "12.4"
	TagComfyUI  = "ComfyUIRevision" // a commit or a tag
	TagRevision = "SpecRevision"    // commit of the specs
)

// ManagedBy is the value of TagManagedBy on images that Packer made.
const ManagedBy = "packer"

// Lineage is what an image was made of. What its tags do not tell is empty.
type Lineage struct {
	Driver   string    `json:"driver,omitempty"`   // NVIDIA driver
	CUDA     string    `json:"cuda,omitempty"`     //
	ComfyUI  string    `json:"comfyui,omitempty"`  // revision
	Bundle   string    `json:"bundle,omitempty"`   // id of the baked bundle
	Revision string    `json:"revision,omitempty"` // of the specs
	Built    time.Time `json:"built,omitzero"`     // from the tag, else when EC2 made the image
}

// Known tells whether the tags tell anything of what is in the image.
func (l Lineage) Known() bool { return l.Driver+l.CUDA+l.ComfyUI != "" }

// Image is an AMI of the account. The zero Image is none.
type Image struct {
	ID        string   `json:"id"`
	Name      string   `json:"name,omitempty"`
	State     string   `json:"state,omitempty"` // available, pending, failed, …
	Owner     string   `json:"owner,omitempty"` // account id
	Slug      string   `json:"fleetSlug,omitempty"`
	Packer    bool     `json:"packer"` // tagged ManagedBy=packer
	Lineage   Lineage  `json:"lineage"`
	Snapshots []string `json:"snapshots,omitempty"` // that its volumes are made of
}

// Exists tells whether EC2 knows the image.
func (i Image) Exists() bool { return i.ID != "" }

// Read fills in what the tags tell. created is EC2's creation date.
func (i Image) Read(tags map[string]string, created time.Time) Image {
	i.Slug, i.Packer = tags[TagFleet], tags[TagManagedBy] == ManagedBy
	i.Lineage = Lineage{
		Driver: tags[TagDriver], CUDA: tags[TagCUDA], ComfyUI: tags[TagComfyUI], Revision: tags[TagRevision],
		Bundle: baked(tags[TagBundle]), Built: built(tags[TagBuilt], created),
	}
	return i
}

// baked is the id in a tag: "bundles/ID", "bundles/ID/" and "ID" are the same,
// and "none" is no bundle.
func baked(text string) string {
	id := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "bundles/"), "/")
	if id == "none" {
		return ""
	}
	return id
}

func built(tag string, created time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339, tag); err == nil {
		return t.UTC()
	}
	if seconds, err := strconv.ParseInt(tag, 10, 64); err == nil && len(tag) == 10 {
		return time.Unix(seconds, 0).UTC()
	}
	return created.UTC()
}

// Downgrades says in what after is older than before, one text for each; none
// when it is not. Revisions that are commits have no order: of those the time of
// the build decides, as it does where the tags tell nothing.
func Downgrades(before, after Lineage) []string {
	var out []string
	for _, part := range []struct{ name, before, after string }{
		{"the NVIDIA driver", before.Driver, after.Driver},
		{"CUDA", before.CUDA, after.CUDA},
		{"ComfyUI", before.ComfyUI, after.ComfyUI},
	} {
		if older(part.before, part.after) {
			out = append(out, fmt.Sprintf("%s goes down from %s to %s", part.name, part.before, part.after))
		}
	}
	if !before.Built.IsZero() && !after.Built.IsZero() && after.Built.Before(before.Built) {
		out = append(out, fmt.Sprintf("it was built at %s, before the one that runs (%s)", moment(after.Built), moment(before.Built)))
	}
	return out
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// older compares versions of dotted numbers, with or without a leading v and
// with whatever follows a dash ("550-server"); of a version that is the beginning
// of the other nothing is said.
func older(before, after string) bool {
	b, bok := numbers(before)
	a, aok := numbers(after)
	if !bok || !aok {
		return false
	}
	for i := range min(len(b), len(a)) {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func numbers(version string) ([]int, bool) {
	version, _, _ = strings.Cut(version, "-")
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) == 1 && len(version) > 6 {
		return nil, false // a commit of digits alone
	}
	out := make([]int, len(parts))
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
