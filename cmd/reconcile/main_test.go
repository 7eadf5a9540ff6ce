package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"
)

// Ctrl-C is told in a word, wherever the command was.
func TestInterruptedIsSaidPlainly(t *testing.T) {
	var out bytes.Buffer
	if code := exitCode(&out, fmt.Errorf("evaluate CUE: %w", context.Canceled)); code != exitInterrupted || out.String() != "reconcile: interrupted\n" {
		t.Errorf("exit code %d, %q", code, out.String())
	}
}
