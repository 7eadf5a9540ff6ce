package ami_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reconcile/pkg/ami"
)

var day = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name string
		tags map[string]string
		want ami.Lineage
	}{
		{"all", map[string]string{"NvidiaDriver": "550", "CudaVersion": "12.4", "ComfyUIRevision": "v0.3.10", "BundleId": "b-1", "SpecRevision": "abc", "BuildTime": "2026-01-02T03:04:05Z"},
			ami.Lineage{Driver: "550", CUDA: "12.4", ComfyUI: "v0.3.10", Bundle: "b-1", Revision: "abc", Built: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{"Packer's timestamp", map[string]string{"BuildTime": "1767323045"}, ami.Lineage{Built: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
		{"no time", map[string]string{"BuildTime": "yesterday", "BundleId": "none"}, ami.Lineage{Built: day}},
		{"a pointer as the id", map[string]string{"BundleId": "bundles/b-1/"}, ami.Lineage{Bundle: "b-1", Built: day}},
	} {
		if got := (ami.Image{ID: "ami-1"}).Read(c.tags, day).Lineage; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestDowngrades(t *testing.T) {
	l := func(driver, cuda, comfy string, days int) ami.Lineage {
		return ami.Lineage{Driver: driver, CUDA: cuda, ComfyUI: comfy, Built: day.AddDate(0, 0, days)}
	}
	for _, c := range []struct {
		name          string
		before, after ami.Lineage
		want          []string // beginnings
	}{
		{"newer in all", l("550", "12.4", "v0.3.9", 0), l("560", "12.6", "v0.3.10", 1), nil},
		{"driver", l("550.163.01", "12.4", "", 0), l("535.104.05", "12.4", "", 1), []string{"the NVIDIA driver goes down from 550.163.01 to 535.104.05"}},
		{"a branch of packages", l("550-server", "", "", 0), l("535-server", "", "", 1), []string{"the NVIDIA driver goes down from 550-server to 535-server"}},
		{"as numbers", l("", "12.10", "", 0), l("", "12.9", "", 1), []string{"CUDA goes down from 12.10 to 12.9"}},
		{"a prefix says nothing", l("550.163", "", "", 0), l("550", "", "", 1), nil},
		{"tags of ComfyUI", l("", "", "v0.3.10", 0), l("", "", "v0.3.9", 1), []string{"ComfyUI goes down from v0.3.10 to v0.3.9"}},
		{"commits have no order", l("", "", "ffffffff", 0), l("", "", "00000000", 1), nil},
		{"a commit of digits", l("", "", "99999999", 0), l("", "", "11111111", 1), nil},
		{"built before", l("", "", "ffffffff", 0), l("", "", "00000000", -1), []string{"it was built at 2026-03-03 05:06:07Z"}},
		{"unknown time", ami.Lineage{Built: day}, ami.Lineage{}, nil},
	} {
		got := ami.Downgrades(c.before, c.after)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestNeverBoth: of two images at most one is the older one in each respect,
// and none is older than itself.
func TestNeverBoth(t *testing.T) {
	version := rapid.StringMatching(`v?[0-9]{1,3}(\.[0-9]{1,3}){0,2}|[0-9a-f]{7,40}|`)
	lineage := rapid.Custom(func(t *rapid.T) ami.Lineage {
		return ami.Lineage{Driver: version.Draw(t, "driver"), CUDA: version.Draw(t, "cuda"), ComfyUI: version.Draw(t, "comfyui"),
			Built: day.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "days"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := lineage.Draw(t, "a"), lineage.Draw(t, "b")
		if self := ami.Downgrades(a, a); len(self) > 0 {
			t.Fatalf("older than itself: %q", self)
		}
		there, back := ami.Downgrades(a, b), ami.Downgrades(b, a)
		for _, x := range there {
			for _, y := range back {
				if word := strings.SplitN(x, " ", 3); strings.HasPrefix(y, word[0]+" "+word[1]) {
					t.Fatalf("both ways: %q and %q", x, y)
				}
			}
		}
	})
}

// TestOverview: both stages of a slug share its images, and what is used is said.
func TestOverview(t *testing.T) {
	image := func(id string, days int) ami.Image {
		return ami.Image{ID: id, Slug: "gpu", Packer: true, Lineage: ami.Lineage{Built: day.AddDate(0, 0, days)}}
	}
	s := ami.State{
		Fleets: []ami.Fleet{
			{ID: "staging/gpu", Parameter: "/s", Value: "ami-3", Launches: "ami-2"},
			{ID: "production/gpu", Parameter: "/p", Value: "ami-2", Launches: "ami-2"},
			{ID: "staging/gone", Parameter: "/g", Value: "ami-9"},
			{ID: "staging/new", Parameter: "/n"},
		},
		Images:    map[string]ami.Image{"ami-0": image("ami-0", 0), "ami-1": image("ami-1", 1), "ami-2": image("ami-2", 2), "ami-3": image("ami-3", 3)},
		Instances: map[string][]string{"ami-0": {"i-2", "i-1"}},
	}
	rows := ami.Overview(s, nil)
	by := map[string]ami.Row{}
	for _, r := range rows {
		by[r.Fleet] = r
	}
	staging := by["staging/gpu"]
	if staging.Image.ID != "ami-3" || staging.Launches.ID != "ami-2" || !slices.Equal(staging.Launches.Fleets, []string{"production/gpu", "staging/gpu"}) || !slices.Equal(staging.Launches.Parameters, []string{"/p"}) {
		t.Errorf("%+v", staging)
	}
	if len(staging.Others) != 2 || staging.Others[0].ID != "ami-1" || staging.Others[0].Used() || !slices.Equal(staging.Others[1].Instances, []string{"i-1", "i-2"}) {
		t.Errorf("others %+v", staging.Others)
	}
	if by["production/gpu"].Launches != nil || len(by["production/gpu"].Others) != 3 {
		t.Errorf("%+v", by["production/gpu"])
	}
	if !strings.Contains(by["staging/gone"].Problem, "does not exist") || !strings.Contains(by["staging/new"].Problem, "no image was built yet") {
		t.Errorf("%q %q", by["staging/gone"].Problem, by["staging/new"].Problem)
	}
	if only := ami.Overview(s, func(id string) bool { return id == "staging/new" }); len(only) != 1 {
		t.Errorf("%+v", only)
	}
}
