package cloud

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
)

// How a watch goes on when AWS does not show what it should.
const (
	// settleGrace is how long a settled status waits for the event that ends
	// the operation: events may come later than the status.
	settleGrace = 10 * time.Second
	// startGrace is how long an accepted operation may stay invisible.
	startGrace = 60 * time.Second
	// tokenlessGrace is how long a good status must stand at an endpoint whose
	// events cannot tell whether it is from before the operation.
	tokenlessGrace = 3 * time.Second
	// maxRefusals ends a watch after this many polls in a row that AWS answered
	// with a definite error. A poll that only failed to get through never does.
	maxRefusals = 4
)

// watch follows one operation on one stack. Its fields belong to the poll
// that is at work on it; polls of one watch never overlap.
type watch struct {
	request apply.Request
	begun   time.Time
	settled time.Time // when a settled status was first seen, or zero
	due     time.Time // when its events are worth reading again while it runs

	last     string // id of the newest event seen
	events   []types.StackEvent
	done     map[string]bool // logical ids that reached an end in this operation
	started  bool            // an event of the operation was seen
	ended    types.ResourceStatus
	progress apply.Progress // as last told
	refusals int
	// tokenless: the endpoint reports no tokens, so a good end is taken as it is
	// and left to the engine, which compares what was deployed.
	tokenless bool
}

// busy tells whether an operation runs on a stack with this status.
func busy(status string) bool {
	if a, known := plan.ActionFor(status); known {
		return a.Class == plan.StatusBusy
	}
	return strings.HasSuffix(status, "_IN_PROGRESS")
}

// succeeded tells whether a status is the good end of an operation.
func succeeded(status string) bool {
	switch status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE", "DELETE_COMPLETE":
		return true
	}
	return false
}

// outcome is what one poll of a watch says.
type outcome struct {
	progress []apply.Progress
	final    *apply.Response // the end of the watch
	moved    bool            // something happened: poll soon again
}

// poll looks once at a watched stack. glance is its status from a listing
// that was shared, or "" when there was none; company is how many are watched:
// in a crowd the events of a stack that still runs are read less often.
func (c *Cloud) poll(ctx context.Context, w *watch, glance string, company int) outcome {
	now := c.clock.Now()
	if busy(glance) && now.Before(w.due) {
		return outcome{}
	}
	w.due = now.Add(time.Duration(float64(company/pollsAtOnce) * float64(pollMax) * c.scale))
	var stack *plan.LiveStack
	status := glance
	if glance == "" || !busy(glance) {
		var err error
		if stack, err = c.describeStack(ctx, w.request.Stack); err != nil {
			return c.refused(ctx, w, err)
		}
		if stack == nil {
			r := w.answer() // gone, in exactly AWS's words
			r.Token = w.request.Token
			return outcome{final: r}
		}
		status = stack.Status
	}
	fresh, err := c.eventsSince(ctx, w.request.Stack, w.last, w.request.Token)
	if errors.Is(err, errTokenless) {
		w.tokenless, err = true, nil
	}
	if err != nil {
		return c.refused(ctx, w, c.readError("read the events of "+w.request.Stack, err))
	}
	w.refusals = 0
	out := outcome{progress: w.take(fresh, status, c), moved: len(fresh) > 0}
	if stack == nil || busy(status) {
		w.settled = time.Time{}
		return out
	}
	if !w.finished(status, c.clock.Now(), c.scale) {
		return out
	}
	if err := c.mark(ctx, stack); err != nil {
		return c.refused(ctx, w, err)
	}
	out.final = c.end(ctx, w, stack)
	return out
}

// refused decides about a poll that failed: what may pass is tried again for
// as long as it takes, because the operation goes on by itself.
func (c *Cloud) refused(ctx context.Context, w *watch, err error) outcome {
	if isCanceled(err) || ctx.Err() != nil {
		r := w.answer()
		r.Err = c.failure("watch stack "+w.request.Stack, context.Canceled)
		return outcome{final: r}
	}
	f := c.failure("watch stack "+w.request.Stack, err)
	if f.Code == "" {
		return outcome{} // no answer, or none that a service gave
	}
	if w.refusals++; w.refusals < maxRefusals {
		return outcome{}
	}
	r := w.answer()
	r.Err = f
	return outcome{final: r}
}

// take records new events and says what there is to tell: every failure, and
// the newest event of a resource.
func (w *watch) take(fresh []types.StackEvent, status string, c *Cloud) []apply.Progress {
	var tell []apply.Progress
	var newest *types.StackEvent
	for i := range fresh {
		e := fresh[i]
		w.last = aws.ToString(e.EventId)
		w.events = append(w.events, e)
		if w.request.Token == "" || aws.ToString(e.ClientRequestToken) == w.request.Token {
			w.started = true
			if ofStack(e) {
				w.ended = e.ResourceStatus
			}
		}
		if ofStack(e) {
			continue
		}
		id := aws.ToString(e.LogicalResourceId)
		if strings.HasSuffix(string(e.ResourceStatus), "_IN_PROGRESS") {
			delete(w.done, id)
		} else {
			w.done[id] = true
		}
		newest = &fresh[i]
		if isFailure(e) {
			tell = append(tell, w.progressOf(&e, status, c))
			newest = nil
		}
	}
	now := w.progressOf(newest, status, c)
	if newest == nil && now.Status == w.progress.Status && now.Done == w.progress.Done {
		return tell
	}
	w.progress = now
	return append(tell, now)
}

func (w *watch) progressOf(e *types.StackEvent, status string, c *Cloud) apply.Progress {
	p := apply.Progress{Stack: stackName(w.request.Stack), Status: status, Done: len(w.done), At: c.clock.Now().UTC()}
	if e != nil {
		p.Resource = aws.ToString(e.LogicalResourceId)
		p.Type = aws.ToString(e.ResourceType)
		p.State = string(e.ResourceStatus)
		p.Reason = c.masks.apply(oneLine(aws.ToString(e.ResourceStatusReason)))
		p.At = aws.ToTime(e.Timestamp).UTC()
	}
	return p
}

// finished tells whether a settled status is the end of the watched
// operation, and not the status from before it or events that are late.
func (w *watch) finished(status string, now time.Time, scale float64) bool {
	if w.settled.IsZero() {
		w.settled = now
	}
	if w.started && string(w.ended) == status {
		return true
	}
	grace := settleGrace
	switch {
	case w.tokenless && succeeded(status):
		grace = tokenlessGrace
	case !w.started:
		grace = startGrace
	}
	return float64(now.Sub(w.settled)) >= float64(grace)*scale
}

// end is the last response of a watch.
func (c *Cloud) end(ctx context.Context, w *watch, stack *plan.LiveStack) *apply.Response {
	r := w.answer()
	if w.request.Token != "" && !w.started && !w.tokenless {
		r.Err = &apply.Failure{Message: "stack " + stack.Name + ": the operation that was accepted never showed in its events; it is " + stack.Status}
		r.Stack = stack
		return r
	}
	mine := w.events
	if w.request.Token != "" {
		mine = nil
		for _, e := range w.events {
			if aws.ToString(e.ClientRequestToken) == w.request.Token {
				mine = append(mine, e)
			}
		}
	}
	good := succeeded(stack.Status) && !deleting(mine, stack.Status)
	causes, err := c.causes(ctx, mine, good)
	if err != nil {
		r.Err = c.failure("watch stack "+w.request.Stack, err)
		return r
	}
	if !good && len(causes) == 0 && stack.Reason != "" {
		causes = []apply.Cause{{Stack: stack.Name, Resource: stack.Name, Type: typeStack, Status: stack.Status, Reason: stack.Reason}}
	}
	r.Stack, r.Causes = stack, causes
	if len(mine) > 0 {
		r.Token = aws.ToString(mine[len(mine)-1].ClientRequestToken)
	}
	return r
}

// deleting tells that the operation was a delete that did not happen: the
// stack is as it was before, without a status that says so.
func deleting(events []types.StackEvent, status string) bool {
	if status == "DELETE_COMPLETE" {
		return false
	}
	for _, e := range events {
		if ofStack(e) && e.ResourceStatus == types.ResourceStatusDeleteInProgress {
			return true
		}
	}
	return false
}

func (w *watch) answer() *apply.Response {
	return &apply.Response{ID: w.request.ID, Step: w.request.Step, Op: w.request.Op, Done: true}
}

// stackName is the name in a stack's ARN, or the name itself.
func stackName(id string) string {
	if _, rest, ok := strings.Cut(id, ":stack/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		return name
	}
	return id
}
