package sandbox_test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"testing"

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
