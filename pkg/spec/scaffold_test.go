package spec_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconcile/pkg/spec"
)

func TestScaffold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "specs")
	files, err := spec.Scaffold(context.Background(), dir, spec.ScaffoldOptions{Name: "acme", Account: "012345678901", Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	set, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p := set.Platform
	if p.Name != "acme" || p.Account != "012345678901" || p.Region != "eu-west-1" || len(set.Fleets) != 1 || p.Network.AvailabilityZones[1] != "eu-west-1b" {
		t.Errorf("got %+v", set)
	}
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			t.Error(err)
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		// An editor finds the schema that the first line names.
		if line, _, _ := strings.Cut(string(b), "\n"); strings.HasSuffix(f, ".yaml") {
			_, target, ok := strings.Cut(line, "$schema=")
			if _, err := os.Stat(filepath.Join(filepath.Dir(f), target)); !ok || err != nil {
				t.Errorf("%s: modeline %q: %v", f, line, err)
			}
		}
	}

	if _, err := spec.Scaffold(context.Background(), dir, spec.ScaffoldOptions{}); err == nil || !strings.Contains(err.Error(), "must be empty") {
		t.Errorf("a second time: %v", err)
	}
	if again, err := spec.Load(context.Background(), spec.LoadOptions{Dir: dir}); err != nil || again.Digest != set.Digest {
		t.Errorf("the refused second time changed the folder: %v", err)
	}
}

func TestScaffoldRefusesBadOptions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "specs")
	_, err := spec.Scaffold(context.Background(), dir, spec.ScaffoldOptions{Account: "12"})
	var issues spec.Issues
	if !errors.As(err, &issues) || issues[0].Path != "spec.account" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("a folder was left behind")
	}
}
