package stackengine

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Awaited is what a resource waits for before it is complete: signals of a
// CreationPolicy, or those of a wait condition. Texts: documentation of
// CreationPolicy and what users report of it.
type Awaited struct {
	Count   int       `json:"count"`
	Until   time.Time `json:"until"`
	Success []string  `json:"success,omitempty"` // unique ids
	Failure []string  `json:"failure,omitempty"`
	Stable  bool      `json:"stable,omitempty"` // only the signals are missing
}

var isoDuration = regexp.MustCompile(`^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$`)

// awaited reads what a new resource waits for; nil for nothing. Seconds are
// AWS's: the engine's scale applies.
func (e *Engine) awaited(n *node, r *StackResource, at time.Time) *Awaited {
	var count, seconds float64
	if n.Type == "AWS::CloudFormation::WaitCondition" {
		props := decode(r.Properties)
		count, seconds = 1, 300
		if c := number(props["Count"]); c != nil {
			count = *c
		}
		if s := number(props["Timeout"]); s != nil {
			seconds = *s
		}
	} else {
		policy, _ := n.Creation.(map[string]any)
		signal, ok := policy["ResourceSignal"].(map[string]any)
		if !ok {
			return nil
		}
		count, seconds = 1, 300
		if c := number(signal["Count"]); c != nil {
			count = *c
		}
		if s, ok := signal["Timeout"].(string); ok {
			seconds = isoSeconds(s)
		}
	}
	if count < 1 {
		return nil
	}
	return &Awaited{Count: int(count), Until: at.Add(e.seconds(seconds))}
}

func isoSeconds(s string) float64 {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil {
		return 300
	}
	total := 0.0
	for i, unit := range []float64{3600, 60, 1} {
		if n, err := strconv.Atoi(m[i+1]); err == nil {
			total += unit * float64(n)
		}
	}
	return total
}

// hold tells whether a resource that is stable goes on waiting for signals; it
// fails it when they do not come.
func (e *Engine) hold(s *Stack, t *Task, r *StackResource, at time.Time) bool {
	a := r.Awaits
	if a == nil || len(a.Success) >= a.Count {
		r.Awaits = nil
		return false
	}
	a.Stable = true
	switch {
	case len(a.Failure) > 0:
		e.fail(s, t, fmt.Sprintf("Received %d FAILURE signal(s) out of %d. Unable to satisfy 100%% MinSuccessfulInstancesPercent requirement", len(a.Failure), a.Count), at)
	case !at.Before(a.Until) && r.Type == "AWS::CloudFormation::WaitCondition":
		e.fail(s, t, fmt.Sprintf("WaitCondition timed out. Received %d conditions when expecting %d", len(a.Success), a.Count), at)
	case !at.Before(a.Until):
		e.fail(s, t, fmt.Sprintf("Failed to receive %d resource signal(s) within the specified duration", a.Count-len(a.Success)), at)
	default:
		t.End = a.Until
	}
	return true
}

// signalResource counts a signal. A wait condition is signalled here as well:
// the URL of its handle is served by nobody.
func (e *Engine) signalResource(in *cloudformation.SignalResourceInput, now time.Time) (any, error) {
	s := e.alive(deref(in.StackName))
	if s == nil {
		return nil, unknownStack(deref(in.StackName))
	}
	r := s.Resources[deref(in.LogicalResourceId)]
	switch {
	case r == nil:
		return nil, invalid("Resource %s does not exist for stack %s", deref(in.LogicalResourceId), s.Name)
	case s.Op != nil && r.waitsForSignals():
		e.signalUpdate(s, r, in, now)
		return &cloudformation.SignalResourceOutput{}, nil
	case s.Op == nil || r.Awaits == nil:
		return nil, invalid("Resource %s is in %s state and cannot be signaled", r.LogicalID, r.Status)
	}
	a, id := r.Awaits, deref(in.UniqueId)
	out := &cloudformation.SignalResourceOutput{}
	if slices.Contains(a.Success, id) || slices.Contains(a.Failure, id) {
		return out, nil
	}
	if in.Status == types.ResourceSignalStatusFailure {
		a.Failure = append(a.Failure, id)
	} else {
		a.Success = append(a.Success, id)
	}
	e.note(s, r, r.Status, fmt.Sprintf("Received %s signal with UniqueId %s", in.Status, id), now)
	if a.Stable {
		e.nudge(s, r, now)
	}
	return out, nil
}

// nudge lets the task of a resource look again.
func (e *Engine) nudge(s *Stack, r *StackResource, now time.Time) {
	for _, t := range s.Op.Tasks {
		if t.Logical == r.LogicalID && t.State == taskRunning {
			t.End, s.Op.At = now, now
			e.schedule(s)
		}
	}
}
