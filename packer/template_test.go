package packer_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// parse reads a file of the template with its blocks in order.
func parse(t *testing.T, name string) *hclsyntax.Body {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if formatted := hclwrite.Format(text); string(formatted) != string(text) {
		t.Errorf("%s is not formatted (-packer fmt +is):\n%s", name, cmp.Diff(string(formatted), string(text)))
	}
	return file.Body.(*hclsyntax.Body)
}

func block(t *testing.T, body *hclsyntax.Body, kind string, labels ...string) *hclsyntax.Body {
	t.Helper()
	for _, b := range body.Blocks {
		if b.Type == kind && slices.Equal(b.Labels, labels) {
			return b.Body
		}
	}
	t.Fatalf("no %s %v", kind, labels)
	return nil
}

// source is the text of an expression.
func source(t *testing.T, name string, body *hclsyntax.Body, attribute string) string {
	t.Helper()
	a, ok := body.Attributes[attribute]
	if !ok {
		t.Fatalf("no %s", attribute)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(a.Expr.Range().SliceBytes(text))
}

func TestContractVariables(t *testing.T) {
	body := parse(t, "variables.pkr.hcl")
	got := map[string]string{}
	for _, b := range body.Blocks {
		value, diags := b.Body.Attributes["default"].Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		got[b.Labels[0]] = value.AsString()
		if description, _ := b.Body.Attributes["description"].Expr.Value(nil); description.AsString() == "" {
			t.Errorf("%s has no description", b.Labels[0])
		}
	}
	for name, want := range map[string]string{
		"fleet_slug": "gpu-default", "aws_region": "us-east-1", "source_ami_owner": "099720109477", "instance_type": "g4dn.xlarge", "ssh_username": "ubuntu",
		"source_ami_filter_name": "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*",
		"models_s3_bucket":       "", "models_s3_prefix": "", "bundle_id": "", "packer_instance_profile": "",
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("variable %s has the default %q (there: %v), not %q", name, value, ok, want)
		}
	}
	text, err := os.ReadFile("comfyui-worker.pkr.hcl")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`var\.([a-z0-9_]+)`).FindAllStringSubmatch(string(text), -1) {
		used[m[1]] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("variables (-declared +used):\n%s", diff)
	}
}

func TestImageKeepsItsContract(t *testing.T) {
	const name = "comfyui-worker.pkr.hcl"
	body := parse(t, name)
	locals := block(t, body, "locals")
	image := block(t, body, "source", "amazon-ebs", "comfyui")
	if got := source(t, name, locals, "name"); !strings.HasPrefix(got, `"bp-comfyui-${var.fleet_slug}-${`) {
		t.Errorf("the image is named %s", got)
	}
	tags := source(t, name, locals, "tags") + source(t, name, locals, "lineage")
	for _, tag := range []string{"Name", "FleetSlug", "BuildTime", "ManagedBy", "BundleId", "NvidiaDriver", "CudaVersion", "ComfyUIRevision", "SpecRevision"} {
		if !regexp.MustCompile(`(?m)^\s*` + tag + `\s+= `).MatchString(tags) {
			t.Errorf("the image has no tag %s", tag)
		}
	}
	root := block(t, image, "launch_block_device_mappings")
	for attribute, want := range map[string]string{"device_name": `"/dev/sda1"`, "volume_size": "100", "volume_type": `"gp3"`, "encrypted": "true"} {
		if got := source(t, name, root, attribute); got != want {
			t.Errorf("root volume: %s is %s, not %s", attribute, got, want)
		}
	}
	if got := source(t, name, block(t, image, "metadata_options"), "http_tokens"); got != `"required"` {
		t.Errorf("the builder's metadata service: tokens are %s", got)
	}
	var scripts string
	for _, b := range block(t, body, "build").Blocks {
		if a, ok := b.Body.Attributes["scripts"]; ok && b.Type == "provisioner" {
			text, _ := os.ReadFile(name)
			scripts = string(a.Expr.Range().SliceBytes(text))
		}
	}
	var order []string
	for _, m := range regexp.MustCompile(`/scripts/([^"]+)`).FindAllStringSubmatch(scripts, -1) {
		order = append(order, m[1])
	}
	want := []string{"10-nvidia.sh", "20-comfyui.sh", "30-worker.sh", "40-cloudwatch-agent.sh", "50-apply-bundle.sh", "60-bake.sh", "90-clean.sh"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("provisioning order (-want +got):\n%s", diff)
	}
	amazon := block(t, block(t, parse(t, "plugins.pkr.hcl"), "packer"), "required_plugins")
	if _, ok := amazon.Attributes["amazon"]; !ok {
		t.Error("plugins.pkr.hcl does not require the plugin for Amazon")
	}
}

// debianPacker is a folder with what Debian's Packer can read: it knows neither
// required_plugins nor metadata_options. Nothing else is taken away.
func debianPacker(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS("scripts")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.pkr.hcl")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if name == "plugins.pkr.hcl" {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, diags := hclwrite.ParseConfig(text, name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if image := file.Body().FirstMatchingBlock("source", []string{"amazon-ebs", "comfyui"}); image != nil {
			image.Body().RemoveBlock(image.Body().FirstMatchingBlock("metadata_options", nil))
		}
		if err := os.WriteFile(filepath.Join(dir, name), file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPackerValidates(t *testing.T) {
	packer := judge(t, "packer")
	dir := debianPacker(t)
	worker := t.TempDir()
	for _, c := range []struct {
		args string
		want string // "" is valid
	}{
		{"-var worker_path=" + worker, ""},
		{"-var worker_path=" + worker + " -var bundle_id=b -var models_s3_bucket=bp-models-1 -var models_s3_prefix=bundles/b -var packer_instance_profile=p", ""},
		{"", "The worker program is not part of this repository"},
		{"-var worker_path=" + worker + "/none", "none"},
		{"-var worker_path=" + worker + " -var colour=red", "colour"},
	} {
		cmd := exec.Command(packer, append(append([]string{"validate"}, strings.Fields(c.args)...), ".")...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CHECKPOINT_DISABLE=1"}
		out, err := cmd.CombinedOutput()
		if (err == nil) != (c.want == "") || !strings.Contains(string(out), c.want) {
			t.Errorf("validate %s: %v\n%s", c.args, err, out)
		}
	}
}

// provision runs a script of the image with its paths below a folder.
func provision(t *testing.T, dir, name string, env ...string) (int, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("scripts", name))
	if err != nil {
		t.Fatal(err)
	}
	script := strings.NewReplacer("/opt/", dir+"/opt/", "/var/lib/packer-upload", dir+"/upload", "/etc/systemd", dir+"/etc/systemd").Replace(string(text))
	cmd := exec.Command(judge(t, "bash"), "-c", script)
	cmd.Env = append(env, "WORKER_USER=ubuntu")
	return run(t, cmd)
}

func TestMissingWorkerIsSaid(t *testing.T) {
	t.Parallel()
	path := "PATH=" + os.Getenv("PATH")
	empty, worker := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(worker, "worker.py"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	bake := []string{path, "WORKER_PATH=" + worker, "BUNDLE_ID=b", "MODELS_BUCKET=m", "INSTANCE_PROFILE=p", "BUNDLE_PREFIX=bundles/b/"}
	for _, c := range []struct {
		script string
		env    []string
		want   string
	}{
		{"00-check.sh", []string{path}, "worker_path is not set"},
		{"00-check.sh", []string{path, "WORKER_PATH=/none"}, "is no folder"},
		{"00-check.sh", []string{path, "WORKER_PATH=" + empty}, "has no worker.py"},
		{"00-check.sh", append(bake, "MODELS_BUCKET="), "models_s3_bucket is not"},
		{"00-check.sh", append(bake, "INSTANCE_PROFILE="), "packer_instance_profile is not"},
		{"00-check.sh", append(bake, "BUNDLE_PREFIX=bundles/c"), "is not bundles/b"},
		{"00-check.sh", bake, ""},
		{"30-worker.sh", []string{path}, "has no worker.py"},
	} {
		status, out := provision(t, empty, c.script, c.env...)
		if (status == 0) != (c.want == "") || !strings.Contains(out, c.want) {
			t.Errorf("%s with %v: status %d\n%s", c.script, c.env[1:], status, out)
		}
	}
}

// The installer is put where boot and Run Command call it, and bakes a bundle.
func TestBake(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	twoBundles(b)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "upload"), os.DirFS("scripts")); err != nil {
		t.Fatal(err)
	}
	b.root = filepath.Join(dir, "opt/comfyui")
	b.write("main.py", "comfyui\n")
	if status, out := provision(t, dir, "50-apply-bundle.sh", b.env...); status != 0 {
		t.Fatalf("status %d\n%s", status, out)
	}
	env := append(b.env, "INSTALL_ROOT="+b.root, "BUNDLE_PREFIX=bundles/one")
	baked := filepath.Join(b.root, ".baked_bundle_id")
	if status, out := provision(t, dir, "60-bake.sh", append(env, "BUNDLE_ID=")...); status != 0 || !strings.Contains(out, "no bundle to bake") {
		t.Errorf("base image: status %d\n%s", status, out)
	}
	if status, out := provision(t, dir, "60-bake.sh", append(env, "BUNDLE_ID=two")...); status == 0 || !strings.Contains(out, "models_s3_prefix and bundle_id differ") {
		t.Errorf("other id: status %d\n%s", status, out)
	}
	if _, err := os.Stat(baked); err == nil {
		t.Error("a base image or a wrong one says that a bundle is baked")
	}
	if status, out := provision(t, dir, "60-bake.sh", append(env, "BUNDLE_ID=one")...); status != 0 {
		t.Fatalf("bake: status %d\n%s", status, out)
	}
	if got, _ := os.ReadFile(baked); string(got) != "one\n" || b.active() != "one" {
		t.Errorf("baked %q, active %q", got, b.active())
	}
}
