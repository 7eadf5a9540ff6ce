package sandbox_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/pkg/sandbox"
)

// The AWS CLI drives the sandbox: a client and a parser that nobody here
// wrote. Each command says what its output, or its error, must contain.
func TestAWSCLI(t *testing.T) {
	t.Parallel()
	cli := awsCLI(t)
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	template := "file://" + write("fleet.json", *fleetTemplate(t).body(t))
	object := write("object", `{"manifest_version":1}`)
	stock := stockedAMI(t, box, "/bp/ami/fleets/staging/gpu-default")

	runCLI(t, cli, server.URL, dir, clk, []cliStep{
		{command: "sts get-caller-identity", want: []string{`"Account": "123456789012"`}},

		{command: "ssm put-parameter --name /cli/a --value one --type String", want: []string{`"Version": 1`}},
		{command: "ssm put-parameter --name /cli/a --value two --type String", fails: true, want: []string{"(ParameterAlreadyExists)"}},
		{command: "ssm put-parameter --name /cli/a --value two --overwrite", want: []string{`"Version": 2`}},
		{command: "ssm get-parameters --names /cli/a /cli/b", want: []string{`"Value": "two"`, `"InvalidParameters": [`, `"/cli/b"`, `"Version": 2`}},
		{command: "ssm get-parameter --name /cli/none", fails: true, want: []string{"(ParameterNotFound)"}},
		{command: "ssm get-parameter-history --name /cli/a --query Parameters[].Value --output text", want: []string{"one\ttwo"}},
		{command: "ssm describe-parameters --parameter-filters Key=Name,Option=BeginsWith,Values=/cli/", want: []string{`"Name": "/cli/a"`, `"Version": 2`}},
		{command: "ssm get-parameters-by-path --path /cli --recursive", want: []string{`"/cli/a"`}},
		{command: "ssm get-parameter --name /bp/ami/fleets/staging/gpu-default", want: []string{stock, `"aws:ec2:image"`}},
		{command: "ssm delete-parameter --name /cli/a"},

		{command: "cloudformation validate-template --template-body " + template, want: []string{"One of each resource"}},
		{command: "cloudformation describe-stacks --stack-name nope", fails: true, want: []string{"(ValidationError)", "Stack with id nope does not exist"}},
		{command: "cloudformation create-change-set --stack-name fleet --change-set-name c --change-set-type CREATE --template-body " + template + " --tags Key=owner,Value=platform", want: []string{"arn:aws:cloudformation:us-east-1:123456789012:changeSet/c/"}},
		{command: "cloudformation describe-change-set --stack-name fleet --change-set-name c", pass: time.Minute, want: []string{`"Status": "CREATE_COMPLETE"`, `"Action": "Add"`, `"AWS::AutoScaling::AutoScalingGroup"`}},
		{command: "cloudformation execute-change-set --stack-name fleet --change-set-name c"},
		{command: "cloudformation describe-stacks --stack-name fleet", pass: time.Hour, want: []string{`"StackStatus": "CREATE_COMPLETE"`, `"OutputKey": "TemplateVersion"`, `"Value": "platform"`}},
		{command: "cloudformation list-stacks --stack-status-filter CREATE_COMPLETE", want: []string{`"StackName": "fleet"`}},
		{command: "cloudformation list-stack-resources --stack-name fleet", want: []string{`"PhysicalResourceId": "staging-gpu-default"`}},
		{command: "cloudformation describe-stack-events --stack-name fleet --max-items 3", want: []string{`"ResourceStatus"`}},
		{command: "cloudformation get-template --stack-name fleet", want: []string{"/bp/laravel/app-key"}},
		{command: "cloudformation update-stack --stack-name fleet --use-previous-template --tags Key=owner,Value=platform", fails: true, want: []string{"No updates are to be performed."}},

		{command: "autoscaling describe-auto-scaling-groups --auto-scaling-group-names staging-gpu-default", want: []string{`"MaxSize": 4`, `"InstanceType": "g5.xlarge"`, `"CapacityRebalance": true`, `"SpotAllocationStrategy": "capacity-optimized-prioritized"`}},
		{command: "autoscaling set-desired-capacity --auto-scaling-group-name staging-gpu-default --desired-capacity 9", fails: true, want: []string{"(ValidationError)", "New SetDesiredCapacity value 9 is above max value 4 for the AutoScalingGroup."}},
		{command: "autoscaling set-desired-capacity --auto-scaling-group-name staging-gpu-default --desired-capacity 1"},
		{command: "autoscaling describe-scaling-activities --auto-scaling-group-name staging-gpu-default", want: []string{"Launching a new EC2 instance: i-"}},
		{command: "autoscaling update-auto-scaling-group --auto-scaling-group-name staging-gpu-default --max-size 0"},

		{command: "ec2 describe-launch-templates --launch-template-names staging-gpu-default", want: []string{`"LatestVersionNumber": 1`, `"LaunchTemplateName": "staging-gpu-default"`}},
		{command: "ec2 describe-launch-template-versions --versions $Latest", want: []string{stock, `"InstanceType": "g4dn.xlarge"`, `"VersionNumber": 1`, `"VolumeSize": 100`, `"HttpTokens": "required"`, `"Key": "FleetSlug"`, `"DefaultVersion": true`}},
		{command: "ec2 create-launch-template-version --launch-template-name staging-gpu-default --source-version 1 --launch-template-data {\"InstanceType\":\"g6.xlarge\"}", want: []string{`"VersionNumber": 2`, `"InstanceType": "g6.xlarge"`, stock}},
		{command: "ec2 describe-launch-template-versions --launch-template-name staging-gpu-default --versions 7", fails: true, want: []string{"(InvalidLaunchTemplateId.VersionNotFound)"}},
		{command: "ec2 describe-images --image-ids " + stock, want: []string{`"State": "available"`}},
		{command: "ec2 describe-images --image-ids ami-0123456789abcdef0", fails: true, want: []string{"(InvalidAMIID.NotFound)", "The image id '[ami-0123456789abcdef0]' does not exist"}},
		{command: "ec2 describe-availability-zones", want: []string{`"ZoneName": "us-east-1c"`, `"ZoneId": "use1-az3"`}},
		{command: "ec2 describe-vpcs --filters Name=tag:Name,Values=bp", want: []string{`"CidrBlock": "10.0.0.0/16"`}},
		{command: "ec2 describe-subnets --filters Name=availability-zone,Values=us-east-1b", want: []string{`"CidrBlock": "10.0.0.0/24"`}},
		{command: "ec2 describe-security-groups --filters Name=group-name,Values=work*", want: []string{`"Description": "workers"`}},
		{command: "ec2 describe-vpcs --filters Name=colour,Values=red", fails: true, want: []string{"(InvalidParameterValue)", "The filter 'colour' is invalid"}},

		{command: "secretsmanager describe-secret --secret-id /bp/laravel/app-key", want: []string{`"Name": "/bp/laravel/app-key"`}},
		{command: "secretsmanager get-secret-value --secret-id /bp/laravel/app-key", fails: true, want: []string{"(ResourceNotFoundException)", "staging label: AWSCURRENT"}},
		{command: "secretsmanager put-secret-value --secret-id /bp/laravel/app-key --secret-string base64:x", want: []string{`"AWSCURRENT"`}},
		{command: "secretsmanager get-secret-value --secret-id /bp/laravel/app-key", want: []string{`"SecretString": "base64:x"`}},
		{command: "secretsmanager list-secrets", want: []string{`"/bp/rds/master-credentials"`}},

		{command: "ecr describe-images --repository-name bp-backend --image-ids imageTag=php-latest", want: []string{`"imageDigest": "sha256:`, `"php-latest"`}},
		{command: "ecr describe-repositories --repository-names nope", fails: true, want: []string{"(RepositoryNotFoundException)"}},
		{command: "ecs describe-services --cluster bp --services bp-backend", want: []string{`"rolloutState": "COMPLETED"`, `"runningCount": 1`}},
		{command: "ecs describe-services --cluster none --services bp-backend", fails: true, want: []string{"(ClusterNotFoundException)"}},

		{command: "logs create-log-group --log-group-name /gpu-workers/cli"},
		{command: "logs create-log-group --log-group-name /gpu-workers/cli", fails: true, want: []string{"(ResourceAlreadyExistsException)"}},
		{command: "logs put-retention-policy --log-group-name /gpu-workers/cli --retention-in-days 31", fails: true, want: []string{"(InvalidParameterException)"}},
		{command: "logs put-retention-policy --log-group-name /gpu-workers/cli --retention-in-days 30"},
		{command: "logs describe-log-groups --log-group-name-prefix /gpu-workers/", want: []string{`"retentionInDays": 30`}},
		{command: "acm describe-certificate --certificate-arn arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555", want: []string{`"Status": "ISSUED"`}},

		{command: "s3api create-bucket --bucket cli-bucket", want: []string{"/cli-bucket"}},
		{command: "s3api put-object --bucket cli-bucket --key a/b.json --body " + object + " --checksum-algorithm SHA256", want: []string{`"ETag"`}},
		{command: "s3api put-object --bucket cli-bucket --key a/b.json --body " + object + " --if-none-match *", fails: true, want: []string{"(PreconditionFailed)"}},
		{command: "s3api head-object --bucket cli-bucket --key a/b.json", want: []string{`"ContentLength": 22`}},
		{command: "s3api list-objects-v2 --bucket cli-bucket --prefix a/", want: []string{`"Key": "a/b.json"`}},
		{command: "s3 cp s3://cli-bucket/a/b.json -", want: []string{`{"manifest_version":1}`}},
		{command: "s3api delete-bucket --bucket cli-bucket", fails: true, want: []string{"(BucketNotEmpty)"}},
		{command: "s3 rb s3://cli-bucket --force", want: []string{"remove_bucket: cli-bucket"}},

		{command: "cloudformation update-termination-protection --stack-name fleet --enable-termination-protection", want: []string{"StackId"}},
		{command: "cloudformation delete-stack --stack-name fleet", fails: true, want: []string{"(ValidationError)", "TerminationProtection is enabled"}},
	})
}

// cliStep is a command with what its output, or its error, must contain.
type cliStep struct {
	command string
	want    []string
	fails   bool
	usage   bool          // the CLI itself refuses it
	pass    time.Duration // that goes by before the command
	hand    func() error  // what somebody does before it
}

// exits are the codes that a step may end with. Version 1 of the CLI ends with
// 255 when a service refuses and with 2 on wrong usage, version 2 with 254 and 252.
func (s *cliStep) exits() []int {
	switch {
	case s.usage:
		return []int{2, 252}
	case s.fails:
		return []int{254, 255}
	}
	return []int{0}
}

// awsCLI is the AWS CLI's path; the test is skipped, or fails where the judges
// are required, when there is none.
func awsCLI(t *testing.T) string {
	t.Helper()
	cli, err := exec.LookPath("aws")
	if err != nil && os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
		t.Fatal("the AWS CLI is not on PATH")
	}
	if err != nil {
		t.Skip("the AWS CLI is not on PATH")
	}
	if testing.Short() {
		t.Skip("starts the AWS CLI many times")
	}
	return cli
}

// runCLI runs commands. Where the CLI is a Python package, one process runs
// them all: starting it is what takes the time.
func runCLI(t *testing.T, cli, address, home string, clk *clock, steps []cliStep) {
	t.Helper()
	environment := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1", "AWS_PAGER=",
	}
	run := func(words []string) (string, int) {
		cmd := exec.Command(cli, words...)
		cmd.Env = environment
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	if python := pythonCLI(t, environment); python != nil {
		run = python
	}
	for _, step := range steps {
		if step.hand != nil {
			if err := step.hand(); err != nil {
				t.Fatal(err)
			}
		}
		clk.pass(step.pass)
		out, code := run(append([]string{"--endpoint-url", address}, strings.Fields(step.command)...))
		if want := step.exits(); !slices.Contains(want, code) {
			t.Errorf("aws %s: exit code %d, want %v\n%s", step.command, code, want, out)
			continue
		}
		for _, want := range step.want {
			if !strings.Contains(out, want) {
				t.Errorf("aws %s\nhas no %s in:\n%s", step.command, want, out)
			}
		}
	}
}

// pythonCLI is the CLI in one Python process; nil when Python has no awscli.
func pythonCLI(t *testing.T, environment []string) func(words []string) (string, int) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import awscli").Run() != nil {
		return nil
	}
	cmd := exec.Command(python, "testdata/cli.py")
	cmd.Env, cmd.Stderr = environment, os.Stderr
	in := must[io.WriteCloser](t)(cmd.StdinPipe())
	out := must[io.ReadCloser](t)(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	answers := json.NewDecoder(out)
	return func(words []string) (string, int) {
		line := must[[]byte](t)(json.Marshal(words))
		if _, err := in.Write(append(line, '\n')); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Code int
			Out  string
		}
		if err := answers.Decode(&answer); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return answer.Out, answer.Code
	}
}
