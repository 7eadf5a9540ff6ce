package stacks_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	astypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
)

const modelsBucket = "bp-models-123456789012"

// instance is a root folder of a worker whose AWS is a sandbox on a port, asked
// through the AWS CLI, with a metadata service and a systemd that write down
// what is asked of them.
type instance struct {
	t       *testing.T
	dir, id string
	env     []string
	script  string
	groups  *autoscaling.Client
	ssm     *ssm.Client
	s3      *s3.Client
}

func bootJudge(t *testing.T, name string) string {
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

func newInstance(t *testing.T) *instance {
	t.Helper()
	for _, tool := range []string{"aws", "bash", "curl", "python3"} {
		bootJudge(t, tool)
	}
	box, err := sandbox.Open(sandbox.Options{Seed: "boot", Scale: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	config := aws.Config{Region: "us-east-1", HTTPClient: box, Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", "")}
	i := &instance{t: t, dir: t.TempDir(), groups: autoscaling.NewFromConfig(config), ssm: ssm.NewFromConfig(config), s3: s3.NewFromConfig(config)}
	i.launch(cloudformation.NewFromConfig(config))
	services := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
			fmt.Fprint(w, "token")
		case r.URL.Path == "/latest/meta-data/instance-id" && r.Header.Get("X-aws-ec2-metadata-token") == "token":
			fmt.Fprint(w, i.id)
		case r.URL.Path == "/system_stats":
			fmt.Fprint(w, "{}")
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(services.Close)
	i.script = strings.NewReplacer(
		"/opt/", i.dir+"/opt/", "/var/log/", i.dir+"/var/log/",
		"${bp-data.ModelsBucketName}", modelsBucket, "${bp-compute.ApiBaseUrl}", "http://alb.example.com",
		"http://169.254.169.254", services.URL, "http://127.0.0.1:8188/system_stats", services.URL+"/system_stats",
	).Replace(userData(t, shipped(), fleetName))
	i.programs()
	i.env = []string{
		"PATH=" + filepath.Join(i.dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + i.dir, "INSTALL_ROOT=" + i.dir + "/opt/comfyui",
		"AWS_ENDPOINT_URL=" + server.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=example",
	}
	return i
}

// launch makes the group of the fleet with one instance.
func (i *instance) launch(stacks *cloudformation.Client) {
	i.t.Helper()
	ctx := i.t.Context()
	ami, err := i.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/ami/fleets/staging/gpu-default")})
	if err != nil {
		i.t.Fatal(err)
	}
	template := `{"Resources":{"T":{"Type":"AWS::EC2::LaunchTemplate","Properties":{"LaunchTemplateData":{"ImageId":"` + *ami.Parameter.Value + `","InstanceType":"g4dn.xlarge"}}},
"G":{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"AutoScalingGroupName":"asg-staging-gpu-default","MinSize":"0","MaxSize":"2","AvailabilityZones":["us-east-1a"],
"LaunchTemplate":{"LaunchTemplateId":{"Ref":"T"},"Version":{"Fn::GetAtt":["T","LatestVersionNumber"]}}}}}}`
	if _, err := stacks.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: aws.String("fleet"), TemplateBody: &template}); err != nil {
		i.t.Fatal(err)
	}
	desired := false
	waitFor(i.t, func() bool {
		g := i.group(ctx)
		if g == nil {
			return false
		}
		if !desired {
			_, err := i.groups.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: g.AutoScalingGroupName, DesiredCapacity: aws.Int32(1)})
			desired = err == nil
		}
		if len(g.Instances) == 1 && g.Instances[0].LifecycleState == astypes.LifecycleStateInService {
			i.id = *g.Instances[0].InstanceId
		}
		return i.id != ""
	})
}

func (i *instance) group(ctx context.Context) *astypes.AutoScalingGroup {
	out, err := i.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"asg-staging-gpu-default"}})
	if err != nil {
		i.t.Fatal(err)
	}
	if len(out.AutoScalingGroups) == 0 {
		return nil
	}
	return &out.AutoScalingGroups[0]
}

// programs lays out what the image and systemd have.
func (i *instance) programs() {
	i.t.Helper()
	for _, sub := range []string{"bin", "opt/worker", "opt/comfyui/bin", "opt/comfyui/models", "var/log"} {
		if err := os.MkdirAll(filepath.Join(i.dir, sub), 0o755); err != nil {
			i.t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(i.dir, "opt/comfyui/bin"), os.DirFS("../../packer/scripts")); err != nil {
		i.t.Fatal(err)
	}
	bin := filepath.Join(i.dir, "bin")
	program(i.t, bin, "systemctl", "echo \"systemctl $*\" >>"+i.dir+"/calls")
	program(i.t, bin, "shutdown", "echo \"shutdown $*\" >>"+i.dir+"/calls")
	program(i.t, bin, "sleep", "exit 0")
	// There may be no user ubuntu here; who owns the file is looked at in the call.
	program(i.t, bin, "install", `echo "install $*" >>`+i.dir+`/calls
for last; do :; done
umask 077
: >"$last"`)
}

func (i *instance) parameter(name, value string, kind ssmtypes.ParameterType) {
	i.t.Helper()
	if _, err := i.ssm.PutParameter(i.t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: kind, Overwrite: aws.Bool(true)}); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) put(key, body string) {
	i.t.Helper()
	_, _ = i.s3.CreateBucket(i.t.Context(), &s3.CreateBucketInput{Bucket: aws.String(modelsBucket)}) // it may be there
	if _, err := i.s3.PutObject(i.t.Context(), &s3.PutObjectInput{Bucket: aws.String(modelsBucket), Key: &key, Body: strings.NewReader(body)}); err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) boot() (string, error) {
	i.t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("bash", "-c", i.script)
	cmd.Env, cmd.Stdout, cmd.Stderr = i.env, &out, &out
	err := cmd.Run()
	return out.String(), err
}

// A worker boots against the sandbox: the bundle is really installed, the
// environment is whole and the worker's alone, and with nothing but that
// environment and the instance's role, scale-in protection works.
func TestBootAgainstTheSandbox(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	sum := sha256.Sum256([]byte("weights"))
	sha := hex.EncodeToString(sum[:])
	i.put("assets/checkpoint/"+sha, "weights")
	i.put("bundles/b-1/manifest.json", `{"manifest_version":1,"bundle_id":"b-1","name":"b","created_at":"2026-02-18T12:34:56Z","notes":null,"assets":[{"kind":"checkpoint","sha256":"`+sha+
		`","asset_s3_key":"assets/checkpoint/`+sha+`","original_filename":"m","target_path":"models/checkpoints/m.safetensors","action":"copy"}]}`)
	const secret = "feedfacefeedfacefeedfacefeedface"
	i.parameter("/bp/fleets/staging/fleet-secret", secret, ssmtypes.ParameterTypeSecureString)
	i.parameter("/bp/fleets/staging/gpu-default/active_bundle", "bundles/b-1/", ssmtypes.ParameterTypeString)
	out, err := i.boot()
	if err != nil || !strings.Contains(out, "worker is running") {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := read(filepath.Join(i.dir, "opt/comfyui/models/checkpoints/m.safetensors")); got != "weights" {
		t.Errorf("the bundle is not installed: %q\n%s", got, out)
	}
	if log := read(filepath.Join(i.dir, "var/log/comfyui-asset-sync.log")); strings.Count(log, "apply-bundle: bundle b-1 is installed") != 1 {
		t.Errorf("the log does not say once that the bundle is installed:\n%s", log)
	}
	file := filepath.Join(i.dir, "opt/worker/env")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("environment file: %v, %v", info, err)
	}
	if calls := read(i.dir + "/calls"); !strings.Contains(calls, "install -m 600 -o ubuntu -g ubuntu /dev/null "+file+".new\n") {
		t.Errorf("calls:\n%s", calls)
	}
	for _, path := range filesWith(t, i.dir, secret) {
		if path != file {
			t.Errorf("the secret is in %s, too", path)
		}
	}
	// The worker has its file and the role, no more; the region is in the file.
	worker := exec.Command("bash", "-c", `set -a; . "$0"; exec aws autoscaling set-instance-protection --auto-scaling-group-name "$ASG_NAME" --instance-ids "$WORKER_ID" --protected-from-scale-in`, file)
	worker.Env = i.env
	if out, err := worker.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if g := i.group(t.Context()); len(g.Instances) != 1 || !*g.Instances[0].ProtectedFromScaleIn {
		t.Errorf("not protected: %+v", g.Instances)
	}
}

// A worker that cannot read its secret is replaced by its group.
func TestFailedBootIsReplacedByTheGroup(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	_, _ = i.ssm.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String("/bp/fleets/staging/fleet-secret")}) // it may not be there
	// The CLI takes a second a call: one attempt is enough here.
	i.script = strings.ReplaceAll(i.script, "for attempt in 1 2 3 4 5", "for attempt in 5")
	out, err := i.boot()
	if err == nil && !strings.Contains(read(i.dir+"/calls"), "shutdown -h now") {
		t.Errorf("nobody noticed:\n%s", out)
	}
	if got := read(filepath.Join(i.dir, "opt/worker/env")); got != "" {
		t.Errorf("an environment was written: %s", got)
	}
	waitFor(t, func() bool {
		for _, in := range i.group(t.Context()).Instances {
			if *in.InstanceId != i.id && in.LifecycleState == astypes.LifecycleStateInService {
				return true
			}
		}
		return false
	})
	if t.Failed() {
		t.Logf("%s\n%s", out, read(i.dir+"/calls"))
	}
}

// filesWith are the files below a folder that hold a text.
func filesWith(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(read(path), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
