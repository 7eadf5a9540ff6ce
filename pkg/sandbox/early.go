package sandbox

import "reconcile/pkg/sandbox/stackengine"

// What early validation of a change set looks at in other services.

// holds tells whether something is left in a bucket (any version of it) or in a
// repository that is not emptied with its deletion.
func (c *call) holds(r stackengine.Resource) bool {
	switch r.Type {
	case "AWS::S3::Bucket":
		b := c.account.Buckets[r.PhysicalID]
		return b != nil && len(b.Objects) > 0
	case "AWS::ECR::Repository":
		repo := c.region.Repositories[r.PhysicalID]
		return repo != nil && len(repo.Images) > 0 && !props(r.Properties).flag("EmptyOnDelete")
	}
	return false
}

// usage is how much is used of the quotas that are enforced here.
func (c *call) usage(resourceType string) (stackengine.Usage, bool) {
	if resourceType != "AWS::AutoScaling::AutoScalingGroup" {
		return stackengine.Usage{}, false
	}
	return stackengine.Usage{Quota: "Auto Scaling groups per region", Limit: c.mostGroups(), Used: len(c.region.Groups)}, true
}
