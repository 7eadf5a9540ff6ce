package sandbox

import (
	"slices"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

// What is still used, AWS does not delete. Which service refuses what, and in
// which words, is in this table and, for networks and groups of databases, in
// the engine's occupancies; types_evidence_test.go says where from. EC2 lets a
// launch template go that a group uses: the group then fails to launch.
var inUseRules = map[string]func(c *call, r stackengine.Resource) *Fail{
	"AWS::CertificateManager::Certificate": func(c *call, r stackengine.Resource) *Fail {
		users := append(c.using(r.PhysicalID, "AWS::ElasticLoadBalancingV2::Listener", "Certificates.CertificateArn"), c.using(r.PhysicalID, "AWS::CloudFront::Distribution", "DistributionConfig.ViewerCertificate.AcmCertificateArn")...)
		return unless(len(users) == 0, "ResourceInUseException", "Certificate %s in account %s is in use.", r.PhysicalID, c.account.ID)
	},
	"AWS::CloudFront::OriginAccessControl": func(c *call, r stackengine.Resource) *Fail {
		users := c.using(r.PhysicalID, "AWS::CloudFront::Distribution", "DistributionConfig.Origins.OriginAccessControlId")
		return conflict409(len(users) == 0, "OriginAccessControlInUse", "Cannot delete the origin access control because it's in use.")
	},
	"AWS::ECS::Cluster": func(c *call, r stackengine.Resource) *Fail {
		for _, s := range c.region.Services {
			if s.Cluster == r.PhysicalID && s.Inactive.IsZero() {
				return fail("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
			}
		}
		return nil
	},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": func(c *call, r stackengine.Resource) *Fail {
		for _, a := range props(r.Properties).list("LoadBalancerAttributes") {
			if a.text("Key") == "deletion_protection.enabled" && a.text("Value") == "true" {
				return fail("OperationNotPermitted", "Load balancer '%s' cannot be deleted because deletion protection is enabled", r.PhysicalID)
			}
		}
		return nil
	},
	"AWS::ElasticLoadBalancingV2::TargetGroup": func(c *call, r stackengine.Resource) *Fail {
		return unless(len(c.forwarders(r.PhysicalID)) == 0, "ResourceInUse", "Target group '%s' is currently in use by a listener or a rule", r.PhysicalID)
	},
	"AWS::IAM::ManagedPolicy": func(c *call, r stackengine.Resource) *Fail {
		return conflict409(len(c.using(r.PhysicalID, "AWS::IAM::Role", "ManagedPolicyArns")) == 0, "DeleteConflict", "Cannot delete a policy attached to entities.")
	},
	"AWS::IAM::Role": func(c *call, r stackengine.Resource) *Fail {
		if f := conflict409(len(c.using(r.PhysicalID, "AWS::IAM::InstanceProfile", "Roles")) == 0, "DeleteConflict", "Cannot delete entity, must remove roles from instance profile first."); f != nil {
			return f
		}
		return conflict409(len(c.using(r.PhysicalID, "AWS::IAM::Policy", "Roles")) == 0, "DeleteConflict", "Cannot delete entity, must delete policies first.")
	},
	"AWS::RDS::DBInstance": func(_ *call, r stackengine.Resource) *Fail {
		return unless(!props(r.Properties).flag("DeletionProtection"), "InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion protection and try again.")
	},
}

// inUse refuses to delete what something else still uses.
func (c *call) inUse(r stackengine.Resource) *Fail {
	if check := inUseRules[r.Type]; check != nil {
		return check(c, r)
	}
	return nil
}

func conflict409(ok bool, code, text string) *Fail {
	if ok {
		return nil
	}
	return &Fail{Code: code, Message: text, Status: 409}
}

// using lists the things of a type whose property names id, sorted.
func (c *call) using(id, typeName, path string) []string {
	var out []string
	if c.region.Stacks == nil {
		return nil
	}
	for _, item := range c.region.Stacks.Items {
		if item.Type != typeName {
			continue
		}
		if slices.ContainsFunc(valuesAt(map[string]any(c.itemProps(item)), strings.Split(path, ".")), func(v string) bool { return strings.EqualFold(v, id) }) {
			out = append(out, item.PhysicalID)
		}
	}
	slices.Sort(out)
	return out
}

// forwarders are the listeners and rules that forward to a target group.
func (c *call) forwarders(arn string) []string {
	var out []string
	for _, at := range [][2]string{{"AWS::ElasticLoadBalancingV2::Listener", "DefaultActions"}, {"AWS::ElasticLoadBalancingV2::ListenerRule", "Actions"}} {
		out = append(out, c.using(arn, at[0], at[1]+".TargetGroupArn")...)
		out = append(out, c.using(arn, at[0], at[1]+".ForwardConfig.TargetGroups.TargetGroupArn")...)
	}
	return out
}
