package stacks

import "reconcile/pkg/cfn"

const ecsTasks = "ecs-tasks.amazonaws.com"

// exec lets people open a shell in a running task.
func exec(logs string) list {
	return list{
		// Session channels have no resource to name.
		allow("*", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
			"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
		allow("*", "logs:DescribeLogGroups"),
		allow(cfn.GetAtt(logs, "Arn"), "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
	}
}

// start lets ECS pull a service's images and write its logs.
func (p *platform) start(repository, logs string) list {
	return list{
		allow(p.arn("ecr", "repository/"+repository),
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
		// A token is for the whole registry.
		allow("*", "ecr:GetAuthorizationToken"),
		allow(cfn.GetAtt(logs, "Arn"), "logs:CreateLogStream", "logs:PutLogEvents"),
	}
}

func (p *platform) backendRoles(s *stack) {
	data := func(output string) any { return cfn.StackOutput(p.data(), output) }
	buckets := list{
		data("MediaBucketArn"), cfn.Join(data("MediaBucketArn"), "/*"),
		data("ModelsBucketArn"), cfn.Join(data("ModelsBucketArn"), "/*"),
	}
	statements := list{
		allow(buckets,
			"s3:GetObject*", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*", "s3:PutObject", "s3:PutObjectLegalHold",
			"s3:PutObjectRetention", "s3:PutObjectTagging", "s3:PutObjectVersionTagging", "s3:Abort*"),
		allow(list{data("LogsBucketArn"), cfn.Join(data("LogsBucketArn"), "/*")}, "s3:GetObject*", "s3:GetBucket*", "s3:List*"),
		on(allow("*", "cloudwatch:PutMetricData"), "StringEquals", "cloudwatch:namespace", workerMetrics),
		// The Admin UI writes both of every fleet.
		allow(texts(
			p.parameterARN("/"+p.Name+"/fleets/*/*/active_bundle"),
			p.parameterARN("/"+p.Name+"/fleets/*/*/desired_config"),
		), "ssm:GetParameter", "ssm:PutParameter"),
	}
	s.add("BackendTaskRole", role(ecsTasks, "What the backend may do", append(statements, exec("BackendLogs")...)...))

	s.cause("spec.cache.encryption", "BackendExecutionRole.Properties.Policies")
	secrets := list{data("LaravelKeyArn"), data("OAuthSecretsArn"), data("DatabaseSecretArn"), data("AssetOpsSecretArn")}
	if p.Cache.Encryption {
		secrets = append(secrets, data("RedisSecretArn"))
	}
	s.add("BackendExecutionRole", role(ecsTasks, "Starts the backend's tasks", append(p.start(p.backendName(), "BackendLogs"),
		allow(secrets, "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"),
		// SecureStrings under AWS's own key for SSM: its key policy lets everyone
		// decrypt through SSM who may read the parameter, so no KMS statement.
		allow(texts(
			p.parameterARN(p.fleetSecretParameter("production")),
			p.parameterARN(p.fleetSecretParameter("staging")),
		), "ssm:GetParameter", "ssm:GetParameters"),
	)...))
}

func (p *platform) frontendRoles(s *stack) {
	s.add("FrontendTaskRole", role(ecsTasks, "What the frontend may do", exec("FrontendLogs")...))
	s.add("FrontendExecutionRole", role(ecsTasks, "Starts the frontend's tasks", p.start(p.frontendName(), "FrontendLogs")...))
}
