package main

import (
	"os"
	"runtime"
	"testing"
)

// A finding about a link must not show what the link leads to: specs come from
// a pull request, and its log is read by others.
func TestNoExcerptThroughALink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	r := newRig(t, "")
	r.write("elsewhere/environ", "TOKEN=of-the-runner\n")
	for link, to := range map[string]string{"specs/a.yaml": r.path("elsewhere/environ"), "specs/b.cue": "../elsewhere/environ", "specs/c": "../elsewhere"} {
		if err := os.Symlink(to, r.path(link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"validate", "validate -o json", "plan"} {
		r.want(3, line, "specs/a.yaml", "symbolic link").saysNot(t, "of-the-runner")
	}
}
