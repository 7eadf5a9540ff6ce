package stackengine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox/stackengine"
)

// recorder is a provider that notes what it was asked.
type recorder struct {
	made, updated, deleted map[string]stackengine.Resource
	refuse                 error
}

func (r *recorder) note(m *map[string]stackengine.Resource, res stackengine.Resource) {
	if *m == nil {
		*m = map[string]stackengine.Resource{}
	}
	(*m)[res.LogicalID] = res
}

func (r *recorder) Create(_ context.Context, res stackengine.Resource) (stackengine.Physical, error) {
	r.note(&r.made, res)
	return stackengine.Physical{ID: "id-" + res.GeneratedName, Attributes: map[string]string{"TopicArn": "arn", "Zones": `["a","b"]`}}, r.refuse
}

func (r *recorder) Update(_ context.Context, old, res stackengine.Resource) (stackengine.Physical, error) {
	r.note(&r.updated, res)
	return stackengine.Physical{ID: res.PhysicalID, Attributes: old.Attributes}, r.refuse
}

func (r *recorder) Delete(_ context.Context, res stackengine.Resource) error {
	r.note(&r.deleted, res)
	return r.refuse
}

func (r *recorder) Read(_ context.Context, res stackengine.Resource) (map[string]any, error) {
	return res.Properties, nil
}

// What a provider is told and how its refusals show.
func TestProvider(t *testing.T) {
	body := `
Resources:
  A: {Type: AWS::SNS::Topic, Properties: {DisplayName: x, KmsMasterKeyId: !Ref AWS::Region}}
`
	w := newWorld(t)
	spy := &recorder{}
	w.e.Providers = map[string]stackengine.Provider{"AWS::SNS::Topic": spy}
	must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body, Tags: []types.Tag{{Key: ptr("Project"), Value: ptr("p")}}})
	w.settle()
	got := spy.made["A"]
	if first, again := got.Random("x", "ab", 5), got.Random("x", "ab", 5); first != again || len(got.Random("y", "ab", 5)) != 5 {
		t.Error("random text changes")
	}
	if want := w.stack("s").CreationTime.Add(time.Second); !got.Now.Equal(want) {
		t.Errorf("created at %s, want %s", got.Now, want)
	}
	got.Random, got.Now = nil, time.Time{}
	id := *w.stack("s").StackId
	want := stackengine.Resource{
		Account: "123456789012", Region: "us-east-1", Stack: "s", StackID: id, LogicalID: "A", Type: "AWS::SNS::Topic",
		Properties: map[string]any{"DisplayName": "x", "KmsMasterKeyId": "us-east-1"}, GeneratedName: got.GeneratedName,
		Tags: map[string]string{"Project": "p", "aws:cloudformation:stack-name": "s", "aws:cloudformation:stack-id": id, "aws:cloudformation:logical-id": "A"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(got.GeneratedName, "s-A-") || len(got.GeneratedName) != len("s-A-")+12 {
		t.Error(got.GeneratedName)
	}
	w.update("s", edit(body, "DisplayName: x", "DisplayName: z"))
	if up := spy.updated["A"]; up.Properties["DisplayName"] != "z" || up.PhysicalID != "id-"+got.GeneratedName || up.GeneratedName != got.GeneratedName {
		t.Errorf("update of %+v", up)
	}
	spy.refuse = &stackengine.HandlerError{Code: "InvalidRequest", Message: "Topic is in use"}
	w.delete("s")
	if got := w.events("s"); !strings.Contains(got, `Resource handler returned message: "Topic is in use" (RequestToken: `) || !strings.Contains(got, "HandlerErrorCode: InvalidRequest)") {
		t.Error(got)
	}
	spy.refuse = &stackengine.HandlerError{Code: "NotFound", Message: "gone"}
	w.delete("s")
	if got := w.status(id); got != "DELETE_COMPLETE" {
		t.Error(got)
	}
}

func TestFailHook(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.e.Fail = func(stack, logical, typeName string, phase stackengine.Phase) error {
		asked = append(asked, stack+" "+logical+" "+typeName+" "+string(phase))
		if phase == stackengine.PhaseUpdate {
			return errors.New("insufficient capacity")
		}
		return nil
	}
	body := "Resources: {A: {Type: AWS::SNS::Topic, Properties: {DisplayName: x}}}"
	w.create("s", body)
	w.update("s", edit(body, "x}", "y}"))
	want := []string{"s A AWS::SNS::Topic create", "s A AWS::SNS::Topic update", "s A AWS::SNS::Topic rollback"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
	if got := w.events("s"); !strings.Contains(got, `"insufficient capacity"`) {
		t.Error(got)
	}
}

func TestSlowResource(t *testing.T) {
	w := newWorld(t)
	w.e.State.Faults = []stackengine.Fault{{Type: "AWS::SNS::Topic", Delay: 600}}
	start := w.now
	w.create("s", "Resources: {A: {Type: AWS::SNS::Topic}}")
	if took := w.now.Sub(start); took < 10*time.Minute {
		t.Error(took)
	}
	if got := w.status("s"); got != "CREATE_COMPLETE" {
		t.Error(got)
	}
}

func TestSignals(t *testing.T) {
	body := `
Resources:
  A:
    Type: AWS::AutoScaling::AutoScalingGroup
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT10M}}
    Properties: {MinSize: "0", MaxSize: "2", LaunchTemplate: {LaunchTemplateName: web, Version: "1"}}
`
	for name, test := range map[string]struct {
		signals []string
		want    string
	}{
		"both come":  {[]string{"i-1 SUCCESS", "i-1 SUCCESS", "i-2 SUCCESS"}, "CREATE_COMPLETE"},
		"one comes":  {[]string{"i-1 SUCCESS"}, "Failed to receive 1 resource signal(s) within the specified duration"},
		"one fails":  {[]string{"i-1 FAILURE"}, "Received 1 FAILURE signal(s) out of 2."},
		"none comes": {nil, "Failed to receive 2 resource signal(s) within the specified duration"},
	} {
		w := newWorld(t)
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr("s"), TemplateBody: &body})
		w.pass(40 * time.Second)
		for _, s := range test.signals {
			id, status, _ := strings.Cut(s, " ")
			must[cfn.SignalResourceOutput](w, &cfn.SignalResourceInput{StackName: ptr("s"), LogicalResourceId: ptr("A"), UniqueId: &id, Status: types.ResourceSignalStatus(status)})
		}
		w.settle()
		if got := w.events("s"); !strings.Contains(got, test.want) {
			t.Errorf("%s: no %q in\n%s", name, test.want, got)
		}
	}
	w := newWorld(t)
	w.create("w", "Resources: {H: {Type: AWS::CloudFormation::WaitConditionHandle}, W: {Type: AWS::CloudFormation::WaitCondition, DependsOn: H, Properties: {Handle: !Ref H, Timeout: '60'}}}")
	if got := w.events("w"); !strings.Contains(got, "WaitCondition timed out. Received 0 conditions when expecting 1") {
		t.Error(got)
	}
	if got := refuses[cfn.SignalResourceOutput](w, &cfn.SignalResourceInput{StackName: ptr("w"), LogicalResourceId: ptr("W"), UniqueId: ptr("x"), Status: "SUCCESS"}); got != "ValidationError: Resource W is in DELETE_COMPLETE state and cannot be signaled" {
		t.Error(got)
	}
}

// Event ids are unique at any speed: readers remember what they have seen.
func TestEventIDsAreUnique(t *testing.T) {
	w := newWorld(t)
	w.e.Scale = 0.00001
	w.create("net", network)
	w.update("net", edit(network, "web servers", "all servers"))
	seen := map[string]bool{}
	for _, ev := range must[cfn.DescribeStackEventsOutput](w, &cfn.DescribeStackEventsInput{StackName: ptr("net")}).StackEvents {
		if seen[*ev.EventId] {
			t.Errorf("%s twice", *ev.EventId)
		}
		seen[*ev.EventId] = true
	}
}
