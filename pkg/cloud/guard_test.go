package cloud_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// A panic in the middle of a request does not end the process: it comes out of
// Next, with what is needed to report it and without the value.
func TestFaultInARequest(t *testing.T) {
	t.Parallel()
	_, p := port(t, sandbox.Options{Account: "123456789012", Region: "us-east-1"})
	p.Guard = func(context.Context, apply.Request) error { panic(errors.New("the password is s3cr3t")) }
	p.Submit(apply.Request{ID: 1, Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: "/x"}})
	_, err := p.Next(t.Context())
	var fault *cloud.Fault
	if !errors.As(err, &fault) || !strings.Contains(string(fault.Stack), "TestFaultInARequest") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v", err)
	}
}

// A request that changes something is not sent when the guard says no; one
// that reads is.
func TestGuard(t *testing.T) {
	t.Parallel()
	c, p := port(t, sandbox.Options{Account: "123456789012", Region: "us-east-1"})
	p.Guard = func(context.Context, apply.Request) error { return errors.New("the lock is somebody else's") }
	for _, r := range []apply.Request{
		{Op: apply.OpCreateStack, Stack: "s", Create: &apply.ChangeSetInput{StackName: "s"}},
		{Op: apply.OpCreateChangeSet, Stack: "s", Create: &apply.ChangeSetInput{StackName: "s"}},
		{Op: apply.OpExecuteChangeSet, Stack: "s", ChangeSet: "arn"},
		{Op: apply.OpDeleteChangeSet, Stack: "s", ChangeSet: "arn"},
		{Op: apply.OpDeleteStack, Stack: "s"},
		{Op: apply.OpContinueRollback, Stack: "s"},
		{Op: apply.OpRollbackStack, Stack: "s"},
		{Op: apply.OpSetProtection, Stack: "s"},
		{Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: "/x"}},
		{Op: apply.OpDeleteParameter, Name: "/x"},
		{Op: apply.OpPutSecret, Secret: &plan.SecretBody{Name: "x"}},
		{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: "x"}},
		{Op: apply.OpDeleteLogGroup, Name: "x"},
	} {
		got, _ := ask(t, p, r)
		if got.Err == nil || got.Err.Kind != apply.FailureLocked || !strings.Contains(got.Err.Message, "somebody else's") {
			t.Errorf("%s: %v", r.Op, got.Err)
		}
	}
	if calls := c.Stats(); len(calls) > 0 {
		t.Errorf("sent: %v", calls)
	}
	if got := must(t, p, apply.Request{Op: apply.OpReadParameter, Name: "/x"}); got.Parameter != nil {
		t.Error(got.Parameter)
	}
}

// A panic in a request comes to the one who waits, who holds a lock to release.
func TestFaultOfOurs(t *testing.T) {
	t.Parallel()
	_, p := port(t, sandbox.Options{Account: "123456789012", Region: "us-east-1"})
	p.Guard = func(context.Context, apply.Request) error { panic("a fault") }
	p.Submit(apply.Request{ID: 1, Op: apply.OpDeleteParameter, Name: "/x"})
	_, err := p.Next(t.Context())
	var fault *cloud.Fault
	if !errors.As(err, &fault) || len(fault.Stack) == 0 {
		t.Errorf("%v", err)
	}
}

// The same token is the same creation; another one finds the name taken.
func TestCreateStackTwice(t *testing.T) {
	t.Parallel()
	_, p := port(t, sandbox.Options{Account: "123456789012", Region: "us-east-1"})
	create := func(token string) apply.Request {
		return apply.Request{Op: apply.OpCreateStack, Stack: "bp-reconcile", Token: token, Create: &apply.ChangeSetInput{
			StackName: "bp-reconcile", New: true, Tags: map[string]string{"a": "b"}, Template: cfn.Template{
				Resources: map[string]cfn.Resource{"Topic": {Type: "AWS::SNS::Topic"}}},
		}}
	}
	first := must(t, p, create("one"))
	if again := must(t, p, create("one")); again.Stack.ID != first.Stack.ID {
		t.Errorf("%s and %s", first.Stack.ID, again.Stack.ID)
	}
	if other, _ := ask(t, p, create("two")); other.Err == nil || other.Err.Kind != apply.FailureConflict {
		t.Errorf("%+v", other.Err)
	}
	end := must(t, p, apply.Request{Op: apply.OpWatchStack, Stack: first.Stack.ID, Token: "one"})
	if end.Stack.Status != "CREATE_COMPLETE" || end.Token != "one" || end.Stack.Tags["a"] != "b" {
		t.Errorf("%+v, token %s", end.Stack, end.Token)
	}
}

// A template that is too big for a request is uploaded, and the change set
// must have that very one.
func TestUploadedTemplate(t *testing.T) {
	t.Parallel()
	c, p := port(t, sandbox.Options{Account: "123456789012", Region: "us-east-1"})
	bucket := must(t, p, apply.Request{Op: apply.OpCreateStack, Stack: "bp-reconcile", Token: "one", Create: &apply.ChangeSetInput{
		StackName: "bp-reconcile", New: true, Template: cfn.Template{Resources: map[string]cfn.Resource{
			"Bucket": {Type: "AWS::S3::Bucket", Properties: map[string]any{"BucketName": "bp-reconcile-123456789012"}}}}}})
	must(t, p, apply.Request{Op: apply.OpWatchStack, Stack: bucket.Stack.ID, Token: "one"})
	big := func(name string, bytes int) apply.Request {
		return apply.Request{Op: apply.OpCreateChangeSet, Stack: name, Token: name, Create: &apply.ChangeSetInput{
			Name: "set", StackName: name, New: true, Template: cfn.Template{Resources: map[string]cfn.Resource{
				"Topic": {Type: "AWS::SNS::Topic", Metadata: map[string]any{"Why": strings.Repeat("x", bytes)}}}}}}
	}
	if got, _ := ask(t, p, big("s1", 60_000)); got.Err == nil || !strings.Contains(got.Err.Message, "no bucket") {
		t.Errorf("without a bucket: %v", got.Err)
	}
	p.Bucket = c.Bucket("123456789012", "bp-reconcile-123456789012")
	if got := must(t, p, big("s2", 60_000)); len(got.ChangeSet.Changes) != 1 {
		t.Errorf("%+v", got.ChangeSet)
	}
	if got, _ := ask(t, p, big("s3", 1<<20)); got.Err == nil || !strings.Contains(got.Err.Message, "CloudFormation takes") {
		t.Errorf("more than 1 MB: %v", got.Err)
	}
	keys, err := p.Bucket.List(t.Context(), "templates/")
	if err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
}
