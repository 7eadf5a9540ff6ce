package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"reconcile/pkg/spec"
)

// faulty is the command with a fault in it: its standard error panics.
const faulty = "reconcile-with-a-fault"

// faultAt is the environment variable with the word at which it panics.
const faultAt = "FAULT_AT"

const leak = "s3cr3t-in-a-panic"

func mainWithAFault() {
	if handled, code := spec.ChildMain(os.Args, os.Stdin, os.Stdout); handled {
		os.Exit(code)
	}
	os.Exit(run(os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: &trap{to: os.Stderr, word: []byte(os.Getenv(faultAt))}}))
}

// trap panics once, when a word is written.
type trap struct {
	to     io.Writer
	word   []byte
	sprung bool
}

func (t *trap) Write(p []byte) (int, error) {
	if !t.sprung && bytes.Contains(p, t.word) {
		t.sprung = true
		panic(errors.New("the password is " + leak))
	}
	return t.to.Write(p)
}

// A fault of ours in the middle of an apply ends with the code for it and
// without a secret; the lock is free, the journal tells, and the same command
// goes on from there.
func TestFaultInTheMiddle(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml")
	r.edit(`"g4dn.xlarge", "g5.xlarge"`, `"g5.xlarge", "g4dn.xlarge"`, "specs/fleets.cue")
	r.binary, r.env = faulty, append(r.env, faultAt+"=bp-compute: update")
	s := r.want(exitFault, "apply --yes", "a fault of ours: *errors.errorString; please report it", "goroutine")
	s.saysNot(t, leak, "Apply complete")
	if strings.Contains(s.err, "[originating from signal") || strings.Count(s.err, "a fault of ours") != 1 {
		t.Errorf("%s", s.err)
	}
	r.binary = ""
	r.want(0, "unlock --yes", "not locked")
	r.want(0, "history --limit 1", "fault").saysNot(t, leak, "no end recorded")
	r.want(0, "apply --yes", "Apply complete")
	r.empty()
}
