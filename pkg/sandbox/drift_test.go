package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// What somebody changes through a service, drift detection finds; the
// capacity, which no template of ours declares, is none of its business.
func TestHandEditsAreDrift(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	ctx, s := t.Context(), newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	drifted := func() map[string]string {
		det := must[*cloudformation.DetectStackDriftOutput](t)(s.c.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: aws.String("fleet")}))
		clk.pass(10 * time.Minute)
		st := must[*cloudformation.DescribeStackDriftDetectionStatusOutput](t)(s.c.DescribeStackDriftDetectionStatus(ctx, &cloudformation.DescribeStackDriftDetectionStatusInput{StackDriftDetectionId: det.StackDriftDetectionId}))
		if st.DetectionStatus != cfntypes.StackDriftDetectionStatusDetectionComplete {
			t.Fatalf("detection %s: %s", st.DetectionStatus, aws.ToString(st.DetectionStatusReason))
		}
		out := map[string]string{}
		in := &cloudformation.DescribeStackResourceDriftsInput{StackName: aws.String("fleet"), StackResourceDriftStatusFilters: []cfntypes.StackResourceDriftStatus{cfntypes.StackResourceDriftStatusModified, cfntypes.StackResourceDriftStatusDeleted}}
		for {
			page := must[*cloudformation.DescribeStackResourceDriftsOutput](t)(s.c.DescribeStackResourceDrifts(ctx, in))
			for _, d := range page.StackResourceDrifts {
				out[*d.LogicalResourceId] = string(d.StackResourceDriftStatus)
				for _, p := range d.PropertyDifferences {
					out[*d.LogicalResourceId] += " " + *p.PropertyPath + " " + *p.ExpectedValue + "→" + *p.ActualValue
				}
			}
			if in.NextToken = page.NextToken; in.NextToken == nil {
				return out
			}
		}
	}
	if d := cmp.Diff(map[string]string{}, drifted()); d != "" {
		t.Errorf("a stack just made has drifted: %s", d)
	}
	asg := autoscaling.NewFromConfig(config(box))
	must[*autoscaling.SetDesiredCapacityOutput](t)(asg.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("staging-gpu-default"), DesiredCapacity: aws.Int32(2)}))
	if d := cmp.Diff(map[string]string{}, drifted()); d != "" {
		t.Errorf("the autoscaler's work is drift: %s", d)
	}
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(asg.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("staging-gpu-default"), MaxSize: aws.Int32(9)}))
	logs := cloudwatchlogs.NewFromConfig(config(box))
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/ecs/bp-backend")}))
	edit := put("/bp/models/bucket", "by hand")
	edit.Overwrite = aws.Bool(true)
	if _, err := ssmClient(box).PutParameter(ctx, edit); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Fleet":     "MODIFIED /MaxSize 4→9",
		"Logs":      "DELETED",
		"Parameter": "MODIFIED /Value bp-models-123456789012→by hand",
	}
	if d := cmp.Diff(want, drifted()); d != "" {
		t.Error(d)
	}
}
