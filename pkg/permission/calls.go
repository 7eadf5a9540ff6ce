package permission

import "slices"

// ARNs with places in braces.
const (
	anything   = "*"
	stacks     = "arn:{partition}:cloudformation:{region}:{account}:stack/{stack}/*"
	everyStack = "arn:{partition}:cloudformation:{region}:{account}:stack/*"
	parameters = "arn:{partition}:ssm:{region}:{account}:parameter/{platform}/*"
	secrets    = "arn:{partition}:secretsmanager:{region}:{account}:secret:/{platform}/*"
	workerLogs = "arn:{partition}:logs:{region}:{account}:log-group:/gpu-workers/*"
	logs       = "arn:{partition}:logs:{region}:{account}:*"
	registries = "arn:{partition}:ecr:{region}:{account}:repository/{platform}-*"
	buckets    = "arn:{partition}:s3:::{platform}-*"
	models     = "arn:{partition}:s3:::{platform}-models-{account}"
	manifests  = "arn:{partition}:s3:::{platform}-models-{account}/bundles/*"
	syncLogs   = "arn:{partition}:s3:::{platform}-logs-{account}/asset-sync/*"
	assets     = "arn:{partition}:s3:::{platform}-models-{account}/assets/*"
	ownBucket  = "arn:{partition}:s3:::{bucket}"
	ownObjects = "arn:{partition}:s3:::{bucket}/*"
	ownLock    = "arn:{partition}:s3:::{bucket}/lock/*"
	ownStack   = "arn:{partition}:cloudformation:{region}:{account}:stack/{platform}-reconcile/*"
	services   = "arn:{partition}:ecs:{region}:{account}:service/{platform}/*"
	providers  = "arn:{partition}:iam::{account}:oidc-provider/*"
	ourCerts   = "arn:{partition}:acm:{region}:{account}:certificate/*"
)

// changeSets are named by pkg/apply.
const changeSets = "rc-*"

// Calls are the operations that pkg/cloud calls, sorted by service. The action
// of an operation is in AWS's Service Authorization Reference; only where it is
// not SERVICE:OPERATION a comment says why.
func Calls() []Call {
	reading := []Command{Plan, Comment, Status, Drift, Apply, Destroy, Bootstrap, Bundle}
	asking := append([]Command{History, Unlock, Dev, Rollout}, reading...)
	developing := []Command{Dev}
	rolling := append([]Command{Rollout}, reading...)
	writing := []Command{Apply, Destroy, Bootstrap}
	recorded := []Command{Plan, Comment, Apply, Destroy, Bootstrap, History, Unlock, Bundle, Rollout} // approvals are consumed once: the journal tells
	byHand := []Command{EmptyBucket}                                                                  // data goes by somebody's own rights, never by a workflow's
	locking := []Command{Apply, Destroy, Bootstrap, Unlock, Bundle, Rollout}
	keeping := append([]Command{Bundle, Rollout}, writing...) // lock and journal
	storing := []Command{Apply, Bundle}
	// An image is built beside the rest; naming it is an apply of one parameter.
	naming := []Command{AMIBuild, AMIBake, AMIUse}
	imaging := append([]Command{AMIList}, naming...)
	for _, shared := range []*[]Command{&reading, &asking, &recorded, &locking, &keeping} {
		*shared = slices.Clip(*shared) // rows append to them
	}
	ours := map[string]map[string]string{"StringLike": {"cloudformation:ChangeSetName": changeSets}}
	// A stack operation of ours always names CloudFormation's role; without it
	// CloudFormation would act with the rights of whoever called last (I17).
	viaExec := map[string]map[string]string{"StringEquals": {"cloudformation:RoleArn": "{exec}"}}
	created := map[string]map[string]string{
		"StringLike":   {"cloudformation:ChangeSetName": changeSets},
		"StringEquals": {"cloudformation:RoleArn": "{exec}"},
		// Absent where the template is in the request (I19).
		"StringLikeIfExists": {"cloudformation:TemplateUrl": "https://{bucket}.s3.{region}.amazonaws.com/*"},
	}
	return []Call{
		{"ACM", "DescribeCertificate", []string{"acm:DescribeCertificate"}, []string{ourCerts}, nil, reading},
		{"Auto Scaling", "DescribeAutoScalingGroups", []string{"autoscaling:DescribeAutoScalingGroups"}, []string{anything}, nil, append([]Command{AMIList}, rolling...)},
		{"Auto Scaling", "DescribeInstanceRefreshes", []string{"autoscaling:DescribeInstanceRefreshes"}, []string{anything}, nil, rolling},

		{"CloudFormation", "ListStacks", []string{"cloudformation:ListStacks"}, []string{anything}, nil, reading},
		{"CloudFormation", "DescribeStacks", []string{"cloudformation:DescribeStacks"}, []string{everyStack}, nil, rolling},
		{"CloudFormation", "DescribeStackEvents", []string{"cloudformation:DescribeStackEvents"}, []string{everyStack}, nil, rolling},
		{"CloudFormation", "DescribeStackResources", []string{"cloudformation:DescribeStackResources"}, []string{everyStack}, nil, reading},
		{"CloudFormation", "ListStackResources", []string{"cloudformation:ListStackResources"}, []string{everyStack}, nil, reading},
		{"CloudFormation", "GetTemplate", []string{"cloudformation:GetTemplate"}, []string{everyStack}, nil, reading},
		{"CloudFormation", "DescribeEvents", []string{"cloudformation:DescribeEvents"}, []string{everyStack}, nil, append([]Command{Rollout}, writing...)},
		{"CloudFormation", "DescribeChangeSet", []string{"cloudformation:DescribeChangeSet"}, []string{everyStack}, nil, writing},
		// A change set with stack tags needs TagResource; one with a role, PassRole.
		{"CloudFormation", "CreateChangeSet", []string{"cloudformation:CreateChangeSet"}, []string{stacks}, created, writing},
		{"CloudFormation", "CreateChangeSet", []string{"cloudformation:TagResource", "cloudformation:UntagResource"}, []string{stacks}, nil, writing},
		{"CloudFormation", "CreateChangeSet", []string{"iam:PassRole"}, []string{"{exec}"},
			map[string]map[string]string{"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}, writing},
		// The program's own stack is made by a person: no workflow may touch it.
		{"CloudFormation", "CreateStack", []string{"cloudformation:CreateStack", "cloudformation:TagResource"}, []string{ownStack}, nil, []Command{Bootstrap}},
		{"CloudFormation", "DeleteChangeSet", []string{"cloudformation:DeleteChangeSet"}, []string{stacks}, ours, writing},
		{"CloudFormation", "ExecuteChangeSet", []string{"cloudformation:ExecuteChangeSet"}, []string{stacks}, ours, writing},
		{"CloudFormation", "DeleteStack", []string{"cloudformation:DeleteStack"}, []string{stacks}, viaExec, writing},
		{"CloudFormation", "ContinueUpdateRollback", []string{"cloudformation:ContinueUpdateRollback"}, []string{stacks}, viaExec, writing},
		// It takes no role and starts nothing: the update's own role goes back.
		{"CloudFormation", "CancelUpdateStack", []string{"cloudformation:CancelUpdateStack"}, []string{stacks}, nil, []Command{Rollout}},
		{"CloudFormation", "RollbackStack", []string{"cloudformation:RollbackStack"}, []string{stacks}, viaExec, writing},
		{"CloudFormation", "UpdateTerminationProtection", []string{"cloudformation:UpdateTerminationProtection"}, []string{stacks}, nil, writing},

		{"CloudWatch Logs", "DescribeLogGroups", []string{"logs:DescribeLogGroups"}, []string{logs}, nil, reading},
		{"CloudWatch Logs", "ListTagsForResource", []string{"logs:ListTagsForResource"}, []string{logs}, nil, writing},
		// A group that is made with tags needs TagResource.
		{"CloudWatch Logs", "CreateLogGroup", []string{"logs:CreateLogGroup", "logs:TagResource"}, []string{workerLogs}, nil, writing},
		{"CloudWatch Logs", "PutRetentionPolicy", []string{"logs:PutRetentionPolicy"}, []string{workerLogs}, nil, writing},
		{"CloudWatch Logs", "DeleteRetentionPolicy", []string{"logs:DeleteRetentionPolicy"}, []string{workerLogs}, nil, writing},
		{"CloudWatch Logs", "DeleteLogGroup", []string{"logs:DeleteLogGroup"}, []string{workerLogs}, nil, writing},

		{"EC2", "DescribeLaunchTemplateVersions", []string{"ec2:DescribeLaunchTemplateVersions"}, []string{anything}, nil, append(reading, AMIList)},
		{"EC2", "DescribeImages", []string{"ec2:DescribeImages"}, []string{anything}, nil, append(append([]Command{Bundle}, reading...), imaging...)},
		{"EC2", "DescribeInstances", []string{"ec2:DescribeInstances"}, []string{anything}, nil, append([]Command{AMIList}, developing...)},
		{"EC2", "DescribeInstanceTypeOfferings", []string{"ec2:DescribeInstanceTypeOfferings"}, []string{anything}, nil, developing},
		{"EC2", "DescribeSubnets", []string{"ec2:DescribeSubnets"}, []string{anything}, nil, developing},
		{"EC2", "DescribeVpcs", []string{"ec2:DescribeVpcs"}, []string{anything}, nil, developing},
		// What is made with tags needs CreateTags; an instance with a profile, PassRole.
		{"EC2", "RunInstances", []string{"ec2:RunInstances", "ec2:CreateTags", "iam:PassRole"}, []string{anything}, nil, developing},
		{"EC2", "StartInstances", []string{"ec2:StartInstances"}, []string{anything}, nil, developing},
		{"EC2", "TerminateInstances", []string{"ec2:TerminateInstances"}, []string{anything}, nil, developing},
		{"EC2", "CreateSecurityGroup", []string{"ec2:CreateSecurityGroup", "ec2:CreateTags"}, []string{anything}, nil, developing},
		{"EC2", "DeleteSecurityGroup", []string{"ec2:DeleteSecurityGroup"}, []string{anything}, nil, developing},
		{"EC2", "AuthorizeSecurityGroupIngress", []string{"ec2:AuthorizeSecurityGroupIngress"}, []string{anything}, nil, developing},
		{"EC2", "RevokeSecurityGroupIngress", []string{"ec2:RevokeSecurityGroupIngress"}, []string{anything}, nil, developing},
		{"Pricing", "GetProducts", []string{"pricing:GetProducts"}, []string{anything}, nil, developing},
		{"ECR", "DescribeImages", []string{"ecr:DescribeImages"}, []string{registries}, nil, reading},
		{"ECR", "DescribeRepositories", []string{"ecr:DescribeRepositories"}, []string{registries}, nil, reading},
		{"ECR", "ListTagsForResource", []string{"ecr:ListTagsForResource"}, []string{registries}, nil, reading},
		{"ECS", "DescribeServices", []string{"ecs:DescribeServices"}, []string{services}, nil, reading},

		{"IAM", "ListOpenIDConnectProviders", []string{"iam:ListOpenIDConnectProviders"}, []string{anything}, nil, reading},
		{"IAM", "GetOpenIDConnectProvider", []string{"iam:GetOpenIDConnectProvider"}, []string{providers}, nil, reading},

		{"CloudFormation", "DetectStackDrift", []string{"cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift"}, []string{everyStack}, nil, []Command{Drift}},
		{"CloudFormation", "DescribeStackDriftDetectionStatus", []string{"cloudformation:DescribeStackDriftDetectionStatus"}, []string{anything}, nil, []Command{Drift}},
		{"CloudFormation", "DescribeStackResourceDrifts", []string{"cloudformation:DescribeStackResourceDrifts"}, []string{everyStack}, nil, []Command{Drift}},
		// What these list has names that AWS gives, or IAM takes no resource.
		{"Application Auto Scaling", "DescribeScalableTargets", []string{"application-autoscaling:DescribeScalableTargets"}, []string{anything}, nil, []Command{Drift}},
		{"Application Auto Scaling", "DescribeScalingPolicies", []string{"application-autoscaling:DescribeScalingPolicies"}, []string{anything}, nil, []Command{Drift}},
		{"Auto Scaling", "DescribePolicies", []string{"autoscaling:DescribePolicies"}, []string{anything}, nil, []Command{Drift}},
		{"CloudWatch", "DescribeAlarms", []string{"cloudwatch:DescribeAlarms"}, []string{anything}, nil, []Command{Drift, Rollout}},
		{"EC2", "DescribeSecurityGroups", []string{"ec2:DescribeSecurityGroups"}, []string{anything}, nil, []Command{Drift, Dev}},
		{"ElastiCache", "DescribeCacheClusters", []string{"elasticache:DescribeCacheClusters"}, []string{anything}, nil, []Command{Drift}},
		{"ElastiCache", "DescribeReplicationGroups", []string{"elasticache:DescribeReplicationGroups"}, []string{anything}, nil, []Command{Drift}},
		{"RDS", "DescribeDBInstances", []string{"rds:DescribeDBInstances"}, []string{anything}, nil, []Command{Drift}},
		{"S3", "GetPublicAccessBlock", []string{"s3:GetBucketPublicAccessBlock"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketVersioning", []string{"s3:GetBucketVersioning"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketLogging", []string{"s3:GetBucketLogging"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketCors", []string{"s3:GetBucketCORS"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketEncryption", []string{"s3:GetEncryptionConfiguration"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketOwnershipControls", []string{"s3:GetBucketOwnershipControls"}, []string{buckets}, nil, []Command{Drift}},
		{"S3", "GetBucketLifecycleConfiguration", []string{"s3:GetLifecycleConfiguration"}, []string{buckets}, nil, []Command{Drift}},

		// HeadBucket is allowed by ListBucket, HeadObject by GetObject.
		{"S3", "HeadBucket", []string{"s3:ListBucket"}, []string{buckets}, nil, reading},
		{"S3", "GetBucketTagging", []string{"s3:GetBucketTagging"}, []string{buckets}, nil, reading},
		{"S3", "HeadObject", []string{"s3:GetObject"}, []string{assets}, nil, reading},
		{"S3", "GetObject", []string{"s3:GetObject"}, []string{manifests}, nil, reading},
		// What a bundle is copied from is somebody's bucket, which allows it itself.
		{"S3", "PutObject", []string{"s3:PutObject"}, []string{assets, manifests}, nil, storing},
		{"S3", "CopyObject", []string{"s3:PutObject"}, []string{assets}, nil, storing},
		{"S3", "CreateMultipartUpload", []string{"s3:PutObject"}, []string{assets}, nil, storing},
		{"S3", "UploadPart", []string{"s3:PutObject"}, []string{assets}, nil, storing},
		{"S3", "UploadPartCopy", []string{"s3:PutObject"}, []string{assets}, nil, storing},
		{"S3", "CompleteMultipartUpload", []string{"s3:PutObject"}, []string{assets}, nil, storing},
		{"S3", "AbortMultipartUpload", []string{"s3:AbortMultipartUpload"}, []string{assets}, nil, storing},
		{"S3", "ListParts", []string{"s3:ListMultipartUploadParts"}, []string{assets}, nil, storing},
		{"S3", "ListMultipartUploads", []string{"s3:ListBucketMultipartUploads"}, []string{models}, nil, storing},

		{"S3", "ListObjectsV2", []string{"s3:ListBucket"}, []string{models}, nil, []Command{Bundle}},
		{"S3", "GetObject", []string{"s3:GetObject"}, []string{assets}, nil, []Command{Bundle}},
		{"S3", "ListObjectsV2", []string{"s3:ListBucket"}, []string{ownBucket}, nil, recorded},
		{"S3", "GetObject", []string{"s3:GetObject"}, []string{ownObjects}, nil, append(recorded, naming...)},
		{"S3", "ListObjectVersions", []string{"s3:ListBucketVersions"}, []string{buckets}, nil, byHand},
		{"S3", "DeleteObjects", []string{"s3:DeleteObject", "s3:DeleteObjectVersion"}, []string{buckets + "/*"}, nil, byHand},
		{"S3", "ListMultipartUploads", []string{"s3:ListBucketMultipartUploads"}, []string{buckets}, nil, byHand},
		{"S3", "AbortMultipartUpload", []string{"s3:AbortMultipartUpload"}, []string{buckets + "/*"}, nil, byHand},
		{"S3", "PutObject", []string{"s3:PutObject"}, []string{ownObjects}, nil, append(keeping, naming...)},
		{"S3", "PutObject", []string{"s3:PutObject"}, []string{syncLogs}, nil, developing},
		{"S3", "HeadObject", []string{"s3:GetObject"}, []string{syncLogs}, nil, developing},
		{"S3", "DeleteObject", []string{"s3:DeleteObject"}, []string{ownLock}, nil, append(locking, naming...)},

		{"SSM", "DescribeInstanceInformation", []string{"ssm:DescribeInstanceInformation"}, []string{anything}, nil, developing},
		{"SSM", "ListCommands", []string{"ssm:ListCommands"}, []string{anything}, nil, developing},
		{"SSM", "SendCommand", []string{"ssm:SendCommand"}, []string{anything}, nil, developing},
		{"SSM", "GetCommandInvocation", []string{"ssm:GetCommandInvocation"}, []string{anything}, nil, developing},
		{"SSM", "DescribeParameters", []string{"ssm:DescribeParameters"}, []string{anything}, nil, reading},
		{"SSM", "GetParameter", []string{"ssm:GetParameter"}, []string{parameters}, nil, append(reading, naming...)},
		{"SSM", "GetParameters", []string{"ssm:GetParameters"}, []string{parameters}, nil, append(append([]Command{Dev}, reading...), imaging...)},
		{"SSM", "GetParameterHistory", []string{"ssm:GetParameterHistory"}, []string{parameters}, nil, keeping},
		{"SSM", "ListTagsForResource", []string{"ssm:ListTagsForResource"}, []string{parameters}, nil, writing},
		// A parameter that is made with tags needs AddTagsToResource.
		{"SSM", "PutParameter", []string{"ssm:PutParameter", "ssm:AddTagsToResource"}, []string{parameters}, nil, append(keeping, naming...)},
		{"SSM", "DeleteParameter", []string{"ssm:DeleteParameter"}, []string{parameters}, nil, writing},

		// STS answers everybody who they are.
		{"STS", "GetCallerIdentity", nil, nil, nil, append(asking, imaging...)},
		{"Secrets Manager", "DescribeSecret", []string{"secretsmanager:DescribeSecret"}, []string{secrets}, nil, reading},
		{"Secrets Manager", "PutSecretValue", []string{"secretsmanager:PutSecretValue"}, []string{secrets}, nil, writing},
	}
}
