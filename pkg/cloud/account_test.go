package cloud

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
)

// fleetAccount is an account with n fleets in which nothing changed, in pages
// of AWS's sizes.
type fleetAccount struct {
	d      plan.Desired
	stacks []string // members of ListStacks
}

const (
	stacksPerPage = 100
	fleetDigits   = "%05d"
)

func newFleetAccount(t *testing.T, n int) *fleetAccount {
	f := &fleetAccount{d: plan.Desired{Target: plan.Target{Platform: "bp", Account: account, Region: "us-east-1"}}}
	network := plan.Stack{Name: "bp-network", Template: cfn.Template{
		Resources: map[string]cfn.Resource{"Vpc": {Type: "AWS::EC2::VPC", Properties: map[string]any{"CidrBlock": "10.0.0.0/16"}}},
		Outputs:   map[string]cfn.Output{"VpcId": {Value: cfn.LogicalRef("Vpc")}}}}
	f.add(t, network)
	for i := range n {
		slug := "f" + fmt.Sprintf(fleetDigits, i)
		ami := "/bp/ami/fleets/staging/" + slug
		f.add(t, plan.Stack{Name: "bp-gpu-fleet-staging-" + slug, Fleet: "staging/" + slug, Group: "asg-staging-" + slug, Template: cfn.Template{
			Resources: map[string]cfn.Resource{
				"Group": {Type: "AWS::AutoScaling::AutoScalingGroup", Properties: map[string]any{
					"AutoScalingGroupName": "asg-staging-" + slug, "MinSize": "0", "MaxSize": "10",
					"VPCZoneIdentifier": []any{cfn.StackOutput("bp-network", "VpcId")}}},
				"Template": {Type: "AWS::EC2::LaunchTemplate", Properties: map[string]any{
					"LaunchTemplateName": "lt-staging-" + slug, "LaunchTemplateData": map[string]any{"ImageId": cfn.ParameterValue(ami)}}},
			}}})
		f.d.Fleets = append(f.d.Fleets, plan.Fleet{ID: "staging/" + slug, Stack: "bp-gpu-fleet-staging-" + slug,
			Group: "asg-staging-" + slug, MaxSize: 10, AMIParameter: ami})
		f.d.Parameters = append(f.d.Parameters,
			plan.Parameter{Name: "/bp/fleets/staging/" + slug + "/desired_config", Type: "String", Value: "v", Policy: plan.PolicyOwn, Fleet: "staging/" + slug},
			plan.Parameter{Name: "/bp/fleets/staging/" + slug + "/active_bundle", Type: "String", Value: "none", Policy: plan.PolicyCreate, Fleet: "staging/" + slug})
	}
	return f
}

// add deploys a stack: it is desired, and live with the digest that it has now.
func (f *fleetAccount) add(t *testing.T, s plan.Stack) {
	t.Helper()
	resolved := cfn.ResolveTemplate(s.Template, func(r cfn.Ref) (string, bool) {
		if r.Stack != "" {
			return "vpc-1", true
		}
		return "v", true
	})
	digest, err := cfn.DigestOf(resolved, s.Tags, nil)
	if err != nil {
		t.Fatal(err)
	}
	f.d.Stacks = append(f.d.Stacks, s)
	f.stacks = append(f.stacks, fmt.Sprintf(`<member><StackName>%s</StackName><StackId>arn:aws:cloudformation:us-east-1:%s:stack/%s/id</StackId><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-23T10:00:00Z</CreationTime><TemplateDescription>%s</TemplateDescription></member>`,
		s.Name, account, s.Name, cfn.Seal(resolved, "bp", digest, "").Description))
}

// cut is one page of a list.
func cut(token string, size, total int) (from, to int, next string) {
	from, _ = strconv.Atoi(token)
	to = min(from+size, total)
	if to < total {
		next = strconv.Itoa(to)
	}
	return from, to, next
}

func (f *fleetAccount) handlers() map[string]func(ask) answer {
	names := func(a ask, key string) (out []string) {
		for i := 1; a.form.Get(fmt.Sprintf("%s.member.%d", key, i)) != ""; i++ {
			out = append(out, a.form.Get(fmt.Sprintf("%s.member.%d", key, i)))
		}
		return out
	}
	return map[string]func(ask) answer{
		"GetCallerIdentity": identity(account),
		"ListStacks": func(a ask) answer {
			if filter := strings.Join(names(a, "StackStatusFilter"), " "); !strings.Contains(filter, "UPDATE_ROLLBACK_FAILED") || strings.Contains(filter, "DELETE_COMPLETE") {
				return refuse("ValidationError", "the deleted stacks of 90 days come too: "+filter)
			}
			from, to, next := cut(a.str("NextToken"), stacksPerPage, len(f.stacks))
			if next != "" {
				next = "<NextToken>" + next + "</NextToken>"
			}
			return answer{body: query("ListStacks", "<StackSummaries>"+strings.Join(f.stacks[from:to], "")+"</StackSummaries>"+next)}
		},
		"DescribeStacks": func(a ask) answer {
			outputs := `<Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-1</OutputValue></member></Outputs></member>`
			for _, s := range f.stacks {
				if strings.Contains(s, "<StackName>"+stackName(a.str("StackName"))+"</StackName>") {
					return answer{body: query("DescribeStacks", "<Stacks>"+strings.Replace(strings.ReplaceAll(s, "TemplateDescription", "Description"), "</member>", outputs, 1)+"</Stacks>")}
				}
			}
			return refuse("ValidationError", "Stack with id "+a.str("StackName")+" does not exist")
		},
		"GetParameters": func(a ask) answer {
			if a.json["WithDecryption"] != false {
				return refuseJSON("AccessDeniedException", "the plan role cannot decrypt")
			}
			var found []string
			for _, n := range a.json["Names"].([]any) {
				value := "v"
				if strings.HasSuffix(n.(string), "/active_bundle") {
					value = "none"
				}
				found = append(found, fmt.Sprintf(`{"Name":%q,"Type":"String","DataType":"text","Value":%q,"Version":1}`, n, value))
			}
			return answer{body: `{"Parameters":[` + strings.Join(found, ",") + `]}`}
		},
		"DescribeParameters": func(a ask) answer {
			from, to, next := cut(a.str("NextToken"), 50, len(f.d.Parameters))
			var found []string
			for _, p := range f.d.Parameters[from:to] {
				found = append(found, fmt.Sprintf(`{"Name":%q,"Type":"String","Version":1}`, p.Name))
			}
			return answer{body: fmt.Sprintf(`{"Parameters":[%s],"NextToken":%q}`, strings.Join(found, ","), next)}
		},
		"DescribeAutoScalingGroups": func(a ask) answer {
			var found strings.Builder
			for _, n := range names(a, "AutoScalingGroupNames") {
				fmt.Fprintf(&found, `<member><AutoScalingGroupName>%s</AutoScalingGroupName><MinSize>0</MinSize><MaxSize>10</MaxSize><DesiredCapacity>0</DesiredCapacity></member>`, n)
			}
			return answer{body: query("DescribeAutoScalingGroups", "<AutoScalingGroups>"+found.String()+"</AutoScalingGroups>")}
		},
		"DescribeLaunchTemplateVersions": func(a ask) answer {
			var from, to int
			var next string
			if name := a.str("LaunchTemplateName"); name != "" {
				from, _ = strconv.Atoi(strings.TrimPrefix(name, "lt-staging-f"))
				to = from + 1
			} else {
				from, to, next = cut(a.str("NextToken"), 200, len(f.d.Fleets))
			}
			var found strings.Builder
			for i := from; i < to; i++ {
				fmt.Fprintf(&found, `<item><launchTemplateId>lt-%d</launchTemplateId><launchTemplateName>lt-staging-f%05d</launchTemplateName><versionNumber>3</versionNumber><defaultVersion>true</defaultVersion><launchTemplateData><imageId>v</imageId></launchTemplateData></item>`, i, i)
			}
			return answer{body: `<DescribeLaunchTemplateVersionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>x</requestId><launchTemplateVersionSet>` +
				found.String() + `</launchTemplateVersionSet><nextToken>` + next + `</nextToken></DescribeLaunchTemplateVersionsResponse>`}
		},
	}
}
