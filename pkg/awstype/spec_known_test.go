package awstype

type knownDifference struct {
	ours, theirs Replace
	reason       string
}

const (
	byDispute   = "the sources disagree, so a change may replace: see disputed"
	byCondition = "the schema lists it as conditionally create-only, which the other data has no word for here"
)

// differ is where our data and the CDK's are known to differ.
var differ = map[string]knownDifference{
	"AWS::AutoScaling::AutoScalingGroup LaunchConfigurationName":                             {Maybe, No, byCondition},
	"AWS::AutoScaling::AutoScalingGroup LaunchTemplate":                                      {Maybe, No, byCondition},
	"AWS::AutoScaling::AutoScalingGroup MixedInstancesPolicy":                                {Maybe, No, byCondition},
	"AWS::AutoScaling::AutoScalingGroup VPCZoneIdentifier":                                   {Maybe, No, byCondition},
	"AWS::Budgets::Budget Budget.AutoAdjustData":                                             {Maybe, Yes, byDispute},
	"AWS::Budgets::Budget Budget.PlannedBudgetLimits":                                        {Maybe, Yes, byDispute},
	"AWS::CertificateManager::Certificate CertificateExport":                                 {Maybe, Yes, byDispute},
	"AWS::DynamoDB::Table KeySchema":                                                         {Maybe, Yes, byCondition},
	"AWS::EC2::EIP Domain":                                                                   {Maybe, Yes, byDispute},
	"AWS::EC2::FlowLog TagFieldSpecifications":                                               {No, Yes, "the schema that we have does not know the property yet"},
	"AWS::EC2::Instance BlockDeviceMappings.*.Ebs.KmsKeyId":                                  {Maybe, Yes, byCondition},
	"AWS::EC2::PlacementGroup ParentGroupId":                                                 {No, Yes, "the schema that we have does not know the property yet"},
	"AWS::EC2::VPC VpcEncryptionControl":                                                     {No, Yes, "the schema that we have does not know the property yet"},
	"AWS::ECS::CapacityProvider ManagedInstancesProvider.InstanceLaunchTemplate.FipsEnabled": {Maybe, Yes, byDispute},
	"AWS::ECS::Service DeploymentController":                                                 {Maybe, Yes, byDispute},
	"AWS::ECS::Service LaunchType":                                                           {Maybe, Yes, byCondition},
	"AWS::ElastiCache::CacheCluster IpDiscovery":                                             {Maybe, No, byCondition},
	"AWS::ElastiCache::ReplicationGroup Engine":                                              {Maybe, Yes, byDispute},
	"AWS::ElastiCache::ReplicationGroup NodeGroupConfiguration.*.PrimaryAvailabilityZone":    {Maybe, Yes, byCondition},
	"AWS::ElastiCache::ReplicationGroup NodeGroupConfiguration.*.ReplicaAvailabilityZones":   {Maybe, Yes, byCondition},
	"AWS::ElastiCache::ReplicationGroup NodeGroupConfiguration.*.ReplicaCount":               {Maybe, Yes, byCondition},
	"AWS::ElastiCache::ReplicationGroup NodeGroupConfiguration.*.Slots":                      {Maybe, Yes, byCondition},
	"AWS::Events::Rule EventBusName":                                                         {Maybe, Yes, byCondition},
	"AWS::Lambda::EventSourceMapping AmazonManagedKafkaEventSourceConfig":                    {Maybe, Yes, byDispute},
	"AWS::Lambda::EventSourceMapping SelfManagedKafkaEventSourceConfig":                      {Maybe, Yes, byDispute},
	"AWS::Lambda::Function DurableConfig":                                                    {Maybe, No, byCondition},
	"AWS::RDS::DBInstance Port":                                                              {Maybe, Yes, byDispute},
	"AWS::S3::Bucket ObjectLockEnabled":                                                      {Maybe, Yes, byDispute},
	"AWS::SNS::Subscription Region":                                                          {Maybe, No, byCondition},
	"AWS::SSM::Association InstanceId":                                                       {Maybe, Yes, byDispute},
}
