package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"reconcile/pkg/sandbox"
)

// manyFleets fills a sandbox with n fleets, each a stack of its own with a
// launch template, a group and alarms, and a parameter beside it.
func manyFleets(b testing.TB, s *sandbox.Sandbox, clk *clock, n int) {
	b.Helper()
	st := newStacks(b, s, clk)
	for i := range n {
		slug := fmt.Sprintf("fleet-%04d", i)
		if _, err := st.c.CreateStack(b.Context(), &cloudformation.CreateStackInput{StackName: &slug, TemplateBody: aws.String(oneFleet(b, slug))}); err != nil {
			b.Fatal(err)
		}
		in := put("/bp/fleets/staging/"+slug+"/desired_config", `{"version":1,"enabled":true}`)
		if _, err := ssmClient(s).PutParameter(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	for i := range n {
		if got := st.settle(fmt.Sprintf("fleet-%04d", i)); got.StackStatus != "CREATE_COMPLETE" {
			b.Fatalf("%s: %s", *got.StackName, got.StackStatus)
		}
	}
}

func oneFleet(b testing.TB, slug string) string {
	b.Helper()
	resources := map[string]any{
		"Template": map[string]any{"Type": "AWS::EC2::LaunchTemplate", "Properties": map[string]any{"LaunchTemplateName": slug, "LaunchTemplateData": map[string]any{
			"ImageId": "{{resolve:ssm:/bp/ami/fleets/staging/" + slug + "}}", "InstanceType": "g5.xlarge", "UserData": strings.Repeat("IyEvYmluL3NoCg", 200)}}},
		"Group": map[string]any{"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": map[string]any{"AutoScalingGroupName": slug, "MinSize": "0", "MaxSize": "4", "AvailabilityZones": []any{"us-east-1a"},
			"LaunchTemplate": map[string]any{"LaunchTemplateId": map[string]any{"Ref": "Template"}, "Version": map[string]any{"Fn::GetAtt": []any{"Template", "LatestVersionNumber"}}}}},
	}
	for i := range 10 {
		resources[fmt.Sprint("Alarm", i)] = map[string]any{"Type": "AWS::CloudWatch::Alarm", "Properties": map[string]any{
			"AlarmName": fmt.Sprint(slug, "-", i), "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1, "MetricName": "QueueDepth", "Namespace": "bp", "Statistic": "Maximum", "Period": 60,
			"Dimensions": []any{map[string]any{"Name": "Group", "Value": map[string]any{"Ref": "Group"}}}}}
	}
	body, err := json.Marshal(map[string]any{"Resources": resources})
	if err != nil {
		b.Fatal(err)
	}
	return string(body)
}

func BenchmarkGetParameters(b *testing.B) {
	c := ssmClient(open(b, sandbox.Options{}))
	names := make([]string, 10)
	for i := range names {
		names[i] = fmt.Sprint("/p/", i)
		must[*ssm.PutParameterOutput](b)(c.PutParameter(b.Context(), put(names[i], "v")))
	}
	b.ReportAllocs()
	for b.Loop() {
		must[*ssm.GetParametersOutput](b)(c.GetParameters(b.Context(), &ssm.GetParametersInput{Names: names}))
	}
}

// One write with a state file: what durability costs.
func BenchmarkPutParameterInFile(b *testing.B) {
	c := ssmClient(open(b, sandbox.Options{Path: stateFile(b)}))
	in := put("/p", "v")
	in.Overwrite = aws.Bool(true)
	for b.Loop() {
		must[*ssm.PutParameterOutput](b)(c.PutParameter(b.Context(), in))
	}
}

func BenchmarkThousandFleets(b *testing.B) {
	path := filepath.Join(b.TempDir(), "sandbox.json")
	clk := newClock()
	s := open(b, sandbox.Options{Path: path, Now: clk.now})
	b.Run("create", func(b *testing.B) {
		for b.Loop() {
			if err := sandbox.Renew(sandbox.Options{Path: path}); err != nil {
				b.Fatal(err)
			}
			manyFleets(b, s, clk, 1000)
		}
	})
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	info := must[os.FileInfo](b)(os.Stat(path))
	b.Run("open", func(b *testing.B) {
		b.ReportMetric(float64(info.Size())/1e6, "MB")
		for b.Loop() {
			s, err := sandbox.Open(sandbox.Options{Path: path, Now: clk.now, Scale: 1})
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	again := open(b, sandbox.Options{Path: path, Now: clk.now})
	b.Run("list stacks", func(b *testing.B) {
		c := cloudformation.NewFromConfig(config(again))
		for b.Loop() {
			n, in := 0, &cloudformation.ListStacksInput{}
			for {
				out := must[*cloudformation.ListStacksOutput](b)(c.ListStacks(b.Context(), in))
				n += len(out.StackSummaries)
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if n != 1000 {
				b.Fatalf("%d stacks", n)
			}
		}
	})
	b.Run("describe groups", func(b *testing.B) {
		c := autoscaling.NewFromConfig(config(again))
		for b.Loop() {
			n, in := 0, &autoscaling.DescribeAutoScalingGroupsInput{MaxRecords: aws.Int32(100)}
			for {
				out := must[*autoscaling.DescribeAutoScalingGroupsOutput](b)(c.DescribeAutoScalingGroups(b.Context(), in))
				n += len(out.AutoScalingGroups)
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if n != 1000 {
				b.Fatalf("%d groups", n)
			}
		}
	})
}
