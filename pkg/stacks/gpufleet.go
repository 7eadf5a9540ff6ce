package stacks

import (
	"fmt"
	"strconv"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// workerMetrics is the namespace in which the backend publishes, each minute
// and per fleet and stage: QueueDepth, BacklogPerInstance, ActiveWorkers and so on.
const workerMetrics = "ComfyUI/Workers"

// fleet is a fleet with the template it is made from.
type fleet struct {
	*platform
	spec.Fleet
	template spec.FleetTemplate
}

// stack is one fleet of GPU workers: its group, launch template, role,
// scaling and alarms. Its log group is shared with the other stage of the same
// slug and therefore a step of its own.
func (f fleet) stack() plan.Stack {
	s := f.platform.stack(f.fleetStack(f.Fleet), "gpu-fleet", "GPU ASG for fleet "+f.Name)
	s.Fleet, s.Group = f.ID(), groupName(f.Fleet)
	s.Source, s.meta = f.Source, f.Meta
	s.After = []plan.StepID{
		plan.ID(plan.KindParameter, f.fleetSecretParameter(f.Stage)),
		plan.ID(plan.KindLogGroup, workerLogGroup(f.Name)),
	}
	f.role(s)
	f.launchTemplate(s)
	f.group(s)
	f.scaling(s)
	f.alarms(s)
	s.output("AsgName", "Auto Scaling group", cfn.LogicalRef("Group"))
	return s.finish()
}

// groupARN is the group by its name: it holds stage and slug, so a worker of
// one stage cannot touch the fleet of the same slug in the other.
func (f fleet) groupARN() string {
	return f.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"+groupName(f.Fleet))
}

func (f fleet) role(s *stack) {
	models := cfn.StackOutput(f.data(), "ModelsBucketArn")
	r := role("ec2.amazonaws.com", "GPU worker role for fleet: "+f.Name,
		// The secret is a SecureString under AWS's own key for SSM, whose key
		// policy lets everyone use it through SSM who may read the parameter.
		allow(texts(
			f.parameterARN(f.fleetSecretParameter(f.Stage)),
			f.parameterARN(f.fleetParameter(f.Fleet, "active_bundle")),
		), "ssm:GetParameter"),
		allow(list{cfn.Join(models, "/assets/*"), cfn.Join(models, "/bundles/*/manifest.json")}, "s3:GetObject"),
		allow(f.groupARN(), "autoscaling:SetInstanceHealth", "autoscaling:SetInstanceProtection"),
		// Both stages of a slug share the log group, each writes its own streams.
		allow(f.arn("logs", "log-group:"+workerLogGroup(f.Name)+":*"), "logs:CreateLogStream", "logs:DescribeLogStreams"),
		allow(f.arn("logs", "log-group:"+workerLogGroup(f.Name)+":log-stream:"+f.Stage+"/*"), "logs:PutLogEvents"),
		// The agent's policy below lets it read every parameter of the account.
		deny(f.parameterARN("/"+f.platform.Name+"/fleets/"+otherStage(f.Stage)+"/*"), "ssm:GetParameter*"),
	)
	r.Properties["ManagedPolicyArns"] = texts(f.managedPolicy("AmazonSSMManagedInstanceCore"))
	s.add("WorkerRole", r)
	s.add("WorkerProfile", cfn.Resource{Type: "AWS::IAM::InstanceProfile", Properties: props{
		"Roles": list{cfn.LogicalRef("WorkerRole")},
	}})
}

func (f fleet) launchTemplate(s *stack) {
	name := launchTemplateName(f.Fleet)
	s.add("LaunchTemplate", cfn.Resource{Type: "AWS::EC2::LaunchTemplate", Properties: props{
		"LaunchTemplateName": name,
		"LaunchTemplateData": props{
			// The id that the parameter holds when the plan is made, not the alias: a
			// promotion is a visible change, and what ran before can be brought back.
			"ImageId":            cfn.ParameterValue(f.amiParameter(f.Fleet)),
			"IamInstanceProfile": props{"Arn": cfn.GetAtt("WorkerProfile", "Arn")},
			"SecurityGroupIds":   list{cfn.StackOutput(f.network(), "GpuSecurityGroup")},
			"BlockDeviceMappings": list{props{
				"DeviceName": "/dev/sda1",
				"Ebs":        props{"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": true, "DeleteOnTermination": true},
			}},
			"MetadataOptions": props{"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
			"UserData":        props{"Fn::Base64": f.userData()},
			"TagSpecifications": list{
				props{"ResourceType": "instance", "Tags": f.tagList(name)},
				props{"ResourceType": "volume", "Tags": f.tagList(name)},
			},
		},
		"TagSpecifications": list{props{"ResourceType": "launch-template", "Tags": f.tagList(name)}},
	}})
	if f.Owner != "" {
		for _, path := range []string{
			"LaunchTemplate.Properties.TagSpecifications", "LaunchTemplate.Properties.LaunchTemplateData.TagSpecifications",
			"Group.Properties.Tags",
		} {
			s.Sources[path] = f.platform.At("spec.owner")
		}
	}
}

// tagList is for what the group launches: stack tags do not reach it.
func (f fleet) tagList(name string) list {
	return append(f.commonTags(), tag("Name", name))
}

func (f fleet) commonTags() list {
	tags := f.tags("gpu-fleet")
	var out list
	for _, key := range []string{"DeploymentModel", "Owner", "Project", "Service"} {
		if v, ok := tags[key]; ok {
			out = append(out, tag(key, v))
		}
	}
	return out
}

// userData is the boot script below its values.
func (f fleet) userData() any {
	return cfn.Join(
		"#!/bin/bash\n",
		assign("region", f.Region),
		assign("stage", f.Stage),
		assign("slug", f.Name),
		assign("group", groupName(f.Fleet)),
		assign("log_group", workerLogGroup(f.Name)),
		assign("fleet_secret_parameter", f.fleetSecretParameter(f.Stage)),
		assign("active_bundle_parameter", f.fleetParameter(f.Fleet, "active_bundle")),
		assign("models_bucket", cfn.StackOutput(f.data(), "ModelsBucketName")),
		assign("api_base_url", cfn.StackOutput(f.compute(), "ApiBaseUrl")),
		f.boot,
	)
}

func (f fleet) group(s *stack) {
	overrides := make(list, len(f.InstanceTypes))
	for i, t := range f.InstanceTypes {
		overrides[i] = props{"InstanceType": t}
	}
	tags := list{}
	for _, t := range append(f.commonTags(), tag("FleetSlug", f.Name), tag("CapacityType", "spot")) {
		t.(props)["PropagateAtLaunch"] = true
		tags = append(tags, t)
	}
	s.add("Group", cfn.Resource{
		Type: "AWS::AutoScaling::AutoScalingGroup",
		Properties: props{
			"AutoScalingGroupName": groupName(f.Fleet),
			// No DesiredCapacity: the group starts at MinSize and then belongs to scaling.
			"MinSize":               "0",
			"MaxSize":               strconv.Itoa(f.template.MaxSize),
			"VPCZoneIdentifier":     f.subnetIDs(spec.SubnetPrivate),
			"CapacityRebalance":     true,
			"DefaultInstanceWarmup": f.template.WarmupSeconds,
			// A worker protects itself while it holds a job.
			"NewInstancesProtectedFromScaleIn": false,
			// The scaling expressions read it.
			"MetricsCollection": list{props{"Granularity": "1Minute", "Metrics": list{"GroupDesiredCapacity"}}},
			"MixedInstancesPolicy": props{
				"InstancesDistribution": props{
					"OnDemandBaseCapacity":                0,
					"OnDemandPercentageAboveBaseCapacity": 0,
					"SpotAllocationStrategy":              "capacity-optimized-prioritized",
				},
				"LaunchTemplate": props{
					"LaunchTemplateSpecification": props{
						"LaunchTemplateId": cfn.LogicalRef("LaunchTemplate"),
						"Version":          cfn.GetAtt("LaunchTemplate", "LatestVersionNumber"),
					},
					"Overrides": overrides,
				},
			},
			"Tags": tags,
		},
		UpdatePolicy: map[string]any{
			"AutoScalingScheduledAction": props{"IgnoreUnmodifiedGroupSizeProperties": true},
			"AutoScalingInstanceRefresh": f.rolloutPolicy(),
		},
	})
	s.lintOff("E3016", "AutoScalingInstanceRefresh is newer than cfn-lint 1.51")
	s.cause("spec.rollout", "Group.UpdatePolicy.AutoScalingInstanceRefresh")
	s.Sources["Group.Properties.MaxSize"] = f.template.At("max_size")
	s.Sources["Group.Properties.DefaultInstanceWarmup"] = f.template.At("warmup_seconds")
	s.Sources["Group.UpdatePolicy.AutoScalingInstanceRefresh.Preferences.InstanceWarmup"] = f.template.At("warmup_seconds")
	s.cause("spec.template", "Group")
	types := "Group.Properties.MixedInstancesPolicy.LaunchTemplate.Overrides"
	s.cause("spec.instanceTypes", types)
	for i := range f.InstanceTypes {
		s.cause(indexed("spec.instanceTypes", i), indexed(types, i))
	}
}

// queueDepth is the fleet's metric q of the scaling expressions.
func (f fleet) queueDepth(id string) props {
	return props{"Id": id, "ReturnData": false, "MetricStat": props{
		"Metric": f.metric("QueueDepth"), "Stat": "Maximum", "Period": 60,
	}}
}

// desiredCapacity is the metric d: what the group wants, not what runs yet.
func (f fleet) desiredCapacity(id string) props {
	return props{"Id": id, "ReturnData": false, "MetricStat": props{
		"Metric": props{
			"Namespace": "AWS/AutoScaling", "MetricName": "GroupDesiredCapacity",
			"Dimensions": list{props{"Name": "AutoScalingGroupName", "Value": groupName(f.Fleet)}},
		}, "Stat": "Maximum", "Period": 60,
	}}
}

func (f fleet) metric(name string) props {
	return props{"Namespace": workerMetrics, "MetricName": name, "Dimensions": f.dimensions()}
}

func (f fleet) dimensions() list {
	return list{props{"Name": "FleetSlug", "Value": f.Name}, props{"Name": "Stage", "Value": f.Stage}}
}

// scaling moves the group: 0 to 1 by a step, 1 to N and back by target
// tracking, and to zero by the queue-empty alarm alone (see alarms).
func (f fleet) scaling(s *stack) {
	// A change of plus one, not an exact one: the action repeats while the alarm
	// lasts, and an exact one could shrink a fleet that has grown meanwhile.
	s.add("FirstWorker", cfn.Resource{Type: "AWS::AutoScaling::ScalingPolicy", Properties: props{
		"AutoScalingGroupName":  cfn.LogicalRef("Group"),
		"PolicyType":            "StepScaling",
		"AdjustmentType":        "ChangeInCapacity",
		"MetricAggregationType": "Maximum",
		"StepAdjustments":       list{props{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}},
	}})
	// Below the target the expression divides the target itself, so the ideal
	// size never falls under one: tracking cannot reach zero, and it does not
	// depend on a metric that has no value while no worker runs.
	target := f.template.BacklogTarget
	s.add("Backlog", cfn.Resource{Type: "AWS::AutoScaling::ScalingPolicy", Properties: props{
		"AutoScalingGroupName": cfn.LogicalRef("Group"),
		"PolicyType":           "TargetTrackingScaling",
		"TargetTrackingConfiguration": props{
			"TargetValue":    target,
			"DisableScaleIn": false,
			"CustomizedMetricSpecification": props{"Metrics": list{
				f.queueDepth("q"),
				f.desiredCapacity("d"),
				props{
					"Id": "backlog", "Label": "Jobs per wanted worker", "ReturnData": true,
					"Expression": fmt.Sprintf("IF(q > %d, q, %d) / IF(d > 1, d, 1)", target, target),
				},
			}},
		},
	}})
	s.Sources["Backlog"] = f.template.At("backlog_target")
}
