package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Platforms unlike the shipped one, judged by AWS's own linter as `render`
// writes them.
func TestLinterTakesOtherPlatforms(t *testing.T) {
	t.Parallel()
	linter, err := exec.LookPath("cfn-lint")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("cfn-lint is missing")
		}
		t.Skip("cfn-lint is not installed")
	}
	for _, name := range []string{"studio-eu", "twenty"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, filepath.Join("testdata", "platforms", name))
			r.want(0, "render --out templates")
			files, err := filepath.Glob(r.path("templates/*.yaml"))
			if err != nil || len(files) < 7 {
				t.Fatalf("render wrote %v, %v", files, err)
			}
			if name == "twenty" {
				files = append(files[:4], files[len(files)-3:]...) // fleets differ by their names only
			}
			cmd := exec.Command(linter, files...)
			cmd.Dir = r.dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("cfn-lint: %v\n%s", err, out)
			}
		})
	}
}
