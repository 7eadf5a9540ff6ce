package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"

	"reconcile/pkg/spec"
)

// A platform that asks for a newer release stops an older one, before anything
// else is judged. A build that is no release is not judged.
func TestPlatformMayRequireARelease(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	if err := os.Remove(r.path("specs/fleets.cue")); err != nil { // CUE would need a process of its own
		t.Fatal(err)
	}
	r.edit("spec:\n  account:", "spec:\n  requires: \">=1.4\"\n  account:", "specs/platform.yaml")
	for version, want := range map[string]string{"": "", "1.4.2": "", "1.3.9": "requires", "v1.3.0-rc1": "requires"} {
		g := &global{stdio: stdio{out: io.Discard, err: io.Discard}, specs: r.path("specs"), log: slog.New(slog.DiscardHandler), release: version}
		_, _, err := g.validated(context.Background())
		var issues spec.Issues
		got := ""
		if errors.As(err, &issues) {
			got = issues[0].Rule
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("release %q: finding %q, want %q (%v)", version, got, want, err)
		}
	}
}
