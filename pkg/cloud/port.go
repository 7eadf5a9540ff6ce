package cloud

import (
	"context"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"

	"reconcile/pkg/apply"
	"reconcile/pkg/bundle"
	"reconcile/pkg/plan"
)

// maxWorkers bounds the requests of a port that are being carried out. The
// budget of the Cloud bounds what is on the wire below it.
const maxWorkers = 16

// Port carries out the requests of one run. Requests run side by side, each
// answered when AWS has answered; watches share one poller. When the context
// that it was made with ends, what is open is answered with FailureCanceled.
type Port struct {
	cloud *Cloud
	ctx   context.Context //nolint:containedctx // a port lives as long as one run
	stop  context.CancelFunc

	// Bucket takes templates that are too big for a request; nil: they are refused.
	Bucket *Bucket
	// Own tells the role that CloudFormation acts with, in every stack but our
	// own; the zero value: with the rights of the caller.
	Own plan.Own
	// Account owns the buckets of bundles; Files is the folder of specs, which has
	// the local files that they name.
	Account string
	Files   fs.FS
	// Guard, if set, is asked before each request that changes something; its
	// error keeps the request from being sent.
	Guard func(context.Context, apply.Request) error

	workers sync.WaitGroup
	poller  poller

	mu      sync.Mutex
	waiting []apply.Request
	active  int
	ready   []apply.Response
	fault   *Fault
	signal  chan struct{} // holds one token while ready is not empty
}

var _ apply.Port = (*Port)(nil)

// Port opens a port for one run. Close it when the run is over.
func (c *Cloud) Port(ctx context.Context) *Port {
	p := &Port{cloud: c, signal: make(chan struct{}, 1)}
	p.ctx, p.stop = context.WithCancel(ctx)
	p.poller.port = p
	return p
}

// Close ends whatever is still running and waits for it.
func (p *Port) Close() {
	p.stop()
	p.workers.Wait()
}

// Submit hands over a request. It never blocks.
func (p *Port) Submit(r apply.Request) {
	if r.Op == apply.OpWatchStack {
		p.poller.add(p.ctx, &watch{request: r, begun: p.cloud.clock.Now(), done: map[string]bool{}})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, r)
	if p.active < maxWorkers {
		p.active++
		p.workers.Go(p.work)
	}
}

// Next returns the next response, or the context's error once it ends; a
// *Fault when a request ended in a panic.
func (p *Port) Next(ctx context.Context) (apply.Response, error) {
	for {
		p.mu.Lock()
		if p.fault != nil {
			defer p.mu.Unlock()
			return apply.Response{}, p.fault
		}
		if len(p.ready) > 0 {
			r := p.ready[0]
			p.ready = p.ready[1:]
			p.mu.Unlock()
			return r, nil
		}
		p.mu.Unlock()
		select {
		case <-p.signal:
		case <-ctx.Done():
			return apply.Response{}, ctx.Err()
		}
	}
}

// work carries out waiting requests until there are none.
func (p *Port) work() {
	for {
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.active--
			p.mu.Unlock()
			return
		}
		r := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		p.respond(p.carryOut(r))
	}
}

func (p *Port) respond(r apply.Response) {
	p.mu.Lock()
	p.ready = append(p.ready, r)
	p.mu.Unlock()
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

// Fault is a fault of ours in the middle of a request.
type Fault struct {
	Value any
	Stack []byte
}

func (f *Fault) Error() string { return fmt.Sprintf("a fault of ours: %T", f.Value) }

// carryOut does what a request asks for, start to end. A panic here must not
// end the process, which holds a lock: Next gives it to the one who waits.
func (p *Port) carryOut(r apply.Request) (out apply.Response) {
	out = apply.Response{ID: r.ID, Step: r.Step, Op: r.Op, Done: true}
	defer func() {
		if v := recover(); v != nil {
			p.mu.Lock()
			p.fault = &Fault{Value: v, Stack: debug.Stack()}
			p.mu.Unlock()
		}
	}()
	if r.Op.Mutates() && p.Guard != nil {
		if err := p.Guard(p.ctx, r); err != nil {
			out.Err = &apply.Failure{Kind: apply.FailureLocked, Message: err.Error()}
			if p.ctx.Err() != nil || isCanceled(err) {
				out.Err.Kind = apply.FailureCanceled
			}
			return out
		}
	}
	if err := p.do(p.ctx, r, &out); err != nil {
		out.Err = p.cloud.failure(subject(r), err)
	}
	return out
}

// subject names what a request is about, for messages.
func subject(r apply.Request) string {
	switch {
	case r.Create != nil:
		return string(r.Op) + " " + r.Create.StackName
	case r.Parameter != nil:
		return string(r.Op) + " " + r.Parameter.Name
	case r.Secret != nil:
		return string(r.Op) + " " + r.Secret.Name
	case r.Bundle != nil:
		return string(r.Op) + " " + r.Bundle.Name
	case r.LogGroup != nil:
		return string(r.Op) + " " + r.LogGroup.Name
	case r.ChangeSet != "":
		return string(r.Op) + " " + r.ChangeSet
	case r.Stack != "":
		return string(r.Op) + " " + r.Stack
	}
	return string(r.Op) + " " + r.Name
}

func (p *Port) do(ctx context.Context, r apply.Request, out *apply.Response) (err error) {
	c := p.cloud
	if err := ctx.Err(); err != nil {
		return context.Canceled
	}
	switch r.Op {
	case apply.OpReadStack:
		return c.readStack(ctx, r, out)
	case apply.OpCreateChangeSet:
		out.ChangeSet, err = p.createChangeSet(ctx, r.Create, r.Token)
	case apply.OpCreateStack:
		var id string
		if id, err = p.createStack(ctx, r.Create, r.Token); err == nil {
			out.Stack = &plan.LiveStack{Name: r.Create.StackName, ID: id}
		}
	case apply.OpExecuteChangeSet:
		err = c.executeChangeSet(ctx, r.ChangeSet, r.Stack, r.Token)
	case apply.OpDeleteChangeSet:
		err = c.deleteChangeSet(ctx, r.ChangeSet)
	case apply.OpDeleteStack:
		err = c.deleteStack(ctx, r.Stack, r.Token, r.Retain, p.role(r.Stack))
	case apply.OpContinueRollback:
		err = c.continueRollback(ctx, r.Stack, r.Token, p.role(r.Stack))
	case apply.OpRollbackStack:
		err = c.rollbackStack(ctx, r.Stack, r.Token, p.role(r.Stack))
	case apply.OpSetProtection:
		err = c.setProtection(ctx, r.Stack, r.Protect)
	case apply.OpReadParameter:
		out.Parameter, err = c.parameter(ctx, r.Name)
	case apply.OpPutParameter:
		out.Parameter, err = c.putParameter(ctx, r.Parameter)
	case apply.OpDeleteParameter:
		err = c.deleteParameter(ctx, r.Name)
	case apply.OpReadSecret:
		out.Secret, err = c.secret(ctx, r.Name)
	case apply.OpPutSecret:
		out.Secret, err = c.putSecret(ctx, r.Secret, r.Token)
	case apply.OpReadLogGroup:
		out.LogGroup, err = c.logGroup(ctx, r.Name)
	case apply.OpPutLogGroup:
		out.LogGroup, err = c.putLogGroup(ctx, r.LogGroup)
	case apply.OpDeleteLogGroup:
		err = c.deleteLogGroup(ctx, r.Name)
	case apply.OpEmptyBucket:
		err = c.emptyBucket(ctx, r.Name, r.Keep)
	case apply.OpReadGroup:
		out.Group, err = c.group(ctx, r.Name)
	case apply.OpReadBundle:
		out.Bundle, err = c.manifest(ctx, p.Account, plan.Object{Bucket: r.Bundle.Bucket, Key: bundle.ManifestKey(r.Bundle.Manifest.BundleID)})
	case apply.OpPutBundle:
		out.Said, err = p.putBundle(ctx, r)
	default:
		err = &apply.Failure{Message: "unknown operation " + string(r.Op)}
	}
	return err
}

// readStack is OpReadStack.
func (c *Cloud) readStack(ctx context.Context, r apply.Request, out *apply.Response) error {
	stack, err := c.describeStack(ctx, r.Stack)
	if err != nil || stack == nil {
		return err
	}
	if r.Template && hasTemplate(stack.Status) {
		if stack.Template, err = c.template(ctx, stack.ID); err != nil {
			return err
		}
	}
	if err := c.mark(ctx, stack); err != nil {
		return err
	}
	if r.Token != "" {
		if out.Token, err = c.newestToken(ctx, stack.ID); err != nil {
			return err
		}
	}
	out.Stack = stack
	return nil
}

// hasTemplate tells whether a stack in this status has a template to read.
func hasTemplate(status string) bool {
	return status != "REVIEW_IN_PROGRESS" && status != "DELETE_COMPLETE"
}
