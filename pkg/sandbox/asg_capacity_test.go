package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

var noCapacity = sandbox.FaultRule{Service: "ec2", Operation: "RunInstances", Fault: sandbox.Fault{Code: "InsufficientInstanceCapacity"}}

func (r *refreshes) activities() []types.Activity {
	r.t.Helper()
	return must[*autoscaling.DescribeScalingActivitiesOutput](r.t)(r.c.DescribeScalingActivities(r.t.Context(), &autoscaling.DescribeScalingActivitiesInput{AutoScalingGroupName: aws.String(fleetName)})).Activities
}

// A group without capacity tries again until there is some; the activities say
// why (failure-modes F5).
func TestCapacityThatIsMissing(t *testing.T) {
	r := newRefreshes(t, 0)
	if err := r.box.AddFault(noCapacity); err != nil {
		t.Fatal(err)
	}
	must[*autoscaling.SetDesiredCapacityOutput](t)(r.c.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(fleetName), DesiredCapacity: aws.Int32(2)}))
	r.clk.pass(10 * time.Minute)
	all := r.activities()
	if a := all[0]; len(r.group().Instances) != 0 || len(all) < 5 || a.StatusCode != types.ScalingActivityStatusCodeFailed || !strings.Contains(*a.StatusMessage, "We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone you requested (us-east-1b).") {
		t.Errorf("%d activities, the last %s: %s", len(all), a.StatusCode, aws.ToString(a.StatusMessage))
	}
	if err := r.box.ClearFaults(); err != nil {
		t.Fatal(err)
	}
	r.clk.pass(3 * time.Minute)
	if d := cmp.Diff(map[string]int{"1": 2}, r.versions()); d != "" {
		t.Error(d)
	}
}

// A stack that makes a group waits for its instances, and fails after an hour
// (failure-modes F6). Whoever looks in between changes nothing.
func TestGroupThatDoesNotStabilize(t *testing.T) {
	create := func(box *sandbox.Sandbox, clk *clock) *stacks {
		s := newStacks(t, box, clk)
		m := fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet").set("Fleet", "MinSize", "1")
		must[*cloudformation.CreateStackOutput](t)(s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("fleet"), TemplateBody: m.body(t)}))
		return s
	}
	clk := newClock()
	box := open(t, sandbox.Options{Now: clk.now})
	if err := box.AddFault(noCapacity); err != nil {
		t.Fatal(err)
	}
	began := clk.now()
	s := create(box, clk)
	st := s.settle("fleet")
	s.want(st, cfntypes.StackStatusRollbackComplete)
	if took := clk.now().Sub(began); took < time.Hour {
		t.Errorf("it gave up after %s", took)
	}
	if all := strings.Join(s.reasons(*st.StackId), "\n"); !strings.Contains(all, "Group did not stabilize. {current/minSize/maxSize group size = 0/1/4}. Failed Scaling Activity: We currently do not have sufficient g4dn.xlarge capacity") {
		t.Error(all)
	}

	clk = newClock()
	box = open(t, sandbox.Options{Now: clk.now})
	rule := noCapacity
	rule.Times = 20
	if err := box.AddFault(rule); err != nil {
		t.Fatal(err)
	}
	began = clk.now()
	s = create(box, clk)
	s.want(s.settle("fleet"), cfntypes.StackStatusCreateComplete)
	if took := clk.now().Sub(began); took < 20*time.Minute || took > 30*time.Minute {
		t.Errorf("with capacity after 20 attempts it took %s", took)
	}
}

// What goes on by itself is in the state: another process, and one that reads
// the journal again, see the same.
func TestTimePassesForEveryProcess(t *testing.T) {
	clk := newClock()
	path := stateFile(t)
	one := open(t, sandbox.Options{Now: clk.now, Path: path})
	s := newStacks(t, one, clk)
	rule := noCapacity
	rule.Times = 3
	if err := one.AddFault(rule); err != nil {
		t.Fatal(err)
	}
	s.want(s.create("fleet", fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet").set("Fleet", "MinSize", "2")), cfntypes.StackStatusCreateComplete)
	c := autoscaling.NewFromConfig(config(one))
	must[*autoscaling.StartInstanceRefreshOutput](t)(c.StartInstanceRefresh(t.Context(), &autoscaling.StartInstanceRefreshInput{AutoScalingGroupName: aws.String(fleetName)}))
	look := func(box *sandbox.Sandbox) []string {
		out := must[*autoscaling.DescribeScalingActivitiesOutput](t)(autoscaling.NewFromConfig(config(box)).DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{}))
		var all []string
		for _, a := range out.Activities {
			all = append(all, *a.ActivityId+" "+string(a.StatusCode)+" "+*a.Description)
		}
		return all
	}
	for range 30 {
		clk.pass(20 * time.Second)
		look(one) // this one looks all the time
	}
	two := open(t, sandbox.Options{Now: clk.now, Path: path})
	if d := cmp.Diff(look(one), look(two)); d != "" {
		t.Error(d)
	}
}

// A suspended process does nothing, and catches up when it is resumed.
func TestSuspendedProcesses(t *testing.T) {
	r := newRefreshes(t, 2)
	ctx, name := t.Context(), aws.String(fleetName)
	must[*autoscaling.SuspendProcessesOutput](t)(r.c.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"Launch"}}))
	if g := r.group(); len(g.SuspendedProcesses) != 1 || *g.SuspendedProcesses[0].ProcessName != "Launch" || !strings.HasPrefix(*g.SuspendedProcesses[0].SuspensionReason, "User suspended at 2026-11-23T") {
		t.Errorf("%+v", g.SuspendedProcesses)
	}
	must[*autoscaling.SetDesiredCapacityOutput](t)(r.c.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: name, DesiredCapacity: aws.Int32(4)}))
	r.clk.pass(10 * time.Minute)
	if d := cmp.Diff(map[string]int{"1": 2}, r.versions()); d != "" {
		t.Error(d)
	}
	must[*autoscaling.ResumeProcessesOutput](t)(r.c.ResumeProcesses(ctx, &autoscaling.ResumeProcessesInput{AutoScalingGroupName: name}))
	if d := cmp.Diff(map[string]int{"1": 4}, r.versions()); d != "" {
		t.Error(d)
	}
	_, err := r.c.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: name, ScalingProcesses: []string{"Lunch"}})
	wantCode(t, err, "ValidationError")
}

// An unhealthy instance is replaced, protected from scale-in or not.
func TestUnhealthyInstances(t *testing.T) {
	r := newRefreshes(t, 1)
	ctx, old := t.Context(), *r.group().Instances[0].InstanceId
	r.clk.pass(time.Hour)
	must[*autoscaling.SetInstanceProtectionOutput](t)(r.c.SetInstanceProtection(ctx, &autoscaling.SetInstanceProtectionInput{AutoScalingGroupName: aws.String(fleetName), InstanceIds: []string{old}, ProtectedFromScaleIn: aws.Bool(true)}))
	must[*autoscaling.SetInstanceHealthOutput](t)(r.c.SetInstanceHealth(ctx, &autoscaling.SetInstanceHealthInput{InstanceId: &old, HealthStatus: aws.String("Unhealthy")}))
	r.clk.pass(5 * time.Minute)
	g := r.group()
	if len(g.Instances) != 1 || *g.Instances[0].InstanceId == old || *g.Instances[0].HealthStatus != "Healthy" {
		t.Errorf("%+v", g.Instances)
	}
}

// EC2 lets a launch template go that a group uses; the group then cannot
// launch, and says so.
func TestLaunchTemplateThatIsGone(t *testing.T) {
	r := newRefreshes(t, 0)
	s := newStacks(t, r.box, r.clk)
	m := fleetTemplate(t).only("Vpc", "Subnet", "Group", "Template", "Fleet").set("Fleet", "MaxSize", "10")
	m["Resources"].(map[string]any)["Fleet"].(map[string]any)["DeletionPolicy"] = "Retain"
	s.want(s.update("fleet", m), cfntypes.StackStatusUpdateComplete)
	id := s.settle("fleet").StackId
	must[*cloudformation.DeleteStackOutput](t)(s.c.DeleteStack(t.Context(), &cloudformation.DeleteStackInput{StackName: id}))
	s.settle(*id)
	must[*autoscaling.SetDesiredCapacityOutput](t)(r.c.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String(fleetName), DesiredCapacity: aws.Int32(1)}))
	if a := r.activities()[0]; a.StatusCode != types.ScalingActivityStatusCodeFailed || !strings.Contains(*a.StatusMessage, "does not exist. Launching EC2 instance failed.") {
		t.Errorf("%s: %s", a.StatusCode, aws.ToString(a.StatusMessage))
	}
}
