package sandbox_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// tree is a template that a test edits.
type tree map[string]any

func fleetTemplate(t testing.TB) tree {
	t.Helper()
	b := must[[]byte](t)(os.ReadFile("testdata/fleet.json"))
	var m tree
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// set changes one property: set("Fleet", "MaxSize", "2").
func (m tree) set(resource, property string, v any) tree {
	m["Resources"].(map[string]any)[resource].(map[string]any)["Properties"].(map[string]any)[property] = v
	return m
}

// only keeps some resources, without the outputs.
func (m tree) only(resources ...string) tree {
	kept := map[string]any{}
	for _, r := range resources {
		kept[r] = m["Resources"].(map[string]any)[r]
	}
	return tree{"Resources": kept}
}

func (m tree) body(t testing.TB) *string {
	t.Helper()
	b := must[[]byte](t)(json.Marshal(m))
	return aws.String(string(b))
}

var namedIAM = []cfntypes.Capability{cfntypes.CapabilityCapabilityNamedIam}

// stacks drives CloudFormation in virtual time.
type stacks struct {
	t   testing.TB
	clk *clock
	c   *cloudformation.Client
	// unchecked switches early validation off: the handlers refuse then.
	unchecked bool
}

func newStacks(t testing.TB, s *sandbox.Sandbox, clk *clock) *stacks {
	return &stacks{t: t, clk: clk, c: cloudformation.NewFromConfig(config(s))}
}

func newStacksIn(t testing.TB, s *sandbox.Sandbox, clk *clock, region string) *stacks {
	c := config(s)
	c.Region = region
	return &stacks{t: t, clk: clk, c: cloudformation.NewFromConfig(c)}
}

// remove deletes a stack and waits.
func (s *stacks) remove(name string) cfntypes.Stack {
	s.t.Helper()
	id := s.settle(name).StackId
	if _, err := s.c.DeleteStack(s.t.Context(), &cloudformation.DeleteStackInput{StackName: id}); err != nil {
		s.t.Fatal(err)
	}
	return s.settle(*id)
}

// settle lets time pass until no operation runs on the stack.
func (s *stacks) settle(name string) cfntypes.Stack {
	s.t.Helper()
	for range 5000 {
		out, err := s.c.DescribeStacks(s.t.Context(), &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			s.t.Fatal(err)
		}
		if st := out.Stacks[0]; !strings.HasSuffix(string(st.StackStatus), "_IN_PROGRESS") {
			return st
		}
		s.clk.pass(10 * time.Second)
	}
	s.t.Fatalf("%s never settles", name)
	return cfntypes.Stack{}
}

func (s *stacks) create(name string, m tree) cfntypes.Stack {
	s.t.Helper()
	out, err := s.c.CreateStack(s.t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: m.body(s.t), DisableValidation: &s.unchecked, Capabilities: namedIAM, Tags: []cfntypes.Tag{{Key: aws.String("owner"), Value: aws.String("platform")}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.settle(*out.StackId)
}

func (s *stacks) update(name string, m tree) cfntypes.Stack {
	s.t.Helper()
	if _, err := s.c.UpdateStack(s.t.Context(), &cloudformation.UpdateStackInput{StackName: &name, TemplateBody: m.body(s.t), Capabilities: namedIAM, Tags: []cfntypes.Tag{{Key: aws.String("owner"), Value: aws.String("platform")}}}); err != nil {
		s.t.Fatal(err)
	}
	return s.settle(name)
}

func (s *stacks) want(st cfntypes.Stack, status cfntypes.StackStatus) {
	s.t.Helper()
	if st.StackStatus == status {
		return
	}
	s.t.Fatalf("%s is %s (%s), want %s\n%s", *st.StackName, st.StackStatus, aws.ToString(st.StackStatusReason), status, strings.Join(s.reasons(*st.StackId), "\n"))
}

// reasons are the texts of the stack's events, the newest first.
func (s *stacks) reasons(id string) []string {
	s.t.Helper()
	out, err := s.c.DescribeStackEvents(s.t.Context(), &cloudformation.DescribeStackEventsInput{StackName: &id})
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for _, e := range out.StackEvents {
		if r := aws.ToString(e.ResourceStatusReason); r != "" {
			lines = append(lines, *e.LogicalResourceId+" "+string(e.ResourceStatus)+": "+r)
		}
	}
	return lines
}

// What a stack makes, the services show; what it updates, they follow; what it
// deletes, they do not have any more.
func TestStackAndServices(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	ctx, s := t.Context(), newStacks(t, box, clk)
	st := s.create("fleet", fleetTemplate(t))
	s.want(st, cfntypes.StackStatusCreateComplete)

	outputs := map[string]string{}
	for _, o := range st.Outputs {
		outputs[*o.OutputKey] = *o.OutputValue
	}
	if outputs["TemplateVersion"] != "1" || outputs["LogsArn"] != "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/bp-backend:*" || !strings.HasPrefix(outputs["SecretArn"], "arn:aws:secretsmanager:us-east-1:123456789012:secret:/bp/laravel/app-key-") {
		t.Errorf("outputs %v", outputs)
	}
	asg := autoscaling.NewFromConfig(config(box))
	group := func() autoscaling.DescribeAutoScalingGroupsOutput {
		return *must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(asg.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"staging-gpu-default", "nope"}}))
	}
	g := group().AutoScalingGroups[0]
	spec := g.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification
	if *g.MinSize != 0 || *g.MaxSize != 4 || *g.DesiredCapacity != 0 || *spec.Version != "1" || *spec.LaunchTemplateName != "staging-gpu-default" || !*g.CapacityRebalance ||
		*g.DefaultInstanceWarmup != 300 || len(g.MixedInstancesPolicy.LaunchTemplate.Overrides) != 2 || *g.MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity != 0 {
		t.Errorf("group %+v", g)
	}
	if d := cmp.Diff([]string{"us-east-1b"}, g.AvailabilityZones); d != "" {
		t.Error(d)
	}
	par := must[*ssm.GetParameterOutput](t)(ssmClient(box).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")}))
	if *par.Parameter.Value != "bp-models-123456789012" {
		t.Errorf("parameter %s", *par.Parameter.Value)
	}
	secrets := secretsmanager.NewFromConfig(config(box))
	key := must[*secretsmanager.DescribeSecretOutput](t)(secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: aws.String("/bp/laravel/app-key")}))
	if len(key.VersionIdsToStages) != 0 {
		t.Errorf("a secret declared without value has versions: %v", key.VersionIdsToStages)
	}
	_, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("/bp/laravel/app-key")})
	wantCode(t, err, "ResourceNotFoundException")
	master := must[*secretsmanager.GetSecretValueOutput](t)(secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String("/bp/rds/master-credentials")}))
	var creds struct{ Username, Password string }
	if err := json.Unmarshal([]byte(*master.SecretString), &creds); err != nil || creds.Username != "admin" || len(creds.Password) != 24 || strings.ContainsAny(creds.Password, `"@/\`) {
		t.Errorf("generated credentials: user %s, %d characters, %v", creds.Username, len(creds.Password), err)
	}
	logs := cloudwatchlogs.NewFromConfig(config(box))
	lg := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs/")}))
	if len(lg.LogGroups) != 1 || *lg.LogGroups[0].RetentionInDays != 30 {
		t.Errorf("log groups %+v", lg.LogGroups)
	}
	repos := must[*ecr.DescribeRepositoriesOutput](t)(ecr.NewFromConfig(config(box)).DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{}))
	if len(repos.Repositories) != 1 || !repos.Repositories[0].ImageScanningConfiguration.ScanOnPush {
		t.Errorf("repositories %+v", repos.Repositories)
	}
	svc := must[*ecs.DescribeServicesOutput](t)(ecs.NewFromConfig(config(box)).DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("bp"), Services: []string{"bp-backend", "other"}}))
	if len(svc.Services) != 1 || svc.Services[0].DesiredCount != 1 || svc.Services[0].RunningCount != 1 || svc.Services[0].Deployments[0].RolloutState != "COMPLETED" || len(svc.Failures) != 1 {
		t.Errorf("services %+v", svc)
	}
	if _, err := s3.NewFromConfig(config(box)).HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String("bp-models-123456789012")}); err != nil {
		t.Error(err)
	}

	// The autoscaler's capacity survives an update, except where it leaves the bounds.
	must[*autoscaling.SetDesiredCapacityOutput](t)(asg.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("staging-gpu-default"), DesiredCapacity: aws.Int32(3)}))
	clk.pass(time.Minute)
	m := fleetTemplate(t)
	data := m["Resources"].(map[string]any)["Template"].(map[string]any)["Properties"].(map[string]any)["LaunchTemplateData"].(map[string]any)
	data["InstanceType"] = "g5.xlarge"
	s.want(s.update("fleet", m), cfntypes.StackStatusUpdateComplete)
	g = group().AutoScalingGroups[0]
	if *g.DesiredCapacity != 3 || len(g.Instances) != 3 || *g.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version != "2" {
		t.Errorf("after an update: desired %d, %d instances, version %s", *g.DesiredCapacity, len(g.Instances), *g.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version)
	}
	s.want(s.update("fleet", m.set("Fleet", "MaxSize", "2")), cfntypes.StackStatusUpdateComplete)
	if g = group().AutoScalingGroups[0]; *g.DesiredCapacity != 2 {
		t.Errorf("lowering MaxSize leaves desired at %d", *g.DesiredCapacity)
	}

	st = s.settle("fleet")
	must[*cloudformation.DeleteStackOutput](t)(s.c.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: aws.String("fleet")}))
	s.want(s.settle(*st.StackId), cfntypes.StackStatusDeleteComplete)
	if n := len(group().AutoScalingGroups); n != 0 {
		t.Errorf("%d groups after the delete", n)
	}
	name := aws.String("/bp/laravel/app-key")
	if _, err := secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: name}); err == nil {
		t.Error("CloudFormation deletes a secret without a recovery window")
	}
	// facts: failure-modes C12.
	must[*secretsmanager.CreateSecretOutput](t)(secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name}))
	must[*secretsmanager.DeleteSecretOutput](t)(secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: name}))
	again := s.create("again", fleetTemplate(t).only("AppKey"))
	s.want(again, cfntypes.StackStatusRollbackComplete)
	if all := strings.Join(s.reasons(*again.StackId), "\n"); !strings.Contains(all, "You can't create this secret because a secret with this name is already scheduled for deletion.") {
		t.Error(all)
	}
}

// What exists outside of a stack refuses a stack that declares it, and is not
// touched by the rollback.
func TestNameTakenOutsideOfStacks(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	ctx, s := t.Context(), newStacks(t, box, clk)
	logs := cloudwatchlogs.NewFromConfig(config(box))
	must[*cloudwatchlogs.CreateLogGroupOutput](t)(logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/ecs/bp-backend")}))
	must[*ssm.PutParameterOutput](t)(ssmClient(box).PutParameter(ctx, put("/bp/models/bucket", "mine")))
	must[*ecr.CreateRepositoryOutput](t)(ecr.NewFromConfig(config(box)).CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String("bp-backend")}))
	must[*s3.CreateBucketOutput](t)(s3.NewFromConfig(config(box)).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bp-models-123456789012")}))
	for resource, text := range map[string]string{
		"Logs":       "The specified log group already exists",
		"Repository": "The repository with name 'bp-backend' already exists",
		"Models":     "you already own it",
	} {
		t.Run(resource, func(t *testing.T) {
			st := s.create("taken-"+resource, fleetTemplate(t).only(resource))
			s.want(st, cfntypes.StackStatusRollbackComplete)
			if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, text) || !strings.Contains(all, "HandlerErrorCode: AlreadyExists") {
				t.Error(all)
			}
		})
	}
	st := s.create("taken-Parameter", fleetTemplate(t).only("Parameter").set("Parameter", "Value", "theirs"))
	s.want(st, cfntypes.StackStatusRollbackComplete)
	if v := must[*ssm.GetParameterOutput](t)(ssmClient(box).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")})); *v.Parameter.Value != "mine" {
		t.Errorf("the rollback changed somebody's parameter to %q", *v.Parameter.Value)
	}
	if out := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})); len(out.LogGroups) != 1 {
		t.Error("the rollback deleted somebody's log group")
	}
}

// In a bare account a service whose image was never pushed does not start.
func TestServiceWithoutImage(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now, Bare: true})
	s := newStacks(t, box, clk)
	m := fleetTemplate(t)
	m = m.only("Vpc", "Subnet", "Group", "Repository", "Cluster", "Task", "Service")
	st := s.create("backend", m)
	s.want(st, cfntypes.StackStatusRollbackComplete)
	if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.") {
		t.Error(all)
	}
	c := ecr.NewFromConfig(config(box))
	must[*ecr.CreateRepositoryOutput](t)(c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("elsewhere")}))
	delete(m["Resources"].(map[string]any), "Repository")
	must[*ecr.CreateRepositoryOutput](t)(c.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("bp-backend")}))
	must[*ecr.PutImageOutput](t)(c.PutImage(t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("bp-backend"), ImageTag: aws.String("php-latest"), ImageManifest: aws.String(`{"schemaVersion":2}`)}))
	m.set("Task", "ContainerDefinitions", []any{map[string]any{"Name": "php-fpm", "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/bp-backend:php-latest"}})
	s.want(s.create("backend2", m), cfntypes.StackStatusCreateComplete)
}

// In a bare account the AMI parameter does not exist, so the template that
// refers to it cannot be deployed.
func TestBareAccountHasNoAMI(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now, Bare: true})
	_, err := ssmClient(box).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/bp/ami/fleets/staging/gpu-default")})
	wantCode(t, err, "ParameterNotFound")
	s := newStacks(t, box, clk)
	m := fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet")
	data := m["Resources"].(map[string]any)["Template"].(map[string]any)["Properties"].(map[string]any)["LaunchTemplateData"].(map[string]any)
	data["ImageId"] = "ami-0123456789abcdef0"
	st := s.create("fleet", m)
	s.want(st, cfntypes.StackStatusRollbackComplete)
	if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, "The image id '[ami-0123456789abcdef0]' does not exist") {
		t.Error(all)
	}
}

func TestBucketThatIsNotEmptyStaysBehind(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	st := s.create("data", fleetTemplate(t).only("Models"))
	s.want(st, cfntypes.StackStatusCreateComplete)
	c := s3.NewFromConfig(config(box))
	in := &s3.PutObjectInput{Bucket: aws.String("bp-models-123456789012"), Key: aws.String("a"), Body: strings.NewReader("x")}
	put := must[*s3.PutObjectOutput](t)(c.PutObject(t.Context(), in))
	must[*s3.DeleteObjectOutput](t)(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key}))
	del := func() cfntypes.Stack {
		must[*cloudformation.DeleteStackOutput](t)(s.c.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: aws.String("data")}))
		return s.settle(*st.StackId)
	}
	failed := del()
	s.want(failed, cfntypes.StackStatusDeleteFailed)
	if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, "You must delete all versions in the bucket.") {
		t.Error(all)
	}
	versions := must[*s3.ListObjectVersionsOutput](t)(c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: in.Bucket}))
	if len(versions.Versions) != 1 || len(versions.DeleteMarkers) != 1 || *versions.Versions[0].VersionId != *put.VersionId {
		t.Fatalf("versions %+v", versions)
	}
	for _, id := range []*string{versions.Versions[0].VersionId, versions.DeleteMarkers[0].VersionId} {
		must[*s3.DeleteObjectOutput](t)(c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: id}))
	}
	s.want(del(), cfntypes.StackStatusDeleteComplete)
}

// A template may come from the sandbox's own S3.
func TestTemplateFromS3(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	c := s3.NewFromConfig(config(box))
	must[*s3.CreateBucketOutput](t)(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("templates")}))
	must[*s3.PutObjectOutput](t)(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("templates"), Key: aws.String("a/logs.json"), Body: strings.NewReader(*fleetTemplate(t).only("Logs").body(t))}))
	s := newStacks(t, box, clk)
	for i, url := range []string{"https://templates.s3.us-east-1.amazonaws.com/a/logs.json", "https://s3.us-east-1.amazonaws.com/templates/a/logs.json"} {
		name := aws.String([]string{"virtual", "path"}[i])
		must[*cloudformation.CreateStackOutput](t)(s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: name, TemplateURL: &url}))
		st := s.settle(*name)
		if i == 0 {
			s.want(st, cfntypes.StackStatusCreateComplete)
		} else { // the first one has the name
			s.want(st, cfntypes.StackStatusRollbackComplete)
		}
	}
	for url, text := range map[string]string{
		"https://templates.example.com/a":                   "S3 error: Domain name specified in templates.example.com is not a valid S3 domain",
		"https://none.s3.us-east-1.amazonaws.com/a":         "S3 error: The specified bucket does not exist",
		"https://templates.s3.us-east-1.amazonaws.com/none": "S3 error: The specified key does not exist.",
	} {
		_, err := s.c.ValidateTemplate(t.Context(), &cloudformation.ValidateTemplateInput{TemplateURL: &url})
		wantCode(t, err, "ValidationError")
		if !containsText(err, text) {
			t.Errorf("%v, want %q", err, text)
		}
	}
}
