package apply

import (
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func bucket(properties map[string]any) cfn.Resource {
	all := map[string]any{"BucketName": "media"}
	for k, v := range properties {
		all[k] = v
	}
	return cfn.Resource{Type: "AWS::S3::Bucket", DeletionPolicy: "Retain", Properties: all}
}

// importPlan imports a bucket into stack bp-a, which may be there, and then
// brings it to what is wanted: the bucket with a property, and a topic.
func importPlan(t *testing.T, f *fake) plan.Plan {
	t.Helper()
	live := f.find("bp-a")
	template := cfn.Template{Resources: map[string]cfn.Resource{}}
	imports := plan.Step{ID: plan.ImportID("bp-a"), Kind: plan.KindStack, Target: "bp-a", Action: plan.ActionImport,
		Base: plan.FingerprintStack(nil), Changes: []plan.Change{{Resource: "Media", Action: plan.ActionImport}},
		Body: plan.Body{Stack: &plan.StackBody{Name: "bp-a", Owner: owner, Template: &template, Imports: []plan.Import{
			{Resource: "Media", Type: "AWS::S3::Bucket", Identifier: map[string]string{"BucketName": "media"}}}}}}
	if live != nil {
		template = *live.Template
		template.Resources = map[string]cfn.Resource{"Topic": live.Template.Resources["Topic"]}
		imports.Base, imports.Body.Stack.ID = plan.FingerprintStack(&live.LiveStack), live.ID
	}
	template.Resources["Media"] = bucket(nil)
	if live == nil {
		d, err := cfn.DigestOf(template, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		template.Description = cfn.Seal(cfn.Template{Description: "Data"}, owner, d, "").Description
	}
	wanted := topic("new")
	wanted.Resources["Media"] = bucket(map[string]any{"VersioningConfiguration": "on"})
	rest := plan.Step{ID: plan.ID(plan.KindStack, "bp-a"), Kind: plan.KindStack, Target: "bp-a", Action: plan.ActionCreate,
		Needs: []plan.StepID{imports.ID}, Base: plan.BaseAfter(imports.ID),
		Body: plan.Body{Stack: &plan.StackBody{Name: "bp-a", Owner: owner, Template: &wanted}},
		Changes: []plan.Change{
			{Resource: "Media", Action: plan.ActionUpdate, Path: "Properties.VersioningConfiguration", Replace: plan.ReplaceNo},
			{Resource: "Topic", Action: plan.ActionCreate},
		}}
	if live != nil {
		rest.Action, rest.Changes[1] = plan.ActionUpdate, plan.Change{Resource: "Topic", Action: plan.ActionUpdate, Path: "Properties.DisplayName", Replace: plan.ReplaceNo}
	}
	return stepPlan(imports, rest)
}

// TestImport: the import names what it takes and nothing else, and the rest
// follows as an update of what it left.
func TestImport(t *testing.T) {
	for name, there := range map[string]bool{"a new stack": false, "a stack that is there": true} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			if there {
				f.deploy("bp-a", owner, topic("old"))
			}
			r := run(t, f, importPlan(t, f), Options{})
			if !r.Done() {
				t.Fatalf("%+v", r.Steps)
			}
			s := f.find("bp-a")
			if s.Status != "UPDATE_COMPLETE" || s.Template.Resources["Media"].Properties["VersioningConfiguration"] != "on" {
				t.Errorf("%s, %v", s.Status, s.Template.Resources)
			}
			var sets []string
			for _, q := range f.log {
				if q.Create != nil {
					var named []string
					for _, i := range q.Create.Imports {
						named = append(named, i.Resource)
					}
					sets = append(sets, strings.Join(named, ","))
				}
			}
			if got := strings.Join(sets, ";"); got != "Media;" {
				t.Errorf("change sets import %q, want Media in the first alone", got)
			}
		})
	}
}

// TestImportIsGuarded: whatever is not as the plan saw it stops the import and
// what follows, before anything is changed.
func TestImportIsGuarded(t *testing.T) {
	for name, c := range map[string]struct {
		arrange func(f *fake, p *plan.Plan)
		want    Outcome
		says    string
	}{
		"announces another import": {func(f *fake, p *plan.Plan) {
			f.edit = func(q Request, a *Response) {
				if a.ChangeSet != nil {
					a.ChangeSet.Changes = append(a.ChangeSet.Changes, Announced{Resource: "Foreign", Type: "AWS::S3::Bucket", Action: "Import"})
				}
			}
		}, OutcomeRefused, "imports Foreign (AWS::S3::Bucket)"},
		"announces no import": {func(f *fake, p *plan.Plan) {
			f.edit = func(q Request, a *Response) {
				if a.ChangeSet != nil {
					a.ChangeSet.Changes = nil
				}
			}
		}, OutcomeRefused, "does not import Media"},
		"would create it": {func(f *fake, p *plan.Plan) {
			f.edit = func(q Request, a *Response) {
				if a.ChangeSet != nil {
					a.ChangeSet.Changes[0].Action = "Add"
				}
			}
		}, OutcomeRefused, "adds Media"},
		"AWS refuses": {func(f *fake, p *plan.Plan) {
			f.edit = func(q Request, a *Response) {
				if a.ChangeSet != nil {
					a.ChangeSet.Failed = "media already exists in stack arn:other"
				}
			}
		}, OutcomeFailed, "already exists in stack arn:other"},
		"somebody made the stack": {func(f *fake, p *plan.Plan) { f.deploy("bp-a", owner, topic("theirs")) }, OutcomeRefused, "moved since the plan"},
		"no mark":                 {func(f *fake, p *plan.Plan) { p.Steps[0].Body.Stack.Template.Description = "" }, OutcomeFailed, "not complete"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			p := importPlan(t, f)
			c.arrange(f, &p)
			r := run(t, f, p, Options{})
			if got := r.Steps[0]; got.Outcome != c.want || !strings.Contains(got.Message, c.says) {
				t.Errorf("%s: %s", got.Outcome, got.Message)
			}
			if r.Steps[1].Outcome != OutcomeSkipped {
				t.Errorf("what follows: %+v", r.Steps[1])
			}
			for _, q := range f.log {
				if q.Op == OpExecuteChangeSet {
					t.Error("executed")
				}
			}
			if s := f.find("bp-a"); s != nil && s.Status == "REVIEW_IN_PROGRESS" {
				t.Error("an empty stack stays behind")
			}
		})
	}
}

// TestImportOfAMovedStack: an import into a stack leaves its mark as it was, so
// the mark does not tell that it was done.
func TestImportOfAMovedStack(t *testing.T) {
	f := newFake()
	s := f.deploy("bp-a", owner, topic("old"))
	p := importPlan(t, f)
	s.Updated = f.now()
	if got := run(t, f, p, Options{}).Steps[0]; got.Outcome != OutcomeRefused || !strings.Contains(got.Message, "moved since the plan") {
		t.Errorf("%s: %s", got.Outcome, got.Message)
	}
}

// TestOnlyAnImportStepImports: a stack's own step is stopped when AWS would
// import something in it.
func TestOnlyAnImportStepImports(t *testing.T) {
	f := newFake()
	p := computePlan(f, wish{name: "bp-a", template: topic("new")})
	f.edit = func(q Request, a *Response) {
		if a.ChangeSet != nil {
			a.ChangeSet.Changes[0].Action = "Import"
		}
	}
	if got := run(t, f, p, Options{}).Steps[0]; got.Outcome != OutcomeRefused || !strings.Contains(got.Message, "imports Topic") {
		t.Errorf("%s: %s", got.Outcome, got.Message)
	}
}

// TestKilledImport: a run that ends at any message is finished by the same
// plan, or was finished by AWS meanwhile.
func TestKilledImport(t *testing.T) {
	for n := 1; ; n++ {
		f := newFake()
		p := importPlan(t, f)
		f.crash = n
		if r, err := Run(t.Context(), p, f, Options{}, nil); err == nil && r.Done() {
			if n < 10 {
				t.Errorf("a run of %d answers", n)
			}
			return
		}
		f.crash, f.queue = 0, nil
		again := run(t, f, p, Options{})
		s := f.find("bp-a")
		if s == nil || s.Template == nil || s.Template.Resources["Topic"].Type == "" || s.Template.Resources["Media"].Properties["VersioningConfiguration"] != "on" {
			t.Errorf("killed after %d answers: %+v", n, again.Steps)
		}
	}
}
