package sandbox_test

import (
	"encoding/json"
	"encoding/xml"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
)

// devInstance starts an instance as the dev workflow does.
func devInstance(t testing.TB, box *sandbox.Sandbox) string {
	t.Helper()
	form := url.Values{
		"ImageId": {stockedAMI(t, box, "/bp/ami/fleets/staging/gpu-default")}, "InstanceType": {"g4dn.xlarge"}, "MinCount": {"1"}, "MaxCount": {"1"}, "IamInstanceProfile.Name": {"packer"},
		"MetadataOptions.HttpTokens": {"required"}, "TagSpecification.1.ResourceType": {"instance"}, "TagSpecification.1.Tag.1.Key": {"ManagedBy"}, "TagSpecification.1.Tag.1.Value": {"dev-gpu-action"},
	}
	status, body := raw(t, box, "ec2", "RunInstances", form.Encode())
	var out struct {
		ID string `xml:"instancesSet>item>instanceId"`
	}
	if err := xml.Unmarshal([]byte(body), &out); err != nil || status != 200 || out.ID == "" {
		t.Fatalf("%d %s %v", status, body, err)
	}
	return out.ID
}

func targetGroup(t testing.TB, box *sandbox.Sandbox) string {
	t.Helper()
	_, body := raw(t, box, "elasticloadbalancing", "DescribeTargetGroups", "")
	_, rest, _ := strings.Cut(body, "<TargetGroupArn>")
	arn, _, _ := strings.Cut(rest, "<")
	return arn
}

func send(t testing.TB, c *ssm.Client, in *ssm.SendCommandInput) string {
	t.Helper()
	in.DocumentName = aws.String("AWS-RunShellScript")
	if in.Parameters == nil {
		in.Parameters = map[string][]string{"commands": {"true"}}
	}
	return *must[*ssm.SendCommandOutput](t)(c.SendCommand(t.Context(), in)).Command.CommandId
}

// A command's life by what the agent does: the states, codes and outputs of
// Systems Manager (facts: failure-modes F17 to F19).
func TestCommandsAndAgents(t *testing.T) {
	box, clk := servicesBox(t)
	c, id := ssmClient(box), devInstance(t, box)
	invocation := func(command string) *ssm.GetCommandInvocationOutput {
		t.Helper()
		return must[*ssm.GetCommandInvocationOutput](t)(c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &command, InstanceId: &id}))
	}
	want := func(command string, status ssmtypes.CommandInvocationStatus, details string) {
		t.Helper()
		if got := invocation(command); got.Status != status || *got.StatusDetails != details {
			t.Fatalf("%s (%s), want %s (%s)", got.Status, *got.StatusDetails, status, details)
		}
	}
	agent := func(a sandbox.Agent) {
		t.Helper()
		if err := box.SetAgent("", id, a); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.SendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{id}, Parameters: map[string][]string{"commands": {"true"}}})
	wantCode(t, err, "InvalidInstanceId") // it has not booted yet
	clk.pass(2 * time.Minute)

	agent(sandbox.Agent{Seconds: 60, Output: strings.Repeat("é", 30_000), Error: "warned"})
	first := send(t, c, &ssm.SendCommandInput{InstanceIds: []string{id}})
	_, err = c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &first, InstanceId: &id})
	wantCode(t, err, "InvocationDoesNotExist")
	clk.pass(2 * time.Second)
	want(first, "InProgress", "InProgress")
	clk.pass(time.Minute)
	want(first, "Success", "Success")
	if got := invocation(first); len([]rune(*got.StandardOutputContent)) != 24_000 || *got.StandardErrorContent != "warned" || got.ResponseCode != 0 {
		t.Errorf("%d characters, %q, code %d", len([]rune(*got.StandardOutputContent)), *got.StandardErrorContent, got.ResponseCode)
	}

	agent(sandbox.Agent{Code: 2, Error: "no installer\n"})
	failed := send(t, c, &ssm.SendCommandInput{InstanceIds: []string{id}})
	clk.pass(10 * time.Second)
	want(failed, "Failed", "Failed")
	if got := invocation(failed); got.ResponseCode != 2 || !strings.Contains(*got.StandardErrorContent, "exit status 2") {
		t.Errorf("%d %q", got.ResponseCode, *got.StandardErrorContent)
	}

	agent(sandbox.Agent{State: sandbox.AgentSlow})
	slow := send(t, c, &ssm.SendCommandInput{InstanceIds: []string{id}})
	clk.pass(10 * time.Second)
	want(slow, "Delayed", "Delayed")
	clk.pass(2 * time.Minute)
	want(slow, "Success", "Success")

	agent(sandbox.Agent{Seconds: 7200})
	lost := send(t, c, &ssm.SendCommandInput{InstanceIds: []string{id}, Parameters: map[string][]string{"commands": {"sleep"}, "executionTimeout": {"600"}}})
	clk.pass(time.Minute)
	agent(sandbox.Agent{State: sandbox.AgentLost})
	info := must[*ssm.DescribeInstanceInformationOutput](t)(c.DescribeInstanceInformation(t.Context(), &ssm.DescribeInstanceInformationInput{}))
	if len(info.InstanceInformationList) != 1 || info.InstanceInformationList[0].PingStatus != ssmtypes.PingStatusConnectionLost {
		t.Errorf("%+v", info.InstanceInformationList)
	}
	_, err = c.SendCommand(t.Context(), &ssm.SendCommandInput{DocumentName: aws.String("AWS-RunShellScript"), InstanceIds: []string{id}, Parameters: map[string][]string{"commands": {"true"}}})
	wantCode(t, err, "InvalidInstanceId")
	want(lost, "InProgress", "InProgress")
	clk.pass(15 * time.Minute)
	want(lost, "TimedOut", "Execution Timed Out")

	agent(sandbox.Agent{Seconds: 600})
	cancelled := send(t, c, &ssm.SendCommandInput{InstanceIds: []string{id}})
	clk.pass(time.Minute)
	must[*ssm.CancelCommandOutput](t)(c.CancelCommand(t.Context(), &ssm.CancelCommandInput{CommandId: &cancelled}))
	clk.pass(10 * time.Second)
	want(cancelled, "Cancelled", "Cancelled")
	if err := box.SetAgent("", "i-0123456789abcdef0", sandbox.Agent{}); err == nil {
		t.Error("an agent of no instance was set")
	}
}

// MaxConcurrency lets instances wait, MaxErrors stops the rest.
func TestCommandsStopAfterErrors(t *testing.T) {
	box, clk := servicesBox(t)
	c := ssmClient(box)
	var ids []string
	for range 4 {
		ids = append(ids, devInstance(t, box))
	}
	clk.pass(2 * time.Minute)
	for _, id := range ids {
		if err := box.SetAgent("", id, sandbox.Agent{Code: 1, Seconds: 30}); err != nil {
			t.Fatal(err)
		}
	}
	id := send(t, c, &ssm.SendCommandInput{Targets: []ssmtypes.Target{{Key: aws.String("tag:ManagedBy"), Values: []string{"dev-gpu-action"}}}, MaxConcurrency: aws.String("1"), MaxErrors: aws.String("1")})
	clk.pass(10 * time.Minute)
	out := must[*ssm.ListCommandInvocationsOutput](t)(c.ListCommandInvocations(t.Context(), &ssm.ListCommandInvocationsInput{CommandId: &id}))
	count := map[string]int{}
	for _, v := range out.CommandInvocations {
		count[*v.StatusDetails]++
	}
	if count["Failed"] != 2 || count["Terminated"] != 2 {
		t.Errorf("%v", count)
	}
	cmd := must[*ssm.ListCommandsOutput](t)(c.ListCommands(t.Context(), &ssm.ListCommandsInput{CommandId: &id})).Commands[0]
	if cmd.Status != ssmtypes.CommandStatusFailed || cmd.TargetCount != 4 || cmd.ErrorCount != 2 {
		t.Errorf("%+v", cmd)
	}
}

// A one-off task ends with its code and leaves its log; what cannot start says why.
func TestOneOffTasks(t *testing.T) {
	box, clk := servicesBox(t)
	c, logs := ecs.NewFromConfig(config(box)), cloudwatchlogs.NewFromConfig(config(box))
	if err := box.SetTaskEnd("", sandbox.TaskEnd{Family: "bp-backend", Code: 3, Output: []string{"Migrating", "failed"}}); err != nil {
		t.Fatal(err)
	}
	service := must[*ecs.DescribeServicesOutput](t)(c.DescribeServices(t.Context(), &ecs.DescribeServicesInput{Cluster: aws.String("bp"), Services: []string{"bp-backend"}})).Services[0]
	_, body := raw(t, box, "ec2", "DescribeSubnets", "Filter.1.Name=cidr-block&Filter.1.Value.1=10.0.0.0/24")
	_, rest, _ := strings.Cut(body, "<subnetId>")
	subnet, _, _ := strings.Cut(rest, "<")
	run := func() ecstypes.Task {
		t.Helper()
		out := must[*ecs.RunTaskOutput](t)(c.RunTask(t.Context(), &ecs.RunTaskInput{
			Cluster: aws.String("bp"), TaskDefinition: service.TaskDefinition, LaunchType: ecstypes.LaunchTypeFargate,
			NetworkConfiguration: &ecstypes.NetworkConfiguration{AwsvpcConfiguration: &ecstypes.AwsVpcConfiguration{Subnets: []string{subnet}}},
			Overrides:            &ecstypes.TaskOverride{ContainerOverrides: []ecstypes.ContainerOverride{{Name: aws.String("php-fpm"), Command: []string{"php artisan migrate --force"}}}},
		}))
		if len(out.Tasks) != 1 || *out.Tasks[0].LastStatus != "PROVISIONING" {
			t.Fatalf("%+v", out)
		}
		return out.Tasks[0]
	}
	task := run()
	describe := func() ecstypes.Task {
		t.Helper()
		return must[*ecs.DescribeTasksOutput](t)(c.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("bp"), Tasks: []string{*task.TaskArn}})).Tasks[0]
	}
	clk.pass(10 * time.Second)
	if got := describe(); *got.LastStatus != "PENDING" || got.Containers[0].ExitCode != nil {
		t.Errorf("%+v", got)
	}
	clk.pass(time.Minute)
	got := describe()
	if *got.LastStatus != "STOPPED" || *got.Containers[0].ExitCode != 3 || got.StopCode != ecstypes.TaskStopCodeEssentialContainerExited {
		t.Errorf("%+v", got)
	}
	stream := "php/php-fpm/" + (*task.TaskArn)[strings.LastIndexByte(*task.TaskArn, '/')+1:]
	events := must[*cloudwatchlogs.GetLogEventsOutput](t)(logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/bp-backend"), LogStreamName: &stream, StartFromHead: aws.Bool(true)}))
	if len(events.Events) != 2 || *events.Events[0].Message != "Migrating" {
		t.Errorf("%+v", events.Events)
	}
	more := must[*cloudwatchlogs.GetLogEventsOutput](t)(logs.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: aws.String("/ecs/bp-backend"), LogStreamName: &stream, NextToken: events.NextForwardToken}))
	if len(more.Events) != 0 || *more.NextForwardToken != *events.NextForwardToken {
		t.Errorf("%+v", more)
	}
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(logs.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/ecs/bp-backend")}))
	task = run()
	clk.pass(time.Minute)
	if got := describe(); got.StopCode != ecstypes.TaskStopCodeTaskFailedToStart || got.Containers[0].ExitCode != nil || !strings.Contains(*got.StoppedReason, "log group does not exist") {
		t.Errorf("%+v", got)
	}
}

// RunTask's tasks start, or not, as those of services do; nothing new starts
// with a revision that was deregistered.
func TestOneOffTasksThatDoNotStart(t *testing.T) {
	box, clk := servicesBox(t)
	c := ecs.NewFromConfig(config(box))
	register := func(role string) *string {
		t.Helper()
		return must[*ecs.RegisterTaskDefinitionOutput](t)(c.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
			Family: aws.String("once"), ExecutionRoleArn: aws.String("arn:aws:iam::123456789012:role/" + role),
			ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("nginx")}},
		})).TaskDefinition.TaskDefinitionArn
	}
	arn := register("none")
	task := must[*ecs.RunTaskOutput](t)(c.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("bp"), TaskDefinition: aws.String("once")})).Tasks[0]
	clk.pass(time.Minute)
	got := must[*ecs.DescribeTasksOutput](t)(c.DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Cluster: aws.String("bp"), Tasks: []string{*task.TaskArn}})).Tasks[0]
	if got.StopCode != ecstypes.TaskStopCodeTaskFailedToStart || !strings.Contains(*got.StoppedReason, "unable to assume the role") || *got.TaskDefinitionArn != *arn {
		t.Errorf("%+v", got)
	}
	must[*ecs.DeregisterTaskDefinitionOutput](t)(c.DeregisterTaskDefinition(t.Context(), &ecs.DeregisterTaskDefinitionInput{TaskDefinition: arn}))
	_, err := c.RunTask(t.Context(), &ecs.RunTaskInput{Cluster: aws.String("bp"), TaskDefinition: arn})
	wantCode(t, err, "ClientException")
}

// CloudWatch's newer clients speak rpc-v2-cbor; errors carry the query's code.
func TestCBOR(t *testing.T) {
	box, _ := servicesBox(t)
	status, body := raw(t, box, "monitoring", "DescribeAlarms", "AlarmNames.member.1=p1-rds-cpu")
	if status != 200 || !strings.Contains(body, "<Threshold>95.5</Threshold>") {
		t.Errorf("as a query: %d %s", status, body)
	}
	alarms := cborCall(t, box, "DescribeAlarms", map[string]any{"AlarmNames": []string{"p1-rds-cpu"}})
	if !strings.Contains(alarms, `"Threshold":95.5`) || !strings.Contains(alarms, `"Period":600`) {
		t.Errorf("as CBOR: %s", alarms)
	}
	if got := cborCall(t, box, "GetDashboard", map[string]any{"DashboardName": "none"}); !strings.Contains(got, `"__type":"ResourceNotFound"`) {
		t.Errorf("%s", got)
	}
	if !json.Valid([]byte(alarms)) {
		t.Error("not JSON")
	}
}

// Everything that was made is there when the file is opened again.
func TestRunsAreKept(t *testing.T) {
	path, clk := stateFile(t), newClock()
	box := open(t, sandbox.Options{Path: path, Now: clk.now})
	raw(t, box, "iam", "CreateOpenIDConnectProvider", "Url=https://token.actions.githubusercontent.com&ClientIDList.member.1=sts.amazonaws.com")
	raw(t, box, "ec2", "CreateSecurityGroup", "GroupName=dev&GroupDescription=dev")
	cborCall(t, box, "PutMetricData", map[string]any{"Namespace": "n", "MetricData": []any{map[string]any{"MetricName": "m", "Value": 1.5}}})
	if err := box.SetQuota("", sandbox.QuotaChange{Service: "ec2", Code: "L-3819A6DF", Value: 8}); err != nil {
		t.Fatal(err)
	}
	before := must[string](t)(sandbox.StateJSON(box))
	again := open(t, sandbox.Options{Path: path, Now: clk.now})
	if after := must[string](t)(sandbox.StateJSON(again)); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if _, body := raw(t, again, "servicequotas", "GetServiceQuota", `{"ServiceCode":"ec2","QuotaCode":"L-3819A6DF"}`); !strings.Contains(body, `"Value":8`) {
		t.Error(body)
	}
}
