package sandbox

import (
	"strconv"
	"strings"

	"reconcile/pkg/sandbox/stackengine"
)

func serviceHandlers() handlers {
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			p := props(r.Properties)
			cluster := "default"
			if s := p.text("Cluster"); s != "" {
				cluster = clusterName(&s)
			}
			name := nameOr(r, "ServiceName")
			if !c.cluster(cluster) {
				return stackengine.Physical{}, clusterNotFound()
			}
			if c.ecsService(cluster, name) != nil {
				return stackengine.Physical{}, fail("ServiceAlreadyExists", "Creation of service was not idempotent.")
			}
			s := &ecsService{Name: name, ARN: c.arn("ecs", "service/"+cluster+"/"+name), Cluster: cluster, Desired: 1, Created: c.now}
			return c.declareService(s, r)
		},
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			parts := strings.Split(r.PhysicalID, "/")
			s := c.ecsService(parts[len(parts)-2], parts[len(parts)-1])
			if s == nil {
				return stackengine.Physical{}, fail("ServiceNotFoundException", "Service not found.")
			}
			return c.declareService(s, r)
		},
		remove: func(c *call, r stackengine.Resource) error {
			parts := strings.Split(r.PhysicalID, "/")
			delete(c.region.Services, parts[len(parts)-2]+"/"+parts[len(parts)-1])
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			parts := strings.Split(r.PhysicalID, "/")
			s := c.ecsService(parts[len(parts)-2], parts[len(parts)-1])
			if s == nil {
				return nil, fail("ServiceNotFoundException", "Service not found.")
			}
			live := map[string]any{"TaskDefinition": s.Task}
			if _, ok := r.Properties["DesiredCount"]; ok {
				live["DesiredCount"] = float64(s.Desired)
			}
			return shownProperties(r, live), nil
		},
	}
}

// declareService sets what a template says and waits for the rollout, as the
// handler does: a service whose image is missing never becomes stable. The
// circuit breaker then fails it (failure-modes F11); without one the handler
// waits until it gives up.
func (c *call) declareService(s *ecsService, r stackengine.Resource) (stackengine.Physical, error) {
	p := props(r.Properties)
	next := *s
	next.Task = p.text("TaskDefinition")
	if n, err := strconv.ParseInt(p.text("DesiredCount"), 10, 32); err == nil {
		next.Desired = int32(n)
	}
	next.Breaker = p.sub("DeploymentConfiguration").sub("DeploymentCircuitBreaker").flag("Enable")
	next.Tags, next.Stack = allTags(r), r.StackID
	if c.item("AWS::ECS::TaskDefinition", next.Task) == nil {
		return stackengine.Physical{}, fail("ClientException", "Unable to describe task definition.")
	}
	if next.Desired > 0 && c.missingImage(next.Task) != "" {
		if next.Breaker {
			return stackengine.Physical{}, &stackengine.HandlerError{Code: "GeneralServiceException", Message: "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."}
		}
		return stackengine.Physical{}, &stackengine.HandlerError{Code: "NotStabilized", Message: "Exceeded attempts to wait"}
	}
	if len(next.Rollouts) == 0 || next.Task != s.Task {
		next.deploy(c)
	}
	c.region.Services[next.Cluster+"/"+next.Name] = &next
	return stackengine.Physical{ID: next.ARN, Attributes: map[string]string{"ServiceArn": next.ARN, "Name": next.Name}}, nil
}
