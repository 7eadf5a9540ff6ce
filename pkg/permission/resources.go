package permission

import (
	"slices"
	"strings"
)

// Resource is what CloudFormation does to make, change, read and delete the
// resources of a type (facts: AWS's resource provider schemas and Service
// Authorization Reference; written by hand, the permissions boundary is what
// guarantees).
type Resource struct {
	Type      string
	Actions   []string
	Resources []string // nil: everything; names of what AWS numbers say nothing
}

// names of what stacks make begin with the platform's.
const (
	roles      = "arn:{partition}:iam::{account}:role/{stack}-*"
	profiles   = "arn:{partition}:iam::{account}:instance-profile/{stack}-*"
	functions  = "arn:{partition}:lambda:{region}:{account}:function:{stack}-*"
	ssmNames   = "arn:{partition}:ssm:{region}:{account}:parameter/{platform}/*"
	secretName = "arn:{partition}:secretsmanager:{region}:{account}:secret:/{platform}/*"
)

// Resources are the types that the program's own templates hold.
func Resources() []Resource {
	ec2 := func(kind string, more ...string) Resource {
		return Resource{"AWS::EC2::" + kind, append([]string{"ec2:Describe*", "ec2:CreateTags", "ec2:DeleteTags"}, more...), nil}
	}
	scaling := []string{"application-autoscaling:*"}
	balancing := []string{"elasticloadbalancing:*", "ec2:Describe*"}
	// AWS's reads of a role, see security 3.3: a role is made with our boundary
	// or not at all, which conditions of the policy hold.
	role := []string{"iam:PassRole", "iam:DeleteRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRoleDescription", "iam:TagRole", "iam:UntagRole"}
	return []Resource{
		{"AWS::ApplicationAutoScaling::ScalableTarget", append([]string{"iam:CreateServiceLinkedRole"}, scaling...), nil},
		{"AWS::ApplicationAutoScaling::ScalingPolicy", append([]string{"cloudwatch:*Alarm*"}, scaling...), nil},
		{"AWS::AutoScaling::AutoScalingGroup", []string{"autoscaling:*", "ec2:Describe*", "ec2:RunInstances", "ec2:CreateTags", "iam:CreateServiceLinkedRole"}, nil},
		{"AWS::AutoScaling::ScalingPolicy", []string{"autoscaling:*", "cloudwatch:*Alarm*"}, nil},
		{"AWS::Budgets::Budget", []string{"budgets:*"}, nil},
		{"AWS::CloudFront::Distribution", []string{"cloudfront:*Distribution*", "cloudfront:*TagsForResource", "cloudfront:TagResource", "cloudfront:UntagResource"}, nil},
		{"AWS::CloudFront::OriginAccessControl", []string{"cloudfront:*OriginAccessControl*"}, nil},
		{"AWS::CloudWatch::Alarm", []string{"cloudwatch:*Alarm*", "cloudwatch:*TagsForResource", "cloudwatch:TagResource", "cloudwatch:UntagResource"}, nil},
		{"AWS::CloudWatch::Dashboard", []string{"cloudwatch:*Dashboard*"}, nil},
		ec2("EIP", "ec2:*Address*"),
		ec2("FlowLog", "ec2:*FlowLogs", "logs:*LogDelivery", "logs:DescribeLogGroups"),
		ec2("InternetGateway", "ec2:*InternetGateway"),
		ec2("LaunchTemplate", "ec2:*LaunchTemplate*"),
		ec2("NatGateway", "ec2:*NatGateway*"),
		ec2("Route", "ec2:*Route"),
		ec2("RouteTable", "ec2:*RouteTable"),
		ec2("SecurityGroup", "ec2:*SecurityGroup*"),
		ec2("SecurityGroupIngress", "ec2:*SecurityGroup*"),
		ec2("Subnet", "ec2:*Subnet", "ec2:*SubnetAttribute"),
		ec2("SubnetRouteTableAssociation", "ec2:*RouteTable"),
		ec2("VPC", "ec2:*Vpc", "ec2:*VpcAttribute"),
		ec2("VPCEndpoint", "ec2:*VpcEndpoint*"),
		ec2("VPCGatewayAttachment", "ec2:*InternetGateway"),
		{"AWS::ECR::Repository", []string{"ecr:*"}, []string{registries}},
		{"AWS::ECS::Cluster", []string{"ecs:*Cluster*", "ecs:TagResource", "ecs:UntagResource", "iam:CreateServiceLinkedRole"}, nil},
		{"AWS::ECS::ClusterCapacityProviderAssociations", []string{"ecs:*Cluster*"}, nil},
		{"AWS::ECS::Service", []string{"ecs:*Service*", "ecs:TagResource", "ecs:UntagResource", "iam:CreateServiceLinkedRole"}, nil},
		{"AWS::ECS::TaskDefinition", []string{"ecs:*TaskDefinition*", "ecs:TagResource", "ecs:UntagResource"}, nil},
		{"AWS::ElastiCache::CacheCluster", []string{"elasticache:*", "iam:CreateServiceLinkedRole"}, nil},
		{"AWS::ElastiCache::ReplicationGroup", []string{"elasticache:*", "iam:CreateServiceLinkedRole"}, nil},
		{"AWS::ElastiCache::SubnetGroup", []string{"elasticache:*", "ec2:Describe*"}, nil},
		{"AWS::ElasticLoadBalancingV2::Listener", balancing, nil},
		{"AWS::ElasticLoadBalancingV2::ListenerRule", balancing, nil},
		{"AWS::ElasticLoadBalancingV2::LoadBalancer", append([]string{"iam:CreateServiceLinkedRole"}, balancing...), nil},
		{"AWS::ElasticLoadBalancingV2::TargetGroup", balancing, nil},
		{"AWS::IAM::InstanceProfile", []string{"iam:*InstanceProfile*"}, []string{profiles}},
		{"AWS::IAM::InstanceProfile", []string{"iam:PassRole"}, []string{roles}},
		{"AWS::IAM::Role", role, []string{roles}},
		{"AWS::IAM::Role", []string{"iam:Get*", "iam:List*"}, nil},
		{"AWS::Lambda::Function", []string{"lambda:*"}, []string{functions}},
		{"AWS::Lambda::Permission", []string{"lambda:*Permission", "lambda:GetPolicy"}, []string{functions}},
		{"AWS::Logs::LogGroup", []string{"logs:*LogGroup*", "logs:*RetentionPolicy", "logs:*TagsForResource", "logs:TagResource", "logs:UntagResource", "logs:*IndexPolicy", "logs:*IndexPolicies", "logs:*DataProtectionPolicy", "logs:*ResourcePolicies"}, nil},
		{"AWS::Logs::MetricFilter", []string{"logs:*MetricFilter*"}, nil},
		{"AWS::RDS::DBInstance", []string{"rds:*DBInstance*", "rds:*DBSnapshot*", "rds:*TagsForResource", "rds:AddTagsToResource", "rds:RemoveTagsFromResource", "rds:Describe*", "ec2:Describe*", "iam:CreateServiceLinkedRole", "kms:DescribeKey", "kms:CreateGrant", "secretsmanager:GetSecretValue"}, nil},
		{"AWS::RDS::DBParameterGroup", []string{"rds:*DBParameterGroup*", "rds:Describe*", "rds:*TagsForResource", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"}, nil},
		{"AWS::RDS::DBSubnetGroup", []string{"rds:*DBSubnetGroup*", "rds:*TagsForResource", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"}, nil},
		{"AWS::S3::Bucket", []string{"s3:*Bucket*", "s3:*Configuration"}, []string{buckets}},
		{"AWS::S3::BucketPolicy", []string{"s3:*BucketPolicy*"}, []string{buckets}},
		{"AWS::SNS::Subscription", []string{"sns:*"}, nil},
		{"AWS::SNS::Topic", []string{"sns:*"}, nil},
		{"AWS::SNS::TopicPolicy", []string{"sns:*"}, nil},
		{"AWS::SSM::Parameter", []string{"ssm:*Parameter*", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource", "ssm:ListTagsForResource"}, []string{ssmNames}},
		{"AWS::SSM::Parameter", []string{"ssm:DescribeParameters"}, nil},
		{"AWS::SecretsManager::Secret", []string{"secretsmanager:*Secret*", "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:*ResourcePolicy"}, []string{secretName}},
		{"AWS::SecretsManager::Secret", []string{"secretsmanager:GetRandomPassword"}, nil},
		{"AWS::SecretsManager::SecretTargetAttachment", []string{"secretsmanager:*SecretValue", "secretsmanager:DescribeSecret", "rds:Describe*"}, []string{secretName}},
	}
}

// bounded are the writes to a role that IAM can tie to its boundary; they are
// allowed for roles with ours alone, wherever there is a role to make.
func bounded() []string {
	return []string{"iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy"}
}

// Exec is what CloudFormation's role needs for resources of these types: own
// are those of the program's templates, users' those of templates that
// somebody wrote, whose names nobody knows.
func Exec(own, users []string, boundary string, place Place) []Statement {
	var wanted []grant
	table := Resources()
	for _, r := range table {
		names := r.Resources
		if names == nil {
			names = []string{anything}
		}
		if slices.Contains(own, r.Type) || slices.Contains(users, r.Type) && strings.HasPrefix(r.Type, "AWS::IAM::") {
			wanted = append(wanted, grant{r.Actions, names, nil})
		}
		if slices.Contains(users, r.Type) && !strings.HasPrefix(r.Type, "AWS::IAM::") {
			wanted = append(wanted, grant{r.Actions, []string{anything}, nil})
		}
	}
	for _, t := range users {
		if !slices.ContainsFunc(table, func(r Resource) bool { return r.Type == t }) {
			wanted = append(wanted, grant{unlisted(t), []string{anything}, nil})
		}
	}
	if slices.Contains(own, "AWS::IAM::Role") || slices.Contains(users, "AWS::IAM::Role") {
		wanted = append(wanted, grant{bounded(), []string{roles},
			map[string]map[string]string{"StringEquals": {"iam:PermissionsBoundary": boundary}}})
	}
	return merge(wanted, place)
}

// unlisted is a type that only a user's template has: its whole service, as far
// as the boundary lets it. Where IAM calls the service otherwise than
// CloudFormation does, the table says how.
func unlisted(resource string) []string {
	parts := strings.Split(resource, "::")
	if parts[0] == "Custom" || resource == "AWS::CloudFormation::CustomResource" {
		return []string{"lambda:InvokeFunction", "sns:Publish"}
	}
	if len(parts) != 3 || parts[0] != "AWS" || parts[1] == "IAM" {
		return nil // IAM: what the table does not list, no role of ours makes
	}
	prefix, ok := map[string]string{
		"Cognito": "cognito-idp", "EFS": "elasticfilesystem", "ElasticLoadBalancingV2": "elasticloadbalancing", "Events": "events",
		"CertificateManager": "acm", "OpenSearchService": "es", "StepFunctions": "states", "ApiGatewayV2": "apigateway",
		"KinesisFirehose": "firehose", "ServiceDiscovery": "servicediscovery", "MSK": "kafka", "AmazonMQ": "mq",
	}[parts[1]]
	if !ok {
		prefix = strings.ToLower(parts[1])
	}
	return []string{prefix + ":*"}
}
