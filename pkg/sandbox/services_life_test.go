package sandbox_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"reconcile/pkg/sandbox"
)

// RunInstances takes what it is not given from a launch template's version.
func TestRunInstancesFromATemplate(t *testing.T) {
	r := newRefreshes(t, 0)
	r.version("InstanceType=g5.xlarge")
	run := func(form string) string {
		t.Helper()
		_, body := raw(t, r.box, "ec2", "RunInstances", "MinCount=1&MaxCount=1&"+form)
		return body
	}
	subnet := func() string {
		_, body := raw(t, r.box, "ec2", "DescribeSubnets", "Filter.1.Name=vpc-id&Filter.1.Value.1="+vpcOf(t, r.box))
		_, rest, _ := strings.Cut(body, "<subnetId>")
		id, _, _ := strings.Cut(rest, "<")
		return "&SubnetId=" + id
	}()
	name := "LaunchTemplate.LaunchTemplateName=" + fleetName
	for form, wants := range map[string][]string{
		name:                                     {"<instanceType>g4dn.xlarge<", "<httpTokens>required<", "<key>FleetSlug</key><value>gpu-default<", "<key>aws:ec2launchtemplate:version</key><value>1<"}, // the default version
		name + "&LaunchTemplate.Version=$Latest": {"<instanceType>g5.xlarge<"},
		name + "&LaunchTemplate.Version=2&InstanceType=g6.xlarge&MetadataOptions.HttpTokens=optional":                                                                 {"<instanceType>g6.xlarge<", "<httpTokens>optional<", "<httpPutResponseHopLimit>1<"},
		name + "&LaunchTemplate.Version=$Default&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=FleetSlug&TagSpecification.1.Tag.1.Value=mine": {"<key>FleetSlug</key><value>mine<"},
		name + "&LaunchTemplate.Version=9":                                              {"InvalidLaunchTemplateId.VersionNotFound"},
		"LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0":                          {"InvalidLaunchTemplateId.NotFound"},
		"LaunchTemplate.LaunchTemplateName=none":                                        {"InvalidLaunchTemplateName.NotFoundException"},
		name + "&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0":                  {"InvalidParameterCombination"},
		name + "&NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.SubnetId=subnet-1": {"InvalidParameterCombination"},
	} {
		if !strings.Contains(form, "NetworkInterface") {
			form += subnet
		}
		body := run(form)
		for _, want := range wants {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %s in\n%s", form, want, body)
			}
		}
	}
}

// vpcOf is the VPC of the fleet's stack.
func vpcOf(t *testing.T, box *sandbox.Sandbox) string {
	t.Helper()
	_, body := raw(t, box, "ec2", "DescribeVpcs", "Filter.1.Name=is-default&Filter.1.Value.1=false")
	_, rest, _ := strings.Cut(body, "<vpcId>")
	id, _, _ := strings.Cut(rest, "<")
	return id
}

// The vCPU quotas bound Spot and On-Demand instances apart, of groups and of
// RunInstances together.
func TestVCPUQuotas(t *testing.T) {
	r := newRefreshes(t, 2)
	limit := func(code string, n float64) {
		t.Helper()
		if err := r.box.SetQuota("", sandbox.QuotaChange{Service: "ec2", Code: code, Value: n}); err != nil {
			t.Fatal(err)
		}
	}
	limit("L-3819A6DF", 12) // three g4dn.xlarge
	r.desire(4)
	r.clk.pass(2 * time.Minute)
	if a := r.activities()[0]; len(r.group().Instances) != 3 || a.StatusMessage == nil || *a.StatusMessage != "Max spot instance count exceeded. Launching EC2 instance failed." {
		t.Errorf("%d instances; %+v", len(r.group().Instances), a.StatusMessage)
	}
	form := url.Values{"ImageId": {stockedAMI(t, r.box, "/bp/ami/fleets/staging/gpu-default")}, "InstanceType": {"g4dn.xlarge"}, "MinCount": {"1"}, "MaxCount": {"1"}}
	spot := form.Encode() + "&InstanceMarketOptions.MarketType=spot"
	if _, body := raw(t, r.box, "ec2", "RunInstances", spot); !strings.Contains(body, "<Code>MaxSpotInstanceCountExceeded</Code>") {
		t.Error(body)
	}
	limit("L-3819A6DF", 16)
	r.clk.pass(2 * time.Minute)
	if n := len(r.group().Instances); n != 4 {
		t.Errorf("%d instances with a higher quota", n)
	}
	limit("L-DB2E81BA", 8)
	form.Set("MaxCount", "3")
	if _, body := raw(t, r.box, "ec2", "RunInstances", form.Encode()); strings.Count(body, "<instanceId>") != 2 { // as many as may be
		t.Error(body)
	}
	if _, body := raw(t, r.box, "ec2", "RunInstances", form.Encode()); !strings.Contains(body, "<Code>VcpuLimitExceeded</Code>") || !strings.Contains(body, "current vCPU limit of 8 allows") {
		t.Error(body)
	}
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(r.c.UpdateAutoScalingGroup(t.Context(), &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String(fleetName), LaunchTemplate: fleetLaunch("1")}))
	r.desire(5) // without a mixed instances policy: On-Demand
	if a := r.activities()[0]; a.StatusMessage == nil || !strings.Contains(*a.StatusMessage, "current vCPU limit of 8 allows") {
		t.Errorf("%+v", a.StatusMessage)
	}
}

// A filter that an operation does not have is refused where nothing exists, too.
func TestUnknownFiltersOfNothing(t *testing.T) {
	box := open(t, sandbox.Options{Bare: true})
	for _, op := range []string{"DescribeVpcs", "DescribeSubnets", "DescribeSecurityGroups", "DescribeInstances", "DescribeImages", "DescribeLaunchTemplates", "DescribeSnapshots"} {
		if status, body := raw(t, box, "ec2", op, "Filter.1.Name=no-such&Filter.1.Value.1=x"); status != 400 || !strings.Contains(body, "no-such") {
			t.Errorf("%s: %d %s", op, status, body)
		}
	}
}

// A lost agent's command times out, that of an instance that is gone is
// undeliverable and counts for nothing unless all are.
func TestCommandsThatAreNotDelivered(t *testing.T) {
	box, clk := servicesBox(t)
	c := ssmClient(box)
	var ids []string
	for range 3 {
		ids = append(ids, devInstance(t, box))
	}
	clk.pass(2 * time.Minute)
	if err := box.SetAgent("", ids[0], sandbox.Agent{State: sandbox.AgentLost}); err != nil {
		t.Fatal(err)
	}
	if err := box.SetAgent("", ids[1], sandbox.Agent{State: sandbox.AgentSlow}); err != nil {
		t.Fatal(err)
	}
	byTag := &ssm.SendCommandInput{
		Targets: []ssmtypes.Target{{Key: aws.String("tag:ManagedBy"), Values: []string{"dev-gpu-action"}}}, TimeoutSeconds: aws.Int32(60),
		Parameters: map[string][]string{"commands": {"true"}, "executionTimeout": {"120"}},
	}
	command := send(t, c, byTag)
	clk.pass(2 * time.Second)
	if status, body := raw(t, box, "ec2", "TerminateInstances", "InstanceId.1="+ids[1]); status != 200 {
		t.Fatal(body)
	}
	details := func(command string) string {
		t.Helper()
		var out []string
		for _, id := range ids {
			v := must[*ssm.GetCommandInvocationOutput](t)(c.GetCommandInvocation(t.Context(), &ssm.GetCommandInvocationInput{CommandId: &command, InstanceId: &id}))
			out = append(out, fmt.Sprint(v.Status, "/", *v.StatusDetails))
		}
		cmd := must[*ssm.ListCommandsOutput](t)(c.ListCommands(t.Context(), &ssm.ListCommandsInput{CommandId: &command})).Commands[0]
		return strings.Join(out, " ") + ": " + string(cmd.Status) + "/" + *cmd.StatusDetails + fmt.Sprint(" ", cmd.ErrorCount, cmd.DeliveryTimedOutCount)
	}
	clk.pass(time.Minute) // 60 s and the 120 s of the execution
	if got := details(command); got != "Delayed/Delayed Failed/Undeliverable Pending/Pending: InProgress/InProgress 0 0" && !strings.HasPrefix(got, "Delayed/Delayed Failed/Undeliverable Success/Success: InProgress") {
		t.Error(got)
	}
	clk.pass(3 * time.Minute)
	if got := details(command); got != "TimedOut/Delivery Timed Out Failed/Undeliverable Success/Success: Failed/Incomplete 0 1" {
		t.Error(got)
	}
	for _, id := range []string{ids[0], ids[2]} {
		if status, body := raw(t, box, "ec2", "StopInstances", "InstanceId.1="+id); status != 200 {
			t.Fatal(body)
		}
	}
	clk.pass(time.Minute)
	ids = []string{ids[0], ids[2]}
	command = send(t, c, byTag)
	clk.pass(2 * time.Second)
	if got := details(command); got != "Failed/Undeliverable Failed/Undeliverable: Failed/Failed 0 0" {
		t.Error(got)
	}
}

// A rotation goes on until somebody moves the label; the next one waits for it.
func TestRotateSecret(t *testing.T) {
	box, clk := servicesBox(t)
	c, ctx, name := secretsmanager.NewFromConfig(config(box)), t.Context(), aws.String("/bp/rotated")
	first := must[*secretsmanager.CreateSecretOutput](t)(c.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name, SecretString: aws.String("one")}))
	rotate := func(function string) (*secretsmanager.RotateSecretOutput, error) {
		in := &secretsmanager.RotateSecretInput{SecretId: name, RotationRules: &smtypes.RotationRulesType{AutomaticallyAfterDays: aws.Int64(30)}}
		if function != "" {
			in.RotationLambdaARN = &function
		}
		return c.RotateSecret(ctx, in)
	}
	_, err := rotate("")
	wantCode(t, err, "InvalidRequestException")
	_, err = rotate("arn:aws:lambda:us-east-1:123456789012:function:none")
	wantCode(t, err, "AccessDeniedException")
	out := must[*secretsmanager.RotateSecretOutput](t)(rotate("arn:aws:lambda:us-east-1:123456789012:function:scale-to-zero"))
	_, err = rotate("")
	wantCode(t, err, "InvalidRequestException") // the first is not complete
	must[*secretsmanager.PutSecretValueOutput](t)(c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: name, SecretString: aws.String("two"), ClientRequestToken: out.VersionId, VersionStages: []string{"AWSPENDING"}}))
	must[*secretsmanager.UpdateSecretVersionStageOutput](t)(c.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{SecretId: name, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: out.VersionId, RemoveFromVersionId: first.VersionId}))
	d := must[*secretsmanager.DescribeSecretOutput](t)(c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: name}))
	if !aws.ToBool(d.RotationEnabled) || d.LastRotatedDate == nil || !d.NextRotationDate.Equal(clk.now().Add(30*24*time.Hour)) || *d.RotationRules.AutomaticallyAfterDays != 30 {
		t.Errorf("%+v", d)
	}
	must[*secretsmanager.RotateSecretOutput](t)(rotate(""))
	must[*secretsmanager.CancelRotateSecretOutput](t)(c.CancelRotateSecret(ctx, &secretsmanager.CancelRotateSecretInput{SecretId: name}))
	if d := must[*secretsmanager.DescribeSecretOutput](t)(c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: name})); aws.ToBool(d.RotationEnabled) {
		t.Error("it is still enabled")
	}
}

// A service that a script makes lives like a stack's.
func TestCreateServiceByHand(t *testing.T) {
	box, clk := servicesBox(t)
	c, ctx := ecs.NewFromConfig(config(box)), t.Context()
	create := func(change func(*ecs.CreateServiceInput)) error {
		in := &ecs.CreateServiceInput{Cluster: aws.String("hand"), ServiceName: aws.String("web"), TaskDefinition: aws.String("hand"), DesiredCount: aws.Int32(2), LaunchType: ecstypes.LaunchTypeFargate}
		change(in)
		_, err := c.CreateService(ctx, in)
		return err
	}
	as := func(*ecs.CreateServiceInput) {}
	wantCode(t, create(as), "ClusterNotFoundException")
	must[*ecs.CreateClusterOutput](t)(c.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String("hand")}))
	wantCode(t, create(as), "ClientException") // no task definition
	must[*ecs.RegisterTaskDefinitionOutput](t)(c.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("hand"), NetworkMode: ecstypes.NetworkModeAwsvpc, RequiresCompatibilities: []ecstypes.Compatibility{ecstypes.CompatibilityFargate}, Cpu: aws.String("256"), Memory: aws.String("512"),
		ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: aws.String("a"), Image: aws.String("nginx")}},
	}))
	wantCode(t, create(func(in *ecs.CreateServiceInput) {
		in.NetworkConfiguration = &ecstypes.NetworkConfiguration{AwsvpcConfiguration: &ecstypes.AwsVpcConfiguration{Subnets: []string{"subnet-0123456789abcdef0"}}}
	}), "InvalidParameterException")
	if err := create(as); err != nil {
		t.Fatal(err)
	}
	wantCode(t, create(as), "InvalidParameterException") // not idempotent
	describe := func() ecstypes.Service {
		t.Helper()
		return must[*ecs.DescribeServicesOutput](t)(c.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("hand"), Services: []string{"web"}})).Services[0]
	}
	if s := describe(); s.RunningCount != 0 || s.Deployments[0].RolloutState != ecstypes.DeploymentRolloutStateInProgress {
		t.Errorf("%+v", s)
	}
	clk.pass(3 * time.Minute)
	if s := describe(); s.RunningCount != 2 || s.Deployments[0].RolloutState != ecstypes.DeploymentRolloutStateCompleted {
		t.Errorf("%+v", s)
	}
	_, err := c.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("hand")})
	wantCode(t, err, "ClusterContainsServicesException")
	_, err = c.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("hand"), Service: aws.String("web")})
	wantCode(t, err, "InvalidParameterException")
	must[*ecs.UpdateServiceOutput](t)(c.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("hand"), Service: aws.String("web"), DesiredCount: aws.Int32(0)}))
	must[*ecs.DeleteServiceOutput](t)(c.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: aws.String("hand"), Service: aws.String("web")}))
	must[*ecs.DeleteClusterOutput](t)(c.DeleteCluster(ctx, &ecs.DeleteClusterInput{Cluster: aws.String("hand")}))
}

// A load balancer and a database need two zones.
func TestTwoZones(t *testing.T) {
	clk := newClock()
	s := newStacks(t, open(t, sandbox.Options{Now: clk.now}), clk)
	subnet := func(n int, zone string) any {
		return resource("AWS::EC2::Subnet", map[string]any{"VpcId": map[string]any{"Ref": "Vpc"}, "CidrBlock": fmt.Sprintf("10.0.%d.0/24", n), "AvailabilityZone": zone})
	}
	two := []any{map[string]any{"Ref": "A"}, map[string]any{"Ref": "B"}}
	for name, test := range map[string]struct {
		zone string
		of   any
		want string
	}{
		"balancer in one zone":  {"", resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Name": "lb1", "Subnets": two[:1]}), "At least two subnets in two different Availability Zones must be specified"},
		"twice in a zone":       {"us-east-1a", resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Name": "lb2", "Subnets": two}), "multiple subnets in the same Availability Zone"},
		"network balancer":      {"", resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Name": "lb3", "Type": "network", "Subnets": two[:1]}), ""},
		"database in one zone":  {"us-east-1a", resource("AWS::RDS::DBSubnetGroup", map[string]any{"DBSubnetGroupDescription": "d", "SubnetIds": two}), "Current AZ coverage: us-east-1a. Add subnets to cover at least 2 AZs."},
		"database in two zones": {"us-east-1b", resource("AWS::RDS::DBSubnetGroup", map[string]any{"DBSubnetGroupDescription": "d", "SubnetIds": two}), ""},
		"caches need no second": {"", resource("AWS::ElastiCache::SubnetGroup", map[string]any{"CacheSubnetGroupName": "c", "Description": "d", "SubnetIds": two[:1]}), ""},
	} {
		zone := test.zone
		if zone == "" {
			zone = "us-east-1b"
		}
		stack := strings.ReplaceAll(name, " ", "-")
		st := s.create(stack, template(map[string]any{"Vpc": resource("AWS::EC2::VPC", map[string]any{"CidrBlock": "10.0.0.0/16"}), "A": subnet(1, "us-east-1a"), "B": subnet(2, zone), "Of": test.of}))
		want := cfntypes.StackStatusCreateComplete
		if test.want != "" {
			want = cfntypes.StackStatusRollbackComplete
		}
		if all := strings.Join(s.reasons(*st.StackId), "\n"); st.StackStatus != want || !strings.Contains(all, test.want) {
			t.Errorf("%s: %s\n%s", name, st.StackStatus, all)
		}
	}
}
