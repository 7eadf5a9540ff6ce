package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"reconcile/pkg/spec"
)

// The scripts in testdata/script run the true binary: its SDK clients, signing,
// paging and error decoding, on the embedded sandbox. UPDATE=1 rewrites the
// outputs they compare with.
func TestMain(m *testing.M) {
	// A test that loads CUE files starts this binary as their evaluator.
	if handled, code := spec.ChildMain(os.Args, os.Stdin, os.Stdout); handled {
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"reconcile": main, faulty: mainWithAFault})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	params := scriptParams(t)
	params.Dir = "testdata/script"
	testscript.Run(t, params)
}

// TestRace runs the one script that applies, plans and destroys twenty fleets,
// the most that goes on at once, by the binary with the race detector in it.
func TestRace(t *testing.T) {
	t.Parallel()
	if !raceEnabled {
		t.Skip("built without -race, this is TestScripts again")
	}
	own, err := exec.LookPath("reconcile")
	if err != nil {
		t.Fatal(err)
	}
	params := scriptParams(t)
	params.Files = []string{"testdata/script/twenty_fleets.txtar"}
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		env.Setenv("PATH", filepath.Dir(own)+string(os.PathListSeparator)+env.Getenv("PATH"))
		return nil
	}
	testscript.Run(t, params)
}

// scriptParams is how every script runs: a copy of testdata/specs, the specs as
// they were shipped, so that no test depends on what a user edits in specs/; in an
// empty folder, no terminal, no way to reach AWS.
func scriptParams(t *testing.T) testscript.Params {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("REPOSITORY", repository)
			env.Setenv("NO_COLOR", "1")
			// No script may reach AWS by accident.
			env.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			env.Setenv("AWS_CONFIG_FILE", filepath.Join(env.WorkDir, "no-aws-config"))
			env.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(env.WorkDir, "no-aws-credentials"))
			return os.CopyFS(filepath.Join(env.WorkDir, "specs"), os.DirFS(filepath.Join(repository, "cmd", "reconcile", "testdata", "specs")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": expectCode, "replace": replaceInFile,
		},
		Condition: func(cond string) (bool, error) {
			_, err := exec.LookPath(cond)
			return err == nil, nil
		},
	}
}

// expectCode runs a command and holds its exit code: code 4 reconcile apply.
func expectCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [argument ...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s ended with exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// replaceInFile edits a file as a person would: replace OLD NEW FILE.
func replaceInFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace old new file")
	}
	file := ts.MkAbs(args[2])
	body := ts.ReadFile(args[2])
	if !strings.Contains(body, args[0]) {
		ts.Fatalf("%s does not contain %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(file, []byte(strings.ReplaceAll(body, args[0], args[1])), 0o644))
}
