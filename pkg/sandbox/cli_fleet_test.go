package sandbox_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
)

// The life of a fleet's instances as the AWS CLI reads it: hooks, standby, a
// refresh with alarms, a launch from the fleet's template.
func TestAWSCLIFollowsAFleet(t *testing.T) {
	t.Parallel()
	cli := awsCLI(t)
	r := newRefreshes(t, 1)
	server := httptest.NewServer(r.box)
	t.Cleanup(server.Close)
	id := *must[*autoscaling.DescribeAutoScalingInstancesOutput](t)(r.c.DescribeAutoScalingInstances(t.Context(), &autoscaling.DescribeAutoScalingInstancesInput{MaxRecords: aws.Int32(1)})).AutoScalingInstances[0].InstanceId
	group := " --auto-scaling-group-name " + fleetName
	runCLI(t, cli, server.URL, t.TempDir(), r.clk, []cliStep{
		{command: "autoscaling put-lifecycle-hook --lifecycle-hook-name drain --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 600" + group},
		{command: "autoscaling describe-lifecycle-hooks" + group, want: []string{`"GlobalTimeout": 60000`, `"DefaultResult": "ABANDON"`}},
		{command: "autoscaling enter-standby --should-decrement-desired-capacity --instance-ids " + id + group, want: []string{`"Description": "Moving EC2 instance to Standby: ` + id}},
		{command: "autoscaling exit-standby --instance-ids " + id + group, pass: time.Minute, want: []string{"increasing the capacity from 0 to 1."}},
		{command: "autoscaling terminate-instance-in-auto-scaling-group --should-decrement-desired-capacity --instance-id " + id, pass: time.Minute, want: []string{`"StatusCode": "MidLifecycleAction"`}},
		{command: "autoscaling record-lifecycle-action-heartbeat --lifecycle-hook-name drain --instance-id " + id + group},
		{command: "autoscaling complete-lifecycle-action --lifecycle-hook-name drain --lifecycle-action-result CONTINUE --instance-id " + id + group},
		{command: "autoscaling complete-lifecycle-action --lifecycle-hook-name drain --lifecycle-action-result CONTINUE --instance-id " + id + group, fails: true, want: []string{"(ValidationError)", "No active Lifecycle Action found with instance ID " + id}},
		{command: `autoscaling start-instance-refresh --preferences {"MinHealthyPercentage":100,"MaxHealthyPercentage":110,"AlarmSpecification":{"Alarms":["errors"]}}` + group, want: []string{"InstanceRefreshId"}},
		{command: "autoscaling describe-instance-refreshes" + group, want: []string{`"errors"`, `"MaxHealthyPercentage": 110`}},
		{command: "ec2 run-instances --count 1 --launch-template LaunchTemplateName=" + fleetName + ",Version=9", fails: true, want: []string{"(InvalidLaunchTemplateId.VersionNotFound)"}},
		{command: "ecs create-cluster --cluster-name hand", want: []string{`"status": "ACTIVE"`}},
		{command: "events list-rules", fails: true, want: []string{"the sandbox has no service events"}},
	})
}
