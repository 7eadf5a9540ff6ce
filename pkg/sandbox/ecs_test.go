package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// A rollout takes its time, and one whose image has gone fails.
func TestRollouts(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("backend", fleetTemplate(t).only("Vpc", "Subnet", "Group", "Repository", "Cluster", "Task", "Service")), cfntypes.StackStatusCreateComplete)
	c, ctx := ecs.NewFromConfig(config(box)), t.Context()
	states := func() []types.DeploymentRolloutState {
		out := must[*ecs.DescribeServicesOutput](t)(c.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("arn:aws:ecs:us-east-1:123456789012:cluster/bp"), Services: []string{"arn:aws:ecs:us-east-1:123456789012:service/bp/bp-backend"}}))
		var all []types.DeploymentRolloutState
		for _, d := range out.Services[0].Deployments {
			all = append(all, d.RolloutState)
		}
		return all
	}
	force := func() {
		must[*ecs.UpdateServiceOutput](t)(c.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), ForceNewDeployment: true, DesiredCount: aws.Int32(2)}))
	}
	want := func(w ...types.DeploymentRolloutState) {
		t.Helper()
		if d := cmp.Diff(w, states()); d != "" {
			t.Error(d)
		}
	}
	want(types.DeploymentRolloutStateCompleted)
	force()
	want(types.DeploymentRolloutStateInProgress, types.DeploymentRolloutStateCompleted)
	clk.pass(5 * time.Minute)
	want(types.DeploymentRolloutStateCompleted)
	must[*ecr.BatchDeleteImageOutput](t)(ecr.NewFromConfig(config(box)).BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: aws.String("bp-backend"), ImageIds: tagIDs("php-latest")}))
	force()
	clk.pass(5 * time.Minute)
	// It returned to the last that completed, which wants the same image.
	clk.pass(5 * time.Minute)
	want(types.DeploymentRolloutStateFailed, types.DeploymentRolloutStateFailed, types.DeploymentRolloutStateCompleted)

	clusters := must[*ecs.DescribeClustersOutput](t)(c.DescribeClusters(ctx, &ecs.DescribeClustersInput{Clusters: []string{"bp", "none"}}))
	if len(clusters.Clusters) != 1 || clusters.Clusters[0].ActiveServicesCount != 1 || len(clusters.Failures) != 1 {
		t.Errorf("%+v", clusters)
	}
	services := must[*ecs.ListServicesOutput](t)(c.ListServices(ctx, &ecs.ListServicesInput{Cluster: aws.String("bp")}))
	all := must[*ecs.ListClustersOutput](t)(c.ListClusters(ctx, &ecs.ListClustersInput{}))
	if len(services.ServiceArns) != 1 || len(all.ClusterArns) != 1 {
		t.Errorf("%v %v", services.ServiceArns, all.ClusterArns)
	}
	_, err := c.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("none")})
	wantCode(t, err, "ServiceNotFoundException")
	_, err = c.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), TaskDefinition: aws.String("none")})
	wantCode(t, err, "ClientException")
	_, err = c.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String("bp"), Services: make([]string, 11)})
	wantCode(t, err, "InvalidParameterException")
}
