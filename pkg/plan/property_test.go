package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// someDesired draws a platform: stacks that refer to earlier ones, to
// parameters of their own steps and to parameters that stacks declare.
func someDesired(t *rapid.T) plan.Desired {
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1", Region: "us-east-1"}}
	n := rapid.IntRange(1, 6).Draw(t, "stacks")
	for i := range rapid.IntRange(0, 2).Draw(t, "parameters") {
		p := plan.Parameter{Name: fmt.Sprintf("/own/%d", i), Type: "String", Policy: plan.PolicyOwn, Value: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "value")}
		if rapid.Bool().Draw(t, "secret") {
			p = plan.Parameter{Name: p.Name, Type: "SecureString", Policy: plan.PolicyCreate, Generate: "hex48"}
		}
		d.Parameters = append(d.Parameters, p)
	}
	for i := range n {
		d.Stacks = append(d.Stacks, someStack(t, d, i))
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "groups") {
		d.LogGroups = append(d.LogGroups, plan.LogGroup{Name: fmt.Sprintf("/g/%d", i), RetentionDays: rapid.SampledFrom([]int{0, 7, 30}).Draw(t, "days")})
	}
	if rapid.Bool().Draw(t, "with a secret") {
		d.Secrets = []plan.Secret{{Name: "/secret", Stack: "s0", Generate: "laravel-key"}}
	}
	return d
}

func someStack(t *rapid.T, d plan.Desired, i int) plan.Stack {
	s := plan.Stack{Name: fmt.Sprintf("s%d", i), Protect: rapid.Bool().Draw(t, "protect"), Template: cfn.Template{
		Resources: map[string]cfn.Resource{
			"Vpc": res("AWS::EC2::VPC", props{"CidrBlock": rapid.SampledFrom([]string{"10.0.0.0/16", "10.1.0.0/16"}).Draw(t, "cidr")}),
			"Sg":  res("AWS::EC2::SecurityGroup", props{"GroupDescription": "d", "VpcId": cfn.LogicalRef("Vpc")}),
			"Declared": res("AWS::SSM::Parameter", props{"Type": "String", "Name": fmt.Sprintf("/declared/%d", i),
				"Value": rapid.SampledFrom([]string{"p", "q"}).Draw(t, "declared")}),
		},
		Outputs: map[string]cfn.Output{"Id": {Value: cfn.LogicalRef("Vpc")}, "Group": {Value: cfn.GetAtt("Sg", "GroupId")}},
	}}
	if rapid.Bool().Draw(t, "a second one") {
		s.Template.Resources["Second"] = res("AWS::EC2::VPC", props{"CidrBlock": "10.2.0.0/16"})
		s.Template.Outputs["Second"] = cfn.Output{Value: cfn.LogicalRef("Second")}
	}
	if rapid.Bool().Draw(t, "tagged") {
		s.Tags = map[string]string{"Service": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "tag")}
	}
	var refs []any
	for j := range d.Stacks {
		if _, ok := d.Stacks[j].Template.Outputs["Second"]; ok && rapid.Bool().Draw(t, "second ref") {
			refs = append(refs, cfn.StackOutput(d.Stacks[j].Name, "Second"))
		}
		switch rapid.IntRange(0, 5).Draw(t, "ref") {
		case 0:
			refs = append(refs, cfn.StackOutput(d.Stacks[j].Name, "Id"))
		case 1:
			refs = append(refs, cfn.StackOutput(d.Stacks[j].Name, "Group"))
		case 2:
			refs = append(refs, cfn.ParameterValue(fmt.Sprintf("/declared/%d", j)))
		case 3:
			s.DependsOn = append(s.DependsOn, d.Stacks[j].Name)
		}
	}
	for _, p := range d.Parameters {
		if p.Type == "String" && rapid.Bool().Draw(t, "own ref") {
			refs = append(refs, cfn.ParameterValue(p.Name))
		} else if rapid.Bool().Draw(t, "after") {
			s.After = append(s.After, plan.ID(plan.KindParameter, p.Name))
		}
	}
	for k, r := range refs {
		s.Template.Resources[fmt.Sprintf("Topic%d", k)] = res("AWS::SNS::Topic", props{"DisplayName": cfn.Join("v-", r)})
	}
	for _, r := range cfn.Refs(s.Template) {
		if r.Stack != "" && !slices.Contains(s.DependsOn, r.Stack) {
			s.DependsOn = append(s.DependsOn, r.Stack)
		}
		if _, n, ok := strings.Cut(r.Parameter, "/declared/"); ok && !slices.Contains(s.DependsOn, "s"+n) {
			s.DependsOn = append(s.DependsOn, "s"+n)
		}
	}
	return s
}

func encode(t rapid.TB, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func compute(t rapid.TB, d plan.Desired, l plan.Live) plan.Plan {
	t.Helper()
	p, err := plan.Compute(d, l, plan.Options{Tool: "test"})
	if err != nil {
		t.Fatalf("compute: %v", err)
	}
	return p
}

func TestAppliedIsEmpty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := someDesired(rt)
		p := compute(rt, d, deployed(t, d))
		if !p.Empty() || len(p.Drift) > 0 {
			rt.Fatalf("not empty:\n%s", show(p))
		}
	})
}

// TestOrder holds what every plan from any state to any other must have:
// steps after their needs, every need in the plan, unique ids, one body each,
// blocked users of blocked steps, a digest that matches, and inputs untouched.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was, d := someDesired(rt), someDesired(rt)
		l := deployed(t, was)
		if rapid.Bool().Draw(rt, "trouble") {
			trouble(rt, l)
		}
		before := encode(rt, []any{d, l})
		p := compute(rt, d, l)
		if after := encode(rt, []any{d, l}); after != before {
			rt.Fatal("Compute wrote to its inputs")
		}
		wellFormed(rt, p)
		q, err := plan.Destroy(d, l, plan.DestroyOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		wellFormed(rt, q)
	})
}

// trouble puts a stack into any status.
func trouble(t *rapid.T, l plan.Live) {
	names := make([]string, 0, len(l.Stacks))
	for n := range l.Stacks {
		names = append(names, n)
	}
	slices.Sort(names)
	name := rapid.SampledFrom(names).Draw(t, "in trouble")
	s := l.Stacks[name]
	s.Status = rapid.SampledFrom(plan.Statuses()).Draw(t, "status")
	l.Stacks[name] = s
}

func wellFormed(t *rapid.T, p plan.Plan) {
	seen := map[plan.StepID]plan.Step{}
	for _, s := range p.Steps {
		if _, twice := seen[s.ID]; twice {
			t.Fatalf("%s is there twice", s.ID)
		}
		for _, n := range s.Needs {
			need, ok := seen[n]
			if !ok {
				t.Fatalf("%s comes before %s, which it needs:\n%s", s.ID, n, show(p))
			}
			if need.Blocked != nil && s.Blocked == nil {
				t.Fatalf("%s is not blocked and needs %s, which is:\n%s", s.ID, n, show(p))
			}
		}
		if s.Blocked != nil && (s.Blocked.Reason == "" || s.Blocked.Command == "") {
			t.Fatalf("%s is blocked and does not say why or how to go on", s.ID)
		}
		if b := strings.Count(encode(t, s.Body), `"name":`); b != 1 || s.Base == "" || s.Reason == "" || s.Rollback == "" {
			t.Fatalf("%s has %d bodies, base %q, reason %q, rollback %q", s.ID, b, s.Base, s.Reason, s.Rollback)
		}
		if id, ok := s.Follows(); ok && !slices.Contains(s.Needs, id) {
			t.Fatalf("%s starts from %s and does not need it", s.ID, id)
		}
		seen[s.ID] = s
	}
	if !p.DigestMatches() {
		t.Fatal("the digest does not match")
	}
	var back plan.Plan
	if err := json.Unmarshal([]byte(encode(t, p)), &back); err != nil {
		t.Fatal(err)
	}
	if !back.DigestMatches() {
		t.Fatal("the digest does not survive JSON")
	}
}

// TestUsersMoveFirst: nothing is taken out of a stack before every stack that
// runs on it had its step, and nothing that is wanted waits for that.
func TestUsersMoveFirst(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was, d := someDesired(rt), someDesired(rt)
		l := deployed(t, was)
		p := compute(rt, d, l)
		wellFormed(rt, p)
		last := map[string]int{}
		for i, s := range p.Steps {
			if s.Action == plan.ActionUpdate {
				last[s.Target] = i
			}
		}
		for i, s := range p.Steps {
			if s.Action != plan.ActionUpdate || !slices.ContainsFunc(s.Changes, func(ch plan.Change) bool {
				return ch.Resource == "Second" && ch.Action == plan.ActionDelete
			}) {
				continue
			}
			if !leavesTheSpecs(l, d, s.Target) && last[s.Target] != i {
				rt.Fatalf("%s deletes and is not the last of its stack:\n%s", s.ID, show(p))
			}
			for name, live := range l.Stacks {
				user, moves := last[name]
				uses := strings.Contains(encode(rt, live.Template), "id-"+s.Target+"-Second")
				if name != s.Target && uses && moves && user > i && !leavesTheSpecs(l, d, s.Target) {
					rt.Fatalf("%s deletes what %s still runs on:\n%s", s.ID, name, show(p))
				}
			}
		}
	})
}

// leavesTheSpecs tells whether the stack runs on one that the specs do not
// have any more, which must let it go at once.
func leavesTheSpecs(l plan.Live, d plan.Desired, stack string) bool {
	ours, _ := l.Stacks[stack].Template.Metadata["Reconcile"].(map[string]any)
	needs, _ := ours["DependsOn"].([]any)
	return slices.ContainsFunc(needs, func(n any) bool {
		return !slices.ContainsFunc(d.Stacks, func(s plan.Stack) bool { return s.Name == n })
	})
}

func TestShuffledInputsGiveTheSameBytes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was, d := someDesired(rt), someDesired(rt)
		l := deployed(t, was)
		want := encode(rt, compute(rt, d, l))
		r := rand.New(rand.NewSource(rapid.Int64().Draw(rt, "seed")))
		shuffle(r, d.Stacks)
		shuffle(r, d.Parameters)
		shuffle(r, d.LogGroups)
		for i := range d.Stacks {
			d.Stacks[i].DependsOn = slices.Clone(d.Stacks[i].DependsOn)
			shuffle(r, d.Stacks[i].DependsOn)
			d.Stacks[i].After = slices.Clone(d.Stacks[i].After)
			shuffle(r, d.Stacks[i].After)
		}
		if got := encode(rt, compute(rt, d, l)); got != want {
			rt.Fatalf("(-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// TestReadingWhatIsAskedSuffices reads only what Reads and More ask for and
// gets the plan that the whole account gives.
func TestReadingWhatIsAskedSuffices(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		was, d := someDesired(rt), someDesired(rt)
		full := deployed(t, was)
		if rapid.Bool().Draw(rt, "trouble") {
			trouble(rt, full)
		}
		part, rounds := readAsAsked(rt, d, full)
		if rounds > len(d.Stacks)+3 {
			rt.Fatalf("%d rounds", rounds)
		}
		p, err := plan.Compute(d, part, plan.Options{Tool: "test"})
		if err != nil {
			rt.Fatalf("%v, although all that was asked for was read", err)
		}
		want := compute(rt, d, full)
		// What was not read cannot be seen: protection of stacks that do not change.
		drop := func(p plan.Plan) plan.Plan {
			p.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return s.Action == plan.ActionProtect })
			p.Summary.Change, p.Digest = 0, ""
			return p
		}
		if a, b := encode(rt, drop(want)), encode(rt, drop(p)); a != b {
			rt.Fatalf("whole account:\n%s\nwhat was asked for:\n%s", show(want), show(p))
		}
	})
}

// readAsAsked plays pkg/cloud.
func readAsAsked(t rapid.TB, d plan.Desired, full plan.Live) (plan.Live, int) {
	first, err := plan.Reads(d, plan.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	part := full
	part.Stacks = map[string]plan.LiveStack{}
	part.Parameters = map[string]plan.LiveParameter{}
	for name, s := range full.Stacks {
		part.Stacks[name] = plan.LiveStack{Name: s.Name, ID: s.ID, Status: s.Status, Description: s.Description,
			Updated: s.Updated, Marker: s.Marker, Owned: s.Owned}
	}
	for _, name := range first.Parameters {
		if p, ok := full.Parameters[name]; ok {
			part.Parameters[name] = p
		}
	}
	asked := map[string]bool{}
	for round, want := 0, first; ; round++ {
		fresh := 0
		for _, name := range want.StackOutputs {
			s, ok := full.Stacks[name]
			if !ok || part.Stacks[name].Described {
				continue
			}
			s.Template, s.Resources = nil, nil
			part.Stacks[name] = s
			fresh++
		}
		for _, name := range want.Stacks {
			if !asked[name] {
				asked[name] = true
				part.Stacks[name] = full.Stacks[name]
				fresh++
			}
		}
		if fresh == 0 && round > 0 {
			return part, round
		}
		if want, err = plan.More(d, part, plan.Selection{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneEdit: an edit of one property changes that stack, those that cannot
// know its outputs any more, and nothing else.
func TestOneEdit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := someDesired(rt)
		l := deployed(t, d)
		i := rapid.IntRange(0, len(d.Stacks)-1).Draw(rt, "edited")
		edited := d
		edited.Stacks = slices.Clone(d.Stacks)
		template := edited.Stacks[i].Template
		template.Resources = map[string]cfn.Resource{}
		for id, r := range edited.Stacks[i].Template.Resources {
			template.Resources[id] = r
		}
		template.Resources["Vpc"] = res("AWS::EC2::VPC", props{
			"CidrBlock": template.Resources["Vpc"].Properties["CidrBlock"], "EnableDnsSupport": true})
		edited.Stacks[i].Template = template
		p := compute(rt, edited, l)
		want := []plan.Change{{Stack: d.Stacks[i].Name, Resource: "Vpc", Type: "AWS::EC2::VPC", Physical: "id-" + d.Stacks[i].Name + "-Vpc",
			Action: plan.ActionUpdate, Path: "Properties.EnableDnsSupport", After: true, Replace: plan.ReplaceNo}}
		if len(p.Steps) != 1 || p.Steps[0].ID != plan.ID(plan.KindStack, d.Stacks[i].Name) {
			rt.Fatalf("an edit in place changes more:\n%s", show(p))
		}
		if diff := cmp.Diff(want, p.Steps[0].Changes); diff != "" {
			rt.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// TestDestroyOrder deletes users before what they use.
func TestDestroyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := someDesired(rt)
		l := deployed(t, d)
		p, err := plan.Destroy(plan.Desired{Target: d.Target}, l, plan.DestroyOptions{})
		if err != nil {
			rt.Fatal(err)
		}
		at := map[string]int{}
		for i, s := range p.Steps {
			if s.Action == plan.ActionDelete {
				at[s.Target] = i
			}
		}
		for _, s := range d.Stacks {
			if _, ok := at[s.Name]; !ok {
				rt.Fatalf("%s is not deleted", s.Name)
			}
			for _, need := range s.DependsOn {
				if at[need] < at[s.Name] {
					rt.Fatalf("%s is deleted before %s, which uses it", need, s.Name)
				}
			}
		}
	})
}

// FuzzTemplates compares any two templates that AWS or a user may hand us.
func FuzzTemplates(f *testing.F) {
	for _, s := range [][2]string{
		{`{"Resources":{"A":{"Type":"AWS::SNS::Topic"}}}`, `{"Resources":{"A":{"Type":"AWS::SNS::Topic","Properties":{"DisplayName":{"Ref":"B"}}}}}`},
		{`{"Parameters":{"P":{"Type":"String","NoEcho":"true"}},"Resources":{"A":{"Type":"T::T::T","Properties":{"X":{"Fn::Sub":"${P}${A.B}${!C}"}}}}}`, `{"Resources":{}}`},
		{`{"Metadata":{"Reconcile":{"DependsOn":[1,"x"]}},"Resources":{"G":{"Type":"AWS::AutoScaling::AutoScalingGroup","Properties":{"MaxSize":{}}}}}`, `{"Resources":{"G":{"Type":"AWS::AutoScaling::AutoScalingGroup"}},"Outputs":{"O":{"Value":{"Fn::GetAtt":["G"]}}}}`},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, old, wanted string) {
		before, err := cfn.Parse([]byte(old))
		if err != nil {
			return
		}
		after, err := cfn.Parse([]byte(wanted))
		if err != nil {
			return
		}
		d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "1"}, Stacks: []plan.Stack{{Name: "s", Template: after},
			{Name: "user", Template: cfn.Template{Resources: map[string]cfn.Resource{"T": res("AWS::SNS::Topic", props{"DisplayName": cfn.StackOutput("s", "O")})}}}}}
		l := empty(d)
		l.Stacks["s"] = plan.LiveStack{Name: "s", ID: "s", Status: "CREATE_COMPLETE", Owned: true, Marker: cfn.Marker{Owner: "bp"},
			Described: true, Template: &before, Resources: map[string]plan.LiveResource{}, Outputs: map[string]string{"O": "o"}}
		p, err := plan.Compute(d, l, plan.Options{})
		if err != nil {
			return
		}
		if q, err := plan.Compute(d, l, plan.Options{}); err != nil || q.Digest != p.Digest {
			t.Fatalf("two computations differ: %v", err)
		}
		d.Stacks = nil
		if _, err := plan.Compute(d, l, plan.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}
