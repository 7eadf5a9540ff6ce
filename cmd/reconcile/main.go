// Command reconcile applies a folder of YAML and CUE specs to AWS: it
// validates them, renders CloudFormation, shows what would change and applies
// it step by step. This package binds flags and wires the others together; it
// decides nothing. One file per command; start with root.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"reconcile/pkg/cloud"
	"reconcile/pkg/spec"
)

// Exit codes; scripts rely on them, and docs/reference lists them.
const (
	exitOK          = 0   // done, or no change
	exitError       = 1   // an error
	exitChanges     = 2   // changes or drift, with --detailed-exitcode
	exitInvalid     = 3   // invalid specs
	exitRefused     = 4   // refused by a guard or policy, or left blocked
	exitApplyFailed = 5   // an apply failed; what was rolled back is said
	exitLocked      = 6   // somebody else has the lock, or it was lost
	exitFault       = 70  // a fault of ours
	exitInterrupted = 130 // interrupted
)

func main() {
	if handled, code := spec.ChildMain(os.Args, os.Stdin, os.Stdout); handled {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run executes one command line and returns the exit code. A first SIGINT or
// SIGTERM cancels the work in hand; a second one ends the process, and leaves
// the lock to its lease.
func run(args []string, io stdio) (code int) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	// Both signals are kept: a second one that comes at once must not be lost.
	asked := make(chan os.Signal, 2)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(asked)
	// A closed pipe (| head) must not kill an apply in the middle.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		<-asked
		stop()
		<-asked
		os.Exit(exitInterrupted)
	}()
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(io.err, "reconcile: a fault of ours: %T; please report it with the lines below\n%s", r, debug.Stack())
			code = exitFault
		}
	}()
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return exitCode(io.err, err)
}

// coded is an error that knows its exit code. An empty message prints nothing.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string {
	if c.err == nil {
		return ""
	}
	return c.err.Error()
}
func (c *coded) Unwrap() error { return c.err }

func exitWith(code int) error { return &coded{code: code} }

func failWith(code int, format string, args ...any) error {
	return &coded{code: code, err: fmt.Errorf(format, args...)}
}

// unlessClosed forgives that nobody reads on (| head): what was asked for is
// done. A broken connection to AWS is another thing.
func unlessClosed(err error) error {
	var written *fs.PathError
	if errors.As(err, &written) && errors.Is(written, syscall.EPIPE) {
		return nil
	}
	return err
}

// hinter is an error that knows the next command to run.
type hinter interface{ Hint() string }

func exitCode(w io.Writer, err error) int {
	if err = unlessClosed(err); err == nil {
		return exitOK
	}
	code := exitError
	var fault *cloud.Fault
	if errors.As(err, &fault) {
		fmt.Fprintf(w, "reconcile: %v; please report it with the lines below\n%s", fault, fault.Stack)
		return exitFault
	}
	var c *coded
	var aside *steppedAside
	if errors.As(err, &aside) {
		code = exitOK
	} else if errors.As(err, &c) {
		code = c.code
	} else if errors.Is(err, context.Canceled) {
		code, err = exitInterrupted, errors.New("interrupted")
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(w, "reconcile: "+printable(text))
	}
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintln(w, "  next: "+printable(h.Hint()))
	}
	return code
}

// printJSON writes a result for machines.
func (g *global) printJSON(v any) error {
	enc := json.NewEncoder(g.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printable strips control characters, so that text from a spec or from AWS
// cannot drive the terminal.
func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if r == '\n' || r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			out = append(out, r)
		}
	}
	// A workflow's runner takes a line that begins with "::" for a command.
	lines := strings.Split(string(out), "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "::") {
			lines[i] = `\` + strings.TrimSpace(l)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "##[", `##\[`)
}
