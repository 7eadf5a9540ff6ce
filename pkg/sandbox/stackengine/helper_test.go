package stackengine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

// world is an engine in virtual time at AWS's pace.
type world struct {
	t    testing.TB
	e    *stackengine.Engine
	now  time.Time
	seen int // events that events leaves out, see skipEvents

	// unchecked switches early validation of create and update off: the handlers refuse then.
	unchecked bool
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.e = &stackengine.Engine{
		State: &stackengine.State{Account: "123456789012", Region: "us-east-1", Seed: 7},
		Now:   func() time.Time { return w.now },
		Scale: 1,
	}
	return w
}

// try sends a request.
func try[Out any](w *world, in any) (*Out, error) {
	w.t.Helper()
	op := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", in), "*cloudformation."), "Input")
	out, err := w.e.Handle(context.Background(), op, in)
	if err != nil {
		return nil, err
	}
	typed, ok := out.(*Out)
	if !ok {
		w.t.Fatalf("%s answers %T", op, out)
	}
	return typed, nil
}

// must sends a request that succeeds.
func must[Out any](w *world, in any) *Out {
	w.t.Helper()
	out, err := try[Out](w, in)
	if err != nil {
		w.t.Fatalf("%T: %v", in, err)
	}
	return out
}

// refuses sends a request that fails, and returns "Code: text".
func refuses[Out any](w *world, in any) string {
	w.t.Helper()
	_, err := try[Out](w, in)
	if err == nil {
		w.t.Fatalf("%T is accepted", in)
	}
	var api *stackengine.Error
	if !errors.As(err, &api) {
		w.t.Fatalf("%T fails with %T", in, err)
	}
	return api.Code + ": " + api.Message
}

// settle lets everything happen.
func (w *world) settle() {
	w.t.Helper()
	for range 100_000 {
		at, ok := w.e.Next()
		if !ok {
			return
		}
		if at.After(w.now) {
			w.now = at
		}
		w.e.Advance(context.Background(), w.now)
	}
	w.t.Fatal("the engine never comes to rest")
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) stack(name string) types.Stack {
	w.t.Helper()
	return must[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: &name}).Stacks[0]
}

func (w *world) status(name string) string {
	w.t.Helper()
	s := w.stack(name)
	if s.StackStatusReason == nil {
		return string(s.StackStatus)
	}
	return string(s.StackStatus) + ": " + *s.StackStatusReason
}

// create makes a stack and waits; body is YAML.
func (w *world) create(name, body string) string {
	w.t.Helper()
	out := must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities, DisableValidation: &w.unchecked})
	w.settle()
	return *out.StackId
}

func (w *world) update(name, body string) {
	w.t.Helper()
	must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities, DisableValidation: &w.unchecked})
	w.settle()
}

func (w *world) delete(name string) {
	w.t.Helper()
	must[cfn.DeleteStackOutput](w, &cfn.DeleteStackInput{StackName: &name})
	w.settle()
}

var allCapabilities = []types.Capability{types.CapabilityCapabilityNamedIam, types.CapabilityCapabilityAutoExpand}

// change creates a change set and waits until it is settled.
func (w *world) change(stack, name, kind, body string) *cfn.DescribeChangeSetOutput {
	w.t.Helper()
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: &name, ChangeSetType: types.ChangeSetType(kind), TemplateBody: &body, Capabilities: allCapabilities,
	})
	w.pass(5 * time.Second)
	return must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id})
}

// events is the log of a stack, oldest first, one line each: seconds since the
// first one, the resource, its status, its physical id and the reason.
func (w *world) events(stack string) string {
	w.t.Helper()
	var all []types.StackEvent
	in := &cfn.DescribeStackEventsInput{StackName: &stack}
	for {
		out := must[cfn.DescribeStackEventsOutput](w, in)
		all = append(all, out.StackEvents...)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	var b strings.Builder
	all = all[:len(all)-w.seen]
	first := *all[len(all)-1].Timestamp
	for i := len(all) - 1; i >= 0; i-- {
		ev := all[i]
		fmt.Fprintf(&b, "%6.1f %-10s %-43s", ev.Timestamp.Sub(first).Seconds(), *ev.LogicalResourceId, ev.ResourceStatus)
		if *ev.ResourceType != "AWS::CloudFormation::Stack" && *ev.PhysicalResourceId != "" {
			fmt.Fprintf(&b, " <%s>", *ev.PhysicalResourceId)
		}
		if ev.ResourceStatusReason != nil {
			fmt.Fprintf(&b, " %s", strings.ReplaceAll(*ev.ResourceStatusReason, "\n", `\n`))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// skipEvents makes events leave out what has happened so far.
func (w *world) skipEvents(stack string) {
	w.t.Helper()
	w.seen = strings.Count(w.events(stack), "\n")
}

// resources is the list of a stack's resources, one line each.
func (w *world) resources(stack string) string {
	w.t.Helper()
	out := must[cfn.ListStackResourcesOutput](w, &cfn.ListStackResourcesInput{StackName: &stack})
	var b strings.Builder
	for _, r := range out.StackResourceSummaries {
		id := ""
		if r.PhysicalResourceId != nil {
			id = *r.PhysicalResourceId
		}
		fmt.Fprintf(&b, "%s %s <%s>\n", *r.LogicalResourceId, r.ResourceStatus, id)
	}
	return b.String()
}

// fail makes operations on a resource fail n times.
func (w *world) fail(logical string, phase stackengine.Phase, n int, message string) {
	w.e.Locked(func(s *stackengine.State) {
		s.Faults = append(s.Faults, stackengine.Fault{Logical: logical, Phase: phase, Times: n, Message: message})
	})
}

// reopen closes the engine and opens its state again, as a state file does.
func (w *world) reopen() {
	w.t.Helper()
	w.e.Locked(func(s *stackengine.State) {
		raw, err := json.Marshal(s)
		if err != nil {
			w.t.Fatal(err)
		}
		fresh := &stackengine.State{}
		if err := json.Unmarshal(raw, fresh); err != nil {
			w.t.Fatal(err)
		}
		w.e.State = fresh
	})
}

func ptr[T any](v T) *T { return &v }
