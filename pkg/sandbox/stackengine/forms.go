package stackengine

// form says how AWS names a resource and what it tells about it. In the texts
// stand {name} for the explicit or generated name, {id} for the physical id,
// {account}, {region}, {partition}, {hex17}, {hex8}, {upper14}, {lower13},
// {mixed6}, {digits13}, {uuid}, {count} for a number that grows, and
// {.Property} for a property's value. From the Return values sections of
// CloudFormation's resource reference, and facts/stacks.md.
type form struct {
	id    string
	attrs map[string]string
	// name is the shape of a generated name.
	name nameShape
}

type nameShape struct {
	max    int    // characters; 0 means 255
	lower  bool   // only lower-case letters
	prefix string // "CFN" instead of the stack's name; "-" for none
}

const awsARN = "arn:{partition}:"

var forms = map[string]form{
	"AWS::ApplicationAutoScaling::ScalableTarget":   {id: "{.ResourceId}|{.ScalableDimension}|{.ServiceNamespace}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::ApplicationAutoScaling::ScalingPolicy":    {id: awsARN + "autoscaling:{region}:{account}:scalingPolicy:{uuid}:resource/ecs/{hex8}:policyName/{name}", attrs: map[string]string{"Arn": "{id}"}},
	"AWS::AutoScaling::AutoScalingGroup":            {id: "{name}", attrs: map[string]string{"AutoScalingGroupARN": awsARN + "autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{id}"}},
	"AWS::AutoScaling::LifecycleHook":               {id: "{name}"},
	"AWS::AutoScaling::ScalingPolicy":               {id: awsARN + "autoscaling:{region}:{account}:scalingPolicy:{uuid}:autoScalingGroupName/{.AutoScalingGroupName}:policyName/{name}", attrs: map[string]string{"Arn": "{id}", "PolicyName": "{name}"}},
	"AWS::AutoScaling::ScheduledAction":             {id: "{name}", attrs: map[string]string{"ScheduledActionName": "{id}"}},
	"AWS::AutoScaling::WarmPool":                    {id: "{.AutoScalingGroupName}"},
	"AWS::Budgets::Budget":                          {id: "{name}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::CertificateManager::Certificate":          {id: awsARN + "acm:{region}:{account}:certificate/{uuid}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::CloudFormation::WaitConditionHandle":      {id: "https://cloudformation-waitcondition-{region}.s3.amazonaws.com/{uuid}?Signature={mixed28}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::CloudFront::CachePolicy":                  {id: "{uuid}"},
	"AWS::CloudFront::Distribution":                 {id: "E{upper13}", attrs: map[string]string{"Id": "{id}", "DomainName": "d{lower13}.cloudfront.net"}},
	"AWS::CloudFront::Function":                     {id: awsARN + "cloudfront::{account}:function/{name}", attrs: map[string]string{"FunctionARN": "{id}", "FunctionMetadata.FunctionARN": "{id}", "Stage": "LIVE"}},
	"AWS::CloudFront::OriginAccessControl":          {id: "E{upper13}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::CloudFront::ResponseHeadersPolicy":        {id: "{uuid}"},
	"AWS::CloudWatch::Alarm":                        {id: "{name}", attrs: map[string]string{"Arn": awsARN + "cloudwatch:{region}:{account}:alarm:{id}"}},
	"AWS::CloudWatch::CompositeAlarm":               {id: "{name}", attrs: map[string]string{"Arn": awsARN + "cloudwatch:{region}:{account}:alarm:{id}"}},
	"AWS::DynamoDB::Table":                          {id: "{name}", attrs: map[string]string{"Arn": awsARN + "dynamodb:{region}:{account}:table/{id}"}},
	"AWS::EC2::EIP":                                 {id: "{ip}", attrs: map[string]string{"AllocationId": "eipalloc-{hex17}", "PublicIp": "{id}"}},
	"AWS::EC2::FlowLog":                             {id: "fl-{hex17}"},
	"AWS::EC2::Instance":                            {id: "i-{hex17}", attrs: map[string]string{"PrivateIp": "{privateip}", "PublicIp": "{ip}", "PrivateDnsName": "ip-{hex8}.ec2.internal", "PublicDnsName": "ec2-{hex8}.compute-1.amazonaws.com"}},
	"AWS::EC2::InternetGateway":                     {id: "igw-{hex17}"},
	"AWS::EC2::KeyPair":                             {id: "{name}", attrs: map[string]string{"KeyPairId": "key-{hex17}"}},
	"AWS::EC2::LaunchTemplate":                      {id: "lt-{hex17}", attrs: map[string]string{"DefaultVersionNumber": "1", "LatestVersionNumber": "1"}, name: nameShape{max: 128, prefix: "-"}},
	"AWS::EC2::NatGateway":                          {id: "nat-{hex17}", attrs: map[string]string{"EniId": "eni-{hex17}"}},
	"AWS::EC2::NetworkAcl":                          {id: "acl-{hex17}"},
	"AWS::EC2::PlacementGroup":                      {id: "{name}"},
	"AWS::EC2::Route":                               {id: "{.RouteTableId}|{.DestinationCidrBlock}", attrs: map[string]string{"CidrBlock": "{.DestinationCidrBlock}"}},
	"AWS::EC2::RouteTable":                          {id: "rtb-{hex17}"},
	"AWS::EC2::SecurityGroup":                       {id: "sg-{hex17}", attrs: map[string]string{"GroupId": "{id}", "Id": "{id}"}},
	"AWS::EC2::SecurityGroupEgress":                 {id: "sgr-{hex17}"},
	"AWS::EC2::SecurityGroupIngress":                {id: "sgr-{hex17}"},
	"AWS::EC2::Subnet":                              {id: "subnet-{hex17}", attrs: map[string]string{"NetworkAclAssociationId": "aclassoc-{hex17}", "Ipv6CidrBlocks": "[]"}},
	"AWS::EC2::SubnetRouteTableAssociation":         {id: "rtbassoc-{hex17}"},
	"AWS::EC2::VPC":                                 {id: "vpc-{hex17}", attrs: map[string]string{"DefaultNetworkAcl": "acl-{hex17}", "DefaultSecurityGroup": "sg-{hex17}", "CidrBlockAssociations": `["vpc-cidr-assoc-{hex17}"]`, "Ipv6CidrBlocks": "[]"}},
	"AWS::EC2::VPCEndpoint":                         {id: "vpce-{hex17}", attrs: map[string]string{"NetworkInterfaceIds": "[]", "DnsEntries": "[]"}},
	"AWS::EC2::VPCGatewayAttachment":                {id: "IGW|{.VpcId}", attrs: map[string]string{"AttachmentType": "IGW"}},
	"AWS::EC2::Volume":                              {id: "vol-{hex17}"},
	"AWS::ECR::Repository":                          {id: "{name}", name: nameShape{lower: true}, attrs: map[string]string{"Arn": awsARN + "ecr:{region}:{account}:repository/{id}", "RepositoryUri": "{account}.dkr.ecr.{region}.amazonaws.com/{id}"}},
	"AWS::ECS::Cluster":                             {id: "{name}", attrs: map[string]string{"Arn": awsARN + "ecs:{region}:{account}:cluster/{id}"}},
	"AWS::ECS::ClusterCapacityProviderAssociations": {id: "{.Cluster}"},
	"AWS::ECS::Service":                             {id: awsARN + "ecs:{region}:{account}:service/{cluster}/{name}", attrs: map[string]string{"ServiceArn": "{id}", "Name": "{name}"}},
	"AWS::ECS::TaskDefinition":                      {id: awsARN + "ecs:{region}:{account}:task-definition/{family}:{count}", attrs: map[string]string{"TaskDefinitionArn": "{id}"}},
	"AWS::EFS::FileSystem":                          {id: "fs-{hex17}", attrs: map[string]string{"Arn": awsARN + "elasticfilesystem:{region}:{account}:file-system/{id}"}},
	"AWS::EFS::MountTarget":                         {id: "fsmt-{hex17}"},
	"AWS::ElastiCache::CacheCluster":                {id: "{name}", name: nameShape{max: 40, lower: true}, attrs: map[string]string{"RedisEndpoint.Address": "{id}.{lower6}.0001.use1.cache.amazonaws.com", "RedisEndpoint.Port": "6379", "ConfigurationEndpoint.Address": "{id}.{lower6}.cfg.use1.cache.amazonaws.com", "ConfigurationEndpoint.Port": "6379"}},
	"AWS::ElastiCache::ParameterGroup":              {id: "{name}", name: nameShape{lower: true}},
	"AWS::ElastiCache::ReplicationGroup":            {id: "{name}", name: nameShape{max: 40, lower: true}, attrs: map[string]string{"PrimaryEndPoint.Address": "master.{id}.{lower6}.use1.cache.amazonaws.com", "PrimaryEndPoint.Port": "6379", "ReaderEndPoint.Address": "replica.{id}.{lower6}.use1.cache.amazonaws.com", "ReaderEndPoint.Port": "6379"}},
	"AWS::ElastiCache::SubnetGroup":                 {id: "{name}", name: nameShape{lower: true}},
	"AWS::ElasticLoadBalancingV2::Listener":         {id: "{.LoadBalancerArn:loadbalancer=listener}/{hex16}", attrs: map[string]string{"ListenerArn": "{id}"}},
	"AWS::ElasticLoadBalancingV2::ListenerRule":     {id: "{.ListenerArn:listener=listener-rule}/{hex16}", attrs: map[string]string{"RuleArn": "{id}", "IsDefault": "false"}},
	"AWS::ElasticLoadBalancingV2::LoadBalancer":     {id: awsARN + "elasticloadbalancing:{region}:{account}:loadbalancer/app/{name}/{hex16}", name: nameShape{max: 32}, attrs: map[string]string{"LoadBalancerArn": "{id}", "LoadBalancerName": "{name}", "LoadBalancerFullName": "{tail:loadbalancer/}", "DNSName": "{name}-{digits9}.{region}.elb.amazonaws.com", "CanonicalHostedZoneID": "Z35SXDOTRQ7X7K"}},
	"AWS::ElasticLoadBalancingV2::TargetGroup":      {id: awsARN + "elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex16}", name: nameShape{max: 32}, attrs: map[string]string{"TargetGroupArn": "{id}", "TargetGroupName": "{name}", "TargetGroupFullName": "targetgroup/{tail:targetgroup/}", "LoadBalancerArns": "[]"}},
	"AWS::Events::Rule":                             {id: "{name}", attrs: map[string]string{"Arn": awsARN + "events:{region}:{account}:rule/{id}"}},
	"AWS::IAM::InstanceProfile":                     {id: "{name}", name: nameShape{max: 128}, attrs: map[string]string{"Arn": awsARN + "iam::{account}:instance-profile/{id}"}},
	"AWS::IAM::ManagedPolicy":                       {id: awsARN + "iam::{account}:policy/{name}", name: nameShape{max: 128}, attrs: map[string]string{"PolicyArn": "{id}", "PolicyId": "ANPA{upper17}", "DefaultVersionId": "v1"}},
	"AWS::IAM::Policy":                              {id: "{name16}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::IAM::Role":                                {id: "{name}", name: nameShape{max: 64}, attrs: map[string]string{"Arn": awsARN + "iam::{account}:role/{id}", "RoleId": "AROA{upper17}"}},
	"AWS::KMS::Alias":                               {id: "{.AliasName}"},
	"AWS::KMS::Key":                                 {id: "{uuid}", attrs: map[string]string{"Arn": awsARN + "kms:{region}:{account}:key/{id}", "KeyId": "{id}"}},
	"AWS::Lambda::EventSourceMapping":               {id: "{uuid}"},
	"AWS::Lambda::Function":                         {id: "{name}", name: nameShape{max: 64}, attrs: map[string]string{"Arn": awsARN + "lambda:{region}:{account}:function:{id}"}},
	"AWS::Lambda::Permission":                       {id: "{name}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::Lambda::Version":                          {id: awsARN + "lambda:{region}:{account}:function:{.FunctionName}:{count}", attrs: map[string]string{"FunctionArn": "{id}"}},
	"AWS::Logs::LogGroup":                           {id: "{name}", attrs: map[string]string{"Arn": awsARN + "logs:{region}:{account}:log-group:{id}:*"}},
	"AWS::Logs::MetricFilter":                       {id: "{name}"},
	"AWS::RDS::DBCluster":                           {id: "{name}", name: nameShape{max: 63, lower: true}, attrs: map[string]string{"DBClusterArn": awsARN + "rds:{region}:{account}:cluster:{id}", "Endpoint.Address": "{id}.cluster-{lower12}.{region}.rds.amazonaws.com", "Endpoint.Port": "3306", "ReadEndpoint.Address": "{id}.cluster-ro-{lower12}.{region}.rds.amazonaws.com"}},
	"AWS::RDS::DBInstance":                          {id: "{name}", name: nameShape{max: 63, lower: true}, attrs: map[string]string{"DBInstanceArn": awsARN + "rds:{region}:{account}:db:{id}", "DbiResourceId": "db-{upper26}", "DBInstanceStatus": "available", "Endpoint.Address": "{id}.{lower12}.{region}.rds.amazonaws.com", "Endpoint.Port": "3306", "Endpoint.HostedZoneId": "Z2R2ITUGPM61AM"}},
	"AWS::RDS::DBParameterGroup":                    {id: "{name}", name: nameShape{lower: true}},
	"AWS::RDS::DBSubnetGroup":                       {id: "{name}", name: nameShape{lower: true}},
	"AWS::Route53::HostedZone":                      {id: "Z{upper20}", attrs: map[string]string{"NameServers": `["ns-1.awsdns-01.org","ns-2.awsdns-02.co.uk","ns-3.awsdns-03.com","ns-4.awsdns-04.net"]`}},
	"AWS::Route53::RecordSet":                       {id: "{.Name}"},
	"AWS::S3::Bucket":                               {id: "{name}", name: nameShape{max: 63, lower: true}, attrs: map[string]string{"Arn": awsARN + "s3:::{id}", "DomainName": "{id}.s3.amazonaws.com", "RegionalDomainName": "{id}.s3.{region}.amazonaws.com", "DualStackDomainName": "{id}.s3.dualstack.{region}.amazonaws.com", "WebsiteURL": "http://{id}.s3-website-{region}.amazonaws.com"}},
	"AWS::S3::BucketPolicy":                         {id: "{.Bucket}"},
	"AWS::SNS::Subscription":                        {id: "{.TopicArn}:{uuid}", attrs: map[string]string{"Arn": "{id}"}},
	"AWS::SNS::Topic":                               {id: awsARN + "sns:{region}:{account}:{name}", attrs: map[string]string{"TopicArn": "{id}", "TopicName": "{name}"}},
	"AWS::SNS::TopicPolicy":                         {id: "{name}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::SQS::Queue":                               {id: "https://sqs.{region}.amazonaws.com/{account}/{name}", name: nameShape{max: 80}, attrs: map[string]string{"Arn": awsARN + "sqs:{region}:{account}:{name}", "QueueUrl": "{id}", "QueueName": "{name}"}},
	"AWS::SQS::QueuePolicy":                         {id: "{name}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::SSM::Document":                            {id: "{name}"},
	"AWS::SSM::Parameter":                           {id: "{name}", name: nameShape{prefix: "CFN"}},
	"AWS::SSM::MaintenanceWindow":                   {id: "mw-{hex17}"},
	"AWS::SecretsManager::Secret":                   {id: awsARN + "secretsmanager:{region}:{account}:secret:{name}-{mixed6}", name: nameShape{prefix: "-"}, attrs: map[string]string{"Id": "{id}"}},
	"AWS::SecretsManager::SecretTargetAttachment":   {id: "{.SecretId}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::SecretsManager::RotationSchedule":         {id: "{.SecretId}", attrs: map[string]string{"Id": "{id}"}},
	"AWS::WAFv2::WebACL":                            {id: "{name}|{uuid}|{.Scope}", attrs: map[string]string{"Arn": awsARN + "wafv2:{region}:{account}:regional/webacl/{name}/{hex8}"}},
}

// replacesWhenChanged names conditionally create-only properties for which any
// change replaces the resource; a change of another conditional property is made
// in place. From the Update requires lines of the resource reference: "Some
// interruptions" and "Updates are not supported" mean in place or replacement.
var replacesWhenChanged = map[string][]string{
	"AWS::DynamoDB::Table":           {"KeySchema"},
	"AWS::ECS::Service":              {"LaunchType"},
	"AWS::RDS::DBCluster":            {"Engine", "MasterUsername"},
	"AWS::RDS::DBInstance":           {"Engine", "DBSnapshotIdentifier", "DBClusterSnapshotIdentifier", "SourceDBInstanceIdentifier", "AvailabilityZone"},
	"AWS::SSM::Document":             {"DocumentFormat", "TargetType"},
	"AWS::EC2::VPC":                  {"InstanceTenancy"},
	"AWS::Events::Rule":              {"EventBusName"},
	"AWS::SNS::Subscription":         {},
	"AWS::EC2::Instance":             {"KernelId", "HostId"},
	"AWS::EC2::Subnet":               {"Ipv6CidrBlock"},
	"AWS::Lambda::Function":          {},
	"AWS::ElastiCache::CacheCluster": {"PreferredAvailabilityZones", "IpDiscovery"},
}
