package spec_test

import (
	"os"
	"testing"

	"reconcile/pkg/spec"
)

func TestMain(m *testing.M) {
	if handled, code := spec.ChildMain(os.Args, os.Stdin, os.Stdout); handled {
		os.Exit(code)
	}
	os.Exit(m.Run())
}
