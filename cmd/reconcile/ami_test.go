//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"reconcile/pkg/plan"
	"reconcile/pkg/report"
	"reconcile/pkg/sandbox"
)

var registered = regexp.MustCompile(`<imageId>(ami-[0-9a-f]+)</imageId>`)

// registers makes an image as Packer's run in the account would.
func (r *rig) registers(tags ...string) string {
	r.t.Helper()
	form := url.Values{"Action": {"RegisterImage"}, "Version": {"2016-11-15"}, "Name": {"bp-comfyui-gpu-default-" + strings.Join(tags, "-")},
		"TagSpecification.1.ResourceType": {"image"}}
	for i, t := range append([]string{"FleetSlug=gpu-default", "ManagedBy=packer"}, tags...) {
		key, value, _ := strings.Cut(t, "=")
		form.Set(fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i+1), key)
		form.Set(fmt.Sprintf("TagSpecification.1.Tag.%d.Value", i+1), value)
	}
	answer := r.ec2(form)
	m := registered.FindStringSubmatch(answer)
	if m == nil {
		r.t.Fatalf("no image in %s", answer)
	}
	return m[1]
}

func (r *rig) ec2(form url.Values) (answer string) {
	r.t.Helper()
	r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
		answer = byHand(r.t, box, "ec2", "", form.Encode())
	})
	return answer
}

func (r *rig) images(flags string) report.Images {
	r.t.Helper()
	var v report.Images
	if err := json.Unmarshal([]byte(r.want(0, "ami list -o json "+flags).out), &v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

// An image's way through a fleet: it is named, planned, launched, and taken
// back only with an approval that the plan names.
func TestAMIPromotionAndDowngrade(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	newer := r.registers("NvidiaDriver=550.163.01", "CudaVersion=12.4", "ComfyUIRevision=v0.3.10", "BundleId=b-1", "SpecRevision=abc", "BuildTime=2101-01-02T00:00:00Z")
	older := r.registers("NvidiaDriver=535.104.05", "CudaVersion=12.4", "ComfyUIRevision=v0.3.9", "BuildTime=2101-01-01T00:00:00Z")
	// An unchanged plan asks EC2 for no image.
	if s := r.want(0, "plan --stats", "No changes."); ec2Images.MatchString(s.err) {
		t.Errorf("an unchanged plan asked for images:\n%s", s.err)
	}
	r.want(0, "ami use staging/gpu-default "+newer+" --yes", "/bp/ami/fleets/staging/gpu-default", "1 to change", "next: reconcile plan --fleet staging/gpu-default")
	r.want(0, "history --limit 1", "reconcile ami use", "1 done")
	r.want(0, "ami use staging/gpu-default "+newer+" --yes", "holds "+newer+" already")
	s := r.want(0, "plan --fleet staging/gpu-default --stats", newer, "bundle b-1 is baked into "+newer+", and the active one is", "next: reconcile ami bake staging/gpu-default")
	s.saysNot(t, "downgrade:")
	if !ec2Images.MatchString(s.err) {
		t.Errorf("a promotion costs one call for its images:\n%s", s.err)
	}
	r.want(0, "apply --yes --fleet staging/gpu-default")

	r.want(0, "ami use staging/gpu-default "+older+" --yes")
	approval := "downgrade:" + stagingFleet + "/LaunchTemplate"
	r.want(4, "apply --yes --fleet staging/gpu-default", "--approve "+approval, "the NVIDIA driver goes down from 550.163.01 to 535.104.05", "ComfyUI goes down from v0.3.10 to v0.3.9", "built at 2101-01-01 00:00:00Z")
	v := r.images("staging/gpu-default")
	if f := v.Fleets[0]; len(v.Fleets) != 1 || f.AMI != older || f.Image.Lineage.Driver != "535.104.05" || f.Launches == nil || f.Launches.ID != newer || f.Launches.Lineage.Bundle != "b-1" {
		t.Errorf("%+v", v.Fleets)
	}
	r.want(0, "ami list", "staging/gpu-default", older, "parameter", "launched", newer, "550.163.01", "v0.3.9", "2101-01-02 00:00Z", "1 group")
	r.want(0, "apply --yes --fleet staging/gpu-default --approve "+approval)
	r.empty()
}

var ec2Images = regexp.MustCompile(`(?m)^EC2 +DescribeImages +1 call$`)

// An image that is gone blocks the plan; the parameter is not pointed at one.
func TestAMIGone(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(4, "ami use staging/gpu-default ami-0123456789abcdef0 --yes", "there is no image ami-0123456789abcdef0", "InvalidAMIID.NotFound", "next: reconcile ami list staging/gpu-default")
	r.want(1, "ami use staging/gpu-default ubuntu --yes", "is no AMI id")
	r.want(1, "ami use staging/* ami-0123456789abcdef0 --yes", "an image is built for one fleet")
	gone := r.registers("BuildTime=2101-01-02T00:00:00Z")
	r.want(0, "ami use staging/gpu-default "+gone+" --yes")
	r.ec2(url.Values{"Action": {"DeregisterImage"}, "Version": {"2016-11-15"}, "ImageId": {gone}})
	r.want(4, "apply --yes", "there is no such image that this account can use", "reconcile ami list staging/gpu-default")
	r.want(0, "ami list", "the image does not exist: a new instance cannot start")
}

// packs gives a rig a Packer that ends as it is told.
func packs(t *testing.T, r *rig, fake, image string) {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("testdata", "packer"))
	if err != nil {
		t.Fatal(err)
	}
	r.write("packer/comfyui-worker.pkr.hcl", "# the stand-in for Packer reads no template\n")
	r.write("worker/worker.py", "")
	r.env[0] = "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
	r.env = append(r.env, "FAKE="+fake, "FAKE_AMI="+image, "FAKE_NOTES="+r.dir, "AWS_PROFILE=somebody")
}

func (r *rig) noted(file string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(file))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// A build: variables from the specs and SSM, Packer's progress, the image in the
// parameter. The sandbox's Packer is led to the sandbox and nowhere else.
func TestAMIBuild(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	image := r.registers("NvidiaDriver=550", "BuildTime=2101-01-02T00:00:00Z")
	packs(t, r, "made", image)
	r.want(0, "ami build staging/gpu-default --worker worker --var comfyui_revision=v0.3.10", "==> worker: Creating a temporary key, and a group", "worker: two",
		"staging/gpu-default: built "+image, "1 to change", "next: reconcile plan --fleet staging/gpu-default")
	arguments := r.noted("arguments")
	for _, want := range []string{"build\n-machine-readable\n", "fleet_slug=gpu-default\n", "aws_region=us-east-1\n", "instance_type=g4dn.xlarge\n", "comfyui_revision=v0.3.10\n", "worker_path=" + r.path("worker") + "\n", "\npacker\n"} {
		if !strings.Contains(arguments, want) {
			t.Errorf("no %q in\n%s", want, arguments)
		}
	}
	if strings.Contains(arguments, "bundle_id") {
		t.Errorf("a base build has no bundle:\n%s", arguments)
	}
	if env := r.noted("environment"); !strings.Contains(env, "AWS_ENDPOINT_URL=http://127.0.0.1:") || strings.Contains(env, "somebody") {
		t.Errorf("Packer's environment:\n%s", env)
	}
	if p := r.plan("--fleet staging/gpu-default"); len(p.Steps) == 0 || p.Steps[0].Kind != plan.KindStack {
		t.Errorf("the plan after a build: %v", steps(p))
	}
	r.want(4, "ami bake production/gpu-default --worker worker", "has no active bundle to bake", "next: reconcile ami build production/gpu-default")
}

// Whatever a build lacks or meets, the parameter stays as it was, and the next
// command is said.
func TestAMIBuildFails(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const build = "ami build staging/gpu-default"
	r.want(1, build, "no Packer template", "next: reconcile ami build staging/gpu-default --packer FOLDER")
	packs(t, r, "failed", "")
	r.want(1, build, "--worker is missing", "next: reconcile ami build staging/gpu-default --worker FOLDER")
	r.want(1, build+" --worker nowhere", "--worker nowhere is no folder")
	r.want(5, build+" --worker worker", "ended with 1", "no driver for this kernel", "/bp/ami/fleets/staging/gpu-default is as it was", "next: packer validate packer")
	r.env = append(r.env, "FAKE=nothing")
	r.want(5, build+" --worker worker", "named no image")
	r.env = append(r.env, "FAKE=made", "FAKE_AMI=ami-0123456789abcdef0")
	r.want(4, build+" --worker worker", "was built, and /bp/ami/fleets/staging/gpu-default does not name it", "next: reconcile ami use staging/gpu-default ami-0123456789abcdef0")
	r.env[0] = "PATH=" + t.TempDir()
	r.want(1, build+" --worker worker", "packer is not on PATH", "next: packer version")
	r.empty()

	// A parameter of another data type could not be written: nothing is built.
	const parameter = "/bp/ami/fleets/staging/gpu-default"
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		byHand(t, box, "ssm", "AmazonSSM.DeleteParameter", `{"Name":"`+parameter+`"}`)
		put(ctx, t, cfg, parameter, "soon")
	})
	s := r.want(1, build+" --worker worker", "is a String of data type text", "next: aws ssm delete-parameter --name "+parameter)
	s.saysNot(t, "packer")

	bare := newRig(t, "")
	packs(t, bare, "made", "")
	bare.want(4, build+" --worker worker", "there is no bucket bp-reconcile-123456789012", "next: reconcile apply --stack bp-reconcile")
}

// An interrupt reaches Packer once, and its clean-up is waited for.
func TestAMIBuildInterrupted(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	packs(t, r, "waits", "")
	s := r.start("ami build staging/gpu-default --worker worker")
	if !s.after(1) {
		t.Fatal("it ended at once")
	}
	s.signal(t, syscall.SIGINT)
	if code := s.end(t); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, s.all)
	}
	said{err: s.all.String()}.says(t, "Terminating the source AWS instance", "interrupted; Packer took away what it made")
	if got := r.noted("signals"); got != "interrupted\n" {
		t.Errorf("signals %q", got)
	}
	r.empty()
}
