package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"reconcile/pkg/sandbox"
)

// The journal served again gives the state that was there, whatever was read
// in between and whenever: at any moment, a process that opens the file sees
// what the one that wrote it sees.
func TestReplayGivesTheSameState(t *testing.T) {
	bodies := []*string{
		fleetTemplate(t).body(t),
		fleetTemplate(t).set("Fleet", "MaxSize", "2").set("Logs", "RetentionInDays", 7).body(t),
		fleetTemplate(t).set("Template", "LaunchTemplateName", "another").set("Parameter", "Value", "literal").body(t),
		fleetTemplate(t).only("Vpc", "Subnet", "Logs", "Master").body(t),
		fleetTemplate(t).set("Fleet", "MinSize", "9").body(t), // above MaxSize: fails and rolls back
	}
	var writes []replayOp // every operation that writes, as TestEveryWriteIsReplayed holds
	for i, w := range replayWrites(t) {
		writes = append(writes, replayOp{fmt.Sprintf("row %d %s", i+1, w.Op), func(t *testing.T, s *sandbox.Sandbox, _ int) error {
			w.run(t, s)
			return nil
		}})
	}
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		path := filepath.Join(dir, fmt.Sprint(n))
		clk := newClock()
		s, err := sandbox.Open(sandbox.Options{Path: path, Now: clk.now, Scale: 1, Seed: "replay"})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		var trace []string
		if rapid.IntRange(0, 3).Draw(rt, "empty") > 0 { // mostly there is something to work on
			_ = replayOps(bodies)[0].run(t, s, 0)
			clk.pass(time.Hour)
		}
		for range rapid.IntRange(10, 60).Draw(rt, "steps") {
			from := writes
			if rapid.Bool().Draw(rt, "common") {
				from = replayOps(bodies)
			}
			op := rapid.SampledFrom(from).Draw(rt, "op")
			trace = append(trace, op.name)
			_ = op.run(t, s, rapid.IntRange(0, 4).Draw(rt, "n")) // a refusal is an answer, too
			clk.pass(time.Duration(rapid.IntRange(0, 90_000).Draw(rt, "ms")) * time.Millisecond)
		}
		again, err := sandbox.Open(sandbox.Options{Path: path, Now: clk.now, Scale: 1})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = again.Close() }()
		for range 2 { // now, and when all that runs has ended
			live, err := sandbox.StateJSON(s)
			if err != nil {
				rt.Fatal(err)
			}
			replayed, err := sandbox.StateJSON(again)
			if err != nil {
				rt.Fatal(err)
			}
			if live != replayed {
				rt.Fatalf("after %s:\n%s", strings.Join(trace, ", "), cmp.Diff(live, replayed))
			}
			clk.pass(time.Hour)
		}
	})
}

type replayOp struct {
	name string
	run  func(t *testing.T, s *sandbox.Sandbox, n int) error
}

func replayOps(bodies []*string) []replayOp {
	stack := func(n int) *string { return aws.String(fmt.Sprint("stack", n%2)) }
	return []replayOp{
		{"create", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: stack(n), TemplateBody: bodies[n]})
			return err
		}},
		{"update", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).UpdateStack(t.Context(), &cloudformation.UpdateStackInput{StackName: aws.String("stack0"), TemplateBody: bodies[n]})
			return err
		}},
		{"delete", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: stack(n)})
			return err
		}},
		{"change set", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).CreateChangeSet(t.Context(), &cloudformation.CreateChangeSetInput{StackName: stack(n), ChangeSetName: aws.String("c"), TemplateBody: bodies[n], ChangeSetType: cfntypes.ChangeSetTypeUpdate})
			return err
		}},
		{"execute", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).ExecuteChangeSet(t.Context(), &cloudformation.ExecuteChangeSetInput{StackName: stack(n), ChangeSetName: aws.String("c")})
			return err
		}},
		{"read", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := cloudformation.NewFromConfig(config(s)).DescribeStackEvents(t.Context(), &cloudformation.DescribeStackEventsInput{StackName: stack(n)})
			return err
		}},
		{"capacity", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := autoscaling.NewFromConfig(config(s)).SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("staging-gpu-default"), DesiredCapacity: aws.Int32(int32(n))})
			return err
		}},
		{"parameter", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			in := put("/bp/ami/fleets/staging/x", "ami-0123456789abcdef0")
			in.Overwrite = aws.Bool(n > 1)
			_, err := ssmClient(s).PutParameter(t.Context(), in)
			return err
		}},
		{"secret", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := secretsmanager.NewFromConfig(config(s)).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String("/bp/laravel/app-key"), SecretString: aws.String(fmt.Sprint(n))})
			return err
		}},
		{"password", func(t *testing.T, s *sandbox.Sandbox, _ int) error {
			_, err := secretsmanager.NewFromConfig(config(s)).GetRandomPassword(t.Context(), &secretsmanager.GetRandomPasswordInput{})
			return err
		}},
		{"object", func(t *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := s3.NewFromConfig(config(s)).PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bp-models-123456789012"), Key: aws.String(fmt.Sprint("k", n)), Body: strings.NewReader("v")})
			return err
		}},
		{"by hand", func(_ *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := s.Mutate([]sandbox.Mutation{
				{Target: "stack0/Fleet", Pointer: "/MaxSize", Value: []byte(`"6"`)},
				{Target: "stack0/Fleet", Pointer: "/HealthCheckType", Value: []byte(`"ELB"`)},
				{Target: "stack0/Logs", Delete: true},
				{Parameter: "/by/hand", Text: "v"},
				{Target: "stack0/Vpc", Pointer: "/EnableDnsSupport", Value: []byte("false")},
			}[n])
			return err
		}},
		{"fault", func(_ *testing.T, s *sandbox.Sandbox, n int) error {
			switch n {
			case 0:
				return s.ClearFaults()
			case 1:
				return s.AddFault(sandbox.FaultRule{Service: "cloudformation", Fault: sandbox.Fault{Stale: 2}})
			case 2:
				return s.AddShortage("g5.xlarge", "", 1)
			}
			return s.AddFault(sandbox.FaultRule{Service: "ssm", Chance: 0.5, Fault: sandbox.Fault{Throttle: true}})
		}},
		{"advance", func(_ *testing.T, s *sandbox.Sandbox, n int) error {
			_, err := s.Advance(time.Duration(n) * time.Minute)
			return err
		}},
		{"deploy", func(t *testing.T, s *sandbox.Sandbox, _ int) error {
			_, err := ecs.NewFromConfig(config(s)).UpdateService(t.Context(), &ecs.UpdateServiceInput{Cluster: aws.String("bp"), Service: aws.String("bp-backend"), ForceNewDeployment: true})
			return err
		}},
	}
}

// Folding the journal changes nothing.
func TestFoldingChangesNothing(t *testing.T) {
	path := stateFile(t)
	clk := newClock()
	s := open(t, sandbox.Options{Path: path, Now: clk.now})
	st := newStacks(t, s, clk)
	st.want(st.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	for i := range 150 {
		in := put("/p", fmt.Sprint(i))
		in.Overwrite = aws.Bool(true)
		if _, err := ssmClient(s).PutParameter(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	want := must[string](t)(sandbox.StateJSON(s))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Count(string(must[[]byte](t)(os.ReadFile(path))), "\n")
	if lines != 2 {
		t.Errorf("after Close the file has %d lines, want header and snapshot", lines)
	}
	again := open(t, sandbox.Options{Path: path, Now: clk.now})
	if d := cmp.Diff(want, must[string](t)(sandbox.StateJSON(again))); d != "" {
		t.Error(d)
	}
}
