package packer_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"reconcile/pkg/sandbox"
)

const bucket = "bp-models-123456789012"

// bench is a root folder to install into and an S3 on a port.
type bench struct {
	t    *testing.T
	root string
	log  string
	env  []string
	s3   *s3.Client

	mu   sync.Mutex
	gets []string                        // method, path and Range of what was asked
	hook func(http.Handler) http.Handler // around the S3, may be set between runs
}

func newBench(t *testing.T) *bench {
	t.Helper()
	judge(t, "bash")
	python := python(t)
	box, err := sandbox.Open(sandbox.Options{Seed: "test"})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, root: filepath.Join(t.TempDir(), "comfyui"), log: filepath.Join(t.TempDir(), "sync.log")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.gets = append(b.gets, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.Path, "/"+bucket+"/")+" "+r.Header.Get("Range")))
		hook := b.hook
		b.mu.Unlock()
		if hook != nil {
			hook(box).ServeHTTP(w, r)
			return
		}
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	b.env = []string{
		"PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "AWS_ENDPOINT_URL_S3=" + server.URL, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=example", "MODELS_BUCKET=" + bucket,
		"INSTALL_ROOT=" + b.root, "ASSET_SYNC_LOG=" + b.log,
	}
	b.s3 = s3.NewFromConfig(aws.Config{Region: "us-east-1", HTTPClient: box, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")})
	if _, err := b.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
		t.Fatal(err)
	}
	// What an image has.
	b.write("main.py", "comfyui\n")
	b.write("models/checkpoints/put_checkpoints_here", "")
	b.write("models/other/put_other_here", "")
	b.write("custom_nodes/example.py.disabled", "")
	b.write("models/loras/by-hand.safetensors", "by hand\n")
	return b
}

// judge returns a program that the test needs; CI must have it.
func judge(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip(err)
	}
	return path
}

// python returns the interpreter itself: a version manager's stand-in takes a second.
func python(t *testing.T) string {
	t.Helper()
	out, err := exec.Command(judge(t, "python3"), "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (b *bench) write(path, body string) {
	b.t.Helper()
	path = filepath.Join(b.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) put(key string, body []byte) {
	b.t.Helper()
	if _, err := b.s3.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(body)}); err != nil {
		b.t.Fatal(err)
	}
}

// entry is an asset of a manifest.
type entry map[string]any

// asset stores an object and returns its entry.
func (b *bench) asset(kind, target, action string, body []byte) entry {
	b.t.Helper()
	sum := sha256.Sum256(body)
	sha := hex.EncodeToString(sum[:])
	b.put("assets/"+kind+"/"+sha, body)
	return entry{
		"asset_id": 7, "kind": kind, "sha256": sha, "asset_s3_key": "assets/" + kind + "/" + sha,
		"original_filename": "upload.bin", "target_path": target, "action": action,
	}
}

func (b *bench) bundle(id string, assets ...entry) {
	b.t.Helper()
	if assets == nil {
		assets = []entry{}
	}
	body, err := json.Marshal(map[string]any{
		"manifest_version": 1, "bundle_id": id, "name": "A bundle", "created_at": "2026-02-18T12:34:56Z", "notes": nil, "assets": assets,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.put("bundles/"+id+"/manifest.json", body)
}

// command is the installer, not started.
func (b *bench) command(id string, env ...string) *exec.Cmd {
	script, err := filepath.Abs("scripts/apply-bundle.sh")
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(script)
	cmd.Env = append(append([]string{}, b.env...), append(env, "BUNDLE_PREFIX=bundles/"+id)...)
	return cmd
}

// apply runs the installer and returns its status (-1: killed) and output.
func (b *bench) apply(id string, env ...string) (int, string) {
	b.t.Helper()
	return run(b.t, b.command(id, env...))
}

func (b *bench) mustApply(id string, env ...string) string {
	b.t.Helper()
	status, out := b.apply(id, env...)
	if status != 0 {
		b.t.Fatalf("status %d\n%s", status, out)
	}
	return out
}

func run(t *testing.T, cmd *exec.Cmd) (int, string) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// asked returns what was asked of S3 since the last call.
func (b *bench) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.gets
	b.gets = nil
	return got
}

func (b *bench) around(hook func(http.Handler) http.Handler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hook = hook
}

// tree is every file below the root with its content, without the installer's state.
func (b *bench) tree() map[string]string {
	b.t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(b.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(b.root, path)
		if name == ".apply-bundle" {
			return filepath.SkipDir
		}
		if d.IsDir() {
			entries, err := os.ReadDir(path)
			if len(entries) == 0 {
				tree[name+"/"] = ""
			}
			return err
		}
		if d.Type() == fs.ModeSymlink {
			link, err := os.Readlink(path)
			tree[name] = "-> " + link
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		tree[name] = info.Mode().String() + " " + string(body)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return tree
}

func (b *bench) active() string {
	body, _ := os.ReadFile(filepath.Join(b.root, ".active_bundle_id"))
	return strings.TrimSpace(string(body))
}

// packed is a file of an archive; link makes it a symbolic one.
type packed struct {
	name, body, link string
	mode             fs.FileMode
	kind             byte
}

func zipped(t *testing.T, files ...packed) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		mode, body := f.mode|0o644, f.body
		if f.link != "" {
			mode, body = fs.ModeSymlink|0o777, f.link
		}
		h.SetMode(mode)
		dst, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(dst, body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func tarred(t *testing.T, files ...packed) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: int64(f.mode.Perm() | 0o644), Size: int64(len(f.body)), Typeflag: tar.TypeReg}
		if f.kind != 0 {
			h.Typeflag, h.Size = f.kind, 0
		}
		if f.link != "" {
			h.Linkname, h.Size = f.link, 0
			if f.kind == 0 {
				h.Typeflag = tar.TypeSymlink
			}
		}
		err := w.WriteHeader(h)
		if err == nil && h.Size > 0 {
			_, err = io.WriteString(w, f.body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
