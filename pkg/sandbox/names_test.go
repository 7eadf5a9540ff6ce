package sandbox_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/awstype"
	"reconcile/pkg/sandbox"
)

// named are the types of our stacks that have an explicit name, each with a
// template that names it; what it needs is under other logical ids.
var named = map[string]map[string]any{
	"AWS::ApplicationAutoScaling::ScalingPolicy": nil, // PutScalingPolicy overwrites: there is no conflict
	"AWS::AutoScaling::AutoScalingGroup":         {"AutoScalingGroupName": "n", "MinSize": "0", "MaxSize": "0", "AvailabilityZones": []any{"us-east-1a"}, "LaunchTemplate": map[string]any{"LaunchTemplateName": "there", "Version": "1"}},
	"AWS::CloudWatch::Alarm":                     {"AlarmName": "n", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum", "Threshold": 1},
	"AWS::CloudWatch::Dashboard":                 {"DashboardName": "n", "DashboardBody": "{}"},
	"AWS::EC2::LaunchTemplate":                   {"LaunchTemplateName": "named", "LaunchTemplateData": map[string]any{"InstanceType": "t3.micro"}},
	"AWS::EC2::SecurityGroup":                    {"GroupName": "n", "GroupDescription": "d"},
	"AWS::ECR::Repository":                       {"RepositoryName": "named"},
	"AWS::ECS::Cluster":                          {"ClusterName": "n"},
	"AWS::ECS::Service":                          {"ServiceName": "n", "Cluster": "there", "TaskDefinition": "there"},
	"AWS::ElastiCache::CacheCluster":             {"ClusterName": "n", "CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheNodes": 1},
	"AWS::ElastiCache::ReplicationGroup":         {"ReplicationGroupId": "n", "ReplicationGroupDescription": "d", "CacheNodeType": "cache.t4g.micro", "Engine": "redis", "NumCacheClusters": 1},
	"AWS::ElastiCache::SubnetGroup":              {"CacheSubnetGroupName": "n", "Description": "d", "SubnetIds": []any{}},
	"AWS::ElasticLoadBalancingV2::LoadBalancer":  {"Name": "n", "Subnets": []any{}},
	"AWS::ElasticLoadBalancingV2::TargetGroup":   {"Name": "n"},
	"AWS::IAM::InstanceProfile":                  {"InstanceProfileName": "n", "Roles": []any{"there"}},
	"AWS::IAM::ManagedPolicy":                    {"ManagedPolicyName": "n", "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}}},
	"AWS::IAM::Role":                             {"RoleName": "n", "AssumeRolePolicyDocument": map[string]any{}},
	"AWS::Lambda::Function":                      {"FunctionName": "n", "Role": aServiceRole, "Handler": "a.b", "Runtime": "python3.13", "Code": map[string]any{"ZipFile": "x"}},
	"AWS::Logs::LogGroup":                        {"LogGroupName": "n"},
	"AWS::Logs::MetricFilter":                    nil, // PutMetricFilter overwrites; CloudFormation's handler refuses it as the engine does
	"AWS::RDS::DBInstance":                       {"DBInstanceIdentifier": "n", "DBInstanceClass": "db.t4g.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "u"},
	"AWS::RDS::DBParameterGroup":                 {"DBParameterGroupName": "n", "Description": "d", "Family": "mysql8.0"},
	"AWS::RDS::DBSubnetGroup":                    {"DBSubnetGroupName": "n", "DBSubnetGroupDescription": "d", "SubnetIds": []any{}},
	"AWS::S3::Bucket":                            {"BucketName": "a-bucket-name"},
	"AWS::SNS::Topic":                            {"TopicName": "n"},
	"AWS::SQS::Queue":                            {"QueueName": "n"},
	"AWS::SSM::Parameter":                        {"Name": "/n", "Type": "String", "Value": "v"},
	"AWS::SecretsManager::Secret":                {"Name": "/n"},
	// Names that CloudFormation does not know as such, and what else can be taken.
	"AWS::Budgets::Budget":                 {"Budget": map[string]any{"BudgetName": "n", "BudgetType": "COST", "TimeUnit": "MONTHLY"}},
	"AWS::CloudFront::OriginAccessControl": {"OriginAccessControlConfig": map[string]any{"Name": "n", "OriginAccessControlOriginType": "s3", "SigningBehavior": "always", "SigningProtocol": "sigv4"}},
	"AWS::EC2::Subnet":                     {"VpcId": "VPC", "CidrBlock": "10.0.0.0/24"},
}

const aServiceRole = "arn:aws:iam::123456789012:role/aws-service-role/lambda.amazonaws.com/x"

// taken is how the texts of different types say that a name is taken.
var taken = regexp.MustCompile(`already exists|already in use|already own it|was not idempotent|conflicts with another subnet`)

// A name is taken for every type that has one, whichever stack holds it, and
// free again when that stack is gone.
func TestNamesAreTaken(t *testing.T) {
	for kind, properties := range named {
		if properties == nil {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			clk := newClock()
			box := open(t, sandbox.Options{Now: clk.now})
			s := newStacks(t, box, clk)
			s.want(s.create("there", template(map[string]any{
				"Template": resource("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateName": "there", "LaunchTemplateData": map[string]any{"InstanceType": "t3.micro"}}),
				"Role":     resource("AWS::IAM::Role", map[string]any{"RoleName": "there", "AssumeRolePolicyDocument": map[string]any{}}),
				"Cluster":  resource("AWS::ECS::Cluster", map[string]any{"ClusterName": "there"}),
				"Task":     resource("AWS::ECS::TaskDefinition", map[string]any{"Family": "there", "ContainerDefinitions": []any{map[string]any{"Name": "a", "Image": "nginx"}}}),
			})), cfntypes.StackStatusCreateComplete)
			p := maps.Clone(properties)
			if p["VpcId"] != nil {
				s.want(s.create("vpc", tree{
					"Resources": map[string]any{"Vpc": resource("AWS::EC2::VPC", map[string]any{"CidrBlock": "10.0.0.0/16"})},
					"Outputs":   map[string]any{"Id": map[string]any{"Value": map[string]any{"Ref": "Vpc"}}},
				}), cfntypes.StackStatusCreateComplete)
				p["VpcId"] = *s.settle("vpc").Outputs[0].OutputValue
			}
			m := template(map[string]any{"Named": resource(kind, p)})
			s.want(s.create("one", m), cfntypes.StackStatusCreateComplete)
			s.unchecked = true
			two := s.create("two", m)
			s.want(two, cfntypes.StackStatusRollbackComplete)
			if all := strings.Join(s.reasons(*two.StackId), "\n"); !taken.MatchString(all) {
				t.Error(all)
			}
			s.remove("one")
			s.want(s.create("three", m), cfntypes.StackStatusCreateComplete)
		})
	}
}

// The table above has every type of our stacks that awstype knows a name of.
func TestEveryNamedTypeIsTried(t *testing.T) {
	files := must[[]string](t)(filepath.Glob("../stacks/testdata/golden/*/*.yaml"))
	kinds := map[string]bool{}
	for _, f := range files {
		for _, m := range regexp.MustCompile(`Type: (AWS::\w+::\w+)`).FindAllStringSubmatch(string(must[[]byte](t)(os.ReadFile(f))), -1) {
			kinds[m[1]] = true
		}
	}
	if len(kinds) < 40 {
		t.Fatalf("only %d types in %d templates", len(kinds), len(files))
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		ty, ok := awstype.Lookup(kind)
		if _, tried := named[kind]; ok && ty.NameProperty != "" && !tried {
			t.Errorf("%s has the name %s and is not tried", kind, ty.NameProperty)
		}
	}
}

// Names of IAM belong to the account: another region cannot use them either.
func TestNamesOfIAMAreGlobal(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	m := template(map[string]any{"Role": resource("AWS::IAM::Role", map[string]any{"RoleName": "n", "AssumeRolePolicyDocument": map[string]any{}})})
	s.want(s.create("one", m), cfntypes.StackStatusCreateComplete)
	other := newStacksIn(t, box, clk, "eu-west-1")
	two := other.create("two", m)
	other.want(two, cfntypes.StackStatusRollbackComplete)
	if all := strings.Join(other.reasons(*two.StackId), "\n"); !strings.Contains(all, "Role with name n already exists. (Service: Iam, Status Code: 409") {
		t.Error(all)
	}
	// And a profile there may hold a role from here.
	other.want(other.create("three", template(map[string]any{"P": resource("AWS::IAM::InstanceProfile", map[string]any{"Roles": []any{"n"}})})), cfntypes.StackStatusCreateComplete)
}

// Ports and priorities of a load balancer are taken, too.
func TestListenersAndRulesConflict(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	fixed := []any{map[string]any{"Type": "fixed-response", "FixedResponseConfig": map[string]any{"StatusCode": "404"}}}
	listener := func(port int) map[string]any {
		return resource("AWS::ElasticLoadBalancingV2::Listener", map[string]any{"LoadBalancerArn": map[string]any{"Ref": "Lb"}, "Port": port, "Protocol": "HTTP", "DefaultActions": fixed})
	}
	rule := func(listener string) map[string]any {
		return resource("AWS::ElasticLoadBalancingV2::ListenerRule", map[string]any{"ListenerArn": map[string]any{"Ref": listener}, "Priority": 1, "Conditions": []any{}, "Actions": fixed})
	}
	balancer := resource("AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Subnets": []any{}})
	s.want(s.create("good", template(map[string]any{"Lb": balancer, "A": listener(80), "B": listener(81), "C": rule("A"), "D": rule("B")})), cfntypes.StackStatusCreateComplete)
	for text, m := range map[string]tree{
		"A listener already exists on this port for this load balancer": template(map[string]any{"Lb": balancer, "A": listener(80), "B": listener(80)}),
		"Priority '1' is currently in use":                              template(map[string]any{"Lb": balancer, "A": listener(80), "C": rule("A"), "D": rule("A")}),
	} {
		st := s.create("bad-"+text[:1], m)
		if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, text) {
			t.Errorf("want %q\n%s", text, all)
		}
	}
}
