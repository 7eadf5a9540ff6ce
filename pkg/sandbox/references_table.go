package sandbox

import (
	"regexp"
	"slices"
	"strings"
)

// references are what the types of our stacks, and their neighbours, refer to.
// Ids of EC2 in any property are the engine's to check. Texts: the services'
// own, as users report them; where they come from is in evidence_test.go.
var references = map[string][]reference{
	"AWS::ApplicationAutoScaling::ScalableTarget": {{"ResourceId", scalableExists}},
	"AWS::ApplicationAutoScaling::ScalingPolicy":  {{"ScalingTargetId", targetRegistered}},
	"AWS::AutoScaling::AutoScalingGroup": {
		{"TargetGroupARNs", func(c *call, arn string) *Fail { return asOwn(c.targetGroupsExist([]string{arn})) }},
		{"VPCZoneIdentifier", func(c *call, id string) *Fail { return asOwn(c.subnetsExist(strings.Split(id, ","))) }},
		{"AvailabilityZones", zoneExists},
		{"NotificationConfigurations.TopicARN", notified},
		{"NotificationConfigurations.TopicARNs", notified},
	},
	"AWS::AutoScaling::LifecycleHook":   {{"AutoScalingGroupName", groupExists}},
	"AWS::AutoScaling::ScalingPolicy":   {{"AutoScalingGroupName", groupExists}},
	"AWS::AutoScaling::ScheduledAction": {{"AutoScalingGroupName", groupExists}},
	"AWS::AutoScaling::WarmPool":        {{"AutoScalingGroupName", groupExists}},
	"AWS::CloudFront::Distribution": {
		{"DistributionConfig.Origins.OriginAccessControlId", missingItem("AWS::CloudFront::OriginAccessControl", 404, "NoSuchOriginAccessControl", "The specified origin access control does not exist.")},
		{"DistributionConfig.ViewerCertificate.AcmCertificateArn", viewerCertificate},
	},
	"AWS::EC2::Instance": {
		{"ImageId", func(c *call, id string) *Fail {
			if strings.HasPrefix(id, "ami-") && !c.imageExists(id) {
				return fail("InvalidAMIID.NotFound", "The image id '[%.80s]' does not exist", id)
			}
			return nil
		}},
		{"IamInstanceProfile", instanceProfile},
		{"KeyName", missingItem("AWS::EC2::KeyPair", 400, "InvalidKeyPair.NotFound", "The key pair '%s' does not exist")},
	},
	"AWS::ECS::ClusterCapacityProviderAssociations": {{"Cluster", ecsCluster}, {"CapacityProviders", capacityProvider}},
	"AWS::ECS::Service": {
		{"Cluster", ecsCluster},
		{"LoadBalancers.TargetGroupArn", balancedTarget},
		{"NetworkConfiguration.AwsvpcConfiguration.Subnets", func(c *call, id string) *Fail {
			return unless(c.exists("AWS::EC2::Subnet", id), "InvalidParameterException", "Error retrieving subnet information for [%s]: The subnet ID '%[1]s' does not exist (ErrorCode: InvalidSubnetID.NotFound)", id)
		}},
		{"NetworkConfiguration.AwsvpcConfiguration.SecurityGroups", func(c *call, id string) *Fail {
			return unless(c.securityGroupExists(id), "InvalidParameterException", "Error retrieving security group information for [%s]: The security group '%[1]s' does not exist (ErrorCode: InvalidGroup.NotFound)", id)
		}},
	},
	"AWS::ElastiCache::CacheCluster":     {{"CacheSubnetGroupName", cacheSubnets}, {"CacheParameterGroupName", cacheParameters}, {"NotificationTopicArn", topic}},
	"AWS::ElastiCache::ReplicationGroup": {{"CacheSubnetGroupName", cacheSubnets}, {"CacheParameterGroupName", cacheParameters}, {"NotificationTopicArn", topic}},
	"AWS::ElasticLoadBalancingV2::Listener": {
		{"LoadBalancerArn", missingItem("AWS::ElasticLoadBalancingV2::LoadBalancer", 400, "LoadBalancerNotFound", "Load balancer '%s' not found")},
		{"DefaultActions.TargetGroupArn", targetGroup}, {"DefaultActions.ForwardConfig.TargetGroups.TargetGroupArn", targetGroup},
		{"Certificates.CertificateArn", listenerCertificate},
	},
	"AWS::ElasticLoadBalancingV2::ListenerRule": {
		{"ListenerArn", missingItem("AWS::ElasticLoadBalancingV2::Listener", 400, "ListenerNotFound", "One or more listeners not found")},
		{"Actions.TargetGroupArn", targetGroup}, {"Actions.ForwardConfig.TargetGroups.TargetGroupArn", targetGroup},
	},
	"AWS::ElasticLoadBalancingV2::ListenerCertificate": {
		{"ListenerArn", missingItem("AWS::ElasticLoadBalancingV2::Listener", 400, "ListenerNotFound", "One or more listeners not found")},
		{"Certificates.CertificateArn", listenerCertificate},
	},
	"AWS::IAM::InstanceProfile": {{"Roles", iamRole}},
	"AWS::IAM::ManagedPolicy":   {{"Roles", iamRole}},
	"AWS::IAM::Policy":          {{"Roles", iamRole}},
	"AWS::IAM::RolePolicy":      {{"RoleName", iamRole}},
	"AWS::IAM::Role":            {{"ManagedPolicyArns", managedPolicy}, {"PermissionsBoundary", managedPolicy}},
	"AWS::KMS::Alias": {{"TargetKeyId", func(c *call, id string) *Fail {
		return unless(c.foreign(id) || c.exists("AWS::KMS::Key", lastPart(id, '/')), "NotFoundException", "Key '%s' does not exist", id)
	}}},
	"AWS::Lambda::Alias":              {{"FunctionName", function}},
	"AWS::Lambda::EventSourceMapping": {{"FunctionName", function}},
	"AWS::Lambda::Function": {
		{"Role", func(c *call, arn string) *Fail {
			return unless(c.roleExists(arn), "InvalidParameterValueException", "The role defined for the function cannot be assumed by Lambda.")
		}},
		{"Code.S3Bucket", func(c *call, bucket string) *Fail {
			return unless(c.account.Buckets[bucket] != nil, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist")
		}},
		{"Code.ImageUri", func(c *call, image string) *Fail {
			return unless(c.hasImage(image), "InvalidParameterValueException", "Source image %.300s does not exist. Provide a valid source image.", image)
		}},
	},
	"AWS::Lambda::Permission":       {{"FunctionName", function}},
	"AWS::Lambda::Version":          {{"FunctionName", function}},
	"AWS::Logs::LogStream":          {{"LogGroupName", loggedTo}},
	"AWS::Logs::MetricFilter":       {{"LogGroupName", loggedTo}},
	"AWS::Logs::SubscriptionFilter": {{"LogGroupName", loggedTo}},
	"AWS::RDS::DBInstance": {
		{"DBSubnetGroupName", func(c *call, name string) *Fail {
			return unless(c.exists("AWS::RDS::DBSubnetGroup", strings.ToLower(name)) || name == "default", "DBSubnetGroupNotFoundFault", "DB subnet group '%s' does not exist.", name)
		}},
		{"DBParameterGroupName", func(c *call, name string) *Fail {
			return unless(strings.HasPrefix(name, "default.") || c.exists("AWS::RDS::DBParameterGroup", strings.ToLower(name)), "DBParameterGroupNotFound", "DBParameterGroup not found: %s", name)
		}},
		{"VPCSecurityGroups", func(c *call, id string) *Fail {
			return unless(c.securityGroupExists(id), "InvalidParameterValue", "Invalid security group , groupId= %s, groupName=.", id)
		}},
	},
	"AWS::RDS::DBSubnetGroup": {{"SubnetIds", func(c *call, id string) *Fail {
		return unless(c.exists("AWS::EC2::Subnet", id), "InvalidSubnet", "Some input subnets in :[%s] are invalid.", id)
	}}},
	"AWS::S3::BucketPolicy": {{"Bucket", func(c *call, name string) *Fail {
		if c.account.Buckets[name] == nil {
			return s3Fail("NoSuchBucket", 404, "The specified bucket does not exist")
		}
		return nil
	}}},
	"AWS::SNS::Subscription":   {{"TopicArn", topic}},
	"AWS::SNS::TopicPolicy":    {{"Topics", topic}},
	"AWS::SQS::QueuePolicy":    {{"Queues", missingItem("AWS::SQS::Queue", 400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")}},
	"AWS::EC2::SecurityGroup":  {{"VpcId", vpcExists}},
	"AWS::ECS::TaskDefinition": {{"TaskRoleArn", wellFormedRole}, {"ExecutionRoleArn", wellFormedRole}},
}

func unless(ok bool, code, format string, args ...any) *Fail {
	if ok {
		return nil
	}
	f := fail(code, format, args...)
	if strings.HasPrefix(code, "NotFound") || strings.HasPrefix(code, "NoSuch") || strings.HasPrefix(code, "DBSubnetGroupNotFound") || strings.HasPrefix(code, "DBParameterGroupNotFound") {
		f.Status = 404
	}
	return f
}

func asOwn(err error) *Fail {
	if err == nil {
		return nil
	}
	return asFail(err)
}

// missingItem refuses what does not exist; the text may name it.
func missingItem(typeName string, status int, code, format string) func(*call, string) *Fail {
	return func(c *call, id string) *Fail {
		if c.named(typeName, id) {
			return nil
		}
		f := &Fail{Code: code, Message: strings.ReplaceAll(format, "%s", id), Status: status}
		return f
	}
}

func groupExists(c *call, name string) *Fail {
	_, err := c.group(&name)
	return asOwn(err)
}

func zoneExists(c *call, name string) *Fail {
	return unless(slices.Contains(c.zones(), name), "ValidationError", "Invalid Availability Zones: [%.80s]", name)
}

func vpcExists(c *call, id string) *Fail {
	return unless(c.exists("AWS::EC2::VPC", id), "InvalidVpcID.NotFound", "The vpc ID '%.80s' does not exist", id)
}

// securityGroupExists knows the groups and the default group of each VPC.
func (c *call) securityGroupExists(id string) bool {
	return c.exists("AWS::EC2::SecurityGroup", id) || slices.ContainsFunc(c.items("AWS::EC2::VPC"), func(v networkItem) bool {
		return v.attribute("DefaultSecurityGroup") == id
	})
}

func topic(c *call, arn string) *Fail {
	return unless(c.named("AWS::SNS::Topic", arn), "NotFound", "Topic does not exist")
}

// notified is how Auto Scaling refuses: it publishes a test notification.
func notified(c *call, arn string) *Fail {
	return unless(c.named("AWS::SNS::Topic", arn), "ValidationError", "Unable to publish test notification message to notification target %s. Please check your target configuration and try again.", arn)
}

func targetGroup(c *call, arn string) *Fail {
	return unless(c.named("AWS::ElasticLoadBalancingV2::TargetGroup", arn), "TargetGroupNotFound", "Target groups '%s' not found", arn)
}

// balancedTarget is how ECS looks at a target group: it must be a load balancer's.
func balancedTarget(c *call, arn string) *Fail {
	if !c.named("AWS::ElasticLoadBalancingV2::TargetGroup", arn) {
		return fail("InvalidParameterException", "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role being passed has the proper permissions.")
	}
	return unless(c.foreign(arn) || len(c.forwarders(arn)) > 0, "InvalidParameterException", "The target group with targetGroupArn %s does not have an associated load balancer.", arn)
}

func listenerCertificate(c *call, arn string) *Fail {
	return unless(c.certificateExists(arn), "CertificateNotFound", "Certificate '%s' not found", arn)
}

// viewerCertificate is CloudFront's: it takes certificates of us-east-1 only.
func viewerCertificate(c *call, arn string) *Fail {
	_, region, _, _, ok := arnParts(arn)
	exists := ok && region == "us-east-1" && (region != c.region.Name || c.certificateExists(arn))
	return unless(exists, "InvalidViewerCertificate", "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.")
}

// certificateExists: in a stocked account every well-formed certificate of the
// region does.
func (c *call) certificateExists(arn string) bool {
	if _, mine := c.certificate(arn); mine {
		return true
	}
	return !c.account.Bare && certificateARN.MatchString(arn) && strings.HasPrefix(arn, c.arn("acm", "certificate/"))
}

func ecsCluster(c *call, ref string) *Fail {
	if c.cluster(clusterName(&ref)) {
		return nil
	}
	return clusterNotFound()
}

func capacityProvider(c *call, name string) *Fail {
	return unless(name == "FARGATE" || name == "FARGATE_SPOT" || c.exists("AWS::ECS::CapacityProvider", name),
		"InvalidParameterException", "The specified capacity provider '%.80s' was not found.", name)
}

func cacheSubnets(c *call, name string) *Fail {
	return unless(c.exists("AWS::ElastiCache::SubnetGroup", strings.ToLower(name)) || name == "default", "CacheSubnetGroupNotFoundFault", "Cache Subnet Group %s does not exist.", name)
}

func cacheParameters(c *call, name string) *Fail {
	return unless(strings.HasPrefix(name, "default.") || c.exists("AWS::ElastiCache::ParameterGroup", strings.ToLower(name)), "CacheParameterGroupNotFound", "CacheParameterGroup not found: %s", name)
}

func iamRole(c *call, name string) *Fail {
	return unless(c.roleExists(name), "NoSuchEntity", "The role with name %s cannot be found.", name)
}

func managedPolicy(c *call, arn string) *Fail {
	return unless(c.policyExists(arn), "NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
}

func instanceProfile(c *call, name string) *Fail {
	return unless(c.profileExists(name), "InvalidParameterValue", "Value (%s) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name", name)
}

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)

// wellFormedRole is all that RegisterTaskDefinition looks at: a role that does
// not exist shows when a task starts.
func wellFormedRole(_ *call, arn string) *Fail {
	return unless(roleARN.MatchString(arn) || !strings.Contains(arn, ":"), "ClientException", "Role is not valid")
}

// function takes a name, a name with a qualifier, or an ARN.
func function(c *call, ref string) *Fail {
	name := ref
	if _, _, _, resource, ok := arnParts(ref); ok {
		if c.foreign(ref) {
			return nil
		}
		name = strings.TrimPrefix(resource, "function:")
	}
	name, _, _ = strings.Cut(name, ":")
	f := unless(c.exists("AWS::Lambda::Function", name), "ResourceNotFoundException", "Function not found: %s", c.arn("lambda", "function:"+name))
	if f != nil {
		f.Status = 404
	}
	return f
}

func loggedTo(c *call, name string) *Fail {
	return unless(c.region.LogGroups[name] != nil, "ResourceNotFoundException", "The specified log group does not exist.")
}

// scalableExists checks ECS services; other things that scale are not known.
func scalableExists(c *call, id string) *Fail {
	parts := strings.Split(id, "/")
	if len(parts) != 3 || parts[0] != "service" {
		return nil
	}
	return unless(c.region.Services[parts[1]+"/"+parts[2]] != nil, "ValidationException", "ECS service doesn't exist: %s", id)
}

func targetRegistered(c *call, id string) *Fail {
	parts := strings.Split(id, "|")
	if len(parts) != 3 {
		return fail("ValidationException", "The scaling target ID %.200s is not valid.", id)
	}
	return unless(c.exists("AWS::ApplicationAutoScaling::ScalableTarget", id),
		"ObjectNotFoundException", "No scalable target registered for service namespace: %s, resource ID: %s, scalable dimension: %s", parts[2], parts[0], parts[1])
}
