package cloud_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconcile/pkg/apply"
	"reconcile/pkg/cfn"
	"reconcile/pkg/cloud"
	"reconcile/pkg/plan"
)

// Moto is a second judge: an AWS that nobody here wrote, for what it does well.
func TestOnMoto(t *testing.T) {
	endpoint := startMoto(t)
	for name, test := range map[string]func(*testing.T, *cloud.Cloud, *cloud.Port){
		"parameters and log groups": directStepsOnMoto,
		"a stack":                   stackOnMoto,
		"launch templates":          launchTemplatesOnMoto,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := cloud.Open(t.Context(), cloud.Options{Region: "us-east-1", Endpoint: endpoint, StaticCredentials: true, PollScale: 0.02})
			if err != nil {
				t.Fatal(err)
			}
			p := c.Port(t.Context())
			defer p.Close()
			test(t, c, p)
		})
	}
}

// startMoto runs moto_server for one test. Without it the test is skipped,
// unless RECONCILE_REQUIRE_JUDGES says that every judge must be there.
func startMoto(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("moto_server takes seconds to start")
	}
	path, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("moto_server is missing")
		}
		t.Skip("moto_server is not installed")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	_ = free.Close()
	_, number, _ := net.SplitHostPort(address)
	server := exec.Command(path, "-H", "127.0.0.1", "-p", number)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(100 * time.Millisecond) {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
	}
	t.Fatal("moto_server does not answer")
	return ""
}

func directStepsOnMoto(t *testing.T, _ *cloud.Cloud, p *cloud.Port) {
	const prefix = "/bp/t/"
	for i, value := range []string{"one", "two"} {
		must(t, p, apply.Request{Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: prefix + "x", Type: "String", Value: value, Version: int64(i), Owner: "bp"}})
		got := must(t, p, apply.Request{Op: apply.OpReadParameter, Name: prefix + "x"}).Parameter
		want := &plan.LiveParameter{Type: "String", DataType: "text", Value: value, Version: int64(i + 1)}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(plan.LiveParameter{}, "Modified")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if got, _ := ask(t, p, apply.Request{Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: prefix + "x", Type: "String", Value: "3"}}); got.Err == nil || got.Err.Kind != apply.FailureConflict {
		t.Errorf("a create of one that exists: %+v", got.Err)
	}
	must(t, p, apply.Request{Op: apply.OpPutParameter, Parameter: &plan.ParameterBody{Name: prefix + "secret", Type: "SecureString", Generate: "hex48"}})
	if got := must(t, p, apply.Request{Op: apply.OpReadParameter, Name: prefix + "secret"}).Parameter; got == nil || got.Value != "" {
		t.Errorf("secure: %+v", got)
	}
	must(t, p, apply.Request{Op: apply.OpDeleteParameter, Name: prefix + "x"})
	if got := must(t, p, apply.Request{Op: apply.OpReadParameter, Name: prefix + "x"}).Parameter; got != nil {
		t.Errorf("deleted: %+v", got)
	}
	group := "/gpu-workers" + prefix
	must(t, p, apply.Request{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: group, RetentionDays: 7}})
	must(t, p, apply.Request{Op: apply.OpPutLogGroup, LogGroup: &plan.LogGroupBody{Name: group, RetentionDays: 30}})
	if got := must(t, p, apply.Request{Op: apply.OpReadLogGroup, Name: group}).LogGroup; got == nil || got.RetentionDays != 30 {
		t.Errorf("log group: %+v", got)
	}
	must(t, p, apply.Request{Op: apply.OpDeleteLogGroup, Name: group})
}

// The path that moto's CloudFormation is good at: create, no change, update.
func stackOnMoto(t *testing.T, c *cloud.Cloud, p *cloud.Port) {
	const name = "bp-repositories"
	template := func(tag string) cfn.Template {
		return cfn.Template{AWSTemplateFormatVersion: "2010-09-09", Description: "repositories", Resources: map[string]cfn.Resource{
			"Repo": {Type: "AWS::ECR::Repository", Properties: map[string]any{"RepositoryName": name, "ImageTagMutability": tag}}}}
	}
	create := func(token string, template cfn.Template, fresh bool) *apply.ChangeSet {
		return must(t, p, apply.Request{Op: apply.OpCreateChangeSet, Stack: name, Token: token, Create: &apply.ChangeSetInput{
			Name: "rc-" + name + token, StackName: name, New: fresh, Template: template}}).ChangeSet
	}
	set := create("a", template("MUTABLE"), true)
	want := []apply.Announced{{Resource: "Repo", Type: "AWS::ECR::Repository", Action: "Add"}}
	if diff := cmp.Diff(want, set.Changes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("announced (-want +got)\n%s", diff)
	}
	must(t, p, apply.Request{Op: apply.OpExecuteChangeSet, Stack: set.StackID, ChangeSet: set.ARN})
	live := must(t, p, apply.Request{Op: apply.OpReadStack, Stack: name, Template: true}).Stack
	if live == nil || live.Template == nil || len(live.Template.Resources) != 1 {
		t.Fatalf("live: %+v", live)
	}
	if same := create("b", template("MUTABLE"), false); !same.Empty {
		t.Errorf("no change: %+v", same)
	}
	d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"},
		Stacks: []plan.Stack{{Name: name, Template: template("IMMUTABLE")}},
		Images: []plan.Image{{Repository: name, Tag: "latest", Stack: name}, {Repository: name + "-none", Tag: "latest", Stack: name}},
	}
	read, err := c.Read(context.Background(), d, plan.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if read.Account != "123456789012" || read.Stacks[name].ID != live.ID || read.Images[name+":latest"].Exists {
		t.Errorf("read: %+v", read)
	}
}

// EC2 is asked by hand-made requests: moto parses them as AWS's model says,
// by name and, for more than a few, by the page.
func launchTemplatesOnMoto(t *testing.T, c *cloud.Cloud, p *cloud.Port) {
	resources := map[string]cfn.Resource{}
	for i := range 5 {
		resources[fmt.Sprintf("T%d", i)] = cfn.Resource{Type: "AWS::EC2::LaunchTemplate", Properties: map[string]any{
			"LaunchTemplateName": fmt.Sprintf("lt-%d", i),
			"LaunchTemplateData": map[string]any{"ImageId": fmt.Sprintf("ami-%d", i), "InstanceType": "g4dn.xlarge"}}}
	}
	set := must(t, p, apply.Request{Op: apply.OpCreateChangeSet, Stack: "bp-templates", Create: &apply.ChangeSetInput{
		Name: "rc-templates", StackName: "bp-templates", New: true, Template: cfn.Template{AWSTemplateFormatVersion: "2010-09-09", Resources: resources}}}).ChangeSet
	must(t, p, apply.Request{Op: apply.OpExecuteChangeSet, Stack: set.StackID, ChangeSet: set.ARN})
	for _, n := range []int{2, 5} {
		d := plan.Desired{Target: plan.Target{Platform: "bp", Account: "123456789012", Region: "us-east-1"},
			Stacks: []plan.Stack{{Name: "bp-absent", Template: cfn.Template{Resources: map[string]cfn.Resource{
				"None": {Type: "AWS::EC2::LaunchTemplate", Properties: map[string]any{"LaunchTemplateName": "lt-none"}}}}}}}
		want := map[string]plan.LiveLaunchTemplate{}
		for i := range n {
			id := fmt.Sprintf("T%d", i)
			d.Stacks[0].Template.Resources[id] = resources[id]
			want[fmt.Sprintf("lt-%d", i)] = plan.LiveLaunchTemplate{LatestVersion: 1, DefaultVersion: 1, ImageID: fmt.Sprintf("ami-%d", i), InstanceType: "g4dn.xlarge"}
		}
		live, err := c.Read(context.Background(), d, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, live.LaunchTemplates, cmpopts.IgnoreFields(plan.LiveLaunchTemplate{}, "ID")); diff != "" {
			t.Errorf("%d templates (-want +got)\n%s", n, diff)
		}
	}
}
