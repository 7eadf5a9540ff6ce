package drift

import (
	"fmt"
	"sort"
)

// Coverage says what was looked at and what was not.
type Coverage struct {
	Looked    []TypeCount `json:"looked"`
	NotLooked []TypeCount `json:"notLooked"`
	// Properties that templates set and that no reading covers, "TYPE.Property".
	Properties []string `json:"propertiesNotCompared,omitempty"`
	// Open counts values that only AWS knows and that were not compared.
	Open int `json:"openValues,omitempty"`
	// Stacks that were not compared, each with why.
	Stacks []string `json:"stacksNotCompared,omitempty"`
	// Detection tells whether CloudFormation's own detection looked at the rest.
	Detection bool `json:"detection"`
}

// TypeCount is how many resources of a type there are.
type TypeCount struct {
	Type      string `json:"type"`
	Resources int    `json:"resources"`
	Why       string `json:"why,omitempty"`
}

// Compared are the top-level properties that a reading of the type maps into
// the template's shape; false for a type that is not read. What a template
// sets beside them is said in the coverage.
func Compared(resourceType string) ([]string, bool) {
	properties, ok := map[string][]string{
		"AWS::AutoScaling::AutoScalingGroup": {
			"AutoScalingGroupName", "MinSize", "MaxSize", "CapacityRebalance", "DefaultInstanceWarmup", "Cooldown", "HealthCheckType",
			"HealthCheckGracePeriod", "NewInstancesProtectedFromScaleIn", "MaxInstanceLifetime", "MetricsCollection", "MixedInstancesPolicy",
			"Tags", "VPCZoneIdentifier", "TerminationPolicies", "TargetGroupARNs",
		},
		"AWS::EC2::LaunchTemplate": {"LaunchTemplateName", "LaunchTemplateData"},
		"AWS::AutoScaling::ScalingPolicy": {
			"AutoScalingGroupName", "PolicyType", "AdjustmentType", "Cooldown", "EstimatedInstanceWarmup", "MetricAggregationType",
			"MinAdjustmentMagnitude", "ScalingAdjustment", "StepAdjustments", "TargetTrackingConfiguration",
		},
		"AWS::ApplicationAutoScaling::ScalableTarget": {"MinCapacity", "MaxCapacity", "ResourceId", "ScalableDimension", "ServiceNamespace"},
		"AWS::ApplicationAutoScaling::ScalingPolicy": {
			"PolicyName", "PolicyType", "ScalingTargetId", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration",
		},
		"AWS::SSM::Parameter": {"Name", "Type", "Value", "DataType"},
		"AWS::ECS::Service": {
			"ServiceName", "Cluster", "TaskDefinition", "CapacityProviderStrategy", "LaunchType", "DeploymentConfiguration", "DeploymentController",
			"EnableECSManagedTags", "EnableExecuteCommand", "HealthCheckGracePeriodSeconds", "LoadBalancers", "NetworkConfiguration",
			"PlatformVersion", "PropagateTags", "SchedulingStrategy",
		},
		"AWS::CloudWatch::Alarm": {
			"ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm", "Dimensions",
			"EvaluateLowSampleCountPercentile", "EvaluationPeriods", "ExtendedStatistic", "InsufficientDataActions", "MetricName", "Metrics",
			"Namespace", "OKActions", "Period", "Statistic", "Threshold", "ThresholdMetricId", "TreatMissingData", "Unit",
		},
		"AWS::EC2::SecurityGroup":        {"GroupDescription", "GroupName", "SecurityGroupIngress", "SecurityGroupEgress", "VpcId"},
		"AWS::EC2::SecurityGroupIngress": ruleProperties(),
		"AWS::EC2::SecurityGroupEgress":  ruleProperties(),
		"AWS::S3::Bucket": {
			"BucketName", "BucketEncryption", "CorsConfiguration", "LifecycleConfiguration", "LoggingConfiguration", "OwnershipControls",
			"PublicAccessBlockConfiguration", "VersioningConfiguration",
		},
		"AWS::RDS::DBInstance": {
			"AllocatedStorage", "AutoMinorVersionUpgrade", "BackupRetentionPeriod", "CopyTagsToSnapshot", "DBInstanceClass", "DBName",
			"DBParameterGroupName", "DBSubnetGroupName", "DeletionProtection", "EnableCloudwatchLogsExports", "EnableIAMDatabaseAuthentication",
			"EnablePerformanceInsights", "Engine", "EngineVersion", "MasterUsername", "MaxAllocatedStorage", "MonitoringInterval",
			"MonitoringRoleArn", "MultiAZ", "PerformanceInsightsRetentionPeriod", "PubliclyAccessible", "StorageEncrypted", "StorageType",
			"VPCSecurityGroups",
		},
		"AWS::ElastiCache::CacheCluster": {
			"AutoMinorVersionUpgrade", "CacheNodeType", "CacheSubnetGroupName", "Engine", "EngineVersion", "NumCacheNodes",
			"SnapshotRetentionLimit", "VpcSecurityGroupIds",
		},
		"AWS::ElastiCache::ReplicationGroup": {
			"AtRestEncryptionEnabled", "AutomaticFailoverEnabled", "CacheNodeType", "MultiAZEnabled", "ReplicationGroupDescription",
			"SnapshotRetentionLimit", "TransitEncryptionEnabled",
		},
	}[resourceType]
	return properties, ok
}

func ruleProperties() []string {
	return []string{
		"CidrIp", "CidrIpv6", "Description", "DestinationPrefixListId", "DestinationSecurityGroupId", "FromPort", "GroupId", "IpProtocol",
		"SourcePrefixListId", "SourceSecurityGroupId", "ToPort",
	}
}

// coverage counts what was looked at.
func coverage(in Input, open int, missing map[string]bool) Coverage {
	c := Coverage{Open: open, Detection: in.Live.Detected != nil}
	looked, not := map[string]int{}, map[string]int{}
	for _, s := range in.Subjects {
		if _, read := in.Live.Found[s.Key]; read {
			looked[s.Type]++
		} else {
			not[s.Type]++
		}
	}
	for _, t := range sortedKeys(looked) {
		c.Looked = append(c.Looked, TypeCount{Type: t, Resources: looked[t]})
	}
	for _, t := range sortedKeys(not) {
		why := "no reading of its own; drift --detect asks CloudFormation"
		if _, ok := Compared(t); ok {
			why = "its name in AWS is unknown"
		}
		if w := in.Live.Unread[t]; w != "" {
			why = w
		}
		c.NotLooked = append(c.NotLooked, TypeCount{Type: t, Resources: not[t], Why: why})
	}
	c.Properties = sortedKeys(missing)
	for _, name := range sortedKeys(in.Absent) {
		status := in.Absent[name]
		if status == "" {
			status = "not deployed"
		}
		c.Stacks = append(c.Stacks, fmt.Sprintf("%s: %s", name, status))
	}
	return c
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
