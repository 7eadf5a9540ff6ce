package spec_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

func TestSatisfies(t *testing.T) {
	for _, c := range []struct {
		version, constraint string
		want                bool
	}{
		{"1.4.0", ">=1.4", true},
		{"1.3.9", ">=1.4", false},
		{"1.10.0", ">=1.9", true},
		{"v2.0.0", ">=1.4, <2", false},
		{"1.99.1", ">=1.4,<2", true},
		{"1.4.7", "=1.4", true},
		{"1.4.7", "==1.4.7", true},
		{"1.5.0", "=1.4", false},
		{"1.4.7", "!=1.4", false},
		{"1.5.0", "!=1.4", true},
		{"1.4.7", ">1.4", false}, // 1.4.7 is a 1.4
		{"1.5.0", "> 1.4", true},
		{"1.4.7", "<=1.4", true},
		{"1.4.7", "<=1.4.6", false},
		{"1.4.0-rc1", ">=1.4", true},
		{"1", ">=1.0.0", true},
	} {
		got, err := spec.Satisfies(c.version, c.constraint)
		if err != nil || got != c.want {
			t.Errorf("%s %s: got %v, %v", c.version, c.constraint, got, err)
		}
	}
	for _, c := range []struct{ version, constraint string }{
		{"1.4", "latest"}, {"1.4", ""}, {"1.4", ">=1.4 <2"}, {"dev", ">=1.4"}, {"", ">=1"}, {"1.4", ">=1.4.5.6"},
	} {
		if _, err := spec.Satisfies(c.version, c.constraint); err == nil {
			t.Errorf("%q %q: no error", c.version, c.constraint)
		}
	}
}

// A newer document may have fields that this program does not know: then its
// requires is the one finding.
func TestRequiresComesFirst(t *testing.T) {
	base, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"platform.yaml": {Data: []byte(string(base) + "  requires: \">=2\"\n  fromTheFuture: 1\n")}}
	_, err = spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs", Version: "1.4.0"})
	want := "specs/platform.yaml:8:13: spec.requires: asks for reconcile >=2; this is 1.4.0; install a version that fits [requires]\n"
	if diff := cmp.Diff(want, findings(err)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	_, err = spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs", Version: "2.1.0"})
	if got := findings(err); !strings.Contains(got, "fromTheFuture") {
		t.Errorf("got %s", got)
	}
}

// Every name that is derived from the longest platform name and the longest
// slug fits what AWS allows.
func TestLongestNamesFit(t *testing.T) {
	p, slug := strings.Repeat("p", spec.MaxPlatformName), strings.Repeat("s", spec.MaxSlug)
	for what, c := range map[string]struct {
		name string
		most int
	}{
		"stack":              {spec.FleetStack(p, "production", slug), 128},
		"launch template":    {"lt-production-" + slug, 128},
		"Auto Scaling group": {"asg-production-" + slug, 255},
		"alarm":              {"production-" + slug + "-backlog-without-capacity", 255},
		"image":              {p + "-comfyui-" + slug + "-20261123161514", 128},
		"bucket":             {p + "-access-logs-123456789012", 63},
	} {
		if len(c.name) > c.most {
			t.Errorf("%s name %s has %d characters, AWS takes %d", what, c.name, len(c.name), c.most)
		}
	}
	base, err := os.ReadFile("testdata/base/platform.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, valid := range map[string]bool{p: true, p + "p": false} {
		files := fstest.MapFS{"platform.yaml": {Data: []byte(strings.Replace(string(base), "name: bp", "name: "+name, 1))}}
		if _, err := spec.Load(context.Background(), spec.LoadOptions{FS: files}); (err == nil) != valid {
			t.Errorf("a platform name of %d characters: %v", len(name), err)
		}
	}
}
