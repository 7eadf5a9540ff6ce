package sandbox

import (
	"maps"
	"strings"
	"time"

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
			if old := c.ecsService(cluster, name); old != nil && old.Inactive.IsZero() {
				return stackengine.Physical{}, fail("ServiceAlreadyExists", "Creation of service was not idempotent.")
			}
			s := &ecsService{Name: name, ARN: c.arn("ecs", "service/"+cluster+"/"+name), Cluster: cluster, Desired: 1, Created: c.now}
			return c.declareService(s, r)
		},
		settle: settleService,
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			s := c.declared(r)
			if s == nil {
				return stackengine.Physical{}, fail("ServiceNotFoundException", "Service not found.")
			}
			return c.declareService(s, r)
		},
		remove: func(c *call, r stackengine.Resource) error {
			if s := c.declared(r); s != nil {
				delete(c.region.Services, s.Cluster+"/"+s.Name)
			}
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			s := c.declared(r)
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

// declareService sets what a template says and begins a rollout where there is
// something to roll out, or the last one failed.
func (c *call) declareService(s *ecsService, r stackengine.Resource) (stackengine.Physical, error) {
	p := props(r.Properties)
	next := *s
	task, err := c.runnable(p.text("TaskDefinition"))
	if err != nil {
		return stackengine.Physical{}, err
	}
	if n, ok := p.number("DesiredCount"); ok {
		next.Desired = n
	}
	deployment := p.sub("DeploymentConfiguration")
	breaker := deployment.sub("DeploymentCircuitBreaker")
	next.Breaker, next.Rollback, next.Least, next.Most = breaker.flag("Enable"), breaker.flag("Rollback"), 100, 200
	if n, ok := deployment.number("MinimumHealthyPercent"); ok {
		next.Least = n
	}
	if n, ok := deployment.number("MaximumPercent"); ok {
		next.Most = n
	}
	next.Tags, next.Stack, next.Declared = allTags(r), r.StackID, c.now
	c.region.Services[next.Cluster+"/"+next.Name] = &next
	if len(next.Rollouts) == 0 || task != next.Task || next.last().Failed != "" {
		next.Task = task
		next.deploy(c, "")
	}
	return stackengine.Physical{ID: next.ARN, Attributes: map[string]string{"ServiceArn": next.ARN, "Name": next.Name}}, nil
}

// stabilizes is how long the handler waits for a service: three hours
// (CloudFormation troubleshooting, "ECS service didn't stabilize").
const stabilizes = 3 * 3600

// settleService waits for the rollout, as the handler does. The circuit breaker
// ends the wait (failure-modes F11), whether ECS then rolls back or not (F12);
// without one, a service whose image is missing waits for it.
func settleService(c *call, r stackengine.Resource) (time.Time, error) {
	s := c.declared(r)
	if s == nil || !s.Inactive.IsZero() {
		return time.Time{}, fail("ServiceNotFoundException", "Service not found.")
	}
	task, _ := c.runnable(props(r.Properties).text("TaskDefinition"))
	last := s.last()
	switch until := s.Declared.Add(c.takes(stabilizes)); {
	case s.Task != task && task != "", last.Failed != "":
		return time.Time{}, &stackengine.HandlerError{Code: "GeneralServiceException", Message: "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."}
	case !last.Done.IsZero():
		return time.Time{}, nil
	case !c.now.Before(until):
		return time.Time{}, &stackengine.HandlerError{Code: "NotStabilized", Message: "Exceeded attempts to wait"}
	default:
		return earliest(until, c.now.Add(c.takes(restartSeconds))), nil
	}
}

// declared finds the service that a stack made.
func (c *call) declared(r stackengine.Resource) *ecsService {
	parts := strings.Split(r.PhysicalID, "/")
	if len(parts) < 2 {
		return nil
	}
	return c.ecsService(parts[len(parts)-2], parts[len(parts)-1])
}

// taskHandlers register a revision per resource and deregister it in the end.
func taskHandlers() handlers {
	physical := func(c *call, t *taskRevision) stackengine.Physical {
		arn := c.taskARN(t.Family, t.Number)
		return stackengine.Physical{ID: arn, Attributes: map[string]string{"TaskDefinitionArn": arn}}
	}
	return handlers{
		create: func(c *call, r stackengine.Resource) (stackengine.Physical, error) {
			p := maps.Clone(r.Properties)
			delete(p, "Tags")
			family := props(p).text("Family")
			if family == "" {
				family = strings.ReplaceAll(r.Stack+r.LogicalID, "-", "") + r.Random("family", "0123456789abcdef", 8)
			}
			t, err := c.register(family, p)
			if err != nil {
				return stackengine.Physical{}, err
			}
			t.Tags = allTags(r)
			return physical(c, t), nil
		},
		update: func(c *call, _, r stackengine.Resource) (stackengine.Physical, error) {
			t := c.taskDefinition(r.PhysicalID)
			if t == nil {
				return stackengine.Physical{}, fail("ClientException", "Unable to describe task definition.")
			}
			t.Tags = allTags(r) // everything else makes a new revision
			return physical(c, t), nil
		},
		remove: func(c *call, r stackengine.Resource) error {
			if t := c.taskDefinition(r.PhysicalID); t != nil && t.Gone.IsZero() {
				t.Gone = c.now
			}
			return nil
		},
		read: func(c *call, r stackengine.Resource) (map[string]any, error) {
			if t := c.taskDefinition(r.PhysicalID); t == nil || !t.Gone.IsZero() {
				return nil, fail("ResourceNotFoundException", "The task definition does not exist or is inactive.")
			}
			return r.Properties, nil
		},
	}
}
