package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// backend is a service in an account of its own, without its stack.
type backend struct {
	t   *testing.T
	box *sandbox.Sandbox
	clk *clock
	s   *stacks
	c   *ecs.Client
	m   tree
}

func newBackend(t *testing.T, bare bool) *backend {
	t.Helper()
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now, Bare: bare})
	b := &backend{t, box, clk, newStacks(t, box, clk), ecs.NewFromConfig(config(box)), fleetTemplate(t).only("Vpc", "Subnet", "Group", "Repository", "Cluster", "Task", "Service")}
	return b
}

// container sets a member of the only container.
func (b *backend) container(name string, v any) {
	b.m["Resources"].(map[string]any)["Task"].(map[string]any)["Properties"].(map[string]any)["ContainerDefinitions"].([]any)[0].(map[string]any)[name] = v
}

func (b *backend) breaker(enable, rollback bool) {
	b.m.set("Service", "DeploymentConfiguration", map[string]any{"DeploymentCircuitBreaker": map[string]any{"Enable": enable, "Rollback": rollback}})
}

func (b *backend) push(tag string) {
	b.t.Helper()
	must[*ecr.PutImageOutput](b.t)(ecr.NewFromConfig(config(b.box)).PutImage(b.t.Context(), &ecr.PutImageInput{RepositoryName: aws.String("bp-backend"), ImageTag: &tag, ImageManifest: aws.String(`{"schemaVersion":2,"tag":"` + tag + `"}`)}))
}

func (b *backend) service() types.Service {
	b.t.Helper()
	return must[*ecs.DescribeServicesOutput](b.t)(b.c.DescribeServices(b.t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("bp"), Services: []string{"bp-backend"}})).Services[0]
}

func (b *backend) events() string {
	b.t.Helper()
	var lines []string
	for _, e := range b.service().Events {
		lines = append(lines, *e.Message)
	}
	return strings.Join(lines, "\n")
}

const image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/bp-backend:"

// A service whose new image is missing fails its update when the circuit
// breaker trips, and runs the old revision afterwards: ECS itself returned to
// it (failure-modes F11, F12, F13).
func TestCircuitBreakerRollsBack(t *testing.T) {
	b := newBackend(t, false)
	b.s.want(b.s.create("backend", b.m), cfntypes.StackStatusCreateComplete)
	first := *b.service().TaskDefinition
	must[*ecr.BatchDeleteImageOutput](t)(ecr.NewFromConfig(config(b.box)).BatchDeleteImage(t.Context(), &ecr.BatchDeleteImageInput{RepositoryName: aws.String("bp-backend"), ImageIds: tagIDs("next")}))
	b.container("Image", image+"next")
	began := b.clk.now()
	st := b.s.update("backend", b.m)
	b.s.want(st, cfntypes.StackStatusUpdateRollbackComplete)
	if took := b.clk.now().Sub(began); took < 3*time.Minute || took > 30*time.Minute {
		t.Errorf("it took %s", took)
	}
	all := strings.Join(b.s.reasons(*st.StackId), "\n")
	if !strings.Contains(all, "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.") || !strings.Contains(all, "HandlerErrorCode: GeneralServiceException") {
		t.Error(all)
	}
	svc := b.service()
	if *svc.TaskDefinition != first || svc.RunningCount != 1 || len(svc.Deployments) != 1 || svc.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted {
		t.Errorf("after the rollback: %s, %d running, %+v", *svc.TaskDefinition, svc.RunningCount, svc.Deployments)
	}
	for _, want := range []string{"deployment failed: tasks failed to start.", "CannotPullContainerError", image + "next: not found", "rolling back to deployment ecs-svc/", "has reached a steady state."} {
		if !strings.Contains(b.events(), want) {
			t.Errorf("no event says %q:\n%s", want, b.events())
		}
	}
}

// Without a circuit breaker it waits for the image: as long as CloudFormation
// does, and no longer.
func TestServiceWaitsForItsImage(t *testing.T) {
	b := newBackend(t, true)
	b.breaker(false, false)
	must[*cloudformation.CreateStackOutput](t)(b.s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("backend"), TemplateBody: b.m.body(t)}))
	b.clk.pass(20 * time.Minute)
	if svc := b.service(); svc.RunningCount != 0 || svc.Deployments[0].FailedTasks == 0 || svc.Deployments[0].RolloutState != types.DeploymentRolloutStateInProgress {
		t.Errorf("while the image is missing: %+v", svc.Deployments)
	}
	b.push("php-latest")
	b.s.want(b.s.settle("backend"), cfntypes.StackStatusCreateComplete)

	b = newBackend(t, true)
	b.breaker(false, false)
	began := b.clk.now()
	st := b.s.create("backend", b.m)
	b.s.want(st, cfntypes.StackStatusRollbackComplete)
	if took := b.clk.now().Sub(began); took < 3*time.Hour {
		t.Errorf("it gave up after %s", took)
	}
	if all := strings.Join(b.s.reasons(*st.StackId), "\n"); !strings.Contains(all, "Exceeded attempts to wait") || !strings.Contains(all, "HandlerErrorCode: NotStabilized") {
		t.Error(all)
	}
}

// What ECS looks for only when a task starts.
func TestTasksThatDoNotStart(t *testing.T) {
	secret := "arn:aws:secretsmanager:us-east-1:123456789012:secret:/bp/none-AbCdEf"
	for name, test := range map[string]struct {
		set  func(*backend)
		want string
	}{
		"role": {func(b *backend) { b.m.set("Task", "ExecutionRoleArn", "arn:aws:iam::123456789012:role/nobody") },
			"ECS was unable to assume the role 'arn:aws:iam::123456789012:role/nobody' that was provided for this task."},
		"secret": {func(b *backend) {
			b.container("Secrets", []any{map[string]any{"Name": "KEY", "ValueFrom": secret + ":password::"}})
		},
			"failed to fetch secret " + secret + " from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."},
		"secret without a value": {func(b *backend) {
			b.m["Resources"].(map[string]any)["Key"] = map[string]any{"Type": "AWS::SecretsManager::Secret", "Properties": map[string]any{"Name": "/bp/key"}}
			b.container("Secrets", []any{map[string]any{"Name": "KEY", "ValueFrom": map[string]any{"Ref": "Key"}}})
		}, "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"},
		"parameter": {func(b *backend) {
			b.container("Secrets", []any{map[string]any{"Name": "KEY", "ValueFrom": "/bp/none"}})
		}, "invalid ssm parameters: /bp/none"},
		"log group": {func(b *backend) {
			b.container("LogConfiguration", map[string]any{"LogDriver": "awslogs", "Options": map[string]any{"awslogs-group": "/ecs/none", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "x"}})
		}, "ResourceNotFoundException: The specified log group does not exist."},
		"fault": {func(b *backend) {
			if err := b.box.AddFault(sandbox.FaultRule{Service: "ecs", Operation: "StartTask", Fault: sandbox.Fault{Code: "TaskFailed", Message: "Essential container in task exited"}}); err != nil {
				t.Fatal(err)
			}
		}, "Essential container in task exited"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, false)
			test.set(b)
			must[*cloudformation.CreateStackOutput](t)(b.s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("backend"), TemplateBody: b.m.body(t), OnFailure: cfntypes.OnFailureDoNothing}))
			st := b.s.settle("backend")
			b.s.want(st, cfntypes.StackStatusCreateFailed)
			if all := b.events(); !strings.Contains(all, test.want) {
				t.Errorf("no event says %q:\n%s\n%s", test.want, all, strings.Join(b.s.reasons(*st.StackId), "\n"))
			}
		})
	}
}

// Revisions are numbered per family and never used again; an inactive one
// starts nothing.
func TestTaskDefinitionRevisions(t *testing.T) {
	b := newBackend(t, false)
	b.s.want(b.s.create("backend", b.m), cfntypes.StackStatusCreateComplete)
	ctx := t.Context()
	register := func() *types.TaskDefinition {
		t.Helper()
		return must[*ecs.RegisterTaskDefinitionOutput](t)(b.c.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("bp-backend"), ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("nginx"), Cpu: 10, Environment: []types.KeyValuePair{{Name: aws.String("A"), Value: aws.String("B")}}}},
		})).TaskDefinition
	}
	second := register()
	if second.Revision != 2 || second.ContainerDefinitions[0].Cpu != 10 || *second.ContainerDefinitions[0].Environment[0].Value != "B" {
		t.Errorf("%+v", second)
	}
	must[*ecs.DeregisterTaskDefinitionOutput](t)(b.c.DeregisterTaskDefinition(ctx, &ecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("bp-backend:2")}))
	if third := register(); third.Revision != 3 {
		t.Errorf("revision %d after one was deregistered", third.Revision)
	}
	update := func(task string) error {
		_, err := b.c.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), TaskDefinition: &task})
		return err
	}
	if err := update("bp-backend:2"); !containsText(err, "TaskDefinition is inactive") {
		t.Errorf("an inactive one: %v", err)
	}
	if err := update("none:1"); !containsText(err, "TaskDefinition not found.") {
		t.Errorf("one that does not exist: %v", err)
	}
	if err := update("bp-backend"); err != nil { // the newest active one
		t.Fatal(err)
	}
	if got := *b.service().TaskDefinition; !strings.HasSuffix(got, ":task-definition/bp-backend:3") {
		t.Errorf("the service runs %s", got)
	}
	list := must[*ecs.ListTaskDefinitionsOutput](t)(b.c.ListTaskDefinitions(ctx, &ecs.ListTaskDefinitionsInput{FamilyPrefix: aws.String("bp-backend")}))
	if d := cmp.Diff([]string{"arn:aws:ecs:us-east-1:123456789012:task-definition/bp-backend:1", "arn:aws:ecs:us-east-1:123456789012:task-definition/bp-backend:3"}, list.TaskDefinitionArns); d != "" {
		t.Error(d)
	}
	shown := must[*ecs.DescribeTaskDefinitionOutput](t)(b.c.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("bp-backend:1")}))
	if got := shown.TaskDefinition; got.Status != types.TaskDefinitionStatusActive || *got.Cpu != "256" || *got.ContainerDefinitions[0].Name != "php-fpm" {
		t.Errorf("%+v", got)
	}
	_, err := b.c.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("bp-backend:9")})
	wantCode(t, err, "ClientException")
	for text, m := range map[string]tree{
		"No Fargate configuration exists for given values: 256 CPU, 100 memory.": fleetTemplate(t).only("Repository", "Task").set("Task", "Memory", "100"),
		"Container.image should not be null or empty.":                           fleetTemplate(t).only("Repository", "Task").set("Task", "ContainerDefinitions", []any{map[string]any{"Name": "a", "Image": ""}}),
	} {
		delete(m["Resources"].(map[string]any), "Repository")
		if text[0] == 'N' {
			m.set("Task", "ContainerDefinitions", []any{map[string]any{"Name": "a", "Image": "nginx"}})
		}
		st := b.s.create("bad-"+text[:2], m)
		if all := strings.Join(b.s.reasons(*st.StackId), "\n"); !strings.Contains(all, text) {
			t.Errorf("want %q\n%s", text, all)
		}
	}
}

// A deleted service is INACTIVE, and nothing can be done with it (F15).
func TestInactiveService(t *testing.T) {
	b := newBackend(t, false)
	b.s.want(b.s.create("backend", b.m), cfntypes.StackStatusCreateComplete)
	remove := func(force bool) error {
		_, err := b.c.DeleteService(t.Context(), &ecs.DeleteServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), Force: &force})
		return err
	}
	wantCode(t, remove(false), "InvalidParameterException")
	if err := remove(true); err != nil {
		t.Fatal(err)
	}
	if s := b.service(); *s.Status != "INACTIVE" || s.RunningCount != 0 {
		t.Errorf("%s, %d running", *s.Status, s.RunningCount)
	}
	_, err := b.c.UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), DesiredCount: aws.Int32(1)})
	wantCode(t, err, "ServiceNotActiveException")
	wantCode(t, remove(true), "ServiceNotActiveException")
}
