package plan_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// TestWholeSteps compares complete steps, with bodies and fingerprints: what
// apply is given.
func TestWholeSteps(t *testing.T) {
	line := spec.Source{File: "specs/platform.yaml", Line: 4}
	top := cfn.Template{Description: "Top", Metadata: map[string]any{"cfn-lint": map[string]any{"x": "y"}},
		Resources: map[string]cfn.Resource{"Topic": res("AWS::SNS::Topic", props{"DisplayName": cfn.StackOutput("low", "Arn")})}}
	d := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"},
		Stacks: []plan.Stack{
			{Name: "top", Template: top, Fleet: "staging/gpu", Tags: map[string]string{}, Capabilities: []string{"CAPABILITY_IAM"}, Protect: true, Source: line},
			{Name: "low", Template: cfn.Template{Resources: map[string]cfn.Resource{"Topic": res("AWS::SNS::Topic", nil)},
				Outputs: map[string]cfn.Output{"Arn": {Value: cfn.LogicalRef("Topic")}}}},
		},
		Parameters: []plan.Parameter{{Name: "/bp/x", Type: "String", DataType: "text", Policy: plan.PolicyOwn,
			Value: cfn.Join("arn ", cfn.StackOutput("low", "Arn")), Describe: "an x", Source: line}},
		Secrets: []plan.Secret{{Name: "/bp/key", Stack: "low", Generate: "laravel-key"}},
	}
	l := deployed(t, d)
	delete(l.Stacks, "top")
	l.Parameters["/bp/x"] = plan.LiveParameter{Type: "String", DataType: "text", Value: "arn of old", Version: 7}
	l.Secrets["/bp/key"] = plan.LiveSecret{ARN: "arn:key"}

	open := top
	open.Metadata = map[string]any{"cfn-lint": map[string]any{"x": "y"},
		"Reconcile": map[string]any{"DependsOn": []any{"low"}, "Fleet": "staging/gpu"}}
	version7 := plan.LiveParameter{Type: "String", DataType: "text", Version: 7}
	want := []plan.Step{
		{ID: "parameter/bp/x", Kind: plan.KindParameter, Target: "/bp/x", Action: plan.ActionUpdate, Base: plan.FingerprintParameter(&version7),
			Body: plan.Body{Parameter: &plan.ParameterBody{Name: "/bp/x", Type: "String", DataType: "text",
				Value: cfn.Join("arn ", cfn.StackOutput("low", "Arn")), Version: 7, Owner: "bp", Describe: "an x"}},
			Changes: []plan.Change{{Resource: "/bp/x", Type: "AWS::SSM::Parameter", Action: plan.ActionUpdate, Path: "Value",
				Before: "arn of old", After: "arn id-low-Topic", Source: line}},
			Rollback: "write the value of version 7 again; the parameter's history keeps it", Reason: "the value differs", Source: line},
		{ID: "secret/bp/key", Kind: plan.KindSecret, Target: "/bp/key", Action: plan.ActionCreate,
			Base:    plan.FingerprintSecret(&plan.LiveSecret{ARN: "arn:key"}),
			Body:    plan.Body{Secret: &plan.SecretBody{Name: "/bp/key", Generate: "laravel-key"}},
			Changes: []plan.Change{{Resource: "/bp/key", Type: "AWS::SecretsManager::Secret", Action: plan.ActionCreate, Unknown: true, Sensitive: true}},
			Reason:  "the secret has no value yet", Rollback: "write another value"},
		{ID: "stack/top", Kind: plan.KindStack, Target: "top", Action: plan.ActionCreate, Base: plan.FingerprintStack(nil),
			Body:     plan.Body{Stack: &plan.StackBody{Name: "top", Owner: "bp", Template: &open, Capabilities: []string{"CAPABILITY_IAM"}}},
			Changes:  []plan.Change{{Stack: "top", Resource: "Topic", Type: "AWS::SNS::Topic", Action: plan.ActionCreate, Source: line}},
			Rollback: "CloudFormation undoes a creation that fails; afterwards: reconcile destroy --stack top",
			Reason:   "the stack does not exist", Source: line},
		{ID: "protect/top", Kind: plan.KindStack, Target: "top", Action: plan.ActionProtect, Needs: []plan.StepID{"stack/top"},
			Base: plan.BaseAfter("stack/top"), Body: plan.Body{Stack: &plan.StackBody{Name: "top", Owner: "bp"}},
			Rollback: "switch termination protection off again", Reason: "termination protection is off", Source: line},
	}
	p := compute(t, d, l)
	if diff := cmp.Diff(want, p.Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, marked := top.Metadata["Reconcile"]; marked {
		t.Error("the renderer's own template was written to")
	}
	if got := p.Summary; got != (plan.Summary{Add: 2, Change: 1}) {
		t.Errorf("summary = %+v", got)
	}
}

// TestSecretsStayOut puts a canary wherever a secret can be and looks for it
// in every byte of the plans.
func TestSecretsStayOut(t *testing.T) {
	const canary = "hunter2-canary"
	d := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"},
		Stacks: []plan.Stack{{Name: "s", Parameters: map[string]any{"Password": "new"}, Template: cfn.Template{
			Parameters: map[string]any{"Password": map[string]any{"Type": "String", "NoEcho": true}},
			Resources: map[string]cfn.Resource{"Db": res("AWS::RDS::DBInstance", props{
				"MasterUserPassword": cfn.LogicalRef("Password"), "DBInstanceClass": "db.t4g.medium"})}}}},
		Parameters: []plan.Parameter{{Name: "/p", Type: "SecureString", Policy: plan.PolicyOwn, Value: "x"}},
	}
	l := deployed(t, d)
	s := l.Stacks["s"]
	s.Parameters["Password"] = canary
	changed := d
	changed.Stacks = []plan.Stack{d.Stacks[0]}
	changed.Stacks[0].Template.Resources = map[string]cfn.Resource{"Db": res("AWS::RDS::DBInstance", props{
		"MasterUserPassword": cfn.LogicalRef("Password"), "DBInstanceClass": "db.t4g.large"})}
	l.Parameters["/p"] = plan.LiveParameter{Type: "String", Value: canary, Version: 1}
	for name, plan := range map[string]func() (plan.Plan, error){
		"compute": func() (plan.Plan, error) { return plan.Compute(changed, l, plan.Options{}) },
		"destroy": func() (plan.Plan, error) {
			gone := l
			gone.Parameters = map[string]plan.LiveParameter{"/p": {Type: "SecureString", Value: canary, Owner: "bp", Version: 1}}
			return plan.Destroy(changed, gone, plan.DestroyOptions{})
		},
	} {
		p, err := plan()
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Steps) == 0 {
			t.Errorf("%s: no steps to look at", name)
		}
		if text := encode(t, p); strings.Contains(text, canary) {
			t.Errorf("%s: the canary is in the plan: %s", name, text)
		}
	}
}

func TestErrorsAreTyped(t *testing.T) {
	d := platform(2)
	_, err := plan.Compute(d, deployed(t, d), plan.Options{Select: plan.Selection{Fleets: []string{"staging/["}}})
	var sel *plan.SelectionError
	if !errors.As(err, &sel) || sel.Err == nil || errors.Unwrap(sel) == nil {
		t.Errorf("a bad glob gives %v", err)
	}
	l := deployed(t, d)
	delete(l.Parameters, d.Fleets[0].AMIParameter)
	s := l.Stacks[d.Fleets[0].Stack]
	s.Template = nil
	l.Stacks[d.Fleets[0].Stack] = s
	_, err = plan.Compute(d, l, plan.Options{})
	var notRead *plan.NotReadError
	if !errors.As(err, &notRead) || len(notRead.Stacks) != 1 || notRead.Stacks[0] != s.Name {
		t.Errorf("a missing template gives %v", err)
	}
	stale, err := plan.Stale(d, l, plan.Selection{})
	if diff := cmp.Diff([]string{s.Name}, stale); diff != "" || err != nil {
		t.Errorf("Stale: %v (-want +got):\n%s", err, diff)
	}
	outputs, err := plan.Referenced(d, plan.Selection{Fleets: []string{"staging/gpu-0001"}})
	if diff := cmp.Diff([]string{"bp-data", "bp-monitoring", "bp-network"}, outputs); diff != "" || err != nil {
		t.Errorf("Referenced: %v (-want +got):\n%s", err, diff)
	}
}

// TestReadsOfOneFleet: a selection reads what it and its needs have, no more.
func TestReadsOfOneFleet(t *testing.T) {
	d := platform(30)
	got, err := plan.Reads(d, plan.Selection{Fleets: []string{"staging/gpu-0007"}})
	if err != nil {
		t.Fatal(err)
	}
	want := plan.ReadSet{
		StackOutputs: []string{"bp-data", "bp-monitoring", "bp-network"}, Stacks: []string{},
		Parameters:      []string{"/bp/ami/fleets/staging/gpu-0007", "/bp/fleets/staging/fleet-secret", "/bp/fleets/staging/gpu-0007/desired_config", "/bp/reconcile/revision"},
		Secrets:         []string{"/bp/laravel/app-key"},
		LogGroups:       []string{"/gpu-workers/gpu-0007"},
		Groups:          []string{"asg-staging-gpu-0007"},
		LaunchTemplates: []string{"lt-staging-gpu-0007"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDestroyReads asks for every template of ours, then for the groups in them.
func TestDestroyReads(t *testing.T) {
	d := platform(1)
	full := deployed(t, d)
	l := full
	l.Parameters, l.Groups = nil, nil
	l.Stacks = map[string]plan.LiveStack{"somebody-elses": {Name: "somebody-elses", Status: "CREATE_COMPLETE"}}
	for name, s := range full.Stacks {
		l.Stacks[name] = plan.LiveStack{Name: name, ID: s.ID, Status: s.Status, Description: s.Description}
	}
	bare := plan.Desired{Target: d.Target}
	first, err := plan.DestroyReads(bare, l, plan.DestroyOptions{})
	if diff := cmp.Diff([]string{"bp-data", "bp-gpu-fleet-staging-gpu-0000", "bp-monitoring", "bp-network"}, first.Stacks); diff != "" || err != nil || first.OwnedBy != "bp" {
		t.Errorf("%v, owned by %q (-want +got):\n%s", err, first.OwnedBy, diff)
	}
	for name, s := range full.Stacks {
		l.Stacks[name] = s
	}
	second, err := plan.DestroyReads(bare, l, plan.DestroyOptions{})
	if diff := cmp.Diff([]string{"asg-staging-gpu-0000"}, second.Groups); diff != "" || err != nil || len(second.Stacks) > 0 {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	l.Groups, l.Parameters = full.Groups, full.Parameters
	third, err := plan.DestroyReads(bare, l, plan.DestroyOptions{})
	if err != nil || !third.Empty() {
		t.Errorf("%v, still wants %+v", err, third)
	}
}

func TestPlanJSON(t *testing.T) {
	d := platform(1)
	p := compute(t, d, empty(d))
	var back plan.Plan
	if err := json.Unmarshal([]byte(encode(t, p)), &back); err != nil {
		t.Fatal(err)
	}
	if a, b := encode(t, p), encode(t, back); a != b {
		t.Errorf("JSON does not come back:\n%s", cmp.Diff(a, b))
	}
	back.Steps[0].Reason = "tampered"
	if back.DigestMatches() {
		t.Error("a changed plan keeps its digest")
	}
	back = p
	back.Tool = "another version"
	if !back.DigestMatches() {
		t.Error("the tool's version counts")
	}
}
