package cloud

import (
	"context"
	"sort"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"reconcile/pkg/plan"
)

const typeService = "AWS::ECS::Service"

// servicesPerCall is DescribeServices' limit.
const servicesPerCall = 10

// Status is what `reconcile status` shows beside a plan: the live state with
// every stack described (outputs carry the revision), and the services.
type Status struct {
	Live     plan.Live
	Services []Service // sorted by stack and name
}

// Service is an ECS service of a desired stack.
type Service struct {
	Stack   string
	Cluster string
	Name    string
	Status  string // ACTIVE, DRAINING, INACTIVE, or MISSING
	Desired int    // tasks
	Running int
	Pending int
	// Rollout of the newest deployment: COMPLETED, IN_PROGRESS or FAILED.
	Rollout       string
	RolloutReason string
	// TaskDefinition is the ARN that the newest deployment runs. A circuit
	// breaker may have rolled it back although the stack says it was updated.
	TaskDefinition string
}

// Healthy tells whether the service runs what it should.
func (s Service) Healthy() bool {
	return s.Status == "ACTIVE" && s.Running >= s.Desired && s.Rollout != string(types.DeploymentRolloutStateFailed)
}

// Status reads the live state of the desired stacks. It asks more than Read:
// it describes all stacks by the page, and the services in tens.
func (c *Cloud) Status(ctx context.Context, d plan.Desired, sel plan.Selection) (Status, error) {
	live, err := c.Read(ctx, d, sel)
	if err != nil || !c.isPlace(live.Account, d.Target) {
		return Status{Live: live}, err
	}
	described, err := c.describeAllStacks(ctx)
	if err != nil {
		return Status{}, err
	}
	for name, s := range described {
		live.Stacks[name] = withRead(s, live.Stacks[name])
	}
	out := Status{Live: live}
	out.Services, err = c.services(ctx, d, live)
	return out, err
}

// services finds the ECS services of the desired stacks that are deployed.
func (c *Cloud) services(ctx context.Context, d plan.Desired, live plan.Live) ([]Service, error) {
	var mu sync.Mutex
	byCluster := map[string][]string{} // cluster → service ARNs
	stackOf := map[string]string{}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(stacksAtOnce)
	for _, s := range d.Stacks {
		deployed, ok := live.Stacks[s.Name]
		if !ok || !hasTemplate(deployed.Status) || !hasService(s) {
			continue
		}
		g.Go(func() error {
			resources := deployed.Resources
			if resources == nil {
				var err error
				if resources, err = c.resources(inner, deployed.ID); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for _, id := range sortedKeys(resources) {
				if r := resources[id]; r.Type == typeService && r.PhysicalID != "" {
					cluster, _ := serviceName(r.PhysicalID)
					byCluster[cluster] = append(byCluster[cluster], r.PhysicalID)
					stackOf[r.PhysicalID] = s.Name
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []Service
	for _, cluster := range sortedKeys(byCluster) {
		for _, chunk := range chunks(byCluster[cluster], servicesPerCall) {
			found, err := c.servicesChunk(ctx, cluster, chunk, stackOf)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Stack != out[j].Stack {
			return out[i].Stack < out[j].Stack
		}
		return out[i].Name < out[j].Name
	})
	return out, nil
}

func hasService(s plan.Stack) bool {
	for _, r := range s.Template.Resources {
		if r.Type == typeService {
			return true
		}
	}
	return false
}

func (c *Cloud) servicesChunk(ctx context.Context, cluster string, arns []string, stackOf map[string]string) ([]Service, error) {
	missing := make(map[string]bool, len(arns))
	for _, a := range arns {
		missing[a] = true
	}
	answer, err := c.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(cluster), Services: arns})
	if err != nil && errorCode(err) != "ClusterNotFoundException" {
		return nil, c.readError("describe the services of cluster "+cluster, err)
	}
	var out []Service
	if err == nil {
		for _, s := range answer.Services {
			arn := aws.ToString(s.ServiceArn)
			delete(missing, arn)
			out = append(out, c.liveService(stackOf[arn], cluster, s))
		}
	}
	for _, arn := range sortedKeys(missing) {
		_, name := serviceName(arn)
		out = append(out, Service{Stack: stackOf[arn], Cluster: cluster, Name: name, Status: "MISSING"})
	}
	return out, nil
}

func (c *Cloud) liveService(stack, cluster string, s types.Service) Service {
	live := Service{
		Stack: stack, Cluster: cluster, Name: aws.ToString(s.ServiceName), Status: aws.ToString(s.Status),
		Desired: int(s.DesiredCount), Running: int(s.RunningCount), Pending: int(s.PendingCount),
		TaskDefinition: aws.ToString(s.TaskDefinition),
	}
	for _, dep := range s.Deployments {
		if aws.ToString(dep.Status) == "PRIMARY" {
			live.Rollout = string(dep.RolloutState)
			live.RolloutReason = c.masks.apply(oneLine(aws.ToString(dep.RolloutStateReason)))
			live.TaskDefinition = aws.ToString(dep.TaskDefinition)
		}
	}
	return live
}

// serviceName splits arn:…:service/CLUSTER/NAME; the old form has no cluster.
func serviceName(arn string) (cluster, name string) {
	parts := strings.Split(arn[strings.LastIndexByte(arn, ':')+1:], "/")
	if len(parts) == 3 {
		return parts[1], parts[2]
	}
	return "default", parts[len(parts)-1]
}
