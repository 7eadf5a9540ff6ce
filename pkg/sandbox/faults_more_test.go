package sandbox_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/sandbox/stackengine"
)

// After a write, so many reads do not see it yet, in every process; however
// many writes follow each other, reads catch up.
func TestStaleReads(t *testing.T) {
	t.Parallel()
	path := stateFile(t)
	one := open(t, sandbox.Options{Path: path})
	two := open(t, sandbox.Options{Path: path})
	write := func(value string) {
		in := put("/x", value)
		in.Overwrite = aws.Bool(true)
		must[*ssm.PutParameterOutput](t)(ssmClient(one).PutParameter(t.Context(), in))
	}
	read := func() string {
		out, err := ssmClient(two).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String("/x")})
		if err != nil {
			wantCode(t, err, "ParameterNotFound")
			return "none"
		}
		return *out.Parameter.Value
	}
	if err := two.AddFault(sandbox.FaultRule{Service: "ssm", Operation: "GetParameter", Fault: sandbox.Fault{Stale: 2}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	write("1")
	got = append(got, read(), read(), read())
	write("2")
	write("3")
	got = append(got, read(), read(), read())
	if d := cmp.Diff([]string{"none", "none", "1", "1", "1", "3"}, got); d != "" {
		t.Error(d)
	}
	write("4")
	if n := must[int](t)(one.ClearFaultsOf("ssm.GetParameter")); n != 1 {
		t.Errorf("cleared %d", n)
	}
	if got := read(); got != "4" {
		t.Error("stale after the fault was cleared:", got)
	}
}

// Chance hits some calls, the same ones under the same seed.
func TestChance(t *testing.T) {
	t.Parallel()
	run := func() (hits []int) {
		s := open(t, sandbox.Options{Seed: "chance"})
		if err := s.AddFault(sandbox.FaultRule{Service: "sts", Chance: 0.2, Times: 15, Fault: sandbox.Fault{Throttle: true}}); err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			if _, err := stsClient(s).GetCallerIdentity(t.Context(), nil); err != nil {
				wantCode(t, err, "Throttling")
				hits = append(hits, i)
			}
		}
		return hits
	}
	one := run()
	if len(one) < 8 || len(one) > 15 {
		t.Errorf("%d of 100 calls hit at a chance of 0.2 and at most 15", len(one))
	}
	if d := cmp.Diff(one, run()); d != "" {
		t.Error(d)
	}
}

// A rule for a stack hits the calls that name it, by name or ARN.
func TestFaultOfAStack(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Options{})
	c := cloudformation.NewFromConfig(config(s))
	id := map[string]*string{}
	for _, name := range []string{"one", "two"} {
		out := must[*cloudformation.CreateStackOutput](t)(c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: &name, TemplateBody: aws.String(oneQueue)}))
		id[name] = out.StackId
	}
	if err := s.AddFault(sandbox.FaultRule{Service: "cloudformation", Stack: "one", Fault: sandbox.Fault{Code: "InternalFailure", Message: "try again", Status: 500}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []*string{aws.String("one"), id["one"]} {
		_, err := c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: name})
		wantCode(t, err, "InternalFailure")
	}
	must[*cloudformation.DescribeStacksOutput](t)(c.DescribeStacks(t.Context(), &cloudformation.DescribeStacksInput{StackName: id["two"]}))
	must[*cloudformation.ListStacksOutput](t)(c.ListStacks(t.Context(), &cloudformation.ListStacksInput{}))
}

// A group launches where there is capacity, says why where there is none, and
// goes on when there is some.
func TestNoCapacity(t *testing.T) {
	t.Parallel()
	clk := newClock()
	box, _ := deployedFleet(t, clk)
	asg := autoscaling.NewFromConfig(config(box))
	if err := box.AddShortage("g4dn.xlarge", "", 0); err != nil {
		t.Fatal(err)
	}
	if err := box.AddShortage("g5.xlarge", "us-east-1b", 1); err != nil {
		t.Fatal(err)
	}
	want := func(n int32) {
		must[*autoscaling.SetDesiredCapacityOutput](t)(asg.SetDesiredCapacity(t.Context(), &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: aws.String("staging-gpu-default"), DesiredCapacity: &n}))
	}
	kinds := func() (out []string) {
		g := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(asg.DescribeAutoScalingGroups(t.Context(), &autoscaling.DescribeAutoScalingGroupsInput{}))
		for _, i := range g.AutoScalingGroups[0].Instances {
			out = append(out, *i.InstanceType)
		}
		return out
	}
	want(1)
	if got := kinds(); len(got) != 0 {
		t.Error("launched without capacity:", got)
	}
	acts := must[*autoscaling.DescribeScalingActivitiesOutput](t)(asg.DescribeScalingActivities(t.Context(), &autoscaling.DescribeScalingActivitiesInput{}))
	if a := acts.Activities[0]; a.StatusCode != "Failed" || !strings.Contains(aws.ToString(a.StatusMessage), "sufficient g4dn.xlarge capacity in the Availability Zone you requested (us-east-1b)") {
		t.Errorf("%s: %s", a.StatusCode, aws.ToString(a.StatusMessage))
	}
	want(1)
	if d := cmp.Diff([]string{"g5.xlarge"}, kinds()); d != "" {
		t.Error(d)
	}
	if _, err := box.ClearFaultsOf("g4dn.xlarge"); err != nil {
		t.Fatal(err)
	}
	want(2)
	if d := cmp.Diff([]string{"g5.xlarge", "g4dn.xlarge"}, kinds()); d != "" {
		t.Error(d)
	}
}

// Names that nothing has are refused, with the nearest that there is; what is
// listed can be cleared.
func TestFaultNames(t *testing.T) {
	t.Parallel()
	s := open(t, sandbox.Options{})
	for want, err := range map[string]error{
		"did you mean PutParameter?":         s.AddFault(sandbox.FaultRule{Service: "ssm", Operation: "PutParamter"}),
		"did you mean secretsmanager?":       s.AddFault(sandbox.FaultRule{Service: "secretmanager"}),
		"of which service?":                  s.AddFault(sandbox.FaultRule{Operation: "PutParameter"}),
		"did you mean AWS::EC2::Subnet?":     s.AddResourceFault("", stackengine.Fault{Type: "AWS::EC2::Subnett", Message: "x"}),
		"has no operation \"PutObjct\", did": s.AddFault(sandbox.FaultRule{Service: "s3", Operation: "PutObjct"}),
	} {
		if !containsText(err, want) {
			t.Errorf("%v\nwant %q", err, want)
		}
	}
	for text, want := range map[string]string{"ssm.": "names no call", "nope": "no service", "sts:GetCallerIdentty": "did you mean GetCallerIdentity?"} {
		if _, _, err := sandbox.ParseCall(text); !containsText(err, want) {
			t.Errorf("%s: %v\nwant %q", text, err, want)
		}
	}
	for _, text := range []string{"stack", "/x", "a/b/c"} {
		if _, err := sandbox.ParseResource(text, ""); !containsText(err, "names no resource") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := sandbox.ParseResource("a/b", "creat"); !containsText(err, "did you mean create?") {
		t.Error(err)
	}
	for _, text := range []string{"AWS::EC2::Subnet", "data/*", "*/Database", "data/Database"} {
		f := must[sandbox.ResourceFault](t)(sandbox.ParseResource(text, "create"))
		f.Message = "no"
		if err := s.AddResourceFault("", f); err != nil {
			t.Fatal(err)
		}
	}
	for _, call := range []string{"*", "ssm", "ssm.PutParameter"} {
		service, operation, err := sandbox.ParseCall(call)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddFault(sandbox.FaultRule{Service: service, Operation: operation, Fault: sandbox.Fault{Delay: time.Millisecond}}); err != nil {
			t.Fatal(err)
		}
	}
	list := s.ListFaults()
	for _, f := range list {
		if n, err := s.ClearFaultsOf(f.Target); n != 1 || err != nil {
			t.Errorf("%s: cleared %d, %v", f.Target, n, err)
		}
	}
	if len(list) != 7 || len(s.ListFaults()) != 0 {
		t.Errorf("listed %+v, left %+v", list, s.ListFaults())
	}
	if _, err := s.ClearFaultsOf("ssm"); !containsText(err, "no fault of") {
		t.Error(err)
	}
}

// The names of S3's operations are those that its requests get.
func TestS3OperationNames(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, name := range sandbox.S3Operations() {
		known[name] = true
	}
	var got []string
	s := open(t, sandbox.Options{Observe: func(e sandbox.Exchange) { got = append(got, e.Operation) }})
	for _, q := range []string{"/b", "/b/k", "/b?uploads", "/b/k?uploadId=1", "/b?versioning", "/b?tagging", "/b?versions", "/b?location", "/b?delete", "/", "/b?list-type=2"} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodHead, http.MethodDelete} {
			r := must[*http.Request](t)(http.NewRequest(method, "http://s3.us-east-1.amazonaws.com"+q, nil))
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
			resp, err := s.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, name := range got {
		if name != "" && !known[name] {
			t.Errorf("%s cannot be named in a fault", name)
		}
	}
}

// Faults that were set before the first plan go over to its account.
func TestFaultsBeforeTheAccount(t *testing.T) {
	t.Parallel()
	path := stateFile(t)
	clk := newClock()
	early := open(t, sandbox.Options{Path: path, Now: clk.now})
	if err := early.AddResourceFault("", stackengine.Fault{Type: "AWS::SQS::Queue", Message: "not today", Times: 1}); err != nil {
		t.Fatal(err)
	}
	box := open(t, sandbox.Options{Path: path, Account: "210987654321", Region: "eu-west-1", Now: clk.now})
	if id, region := box.Account(); id != "210987654321" || region != "eu-west-1" || !box.Fresh() {
		t.Fatal(id, region)
	}
	cfg := config(box)
	cfg.Region = "eu-west-1"
	s := &stacks{t: t, clk: clk, c: cloudformation.NewFromConfig(cfg)}
	out := must[*cloudformation.CreateStackOutput](t)(s.c.CreateStack(t.Context(), &cloudformation.CreateStackInput{StackName: aws.String("s"), TemplateBody: aws.String(oneQueue)}))
	if !strings.HasPrefix(*out.StackId, "arn:aws:cloudformation:eu-west-1:210987654321:") {
		t.Error(*out.StackId)
	}
	s.want(s.settle(*out.StackId), cfntypes.StackStatusRollbackComplete)
	other := open(t, sandbox.Options{Path: path, Account: "111111111111"})
	if id, _ := other.Account(); id != "210987654321" {
		t.Error("an account in use was given away to", id)
	}
}
