package sandbox_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// What somebody changes or deletes through a service, a drift-aware change set
// brings back in the service.
func TestHandEditsAreReverted(t *testing.T) {
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	ctx, s := t.Context(), newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)

	groups := autoscaling.NewFromConfig(config(box))
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(groups.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: aws.String("staging-gpu-default"), MaxSize: aws.Int32(9)}))
	logs := cloudwatchlogs.NewFromConfig(config(box))
	must[*cloudwatchlogs.DeleteLogGroupOutput](t)(logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: aws.String("/ecs/bp-backend")}))
	edit := put("/bp/models/bucket", "by hand")
	edit.Overwrite = aws.Bool(true)
	must[*ssm.PutParameterOutput](t)(ssmClient(box).PutParameter(ctx, edit))

	made := must[*cloudformation.CreateChangeSetOutput](t)(s.c.CreateChangeSet(ctx, &cloudformation.CreateChangeSetInput{
		StackName: aws.String("fleet"), ChangeSetName: aws.String("back"), UsePreviousTemplate: aws.Bool(true), DeploymentMode: cfntypes.DeploymentModeRevertDrift,
	}))
	clk.pass(time.Minute)
	out := must[*cloudformation.DescribeChangeSetOutput](t)(s.c.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: made.Id, IncludePropertyValues: aws.Bool(true)}))
	got := map[string]string{}
	for _, c := range out.Changes {
		r := c.ResourceChange
		line := string(r.Action) + " " + string(r.ResourceDriftStatus)
		for _, d := range r.Details {
			line += " " + *d.Target.Path + " " + *d.Target.Drift.ActualValue + "→" + *d.Target.AfterValue
		}
		got[*r.LogicalResourceId] = line
	}
	want := map[string]string{
		"Fleet":     "Modify MODIFIED /Properties/MaxSize 9→4",
		"Logs":      "Add DELETED",
		"Parameter": "Modify MODIFIED /Properties/Value by hand→bp-models-123456789012",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s %s (-want +got):\n%s", out.Status, aws.ToString(out.StatusReason), d)
	}
	must[*cloudformation.ExecuteChangeSetOutput](t)(s.c.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: made.Id}))
	s.want(s.settle("fleet"), cfntypes.StackStatusUpdateComplete)

	p := must[*ssm.GetParameterOutput](t)(ssmClient(box).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")}))
	g := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{"staging-gpu-default"}}))
	l := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(logs.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/ecs/bp-backend")}))
	if *p.Parameter.Value != "bp-models-123456789012" || *g.AutoScalingGroups[0].MaxSize != 4 || len(l.LogGroups) != 1 {
		t.Errorf("parameter %s, group of at most %d, %d log groups", *p.Parameter.Value, *g.AutoScalingGroups[0].MaxSize, len(l.LogGroups))
	}
}
