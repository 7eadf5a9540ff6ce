package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// deployedFleet is a sandbox with the stack "fleet".
func deployedFleet(t *testing.T, clk *clock) (*sandbox.Sandbox, *stacks) {
	t.Helper()
	box := open(t, sandbox.Options{Now: clk.now})
	s := newStacks(t, box, clk)
	s.want(s.create("fleet", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	return box, s
}

func set(target, pointer, value string) sandbox.Mutation {
	return sandbox.Mutation{Target: target, Pointer: pointer, Value: json.RawMessage(value)}
}

// drift is what detection finds in the stack "fleet".
func (s *stacks) drift() map[string]string {
	s.t.Helper()
	ctx, name := s.t.Context(), aws.String("fleet")
	if _, err := s.c.DetectStackDrift(ctx, &cloudformation.DetectStackDriftInput{StackName: name}); err != nil {
		s.t.Fatal(err)
	}
	s.clk.pass(10 * time.Minute)
	found := map[string]string{}
	in := &cloudformation.DescribeStackResourceDriftsInput{StackName: name, StackResourceDriftStatusFilters: []cfntypes.StackResourceDriftStatus{cfntypes.StackResourceDriftStatusModified, cfntypes.StackResourceDriftStatusDeleted}}
	for {
		out, err := s.c.DescribeStackResourceDrifts(ctx, in)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, d := range out.StackResourceDrifts {
			text := string(d.StackResourceDriftStatus)
			for _, p := range d.PropertyDifferences {
				text += " " + *p.PropertyPath + " " + *p.ExpectedValue + "→" + *p.ActualValue
			}
			found[*d.LogicalResourceId] = text
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return found
		}
	}
}

// What a hand changes, drift detection finds, whatever keeps it: the service,
// or the sandbox for properties that the service has no use for.
func TestMutateIsDrift(t *testing.T) {
	t.Parallel()
	box, s := deployedFleet(t, newClock())
	for _, m := range []sandbox.Mutation{
		set("fleet/Fleet", "/MaxSize", "9"),
		set("fleet/Fleet", "/DefaultInstanceWarmup", "17"),
		set("fleet/Vpc", "/Tags/0/Value", `"theirs"`),
		set("fleet/Vpc", "/EnableDnsSupport", "false"), // not in the template: no drift,
		set("AWS::SSM::Parameter//bp/models/bucket", "/Value", `"by hand"`),
		{Target: "fleet/Logs", Delete: true},
		{Target: "fleet/Subnet", Delete: true},
	} {
		if _, err := box.Mutate(m); err != nil {
			t.Error(err)
		}
	}
	got := s.drift()
	want := map[string]string{
		"Fleet":     "MODIFIED /DefaultInstanceWarmup 300→17 /MaxSize 4→9",
		"Logs":      "DELETED",
		"Parameter": "MODIFIED /Value bp-models-123456789012→by hand",
		"Subnet":    "DELETED",
		"Vpc":       "MODIFIED /Tags/0/Value bp→theirs",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// The services show the same.
	groups := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(autoscaling.NewFromConfig(config(box)).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{}))
	if g := groups.AutoScalingGroups[0]; *g.MaxSize != 9 || *g.DefaultInstanceWarmup != 17 {
		t.Errorf("the group has MaxSize %d, warm-up %d", *g.MaxSize, *g.DefaultInstanceWarmup)
	}
	p := must[*ssm.GetParameterOutput](t)(ssmClient(box).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/bp/models/bucket")}))
	if *p.Parameter.Value != "by hand" || p.Parameter.Version != 2 {
		t.Errorf("the parameter is %s, version %d", *p.Parameter.Value, p.Parameter.Version)
	}
	// What is gone can neither be updated nor rolled back.
	failed := s.update("fleet", fleetTemplate(t).set("Subnet", "MapPublicIpOnLaunch", true))
	if failed.StackStatus != cfntypes.StackStatusUpdateRollbackFailed {
		t.Error(failed.StackStatus)
	}
	if all := strings.Join(s.reasons(*failed.StackId), "\n"); !strings.Contains(all, "was not found") {
		t.Error(all)
	}
}

// A later update of the template takes a hand's property back, and only that.
func TestTemplateTakesBack(t *testing.T) {
	t.Parallel()
	box, s := deployedFleet(t, newClock())
	for _, m := range []sandbox.Mutation{set("fleet/Vpc", "/CidrBlock", `"10.9.0.0/16"`), set("fleet/Vpc", "/VpcId", `"vpc-1"`)} {
		if _, err := box.Mutate(m); err == nil {
			t.Errorf("%s was set by hand", m.Pointer)
		}
	}
	if _, err := box.Mutate(set("fleet/Fleet", "/MaxSize", "9")); err != nil {
		t.Fatal(err)
	}
	s.want(s.update("fleet", fleetTemplate(t).set("Fleet", "MaxSize", "5")), cfntypes.StackStatusUpdateComplete)
	if d := cmp.Diff(map[string]string{}, s.drift()); d != "" {
		t.Error(d)
	}
}

// A wrong name or value is refused, with the nearest right one.
func TestMutateRefuses(t *testing.T) {
	t.Parallel()
	clk := newClock()
	box, _ := deployedFleet(t, clk)
	for want, m := range map[string]sandbox.Mutation{
		"did you mean fleet?":               set("fleeet/Fleet", "/MaxSize", "9"),
		"did you mean Fleet?":               set("fleet/Flet", "/MaxSize", "9"),
		"did you mean AWS::Logs::LogGroup?": {Target: "AWS::Logs::LogGroups//x", Delete: true},
		"did you mean /ecs/bp-backend?":     {Target: "AWS::Logs::LogGroup//ecs/bp-backnd", Delete: true},
		"names no resource":                 set("fleet", "/MaxSize", "9"),
		"is no JSON pointer":                set("fleet/Fleet", "MaxSize", "9"),
		"did you mean MaxSize?":             set("fleet/Fleet", "/MaxSise", "null"),
		"AWS would refuse this":             set("fleet/Fleet", "/MaxSise", "9"),
		"is AWS's own to set":               set("fleet/Fleet", "/AutoScalingGroupARN", `"x"`),
		"and never again":                   set("fleet/Fleet", "/AutoScalingGroupName", `"x"`),
		"is above max value 4":              {Group: "staging-gpu-default", Size: 5},
		"did you mean staging-gpu-default?": {Group: "staging-gpu-defalt", Size: 1},
		"no instance":                       {Agent: "i-0123456789abcdef0", State: sandbox.AgentLost},
		"online, lost or slow":              {Agent: "i-0123456789abcdef0", State: "away"},
		"is no AMI id":                      {Publish: "ami-xyz"},
		"no AMI":                            {Remove: "ami-0123456789abcdef0"},
		"write REPOSITORY:TAG":              {Publish: "bp-backend"},
		"no repository":                     {Publish: "bp-backnd:v1"},
		"a mutation of nothing":             {},
		"the value is no JSON":              set("fleet/Fleet", "/MaxSize", "{"),
		"the list has the elements 0 to":    set("fleet/Fleet", "/VPCZoneIdentifier/7", `"subnet-1"`),
		"refused: ValidationException":      {Parameter: "a b", Text: "v"},
	} {
		if _, err := box.Mutate(m); !containsText(err, want) {
			t.Errorf("%+v: %v\nwant %q", m, err, want)
		}
	}
}

// Images, parameters, capacity and agents; what is listed can be named.
func TestMutateTheRest(t *testing.T) {
	t.Parallel()
	clk := newClock()
	box, s := deployedFleet(t, clk)
	client := ecr.NewFromConfig(config(box))
	must[*ecr.CreateRepositoryOutput](t)(client.CreateRepository(t.Context(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("web")}))
	image := func() error {
		_, err := client.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: aws.String("web"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("v1")}}})
		return err
	}
	do := func(m sandbox.Mutation) string {
		t.Helper()
		return must[string](t)(box.Mutate(m))
	}
	do(sandbox.Mutation{Publish: "web:v1"})
	if err := image(); err != nil {
		t.Error(err)
	}
	do(sandbox.Mutation{Remove: "web:v1"})
	wantCode(t, image(), "ImageNotFoundException")
	do(sandbox.Mutation{Publish: "ami-0123456789abcdef0"})
	do(sandbox.Mutation{Parameter: "/bp/ami/fleets/staging/other", Text: "ami-0123456789abcdef0"})
	do(sandbox.Mutation{Remove: "ami-0123456789abcdef0"})
	do(sandbox.Mutation{Group: "staging-gpu-default", Size: 2})
	groups := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(autoscaling.NewFromConfig(config(box)).DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{}))
	if n := len(groups.AutoScalingGroups[0].Instances); n != 2 {
		t.Fatalf("%d instances", n)
	}
	do(sandbox.Mutation{Agent: *groups.AutoScalingGroups[0].Instances[0].InstanceId, State: sandbox.AgentLost})
	list, err := box.LiveResources("")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 10 {
		t.Errorf("%d resources listed", len(list))
	}
	for _, l := range list {
		for _, target := range []string{l.Stack + "/" + l.LogicalID, l.Type + "/" + l.PhysicalID} {
			if _, err := box.LiveProperties("", target); err != nil {
				t.Error(target, err)
			}
		}
	}
	if d := cmp.Diff(map[string]string{}, s.drift()); d != "" {
		t.Errorf("the autoscaler's and the images' work is drift: %s", d)
	}
}
