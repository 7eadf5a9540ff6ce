package stacks_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mvdan.cc/sh/v3/syntax"

	"reconcile/pkg/spec"
)

// shellTexts are all texts that a shell of the platform runs.
func shellTexts(t *testing.T) map[string]struct {
	text string
	lang syntax.LangVariant
} {
	t.Helper()
	out := map[string]struct {
		text string
		lang syntax.LangVariant
	}{}
	d := render(t, shipped())
	for _, s := range fleetStacks(d) {
		out[s.Name] = struct {
			text string
			lang syntax.LangVariant
		}{userData(t, shipped(), s.Name), syntax.LangBash}
	}
	for _, name := range []string{"php-fpm", "scheduler", "queue-worker"} {
		out[name] = struct {
			text string
			lang syntax.LangVariant
		}{containerCommand(t, shipped(), name), syntax.LangPOSIX}
	}
	return out
}

// userData is the boot script as the instance gets it.
func userData(t *testing.T, set spec.Set, stack string) string {
	t.Helper()
	d := render(t, set)
	data := at(t, plain(t, resource(t, d, stack, "LaunchTemplate").Properties), "LaunchTemplateData", "UserData")
	return text(t, data)
}

func container(t *testing.T, set spec.Set, task, name string) map[string]any {
	t.Helper()
	d := render(t, set)
	for _, c := range at(t, plain(t, resource(t, d, set.Platform.Name+"-compute", task).Properties), "ContainerDefinitions").([]any) {
		if at(t, c, "Name") == name {
			return c.(map[string]any)
		}
	}
	t.Fatalf("no container %s", name)
	return nil
}

func containerCommand(t *testing.T, set spec.Set, name string) string {
	t.Helper()
	c := container(t, set, "BackendTask", name)
	if entry, _ := json.Marshal(c["EntryPoint"]); string(entry) != `["/bin/sh","-lc"]` {
		t.Errorf("%s: entry point %s: one-off tasks count on it", name, entry)
	}
	command := c["Command"].([]any)
	if len(command) != 1 {
		t.Fatalf("%s: %d words, the entry point takes one string", name, len(command))
	}
	return command[0].(string)
}

func TestShellSyntax(t *testing.T) {
	for name, s := range shellTexts(t) {
		if _, err := syntax.NewParser(syntax.Variant(s.lang)).Parse(strings.NewReader(s.text), name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shell := map[syntax.LangVariant]string{syntax.LangBash: "bash", syntax.LangPOSIX: "sh"}[s.lang]
		if path, err := exec.LookPath(shell); err == nil {
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(s.text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %s -n: %v\n%s", name, shell, err, out)
			}
		}
		if len(s.text) > 16<<10 {
			t.Errorf("%s: %d bytes, EC2 takes 16 KB", name, len(s.text))
		}
	}
}

// TestValuesAreQuoted: a value of a spec stays one word of the shell.
func TestValuesAreQuoted(t *testing.T) {
	set := withTLS()
	set.Platform.Domain.Name = `a'$(touch x)".example.com`
	set.Fleets = set.Fleets[1:]
	set.Fleets[0].Name = `it's;$(id)`
	d := render(t, set)
	got := userData(t, set, fleetStacks(d)[0].Name)
	if !strings.Contains(got, `slug='it'\''s;$(id)'`) {
		t.Errorf("slug is not quoted:\n%s", got[:600])
	}
	if _, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(got), ""); err != nil {
		t.Error(err)
	}
}

// TestSidecarsRestart runs the loop: it brings a dead process back, tells of a
// failure, and ends with the process when it is told to, by either signal that
// ECS may send: its own, or the one that the image of PHP-FPM names (SIGQUIT).
func TestSidecarsRestart(t *testing.T) {
	for _, name := range []string{"scheduler", "queue-worker"} {
		policy := container(t, shipped(), "BackendTask", name)["RestartPolicy"]
		if at(t, policy, "Enabled") != true || at(t, policy, "RestartAttemptPeriod").(float64) < 60 {
			t.Errorf("%s: restart policy %v", name, policy)
		}
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh")
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) { sidecarRestarts(t, signal) })
	}
}

func sidecarRestarts(t *testing.T, signal syscall.Signal) {
	t.Helper()
	dir := t.TempDir()
	command := containerCommand(t, shipped(), "queue-worker")
	command = strings.ReplaceAll(command, "/var/www/html", dir)
	command = strings.ReplaceAll(command, "/usr/local/bin/php", dir+"/php")
	program(t, dir, "php", `echo run >>`+dir+`/runs
[ "$(wc -l <`+dir+`/runs)" -ge 3 ] || exit 7
trap 'echo stopped >>`+dir+`/runs; exit 0' TERM
echo ready >>`+dir+`/runs
for i in $(seq 100); do /bin/sleep 0.05; done
exit 9`)
	program(t, dir, "sleep", "exec /bin/sleep 0.01")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "APPLE_PRIVATE_KEY_P8_B64=aGVsbG8="}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "runs"))
		return strings.Contains(string(b), "ready\n")
	})
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the loop did not end well: %v\n%s", err, stderr.String())
	}
	b, _ := os.ReadFile(filepath.Join(dir, "runs"))
	if !strings.HasSuffix(string(b), "stopped\n") {
		t.Errorf("the process was not told to stop: %q", b)
	}
	if n := strings.Count(stderr.String(), "sidecar failed: queue-worker ended with status 7"); n != 2 {
		t.Errorf("%d failures told, not 2:\n%s", n, stderr.String())
	}
	key, err := os.ReadFile(filepath.Join(dir, "storage/keys/Apple_AuthKey.p8"))
	if err != nil || string(key) != "hello" {
		t.Errorf("Apple key: %q, %v", key, err)
	}
	for _, sub := range []string{"framework/cache/data", "framework/sessions", "framework/views", "framework/testing", "logs"} {
		if _, err := os.Stat(filepath.Join(dir, "storage", sub)); err != nil {
			t.Error(err)
		}
	}
}

// TestPersistentFailureOfASidecarRaisesTheAlarm in each of its periods: the
// slowest process that the loop still takes for a failing one, with the longest
// pause after it, must reach the threshold.
func TestPersistentFailureOfASidecarRaisesTheAlarm(t *testing.T) {
	command := containerCommand(t, shipped(), "scheduler")
	number := func(pattern string) int {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(command)
		if m == nil {
			t.Fatalf("no %s in the loop", pattern)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	longestRun, longestPause := number(`"\$ran" -ge (\d+)`)-1, number(`"\$delay" -gt (\d+)`)
	alarm := resource(t, render(t, shipped()), "bp-monitoring", "SidecarFailures").Properties
	failures := alarm["Period"].(int) / (longestRun + longestPause)
	if threshold := alarm["Threshold"].(int); threshold < 2 || failures < threshold {
		t.Errorf("%d failures in a period of endless failing, the alarm wants %d", failures, threshold)
	}
}

// TestBadAppleKeyKeepsTheBackendRunning: social login is optional.
func TestBadAppleKeyKeepsTheBackendRunning(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	dir := t.TempDir()
	command := strings.ReplaceAll(containerCommand(t, shipped(), "php-fpm"), "/var/www/html", dir)
	command = strings.ReplaceAll(command, "/usr/local/sbin/php-fpm", "echo serving")
	cmd := exec.Command(shell, "-c", command)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "APPLE_PRIVATE_KEY_P8_B64=%%%"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "serving") || !strings.Contains(string(out), "not base64") {
		t.Errorf("%v: %s", err, out)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "storage/keys")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func program(t *testing.T, dir, name, body string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it did not happen within 10 s")
}

// TestOtherScriptsParse: Python and JavaScript are checked where they can be.
func TestOtherScriptsParse(t *testing.T) {
	code := at(t, plain(t, resource(t, render(t, shipped()), "bp-gpu-shared", "ScaleToZero").Properties), "Code", "ZipFile").(string)
	if len(code) > 4096 {
		t.Errorf("%d characters, an inline function has 4096", len(code))
	}
	if python, err := exec.LookPath("python3"); err == nil {
		cmd := exec.Command(python, "-c", "import ast,sys; ast.parse(sys.stdin.read())")
		cmd.Stdin = strings.NewReader(code)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("python: %v\n%s", err, out)
		}
	}
	check := container(t, shipped(), "FrontendTask", "nextjs")["HealthCheck"]
	command := at(t, check, "Command").([]any)
	if command[0] != "CMD" || command[1] != "node" || command[2] != "-e" {
		t.Errorf("health check: %v", command[:3])
	}
	if node, err := exec.LookPath("node"); err == nil {
		file := filepath.Join(t.TempDir(), "health.js")
		if err := os.WriteFile(file, []byte(command[3].(string)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(node, "--check", file).CombinedOutput(); err != nil {
			t.Errorf("node: %v\n%s", err, out)
		}
	}
}
