package ami

import (
	"slices"
	"strings"
	"time"
)

// Fleet is what AWS has of one fleet's image.
type Fleet struct {
	ID        string // stage/slug
	Parameter string // name of the SSM parameter
	Value     string // what it holds; empty: it does not exist
	Version   int64
	Modified  time.Time
	Launches  string // image of the launch template version that the group runs; empty: none
}

func (f Fleet) slug() string { return f.ID[strings.IndexByte(f.ID, '/')+1:] }

// State is what AWS has of fleets and images when it was read.
type State struct {
	Fleets    []Fleet
	Images    map[string]Image    // by id; one that is not there does not exist
	Instances map[string][]string // ids of instances that are not terminated, by image
}

// Row is one fleet in an overview.
type Row struct {
	Fleet     string    `json:"fleet"`
	Parameter string    `json:"parameter"`
	AMI       string    `json:"ami,omitempty"` // what the parameter holds
	Version   int64     `json:"version,omitempty"`
	Modified  time.Time `json:"modified,omitzero"`
	Image     *Use      `json:"image,omitempty"`    // of the parameter; absent when it does not exist
	Launches  *Use      `json:"launches,omitempty"` // what the group launches, where that is another image
	Others    []Use     `json:"others,omitempty"`   // the fleet's other images, the newest first
	Problem   string    `json:"problem,omitempty"`
}

// Use is an image and what uses it.
type Use struct {
	Image
	Parameters []string `json:"parameters,omitempty"` // that hold it
	Fleets     []string `json:"fleets,omitempty"`     // whose groups launch it
	Instances  []string `json:"instances,omitempty"`  // that run it
}

// Used tells whether anything uses the image.
func (u Use) Used() bool { return len(u.Parameters)+len(u.Fleets)+len(u.Instances) > 0 }

// Overview makes a row of each fleet that is asked for; nil means all. Images
// belong to a slug: the same one in both stages shares them.
func Overview(s State, wanted func(fleet string) bool) []Row {
	rows := []Row{}
	for _, f := range s.Fleets {
		if wanted != nil && !wanted(f.ID) {
			continue
		}
		row := Row{Fleet: f.ID, Parameter: f.Parameter, AMI: f.Value, Version: f.Version, Modified: f.Modified}
		switch image := s.Images[f.Value]; {
		case f.Value == "":
			row.Problem = "the parameter does not exist: no image was built yet"
		case !strings.HasPrefix(f.Value, "ami-"):
			row.Problem = "the parameter holds no AMI id"
		case !image.Exists():
			row.Problem = "the image does not exist: a new instance cannot start"
		default:
			row.Image = s.use(image)
		}
		if f.Launches != "" && f.Launches != f.Value {
			image := s.Images[f.Launches]
			if !image.Exists() {
				image.ID = f.Launches
			}
			row.Launches = s.use(image)
		}
		for _, id := range s.others(f) {
			row.Others = append(row.Others, *s.use(s.Images[id]))
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Fleet, b.Fleet) })
	return rows
}

// others are the images of the fleet's slug beside those that the row has
// already, the newest first.
func (s State) others(f Fleet) []string {
	var ids []string
	for id, i := range s.Images {
		if i.Slug == f.slug() && i.Packer && id != f.Value && id != f.Launches {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		if order := s.Images[b].Lineage.Built.Compare(s.Images[a].Lineage.Built); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	return ids
}

func (s State) use(i Image) *Use {
	u := Use{Image: i, Instances: slices.Sorted(slices.Values(s.Instances[i.ID]))}
	for _, f := range s.Fleets {
		if f.Value == i.ID {
			u.Parameters = append(u.Parameters, f.Parameter)
		}
		if f.Launches == i.ID {
			u.Fleets = append(u.Fleets, f.ID)
		}
	}
	slices.Sort(u.Parameters)
	slices.Sort(u.Fleets)
	return &u
}
