package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

const (
	stagingPointer = "/bp/fleets/staging/gpu-default/active_bundle"
	modelsBucket   = "bp-models-123456789012"
)

// bundled is the shipped platform as applied, whose fleets name the bundle
// base: one file with this content, and what more of assets is given.
func (r *rig) bundled(content string, more ...string) *rig {
	r.t.Helper()
	r.edit(`template: "gpu-default"`, `template: "gpu-default"`+"\n\t\tbundle: \"base\"", "specs/fleets.cue")
	r.write("specs/models/a.txt", content)
	r.bundle("base", asset("vae", content, "file: models/a.txt"), more...)
	return r
}

// asset is an entry of a bundle's assets.
func asset(kind, content, more string) string {
	return fmt.Sprintf("{kind: %s, sha256: %s, %s}", kind, sumOf(content), more)
}

func (r *rig) bundle(name, first string, more ...string) {
	r.t.Helper()
	r.write("specs/"+name+".yaml", "apiVersion: reconcile/v1\nkind: Bundle\nmetadata: {name: "+name+"}\nspec:\n  title: Test "+name+"\n  assets:\n    - "+
		strings.Join(append([]string{first}, more...), "\n    - ")+"\n")
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// object reads an object of the sandbox; "" where there is none.
func (r *rig) object(key string) (body string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := objects(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(modelsBucket), Key: aws.String(key)})
		if err != nil {
			return
		}
		b, err := io.ReadAll(out.Body)
		if err != nil {
			r.t.Fatal(err)
		}
		body = string(b)
	})
	return body
}

func (r *rig) putObject(bucket, key, body string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := objects(cfg).PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(body)}); err != nil {
			r.t.Fatal(err)
		}
	})
}

func (r *rig) dropObject(key string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		if _, err := objects(cfg).DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(modelsBucket), Key: aws.String(key)}); err != nil {
			r.t.Fatal(err)
		}
	})
}

func objects(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// A bundle's assets are stored, then its manifest, then the pointer moves; a
// file that is missing or another one than the specs say is refused at its line
// and nothing moves.
func TestBundleIsAStepOfThePlan(t *testing.T) {
	t.Parallel()
	r := deployedRig(t).bundled("first", asset("lora", "stored", "filename: l.safetensors"), asset("vae", "theirs", "s3URL: s3://bp-logs-123456789012/some/v.pt"))
	s := r.want(4, "apply --yes", "bundle base: specs/base.yaml:8:7: asset assets/lora/"+sumOf("stored")+" is not stored, and the specs name neither a file nor an object")
	if got := r.parameter(stagingPointer); got != "none" {
		t.Fatalf("the pointer is %q before the bundle is there\n%s", got, s.all())
	}
	r.putObject(modelsBucket, "assets/lora/"+sumOf("stored"), "stored")
	r.putObject("bp-logs-123456789012", "some/v.pt", "theirs")
	r.write("specs/models/a.txt", "another")
	r.want(4, "apply --yes", "specs/base.yaml:7:27: the file specs/models/a.txt has the SHA-256 "+sumOf("another")+", and the specs say "+sumOf("first"), "sha256sum specs/models/a.txt")
	r.remove("specs/models/a.txt")
	r.want(4, "apply --yes", "specs/base.yaml:7:99: asset", "the file specs/models/a.txt is not here", "unblock: reconcile bundle push base")
	if got := r.parameter(stagingPointer); got != "none" {
		t.Fatalf("the pointer is %q before the bundle is there\n%s", got, s.all())
	}

	r.write("specs/models/a.txt", "first")
	pointers := []string{"update parameter/bp/fleets/production/gpu-default/active_bundle", "update parameter/bp/fleets/staging/gpu-default/active_bundle"}
	if d := cmp.Diff(append([]string{"create bundle/base"}, pointers...), steps(r.plan(""))); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	r.want(0, "apply --yes", "done bundle base: stored (2 of 3 assets, 11 B)", "3 steps done")
	r.empty()
	id := strings.TrimPrefix(r.parameter(stagingPointer), "bundles/")
	manifest := r.object("bundles/" + id + "/manifest.json")
	if !regexp.MustCompile(`^\{"manifest_version":1,"bundle_id":"` + id + `","name":"Test base","created_at":"[-0-9]+T[:0-9]+Z","notes":null,"assets":\[\{"asset_id":null,"kind":"lora","sha256":"`).MatchString(manifest) {
		t.Errorf("the manifest is %s", manifest)
	}
	for kind, content := range map[string]string{"vae/": "first", "lora/": "stored"} {
		if got := r.object("assets/" + kind + sumOf(content)); got != content {
			t.Errorf("%s is stored as %q", content, got)
		}
	}

	// Elsewhere the file is not needed: the bundle is stored. Another content is
	// another bundle, and the way back is to name the one before.
	r.remove("specs/models/a.txt")
	r.empty()
	r.write("specs/models/a.txt", "second")
	r.bundle("base", asset("vae", "second", "file: models/a.txt"))
	r.want(0, "apply --yes --fleet staging/gpu-default", "stored (1 of 1 assets, 6 B)", "2 steps done")
	if got := r.parameter(stagingPointer); got == "bundles/"+id {
		t.Errorf("the pointer did not move: %s", got)
	}
	// From now on the specs own it.
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		put(ctx, t, cfg, stagingPointer, "none")
	})
	if d := cmp.Diff(pointers, steps(r.plan(""))); d != "" {
		t.Errorf("after a hand moved the pointer (-want +got):\n%s", d)
	}
}

// The commands about bundles, and what each calls.
func TestBundleCommands(t *testing.T) {
	t.Parallel()
	r := &recorded{deployedRig(t).bundled("first"), map[string]map[string]bool{}}
	r.want(0, "bundle push base --yes --store-only", "stored (1 of 1 assets, 5 B)", "1 step done")
	if got := r.parameter(stagingPointer); got != "none" {
		t.Errorf("--store-only moved the pointer to %s", got)
	}
	r.want(0, "bundle push base --yes", "2 steps done")
	first := strings.TrimPrefix(r.parameter(stagingPointer), "bundles/")
	r.want(0, "bundle push base --yes", "No changes.")
	r.write("specs/models/big.bin", strings.Repeat("0123456789abcdef", 20<<16))
	big := strings.Repeat("0123456789abcdef", 20<<16)
	r.bundle("base", asset("vae", "first", "file: models/a.txt"), asset("other", big, "file: models/big.bin"))
	r.want(0, "apply --yes --fleet staging/gpu-default", "2 steps done")
	second := strings.TrimPrefix(r.parameter(stagingPointer), "bundles/")
	r.want(0, "bundle list", "base Test base 2 21.0 MB", "active in staging/gpu-default", "active in production/gpu-default", first, second)
	r.want(0, "bundle show "+first[:8], "models/vae/a.txt copy 5 B assets/vae/"+sumOf("first"), "active in production/gpu-default")
	r.want(0, "bundle diff "+first+" base", "+ models/other/big.bin copy assets/other/"+sumOf(big))
	r.want(0, "bundle verify", "ok "+first, "1 of 2 objects by SHA-256, 1 of unknown sum (--deep reads it)")
	r.want(0, "bundle verify base --deep", "2 of 2 objects by SHA-256")
	r.want(0, "bundle gc", "Unused: 0 bundles of 2, 0 assets of 2 (0 B).")
	r.want(1, "bundle show nothing", "there is no bundle", "next: reconcile bundle list")

	// What nobody needs: neither the pointers' history nor an image has it.
	r.putObject(modelsBucket, "bundles/00000000-0000-5000-8000-000000000000/manifest.json", `{"manifest_version":1,"bundle_id":"00000000-0000-5000-8000-000000000000","name":"Loose","created_at":"2026-02-18T12:34:56Z","notes":"::warning::not ours","assets":[]}`)
	r.want(0, "bundle show 00000000", "Loose", `\::warning::not ours`)
	r.putObject(modelsBucket, "assets/vae/"+sumOf("orphan"), "orphan")
	r.want(0, "bundle gc --older-than 0s", "- bundle 00000000-0000-5000-8000-000000000000 Loose", "- asset assets/vae/"+sumOf("orphan")+" 6 B", "Unused: 1 bundle of 3, 1 asset of 3 (6 B).")
	r.want(0, "bundle gc", "Unused: 0 bundles of 3, 0 assets of 3 (0 B).")
	for _, key := range []string{"bundles/00000000-0000-5000-8000-000000000000/manifest.json", "assets/vae/" + sumOf("orphan")} {
		r.dropObject(key)
	}

	// What somebody took away or wrote over is found, and push mends the first.
	r.putObject(modelsBucket, "assets/other/"+sumOf(big), "altered")
	r.want(1, "bundle verify base --deep", "BAD "+second, "assets/other/"+sumOf(big)+" holds another content")
	r.dropObject("assets/other/" + sumOf(big))
	r.dropObject("assets/vae/" + sumOf("first"))
	r.want(1, "bundle verify", "BAD "+first, "assets/vae/"+sumOf("first")+" is missing", "2 bundles of 2 damaged")
	r.want(0, "bundle push base --yes", "stored (2 of 2 assets, 21.0 MB)")
	r.want(0, "bundle verify --deep", "ok "+first, "ok "+second)
	r.allowed()
}

const (
	hugeBytes = 256 << 20
	hugeParts = 16
	// mostResident is the memory of a run in bytes: buffers of 96 MiB, and what
	// every plan takes.
	mostResident = 330 << 20
)

// Killed between two parts, the same command goes on: it finds the upload and
// sends only what is missing, in bounded memory.
func TestKilledUploadIsResumed(t *testing.T) {
	t.Parallel()
	r := deployedRig(t).bundled("first")
	f, err := os.Create(r.path("specs/models/huge.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	for i := int64(0); i < hugeParts; i++ { // a hole, with a mark in each part
		if _, err := f.WriteAt([]byte{byte(i + 1)}, i*(hugeBytes/hugeParts)); err != nil {
			t.Fatal(err)
		}
	}
	h := sha256.New()
	if err := errors.Join(f.Truncate(hugeBytes), f.Sync()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r.bundle("base", fmt.Sprintf("{kind: checkpoint, sha256: %x, file: models/huge.safetensors}", h.Sum(nil)))
	var parts, creates atomic.Int32
	kill := make(chan struct{})
	held := make(chan struct{})
	defer close(held)
	finished := make(chan struct{}, hugeParts)
	r.served(func(box http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if q.Method == http.MethodPost && q.URL.Query().Has("uploads") {
				creates.Add(1)
			}
			part := q.URL.Query().Has("partNumber")
			if part {
				n := parts.Add(1)
				if n == 5 {
					for range 4 {
						<-finished
					}
					close(kill)
				}
				if n >= 5 && n < 100 {
					select {
					case <-q.Context().Done():
					case <-held:
					}
					return
				}
			}
			box.ServeHTTP(w, q)
			if part {
				select {
				case finished <- struct{}{}:
				default:
				}
			}
		})
	})
	cmd := r.command("apply", "--yes")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-kill
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	parts.Store(100)
	again := r.command("apply", "--yes")
	var said bytes.Buffer
	again.Stdout, again.Stderr = &said, &said
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	most := watchResident(again.Process.Pid)
	err = again.Wait()
	resident, out := most()<<10, said.String()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if sent := parts.Load() - 100; sent > hugeParts-4 || creates.Load() != 1 {
		t.Errorf("the second run sent %d of %d parts, in upload %d\n%s", sent, hugeParts, creates.Load(), out)
	}
	if !strings.Contains(flat(out), "of which") {
		t.Errorf("it does not say what was there:\n%s", out)
	}
	t.Logf("resident %d MiB, %v of processor time for %d MB", resident>>20, again.ProcessState.UserTime()+again.ProcessState.SystemTime(), hugeBytes/1_000_000)
	if resident > mostResident {
		t.Errorf("%d MiB of memory", resident>>20)
	}
	if _, err := os.Stat(filepath.Join(r.dir, checksums)); err != nil {
		t.Errorf("the sum of a large file is not remembered: %v", err)
	}
}
