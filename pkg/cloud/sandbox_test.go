package cloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
	"reconcile/pkg/sandbox"
)

// port is a Cloud over a sandbox in process, and one run's port of it.
func port(t *testing.T, o sandbox.Options) (*cloud.Cloud, *cloud.Port) {
	t.Helper()
	o.Seed = "cloud"
	s, err := sandbox.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cloud.Open(t.Context(), cloud.Options{Region: "us-east-1", HTTPClient: s,
		Endpoint: "https://sandbox.invalid", StaticCredentials: true, PollScale: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	p := c.Port(t.Context())
	t.Cleanup(func() {
		p.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, p
}

// ask sends one request and waits for its end.
func ask(t *testing.T, p *cloud.Port, r apply.Request) (apply.Response, []apply.Progress) {
	t.Helper()
	p.Submit(r)
	var progress []apply.Progress
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		got, err := p.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Done {
			return got, progress
		}
		progress = append(progress, *got.Progress)
	}
	t.Fatalf("no end of %s", r.Op)
	return apply.Response{}, nil
}

// must is ask for what has to work.
func must(t *testing.T, p *cloud.Port, r apply.Request) apply.Response {
	t.Helper()
	got, _ := ask(t, p, r)
	if got.Err != nil {
		t.Fatalf("%s: %v", r.Op, got.Err)
	}
	return got
}

func queue(name, seconds string) cfn.Template {
	t := cfn.Template{Description: "A queue", Resources: map[string]cfn.Resource{
		"Topic": {Type: "AWS::SNS::Topic", Properties: map[string]any{"TopicName": name}},
		"Logs":  {Type: "AWS::Logs::LogGroup", Properties: map[string]any{"LogGroupName": "/" + name, "RetentionInDays": seconds}},
	}, Outputs: map[string]cfn.Output{"TopicArn": {Value: cfn.LogicalRef("Topic")}}}
	digest, err := cfn.DigestOf(t, nil, nil)
	if err != nil {
		return cfn.Template{}
	}
	return cfn.Seal(t, "bp", digest, "r1")
}

// deploy runs a change set to its end.
func deploy(t *testing.T, p *cloud.Port, name, token string, template cfn.Template, fresh bool) (apply.Response, []apply.Progress) {
	t.Helper()
	made := must(t, p, apply.Request{Op: apply.OpCreateChangeSet, Stack: name, Token: token + "-set", Create: &apply.ChangeSetInput{
		Name: "rc-" + token, StackName: name, New: fresh, Template: template, Tags: map[string]string{"Service": "q"}, Description: "test"}})
	if made.ChangeSet.Empty || made.ChangeSet.Failed != "" || len(made.ChangeSet.Changes) == 0 {
		t.Fatalf("change set %+v", made.ChangeSet)
	}
	must(t, p, apply.Request{Op: apply.OpExecuteChangeSet, Stack: made.ChangeSet.StackID, ChangeSet: made.ChangeSet.ARN, Token: token})
	return ask(t, p, apply.Request{Op: apply.OpWatchStack, Stack: made.ChangeSet.StackID, Token: token})
}

func TestLifeOfAStackOnTheSandbox(t *testing.T) {
	_, p := port(t, sandbox.Options{})
	if got := must(t, p, apply.Request{Op: apply.OpReadStack, Stack: "bp-q"}); got.Stack != nil {
		t.Fatalf("before it is created: %+v", got.Stack)
	}
	created, progress := deploy(t, p, "bp-q", "create-1", queue("q", "7"), true)
	if created.Err != nil || created.Stack == nil || created.Stack.Status != "CREATE_COMPLETE" || created.Token != "create-1" || len(created.Causes) > 0 {
		t.Fatalf("created: %+v %+v", created, created.Stack)
	}
	if len(progress) == 0 || progress[len(progress)-1].Done != 2 {
		t.Errorf("progress: %+v", progress)
	}
	id := created.Stack.ID
	live := must(t, p, apply.Request{Op: apply.OpReadStack, Stack: "bp-q", Template: true, Token: "x"})
	want := queue("q", "7")
	if diff := cmp.Diff(&want, live.Stack.Template); diff != "" {
		t.Errorf("template (-want +got)\n%s", diff)
	}
	if live.Token != "create-1" || !live.Stack.Owned || live.Stack.Marker.Owner != "bp" || !strings.HasPrefix(live.Stack.Outputs["TopicArn"], "arn:aws:sns:") ||
		live.Stack.Tags["Service"] != "q" || live.Stack.Protected {
		t.Errorf("live: token %s, %+v", live.Token, live.Stack)
	}

	same := must(t, p, apply.Request{Op: apply.OpCreateChangeSet, Stack: id, Token: "same", Create: &apply.ChangeSetInput{
		Name: "rc-same", StackName: "bp-q", Template: queue("q", "7"), Tags: map[string]string{"Service": "q"}}})
	if !same.ChangeSet.Empty || same.ChangeSet.ARN == "" {
		t.Errorf("no change: %+v", same.ChangeSet)
	}
	must(t, p, apply.Request{Op: apply.OpDeleteChangeSet, Stack: id, ChangeSet: same.ChangeSet.ARN})

	updated, _ := deploy(t, p, "bp-q", "update-1", queue("q", "14"), false)
	if updated.Err != nil || updated.Stack.Status != "UPDATE_COMPLETE" || updated.Token != "update-1" {
		t.Fatalf("updated: %+v %+v", updated, updated.Stack)
	}
	must(t, p, apply.Request{Op: apply.OpSetProtection, Stack: id, Protect: true})
	if refused, _ := ask(t, p, apply.Request{Op: apply.OpDeleteStack, Stack: id, Token: "delete-1"}); refused.Err == nil || !strings.Contains(refused.Err.Message, "TerminationProtection") {
		t.Errorf("a protected stack: %+v", refused.Err)
	}
	must(t, p, apply.Request{Op: apply.OpSetProtection, Stack: id, Protect: false})
	must(t, p, apply.Request{Op: apply.OpDeleteStack, Stack: id, Token: "delete-2"})
	gone, _ := ask(t, p, apply.Request{Op: apply.OpWatchStack, Stack: id, Token: "delete-2"})
	if gone.Err != nil || gone.Stack != nil && gone.Stack.Status != "DELETE_COMPLETE" {
		t.Errorf("deleted: %+v %+v", gone, gone.Stack)
	}
	if got := must(t, p, apply.Request{Op: apply.OpReadStack, Stack: "bp-q"}); got.Stack != nil {
		t.Errorf("after it is deleted: %+v", got.Stack)
	}
}

func TestFailedCreateOnTheSandbox(t *testing.T) {
	_, p := port(t, sandbox.Options{})
	must(t, p, apply.Request{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: "/q", RetentionDays: 3}})
	failed, _ := deploy(t, p, "bp-q", "create-1", queue("q", "7"), true)
	if failed.Err != nil || failed.Stack == nil || failed.Stack.Status != "ROLLBACK_COMPLETE" {
		t.Fatalf("%+v %+v", failed, failed.Stack)
	}
	if len(failed.Causes) != 1 || failed.Causes[0].Resource != "Logs" || !strings.Contains(failed.Causes[0].Reason, "already exists") {
		t.Errorf("causes %+v", failed.Causes)
	}
}

func TestDirectStepsOnTheSandbox(t *testing.T) {
	_, p := port(t, sandbox.Options{})
	put := func(b plan.ParameterBody) apply.Response {
		return must(t, p, apply.Request{Op: apply.OpPutParameter, Parameter: &b})
	}
	read := func(name string) *plan.LiveParameter {
		return must(t, p, apply.Request{Op: apply.OpReadParameter, Name: name}).Parameter
	}
	if got := read("/bp/x"); got != nil {
		t.Errorf("absent: %+v", got)
	}
	put(plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "one", Owner: "bp"})
	second := put(plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "two", Version: 1})
	if got := read("/bp/x"); got == nil || got.Value != "two" || got.Version != 2 || second.Parameter.Version != 2 {
		t.Errorf("after two writes: %+v", got)
	}
	if got, _ := ask(t, p, apply.Request{Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: "/bp/x", Type: "String", Value: "three"}}); got.Err == nil || got.Err.Kind != apply.FailureConflict {
		t.Errorf("a create of one that exists: %+v", got.Err)
	}
	put(plan.ParameterBody{Name: "/bp/secret", Type: "SecureString", Generate: "hex48", Owner: "bp"})
	if got := read("/bp/secret"); got == nil || got.Value != "" || got.Type != "SecureString" {
		t.Errorf("secure: %+v", got)
	}
	must(t, p, apply.Request{Op: apply.OpDeleteParameter, Name: "/bp/x"})
	if got := read("/bp/x"); got != nil {
		t.Errorf("deleted: %+v", got)
	}

	group := func() *plan.LiveLogGroup {
		return must(t, p, apply.Request{Op: apply.OpReadLogGroup, Name: "/gpu-workers/x"}).LogGroup
	}
	if got := group(); got != nil {
		t.Errorf("absent: %+v", got)
	}
	for _, days := range []int{30, 7} {
		must(t, p, apply.Request{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: "/gpu-workers/x", RetentionDays: days}})
		if got := group(); got == nil || got.RetentionDays != days {
			t.Errorf("%d days: %+v", days, got)
		}
	}
	must(t, p, apply.Request{Op: apply.OpDeleteLogGroup, Name: "/gpu-workers/x"})
	if got := group(); got != nil {
		t.Errorf("deleted: %+v", got)
	}

	template := cfn.Template{Resources: map[string]cfn.Resource{"Key": {Type: "AWS::SecretsManager::Secret", Properties: map[string]any{"Name": "/bp/laravel/app-key"}}}}
	if made, _ := deploy(t, p, "bp-data", "s", template, true); made.Stack == nil || made.Stack.Status != "CREATE_COMPLETE" {
		t.Fatalf("%+v", made)
	}
	secret := func() *plan.LiveSecret {
		return must(t, p, apply.Request{Op: apply.OpReadSecret, Name: "/bp/laravel/app-key"}).Secret
	}
	if got := secret(); got == nil || got.HasCurrent {
		t.Errorf("a secret that was never set: %+v", got)
	}
	write := apply.Request{Op: apply.OpPutSecret, Token: "first", Secret: &plan.SecretBody{Name: "/bp/laravel/app-key", Generate: "laravel-key"}}
	must(t, p, write)
	if got := secret(); got == nil || !got.HasCurrent {
		t.Errorf("a secret that was set: %+v", got)
	}
	if got, _ := ask(t, p, write); got.Err == nil || got.Err.Kind != apply.FailureConflict {
		t.Errorf("a second first value: %+v", got.Err)
	}
}
