package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/drift"
	"reconcile/pkg/sandbox"
)

// byHand makes one request to a service of the sandbox as somebody else would:
// a form, or JSON with the target.
func byHand(t testing.TB, box *sandbox.Sandbox, service, target, body string) string {
	t.Helper()
	q := httptest.NewRequest(http.MethodPost, "http://sandbox/", strings.NewReader(body))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if target != "" {
		q.Header.Set("Content-Type", "application/x-amz-json-1.1")
		q.Header.Set("X-Amz-Target", target)
	}
	q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	res, err := box.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", body, res.StatusCode, answer, err)
	}
	return string(answer)
}

// drift is what the command reports, and "stack/resource path" of the hand edits.
func (r *rig) drift(flags string) (drift.Report, []string) {
	r.t.Helper()
	var out drift.Report
	s := r.want(0, "drift -o json "+flags)
	if err := json.Unmarshal([]byte(s.out), &out); err != nil {
		r.t.Fatalf("%v: %s", err, s.out)
	}
	names := []string{}
	for _, f := range out.Hand {
		name := f.Name()
		if f.Kind == drift.Deleted {
			name += " deleted"
		}
		names = append(names, name)
	}
	return out, names
}

// handEdits changes one thing of each kind that drift reads.
func (r *rig) handEdits() {
	r.t.Helper()
	database := r.physical("bp-data", "Database")
	alb := r.physical("bp-network", "AlbSecurityGroup")
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		_, err := autoscaling.NewFromConfig(cfg).UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: aws.String("asg-staging-gpu-default"), MaxSize: aws.Int32(12)})
		if err != nil {
			r.t.Fatal(err)
		}
		_, err = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: aws.String("bp-models-123456789012"), VersioningConfiguration: &s3types.VersioningConfiguration{Status: s3types.BucketVersioningStatusSuspended}})
		if err != nil {
			r.t.Fatal(err)
		}
		put(ctx, r.t, cfg, "/bp/models/bucket", "by-hand")
		ec2Call(r.t, box, "CreateLaunchTemplateVersion", "LaunchTemplateName=lt-production-gpu-default&SourceVersion=1&LaunchTemplateData.ImageId=ami-0123456789abcdef0", "launchTemplateName")
		byHand(r.t, box, "ec2", "", "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId="+alb+"&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=22&IpPermissions.1.ToPort=22&IpPermissions.1.IpRanges.1.CidrIp=203.0.113.0/24")
		byHand(r.t, box, "monitoring", "", "Action=DeleteAlarms&Version=2010-08-01&AlarmNames.member.1=staging-p3-gpu-default-queue-deep")
		byHand(r.t, box, "monitoring", "", "Action=PutMetricAlarm&Version=2010-08-01&AlarmName=staging-p2-gpu-default-error-rate&ComparisonOperator=GreaterThanOrEqualToThreshold&DatapointsToAlarm=1&EvaluationPeriods=1&MetricName=ErrorRate&Namespace=ComfyUI/Workers&Period=300&Statistic=Average&Threshold=90&TreatMissingData=notBreaching&AlarmDescription=At+least+20+%25+of+the+jobs+fail.&Dimensions.member.1.Name=FleetSlug&Dimensions.member.1.Value=gpu-default&Dimensions.member.2.Name=Stage&Dimensions.member.2.Value=staging&AlarmActions.member.1="+r.topic(ctx, cfg))
		byHand(r.t, box, "rds", "", "Action=ModifyDBInstance&Version=2014-10-31&ApplyImmediately=true&BackupRetentionPeriod=3&DBInstanceIdentifier="+database)
		byHand(r.t, box, "application-autoscaling", "AnyScaleFrontendService.RegisterScalableTarget", `{"ServiceNamespace":"ecs","ResourceId":"service/bp/bp-backend","ScalableDimension":"ecs:service:DesiredCount","MaxCapacity":9}`)
		byHand(r.t, box, "ecs", "AmazonEC2ContainerServiceV20141113.UpdateService", `{"cluster":"bp","service":"bp-frontend","desiredCount":2}`)
	})
}

func (r *rig) topic(ctx context.Context, cfg aws.Config) string {
	return outputOf(ctx, r.t, cfg, "bp-monitoring", "AlertTopicArn")
}

func (r *rig) physical(stack, id string) (physical string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		out, err := cloudformation.NewFromConfig(cfg).DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: &stack, LogicalResourceId: &id})
		if err != nil {
			r.t.Fatal(err)
		}
		physical = *out.StackResourceDetail.PhysicalResourceId
	})
	return physical
}

// What somebody changes beside the program shows, exactly that, and is put back.
func TestDriftStory(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	report, names := r.drift("")
	if len(names) > 0 || len(report.New) > 0 || len(report.Expected) == 0 || len(report.Coverage.Looked) < 12 {
		t.Fatalf("drift right after apply: %v; %+v", names, report.Coverage)
	}
	r.want(0, "drift --detailed-exitcode", "No drift", "Looked at", "Not looked at")
	r.handEdits()
	want := []string{
		"bp-compute/BackendScaling MaxCapacity",
		"bp-data/Database BackupRetentionPeriod",
		"bp-data/ModelsBucket VersioningConfiguration.Status",
		"bp-data/ModelsBucketParameter Value",
		"bp-gpu-fleet-production-gpu-default/LaunchTemplate LaunchTemplateData.ImageId",
		"bp-gpu-fleet-staging-gpu-default/ErrorRate Threshold",
		"bp-gpu-fleet-staging-gpu-default/Group MaxSize",
		"bp-gpu-fleet-staging-gpu-default/QueueDeep deleted",
		"bp-network/AlbSecurityGroup SecurityGroupIngress[2]",
	}
	if _, names := r.drift(""); cmp.Diff(want, names) != "" {
		t.Errorf("drift: %s", cmp.Diff(want, names))
	}
	r.want(2, "drift --detailed-exitcode", "9 differences", "MaxSize: 12, deployed was 10", "deleted by hand", "203.0.113.0/24")
	if s := r.want(0, "drift -o markdown", "| `bp-data/Database` | `BackupRetentionPeriod` | `3` | `7` |"); strings.Contains(s.out, "\x1b") {
		t.Error("escapes in Markdown")
	}
	r.want(0, "drift --stack bp-data", "3 differences")
	r.want(4, "drift --fix", "no terminal")
	r.want(4, "drift --fix --yes", "stack bp-data: put back what was deployed", "4 steps done", "delete-launch-template-versions --launch-template-name lt-production-gpu-default", "1 difference not put back")
	if _, names := r.drift(""); cmp.Diff(want[4:5], names) != "" {
		t.Errorf("after the fix: %v", names)
	}
	r.want(0, "drift --detect", "CloudFormation's own detection was asked")
	// The autoscaler's two tasks are still there.
	report, _ = r.drift("")
	if !slices.ContainsFunc(report.Expected, func(f drift.Finding) bool {
		return f.Resource == "FrontendService" && f.Path == "Properties.DesiredCount" && f.Live == 2.0 || f.Live == "2"
	}) {
		t.Errorf("the fix touched what the autoscaler owns: %+v", report.Expected)
	}
}

// What was put back three times in a day and changed again is somebody else's too.
func TestDriftFlapping(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	const config = "/bp/fleets/staging/gpu-default/desired_config" // no stack has it
	edit := func() {
		r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
			put(ctx, t, cfg, "/bp/models/bucket", "by-hand")
			put(ctx, t, cfg, config, "{}")
		})
	}
	for range flapping {
		edit()
		r.want(0, "drift --fix --yes", "done")
	}
	edit()
	said := r.want(4, "drift --fix --yes", "bp-data/ModelsBucketParameter was put back 3 times in 24 hours", config+" was put back 3 times in 24 hours", "something else owns it too", "2 differences not put back")
	if got := r.parameter("/bp/models/bucket") + r.parameter(config); got != "by-hand{}" {
		t.Errorf("put back a fourth time: %s\n%s", got, said.all())
	}
}

// What no reading of ours covers, CloudFormation's detection finds, and the same
// command with --fix puts it back; without --detect it is said to be unknown.
func TestDriftThatOnlyDetectionFinds(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.want(0, "sandbox mutate bp-network/PublicSubnet1 /MapPublicIpOnLaunch false")
	r.want(0, "sandbox mutate bp-gpu-fleet-staging-gpu-default/WorkerRole /Policies/0/PolicyName mine")
	r.want(0, "drift --detailed-exitcode", "No drift", "drift --detect asks CloudFormation")
	r.want(0, "drift --fix --yes", "No changes", "reconcile drift --detect --fix asks CloudFormation about them")
	said := r.want(2, "drift --detect --detailed-exitcode", "2 differences", "MapPublicIpOnLaunch: false, deployed was true", "found by CloudFormation's own detection", "--detect --fix", "--detect --accept")
	said.saysNot(t, "--sandbox --fix")
	r.want(0, "drift --detect --fix --yes", `MapPublicIpOnLaunch = false -> true`, "2 steps done")
	r.want(0, "drift --detect --detailed-exitcode", "No drift")
}

// What a field of the specs decides is accepted by editing that field alone.
func TestDriftAccept(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, box *sandbox.Sandbox, cfg aws.Config) {
		byHand(t, box, "application-autoscaling", "AnyScaleFrontendService.RegisterScalableTarget", `{"ServiceNamespace":"ecs","ResourceId":"service/bp/bp-backend","ScalableDimension":"ecs:service:DesiredCount","MaxCapacity":9}`)
		put(ctx, t, cfg, "/bp/models/bucket", "by-hand")
		_, err := autoscaling.NewFromConfig(cfg).UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{
			AutoScalingGroupName: aws.String("asg-staging-gpu-default"), MaxSize: aws.Int32(12)})
		if err != nil {
			t.Fatal(err)
		}
	})
	before, err := os.ReadFile(r.path("specs/platform.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.want(4, "drift --accept", "spec.backend.maxTasks: 4 -> 9", "ModelsBucketParameter Value", "no field of the specs", "production-gpu-default/Group MaxSize too")
	after, err := os.ReadFile(r.path("specs/platform.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(string(before), "maxTasks: 4", "maxTasks: 9", 1); want != string(after) {
		t.Errorf("the file: %s", cmp.Diff(want, string(after)))
	}
	r.want(0, "apply --yes", "MaxCapacity")
	if _, names := r.drift("--stack bp-compute"); len(names) > 0 {
		t.Errorf("after accepting: %v", names)
	}
}

// Right after an apply nothing has drifted, on platforms of every kind; and what
// a drift read costs is bounded: it grows by the stack and by the page.
func TestDriftNothingAfterApply(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"studio-eu", "twenty"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, filepath.Join("testdata", "platforms", name))
			r.want(0, "apply --yes")
			report, names := r.drift("")
			if len(names)+len(report.New) > 0 {
				t.Errorf("drift: %v, new %v", names, report.New)
			}
			if len(report.Coverage.Stacks) > 0 {
				t.Errorf("not compared: %v", report.Coverage.Stacks)
			}
			r.want(0, "drift --detect --detailed-exitcode", "No drift")
			if name == "twenty" {
				s := r.want(0, "drift --stats")
				for call, most := range map[string]int{
					"CloudFormation ListStackResources": 27, "CloudFormation GetTemplate": 0, "Auto Scaling DescribeAutoScalingGroups": 2, "Auto Scaling DescribePolicies": 2,
					"CloudWatch DescribeAlarms": 3, "EC2 DescribeLaunchTemplateVersions": 4, "EC2 DescribeSecurityGroups": 1, "SSM GetParameters": 12,
					"ECS DescribeServices": 1, "RDS DescribeDBInstances": 1, "ElastiCache DescribeCacheClusters": 1, "CloudFormation DetectStackDrift": 0,
				} {
					if got := callsOf(s.err, call); got > most {
						t.Errorf("%s: %d calls, want at most %d\n%s", call, got, most, s.err)
					}
				}
				if got := callsOf(s.err, "total"); got == 0 || got > 130 {
					t.Errorf("%d calls\n%s", got, s.err)
				}
			}
		})
	}
}

// callsOf reads a line of --stats.
func callsOf(stats, name string) int {
	for _, line := range strings.Split(stats, "\n") {
		if words := strings.Join(strings.Fields(line), " "); strings.HasPrefix(words, name+" ") {
			n, _ := strconv.Atoi(strings.Fields(strings.TrimPrefix(words, name))[0])
			return n
		}
	}
	return 0
}

// What the specs ignore is counted and hidden until its day.
func TestDriftIgnore(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		put(ctx, t, cfg, "/bp/models/bucket", "by-hand")
	})
	ignore := func(expires string) string {
		return "\nspec:\n  ignore:\n    - stack: bp-*\n      resource: ModelsBucketParameter\n      path: Value\n      reason: moved by the migration\n      expires: \"" + expires + "\"\n"
	}
	r.edit("\nspec:\n", ignore("2999-01-01"), "specs/platform.yaml")
	r.want(0, "drift --detailed-exitcode", "No drift", "Ignored, as the specs say: 1", "moved by the migration, until 2999-01-01")
	r.edit("2999-01-01", "2020-01-01", "specs/platform.yaml")
	r.want(2, "drift --detailed-exitcode", "1 difference", "expired on 2020-01-01", "specs/platform.yaml:")
}
