package workflow_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// goreleaser is what the release's configuration says of its one build.
type goreleaser struct {
	Builds []struct {
		Main, Binary string
		Env, Flags   []string
		Ldflags      []string
		ModTimestamp string `yaml:"mod_timestamp"`
	}
}

// Two checkouts in two places give the same program, byte by byte, with the
// flags of the release; it knows its version, its action and its commit, and
// none of the places. Two builds from nothing take minutes, so the release's
// own workflow asks for it before it releases.
func TestReleaseIsReproducible(t *testing.T) {
	if os.Getenv("RECONCILE_REPRODUCE") == "" {
		t.Skip("set RECONCILE_REPRODUCE=1 to build the release twice")
	}
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var c goreleaser
	if err := yaml.Unmarshal(text, &c); err != nil || len(c.Builds) != 1 || c.Builds[0].ModTimestamp == "" {
		t.Fatalf("%v: %+v", err, c)
	}
	b := c.Builds[0]
	commit := strings.TrimSpace(run(t, root, nil, "git", "rev-parse", "HEAD"))
	fill := func(text string) string {
		var out strings.Builder
		parsed, err := template.New("").Option("missingkey=error").Parse(text)
		if err == nil {
			err = parsed.Execute(&out, map[string]any{"Version": "1.2.3", "FullCommit": commit, "Env": map[string]string{"GITHUB_REPOSITORY": "example/reconcile"}})
		}
		if err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	var sums [2][sha256.Size]byte
	for i, place := range []string{"here", filepath.Join("somewhere", "else")} {
		dir := filepath.Join(t.TempDir(), place)
		run(t, root, nil, "git", "clone", "-q", "--no-local", ".", dir)
		run(t, dir, nil, "git", "checkout", "-q", "--detach", commit)
		args := append([]string{"build", "-o", filepath.Join(dir, "out", b.Binary)}, b.Flags...)
		args = append(args, "-ldflags", fill(strings.Join(b.Ldflags, " ")), b.Main)
		run(t, dir, b.Env, "go", args...)
		program, err := os.ReadFile(filepath.Join(dir, "out", b.Binary))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(program)
		if bytes.Contains(program, []byte(dir)) {
			t.Errorf("the program names the folder that it was built in")
		}
		if said := run(t, dir, nil, filepath.Join(dir, "out", b.Binary), "version"); !strings.Contains(said, "1.2.3") {
			t.Errorf("reconcile version: %s", said)
		}
		if !bytes.Contains(program, []byte("example/reconcile@"+commit)) {
			t.Error("the program does not know its action")
		}
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ: %x and %x", sums[0], sums[1])
	}
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
