package plan_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// stuck is a platform of a stack that changes and one that needs it.
func stuck(status string) (plan.Desired, plan.Live, plan.Live) {
	topic := func(display any) cfn.Template {
		return cfn.Template{
			Resources: map[string]cfn.Resource{"Topic": res("AWS::SNS::Topic", props{"DisplayName": display})},
			Outputs:   map[string]cfn.Output{"Arn": {Value: cfn.LogicalRef("Topic")}},
		}
	}
	was := plan.Desired{
		Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"},
		Stacks: []plan.Stack{
			{Name: "low", Template: topic("before"), Protect: true},
			{Name: "top", Template: topic(cfn.StackOutput("low", "Arn"))},
		},
	}
	wanted := was
	wanted.Stacks = []plan.Stack{{Name: "low", Template: topic("after"), Protect: true}, was.Stacks[1]}
	full := deployed(noTest{}, was)
	live := full.Stacks["low"]
	live.Status = status
	live.Reason = "the reason that AWS gives"
	r := live.Resources["Topic"]
	r.Status = "UPDATE_FAILED"
	if status == "ROLLBACK_COMPLETE" {
		r.Status = "DELETE_COMPLETE"
	}
	live.Resources["Topic"] = r
	full.Stacks["low"] = live
	alone := full
	alone.Stacks = map[string]plan.LiveStack{"low": live}
	return wanted, full, alone
}

// noTest lets helpers run where no test is at hand; they cannot fail there.
type noTest struct{ testing.TB }

func (noTest) Helper() {}

// TestStatuses shows for every status that CloudFormation has what a plan makes
// of a stack in it, of one that needs it, and of one that left the specs.
func TestStatuses(t *testing.T) {
	var b strings.Builder
	for _, status := range append(plan.Statuses(), "SOME_FUTURE_STATUS") {
		if status == "" {
			continue
		}
		d, both, alone := stuck(status)
		b.WriteString("=== " + status + "\n" + outcome(plan.Compute(d, both, plan.Options{})))
		d.Stacks = []plan.Stack{{Name: "other", Template: cfn.Template{}}}
		b.WriteString("--- out of the specs\n" + outcome(plan.Compute(d, alone, plan.Options{})) + "\n")
	}
	const file = "testdata/statuses.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestStatusTable holds the table together: a recovery for each stuck status
// and for no other, and words for whatever stops a plan.
func TestStatusTable(t *testing.T) {
	for _, status := range plan.Statuses() {
		a, ok := plan.ActionFor(status)
		if !ok || a.Class == "" {
			t.Errorf("%q has no class", status)
		}
		if (a.Class == plan.StatusStuck) != (a.Recover != "") {
			t.Errorf("%q is %s with the recovery %q", status, a.Class, a.Recover)
		}
		quiet := a.Class == plan.StatusAbsent || a.Class == plan.StatusReady
		if quiet != (a.Doing == "") {
			t.Errorf("%q is %s and says %q", status, a.Class, a.Doing)
		}
		if strings.HasSuffix(status, "_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS" && a.Class != plan.StatusBusy {
			t.Errorf("%q is %s", status, a.Class)
		}
	}
	if _, ok := plan.ActionFor("SOME_FUTURE_STATUS"); ok {
		t.Error("a status that nobody knows has an action")
	}
	if !slices.IsSorted(plan.Statuses()) {
		t.Error("statuses are not sorted")
	}
}

// TestOwnOperation: an earlier run of this program is waited for, not refused.
func TestOwnOperation(t *testing.T) {
	d, l, _ := stuck("UPDATE_IN_PROGRESS")
	s := l.Stacks["low"]
	s.Token = "rc-0123"
	l.Stacks["low"] = s
	p, err := plan.Compute(d, l, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	step, ok := p.Step("stack/low")
	if !ok || step.Blocked != nil || step.Body.Stack == nil || !strings.Contains(step.Reason, "waits") {
		t.Errorf("step = %+v", step)
	}
}

func TestFingerprints(t *testing.T) {
	base := plan.LiveStack{ID: "a", Status: "CREATE_COMPLETE", Updated: time.Unix(100, 0), Marker: cfn.Marker{Owner: "bp", Digest: "d"}, Owned: true}
	same := base
	same.Protected, same.Described, same.Outputs, same.Reason = true, true, map[string]string{"A": "b"}, "x"
	same.Updated = base.Updated.In(time.FixedZone("somewhere", 7200))
	if plan.FingerprintStack(&base) != plan.FingerprintStack(&same) {
		t.Error("protection, outputs or the time zone count")
	}
	absent := plan.FingerprintStack(nil)
	seen := map[string]string{absent: "absent", plan.FingerprintStack(&base): "base"}
	for name, change := range map[string]func(*plan.LiveStack){
		"id":     func(s *plan.LiveStack) { s.ID = "b" },
		"status": func(s *plan.LiveStack) { s.Status = "UPDATE_COMPLETE" },
		"time":   func(s *plan.LiveStack) { s.Updated = s.Updated.Add(time.Millisecond) },
		"digest": func(s *plan.LiveStack) { s.Marker.Digest = "e" },
		"owner":  func(s *plan.LiveStack) { s.Marker.Owner = "other" },
	} {
		s := base
		change(&s)
		f := plan.FingerprintStack(&s)
		if other, ok := seen[f]; ok {
			t.Errorf("a changed %s has the fingerprint of %s", name, other)
		}
		seen[f] = name
	}
	for _, status := range []string{"REVIEW_IN_PROGRESS", "DELETE_COMPLETE"} {
		s := base
		s.Status = status
		if plan.FingerprintStack(&s) != absent {
			t.Errorf("%s is not as absent", status)
		}
	}
	for name, fs := range map[string][]string{
		"parameter": {plan.FingerprintParameter(nil), plan.FingerprintParameter(&plan.LiveParameter{Type: "String", Version: 1}),
			plan.FingerprintParameter(&plan.LiveParameter{Type: "String", Version: 2}), plan.FingerprintParameter(&plan.LiveParameter{Type: "SecureString", Version: 1})},
		"secret":    {plan.FingerprintSecret(nil), plan.FingerprintSecret(&plan.LiveSecret{}), plan.FingerprintSecret(&plan.LiveSecret{HasCurrent: true})},
		"log group": {plan.FingerprintLogGroup(nil), plan.FingerprintLogGroup(&plan.LiveLogGroup{}), plan.FingerprintLogGroup(&plan.LiveLogGroup{RetentionDays: 7})},
	} {
		if slices.Sort(fs); len(slices.Compact(fs)) != len(fs) {
			t.Errorf("two states of a %s have one fingerprint", name)
		}
	}
}

func TestFollows(t *testing.T) {
	s := plan.Step{Base: plan.BaseAfter("recover/bp-data")}
	if id, ok := s.Follows(); !ok || id != "recover/bp-data" || s.Moved("anything") {
		t.Errorf("Follows() = %v %v", id, ok)
	}
	s.Base = plan.FingerprintStack(nil)
	if _, ok := s.Follows(); ok || s.Moved(plan.FingerprintStack(nil)) || !s.Moved("x") {
		t.Error("a fingerprint is taken for a step")
	}
}
