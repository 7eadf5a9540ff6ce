package stackengine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox/stackengine"
)

const driftFrame = `
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: news, DisplayName: %s, Tags: [{Key: a, Value: b}]}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, DelaySeconds: 5}}
  Db: {Type: AWS::RDS::DBInstance, Properties: {DBInstanceIdentifier: Main, DBInstanceClass: db.t4g.micro, Engine: postgres, EngineVersion: "16.1", AllocatedStorage: "20", MasterUsername: a, MasterUserPassword: pw123456}}
`

// byHand changes a live property, as somebody does past CloudFormation.
func (w *world) byHand(logical string, props string) {
	w.t.Helper()
	found := false
	w.e.Locked(func(s *stackengine.State) {
		for _, item := range s.Items {
			if item.LogicalID == logical {
				item.Properties, found = []byte(props), true
			}
		}
	})
	if !found {
		w.t.Fatalf("no %s", logical)
	}
}

// vanish deletes a thing past CloudFormation.
func (w *world) vanish(logical string) {
	w.e.Locked(func(s *stackengine.State) {
		for k, item := range s.Items {
			if item.LogicalID == logical {
				delete(s.Items, k)
			}
		}
	})
}

// revertDrift makes a drift-aware change set.
func (w *world) revertDrift(stack, name, body string) *cfn.DescribeChangeSetOutput {
	w.t.Helper()
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
		StackName: &stack, ChangeSetName: &name, TemplateBody: &body, DeploymentMode: types.DeploymentModeRevertDrift, Capabilities: allCapabilities,
	})
	w.pass(5 * time.Second)
	return must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id, IncludePropertyValues: ptr(true)})
}

func (w *world) execute(id *string) {
	w.t.Helper()
	must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: id})
	w.settle()
}

// aware writes a drift-aware change set, a line for each resource and value.
func aware(out *cfn.DescribeChangeSetOutput) string {
	text := func(p *string) string {
		if p == nil {
			return "-"
		}
		return *p
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", out.DeploymentMode, out.StackDriftStatus)
	for _, c := range out.Changes {
		r := c.ResourceChange
		fmt.Fprintf(&b, "%s %s %s %s\n", r.Action, *r.LogicalResourceId, r.ResourceDriftStatus, r.Replacement)
		for _, d := range r.Details {
			t := d.Target
			fmt.Fprintf(&b, "  %s %s %s→%s from %s", t.AttributeChangeType, text(t.Path), text(t.BeforeValue), text(t.AfterValue), t.BeforeValueFrom)
			if t.Drift != nil {
				fmt.Fprintf(&b, " drift %s→%s", text(t.Drift.PreviousValue), text(t.Drift.ActualValue))
			}
			b.WriteString("\n")
		}
		for _, g := range r.ResourceDriftIgnoredAttributes {
			fmt.Fprintf(&b, "  ignored %s %s\n", *g.Path, g.Reason)
		}
	}
	return b.String()
}

func (w *world) live(logical string) string {
	var out string
	w.e.Locked(func(s *stackengine.State) {
		for _, item := range s.Items {
			if item.LogicalID == logical {
				out = string(item.Properties)
			}
		}
	})
	return out
}

const liveDB = `{"DBInstanceIdentifier":"main","DBInstanceClass":"db.t4g.large","Engine":"postgres","EngineVersion":"16.4","AllocatedStorage":"20","MasterUsername":"a"}`

// A drift-aware change set compares with what is really there and brings it back.
func TestRevertDrift(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(driftFrame, "News")
	w.create("s", body)
	if out := w.revertDrift("s", "none", body); out.Status != "FAILED" || !strings.HasPrefix(*out.StatusReason, "The submitted information didn't contain changes.") {
		t.Errorf("without drift: %s", out.Status)
	}
	w.byHand("Topic", `{"TopicName":"news","DisplayName":"By hand","Tags":[{"Key":"a","Value":"b"}]}`)
	w.byHand("Db", liveDB)
	w.vanish("Queue")
	if plain := w.change("s", "plain", "UPDATE", body); plain.Status != "FAILED" {
		t.Errorf("an ordinary change set sees drift: %s", plain.Status)
	}
	out := w.revertDrift("s", "back", body)
	want := `REVERT_DRIFT DRIFTED
Modify Db MODIFIED False
  Modify /Properties/DBInstanceClass db.t4g.large→db.t4g.micro from ACTUAL_STATE drift db.t4g.micro→db.t4g.large
  ignored /Properties/EngineVersion MANAGED_BY_AWS
  ignored /Properties/MasterUserPassword WRITE_ONLY_PROPERTY
Add Queue DELETED 
Modify Topic MODIFIED False
  Modify /Properties/DisplayName By hand→News from ACTUAL_STATE drift News→By hand
`
	if d := cmp.Diff(want, aware(out)); d != "" {
		t.Errorf("change set (-want +got):\n%s", d)
	}
	plain := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.ChangeSetId})
	if r := plain.Changes[2].ResourceChange; r.ResourceDriftStatus != "MODIFIED" || r.Details[0].Target.Drift != nil || r.PreviousDeploymentContext != nil {
		t.Errorf("without values: %+v", r)
	}
	if r := out.Changes[2].ResourceChange; !strings.Contains(*r.BeforeContext, "By hand") || !strings.Contains(*r.PreviousDeploymentContext, `"News"`) {
		t.Errorf("contexts: %s, %s", *r.BeforeContext, *r.PreviousDeploymentContext)
	}
	w.skipEvents("s")
	w.execute(out.ChangeSetId)
	if got := w.status("s"); got != "UPDATE_COMPLETE" {
		t.Fatalf("%s\n%s", got, w.events("s"))
	}
	if ev := w.events("s"); !strings.Contains(ev, "Queue      CREATE_COMPLETE") || strings.Contains(ev, "Queue      DELETE") {
		t.Errorf("events:\n%s", ev)
	}
	if got := w.live("Topic"); !strings.Contains(got, "News") {
		t.Errorf("the topic is %s", got)
	}
	if got := w.live("Db"); !strings.Contains(got, "micro") || !strings.Contains(got, "16.4") {
		t.Errorf("the database is %s", got)
	}
	if again := w.revertDrift("s", "again", body); again.Status != "FAILED" || again.StackDriftStatus != "IN_SYNC" {
		t.Errorf("drift is left: %s", aware(again))
	}
}

// A template that says what is really there resets the drift and touches nothing.
func TestSyncWithActual(t *testing.T) {
	w := newWorld(t)
	w.create("s", fmt.Sprintf(driftFrame, "News"))
	w.byHand("Topic", `{"TopicName":"news","DisplayName":"By hand","Tags":[{"Key":"a","Value":"b"}]}`)
	must[cfn.DetectStackResourceDriftOutput](w, &cfn.DetectStackResourceDriftInput{StackName: ptr("s"), LogicalResourceId: ptr("Topic")})
	out := w.revertDrift("s", "c", fmt.Sprintf(driftFrame, "By hand"))
	want := `REVERT_DRIFT DRIFTED
SyncWithActual Topic MODIFIED 
  SyncWithActual /Properties/DisplayName By hand→By hand from ACTUAL_STATE drift News→By hand
`
	if d := cmp.Diff(want, aware(out)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if source := out.Changes[0].ResourceChange.Details[0].ChangeSource; source != types.ChangeSourceNoModification {
		t.Errorf("the change's source is %s", source)
	}
	w.skipEvents("s")
	w.execute(out.ChangeSetId)
	if ev := w.events("s"); strings.Contains(ev, "Topic") || !strings.Contains(ev, "UPDATE_COMPLETE") {
		t.Errorf("events:\n%s", ev)
	}
	r := must[cfn.DescribeStackResourceOutput](w, &cfn.DescribeStackResourceInput{StackName: ptr("s"), LogicalResourceId: ptr("Topic")})
	if got := r.StackResourceDetail.DriftInformation.StackResourceDriftStatus; got != "IN_SYNC" {
		t.Errorf("drift status %s", got)
	}
}

// A rollback goes to what was really there, not to the template before.
func TestRevertDriftRollsBackToActual(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(driftFrame, "News")
	w.create("s", body)
	w.byHand("Topic", `{"TopicName":"news","DisplayName":"By hand","Tags":[{"Key":"a","Value":"b"}]}`)
	w.vanish("Queue")
	w.fail("Db", stackengine.PhaseUpdate, 1, "no capacity")
	out := w.revertDrift("s", "c", strings.Replace(body, "db.t4g.micro", "db.t4g.small", 1))
	w.execute(out.ChangeSetId)
	if got := w.status("s"); got != "UPDATE_ROLLBACK_COMPLETE" {
		t.Fatalf("%s\n%s", got, w.events("s"))
	}
	if got := w.live("Topic"); !strings.Contains(got, "By hand") {
		t.Errorf("the topic is %s", got)
	}
	w.reopen()
	again := aware(w.revertDrift("s", "again", body))
	for _, want := range []string{"Add Queue DELETED", "drift News→By hand"} {
		if !strings.Contains(again, want) {
			t.Errorf("no %q in\n%s", want, again)
		}
	}
	w.delete("s")
	if n := len(w.e.State.Items); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

func TestModesOfChangeSets(t *testing.T) {
	body := fmt.Sprintf(driftFrame, "News")
	tests := map[string]cfn.CreateChangeSetInput{
		"DeploymentMode REVERT_DRIFT is only supported for change sets of type UPDATE.": {ChangeSetType: "CREATE", DeploymentMode: "REVERT_DRIFT"},
		"OnStackFailure DELETE is only supported for change sets of type CREATE.":       {ChangeSetType: "UPDATE", OnStackFailure: "DELETE"},
		"1 validation error detected: Value 'FAST' at 'deploymentConfig.mode' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]": {
			ChangeSetType: "CREATE", DeploymentConfig: &types.DeploymentConfig{Mode: "FAST"},
		},
		"1 validation error detected: Value 'KEEP' at 'deploymentMode' failed to satisfy constraint: Member must satisfy enum value set: [REVERT_DRIFT]": {DeploymentMode: "KEEP"},
	}
	w := newWorld(t)
	w.create("there", body)
	for want, in := range tests {
		in.StackName, in.ChangeSetName, in.TemplateBody = ptr("there"), ptr("c"), &body
		if in.ChangeSetType == "CREATE" {
			in.StackName = ptr("fresh")
		}
		if got := refuses[cfn.CreateChangeSetOutput](w, &in); got != "ValidationError: "+want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// EXPRESS ends when everything is configured and does not roll back by itself.
func TestExpress(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(driftFrame, "News")
	start := w.now
	create := func(name string, config *types.DeploymentConfig) {
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: &name, TemplateBody: ptr(strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(body, "news", name), "jobs", name), "Main", name)), DeploymentConfig: config})
		w.settle()
	}
	create("fast", &types.DeploymentConfig{Mode: "EXPRESS"})
	if d := w.now.Sub(start); w.status("fast") != "CREATE_COMPLETE" || d > 30*time.Second {
		t.Errorf("EXPRESS took %s: %s", d, w.status("fast"))
	}
	start = w.now
	create("slow", nil)
	if d := w.now.Sub(start); d < time.Minute {
		t.Errorf("STANDARD took %s", d)
	}
	w.fail("Queue", stackengine.PhaseCreate, 2, "no")
	create("left", &types.DeploymentConfig{Mode: "EXPRESS"})
	create("taken", &types.DeploymentConfig{Mode: "EXPRESS", DisableRollback: ptr(false)})
	if a, b := w.status("left"), w.status("taken"); !strings.HasPrefix(a, "CREATE_FAILED") || b != "ROLLBACK_COMPLETE" {
		t.Errorf("failures end in %s and %s", a, b)
	}
	out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{StackName: ptr("slow"), ChangeSetName: ptr("c"), TemplateBody: ptr(strings.Replace(body, "News", "Other", 1)), DeploymentConfig: &types.DeploymentConfig{Mode: "EXPRESS"}})
	w.pass(5 * time.Second)
	if d := must[cfn.DescribeChangeSetOutput](w, &cfn.DescribeChangeSetInput{ChangeSetName: out.Id}); d.DeploymentConfig == nil || d.DeploymentConfig.Mode != "EXPRESS" || !*d.DeploymentConfig.DisableRollback {
		t.Errorf("the change set tells %+v", d.DeploymentConfig)
	}
}
