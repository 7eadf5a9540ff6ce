package awstype

import (
	"slices"
	"sort"
)

// correction is one place where the published schema is known to be wrong or
// to leave out what decides a plan.
type correction struct {
	typeName string
	apply    func(*Type)
	reason   string
}

var corrections = []correction{
	{
		"AWS::IAM::Policy", func(t *Type) { t.ReadOnly = add(t.ReadOnly, "Id") },
		"the identifier is made by CloudFormation",
	},
	{
		"AWS::Budgets::Budget", func(t *Type) { t.CreateOnly = add(t.CreateOnly, "Budget.BudgetName") },
		"the schema is of the old kind and silent; UpdateBudget changes every part of a budget but its name",
	},
}

// disputed lists properties that the schema lets change in place and the data of
// the AWS CDK (testdata/replacement.txt) says replace the resource. Nobody here can
// ask AWS; so a change of them may replace, and a plan promises neither.
var disputed = map[string][]string{
	"AWS::Budgets::Budget":                 {"Budget.AutoAdjustData", "Budget.PlannedBudgetLimits"},
	"AWS::CertificateManager::Certificate": {"CertificateExport"},
	"AWS::EC2::EIP":                        {"Domain"},
	"AWS::ECS::CapacityProvider":           {"ManagedInstancesProvider.InstanceLaunchTemplate.FipsEnabled"},
	"AWS::ECS::Service":                    {"DeploymentController"},
	"AWS::ElastiCache::CacheCluster":       {"AZMode", "NumCacheNodes", "PreferredAvailabilityZone"},
	"AWS::ElastiCache::ReplicationGroup":   {"Engine", "NumNodeGroups"},
	"AWS::Lambda::EventSourceMapping":      {"AmazonManagedKafkaEventSourceConfig", "SelfManagedKafkaEventSourceConfig"},
	"AWS::RDS::DBInstance":                 {"Port"},
	"AWS::S3::Bucket":                      {"ObjectLockEnabled"},
	"AWS::SSM::Association":                {"InstanceId"},
}

func correct(t Type) Type {
	t.ConditionalCreateOnly = add(t.ConditionalCreateOnly, disputed[t.Name]...)
	for _, c := range corrections {
		if c.typeName == t.Name {
			c.apply(&t)
		}
	}
	return t
}

func add(list []string, more ...string) []string {
	out := append(slices.Clone(list), more...)
	sort.Strings(out)
	return slices.Compact(out)
}

// nameProperties lists the property that names a resource within its account
// and region. The schemas have no such notion: the primary identifier is often
// an ARN or an id that AWS makes.
var nameProperties = map[string]string{
	"AWS::ApplicationAutoScaling::ScalingPolicy": "PolicyName",
	"AWS::AutoScaling::AutoScalingGroup":         "AutoScalingGroupName",
	"AWS::AutoScaling::LaunchConfiguration":      "LaunchConfigurationName",
	"AWS::AutoScaling::LifecycleHook":            "LifecycleHookName",
	"AWS::CloudFront::Function":                  "Name",
	"AWS::CloudWatch::Alarm":                     "AlarmName",
	"AWS::CloudWatch::CompositeAlarm":            "AlarmName",
	"AWS::CloudWatch::Dashboard":                 "DashboardName",
	"AWS::DynamoDB::Table":                       "TableName",
	"AWS::EC2::KeyPair":                          "KeyName",
	"AWS::EC2::LaunchTemplate":                   "LaunchTemplateName",
	"AWS::EC2::SecurityGroup":                    "GroupName",
	"AWS::ECR::Repository":                       "RepositoryName",
	"AWS::ECS::CapacityProvider":                 "Name",
	"AWS::ECS::Cluster":                          "ClusterName",
	"AWS::ECS::Service":                          "ServiceName",
	"AWS::ElastiCache::CacheCluster":             "ClusterName",
	"AWS::ElastiCache::ReplicationGroup":         "ReplicationGroupId",
	"AWS::ElastiCache::SubnetGroup":              "CacheSubnetGroupName",
	"AWS::ElasticLoadBalancingV2::LoadBalancer":  "Name",
	"AWS::ElasticLoadBalancingV2::TargetGroup":   "Name",
	"AWS::Events::Rule":                          "Name",
	"AWS::IAM::InstanceProfile":                  "InstanceProfileName",
	"AWS::IAM::ManagedPolicy":                    "ManagedPolicyName",
	"AWS::IAM::Role":                             "RoleName",
	"AWS::KMS::Alias":                            "AliasName",
	"AWS::Lambda::Alias":                         "Name",
	"AWS::Lambda::Function":                      "FunctionName",
	"AWS::Logs::LogGroup":                        "LogGroupName",
	"AWS::Logs::LogStream":                       "LogStreamName",
	"AWS::Logs::MetricFilter":                    "FilterName",
	"AWS::Logs::ResourcePolicy":                  "PolicyName",
	"AWS::RDS::DBCluster":                        "DBClusterIdentifier",
	"AWS::RDS::DBClusterParameterGroup":          "DBClusterParameterGroupName",
	"AWS::RDS::DBInstance":                       "DBInstanceIdentifier",
	"AWS::RDS::DBParameterGroup":                 "DBParameterGroupName",
	"AWS::RDS::DBSubnetGroup":                    "DBSubnetGroupName",
	"AWS::RDS::EventSubscription":                "SubscriptionName",
	"AWS::S3::AccessPoint":                       "Name",
	"AWS::S3::Bucket":                            "BucketName",
	"AWS::SNS::Topic":                            "TopicName",
	"AWS::SQS::Queue":                            "QueueName",
	"AWS::SSM::Document":                         "Name",
	"AWS::SSM::Parameter":                        "Name",
	"AWS::Scheduler::Schedule":                   "Name",
	"AWS::SecretsManager::Secret":                "Name",
	"AWS::StepFunctions::StateMachine":           "StateMachineName",
	"AWS::Synthetics::Canary":                    "Name",
	"AWS::WAFv2::WebACL":                         "Name",
}
