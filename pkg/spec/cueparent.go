package spec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// runChild starts this program again as the child that evaluates, without an
// environment, and ends it when it takes too long. blame says which limit the
// specs went over; err is a fault that is not theirs.
func runChild(ctx context.Context, files []cueFile) (out []byte, blame string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("evaluate CUE: %w", err)
	}
	input, err := json.Marshal(files)
	if err != nil {
		return nil, "", fmt.Errorf("evaluate CUE: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, childWall)
	defer cancel()
	cmd := exec.CommandContext(limited, self, childArgument)
	cmd.Env = []string{childMark + "=1"}
	cmd.Dir = os.TempDir()
	cmd.Stdin = bytes.NewReader(input)
	stdout := &bounded{limit: childOutput, full: cancel}
	stderr := &bounded{limit: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	greeted := bytes.HasPrefix(stdout.b.Bytes(), []byte(childGreets))
	if err == nil && greeted && !stdout.over {
		return stdout.b.Bytes()[len(childGreets):], "", nil
	}
	if err != nil && stdout.b.Len() == 0 && !hasExited(err) {
		return nil, "", fmt.Errorf("evaluate CUE: %w", err)
	}
	if sig, ok := endedBy(err); ok && !greeted {
		// Ctrl-C reaches the child, too, and perhaps before us.
		if sig == syscall.SIGINT || sig == syscall.SIGTERM {
			return nil, "", fmt.Errorf("evaluate CUE: %w", context.Canceled)
		}
		return nil, "", fmt.Errorf("evaluate CUE: the process that does it was ended from outside (%v); run the command again", sig)
	}
	if !greeted {
		return nil, "", errors.New("evaluating CUE needs a program whose main calls spec.ChildMain first")
	}
	return nil, childBlame(cmd, limited.Err() != nil, stdout, stderr), nil
}

func hasExited(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit)
}

// endedBy tells the signal that ended a process.
func endedBy(err error) (syscall.Signal, bool) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0, false
	}
	return status.Signal(), true
}

// childBlame says which limit ended a child that greeted and then failed.
func childBlame(cmd *exec.Cmd, late bool, stdout, stderr *bounded) string {
	code := -1
	if cmd.ProcessState != nil {
		code = cmd.ProcessState.ExitCode()
	}
	switch {
	case stdout.over:
		return fmt.Sprintf("evaluating the CUE gives more than %d MB of values", childOutput>>20)
	case code == exitMemory || ranOut(stderr.b.Bytes()):
		return fmt.Sprintf("evaluating the CUE needs more than %d MB of memory", childHeap>>20)
	case bytes.Contains(stderr.b.Bytes(), []byte("stack exceeds")):
		return "evaluating the CUE nests too deep"
	case late || code == exitTime || code == -1:
		return fmt.Sprintf("evaluating the CUE takes more than %d seconds", childCPU)
	}
	return fmt.Sprintf("evaluating the CUE ended with code %d", code)
}

// ranOut tells whether the runtime could not have the memory it asked for: the
// kernel's limit was faster than the child's own watch.
func ranOut(stderr []byte) bool {
	for _, text := range []string{"out of memory", "allocate memory", "failed to allocate"} {
		if bytes.Contains(stderr, []byte(text)) {
			return true
		}
	}
	return false
}

// bounded keeps what is written to it up to a limit, then calls full once.
type bounded struct {
	b     bytes.Buffer
	limit int
	over  bool
	full  func()
}

func (w *bounded) Write(p []byte) (int, error) {
	if room := w.limit - w.b.Len(); len(p) > room {
		w.b.Write(p[:room])
		if !w.over && w.full != nil {
			w.full()
		}
		w.over = true
		return len(p), nil
	}
	return w.b.Write(p)
}

var _ io.Writer = (*bounded)(nil)
