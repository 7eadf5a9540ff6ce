package sandbox_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// A rule set by one process hits the calls of another, as often as it says.
func TestFaultRulesSurvive(t *testing.T) {
	path := stateFile(t)
	one := open(t, sandbox.Options{Path: path})
	two := open(t, sandbox.Options{Path: path})
	if err := one.AddFault(sandbox.FaultRule{Service: "ssm", Operation: "PutParameter", After: 1, Times: 2, Fault: sandbox.Fault{Code: "InternalServerError", Status: 500}}); err != nil {
		t.Fatal(err)
	}
	var got []bool
	for i := range 5 {
		s := one
		if i%2 == 1 {
			s = two
		}
		in := put("/x", "v")
		in.Overwrite = aws.Bool(true)
		_, err := ssmClient(s).PutParameter(t.Context(), in)
		got = append(got, err == nil)
	}
	if d := cmp.Diff([]bool{true, false, false, true, true}, got); d != "" {
		t.Error(d)
	}
	three := open(t, sandbox.Options{Path: path})
	if rules := three.Faults(); len(rules) != 1 || rules[0].Seen != 5 {
		t.Errorf("rules %+v", rules)
	}
	if err := three.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	if err := one.AddFault(sandbox.FaultRule{Fault: sandbox.Fault{Lost: sandbox.LostAfter}}); err != nil {
		t.Fatal(err)
	}
	if _, err := ssmClient(two).PutParameter(t.Context(), put("/lost", "v")); err == nil {
		t.Error("an answer that was to be lost arrived")
	}
	if err := one.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	must[*ssm.GetParameterOutput](t)(ssmClient(two).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/lost")}))
}

// On a port, a lost answer is a connection that closes; the SDK tries again.
func TestLostAnswerOnAPort(t *testing.T) {
	s := open(t, sandbox.Options{Fault: func(_, _ string, n int) *sandbox.Fault {
		if n == 1 {
			return &sandbox.Fault{Lost: sandbox.LostAfter}
		}
		return nil
	}})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := withRetries(config(server.Client()))
	c.BaseEndpoint = &server.URL
	_, err := ssm.NewFromConfig(c).PutParameter(t.Context(), put("/lost", "v"))
	wantCode(t, err, "ParameterAlreadyExists") // the first one was served
}

func TestResourceFaults(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	if err := box.AddResourceFault("", stackengine.Fault{Type: "AWS::Logs::LogGroup", Phase: stackengine.PhaseCreate, Times: 1, Message: "no capacity for logs"}); err != nil {
		t.Fatal(err)
	}
	s := newStacks(t, box, clk)
	st := s.create("logs", fleetTemplate(t).only("Logs"))
	s.want(st, cfntypes.StackStatusRollbackComplete)
	if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, "no capacity for logs") {
		t.Error(all)
	}
	s.want(s.create("logs2", fleetTemplate(t).only("Logs")), cfntypes.StackStatusCreateComplete)
}

func TestShow(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	secret := put("/secret", "hunter2hunter2")
	secret.Type = "SecureString"
	must[*ssm.PutParameterOutput](t)(ssmClient(box).PutParameter(t.Context(), secret))
	var out bytes.Buffer
	if err := box.Show(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a secret's value is shown")
	}
	golden := "testdata/show.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(string(must[[]byte](t)(os.ReadFile(golden))), out.String()); d != "" {
		t.Error(d)
	}
}
