//go:build unix

package spec

import (
	"os/exec"
	"syscall"
	"testing"
)

// A child that somebody else ended is no child that failed.
func TestEndedBy(t *testing.T) {
	for script, want := range map[string]syscall.Signal{"kill -INT $$": syscall.SIGINT, "kill -KILL $$": syscall.SIGKILL, "exit 3": 0, "exit 0": 0} {
		got, ok := endedBy(exec.Command("sh", "-c", script).Run())
		if got != want || ok != (want != 0) {
			t.Errorf("%s: %v %t", script, got, ok)
		}
	}
}
