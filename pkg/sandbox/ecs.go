package sandbox

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func ecsOperations() map[string]operation {
	return map[string]operation{
		"CreateCluster":            writes(createCluster),
		"CreateService":            writes(createService),
		"DeleteCluster":            writes(deleteCluster),
		"DeleteService":            writes(deleteService),
		"DeregisterTaskDefinition": writes(deregisterTaskDefinition),
		"DescribeClusters":         reads(describeClusters),
		"DescribeServices":         reads(describeServices),
		"DescribeTaskDefinition":   reads(describeTaskDefinition),
		"DescribeTasks":            docReads(describeTasks),
		"ListClusters":             reads(listClusters),
		"ListServices":             reads(listServices),
		"ListTaskDefinitions":      reads(listTaskDefinitions),
		"ListTasks":                docReads(listTasks),
		"RegisterTaskDefinition":   writes(registerTaskDefinition),
		"RunTask":                  docWrites(runTask),
		"StopTask":                 docWrites(stopTask),
		"UpdateService":            writes(updateService),
	}
}

// ecsService is an ECS service with its rollouts, the newest last.
type ecsService struct {
	Name     string            `json:"name"`
	ARN      string            `json:"arn"`
	Cluster  string            `json:"cluster"` // name
	Task     string            `json:"task"`    // ARN of the task definition
	Desired  int32             `json:"desired"`
	Created  time.Time         `json:"created"`
	Breaker  bool              `json:"breaker,omitempty"`
	Rollback bool              `json:"rollback,omitempty"` // of the circuit breaker
	Least    int32             `json:"least,omitempty"`    // minimum healthy percent
	Most     int32             `json:"most,omitempty"`     // maximum percent
	Inactive time.Time         `json:"inactive,omitzero"`  // when it was deleted
	Next     time.Time         `json:"next,omitzero"`      // when something happens by itself
	Declared time.Time         `json:"declared,omitzero"`  // when a stack last set it
	Rollouts []rollout         `json:"rollouts,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Stack    string            `json:"stack,omitempty"`
}

func clusterName(ref *string) string {
	s := aws.ToString(ref)
	if s == "" {
		return "default"
	}
	return s[strings.LastIndexByte(s, '/')+1:]
}

// ecsService finds a service of a cluster by name or ARN.
func (c *call) ecsService(cluster, ref string) *ecsService {
	return c.region.Services[cluster+"/"+ref[strings.LastIndexByte(ref, '/')+1:]]
}

func (c *call) clusterARN(name string) string { return c.arn("ecs", "cluster/"+name) }

func (c *call) cluster(name string) bool { return c.exists(clusterType, name) }

func clusterNotFound() *Fail { return fail("ClusterNotFoundException", "Cluster not found.") }

func describeServices(c *call, in *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	if len(in.Services) < 1 || len(in.Services) > 10 {
		return nil, fail("InvalidParameterException", "Services can have at most 10 items, and not be empty.")
	}
	cluster := clusterName(in.Cluster)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	out := &ecs.DescribeServicesOutput{Services: []types.Service{}, Failures: []types.Failure{}}
	for _, ref := range in.Services {
		s := c.ecsService(cluster, ref)
		if s == nil {
			name := ref[strings.LastIndexByte(ref, '/')+1:]
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(c.arn("ecs", "service/"+cluster+"/"+name)), Reason: aws.String("MISSING")})
			continue
		}
		out.Services = append(out.Services, s.out(c))
	}
	return out, nil
}

func (s *ecsService) out(c *call) types.Service {
	deployments := s.deployments(c)
	running := int32(0)
	for _, d := range deployments {
		running += d.RunningCount
	}
	status := "ACTIVE"
	if !s.Inactive.IsZero() {
		status, deployments, running = "INACTIVE", nil, 0
	}
	out := types.Service{
		ServiceName: &s.Name, ServiceArn: &s.ARN, ClusterArn: aws.String(c.clusterARN(s.Cluster)), Status: &status, TaskDefinition: &s.Task,
		DesiredCount: s.Desired, RunningCount: running, PendingCount: max(0, s.Desired-running), CreatedAt: &s.Created, LaunchType: types.LaunchTypeFargate,
		SchedulingStrategy: types.SchedulingStrategyReplica, Deployments: deployments, Events: s.events(c), PropagateTags: types.PropagateTagsNone,
		DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: s.Breaker, Rollback: s.Rollback}, MaximumPercent: &s.Most, MinimumHealthyPercent: &s.Least},
		DeploymentController:    &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
	}
	if i, ok := c.thing("AWS::ECS::Service", s.ARN); ok {
		declaredService(&out, i.props)
	}
	return out
}

// declaredService fills in what the stack's template says of the service. The
// SDK's types have CloudFormation's names; what does not fit is left as it is.
func declaredService(out *types.Service, p props) {
	for name, to := range map[string]any{
		"CapacityProviderStrategy": &out.CapacityProviderStrategy, "EnableECSManagedTags": &out.EnableECSManagedTags, "EnableExecuteCommand": &out.EnableExecuteCommand,
		"HealthCheckGracePeriodSeconds": &out.HealthCheckGracePeriodSeconds, "LoadBalancers": &out.LoadBalancers, "NetworkConfiguration": &out.NetworkConfiguration,
		"PropagateTags": &out.PropagateTags, "PlatformVersion": &out.PlatformVersion,
	} {
		if v, ok := p[name]; ok {
			if body, err := json.Marshal(v); err == nil {
				_ = json.Unmarshal(body, to)
			}
		}
	}
	if len(out.CapacityProviderStrategy) > 0 {
		out.LaunchType = ""
	}
}

func describeClusters(c *call, in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	refs := in.Clusters
	if len(refs) == 0 {
		refs = []string{"default"}
	}
	out := &ecs.DescribeClustersOutput{Clusters: []types.Cluster{}, Failures: []types.Failure{}}
	for _, ref := range refs {
		name := clusterName(&ref)
		if !c.cluster(name) {
			out.Failures = append(out.Failures, types.Failure{Arn: aws.String(c.clusterARN(name)), Reason: aws.String("MISSING")})
			continue
		}
		cl := types.Cluster{ClusterName: &name, ClusterArn: aws.String(c.clusterARN(name)), Status: aws.String("ACTIVE")}
		for _, key := range sortedKeys(c.region.Services) {
			if s := c.region.Services[key]; s.Cluster == name && s.Inactive.IsZero() {
				cl.ActiveServicesCount++
				for _, d := range s.deployments(c) {
					cl.RunningTasksCount += d.RunningCount
				}
			}
		}
		out.Clusters = append(out.Clusters, cl)
	}
	return out, nil
}

func listClusters(c *call, in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	limit, err := pageSize(in.MaxResults, 100, 100)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, item := range c.items("AWS::ECS::Cluster") {
		arns = append(arns, c.clusterARN(item.id))
	}
	arns, next, err := page(arns, func(s string) string { return s }, in.NextToken, limit)
	return &ecs.ListClustersOutput{ClusterArns: arns, NextToken: next}, err
}

func listServices(c *call, in *ecs.ListServicesInput) (*ecs.ListServicesOutput, error) {
	limit, err := pageSize(in.MaxResults, 10, 100)
	if err != nil {
		return nil, err
	}
	cluster := clusterName(in.Cluster)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	var arns []string
	for _, key := range sortedKeys(c.region.Services) {
		if s := c.region.Services[key]; s.Cluster == cluster && s.Inactive.IsZero() {
			arns = append(arns, s.ARN)
		}
	}
	arns, next, err := page(arns, func(s string) string { return s }, in.NextToken, limit)
	return &ecs.ListServicesOutput{ServiceArns: arns, NextToken: next}, err
}

// updateService is what a person or a release script calls: another number of
// tasks, another task definition, or the same one once more.
func updateService(c *call, in *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	cluster := clusterName(in.Cluster)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	s := c.ecsService(cluster, aws.ToString(in.Service))
	if s == nil {
		return nil, fail("ServiceNotFoundException", "Service not found.")
	}
	if !s.Inactive.IsZero() {
		return nil, fail("ServiceNotActiveException", "Service was not ACTIVE.")
	}
	task := s.Task
	if in.TaskDefinition != nil {
		var err error
		if task, err = c.runnable(*in.TaskDefinition); err != nil {
			return nil, err
		}
	}
	set(&s.Desired, in.DesiredCount)
	if d := in.DeploymentConfiguration; d != nil {
		set(&s.Most, d.MaximumPercent)
		set(&s.Least, d.MinimumHealthyPercent)
		if b := d.DeploymentCircuitBreaker; b != nil {
			s.Breaker, s.Rollback = b.Enable, b.Rollback
		}
	}
	if task != s.Task || in.ForceNewDeployment {
		s.Task = task
		s.deploy(c, "")
	}
	out := s.out(c)
	return &ecs.UpdateServiceOutput{Service: &out}, nil
}

// runnable is the ARN of a task definition that tasks may start with.
func (c *call) runnable(ref string) (string, error) {
	t := c.taskDefinition(ref)
	switch {
	case t == nil:
		return "", fail("ClientException", "TaskDefinition not found.")
	case !t.Gone.IsZero():
		return "", fail("ClientException", "TaskDefinition is inactive")
	}
	return c.taskARN(t.Family, t.Number), nil
}

// deleteService leaves the service INACTIVE: it is shown and not listed.
func deleteService(c *call, in *ecs.DeleteServiceInput) (*ecs.DeleteServiceOutput, error) {
	cluster := clusterName(in.Cluster)
	if !c.cluster(cluster) {
		return nil, clusterNotFound()
	}
	s := c.ecsService(cluster, aws.ToString(in.Service))
	switch {
	case s == nil:
		return nil, fail("ServiceNotFoundException", "Service not found.")
	case !s.Inactive.IsZero():
		return nil, fail("ServiceNotActiveException", "Service was not ACTIVE.")
	case s.Desired > 0 && !aws.ToBool(in.Force):
		return nil, fail("InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
	}
	s.Inactive, s.Desired, s.Next = c.now, 0, time.Time{}
	delete(c.region.Made, "AWS::ECS::Service|"+s.ARN)
	out := s.out(c)
	return &ecs.DeleteServiceOutput{Service: &out}, nil
}
