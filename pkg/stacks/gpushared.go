package stacks

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// gpuSharedStack sends idle fleets to zero: their alarms publish to a topic, a
// function looks again and sets the group's desired capacity.
func (p *platform) gpuSharedStack() plan.Stack {
	s := p.stack(p.gpuShared(), "gpu-shared", "Shared GPU scale-to-zero resources")
	name := p.Name + "-scale-to-zero"
	s.add("ScaleToZeroTopic", cfn.Resource{Type: "AWS::SNS::Topic", Properties: props{"TopicName": name}})
	p.alarmTopicPolicy(s, "ScaleToZeroTopic", "cloudwatch.amazonaws.com")

	// Without a group of its own Lambda makes one that never expires.
	s.add("ScaleToZeroLogs", cfn.Resource{
		Type: "AWS::Logs::LogGroup", DeletionPolicy: "Delete", UpdateReplacePolicy: "Delete",
		Properties: props{"LogGroupName": "/aws/lambda/" + name, "RetentionInDays": 30},
	})
	s.add("ScaleToZeroRole", role("lambda.amazonaws.com", "Sends idle GPU fleets to zero",
		// Neither call can be limited to a resource.
		allow("*", "autoscaling:DescribeAutoScalingGroups", "cloudwatch:GetMetricStatistics"),
		allow(texts(
			p.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/asg-production-*"),
			p.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/asg-staging-*"),
		), "autoscaling:SetDesiredCapacity"),
		allow(texts(
			p.arn("cloudwatch", "alarm:production-*-queue-empty"),
			p.arn("cloudwatch", "alarm:staging-*-queue-empty"),
		), "cloudwatch:DescribeAlarms", "cloudwatch:SetAlarmState"),
		allow(cfn.GetAtt("ScaleToZeroLogs", "Arn"), "logs:CreateLogStream", "logs:PutLogEvents"),
	))
	s.add("ScaleToZero", cfn.Resource{Type: "AWS::Lambda::Function", Properties: props{
		"FunctionName":  name,
		"Description":   "Sets the fleet of a queue-empty alarm to zero when its queue is empty indeed",
		"Runtime":       "python3.13",
		"Architectures": list{"arm64"},
		"Handler":       "index.handler",
		"Code":          props{"ZipFile": python(scaleToZeroScript)},
		"Timeout":       60,
		"MemorySize":    128,
		"Role":          cfn.GetAtt("ScaleToZeroRole", "Arn"),
		"LoggingConfig": props{"LogGroup": cfn.LogicalRef("ScaleToZeroLogs")},
	}})
	s.add("ScaleToZeroPermission", cfn.Resource{Type: "AWS::Lambda::Permission", Properties: props{
		"FunctionName": cfn.GetAtt("ScaleToZero", "Arn"),
		"Action":       "lambda:InvokeFunction",
		"Principal":    "sns.amazonaws.com",
		"SourceArn":    cfn.LogicalRef("ScaleToZeroTopic"),
	}})
	s.add("ScaleToZeroSubscription", cfn.Resource{Type: "AWS::SNS::Subscription", Properties: props{
		"TopicArn": cfn.LogicalRef("ScaleToZeroTopic"),
		"Protocol": "lambda",
		"Endpoint": cfn.GetAtt("ScaleToZero", "Arn"),
	}})
	s.output("ScaleToZeroTopicArn", "Topic of the fleets' queue-empty alarms", cfn.LogicalRef("ScaleToZeroTopic"))
	return s.finish()
}

// alarmTopicPolicy lets services publish for this account, over TLS only. A
// topic under AWS's own SNS key would refuse CloudWatch, so it is not
// encrypted at rest.
func (p *platform) alarmTopicPolicy(s *stack, topic string, services ...string) {
	ref := cfn.LogicalRef(topic)
	statements := list{
		on(by(allow(ref, "sns:Publish"), "Service", texts(services...)), "StringEquals", "aws:SourceAccount", p.Account),
	}
	if p.wants(s, RuleTopicTLS, topic+"Policy") {
		statements = append(statements, tlsOnly("sns:Publish", ref))
	}
	s.add(topic+"Policy", cfn.Resource{Type: "AWS::SNS::TopicPolicy", Properties: props{
		"Topics":         list{ref},
		"PolicyDocument": policy(statements...),
	}})
}
