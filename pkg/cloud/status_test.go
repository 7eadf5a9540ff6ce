package cloud

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

func TestStatus(t *testing.T) {
	arn := func(name string) string { return "arn:aws:ecs:us-east-1:" + account + ":service/bp/" + name }
	synctest.Test(t, func(t *testing.T) {
		f := newFleetAccount(t, 1)
		service := cfn.Resource{Type: "AWS::ECS::Service"}
		f.add(t, plan.Stack{Name: "bp-compute", Template: cfn.Template{Resources: map[string]cfn.Resource{"Backend": service, "Frontend": service, "Gone": service}}})
		f.add(t, plan.Stack{Name: "bp-other", Template: cfn.Template{Resources: map[string]cfn.Resource{"Vpc": {Type: "AWS::EC2::VPC"}}}})
		h := f.handlers()
		one := h["DescribeStacks"]
		h["DescribeStacks"] = func(a ask) answer {
			if a.str("StackName") != "" {
				return one(a)
			}
			outputs := `<Outputs><member><OutputKey>ReconcileRevision</OutputKey><OutputValue>abc</OutputValue></member></Outputs></member>`
			all := strings.ReplaceAll(strings.Join(f.stacks, ""), "TemplateDescription", "Description")
			return answer{body: query("DescribeStacks", "<Stacks>"+strings.ReplaceAll(all, "</member>", outputs)+"</Stacks>")}
		}
		h["ListStackResources"] = func(a ask) answer {
			var b strings.Builder
			for id, name := range map[string]string{"Backend": "bp-backend", "Frontend": "bp-frontend", "Gone": "bp-gone"} {
				fmt.Fprintf(&b, `<member><LogicalResourceId>%s</LogicalResourceId><PhysicalResourceId>%s</PhysicalResourceId><ResourceType>AWS::ECS::Service</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>`, id, arn(name))
			}
			return answer{body: query("ListStackResources", "<StackResourceSummaries>"+b.String()+"</StackResourceSummaries>")}
		}
		h["DescribeServices"] = func(a ask) answer {
			if a.str("cluster") != "bp" {
				t.Errorf("cluster %q", a.str("cluster"))
			}
			return answer{body: fmt.Sprintf(`{"services":[
				{"serviceArn":%q,"serviceName":"bp-backend","status":"ACTIVE","desiredCount":2,"runningCount":2,"deployments":[{"status":"ACTIVE","taskDefinition":"td:1"},{"status":"PRIMARY","taskDefinition":"td:2","rolloutState":"COMPLETED"}]},
				{"serviceArn":%q,"serviceName":"bp-frontend","status":"ACTIVE","desiredCount":1,"runningCount":0,"pendingCount":1,"deployments":[{"status":"PRIMARY","taskDefinition":"td:9","rolloutState":"FAILED","rolloutStateReason":"circuit breaker"}]}],
				"failures":[{"arn":%q,"reason":"MISSING"}]}`, arn("bp-backend"), arn("bp-frontend"), arn("bp-gone"))}
		}
		c, w := open(t, h)
		got, err := c.Status(t.Context(), f.d, plan.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		want := []Service{
			{Stack: "bp-compute", Cluster: "bp", Name: "bp-backend", Status: "ACTIVE", Desired: 2, Running: 2, Rollout: "COMPLETED", TaskDefinition: "td:2"},
			{Stack: "bp-compute", Cluster: "bp", Name: "bp-frontend", Status: "ACTIVE", Desired: 1, Pending: 1, Rollout: "FAILED", RolloutReason: "circuit breaker", TaskDefinition: "td:9"},
			{Stack: "bp-compute", Cluster: "bp", Name: "bp-gone", Status: "MISSING"},
		}
		if diff := cmp.Diff(want, got.Services); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		for i, healthy := range []bool{true, false, false} {
			if got.Services[i].Healthy() != healthy {
				t.Errorf("%s: healthy %v", got.Services[i].Name, !healthy)
			}
		}
		if n := w.count("ListStackResources"); n != 1 {
			t.Errorf("resources of %d stacks were listed, want those of the one with services", n)
		}
		for _, s := range f.d.Stacks {
			if r := got.Live.Stacks[s.Name].Outputs["ReconcileRevision"]; r != "abc" {
				t.Errorf("%s: revision %q", s.Name, r)
			}
		}
	})
}

func TestServiceName(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:ecs:us-east-1:1:service/bp/bp-backend": "bp bp-backend",
		"arn:aws:ecs:us-east-1:1:service/bp-backend":    "default bp-backend",
		"bp-backend": "default bp-backend",
	} {
		if cluster, name := serviceName(arn); cluster+" "+name != want {
			t.Errorf("%s: %s %s", arn, cluster, name)
		}
	}
}
