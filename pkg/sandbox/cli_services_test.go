package sandbox_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox"
)

// servicesBox is a sandbox with testdata/services.json deployed.
func servicesBox(t testing.TB) (*sandbox.Sandbox, *clock) {
	t.Helper()
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	var m tree
	if err := json.Unmarshal(must[[]byte](t)(os.ReadFile("testdata/services.json")), &m); err != nil {
		t.Fatal(err)
	}
	st := newStacks(t, box, clk)
	st.want(st.create("bp", m), cfntypes.StackStatusCreateComplete)
	return box, clk
}

func serviceCLI(t *testing.T, steps ...cliStep) {
	t.Helper()
	t.Parallel()
	cli := awsCLI(t)
	box, clk := servicesBox(t)
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	runCLI(t, cli, server.URL, t.TempDir(), clk, steps)
}

// What stacks deployed shows in the services, and what a hand changes shows, too.
func TestAWSCLIShowsWhatIsDeployed(t *testing.T) {
	serviceCLI(
		t,
		cliStep{command: "cloudwatch describe-alarms --alarm-name-prefix p1-", want: []string{`"Threshold": 95.5`, `"Period": 600`, `"StateValue": "INSUFFICIENT_DATA"`, `"ActionsEnabled": true`, ":alerts", `"Value": "db"`}},
		cliStep{command: "cloudwatch set-alarm-state --alarm-name p1-rds-cpu --state-value ALARM --state-reason hot"},
		cliStep{command: "cloudwatch describe-alarms --state-value ALARM", want: []string{`"StateReason": "hot"`, `"AlarmName": "p1-rds-cpu"`, `"StateUpdatedTimestamp": `}},
		cliStep{command: "cloudwatch set-alarm-state --alarm-name nope --state-value OK --state-reason x", fails: true, want: []string{"(ResourceNotFound)"}},
		cliStep{command: "cloudwatch get-dashboard --dashboard-name bp", want: []string{`{\"widgets\":[]}`}},
		cliStep{command: "cloudwatch get-dashboard --dashboard-name none", fails: true, want: []string{"(ResourceNotFound)"}},
		cliStep{command: "cloudwatch put-metric-data --namespace ComfyUI/Workers --metric-name QueueDepth --dimensions FleetSlug=gpu --value 3"},
		cliStep{command: "cloudwatch put-metric-data --namespace ComfyUI/Workers --metric-name QueueDepth --dimensions FleetSlug=gpu --value 5"},
		cliStep{command: "cloudwatch get-metric-statistics --namespace ComfyUI/Workers --metric-name QueueDepth --dimensions Name=FleetSlug,Value=gpu --statistics Maximum Average --period 60 --start-time 2026-11-23T00:00:00Z --end-time 2026-11-25T00:00:00Z", fails: true, want: []string{"(InvalidParameterCombination)"}},
		cliStep{command: "cloudwatch get-metric-statistics --namespace ComfyUI/Workers --metric-name QueueDepth --dimensions Name=FleetSlug,Value=gpu --statistics Maximum Average --period 300 --start-time 2026-11-23T00:00:00Z --end-time 2026-11-25T00:00:00Z", want: []string{`"Maximum": 5`, `"Average": 4`}},
		cliStep{command: "rds describe-db-instances --db-instance-identifier bp-db", want: []string{`"MultiAZ": true`, `"AllocatedStorage": 50`, `"DBParameterGroupName": "mariadb"`, `"VpcId": "vpc-`, `"Port": 3306`, `"Status": "active"`}},
		cliStep{command: "rds describe-db-parameters --db-parameter-group-name mariadb --source user", want: []string{`"ParameterValue": "150"`}},
		cliStep{command: "rds modify-db-instance --db-instance-identifier bp-db --backup-retention-period 1 --apply-immediately", want: []string{`"BackupRetentionPeriod": 1`}},
		cliStep{command: "rds describe-db-instances --db-instance-identifier none", fails: true, want: []string{"(DBInstanceNotFound)", "DBInstance none not found."}},
		cliStep{command: "elasticache describe-cache-clusters --show-cache-node-info", want: []string{`"CacheClusterId": "bp-redis"`, `"CacheNodeType": "cache.t4g.small"`, `"Port": 6379`, `"bp-replicas-002"`}},
		cliStep{command: "elasticache describe-replication-groups --replication-group-id bp-replicas", want: []string{`"AutomaticFailover": "enabled"`, `"bp-replicas-001"`}},
		cliStep{command: "elbv2 describe-load-balancers --names bp", want: []string{`"Code": "active"`, `"ZoneName": "us-east-1b"`, `"VpcId": "vpc-`}},
		cliStep{command: "elbv2 describe-target-groups --names backend", want: []string{`"HealthCheckPath": "/up"`, `"HealthCheckIntervalSeconds": 30`, "loadbalancer/app/bp/"}},
		cliStep{command: "elbv2 describe-load-balancers --names none", fails: true, want: []string{"(LoadBalancerNotFound)"}},
		cliStep{command: "iam get-role --role-name worker", want: []string{`"sts:AssumeRole"`, `"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary"`, `"MaxSessionDuration": 3600`}},
		cliStep{command: "iam get-role-policy --role-name worker --policy-name read", want: []string{`"ssm:GetParameter"`}},
		cliStep{command: "iam list-attached-role-policies --role-name worker", want: []string{"AmazonSSMManagedInstanceCore"}},
		cliStep{command: "iam get-role --role-name none", fails: true, want: []string{"(NoSuchEntity)"}},
		cliStep{command: "iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com", want: []string{"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}},
		cliStep{command: "iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com", fails: true, want: []string{"(EntityAlreadyExists)"}},
		cliStep{command: "iam get-open-id-connect-provider --open-id-connect-provider-arn arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com", want: []string{`"sts.amazonaws.com"`}},
		cliStep{command: "application-autoscaling describe-scalable-targets --service-namespace ecs", want: []string{`"MaxCapacity": 4`, `"ResourceId": "service/bp/bp-backend"`}},
		cliStep{command: "application-autoscaling register-scalable-target --service-namespace ecs --resource-id service/bp/bp-backend --scalable-dimension ecs:service:DesiredCount --max-capacity 9"},
		cliStep{command: "application-autoscaling describe-scalable-targets --service-namespace ecs", want: []string{`"MaxCapacity": 9`, `"MinCapacity": 1`}},
		cliStep{command: "application-autoscaling describe-scaling-policies --service-namespace ecs", want: []string{`"TargetValue": 70`, `"ECSServiceAverageCPUUtilization"`}},
		cliStep{command: "autoscaling describe-policies", want: []string{`"ScalingPolicies": []`}},
	)
}

// Instances, images, security groups, commands, tasks and logs.
func TestAWSCLIRunsThings(t *testing.T) {
	t.Parallel()
	cli := awsCLI(t)
	box, clk := servicesBox(t)
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	ami := stockedAMI(t, box, "/bp/ami/fleets/staging/gpu-default")
	dev := devInstance(t, box)
	clk.pass(5 * time.Minute)
	run := func(steps ...cliStep) { runCLI(t, cli, server.URL, t.TempDir(), clk, steps) }
	run(
		cliStep{command: "ec2 describe-instances --instance-ids " + dev, want: []string{`"Name": "running"`, `"HttpTokens": "required"`, `"GroupName": "default"`, `"PublicIpAddress": "54.`, `"Key": "ManagedBy"`, "instance-profile/packer"}},
		cliStep{command: "ec2 run-instances --image-id " + ami + " --instance-type g9.huge --count 1", fails: true, want: []string{"(InvalidParameterValue)", "g9.huge"}},
		cliStep{command: "ec2 run-instances --image-id ami-0123456789abcdef0 --instance-type g5.xlarge --count 1", fails: true, want: []string{"(InvalidAMIID.NotFound)"}},
		cliStep{command: "ec2 describe-instance-status --instance-ids " + dev, want: []string{`"Status": "ok"`, `"Status": "passed"`}},
		cliStep{command: "ec2 describe-instance-types --instance-types g5.xlarge", want: []string{`"DefaultVCpus": 4`, `"Name": "A10G"`}},
		cliStep{command: "ec2 describe-instance-type-offerings --location-type availability-zone --filters Name=instance-type,Values=p5.48xlarge", want: []string{`"Location": "us-east-1a"`}},
		cliStep{command: "ec2 describe-vpcs --filters Name=is-default,Values=true", want: []string{`"IsDefault": true`, `172.31.0.0/16`}},
		cliStep{command: "ec2 create-security-group --group-name dev --description dev", want: []string{`"GroupId": "sg-`}},
		cliStep{command: "ec2 create-security-group --group-name dev --description dev", fails: true, want: []string{"(InvalidGroup.Duplicate)"}},
		cliStep{command: "ec2 describe-security-groups --filters Name=group-name,Values=alb", want: []string{`"CidrIp": "0.0.0.0/0"`, `"FromPort": 443`, `"Description": "web"`, `"IpProtocol": "-1"`}},
		cliStep{command: "ec2 describe-security-groups --filters Name=group-name,Values=data", want: []string{`"FromPort": 3306`, `"UserId": "123456789012"`, `"Description": "From backend"`}},
		cliStep{command: "ec2 describe-images --owners 099720109477 --filters Name=name,Values=ubuntu/images/*jammy-22.04-amd64-server-*", want: []string{`"OwnerId": "099720109477"`, `"SnapshotId": "snap-`}},
		cliStep{command: "ec2 create-image --instance-id " + dev + " --name bp-comfyui-gpu-1 --tag-specifications ResourceType=image,Tags=[{Key=BundleId,Value=b1}]", want: []string{`"ImageId": "ami-`}},
		cliStep{command: "ec2 describe-images --owners self --filters Name=tag:BundleId,Values=b1", want: []string{`"State": "pending"`}},
		cliStep{command: "ec2 describe-images --owners self --filters Name=tag:BundleId,Values=b1", pass: 5 * time.Minute, want: []string{`"State": "available"`}},
		cliStep{command: "ec2 describe-snapshots --owner-ids self", want: []string{`"Created by CreateImage(`}},
		cliStep{command: "ec2 create-tags --resources " + dev + " --tags Key=Stage,Value=staging"},
		cliStep{command: "ec2 describe-tags --filters Name=resource-id,Values=" + dev, want: []string{`"Value": "staging"`, `"ResourceType": "instance"`}},

		cliStep{command: "ssm describe-instance-information", want: []string{`"PingStatus": "Online"`, dev}},
		cliStep{command: "ssm send-command --instance-ids i-0123456789abcdef0 --document-name AWS-RunShellScript --parameters commands=true", fails: true, want: []string{"(InvalidInstanceId)", "not in a valid state for account 123456789012"}},
		cliStep{command: "ssm send-command --instance-ids " + dev + " --document-name AWS-RunShellScript --parameters commands=true --comment op-1", want: []string{`"Status": "Pending"`, `"TargetCount": 1`}},
		cliStep{command: "ssm list-commands", pass: 10 * time.Second, want: []string{`"Comment": "op-1"`, `"Status": "Success"`}},
		cliStep{command: "ssm list-command-invocations --details", want: []string{`"Name": "aws:runShellScript"`, `"ResponseCode": 0`}},
		cliStep{command: "ec2 stop-instances --instance-ids " + dev, want: []string{`"Name": "stopping"`}},
		cliStep{command: "ec2 terminate-instances --instance-ids " + dev, pass: time.Minute, want: []string{`"Name": "shutting-down"`, `"Name": "stopped"`}},

		cliStep{command: "ecs describe-task-definition --task-definition bp-backend", want: []string{`"name": "php-fpm"`, `"awslogs-group": "/ecs/bp-backend"`, `"revision": 1`, `"essential": true`}},
		cliStep{command: "ecs list-tasks --cluster bp --service-name bp-backend", want: []string{":task/bp/"}},
		cliStep{command: "ecs run-task --cluster bp --task-definition bp-backend", fails: true, want: []string{"(InvalidParameterException)", "Network Configuration must be provided"}},
		cliStep{command: "elbv2 describe-target-health --target-group-arn " + targetGroup(t, box), want: []string{`"State": "healthy"`, `"Port": 80`}},

		cliStep{command: "logs create-log-stream --log-group-name /ecs/bp-backend --log-stream-name a"},
		cliStep{command: "logs put-log-events --log-group-name /ecs/bp-backend --log-stream-name a --log-events timestamp=1795435000000,message=hello", want: []string{"nextSequenceToken"}},
		cliStep{command: "logs get-log-events --log-group-name /ecs/bp-backend --log-stream-name a", want: []string{`"message": "hello"`, `"nextForwardToken": "f/`}},
		cliStep{command: "logs filter-log-events --log-group-name /ecs/bp-backend --filter-pattern hello", want: []string{`"logStreamName": "a"`}},
		cliStep{command: "logs describe-log-streams --log-group-name /ecs/bp-backend", want: []string{`"firstEventTimestamp": 1795435000000`}},

		cliStep{command: "service-quotas get-service-quota --service-code ec2 --quota-code L-3819A6DF", want: []string{`"Value": 64`, "All G and VT Spot Instance Requests"}},
		cliStep{command: "service-quotas list-service-quotas --service-code cloudformation", want: []string{"L-0485CB21"}},
		cliStep{command: "pricing get-products --service-code AmazonEC2 --filters Type=TERM_MATCH,Field=instanceType,Value=g5.xlarge", want: []string{`1.0060000000`}},
		cliStep{command: "lambda get-function-configuration --function-name scale-to-zero", want: []string{`"Handler": "index.handler"`, `"Timeout": 30`, `"State": "Active"`}},
		cliStep{command: "lambda list-functions", want: []string{`"FunctionName": "scale-to-zero"`}},
		cliStep{command: "lambda get-function --function-name none", fails: true, want: []string{"(ResourceNotFoundException)"}},
		cliStep{command: "lambda invoke --function-name scale-to-zero " + t.TempDir() + "/out", fails: true, want: []string{"(NotImplemented)", "runs no code"}},
		cliStep{command: "sns list-subscriptions-by-topic --topic-arn arn:aws:sns:us-east-1:123456789012:alerts", want: []string{"PendingConfirmation", "ops@example.com"}},
		cliStep{command: "sns publish --topic-arn arn:aws:sns:us-east-1:123456789012:alerts --message hi", want: []string{"MessageId"}},
		cliStep{command: "sns publish --topic-arn arn:aws:sns:us-east-1:123456789012:none --message hi", fails: true, want: []string{"(NotFound)"}},
		cliStep{command: "sqs get-queue-attributes --queue-url https://sqs.us-east-1.amazonaws.com/123456789012/jobs --attribute-names VisibilityTimeout", want: []string{`"60"`}},
		cliStep{command: "cloudcontrol get-resource --type-name AWS::CloudWatch::Alarm --identifier p1-rds-cpu", want: []string{`95.5`}},

		cliStep{command: "s3api get-bucket-lifecycle-configuration --bucket bp-models-123456789012", want: []string{`"DaysAfterInitiation": 1`, `"Days": 90`, `"STANDARD_IA"`}},
		cliStep{command: "s3api get-bucket-cors --bucket bp-models-123456789012", want: []string{`"MaxAgeSeconds": 3000`, `"PUT"`}},
		cliStep{command: "s3api get-bucket-encryption --bucket bp-models-123456789012", want: []string{`"SSEAlgorithm": "AES256"`}},
		cliStep{command: "s3api get-public-access-block --bucket bp-models-123456789012", want: []string{`"BlockPublicAcls": true`}},
		cliStep{command: "s3api get-bucket-policy --bucket bp-models-123456789012", want: []string{"aws:SecureTransport"}},
		cliStep{command: "s3api delete-bucket-cors --bucket bp-models-123456789012"},
		cliStep{command: "s3api get-bucket-cors --bucket bp-models-123456789012", fails: true, want: []string{"(NoSuchCORSConfiguration)"}},
	)
}
