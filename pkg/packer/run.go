package packer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// cleanUp is how long Packer gets after an interrupt: it terminates its
	// instance and deletes its key pair and security group.
	cleanUp = 10 * time.Minute
	// keptErrors are the last errors that are told when a build fails.
	keptErrors = 5
	maxLine    = 1 << 20
)

// Build is what to run.
type Build struct {
	Template  string // a folder of *.pkr.hcl, or a file
	Variables map[string]string
	Env       []string // of the process; nil is this one's
}

// NotFoundError says that there is no Packer.
type NotFoundError struct{ Err error }

func (e *NotFoundError) Error() string { return "packer is not on PATH: " + e.Err.Error() }

// BuildError is a build that failed, with what Packer said last.
type BuildError struct {
	Code   int // exit code; -1 when a signal ended it
	Errors []string
}

func (e *BuildError) Error() string {
	text := fmt.Sprintf("packer build ended with %d", e.Code)
	if len(e.Errors) > 0 {
		text += ": " + strings.Join(e.Errors, "; ")
	}
	return text
}

// NoImageError is a build that succeeded and named no image for the region.
type NoImageError struct {
	Region string
	Images map[string]string
}

func (e *NoImageError) Error() string {
	if len(e.Images) == 0 {
		return "packer build succeeded and named no image"
	}
	return fmt.Sprintf("packer build made images in %s and none in %s", strings.Join(slices.Sorted(maps.Keys(e.Images)), ", "), e.Region)
}

// Run builds and gives the image of a region. observe gets each message, in
// order, on one goroutine. When ctx ends, Packer is interrupted once and waited
// for; the error is then context.Canceled. Otherwise it is a *NotFoundError, a
// *BuildError or a *NoImageError.
func Run(ctx context.Context, b Build, region string, observe func(Event)) (string, error) {
	binary, err := exec.LookPath("packer")
	if err != nil {
		return "", &NotFoundError{Err: err}
	}
	arguments := []string{"build", "-machine-readable"}
	for _, name := range slices.Sorted(maps.Keys(b.Variables)) {
		arguments = append(arguments, "-var", name+"="+b.Variables[name])
	}
	cmd := exec.CommandContext(ctx, binary, append(arguments, b.Template)...)
	cmd.Env = b.Env
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = cleanUp
	apart(cmd)
	f := &follower{observe: observe, images: map[string]string{}}
	out, outEnd := io.Pipe()
	errs, errsEnd := io.Pipe()
	cmd.Stdout, cmd.Stderr = outEnd, errsEnd
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start packer: %w", err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { f.follow(out, true) })
	reading.Go(func() { f.follow(errs, false) })
	err = cmd.Wait()
	err = errors.Join(err, outEnd.Close(), errsEnd.Close())
	reading.Wait()
	switch {
	case ctx.Err() != nil:
		return "", context.Canceled
	case err != nil:
		return "", &BuildError{Code: cmd.ProcessState.ExitCode(), Errors: f.errors}
	case f.images[region] == "":
		return "", &NoImageError{Region: region, Images: f.images}
	}
	return f.images[region], nil
}

// follower reads what Packer writes.
type follower struct {
	mu      sync.Mutex
	observe func(Event)
	images  map[string]string
	errors  []string // the last ones
}

// follow reads lines until the end. What is no message is told as it is: from
// standard error as an error, since Packer's own faults come there.
func (f *follower) follow(r io.Reader, machine bool) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	for in.Scan() {
		e, ok := Event{Kind: Error, Text: in.Text()}, strings.TrimSpace(in.Text()) != ""
		if machine {
			e, ok = Parse(in.Text())
		}
		if ok {
			f.take(e)
		}
	}
	_, _ = io.Copy(io.Discard, r) // after a line that is too long: Packer must not block
}

func (f *follower) take(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	images(e, f.images)
	if text := strings.TrimSpace(e.Text); e.Kind == Error && text != "" {
		f.errors = append(f.errors, text)
		f.errors = f.errors[max(0, len(f.errors)-keptErrors):]
	}
	f.observe(e)
}
