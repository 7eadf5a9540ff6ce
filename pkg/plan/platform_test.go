package plan_test

import (
	"fmt"
	"strings"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

type props = map[string]any

func res(kind string, p props) cfn.Resource { return cfn.Resource{Type: kind, Properties: p} }

// platform is a platform of the real one's shape with n fleets: three shared
// stacks, a parameter and a log group per fleet, fleet templates of about the
// real size.
func platform(n int) plan.Desired {
	d := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1", Revision: "r1", Specs: "s1"},
		Stacks: []plan.Stack{network(), data(), monitoring(n)},
		Parameters: []plan.Parameter{{Name: "/bp/fleets/staging/fleet-secret", Type: "SecureString", Generate: "hex48",
			Policy: plan.PolicyCreate, Source: spec.Source{File: "specs/platform.yaml", Line: 9}}},
		Secrets: []plan.Secret{{Name: "/bp/laravel/app-key", Stack: "bp-data", Generate: "laravel-key"}},
	}
	for i := range n {
		slug := fmt.Sprintf("gpu-%04d", i)
		d.Stacks = append(d.Stacks, fleet(slug))
		d.LogGroups = append(d.LogGroups, plan.LogGroup{Name: "/gpu-workers/" + slug, RetentionDays: 7})
		d.Parameters = append(d.Parameters, plan.Parameter{Name: "/bp/fleets/staging/" + slug + "/desired_config", Type: "String",
			Policy: plan.PolicyOwn, Value: `{"version":1,"template_slug":"` + slug + `"}`, Fleet: "staging/" + slug, Contract: true})
		d.Fleets = append(d.Fleets, plan.Fleet{ID: "staging/" + slug, Stack: "bp-gpu-fleet-staging-" + slug,
			Group: "asg-staging-" + slug, MaxSize: 10, AMIParameter: "/bp/ami/fleets/staging/" + slug})
	}
	return d
}

func network() plan.Stack {
	return plan.Stack{Name: "bp-network", Tags: map[string]string{"Service": "network"}, Source: spec.Source{File: "specs/platform.yaml", Line: 1},
		Template: cfn.Template{Description: "network",
			Resources: map[string]cfn.Resource{
				"Vpc": res("AWS::EC2::VPC", props{"CidrBlock": "10.0.0.0/16"}),
				"Sg":  res("AWS::EC2::SecurityGroup", props{"GroupDescription": "workers", "VpcId": cfn.LogicalRef("Vpc")}),
				"Subnet": res("AWS::EC2::Subnet", props{"VpcId": cfn.LogicalRef("Vpc"), "CidrBlock": "10.0.0.0/24",
					"AvailabilityZone": "us-east-1a"}),
			},
			Outputs: map[string]cfn.Output{
				"SgId": {Value: cfn.GetAtt("Sg", "GroupId")}, "SubnetId": {Value: cfn.LogicalRef("Subnet")},
			}}}
}

func data() plan.Stack {
	return plan.Stack{Name: "bp-data", DependsOn: []string{"bp-network"}, Protect: true, Stateful: []string{"Models"},
		Template: cfn.Template{Description: "data",
			Resources: map[string]cfn.Resource{
				"Models": {Type: "AWS::S3::Bucket", DeletionPolicy: "RetainExceptOnCreate", UpdateReplacePolicy: "Retain",
					Properties: props{"BucketName": "bp-models-123456789012"}},
				"Key":    {Type: "AWS::SecretsManager::Secret", DeletionPolicy: "RetainExceptOnCreate", Properties: props{"Name": "/bp/laravel/app-key"}},
				"Subnet": res("AWS::ElastiCache::SubnetGroup", props{"Description": "redis", "SubnetIds": []any{cfn.StackOutput("bp-network", "SubnetId")}}),
			},
			Outputs: map[string]cfn.Output{"ModelsArn": {Value: cfn.GetAtt("Models", "Arn")}, "Models": {Value: cfn.LogicalRef("Models")}}}}
}

func monitoring(n int) plan.Stack {
	var rows []string
	for i := range min(n, 100) {
		rows = append(rows, fmt.Sprintf(`{"metrics":[["ComfyUI/Workers","QueueDepth","FleetSlug","gpu-%04d"]]}`, i))
	}
	return plan.Stack{Name: "bp-monitoring", Template: cfn.Template{Description: "monitoring",
		Resources: map[string]cfn.Resource{
			"Topic": res("AWS::SNS::Topic", props{"TopicName": "bp-ops-alerts"}),
			"Board": res("AWS::CloudWatch::Dashboard", props{"DashboardName": "bp",
				"DashboardBody": `{"widgets":[` + strings.Join(rows, ",") + `]}`}),
		},
		Outputs: map[string]cfn.Output{"TopicArn": {Value: cfn.LogicalRef("Topic")}}}}
}

func fleet(slug string) plan.Stack {
	name := "bp-gpu-fleet-staging-" + slug
	t := cfn.Template{Description: "GPU fleet " + slug, Resources: map[string]cfn.Resource{
		"Template": res("AWS::EC2::LaunchTemplate", props{"LaunchTemplateName": "lt-staging-" + slug, "LaunchTemplateData": props{
			"ImageId":          cfn.ParameterValue("/bp/ami/fleets/staging/" + slug),
			"SecurityGroupIds": []any{cfn.StackOutput("bp-network", "SgId")},
			"MetadataOptions":  props{"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
			"UserData": props{"Fn::Base64": cfn.Join("#!/bin/bash\nset -euo pipefail\nMODELS_BUCKET=", cfn.StackOutput("bp-data", "Models"),
				"\nFLEET_SLUG="+slug+"\n"+strings.Repeat("echo a line of the boot script that is about as long as usual\n", 40))},
		}}),
		"Group": res("AWS::AutoScaling::AutoScalingGroup", props{
			"AutoScalingGroupName": "asg-staging-" + slug, "MinSize": "0", "MaxSize": "10", "CapacityRebalance": true,
			"VPCZoneIdentifier": []any{cfn.StackOutput("bp-network", "SubnetId")},
			"MixedInstancesPolicy": props{"LaunchTemplate": props{
				"LaunchTemplateSpecification": props{"LaunchTemplateId": cfn.LogicalRef("Template"), "Version": cfn.GetAtt("Template", "LatestVersionNumber")},
				"Overrides":                   []any{props{"InstanceType": "g4dn.xlarge"}, props{"InstanceType": "g5.xlarge"}},
			}},
			"Tags": []any{props{"Key": "FleetSlug", "Value": slug, "PropagateAtLaunch": true}},
		}),
		"Role": res("AWS::IAM::Role", props{"AssumeRolePolicyDocument": props{"Version": "2012-10-17", "Statement": []any{
			props{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": props{"Service": "ec2.amazonaws.com"}}}}}),
		"Policy": res("AWS::IAM::Policy", props{"PolicyName": "worker", "Roles": []any{cfn.LogicalRef("Role")},
			"PolicyDocument": props{"Version": "2012-10-17", "Statement": []any{
				props{"Effect": "Allow", "Action": []any{"s3:GetObject"}, "Resource": cfn.Join(cfn.StackOutput("bp-data", "ModelsArn"), "/assets/*")},
				props{"Effect": "Allow", "Action": []any{"logs:PutLogEvents"}, "Resource": "arn:aws:logs:us-east-1:123456789012:log-group:/gpu-workers/" + slug + ":*"},
			}}}),
		"Profile": res("AWS::IAM::InstanceProfile", props{"Roles": []any{cfn.LogicalRef("Role")}}),
	}, Outputs: map[string]cfn.Output{"GroupName": {Value: cfn.LogicalRef("Group")}}}
	for i, alarm := range []string{"backlog", "has-jobs", "empty", "deep", "errors", "missing"} {
		t.Resources[fmt.Sprintf("Alarm%d", i)] = res("AWS::CloudWatch::Alarm", props{
			"AlarmName": "staging-" + slug + "-" + alarm, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1,
			"Namespace": "ComfyUI/Workers", "MetricName": "QueueDepth", "Period": 60, "Statistic": "Maximum", "Threshold": 0,
			"Dimensions":   []any{props{"Name": "FleetSlug", "Value": slug}, props{"Name": "Stage", "Value": "staging"}},
			"AlarmActions": []any{cfn.StackOutput("bp-monitoring", "TopicArn")}, "TreatMissingData": "notBreaching",
		})
	}
	return plan.Stack{Name: name, Fleet: "staging/" + slug, Group: "asg-staging-" + slug, Template: t,
		Tags:      map[string]string{"Project": "AI-Product-Manager", "Service": "gpu-fleet"},
		DependsOn: []string{"bp-data", "bp-monitoring", "bp-network"},
		After:     []plan.StepID{plan.ID(plan.KindLogGroup, "/gpu-workers/"+slug), "parameter/bp/fleets/staging/fleet-secret", "secret/bp/laravel/app-key"},
		Source:    spec.Source{File: "specs/fleets.cue", Line: 3}}
}
