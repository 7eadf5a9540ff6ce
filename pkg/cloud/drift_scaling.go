package cloud

import (
	"context"
	"net/url"
	"strings"

	"reconcile/pkg/drift"
)

func compared(resourceType string) []string {
	names, _ := drift.Compared(resourceType)
	return names
}

// driftGroups reads Auto Scaling groups, a hundred per call.
func (r *driftReader) driftGroups(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	for _, names := range chunks(ids(subjects), groupsPerCall) {
		form := members(url.Values{"MaxRecords": {"100"}}, "AutoScalingGroupNames.member", names)
		err := r.askPages(ctx, groupsEndpoint(), "DescribeAutoScalingGroups", "NextToken", "NextToken", form, func(answer map[string]any) {
			for _, e := range list(answer, "AutoScalingGroups") {
				g := object(e)
				found[text(g, "AutoScalingGroupName")] = groupFound(g)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

func groupFound(g map[string]any) drift.Found {
	p := pick(g, compared("AWS::AutoScaling::AutoScalingGroup")...)
	p["Cooldown"] = g["DefaultCooldown"]
	if zones := text(g, "VPCZoneIdentifier"); zones != "" {
		p["VPCZoneIdentifier"] = splitted(zones)
	}
	if tags := list(g, "Tags"); tags != nil {
		var out []any
		for _, t := range tags {
			out = append(out, pick(object(t), "Key", "Value", "PropagateAtLaunch"))
		}
		p["Tags"] = out
	}
	if m := collected(list(g, "EnabledMetrics")); m != nil {
		p["MetricsCollection"] = m
	}
	owned := map[string]any{"DesiredCapacity": g["DesiredCapacity"]}
	spec := object(object(object(g["MixedInstancesPolicy"])["LaunchTemplate"])["LaunchTemplateSpecification"])
	if v := text(spec, "Version"); v != "" {
		owned["LaunchTemplateVersion"] = v
	}
	return drift.Found{Exists: true, Properties: p, Owned: owned}
}

// collected groups the metrics of a group by granularity.
func collected(enabled []any) []any {
	by := map[string][]any{}
	for _, e := range enabled {
		m := object(e)
		by[text(m, "Granularity")] = append(by[text(m, "Granularity")], text(m, "Metric"))
	}
	var out []any
	for _, granularity := range sortedKeys(by) {
		out = append(out, map[string]any{"Granularity": granularity, "Metrics": by[granularity]})
	}
	return out
}

func splitted(text string) []any {
	var out []any
	for s := range strings.SplitSeq(text, ",") {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}

// driftGroupPolicies reads all scaling policies of the account's groups, a
// hundred per call: fewer calls than one per group.
func (r *driftReader) driftGroupPolicies(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	err := r.askPages(ctx, groupsEndpoint(), "DescribePolicies", "NextToken", "NextToken", url.Values{"MaxRecords": {"100"}}, func(answer map[string]any) {
		for _, e := range list(answer, "ScalingPolicies") {
			p := object(e)
			found[text(p, "PolicyARN")] = drift.Found{Exists: true, Properties: pick(p, compared("AWS::AutoScaling::ScalingPolicy")...)}
		}
	})
	if err != nil {
		return nil, err
	}
	return every(subjects, found), nil
}

// namespaces are those of the scalable targets; what a policy's is, its ARN says.
func namespaces(subjects []drift.Subject) []string {
	seen := map[string]bool{}
	for _, s := range subjects {
		parts := strings.Split(s.ID, "|")
		if len(parts) == 3 {
			seen[parts[2]] = true
		} else {
			seen["ecs"] = true
		}
	}
	return sortedKeys(seen)
}

func (r *driftReader) driftTargets(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	for _, namespace := range namespaces(subjects) {
		err := r.askJSONPages(ctx, scalingEndpoint(), "DescribeScalableTargets", map[string]any{"ServiceNamespace": namespace}, func(answer map[string]any) {
			for _, e := range list(answer, "ScalableTargets") {
				t := object(e)
				found[targetID(t)] = drift.Found{Exists: true, Properties: pick(t, compared("AWS::ApplicationAutoScaling::ScalableTarget")...)}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

func targetID(t map[string]any) string {
	return text(t, "ResourceId") + "|" + text(t, "ScalableDimension") + "|" + text(t, "ServiceNamespace")
}

func (r *driftReader) driftPolicies(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	for _, namespace := range namespaces(subjects) {
		err := r.askJSONPages(ctx, scalingEndpoint(), "DescribeScalingPolicies", map[string]any{"ServiceNamespace": namespace}, func(answer map[string]any) {
			for _, e := range list(answer, "ScalingPolicies") {
				p := object(e)
				out := pick(p, "PolicyName", "PolicyType", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration")
				out["ScalingTargetId"] = targetID(p)
				found[text(p, "PolicyARN")] = drift.Found{Exists: true, Properties: out}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

// driftAlarms reads alarms, a hundred names per call.
func (r *driftReader) driftAlarms(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	for _, names := range chunks(ids(subjects), 100) {
		form := members(url.Values{"MaxRecords": {"100"}}, "AlarmNames.member", names)
		err := r.askPages(ctx, alarmsEndpoint(), "DescribeAlarms", "NextToken", "NextToken", form, func(answer map[string]any) {
			for _, e := range list(answer, "MetricAlarms") {
				a := object(e)
				found[text(a, "AlarmName")] = drift.Found{Exists: true, Properties: pick(a, compared("AWS::CloudWatch::Alarm")...)}
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return every(subjects, found), nil
}

// driftParameters reads parameters, ten per call, never decrypting.
func (r *driftReader) driftParameters(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	found := map[string]drift.Found{}
	for _, names := range chunks(ids(subjects), parametersPerCall) {
		chunk, err := r.parametersChunk(ctx, names)
		if err != nil {
			return nil, err
		}
		for name, p := range chunk {
			properties := map[string]any{"Name": name, "Type": p.Type, "DataType": p.DataType}
			if p.Type != secureString {
				properties["Value"] = p.Value
			}
			found[name] = drift.Found{Exists: true, Properties: properties}
		}
	}
	return every(subjects, found), nil
}

const secureString = "SecureString"

// driftServices reads ECS services, ten per call and cluster.
func (r *driftReader) driftServices(ctx context.Context, subjects []drift.Subject) (map[drift.Key]drift.Found, error) {
	byCluster := map[string][]string{}
	for _, arn := range ids(subjects) {
		cluster, _ := serviceName(arn)
		byCluster[cluster] = append(byCluster[cluster], arn)
	}
	found := map[string]drift.Found{}
	for _, cluster := range sortedKeys(byCluster) {
		for _, arns := range chunks(byCluster[cluster], 10) {
			answer, err := r.askJSON(ctx, servicesEndpoint(), "DescribeServices", map[string]any{"cluster": cluster, "services": arns})
			if errorCode(err) == "ClusterNotFoundException" {
				continue
			}
			if err != nil {
				return nil, r.readError("describe the services of cluster "+cluster, err)
			}
			for _, e := range list(answer, "services") {
				s := object(upper(e))
				if text(s, "Status") == "INACTIVE" {
					continue
				}
				p := pick(s, compared("AWS::ECS::Service")...)
				if full := text(s, "ClusterArn"); full != "" {
					p["Cluster"] = full[strings.LastIndexByte(full, '/')+1:]
				}
				found[text(s, "ServiceArn")] = drift.Found{Exists: true, Properties: p, Owned: map[string]any{"DesiredCount": s["DesiredCount"]}}
			}
		}
	}
	return every(subjects, found), nil
}
