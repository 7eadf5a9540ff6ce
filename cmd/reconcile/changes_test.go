package main

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// A promoted AMI is one visible step of its own fleet, after which new
// instances start from it.
func TestPromotedAMI(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		bakeAMIs(ctx, t, box, cfg, "/bp/ami/fleets/staging/gpu-default")
	})
	ami := r.parameter("/bp/ami/fleets/staging/gpu-default")
	s := r.want(2, "plan --detailed-exitcode", ami, "bp-gpu-fleet-staging-gpu-default", "ImageId", "0 to add, ")
	s.saysNot(t, "production", "replace:")
	r.want(0, "apply --yes", "1 step done")
	r.empty()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := autoscaling.NewFromConfig(cfg).DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"asg-staging-gpu-default"}})
		if err != nil {
			t.Fatal(err)
		}
		if v := *out.AutoScalingGroups[0].MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.Version; v != "2" {
			t.Errorf("the group starts version %s", v)
		}
	})
}

// What a replacement leaves behind because it cannot be deleted is said, and
// the deployment stands.
func TestOldResourceThatCannotBeDeleted(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("email: ops@example.com", "email: people@example.com", "specs/platform.yaml")
	r.breaks(stackengine.Fault{Stack: "bp-monitoring", Type: "AWS::SNS::Subscription", Phase: stackengine.PhaseDelete, Message: "still pending confirmation"})
	r.want(5, "apply --yes --approve replace:bp-monitoring/AlertEmail", "still pending confirmation", "stay behind")
	r.calm()
	r.empty()
}

// Data that a first creation made and that fails is rolled back whole, so that
// its names are free for the second.
func TestFailedCreationOfData(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.run("plan")
	r.breaks(stackengine.Fault{Stack: "bp-data", Type: "AWS::ElastiCache::CacheCluster", Phase: stackengine.PhaseCreate, Times: 1, Message: "Insufficient cache capacity", Delay: 900})
	r.want(5, "apply --yes", "Insufficient cache capacity", "ROLLBACK_COMPLETE")
	r.want(0, "sandbox show").saysNot(t, "bucket  bp-data", "bucket  bp-media", "/bp/rds/")
	r.want(0, "apply --yes --approve recover:bp-data")
	r.empty()
}

// A creation whose rollback fails, too, is deleted and made again.
func TestFailedRollbackOfACreation(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.run("plan")
	r.breaks(
		stackengine.Fault{Stack: "bp-cicd", Logical: "FrontendRepository", Phase: stackengine.PhaseCreate, Times: 1, Message: "no", Delay: 60},
		stackengine.Fault{Stack: "bp-cicd", Phase: stackengine.PhaseRollback, Times: 1, Message: "not now"},
	)
	r.want(5, "apply --yes --stack bp-cicd", "ROLLBACK_FAILED", "not now")
	r.want(0, "plan", "recover:bp-cicd", "ROLLBACK_FAILED")
	r.want(0, "apply --yes --approve recover:bp-cicd")
	r.empty()
}

// A certificate that is not there blocks what needs it and nothing else.
func TestMissingCertificateBlocks(t *testing.T) {
	t.Parallel()
	r := newRig(t, "testdata/platforms/studio-eu")
	r.want(0, "sandbox reset --bare")
	r.want(4, "apply --yes", "docker push", "aws acm request-certificate", "12 steps done")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, _ aws.Config) {
		pushImages(ctx, t, sdk(box, "eu-west-1"), "studio-eu")
	})
	r.want(4, "apply --yes", "certificate arn:aws:acm:eu-west-1:210987654321:certificate/0d3f6e2a-5b7c-4f19-8a4e-1c2b3d4e5f60 does not exist",
		"aws acm request-certificate --validation-method DNS --domain-name app.studio.example.org")
}
