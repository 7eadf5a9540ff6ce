package sandbox

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Scaling settings of ECS services (Application Auto Scaling) and of groups:
// what stacks deployed, with live properties. No policy acts by itself here.

const (
	scalableType      = "AWS::ApplicationAutoScaling::ScalableTarget"
	scalingPolicyType = "AWS::ApplicationAutoScaling::ScalingPolicy"
	groupPolicyType   = "AWS::AutoScaling::ScalingPolicy"
)

func scalingOperations() map[string]operation {
	return map[string]operation{
		"DescribeScalableTargets":   docReads(describeScalableTargets),
		"DescribeScalingPolicies":   docReads(describeScalingPolicies),
		"DescribeScalingActivities": docReads(describeScalingActivities),
		"RegisterScalableTarget":    docWrites(registerScalableTarget),
	}
}

func namespace(in props) error {
	if in.text("ServiceNamespace") == "" {
		return fail("ValidationException", "1 validation error detected: Value at 'serviceNamespace' failed to satisfy constraint: Member must not be null")
	}
	return nil
}

// targetParts are the three parts of a scalable target's id in CloudFormation.
func targetParts(id string) (resource, dimension, service string) {
	parts := strings.Split(id, "|")
	if len(parts) != 3 {
		return id, "", ""
	}
	return parts[0], parts[1], parts[2]
}

func (c *call) targetARN(id string) string {
	return c.arn("application-autoscaling", "scalable-target/"+hexOf("scalable target", c.account.ID, c.region.Name, id)[:32])
}

func describeScalableTargets(c *call, in props) (doc, error) {
	if err := namespace(in); err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(c.items(scalableType), func(i networkItem) bool {
		resource, dimension, service := targetParts(i.id)
		return service != in.text("ServiceNamespace") || len(in.texts("ResourceIds")) > 0 && !slices.Contains(in.texts("ResourceIds"), resource) ||
			in.text("ScalableDimension") != "" && in.text("ScalableDimension") != dimension
	})
	list, next, err := pageOf(in, "NextToken", "MaxResults", 50, 50, all, func(i networkItem) string { return i.id })
	out := []doc{}
	for _, i := range list {
		resource, dimension, service := targetParts(i.id)
		d := shape{"MinCapacity": aNumber, "MaxCapacity": aNumber, "RoleARN": aText}.of(i.props)
		s := i.props.sub("SuspendedState")
		d["SuspendedState"] = doc{
			"DynamicScalingInSuspended": s.flag("DynamicScalingInSuspended"), "DynamicScalingOutSuspended": s.flag("DynamicScalingOutSuspended"), "ScheduledScalingSuspended": s.flag("ScheduledScalingSuspended"),
		}
		d["ResourceId"], d["ScalableDimension"], d["ServiceNamespace"], d["CreationTime"], d["ScalableTargetARN"] = resource, dimension, service, i.created, c.targetARN(i.id)
		out = append(out, d)
	}
	return doc{"ScalableTargets": out, "NextToken": next}, err
}

func trackingShape() shape {
	return shape{
		"TargetValue": aReal, "ScaleInCooldown": aNumber, "ScaleOutCooldown": aNumber, "DisableScaleIn": aFlag,
		"PredefinedMetricSpecification": shape{"PredefinedMetricType": aText, "ResourceLabel": aText},
		"CustomizedMetricSpecification": shape{"Metrics": metricsShape(), "MetricName": aText, "Namespace": aText, "Dimensions": dimensionShape(), "Statistic": aText, "Unit": aText},
	}
}

func stepShape() []shape {
	return []shape{{"MetricIntervalLowerBound": aReal, "MetricIntervalUpperBound": aReal, "ScalingAdjustment": aNumber}}
}

func describeScalingPolicies(c *call, in props) (doc, error) {
	if err := namespace(in); err != nil {
		return nil, err
	}
	out := []doc{}
	for _, i := range c.items(scalingPolicyType) {
		resource, dimension, service := i.props.text("ResourceId"), i.props.text("ScalableDimension"), i.props.text("ServiceNamespace")
		if target := i.props.text("ScalingTargetId"); target != "" {
			resource, dimension, service = targetParts(target)
		}
		name := i.props.text("PolicyName")
		if service != in.text("ServiceNamespace") || in.text("ResourceId") != "" && in.text("ResourceId") != resource ||
			in.text("ScalableDimension") != "" && in.text("ScalableDimension") != dimension || len(in.texts("PolicyNames")) > 0 && !slices.Contains(in.texts("PolicyNames"), name) {
			continue
		}
		d := shape{
			"PolicyType": aText, "TargetTrackingScalingPolicyConfiguration": trackingShape(),
			"StepScalingPolicyConfiguration": shape{"AdjustmentType": aText, "StepAdjustments": stepShape(), "MinAdjustmentMagnitude": aNumber, "Cooldown": aNumber, "MetricAggregationType": aText},
		}.of(i.props)
		d["PolicyARN"], d["PolicyName"], d["ResourceId"], d["ScalableDimension"], d["ServiceNamespace"], d["CreationTime"] = i.id, name, resource, dimension, service, i.created
		d["Alarms"] = []doc{}
		out = append(out, d)
	}
	list, next, err := pageOf(in, "NextToken", "MaxResults", 50, 50, out, func(d doc) string { return plainText(d["PolicyARN"]) })
	return doc{"ScalingPolicies": append([]doc{}, list...), "NextToken": next}, err
}

func describeScalingActivities(_ *call, in props) (doc, error) {
	return doc{"ScalingActivities": []doc{}}, namespace(in)
}

// registerScalableTarget is somebody's hand on the bounds.
func registerScalableTarget(c *call, in props) (doc, error) {
	if err := namespace(in); err != nil {
		return nil, err
	}
	id := in.text("ResourceId") + "|" + in.text("ScalableDimension") + "|" + in.text("ServiceNamespace")
	p := props{"ResourceId": in.text("ResourceId"), "ScalableDimension": in.text("ScalableDimension"), "ServiceNamespace": in.text("ServiceNamespace")}
	i, ok := c.thing(scalableType, id)
	if ok {
		p = maps.Clone(i.props)
	} else if in.text("MinCapacity") == "" || in.text("MaxCapacity") == "" {
		return nil, fail("ValidationException", "MinCapacity and MaxCapacity must be specified when registering a scalable target.")
	}
	for _, k := range []string{"MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState"} {
		if v, ok := in[k]; ok {
			p[k] = v
		}
	}
	low, _ := p.number("MinCapacity")
	high, _ := p.number("MaxCapacity")
	if low > high {
		return nil, fail("ValidationException", "Maximum capacity cannot be less than minimum capacity")
	}
	c.put(scalableType, id, p, nil)
	return doc{"ScalableTargetARN": c.targetARN(id)}, nil
}

// describePolicies shows the scaling policies of groups.
func describePolicies(c *call, in props) (doc, error) {
	name := in.text("AutoScalingGroupName")
	if _, err := c.group(aws.String(name)); name != "" && err != nil {
		return nil, err
	}
	names, kinds := in.texts("PolicyNames"), in.texts("PolicyTypes")
	out := []doc{}
	for _, i := range c.items(groupPolicyType) {
		policy := i.attribute("PolicyName")
		kind := i.props.text("PolicyType")
		if kind == "" {
			kind = "SimpleScaling"
		}
		if name != "" && i.props.text("AutoScalingGroupName") != name || len(names) > 0 && !slices.Contains(names, policy) && !slices.Contains(names, i.id) || len(kinds) > 0 && !slices.Contains(kinds, kind) {
			continue
		}
		d := shape{
			"AutoScalingGroupName": aText, "AdjustmentType": aText, "MinAdjustmentMagnitude": aNumber, "ScalingAdjustment": aNumber, "Cooldown": aNumber, "StepAdjustments": stepShape(),
			"MetricAggregationType": aText, "EstimatedInstanceWarmup": aNumber, "TargetTrackingConfiguration": trackingShape(),
		}.of(i.props)
		d["PolicyName"], d["PolicyARN"], d["PolicyType"], d["Enabled"] = policy, i.id, kind, true
		d["Alarms"] = c.alarmsOf(i.id)
		out = append(out, d)
	}
	list, next, err := pageOf(in, "NextToken", "MaxRecords", 50, 100, out, func(d doc) string { return plainText(d["PolicyARN"]) })
	return doc{"ScalingPolicies": append([]doc{}, list...), "NextToken": next}, err
}

// alarmsOf are the alarms that act on a policy.
func (c *call) alarmsOf(policy string) []doc {
	out := []doc{}
	for _, a := range c.items(alarmType) {
		if slices.Contains(a.props.texts("AlarmActions"), policy) {
			out = append(out, doc{"AlarmName": a.id, "AlarmARN": c.arn("cloudwatch", "alarm:"+a.id)})
		}
	}
	return out
}
