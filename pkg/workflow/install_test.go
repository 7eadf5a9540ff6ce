package workflow_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The action installs what the release's checksums name and its attestation
// vouches for, and nothing else, also when it comes out of the cache.
func TestInstallVerifies(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not here")
	}
	archive := "reconcile_1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH + ".tar.gz"
	good := packed(t, "#!/bin/sh\necho true-release\n")
	evil := packed(t, "#!/bin/sh\necho evil\n")
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	listed := sum(good) + "  " + archive + "\n"
	for name, c := range map[string]struct {
		version  string
		release  map[string]string // what can be downloaded
		cached   []byte
		attested string // exit code of gh
		want     string // what is said; installed when it is true-release
	}{
		"a release":             {"v1.2.3", map[string]string{"checksums.txt": listed, archive: string(good)}, nil, "0", "true-release"},
		"out of the cache":      {"v1.2.3", map[string]string{"checksums.txt": listed}, good, "0", "true-release"},
		"a changed archive":     {"v1.2.3", map[string]string{"checksums.txt": listed, archive: string(evil)}, nil, "0", "the release says " + sum(good)},
		"a poisoned cache":      {"v1.2.3", map[string]string{"checksums.txt": listed}, evil, "0", "the release says " + sum(good)},
		"not in the checksums":  {"v1.2.3", map[string]string{"checksums.txt": sum(good) + "  other.tar.gz\n", archive: string(good)}, nil, "0", "does not list"},
		"no attestation":        {"v1.2.3", map[string]string{"checksums.txt": listed, archive: string(good)}, nil, "1", "was not built by a workflow of example/reconcile"},
		"no release":            {"v1.2.3", nil, nil, "0", "has no checksums.txt"},
		"a branch":              {"main", nil, nil, "0", "is no release"},
		"a hostile version":     {"v1.2.3/../../x", nil, nil, "0", "is no release"},
		"the tag of the action": {"", nil, nil, "0", "is no release"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, body string, mode os.FileMode) {
				t.Helper()
				file := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(body), mode); err != nil {
					t.Fatal(err)
				}
			}
			for file, body := range c.release {
				write("release/"+file, body, 0o644)
			}
			if c.cached != nil {
				write("temp/reconcile/"+archive, string(c.cached), 0o644)
			}
			// curl's last argument here is the address.
			write("bin/curl", `#!/bin/sh
while [ $# -gt 0 ]; do case $1 in --output) out=$2 ;; https://*) url=$1 ;; esac; shift; done
case $url in https://github.com/example/reconcile/releases/download/v1.2.3/*) ;; *) exit 9 ;; esac
cp "$RELEASE/${url##*/}" "$out"
`, 0o755)
			write("bin/gh", "#!/bin/sh\nexit "+c.attested+"\n", 0o755)
			write("path", "", 0o644)
			script, err := filepath.Abs(filepath.Join(root, ".github", "install", "install.sh"))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("bash", script, "install")
			cmd.Env = []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "RELEASE=" + filepath.Join(dir, "release"), "RUNNER_TEMP=" + filepath.Join(dir, "temp"),
				"GITHUB_PATH=" + filepath.Join(dir, "path"), "GITHUB_ACTION_PATH=" + root, "VERSION=" + c.version, "REPOSITORY=example/reconcile", "GH_TOKEN=t"}
			out, err := cmd.CombinedOutput()
			if !strings.Contains(string(out), c.want) {
				t.Errorf("want %q said:\n%s", c.want, out)
			}
			onPath, readErr := os.ReadFile(filepath.Join(dir, "path"))
			if readErr != nil {
				t.Fatal(readErr)
			}
			if works := c.want == "true-release"; works != (err == nil) || works != (len(onPath) > 0) {
				t.Errorf("exit %v, on PATH: %q\n%s", err, onPath, out)
			}
		})
	}
}

// packed is a release's archive with this for the program.
func packed(t *testing.T, program string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "reconcile", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
