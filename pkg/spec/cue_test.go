package spec_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"reconcile/pkg/spec"
)

// withCUE is the valid base folder and one more CUE file.
func withCUE(t *testing.T, text string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{"hostile.cue": {Data: []byte("package specs\n" + text)}}
	for _, name := range []string{"platform.yaml", "fleet.yaml", "fleet-templates.json"} {
		b, err := os.ReadFile("testdata/base/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	return files
}

// disjunctions is a small file whose evaluation takes minutes: every pair of
// disjunctions doubles the work.
func disjunctions(n int) string {
	var b strings.Builder
	x := "x: "
	for i := range n {
		fmt.Fprintf(&b, "_d%d: {a%d: 1} | {b%d: 2}\n", i, i, i)
		if i > 0 {
			x += " & "
		}
		x += fmt.Sprintf("_d%d", i)
	}
	return b.String() + x + "\n"
}

// TestHostileCUE evaluates files that would take minutes or all memory. Each
// ends soon, as a finding at the file, and the process that loads lives on.
func TestHostileCUE(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the evaluator's ten seconds")
	}
	for name, c := range map[string]struct {
		cue  string
		want []string // one of them
	}{
		"disjunctions that multiply": {disjunctions(16), []string{"takes more than", "needs more than"}},
		"a large list": {`
import "list"
x: [for i in list.Range(0, 100000000, 1) {i}]
`, []string{"takes more than", "needs more than"}},
		"lists of lists": {`
_a: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
_b: [_a, _a, _a, _a, _a, _a, _a, _a, _a, _a]
_c: [_b, _b, _b, _b, _b, _b, _b, _b, _b, _b]
_d: [_c, _c, _c, _c, _c, _c, _c, _c, _c, _c]
_e: [_d, _d, _d, _d, _d, _d, _d, _d, _d, _d]
_f: [_e, _e, _e, _e, _e, _e, _e, _e, _e, _e]
x: {kind: "Fleet", y: [_f, _f, _f, _f, _f, _f, _f, _f, _f, _f]}
`, []string{"takes more than", "needs more than"}},
		"a text that doubles": {`
import ("encoding/hex", "strings")
_a: strings.Repeat("a", 1000000)
_b: hex.Encode(hex.Encode(hex.Encode(hex.Encode(hex.Encode(hex.Encode(_a))))))
x: hex.Encode(hex.Encode(hex.Encode(hex.Encode(hex.Encode(hex.Encode(_b))))))
`, []string{"takes more than", "needs more than"}},
		"one huge number": {`
import "math/bits"
x: bits.Lsh(1, 40000000000)
`, []string{"needs more than 512 MB of memory"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := spec.Load(context.Background(), spec.LoadOptions{FS: withCUE(t, c.cue), Name: "specs"})
			var issues spec.Issues
			if !errors.As(err, &issues) || len(issues) != 1 {
				t.Fatalf("got %v", err)
			}
			i := issues[0]
			found := false
			for _, w := range c.want {
				found = found || strings.Contains(i.Message, w)
			}
			if i.File != "specs/hostile.cue" || i.Line != 1 || i.Rule != "cue-limits" || !found {
				t.Errorf("got %s [%s]", i, i.Rule)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// What CUE itself bounds comes back as its own finding, at its line.
func TestCUEThatRefusesItself(t *testing.T) {
	for name, c := range map[string]struct{ cue, want string }{
		"a long text":       {"import \"strings\"\nx: strings.Repeat(\"abc\", 1000000000)\n", "specs/hostile.cue:3:"},
		"a large number":    {"import \"math\"\nx: math.Pow(10, 100000000)\n", "specs/hostile.cue:3:"},
		"deep brackets":     {"x: " + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "\n", "specs/hostile.cue:2:"},
		"endless structure": {"#T: {next: #T}\nx: #T\n", "structural cycle"},
		"deep document":     {"x: {kind: \"Fleet\", a: " + strings.Repeat("[", 150) + "1" + strings.Repeat("]", 150) + "}\n", "nested more than 100 deep"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := spec.Load(context.Background(), spec.LoadOptions{FS: withCUE(t, c.cue), Name: "specs"})
			var issues spec.Issues
			if !errors.As(err, &issues) || !strings.Contains(issues.Error(), c.want) {
				t.Fatalf("got %.300v", err)
			}
		})
	}
}

// TestChildIsAlone looks at the evaluating process from outside: it has no
// environment of ours, and it ends with the context.
func TestChildIsAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary-of-the-environment")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := spec.Load(ctx, spec.LoadOptions{FS: withCUE(t, disjunctions(18)), Name: "specs"})
		done <- err
	}()
	pid := waitForChild(t, done)
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Trim(string(environment), "\x00"); got != "RECONCILE_EVALUATE_CUE=1" {
		t.Errorf("the child's environment is %q", got)
	}
	start := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("ending took %s", took)
	}
	if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
		t.Error("the child outlives Load")
	}
}

// waitForChild finds the evaluating process among our children.
func waitForChild(t *testing.T, done <-chan error) int {
	t.Helper()
	for range 500 {
		select {
		case err := <-done:
			t.Fatalf("Load ended before it was looked at: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
		commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commands {
			dir := filepath.Dir(c)
			line, err := os.ReadFile(c)
			stat, err2 := os.ReadFile(filepath.Join(dir, "status"))
			if err != nil || err2 != nil {
				continue // ended meanwhile
			}
			ours := strings.Contains(string(stat), fmt.Sprintf("PPid:\t%d\n", os.Getpid()))
			if ours && strings.HasSuffix(string(line), "\x00reconcile-evaluate-cue\x00") {
				pid, err := strconv.Atoi(filepath.Base(dir))
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
	}
	t.Fatal("no child was started")
	return 0
}

// A program whose main does not call ChildMain is told so, and does not start
// itself over and over; a folder without CUE needs no child at all.
func TestProgramWithoutChildMain(t *testing.T) {
	t.Setenv("RECONCILE_EVALUATE_CUE", "1") // as such a program's child finds it
	_, err := spec.Load(context.Background(), spec.LoadOptions{FS: withCUE(t, "x: 1\n"), Name: "specs"})
	if err == nil || !strings.Contains(err.Error(), "spec.ChildMain") {
		t.Errorf("got %v", err)
	}
	if _, err := spec.Load(context.Background(), spec.LoadOptions{Dir: "testdata/base"}); err != nil {
		t.Errorf("a folder of YAML: %v", err)
	}
}

func TestChildMainIsForChildren(t *testing.T) {
	for _, args := range [][]string{nil, {"reconcile"}, {"reconcile", "validate"}, {"reconcile", "reconcile-evaluate-cue", "x"}} {
		if handled, _ := spec.ChildMain(args, strings.NewReader(""), &strings.Builder{}); handled {
			t.Errorf("%q was taken for a child", args)
		}
	}
}
