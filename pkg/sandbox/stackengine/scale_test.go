package stackengine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// fleet is a template of the size of a fleet's stack.
func fleet(i int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Description: fleet %d\nResources:\n", i)
	fmt.Fprintf(&b, "  Role: {Type: AWS::IAM::Role, Properties: {RoleName: fleet-%d, AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}\n", i)
	fmt.Fprintf(&b, "  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}\n")
	fmt.Fprintf(&b, "  Template: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {InstanceType: g4dn.xlarge, ImageId: ami-1, IamInstanceProfile: {Arn: !GetAtt Profile.Arn}, UserData: !Base64 %q}}}\n", strings.Repeat("x", 3000))
	fmt.Fprintf(&b, "  Group: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {AutoScalingGroupName: fleet-%d, MinSize: '0', MaxSize: '4', LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}}}\n", i)
	for j := range 11 {
		fmt.Fprintf(&b, "  Alarm%d: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: fleet-%d-%d, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, MetricName: QueueDepth, Namespace: GpuWorkers, Period: 60, Statistic: Maximum, Threshold: 1, Dimensions: [{Name: Fleet, Value: !Ref Group}]}}\n", j, i, j)
	}
	return b.String()
}

// fill makes n stacks of 15 resources by change sets, all at once.
func fill(w *world, n int) {
	w.t.Helper()
	var sets []*string
	for i := range n {
		body := fleet(i)
		out := must[cfn.CreateChangeSetOutput](w, &cfn.CreateChangeSetInput{
			StackName: ptr(fmt.Sprintf("fleet-%d", i)), ChangeSetName: ptr("c"), ChangeSetType: "CREATE", TemplateBody: &body, Capabilities: allCapabilities,
		})
		sets = append(sets, out.Id)
	}
	w.pass(10e9)
	for _, id := range sets {
		must[cfn.ExecuteChangeSetOutput](w, &cfn.ExecuteChangeSetInput{ChangeSetName: id})
	}
	w.settle()
}

func TestManyStacks(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 30
	}
	w := newWorld(t)
	fill(w, n)
	for _, s := range w.e.State.Stacks {
		if s.Status != "CREATE_COMPLETE" {
			t.Fatalf("%s is in %s", s.Name, s.Status)
		}
	}
	raw, err := json.Marshal(w.e.State)
	if err != nil {
		t.Fatal(err)
	}
	if perStack := len(raw) / n; perStack > 80_000 {
		t.Errorf("a stack of 15 resources takes %d bytes of state", perStack)
	}
}

// Requests may come from several goroutines.
func TestConcurrentRequests(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name, body := fmt.Sprintf("s%d", i), fleet(i)
			for _, in := range []any{
				&cfn.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities},
				&cfn.DescribeStacksInput{StackName: &name}, &cfn.ListStacksInput{}, &cfn.DescribeStackEventsInput{StackName: &name},
			} {
				if _, err := w.e.Handle(context.Background(), "", in); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	w.settle()
	if n := len(must[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{}).Stacks); n != 20 {
		t.Errorf("%d stacks", n)
	}
}

// Made in any order, the stacks are the same.
func TestOrderOfStacksDoesNotMatter(t *testing.T) {
	make := func(order []int) *world {
		w := newWorld(t)
		for _, i := range order {
			body := fleet(i)
			must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: ptr(fmt.Sprintf("fleet-%d", i)), TemplateBody: &body, Capabilities: allCapabilities})
		}
		w.settle()
		return w
	}
	a, b := make([]int{0, 1, 2}), make([]int{2, 0, 1})
	for i := range 3 {
		name := fmt.Sprintf("fleet-%d", i)
		if a.events(name) != b.events(name) {
			t.Errorf("%s differs", name)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{100, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				w := newWorld(b)
				w.e.State.MaxStacks = n
				fill(w, n)
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				b.ReportMetric(float64(m.HeapAlloc)/float64(n), "B/stack")
				runtime.KeepAlive(w)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/stack")
		})
	}
}

// What a request costs when nothing runs must not grow with the account.
func BenchmarkIdle(b *testing.B) {
	for _, n := range []int{10, 2000} {
		w := newWorld(b)
		fill(w, n)
		for name, in := range map[string]any{
			"DescribeStacks": &cfn.DescribeStacksInput{StackName: ptr("fleet-1")},
			"ListStacks":     &cfn.ListStacksInput{},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := w.e.Handle(context.Background(), name, in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// No two stacks get one address, however many there are.
func TestAddressesAreDistinct(t *testing.T) {
	w := newWorld(t)
	var body strings.Builder
	body.WriteString("Resources:\n")
	for i := range 500 {
		fmt.Fprintf(&body, "  Address%d: {Type: AWS::EC2::EIP}\n", i)
	}
	for _, name := range []string{"a", "b"} {
		w.create(name, body.String())
		if got := w.status(name); got != "CREATE_COMPLETE" {
			t.Fatalf("stack %s is %s", name, got)
		}
	}
}
