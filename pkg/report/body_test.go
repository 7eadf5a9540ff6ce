package report

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// told is what PlanText writes of a step.
func told(t *testing.T, o Options, s plan.Step) string {
	t.Helper()
	s.ID, s.Kind, s.Target = "stack/bp-x", plan.KindStack, "bp-x"
	if s.Action == "" {
		s.Action = plan.ActionUpdate
	}
	text := written(t, func(w io.Writer) error { return PlanText(w, plan.Plan{Target: target, Steps: []plan.Step{s}}, o) })
	_, text, _ = strings.Cut(text, "Steps, in order\n")
	text, _, _ = strings.Cut(text, "\n\n")
	return text + "\n"
}

func changed(resource, typ, path string, before, after any) plan.Change {
	return plan.Change{Stack: "bp-x", Resource: resource, Type: typ, Action: plan.ActionUpdate, Path: path, Before: before, After: after, Replace: plan.ReplaceNo}
}

func follower(resource string, replace plan.Replace) plan.Change {
	c := changed(resource, "AWS::EC2::Route", "Properties.RouteTableId", cfn.LogicalRef("Table"), cfn.LogicalRef("Table"))
	c.Unknown, c.Replace, c.Action = true, replace, plan.ActionUpdate
	return c
}

func TestWhatIsSaidOfManyResourcesIsSaidOnce(t *testing.T) {
	entries := func(n int, before bool) []plan.Change {
		var out []plan.Change
		for i := range n {
			c := changed("Endpoint", "AWS::EC2::VPCEndpoint", fmt.Sprintf("Properties.Subnets[%d]", i), nil, nil)
			if before {
				c.Before = fmt.Sprintf("subnet-%d", i)
			} else {
				c.After, c.Unknown = cfn.StackOutput("bp-network", fmt.Sprint("Subnet", i)), true
			}
			out = append(out, c)
		}
		return out
	}
	made := func(n int) []plan.Change {
		var out []plan.Change
		for i := range n {
			out = append(out, plan.Change{Stack: "bp-x", Resource: fmt.Sprint("New", i), Type: "AWS::EC2::Subnet", Action: plan.ActionCreate})
		}
		return out
	}
	tags := []plan.Change{changed("A", "AWS::S3::Bucket", "Tags", nil, nil), changed("B", "AWS::S3::Bucket", "Tags", nil, nil), {Stack: "bp-x", Resource: "Tags.Owner", Action: plan.ActionUpdate, Before: "x", After: "y"}}
	for name, c := range map[string]struct {
		changes []plan.Change
		want    string
	}{
		"tags of the stack": {tags, `
     ~ the stack's tags, on 2 resources: S3: 2 Bucket
     ~ Tags.Owner = "x" -> "y"`},
		"tags and more": {append([]plan.Change{changed("A", "AWS::S3::Bucket", "Properties.Name", "p", "q")}, tags...), `
     ~ AWS::S3::Bucket A
       ~ Name = "p" -> "q"
     ~ the stack's tags, on 2 resources: S3: 2 Bucket
     ~ Tags.Owner = "x" -> "y"`},
		"references to what is new": {[]plan.Change{follower("A", plan.ReplaceNo), follower("B", plan.ReplaceNo), follower("C", plan.ReplaceNo)}, `
     ~ 3 resources following what they refer to: A, B, C`},
		"two of them": {[]plan.Change{follower("A", plan.ReplaceNo), follower("B", plan.ReplaceNo)}, `
     ~ AWS::EC2::Route A
       ~ RouteTableId = ${Table} (known after apply)
     ~ AWS::EC2::Route B
       ~ RouteTableId = ${Table} (known after apply)`},
		"entries of a list": {append(entries(2, true), entries(2, false)...), `
     ~ AWS::EC2::VPCEndpoint Endpoint
       ~ Subnets = "subnet-0", "subnet-1" -> 2 entries (known after apply)`},
		"many entries": {append(entries(20, true), entries(1, false)...), `
     ~ AWS::EC2::VPCEndpoint Endpoint
       ~ Subnets = 20 entries -> (known after apply)`},
		"one entry": {entries(1, true), `
     ~ AWS::EC2::VPCEndpoint Endpoint
       - Subnets[0] = "subnet-0" -> null`},
		"many that are made": {made(9), `
     + 9 resources: EC2: 9 Subnet`},
		"few that are made": {made(2), `
     + AWS::EC2::Subnet New0
     + AWS::EC2::Subnet New1`},
		"an output": {[]plan.Change{{Stack: "bp-x", Resource: "Outputs.A", Action: plan.ActionUpdate, Path: "Value", Before: "p", After: "q"},
			{Stack: "bp-x", Resource: "Outputs.B", Action: plan.ActionCreate, After: map[string]any{"Description": "long", "Value": cfn.LogicalRef("B")}},
			{Stack: "bp-x", Resource: "Outputs.C", Action: plan.ActionDelete, Before: map[string]any{"Value": "c"}}}, `
     ~ Outputs.A = "p" -> "q"
     + Outputs.B = "${B}"
     - Outputs.C = "c" -> null`},
	} {
		t.Run(name, func(t *testing.T) {
			got := told(t, Options{}, plan.Step{Changes: c.changes})
			if diff := cmp.Diff("1. ~ stack bp-x: update"+c.want+"\n", got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			all := told(t, Options{Verbose: true}, plan.Step{Changes: c.changes})
			for _, ch := range c.changes {
				if !strings.Contains(all, ch.Resource) {
					t.Errorf("verbose does not name %s:\n%s", ch.Resource, all)
				}
			}
		})
	}
}

func TestAStackThatGoesIsCounted(t *testing.T) {
	s := plan.Step{Action: plan.ActionDelete, Changes: []plan.Change{
		{Resource: "Bucket", Type: "AWS::S3::Bucket", Action: plan.ActionDelete, Physical: "b", Retained: true},
		{Resource: "Role", Type: "AWS::IAM::Role", Action: plan.ActionDelete, Physical: "arn:aws:iam::1:role/r"},
		{Resource: "Thing", Type: "Acme::Cloud::Thing", Action: plan.ActionDelete},
	}}
	want := "1. - stack bp-x: delete\n     Acme::Cloud: Thing; IAM: Role\n     kept: Bucket\n"
	if diff := cmp.Diff(want, told(t, Options{}, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Approvals = []plan.Approval{{Kind: plan.ApproveDestroy, Target: "bp-x", Why: "stack bp-x is deleted; kept: Bucket"}}
	if got := told(t, Options{}, s); strings.Contains(got, "kept") {
		t.Errorf("says twice what is kept:\n%s", got)
	}
	if got := told(t, Options{Verbose: true}, s); !strings.Contains(got, "AWS::IAM::Role Role (arn:aws:iam::1:role/r)") || !strings.Contains(got, "# the thing itself is kept") {
		t.Errorf("verbose:\n%s", got)
	}
}

func TestAnIdIsShownWhereItTellsMore(t *testing.T) {
	for id, want := range map[string]string{
		"subnet-0a1b":                     "subnet-0a1b",
		"bp-x-Role-19YuvYxHspRe":          "",
		"bp-x-database-vcyahsn8w2ga":      "",
		"p1-alarm":                        "p1-alarm",
		"service/bp/backend|ecs:x":        "",
		"arn:aws:sns:us-east-1:1:bp-ops":  "bp-ops",
		"arn:aws:ecs:us-east-1:1:svc/a/b": "a/b",
		"arn:aws:secretsmanager:us-east-1:1:secret:/bp/key-a1b2c3":           "/bp/key-a1b2c3",
		"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/bp-x-Tg-1/3a8": "",
		"arn:aws:x:us-east-1:1:" + strings.Repeat("long", 20):                "",
	} {
		got := Options{}.physical(plan.Step{Target: "bp-x"}, plan.Change{Stack: "bp-x", Resource: "R", Physical: id})
		if got != want {
			t.Errorf("%s is shown as %q, want %q", id, got, want)
		}
		if got := (Options{Verbose: true}).physical(plan.Step{}, plan.Change{Physical: id}); got != id {
			t.Errorf("verbose: %s is shown as %q", id, got)
		}
	}
}

// fleets is a plan that does the same for many fleets.
func fleets(n int) plan.Plan {
	p := plan.Plan{Target: target}
	for i := range n {
		name := fmt.Sprintf("staging/gpu-%d", i)
		p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("parameter/bp/fleets/" + name), Kind: plan.KindParameter, Target: "/bp/fleets/" + name + "/desired_config", Action: plan.ActionCreate,
			Changes: []plan.Change{{Resource: name, Action: plan.ActionCreate, After: name}}})
	}
	for i := range n {
		name := fmt.Sprintf("bp-gpu-fleet-staging-gpu-%d", i)
		p.Steps = append(p.Steps, plan.Step{ID: plan.StepID("stack/" + name), Kind: plan.KindStack, Target: name, Action: plan.ActionUpdate, Changes: []plan.Change{
			{Stack: name, Resource: "LaunchTemplate", Type: "AWS::EC2::LaunchTemplate", Physical: fmt.Sprint("lt-", i), Action: plan.ActionUpdate, Path: "Properties.ImageId", Before: "ami-1", After: "ami-2"},
		}})
		p.Findings = append(p.Findings, plan.Finding{Severity: plan.SeverityNote, Code: "backend-row", Target: fmt.Sprintf("staging/gpu-%d", i),
			Message: fmt.Sprintf("fleet staging/gpu-%d is new: it needs a row", i)})
	}
	return p
}

func TestManyFleetsAreToldAsOne(t *testing.T) {
	golden(t, "fleets.txt", written(t, func(w io.Writer) error { return PlanText(w, fleets(1000), Options{}) }))
	golden(t, "fleets.md", written(t, func(w io.Writer) error { return PlanMarkdown(w, fleets(1000), Options{}) }))
	all := written(t, func(w io.Writer) error { return PlanText(w, fleets(1000), Options{Verbose: true}) })
	if n := strings.Count(all, "ami-2"); n != 1000 {
		t.Errorf("verbose tells of %d updates", n)
	}
	p := fleets(20)
	for i := range p.Steps {
		p.Steps[i].Action = plan.ActionDelete
	}
	gone := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) })
	for _, s := range p.Steps {
		if !strings.Contains(gone, s.Target) {
			t.Errorf("does not name %s, which goes", s.Target)
		}
	}
	p = fleets(20)
	p.Steps[30].Changes[0].After = "ami-3"
	if got := written(t, func(w io.Writer) error { return PlanText(w, p, Options{}) }); !strings.Contains(got, "ami-3") || !strings.Contains(got, "10 stacks: update each") {
		t.Errorf("one differs, and it is not told:\n%s", got)
	}
}
