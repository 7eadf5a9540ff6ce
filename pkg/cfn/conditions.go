package cfn

import (
	"strings"

	"reconcile/pkg/awstype"
)

// condition decides for one conditionally create-only property. The properties
// of all types that AWS marks so are in the list, decided or not; a test holds
// it complete.
type condition struct {
	typeName, property string
	reason             string
	decide             func(before, after Resource) awstype.Replace
}

var conditions = []condition{
	{"AWS::AutoScaling::AutoScalingGroup", "LaunchConfigurationName", replacingUpdate, byReplacingUpdate},
	{"AWS::AutoScaling::AutoScalingGroup", "LaunchTemplate", replacingUpdate, byReplacingUpdate},
	{"AWS::AutoScaling::AutoScalingGroup", "MixedInstancesPolicy", replacingUpdate, byReplacingUpdate},
	{"AWS::AutoScaling::AutoScalingGroup", "VPCZoneIdentifier", replacingUpdate, byReplacingUpdate},
	{"AWS::DynamoDB::Table", "KeySchema", undecided, maybe},
	{"AWS::EC2::Instance", "AdditionalInfo", instance, maybe},
	{"AWS::EC2::Instance", "Affinity", instance, maybe},
	{"AWS::EC2::Instance", "BlockDeviceMappings", instance, maybe},
	{"AWS::EC2::Instance", "EbsOptimized", instance, maybe},
	{"AWS::EC2::Instance", "HostId", instance, maybe},
	{"AWS::EC2::Instance", "InstanceType", instance, maybe},
	{"AWS::EC2::Instance", "KernelId", instance, maybe},
	{"AWS::EC2::Instance", "PrivateDnsNameOptions", instance, maybe},
	{"AWS::EC2::Instance", "RamdiskId", instance, maybe},
	{"AWS::EC2::Instance", "SecurityGroupIds", instance, maybe},
	{"AWS::EC2::Instance", "Tenancy", instance, maybe},
	{"AWS::EC2::Instance", "UserData", instance, maybe},
	{"AWS::EC2::Subnet", "Ipv6CidrBlock", undecided, maybe},
	{"AWS::EC2::VPC", "InstanceTenancy", "a VPC can go back from dedicated to default, not the other way", vpcTenancy},
	{"AWS::ECS::Service", "LaunchType", "depends on the capacity provider strategies of old and new", maybe},
	{"AWS::ElastiCache::CacheCluster", "IpDiscovery", undecided, maybe},
	{"AWS::ElastiCache::CacheCluster", "PreferredAvailabilityZones", undecided, maybe},
	{"AWS::ElastiCache::ReplicationGroup", "AuthToken", "depends on encryption and on the update strategy", maybe},
	{"AWS::ElastiCache::ReplicationGroup", "NodeGroupConfiguration", "depends on whether slots or replicas change", maybe},
	{"AWS::Events::Rule", "EventBusName", "no name means the default bus", eventBus},
	{"AWS::Lambda::Function", "DurableConfig", undecided, maybe},
	{"AWS::RDS::DBCluster", "Engine", undecided, maybe},
	{"AWS::RDS::DBCluster", "GlobalClusterIdentifier", undecided, maybe},
	{"AWS::RDS::DBCluster", "MasterUsername", undecided, maybe},
	{"AWS::RDS::DBInstance", "AutoMinorVersionUpgrade", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "AvailabilityZone", undecided, maybe},
	{"AWS::RDS::DBInstance", "BackupRetentionPeriod", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "DBClusterSnapshotIdentifier", restored, maybe},
	{"AWS::RDS::DBInstance", "DBParameterGroupName", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "DBSnapshotIdentifier", restored, maybe},
	{"AWS::RDS::DBInstance", "Engine", "an upgrade within a product family stays in place, another engine is another database", maybe},
	{"AWS::RDS::DBInstance", "MultiAZ", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "PerformanceInsightsKMSKeyId", "the key can be given once, with the feature, and not changed", maybe},
	{"AWS::RDS::DBInstance", "PreferredMaintenanceWindow", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "RestoreTime", restored, maybe},
	{"AWS::RDS::DBInstance", "SourceDBClusterIdentifier", restored, maybe},
	{"AWS::RDS::DBInstance", "SourceDBInstanceAutomatedBackupsArn", restored, maybe},
	{"AWS::RDS::DBInstance", "SourceDBInstanceIdentifier", restored, maybe},
	{"AWS::RDS::DBInstance", "SourceDbiResourceId", restored, maybe},
	{"AWS::RDS::DBInstance", "StorageType", ownInstance, unlessClustered},
	{"AWS::RDS::DBInstance", "UseLatestRestorableTime", restored, maybe},
	{"AWS::SNS::Subscription", "Region", undecided, maybe},
	{"AWS::SSM::Document", "Attachments", documentVersion, byUpdateMethod},
	{"AWS::SSM::Document", "Content", documentVersion, byUpdateMethod},
	{"AWS::SSM::Document", "DocumentFormat", documentVersion, byUpdateMethod},
	{"AWS::SSM::Document", "Requires", documentVersion, byUpdateMethod},
	{"AWS::SSM::Document", "TargetType", documentVersion, byUpdateMethod},
	{"AWS::SSM::Document", "VersionName", documentVersion, byUpdateMethod},
	{"AWS::Budgets::Budget", "Budget.AutoAdjustData", disputed, maybe},
	{"AWS::Budgets::Budget", "Budget.PlannedBudgetLimits", disputed, maybe},
	{"AWS::CertificateManager::Certificate", "CertificateExport", disputed, maybe},
	{"AWS::EC2::EIP", "Domain", disputed, maybe},
	{"AWS::ECS::CapacityProvider", "ManagedInstancesProvider.InstanceLaunchTemplate.FipsEnabled", disputed, maybe},
	{"AWS::ECS::Service", "DeploymentController", disputed, maybe},
	{"AWS::ElastiCache::CacheCluster", "AZMode", disputed, maybe},
	{"AWS::ElastiCache::CacheCluster", "NumCacheNodes", disputed, maybe},
	{"AWS::ElastiCache::CacheCluster", "PreferredAvailabilityZone", disputed, maybe},
	{"AWS::ElastiCache::ReplicationGroup", "Engine", disputed, maybe},
	{"AWS::ElastiCache::ReplicationGroup", "NumNodeGroups", disputed, maybe},
	{"AWS::Lambda::EventSourceMapping", "AmazonManagedKafkaEventSourceConfig", disputed, maybe},
	{"AWS::Lambda::EventSourceMapping", "SelfManagedKafkaEventSourceConfig", disputed, maybe},
	{"AWS::RDS::DBInstance", "Port", disputed, maybe},
	{"AWS::S3::Bucket", "ObjectLockEnabled", disputed, maybe},
	{"AWS::SSM::Association", "InstanceId", disputed, maybe},
}

const (
	undecided       = "no template of ours sets it"
	replacingUpdate = "the group is replaced only under an AutoScalingReplacingUpdate policy; a pinned launch template version moves in place"
	instance        = "depends on the root device and on what the running instance allows; no template of ours declares instances"
	ownInstance     = "an instance of its own is modified, a member of an Aurora cluster may be replaced"
	restored        = "says what a new instance is restored from"
	disputed        = "AWS's schemas and the CDK's data disagree (pkg/awstype, disputed)"
	documentVersion = "a document is replaced unless it is updated by new versions"
)

func maybe(_, _ Resource) awstype.Replace { return awstype.Maybe }

func byReplacingUpdate(_, after Resource) awstype.Replace {
	policy, _ := after.UpdatePolicy["AutoScalingReplacingUpdate"].(map[string]any)
	v, set := policy["WillReplace"]
	switch s, _ := scalar(v); {
	case !set || strings.EqualFold(s, "false"):
		return awstype.No
	case strings.EqualFold(s, "true"):
		return awstype.Yes
	}
	return awstype.Maybe
}

func vpcTenancy(before, after Resource) awstype.Replace {
	from, fromOK := literalOr(before.Properties["InstanceTenancy"], "default")
	to, toOK := literalOr(after.Properties["InstanceTenancy"], "default")
	switch {
	case !fromOK || !toOK:
		return awstype.Maybe
	case from == to, from == "dedicated" && to == "default":
		return awstype.No
	}
	return awstype.Yes
}

func eventBus(before, after Resource) awstype.Replace {
	from, fromOK := literalOr(before.Properties["EventBusName"], "default")
	to, toOK := literalOr(after.Properties["EventBusName"], "default")
	switch {
	case !fromOK || !toOK:
		return awstype.Maybe
	case from == to:
		return awstype.No
	}
	return awstype.Yes
}

func unlessClustered(before, after Resource) awstype.Replace {
	if before.Properties["DBClusterIdentifier"] != nil || after.Properties["DBClusterIdentifier"] != nil {
		return awstype.Maybe
	}
	return awstype.No
}

func byUpdateMethod(_, after Resource) awstype.Replace {
	method, ok := literalOr(after.Properties["UpdateMethod"], "Replace")
	switch {
	case !ok:
		return awstype.Maybe
	case method == "NewVersion":
		return awstype.No
	}
	return awstype.Yes
}

func literalOr(v any, missing string) (string, bool) {
	if v == nil {
		return missing, true
	}
	s, ok := v.(string)
	return s, ok
}
