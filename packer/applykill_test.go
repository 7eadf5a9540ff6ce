package packer_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// forks runs the installer as forks of one interpreter, which is quick, and
// kills some of them.
type forks struct {
	b   *bench
	in  *json.Encoder
	out *json.Decoder
}

func (b *bench) forks() *forks {
	b.t.Helper()
	cmd := exec.Command(python(b.t), "-I", "-B", "testdata/kill_at.py", "scripts/apply_bundle")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.t.Error(err)
		}
	})
	return &forks{b, json.NewEncoder(in), json.NewDecoder(out)}
}

// ran is how a run ended: its exit status, or minus the signal.
type ran struct {
	Status, Changes int
	Out             string
}

// run applies a bundle and kills it before its nth change of the file system; 0 is never.
func (f *forks) run(n int, id string) ran {
	f.b.t.Helper()
	environ := map[string]string{"BUNDLE_PREFIX": "bundles/" + id}
	for _, pair := range f.b.env {
		name, value, _ := strings.Cut(pair, "=")
		if name != "BUNDLE_PREFIX" {
			environ[name] = value
		}
	}
	if err := f.in.Encode(map[string]any{"kill": n, "environ": environ}); err != nil {
		f.b.t.Fatal(err)
	}
	var r ran
	if err := f.out.Decode(&r); err != nil {
		f.b.t.Fatal(err)
	}
	return r
}

// fresh gives the bench a new root with the files of another.
func (b *bench) fresh(from string) {
	b.t.Helper()
	b.root = filepath.Join(memory(b.t), "comfyui")
	if err := os.CopyFS(b.root, os.DirFS(from)); err != nil {
		b.t.Fatal(err)
	}
	b.env = append(b.env, "INSTALL_ROOT="+b.root)
}

// memory is a folder that needs no disk, where the system has one: each run
// waits for the disk thirty times.
func memory(t *testing.T) string {
	t.Helper()
	if info, err := os.Stat("/dev/shm"); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("/dev/shm", "apply-bundle")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func forbidden(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
	})
}

// A switch is killed before each change of the file system. Without an open
// journal the files are of one bundle; the next run, with or without S3, ends
// what was open; and then the same command, or the one back, brings its bundle.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	start := b.root
	whole := func(n int, when string) {
		t.Helper()
		if got := b.tree(); !maps.Equal(got, wantOne) && !maps.Equal(got, wantTwo) {
			t.Errorf("killed at %d, %s: of neither bundle:\n%s", n, when, cmp.Diff(wantOne, got))
		}
	}
	f, open, kills := b.forks(), 0, 0
	for n := 1; ; n++ {
		b.fresh(start)
		r := f.run(n, "two")
		if r.Status != -9 {
			if r.Status != 0 || kills < 30 || open < 10 {
				t.Errorf("killed %d times, %d of them in the switch: %+v", kills, open, r)
			}
			return
		}
		if _, err := os.Stat(filepath.Join(b.root, ".apply-bundle/journal.json")); err == nil {
			open++
		} else {
			whole(n, "no journal")
			n += 2 // downloading and unpacking: every third change is enough
		}
		switch kills++; kills % 3 {
		case 0:
			r = f.run(0, "two")
			if diff := cmp.Diff(wantTwo, b.tree()); r.Status != 0 || diff != "" {
				t.Errorf("killed at %d, then again: %+v\n%s", n, r, diff)
			}
		case 1:
			r = f.run(0, "one")
			if diff := cmp.Diff(wantOne, b.tree()); r.Status != 0 || diff != "" {
				t.Errorf("killed at %d, then back: %+v\n%s", n, r, diff)
			}
		case 2:
			b.around(forbidden)
			if r := f.run(0, "two"); r.Status != 1 || !strings.Contains(r.Out, " stays installed, whole") {
				t.Errorf("killed at %d, then without S3: %+v", n, r)
			}
			whole(n, "then without S3")
			b.around(nil)
		}
	}
}

// A switch that cannot be made is undone, and so it is when it is killed on
// the way back.
func TestFailedSwitchIsUndone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	start, want := b.root, maps.Clone(wantOne)
	// The last path of the bundle is a folder with something of somebody else.
	b.write("models/vae/again.safetensors/keep", "mine")
	want["models/vae/again.safetensors/keep"] = "-rw-r--r-- mine"
	status, out := b.apply("two")
	if status != 1 || !strings.Contains(out, "FAILED: the switch failed: ") || !strings.Contains(out, "bundle one stays installed, whole") {
		t.Errorf("status %d\n%s", status, out)
	}
	if diff := cmp.Diff(want, b.tree()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_ = os.RemoveAll(filepath.Join(b.root, ".apply-bundle/staging")) // what it would take up
	f, kills := b.forks(), 0
	for n := 1; ; n += 5 {
		b.fresh(start)
		if r := f.run(n, "two"); r.Status != -9 {
			break
		}
		kills++
		b.around(forbidden)
		if r := f.run(0, "two"); r.Status != 1 || !strings.Contains(r.Out, "bundle one stays installed, whole") {
			t.Errorf("killed at %d: %+v", n, r)
		}
		b.around(nil)
		if diff := cmp.Diff(want, b.tree()); diff != "" {
			t.Errorf("killed at %d (-want +got):\n%s", n, diff)
		}
	}
	if kills < 10 {
		t.Errorf("killed %d times", kills)
	}
}

// cut ends the answers to GET of a big asset after n bytes, times times.
func cut(n int64, times *int, then func()) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/assets/") || *times == 0 {
				next.ServeHTTP(w, r)
				return
			}
			*times--
			next.ServeHTTP(&shortWriter{ResponseWriter: w, left: n, then: then}, r)
			panic(http.ErrAbortHandler)
		})
	}
}

type shortWriter struct {
	http.ResponseWriter
	left int64
	then func()
}

func (s *shortWriter) Write(p []byte) (int, error) {
	n := int(min(int64(len(p)), s.left))
	if n > 0 {
		if _, err := s.ResponseWriter.Write(p[:n]); err != nil {
			return 0, err
		}
		s.left -= int64(n)
	}
	if s.left == 0 && s.then != nil {
		s.ResponseWriter.(http.Flusher).Flush()
		s.then()
		s.then = nil
	}
	return len(p), nil
}

func (b *bench) part(sha string) string {
	return filepath.Join(b.root, ".apply-bundle/staging", sha+".part")
}

// A download that breaks off goes on where it was, in the same run and after a
// kill; what is on the disk and is no beginning of the object is not trusted.
func TestDownloadsAreTakenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	big := b.asset("checkpoint", "models/checkpoints/big.safetensors", "copy", body)
	sha := big["sha256"].(string)
	b.bundle("big", big)
	installed := func(what string) {
		t.Helper()
		if got, err := os.ReadFile(filepath.Join(b.root, "models/checkpoints/big.safetensors")); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	start := b.root
	times := 2
	b.around(cut(3<<20, &times, nil))
	b.mustApply("big")
	installed("cut twice")
	if got := strings.Join(b.asked(), "\n"); strings.Count(got, "bytes=") != 1 || !strings.Contains(got, "bytes=3145728-") {
		t.Errorf("asked\n%s", got)
	}

	b.fresh(start)
	_ = os.RemoveAll(b.root)
	b.write("main.py", "comfyui")
	times = 1
	started := make(chan *os.Process, 1)
	b.around(cut(3<<20, &times, func() {
		waitFor(t, func() bool { info, err := os.Stat(b.part(sha)); return err == nil && info.Size() == 3<<20 })
		_ = (<-started).Kill()
	}))
	cmd := b.command("big")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started <- cmd.Process
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("%v\n%s", cmd.ProcessState, &out)
	}
	b.asked()
	b.mustApply("big")
	installed("killed")
	if got := strings.Join(b.asked(), "\n"); !strings.Contains(got, "bytes=3145728-") {
		t.Errorf("asked\n%s", got)
	}

	for what, part := range map[string]string{"other bytes": strings.Repeat("x", 1<<20), "too many": strings.Repeat("x", 6<<20), "just as many": strings.Repeat("x", len(body))} {
		_ = os.RemoveAll(b.root)
		b.write("main.py", "comfyui")
		b.write(".apply-bundle/staging/"+sha+".part", part)
		b.mustApply("big")
		installed(what)
	}
	_ = os.RemoveAll(b.root)
	b.write("main.py", "comfyui")
	b.write(".apply-bundle/staging/"+sha+".blob", "not verified by this run")
	b.mustApply("big")
	installed("a blob of the right name")
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("it did not happen within 10 s")
}

// Two at once: the second says who is at work and changes nothing. A signal
// ends a run with a word on what is installed.
func TestLockAndSignal(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	reached, leave := make(chan bool), make(chan bool)
	b.around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "two/manifest.json") {
				reached <- true
				<-leave
			}
			next.ServeHTTP(w, r)
		})
	})
	cmd := b.command("two")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	status, said := b.apply("one")
	if status != 75 || !strings.Contains(said, "another run is at work here (process "+strconv.Itoa(cmd.Process.Pid)+")") {
		t.Errorf("status %d\n%s", status, said)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	lines, _ := io.ReadAll(bufio.NewReader(out))
	_ = cmd.Wait()
	close(leave)
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(lines), "FAILED: stopped; the same command goes on") || !strings.Contains(string(lines), "bundle one stays installed, whole") {
		t.Errorf("status %d\n%s", cmd.ProcessState.ExitCode(), lines)
	}
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
