package sandbox

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

func ecsOperations() map[string]operation {
	return map[string]operation{
		"DescribeTaskDefinition": docReads(describeTaskDefinition),
		"DescribeTasks":          docReads(describeTasks),
		"ListTasks":              docReads(listTasks),
		"RunTask":                docWrites(runTask),
		"StopTask":               docWrites(stopTask),

		"DescribeClusters": reads(describeClusters),
		"DescribeServices": reads(describeServices),
		"ListClusters":     reads(listClusters),
		"ListServices":     reads(listServices),
		"UpdateService":    writes(updateService),
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
	Rollouts []rollout         `json:"rollouts,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
	Stack    string            `json:"stack,omitempty"`
}

// rollout is a deployment of a service: under way until Done.
type rollout struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	Created time.Time `json:"created"`
	Done    time.Time `json:"done"`
	Failed  string    `json:"failed,omitempty"`
}

// rolloutSeconds is how long tasks take to start and pass their checks.
const rolloutSeconds = 90

// deploy begins a rollout of the service's task definition. Without its
// images it fails when its time is over.
func (s *ecsService) deploy(c *call) {
	r := rollout{ID: "ecs-svc/" + digitsOf(c.account.draw("rollout")), Task: s.Task, Created: c.now, Done: c.now.Add(c.takes(rolloutSeconds))}
	if missing := c.missingImage(s.Task); missing != "" {
		r.Failed = "ECS deployment circuit breaker: tasks failed to start."
	}
	s.Rollouts = append(s.Rollouts, r)
	if n := len(s.Rollouts) - 10; n > 0 {
		s.Rollouts = append([]rollout{}, s.Rollouts[n:]...)
	}
}

// digitsOf turns hex digits into 19 decimal ones.
func digitsOf(h string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' {
			return r - 'a' + '1'
		}
		return r
	}, h[:19])
}

// missingImage names the first image of a task definition that is in no
// repository of the account; images of other registries exist.
func (c *call) missingImage(task string) string {
	item := c.item("AWS::ECS::TaskDefinition", task)
	if item == nil {
		return ""
	}
	for _, container := range c.itemProps(item).list("ContainerDefinitions") {
		image := container.text("Image")
		rest, ours := strings.CutPrefix(image, c.account.ID+".dkr.ecr."+c.region.Name+".amazonaws.com/")
		if !ours {
			continue
		}
		if repo, digest, ok := strings.Cut(rest, "@"); ok {
			if r := c.region.Repositories[repo]; c.account.Bare && (r == nil || r.Images[digest] == nil) {
				return image
			}
			continue
		}
		repo, tag, _ := strings.Cut(rest, ":")
		if tag == "" {
			tag = "latest"
		}
		if c.containerTag(repo, tag) == nil {
			return image
		}
	}
	return ""
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

func (c *call) cluster(name string) bool { return c.item("AWS::ECS::Cluster", name) != nil }

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
	return types.Service{
		ServiceName: &s.Name, ServiceArn: &s.ARN, ClusterArn: aws.String(c.clusterARN(s.Cluster)), Status: aws.String("ACTIVE"), TaskDefinition: &s.Task,
		DesiredCount: s.Desired, RunningCount: running, PendingCount: max(0, s.Desired-running), CreatedAt: &s.Created, LaunchType: types.LaunchTypeFargate,
		SchedulingStrategy: types.SchedulingStrategyReplica, Deployments: deployments, Events: s.events(c), PropagateTags: types.PropagateTagsNone,
		DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: s.Breaker, Rollback: s.Breaker}, MaximumPercent: aws.Int32(200), MinimumHealthyPercent: aws.Int32(100)},
		DeploymentController:    &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
	}
}

// deployments are the primary one and, until it is done, the one before.
func (s *ecsService) deployments(c *call) []types.Deployment {
	var out []types.Deployment
	for i := len(s.Rollouts) - 1; i >= 0 && len(out) < 2; i-- {
		r := &s.Rollouts[i]
		d := types.Deployment{
			Id: &r.ID, TaskDefinition: &r.Task, CreatedAt: &r.Created, UpdatedAt: &r.Created, DesiredCount: s.Desired, LaunchType: types.LaunchTypeFargate,
			Status: aws.String("PRIMARY"), RolloutState: types.DeploymentRolloutStateInProgress, RolloutStateReason: aws.String("ECS deployment " + r.ID + " in progress."),
		}
		done := !c.now.Before(r.Done)
		switch {
		case done && r.Failed != "":
			d.RolloutState, d.RolloutStateReason, d.FailedTasks, d.UpdatedAt = types.DeploymentRolloutStateFailed, &r.Failed, 3, &r.Done
		case done:
			d.RolloutState, d.RolloutStateReason, d.RunningCount, d.UpdatedAt = types.DeploymentRolloutStateCompleted, aws.String("ECS deployment "+r.ID+" completed."), s.Desired, &r.Done
		}
		if len(out) > 0 {
			d.Status = aws.String("ACTIVE")
		}
		out = append(out, d)
		if done && r.Failed == "" {
			break
		}
	}
	return out
}

// events are the last ones, the newest first.
func (s *ecsService) events(c *call) []types.ServiceEvent {
	out := []types.ServiceEvent{}
	for i := len(s.Rollouts) - 1; i >= 0; i-- {
		r := &s.Rollouts[i]
		if c.now.Before(r.Done) {
			continue
		}
		message := "(service " + s.Name + ") has reached a steady state."
		if r.Failed != "" {
			message = "(service " + s.Name + ") was unable to place or start tasks: CannotPullContainerError: " + c.missingImage(r.Task) + ": not found"
		}
		out = append(out, types.ServiceEvent{Id: aws.String(uuid(hexOf("event", s.ARN, r.ID))), CreatedAt: &r.Done, Message: &message})
	}
	return out
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
			if s := c.region.Services[key]; s.Cluster == name {
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
		if s := c.region.Services[key]; s.Cluster == cluster {
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
	if in.TaskDefinition != nil && c.item("AWS::ECS::TaskDefinition", *in.TaskDefinition) == nil {
		return nil, fail("ClientException", "Unable to describe task definition.")
	}
	set(&s.Desired, in.DesiredCount)
	if in.TaskDefinition != nil && *in.TaskDefinition != s.Task || in.ForceNewDeployment {
		set(&s.Task, in.TaskDefinition)
		s.deploy(c)
	}
	out := s.out(c)
	return &ecs.UpdateServiceOutput{Service: &out}, nil
}
