package packer_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"
)

// with is an entry with another value; a nil value takes the key away.
func (e entry) with(key string, value any) entry {
	e = maps.Clone(e)
	e[key] = value
	if value == nil {
		delete(e, key)
	}
	return e
}

// refused applies every bundle and wants each refused, with its text, and
// nothing changed below the root or beside it.
func refused(t *testing.T, b *bench, texts map[string]string) {
	t.Helper()
	f, before := b.forks(), b.tree()
	for id, text := range texts {
		r := f.run(0, id)
		if r.Status != 2 || !strings.Contains(r.Out, text) || !strings.Contains(r.Out, "bundle one stays installed, whole") {
			t.Errorf("%s: not refused with %q: %+v", id, text, r)
		}
		if diff := cmp.Diff(before, b.tree()); diff != "" {
			t.Errorf("%s (-before +after):\n%s", id, diff)
		}
	}
	beside, err := os.ReadDir(filepath.Dir(b.root))
	if err != nil || len(beside) != 1 {
		t.Errorf("beside the root: %v %v", beside, err)
	}
}

func TestHostileManifests(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	good := b.asset("vae", "models/vae/new.bin", "copy", []byte("new"))
	if err := os.Symlink(t.TempDir(), filepath.Join(b.root, "models/linked")); err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	bad := func(id, text string, assets ...entry) {
		b.bundle(id, assets...)
		texts[id] = text
	}
	for id, path := range map[string]any{
		"absolute": "/etc/cron.d/x", "up": "models/../../x", "up-first": "../x", "dot": "models/./x", "double": "models//x", "folder": "models/x/",
		"backslash": `models\..\x`, "line-end": "models/x\nmain.py", "null": "models/x\x00", "long": strings.Repeat("a/", 600) + "a", "long-part": strings.Repeat("a", 256),
		"none": "", "number": 7, "list": []string{"a"}, "installer": "bin/apply-bundle.sh", "state": ".active_bundle_id", "journal": ".apply-bundle/journal.json", "venv": "venv/bin/python",
	} {
		bad("path-"+id, "assets[1]: target_path ", good, good.with("target_path", path))
	}
	bad("link", "is a symbolic link", good.with("target_path", "models/linked/x"))
	bad("kind", "kind 'virus' is none of", good.with("kind", "virus"))
	bad("kind-list", "kind ['vae'] is none of", good.with("kind", []string{"vae"}))
	bad("sha", "is not 64 lower-case hex digits", good.with("sha256", strings.ToUpper(good["sha256"].(string))))
	bad("sha-short", "is not 64 lower-case hex digits", good.with("sha256", "abc"))
	bad("key", "asset_s3_key", good.with("asset_s3_key", "bundles/one/manifest.json"))
	bad("key-none", "asset_s3_key None is not", good.with("asset_s3_key", nil))
	bad("action", "action 'run' is none of", good.with("action", "run"))
	bad("twice", "two assets want the path 'models/vae/new.bin'", good, good)
	bad("file-and-folder", "would be a file and a folder", good.with("target_path", "models/vae"), good)
	bad("no-object", "assets[0]: is no object", nil)
	for id, body := range map[string]string{
		"json": "{", "deep": strings.Repeat("[", 100000), "array": "[]", "version": `{"manifest_version":2,"bundle_id":"version","assets":[]}`,
		"version-true": `{"manifest_version":true,"bundle_id":"version-true","assets":[]}`,
		"other-id":     `{"manifest_version":1,"bundle_id":"one","assets":[]}`, "assets": `{"manifest_version":1,"bundle_id":"assets","assets":{}}`, "bytes": "\xff\xfe",
	} {
		b.put("bundles/"+id+"/manifest.json", []byte(body))
		texts[id] = "manifest"
	}
	texts["assets"] = "assets is no list"
	texts["a/../b"] = "is not bundles/ID"
	texts["a/b"] = "is not bundles/ID"
	b.asked()
	refused(t, b, texts)
	for _, path := range b.asked() {
		if strings.HasPrefix(path, "GET assets/") {
			t.Errorf("a refused bundle made it ask for %s", path)
		}
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	b.env = append(b.env, "ARCHIVE_MAX_ENTRIES=50", "ARCHIVE_MAX_BYTES=1000000")
	texts := map[string]string{}
	bad := func(id, action, text string, body []byte) {
		b.bundle(id, b.asset("vae", "models/vae/"+id, "copy", []byte(id)), b.asset("custom_node", "custom_nodes/nodes", action, body))
		texts[id] = text
	}
	many := make([]packed, 51)
	for i := range many {
		many[i] = packed{name: strings.Repeat("d", i+1), body: "x"}
	}
	for id, c := range map[string]struct {
		text  string
		files []packed
	}{
		"absolute":  {"'/tmp/evil' is absolute", []packed{{name: "/tmp/evil", body: "x"}}},
		"up":        {"part", []packed{{name: "ok", body: "x"}, {name: "../evil", body: "x"}}},
		"up-inside": {"part", []packed{{name: "a/../../evil", body: "x"}}},
		"backslash": {"has a backslash", []packed{{name: `..\evil`, body: "x"}}},
		"line-end":  {"control character", []packed{{name: "a\nb", body: "x"}}},
		"link-abs":  {"leads out", []packed{{name: "l", link: "/etc/passwd"}}},
		"link-up":   {"leads out", []packed{{name: "a/l", link: "../../main.py"}}},
		"link-thru": {"links beside files", []packed{{name: "l", link: "a"}, {name: "l/evil", body: "x"}, {name: "a/b", body: "x"}}},
		"link-dir":  {"is no file of it", []packed{{name: "a/b", body: "x"}, {name: "l", link: "a"}}},
		"link-loop": {"is no file of it", []packed{{name: "a", link: "b"}, {name: "b", link: "a"}}},
		"twice":     {"twice", []packed{{name: "a", body: "x"}, {name: "a", body: "y"}}},
		"both":      {"file and as a folder", []packed{{name: "a", body: "x"}, {name: "a/b", body: "y"}}},
		"entries":   {"more than 50 entries", many},
		"bytes":     {"unpacks to more than 1000000 bytes", []packed{{name: "zeros", body: strings.Repeat("\x00", 1000001)}}},
	} {
		bad("zip-"+id, "extract_zip", c.text, zipped(t, c.files...))
		bad("tar-"+id, "extract_tar_gz", c.text, tarred(t, c.files...))
	}
	for id, kind := range map[string]byte{"fifo": tar.TypeFifo, "char": tar.TypeChar, "block": tar.TypeBlock} {
		bad("tar-"+id, "extract_tar_gz", "is a device, a pipe", tarred(t, packed{name: "dev", kind: kind}))
	}
	bad("tar-hard", "extract_tar_gz", "leads out", tarred(t, packed{name: "l", link: "../../main.py", kind: tar.TypeLink}))
	bad("tar-hard-none", "extract_tar_gz", "is no file of it", tarred(t, packed{name: "l", link: "main.py", kind: tar.TypeLink}))
	bad("zip-pipe", "extract_zip", "is a device, a pipe", zipped(t, packed{name: "p", mode: fs.ModeNamedPipe}))
	lying := zipped(t, packed{name: "zeros", body: strings.Repeat("\x00", 1000001)})
	bad("zip-lying", "extract_zip", "", bytes.ReplaceAll(lying, []byte{0x41, 0x42, 0x0f, 0}, []byte{1, 0, 0, 0}))
	whole := zipped(t, packed{name: "a", body: strings.Repeat("abc", 1000)})
	bad("zip-cut", "extract_zip", "damaged", whole[:len(whole)-30])
	bad("zip-is-tar", "extract_zip", "damaged", tarred(t, packed{name: "a"}))
	tarball := tarred(t, packed{name: "a", body: strings.Repeat("abc", 1000)})
	bad("tar-cut", "extract_tar_gz", "damaged", tarball[:len(tarball)-20])
	bad("tar-is-zip", "extract_tar_gz", "damaged", whole)
	bad("tar-header", "extract_tar_gz", "unpacks to more than", hugeHeader(t, 8))
	refused(t, b, texts)

	b.bundle("header", b.asset("custom_node", "custom_nodes/nodes", "extract_tar_gz", hugeHeader(t, 192)))
	cmd := b.command("header", "ARCHIVE_MAX_BYTES=68719476736", "PARALLEL_DOWNLOADS=1")
	small := exec.Command("bash", "-c", `ulimit -v 160000; exec "$0"`, cmd.Path)
	small.Env = cmd.Env
	if status, out := run(t, small); status != 2 || !strings.Contains(out, "wants more memory than") || !strings.Contains(out, "bundle one stays installed, whole") {
		t.Errorf("status %d\n%s", status, out)
	}
}

// hugeHeader is an archive of some kilobytes with a header that claims 8 GiB
// and has so many MiB of zeros.
func hugeHeader(t *testing.T, size int) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 8<<30 - 1}); err != nil {
		t.Fatal(err)
	}
	block := plain.Bytes()[:512]
	block[156] = 'x'
	copy(block[148:], "        ")
	sum := 0
	for _, c := range block {
		sum += int(c)
	}
	copy(block[148:], []byte{'0' + byte(sum>>15&7), '0' + byte(sum>>12&7), '0' + byte(sum>>9&7), '0' + byte(sum>>6&7), '0' + byte(sum>>3&7), '0' + byte(sum&7), 0, ' '})
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	zeros := make([]byte, 1<<20)
	_, err := z.Write(block)
	for range size {
		if err == nil {
			_, err = z.Write(zeros)
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What S3 and the disk do wrong leaves the bundle that was there.
func TestFailuresLeaveTheBundle(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	b.mustApply("one")
	fine := b.asset("lora", "models/loras/new.safetensors", "copy", []byte("fine"))
	b.bundle("wrong", fine, b.asset("lora", "models/loras/wrong", "copy", []byte("named")))
	sum := b.asset("lora", "x", "copy", []byte("named"))["asset_s3_key"].(string)
	b.put(sum, []byte("other"))
	b.bundle("gone", fine, fine.with("target_path", "models/x").with("sha256", strings.Repeat("0", 64)).with("asset_s3_key", "assets/lora/"+strings.Repeat("0", 64)))
	big := b.asset("lora", "models/loras/big", "copy", bytes.Repeat([]byte("x"), 300<<10))
	b.bundle("big", fine, big)
	for _, c := range []struct{ id, text string }{
		{"wrong", "not the one of its name: upload the asset again"},
		{"gone", "it is not there, or this role may not read it; look with: aws s3api head-object --bucket " + bucket + " --key assets/lora/000"},
		{"nobody", "bundles/nobody/manifest.json"},
	} {
		status, out := b.apply(c.id)
		if status != 1 || !strings.Contains(out, c.text) || !strings.Contains(out, "bundle one stays installed, whole") {
			t.Errorf("%s: status %d, no %q\n%s", c.id, status, c.text, out)
		}
	}
	// A limit on the size of a file stands in for a full disk.
	cmd := b.command("big")
	full := exec.Command("bash", "-c", `ulimit -f 100; exec "$0"`, cmd.Path)
	full.Env = cmd.Env
	status, out := run(t, full)
	if status != 1 || !strings.Contains(out, "cannot write: ") || !strings.Contains(out, "bundle one stays installed, whole") {
		t.Errorf("full disk: status %d\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(b.root, ".apply-bundle/staging")); !os.IsNotExist(err) {
		t.Errorf("a full disk stays full: %v", err)
	}
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	troubles := 2
	b.around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if troubles--; troubles >= 0 {
				http.Error(w, "slow down", http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	b.mustApply("two", "PARALLEL_DOWNLOADS=1")
	if diff := cmp.Diff(wantTwo, b.tree()); diff != "" {
		t.Errorf("after trouble (-want +got):\n%s", diff)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for text, env := range map[string]string{
		"MODELS_BUCKET is not set":         "MODELS_BUCKET=",
		"is no bucket name":                "MODELS_BUCKET=a/../b",
		"is no folder":                     "INSTALL_ROOT=" + b.root + "/none",
		"is the root of the file system":   "INSTALL_ROOT=/",
		"PARALLEL_DOWNLOADS 'x' is no num": "PARALLEL_DOWNLOADS=x",
	} {
		if status, out := b.apply("one", env); status == 0 || !strings.Contains(out, text) {
			t.Errorf("%s: status %d\n%s", env, status, out)
		}
	}
}

// Without keys in the environment they come from the metadata service, and the
// signature is the one that AWS's own signer makes.
func TestInstanceCredentialsAndSignature(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "" {
			_, _ = w.Write([]byte("token"))
			return
		}
		if r.Header.Get("X-aws-ec2-metadata-token") != "token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer, ok := map[string]string{
			"placement/region":                     "us-east-1",
			"iam/security-credentials/":            "worker-role",
			"iam/security-credentials/worker-role": `{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret/+","Token":"session","Expiration":"2100-01-01T00:00:00Z"}`,
		}[strings.TrimPrefix(r.URL.Path, "/latest/meta-data/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(metadata.Close)
	checked := 0
	b.around(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got, want := r.Header.Get("Authorization"), signature(t, r); got != want || r.Header.Get("X-Amz-Security-Token") != "session" {
				t.Errorf("%s %s is signed\n%s, not\n%s", r.Method, r.URL, got, want)
			}
			checked++
			next.ServeHTTP(w, r)
		})
	})
	instance := []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_REGION=", "AWS_EC2_METADATA_SERVICE_ENDPOINT=" + metadata.URL, "PARALLEL_DOWNLOADS=1"}
	b.mustApply("one", instance...)
	if diff := cmp.Diff(wantOne, b.tree()); diff != "" || checked < 7 {
		t.Errorf("%d signatures (-want +got):\n%s", checked, diff)
	}
	metadata.Close()
	if status, out := b.apply("two", instance...); status != 1 || !strings.Contains(out, "no AWS credentials") {
		t.Errorf("status %d\n%s", status, out)
	}
}

func signature(t *testing.T, r *http.Request) string {
	t.Helper()
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Error(err)
	}
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.EscapedPath(), nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	again.Header.Set("X-Amz-Content-Sha256", r.Header.Get("X-Amz-Content-Sha256"))
	keys := aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret/+", SessionToken: "session"}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), keys, again, r.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", at); err != nil {
		t.Error(err)
	}
	return again.Header.Get("Authorization")
}

// What the manifest of the backend looks like is in the contract; this one is
// its example with a real digest, whole.
func TestContractManifest(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	asset := b.asset("checkpoint", "models/checkpoints/sdxl.safetensors", "copy", []byte("weights"))
	sha := asset["sha256"].(string)
	body := `{"manifest_version":1,"bundle_id":"0b0e4b6e-6f1c-4f0e-9d55-1f5d3b1f2a11","name":"Base SDXL + nodes","created_at":"2026-02-18T12:34:56Z","notes":null,
 "assets":[{"asset_id":123,"kind":"checkpoint","sha256":"` + sha + `","asset_s3_key":"assets/checkpoint/` + sha + `",
            "original_filename":"sdxl.safetensors","target_path":"models/checkpoints/sdxl.safetensors","action":"copy"}]}`
	if !json.Valid([]byte(body)) {
		t.Fatal("the example is no JSON")
	}
	b.put("bundles/0b0e4b6e-6f1c-4f0e-9d55-1f5d3b1f2a11/manifest.json", []byte(body))
	b.mustApply("0b0e4b6e-6f1c-4f0e-9d55-1f5d3b1f2a11")
	if got := b.tree()["models/checkpoints/sdxl.safetensors"]; got != "-rw-r--r-- weights" || b.active() != "0b0e4b6e-6f1c-4f0e-9d55-1f5d3b1f2a11" {
		t.Errorf("installed %q, active %q", got, b.active())
	}
}
