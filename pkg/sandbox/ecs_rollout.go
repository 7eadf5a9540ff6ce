package sandbox

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// rollout is a deployment of a service: under way until Done. It starts tasks
// again and again until they run, unless the circuit breaker ends it (ECS
// developer guide, "How the Amazon ECS deployment circuit breaker detects
// failures").
type rollout struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	Created time.Time `json:"created"`
	Next    time.Time `json:"next,omitzero"` // when its tasks run or have failed
	Done    time.Time `json:"done,omitzero"`
	Tried   int32     `json:"tried,omitempty"`  // tasks that failed
	Why     string    `json:"why,omitempty"`    // the last one's stopped reason
	Failed  string    `json:"failed,omitempty"` // reason, when the circuit breaker ended it
	Back    string    `json:"back,omitempty"`   // the deployment that this one returns to
}

const (
	rolloutSeconds = 90 // until tasks have started and pass their checks
	restartSeconds = 60 // until tasks that failed are started again
	keptRollouts   = 10
)

// deploy begins a rollout of the service's task definition.
func (s *ecsService) deploy(c *call, back string) {
	for i := range s.Rollouts {
		s.Rollouts[i].Next = time.Time{} // a newer one takes its place
	}
	s.Rollouts = append(s.Rollouts, rollout{
		ID: "ecs-svc/" + digitsOf(c.account.draw("rollout")), Task: s.Task, Created: c.now, Next: c.now.Add(c.takes(rolloutSeconds)), Back: back,
	})
	if n := len(s.Rollouts) - keptRollouts; n > 0 {
		s.Rollouts = append([]rollout{}, s.Rollouts[n:]...)
	}
	s.plan(c)
}

func (s *ecsService) last() *rollout { return &s.Rollouts[len(s.Rollouts)-1] }

// plan says when the service does something by itself.
func (s *ecsService) plan(c *call) {
	s.Next = s.last().Next
	c.region.wakeAt(s.Next, wakeService, s.Cluster+"/"+s.Name)
}

// tick is when the tasks of a rollout run or have failed.
func (s *ecsService) tick(c *call) {
	r := s.last()
	why := ""
	if s.Desired > 0 {
		why = c.startFailure(r.Task)
	}
	switch {
	case why == "":
		r.Why, r.Done, r.Next = "", c.now, time.Time{}
	default:
		r.Why, r.Tried = why, r.Tried+max(1, s.Desired)
		r.Next = c.now.Add(c.takes(restartSeconds))
		if s.Breaker && r.Tried >= min(max((s.Desired+1)/2, 3), 200) {
			s.trip(c, r)
		}
	}
	s.plan(c)
}

// trip ends a rollout and, if that is asked for, returns to the last one that
// completed. What returns is not returned from.
func (s *ecsService) trip(c *call, r *rollout) {
	r.Failed, r.Done, r.Next = "ECS deployment circuit breaker: tasks failed to start.", c.now, time.Time{}
	if !s.Rollback || r.Back != "" {
		return
	}
	for i := len(s.Rollouts) - 1; i >= 0; i-- {
		if done := &s.Rollouts[i]; !done.Done.IsZero() && done.Failed == "" {
			s.Task = done.Task
			s.deploy(c, done.ID)
			return
		}
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

// deployments are the primary one and, until it is done, those before down to
// the last that completed: its tasks still run.
func (s *ecsService) deployments(_ *call) []types.Deployment {
	var out []types.Deployment
	for i := len(s.Rollouts) - 1; i >= 0; i-- {
		r := &s.Rollouts[i]
		d := types.Deployment{
			Id: &r.ID, TaskDefinition: &r.Task, CreatedAt: &r.Created, UpdatedAt: &r.Created, DesiredCount: s.Desired, LaunchType: types.LaunchTypeFargate, FailedTasks: r.Tried,
			Status: aws.String("PRIMARY"), RolloutState: types.DeploymentRolloutStateInProgress, RolloutStateReason: aws.String("ECS deployment " + r.ID + " in progress."),
		}
		switch {
		case r.Failed != "":
			d.RolloutState, d.RolloutStateReason, d.UpdatedAt, d.DesiredCount = types.DeploymentRolloutStateFailed, &r.Failed, &r.Done, 0
		case !r.Done.IsZero():
			d.RolloutState, d.RolloutStateReason, d.RunningCount, d.UpdatedAt = types.DeploymentRolloutStateCompleted, aws.String("ECS deployment "+r.ID+" completed."), s.Desired, &r.Done
		case r.Back != "":
			d.RolloutStateReason = aws.String("ECS deployment circuit breaker: rolling back to deploymentId " + r.Back + ".")
		}
		if d.RolloutState == types.DeploymentRolloutStateInProgress && r.Tried == 0 {
			d.PendingCount = s.Desired
		}
		if len(out) > 0 {
			d.Status = aws.String("ACTIVE")
		}
		out = append(out, d)
		if d.RolloutState == types.DeploymentRolloutStateCompleted {
			break
		}
	}
	return out
}

// events are the last ones, the newest first. Texts: ECS developer guide,
// "Service event messages".
func (s *ecsService) events(_ *call) []types.ServiceEvent {
	out := []types.ServiceEvent{}
	add := func(r *rollout, kind string, at time.Time, message string) {
		out = append(out, types.ServiceEvent{Id: aws.String(uuid(hexOf("event", s.ARN, r.ID, kind))), CreatedAt: &at, Message: aws.String("(service " + s.Name + ") " + message)})
	}
	for i := len(s.Rollouts) - 1; i >= 0; i-- {
		r := &s.Rollouts[i]
		switch {
		case r.Failed != "":
			add(r, "failed", r.Done, "(deployment "+r.ID+") deployment failed: tasks failed to start.")
		case !r.Done.IsZero():
			add(r, "steady", r.Done, "has reached a steady state.")
			add(r, "completed", r.Done, "(deployment "+r.ID+") deployment completed.")
		}
		if r.Why != "" {
			add(r, "stopped", r.Created, "was unable to place a task. Reason: "+r.Why+".")
		}
		if r.Back != "" {
			add(r, "back", r.Created, "rolling back to deployment "+r.Back+".")
		}
	}
	return out
}
