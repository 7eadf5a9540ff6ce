package sandbox

import (
	"encoding/json"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Clusters and services that no stack makes.

const clusterType = "AWS::ECS::Cluster"

var ecsName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

func createCluster(c *call, in *ecs.CreateClusterInput) (*ecs.CreateClusterOutput, error) {
	name := clusterName(in.ClusterName)
	if !ecsName.MatchString(name) {
		return nil, fail("InvalidParameterException", "Identifier must match [a-zA-Z0-9-_]{1,255}.")
	}
	if !c.cluster(name) { // again is the same one (CreateCluster)
		c.put(clusterType, name, props{"ClusterName": name}, map[string]string{"Arn": c.clusterARN(name)})
	}
	return &ecs.CreateClusterOutput{Cluster: &types.Cluster{ClusterName: &name, ClusterArn: aws.String(c.clusterARN(name)), Status: aws.String("ACTIVE")}}, nil
}

func deleteCluster(c *call, in *ecs.DeleteClusterInput) (*ecs.DeleteClusterOutput, error) {
	name := clusterName(in.Cluster)
	if !c.cluster(name) {
		return nil, clusterNotFound()
	}
	for _, key := range sortedKeys(c.region.Services) {
		if s := c.region.Services[key]; s.Cluster == name && s.Inactive.IsZero() {
			return nil, fail("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
		}
	}
	c.drop(clusterType, name)
	return &ecs.DeleteClusterOutput{Cluster: &types.Cluster{ClusterName: &name, ClusterArn: aws.String(c.clusterARN(name)), Status: aws.String("INACTIVE")}}, nil
}

// createService starts a service as a script would (API reference of
// CreateService). What it names must exist, as for a stack's.
func createService(c *call, in *ecs.CreateServiceInput) (*ecs.CreateServiceOutput, error) {
	cluster, name := clusterName(in.Cluster), aws.ToString(in.ServiceName)
	switch {
	case !c.cluster(cluster):
		return nil, clusterNotFound()
	case !ecsName.MatchString(name):
		return nil, fail("InvalidParameterException", "Invalid service name.")
	case in.TaskDefinition == nil:
		return nil, fail("InvalidParameterException", "TaskDefinition can not be blank.")
	case in.DesiredCount == nil && in.SchedulingStrategy != types.SchedulingStrategyDaemon:
		return nil, fail("InvalidParameterException", "DesiredCount is required when SchedulingStrategy is REPLICA.")
	case aws.ToInt32(in.DesiredCount) < 0:
		return nil, fail("InvalidParameterException", "desiredCount cannot be negative.")
	}
	if old := c.ecsService(cluster, name); old != nil && old.Inactive.IsZero() {
		return nil, fail("InvalidParameterException", "Creation of service was not idempotent.")
	}
	task, err := c.runnable(*in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	p, err := serviceProperties(in)
	if err != nil {
		return nil, err
	}
	if f := c.missingOf("AWS::ECS::Service", p); f != nil {
		return nil, f
	}
	s := &ecsService{
		Name: name, ARN: c.arn("ecs", "service/"+cluster+"/"+name), Cluster: cluster, Task: task, Desired: aws.ToInt32(in.DesiredCount),
		Created: c.now, Least: 100, Most: 200, Tags: map[string]string{},
	}
	if d := in.DeploymentConfiguration; d != nil {
		set(&s.Most, d.MaximumPercent)
		set(&s.Least, d.MinimumHealthyPercent)
		if b := d.DeploymentCircuitBreaker; b != nil {
			s.Breaker, s.Rollback = b.Enable, b.Rollback
		}
	}
	for _, t := range in.Tags {
		s.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	c.region.Services[cluster+"/"+name] = s
	c.put("AWS::ECS::Service", s.ARN, p, nil)
	s.deploy(c, "")
	out := s.out(c)
	return &ecs.CreateServiceOutput{Service: &out}, nil
}

// serviceProperties are what CloudFormation would call the request; the names
// are the same.
func serviceProperties(in *ecs.CreateServiceInput) (props, error) {
	body, err := json.Marshal(map[string]any{
		"Cluster": clusterName(in.Cluster), "ServiceName": in.ServiceName, "TaskDefinition": in.TaskDefinition, "CapacityProviderStrategy": in.CapacityProviderStrategy, "LoadBalancers": in.LoadBalancers,
		"EnableECSManagedTags": in.EnableECSManagedTags, "EnableExecuteCommand": in.EnableExecuteCommand, "HealthCheckGracePeriodSeconds": in.HealthCheckGracePeriodSeconds,
		"NetworkConfiguration": in.NetworkConfiguration, "PropagateTags": in.PropagateTags, "PlatformVersion": in.PlatformVersion,
	})
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		return nil, err
	}
	p, _ := withoutEmpty(tree).(map[string]any)
	return p, nil
}
