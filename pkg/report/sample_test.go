package report

import (
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

func at(file string, line int) spec.Source {
	return spec.Source{File: "specs/" + file, Line: line, Column: 3}
}

var target = plan.Target{
	Platform: "bp", Account: "123456789012", Region: "us-east-1", Revision: "3f2a9c1",
	Specs: "0f343b0931126a20f133d67c2b018a3b5d2c4a1f0e9d8c7b6a59483726150403",
}

// updates is a plan with some of everything that can happen to what exists.
func updates() plan.Plan {
	platform, fleet := at("platform.yaml", 3), at("fleets.cue", 12)
	return plan.Plan{
		FormatVersion: plan.FormatVersion, Tool: "test", Target: target, Digest: "d1",
		Steps: []plan.Step{
			{
				ID: "parameter/bp/fleets/staging/gpu-default/desired_config", Kind: plan.KindParameter,
				Target: "/bp/fleets/staging/gpu-default/desired_config", Action: plan.ActionUpdate, Base: "b",
				Body: plan.Body{Parameter: &plan.ParameterBody{Name: "/bp/fleets/staging/gpu-default/desired_config", Type: "String", Value: "{}", Owner: "bp"}},
				Changes: []plan.Change{{
					Resource: "/bp/fleets/staging/gpu-default/desired_config", Type: "AWS::SSM::Parameter", Action: plan.ActionUpdate, Path: "Value",
					Before: `{"instance_type":"g4dn.xlarge","max_size":3}`, After: `{"instance_type":"g5.xlarge","max_size":3}`, Source: at("fleets.cue", 16),
				}},
				Source: fleet,
			},
			{
				ID: "stack/bp-network", Kind: plan.KindStack, Target: "bp-network", Action: plan.ActionUpdate, Base: "b",
				Body: plan.Body{Stack: &plan.StackBody{Name: "bp-network", Owner: "bp"}},
				Changes: []plan.Change{
					{Stack: "bp-network", Resource: "Endpoint", Type: "AWS::EC2::VPCEndpoint", Physical: "vpce-1", Action: plan.ActionDelete, Source: platform},
					{Stack: "bp-network", Resource: "Vpc", Type: "AWS::EC2::VPC", Physical: "vpc-0123", Action: plan.ActionReplace, Path: "Properties.CidrBlock",
						Before: "10.0.0.0/16", After: "10.1.0.0/16", Replace: plan.ReplaceYes, Source: at("platform.yaml", 12)},
					{Stack: "bp-network", Resource: "Vpc", Type: "AWS::EC2::VPC", Physical: "vpc-0123", Action: plan.ActionUpdate, Path: "Properties.Tags[Owner].Value",
						Before: "ops", After: "platform", Replace: plan.ReplaceNo, Source: at("platform.yaml", 9)},
				},
				Approvals: []plan.Approval{
					{Kind: plan.ApproveReplace, Target: "bp-network/Vpc", Why: "Vpc (AWS::EC2::VPC) is replaced because of CidrBlock (specs/platform.yaml:12)"},
					{Kind: plan.ApproveDestroy, Target: "bp-network/Endpoint", Why: "Endpoint (AWS::EC2::VPCEndpoint) is deleted"},
				},
				Risk: "Vpc is replaced", Source: platform,
			},
			{
				ID: "stack/bp-gpu-fleet-staging-gpu-default", Kind: plan.KindStack, Target: "bp-gpu-fleet-staging-gpu-default", Action: plan.ActionUpdate, Base: "b",
				Needs: []plan.StepID{"stack/bp-network", "parameter/bp/fleets/staging/gpu-default/desired_config"},
				Body:  plan.Body{Stack: &plan.StackBody{Name: "bp-gpu-fleet-staging-gpu-default", Owner: "bp"}},
				Changes: []plan.Change{
					{Stack: "f", Resource: "Group", Type: "AWS::AutoScaling::AutoScalingGroup", Physical: "staging-gpu-default", Action: plan.ActionUpdate,
						Path: "Properties.MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version", Before: "3",
						After: cfn.GetAtt("LaunchTemplate", "LatestVersionNumber"), Unknown: true, Replace: plan.ReplaceNo, Source: fleet},
					{Stack: "f", Resource: "Group", Type: "AWS::AutoScaling::AutoScalingGroup", Physical: "staging-gpu-default", Action: plan.ActionUpdate,
						Path: "Properties.VPCZoneIdentifier[2]", After: cfn.StackOutput("bp-network", "PrivateSubnet3"), Unknown: true, Source: fleet},
					{Stack: "f", Resource: "LaunchTemplate", Type: "AWS::EC2::LaunchTemplate", Physical: "lt-1", Action: plan.ActionUpdate,
						Path: "Properties.LaunchTemplateData.ImageId", Before: "ami-0aaaaaaaaaaaaaaaa", After: "ami-0bbbbbbbbbbbbbbbb", Replace: plan.ReplaceNo, Source: fleet},
					{Stack: "f", Resource: "LaunchTemplate", Type: "AWS::EC2::LaunchTemplate", Physical: "lt-1", Action: plan.ActionUpdate,
						Path: "Properties.LaunchTemplateData.UserData", Before: "a\nb\n", After: "a\nc\n", Replace: plan.ReplaceNo, Source: fleet,
						Document: "@@ -1,3 +1,3 @@\n #!/bin/bash\n-export STAGE=staging\n+export STAGE=production\n \trun\n"},
					{Stack: "f", Resource: "Secret", Type: "AWS::SSM::Parameter", Action: plan.ActionUpdate, Path: "Properties.Value",
						Before: cfn.Masked, After: cfn.Masked, Sensitive: true, Replace: plan.ReplaceNo, Source: fleet},
				},
				Source: fleet,
			},
			{
				ID: "stack/bp-compute", Kind: plan.KindStack, Target: "bp-compute", Action: plan.ActionCreate, Base: "b",
				Body: plan.Body{Stack: &plan.StackBody{Name: "bp-compute", Owner: "bp", Template: &cfn.Template{Resources: map[string]cfn.Resource{
					"Cluster": {Type: "AWS::ECS::Cluster", Properties: map[string]any{"ClusterName": "bp", "ClusterSettings": []any{map[string]any{"Name": "containerInsights", "Value": "enabled"}}}},
					"Roles":   {Type: "AWS::IAM::Role", Properties: map[string]any{"RoleName": cfn.Join("bp-", cfn.LogicalRef("AWS::Region"))}},
				}}}},
				Changes: []plan.Change{
					{Stack: "bp-compute", Resource: "Cluster", Type: "AWS::ECS::Cluster", Action: plan.ActionCreate, Source: platform},
					{Stack: "bp-compute", Resource: "Roles", Type: "AWS::IAM::Role", Action: plan.ActionCreate, Source: at("platform.yaml", 22)},
				},
				Blocked: &plan.Blocked{Reason: "image bp-backend:latest is not in ECR", Command: "docker push 123456789012.dkr.ecr.us-east-1.amazonaws.com/bp-backend:latest"},
				Unknown: []string{"bp-network.VpcId"}, Reason: "the stack does not exist", Rollback: "delete the stack",
				Source: platform,
			},
			{
				ID: "log-group//gpu-workers/gpu-default", Kind: plan.KindLogGroup, Target: "/gpu-workers/gpu-default", Action: plan.ActionUpdate, Base: "b",
				Body:    plan.Body{LogGroup: &plan.LogGroupBody{Name: "/gpu-workers/gpu-default", RetentionDays: 7}},
				Changes: []plan.Change{{Resource: "/gpu-workers/gpu-default", Type: "AWS::Logs::LogGroup", Action: plan.ActionUpdate, Path: "RetentionInDays", Before: 30, After: 7, Source: fleet}},
				Risk:    "log events older than the new retention are deleted", Source: fleet,
			},
			{
				ID: "recover/bp-data", Kind: plan.KindStack, Target: "bp-data", Action: plan.ActionRecover, Base: "b",
				Body:      plan.Body{Recover: &plan.RecoverBody{Name: "bp-data", ID: "arn:x", Status: "UPDATE_ROLLBACK_FAILED", Operation: plan.RecoverContinueRollback, Resources: []string{"Database", "Cache"}}},
				Approvals: []plan.Approval{{Kind: plan.ApproveRecover, Target: "bp-data", Why: "goes on with the rollback that failed"}},
				Source:    platform,
			},
		},
		Drift: []plan.Change{
			{Stack: "bp-gpu-fleet-production-gpu-default", Resource: "Group", Type: "AWS::AutoScaling::AutoScalingGroup", Action: plan.ActionUpdate,
				Path: "Properties.MaxSize", Before: 9, After: "3", Source: fleet},
			{Stack: "bp-data", Resource: "Gone", Type: "AWS::EC2::LaunchTemplate", Action: plan.ActionDelete},
		},
		Findings: []plan.Finding{
			{Severity: plan.SeverityWarning, Code: "ami-old", Target: "staging/gpu-default", Message: "the AMI of fleet staging/gpu-default is 90 days old", Command: "reconcile ami build", Source: at("fleets.cue", 12)},
			{Severity: plan.SeverityWarning, Code: "image-missing", Target: "bp-compute", Message: "image bp-backend:latest is not in ECR", Command: "docker push …", Source: at("platform.yaml", 30)},
			{Severity: plan.SeverityNote, Code: "social-login", Target: "/bp/oauth/secrets", Message: "social login is not configured: the nine OAuth keys are empty; this is optional and nothing waits for it", Command: "reconcile secrets sync"},
		},
		Summary: plan.Summary{Add: 3, Change: 5, Destroy: 2, Replace: 1, Drift: 2, Blocked: 1},
	}
}

func empty() plan.Plan {
	return plan.Plan{
		FormatVersion: plan.FormatVersion, Tool: "test", Target: target, Digest: "d2",
		NotRead: []string{"resources changed by hand outside of launch templates and Auto Scaling groups", "the values of secrets"},
	}
}

// hostile is a plan whose texts try to leave their place.
func hostile() plan.Plan {
	evil := "\x1b[31m</code><script>alert(1)</script> `` ```` @everyone #1 ![x](http://evil) \u202edesrever\a"
	return plan.Plan{
		FormatVersion: plan.FormatVersion, Tool: "test", Target: target, Digest: "d3",
		Steps: []plan.Step{{
			ID: "stack/evil", Kind: plan.KindStack, Target: evil, Action: plan.ActionUpdate, Base: "b",
			Changes: []plan.Change{
				{Resource: "R", Type: evil, Action: plan.ActionUpdate, Path: "Properties.Value", Before: evil, After: map[string]any{evil: []any{evil}}},
				{Resource: "S", Type: "T", Action: plan.ActionUpdate, Path: "Properties.Doc", Document: "@@ -1 +1 @@\n-```\n+````\x1b]0;title\a\n+</details>\n"},
			},
			Blocked:   &plan.Blocked{Reason: evil, Command: evil},
			Approvals: []plan.Approval{{Kind: plan.ApproveDestroy, Target: "a b'c", Why: evil}},
		}},
		Findings: []plan.Finding{{Severity: plan.SeverityError, Code: "x", Target: evil, Message: evil}},
		Drift:    []plan.Change{{Resource: evil, Action: plan.ActionUpdate, Path: evil, Before: evil, After: evil}},
		Summary:  plan.Summary{Change: 2},
	}
}
