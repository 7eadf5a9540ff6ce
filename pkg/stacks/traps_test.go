package stacks_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/awstype"
	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// The tests below hold docs/traps.md: what the present system's templates do
// wrong, ours must not do. Scaling and scripts have files of their own.

func TestGroupTakesAllInstanceTypes(t *testing.T) {
	p := plain(t, resource(t, render(t, shipped()), fleetName, "Group").Properties)
	overrides := at(t, p, "MixedInstancesPolicy", "LaunchTemplate", "Overrides")
	want := plain(t, []any{map[string]any{"InstanceType": "g4dn.xlarge"}, map[string]any{"InstanceType": "g5.xlarge"}})
	if diff := cmp.Diff(want, overrides); diff != "" {
		t.Errorf("overrides, in the order of priority:\n%s", diff)
	}
	if got := at(t, p, "MixedInstancesPolicy", "InstancesDistribution", "SpotAllocationStrategy"); got != "capacity-optimized-prioritized" {
		t.Errorf("strategy %v", got)
	}
}

func TestImageIsPinned(t *testing.T) {
	d := render(t, shipped())
	for _, s := range fleetStacks(d) {
		data := at(t, plain(t, s.Template.Resources["LaunchTemplate"].Properties), "LaunchTemplateData")
		ref, ok := cfn.AsRef(at(t, data, "ImageId"))
		if want := "/bp/ami/fleets/" + s.Fleet; !ok || ref.Parameter != want {
			t.Errorf("%s: image %v, not the resolved value of %s", s.Name, at(t, data, "ImageId"), want)
		}
		group := plain(t, s.Template.Resources["Group"].Properties)
		version := at(t, group, "MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification", "Version")
		if diff := cmp.Diff(plain(t, cfn.GetAtt("LaunchTemplate", "LatestVersionNumber")), version); diff != "" {
			t.Errorf("%s: version is no number:\n%s", s.Name, diff)
		}
		if b, _ := json.Marshal(s.Template); strings.Contains(string(b), "resolve:ssm") || strings.Contains(string(b), "$Latest") {
			t.Errorf("%s: an alias makes rollback impossible", s.Name)
		}
	}
}

func TestLogGroupIsSharedByTheStages(t *testing.T) {
	d := render(t, shipped())
	want := []plan.LogGroup{{Name: "/gpu-workers/gpu-default", RetentionDays: 30, Source: d.Fleets[0].Source}}
	if diff := cmp.Diff(want, d.LogGroups); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	set := shipped()
	set.Fleets = set.Fleets[1:] // staging alone
	if got := render(t, set).LogGroups; len(got) != 1 || got[0].RetentionDays != 7 {
		t.Errorf("staging alone: %v", got)
	}
	for _, s := range fleetStacks(d) {
		for id, r := range s.Template.Resources {
			if r.Type == "AWS::Logs::LogGroup" {
				t.Errorf("%s/%s: two stages would create it", s.Name, id)
			}
		}
		if !slices.Contains(s.After, plan.ID(plan.KindLogGroup, "/gpu-workers/gpu-default")) {
			t.Errorf("%s does not wait for its log group: %v", s.Name, s.After)
		}
	}
}

func TestStatefulResourcesSurviveAndCanBeRetried(t *testing.T) {
	for name, set := range platforms() {
		for _, s := range render(t, set).Stacks {
			for id, r := range s.Template.Resources {
				kept := slices.Contains(s.Stateful, id)
				if kept && (r.DeletionPolicy != "RetainExceptOnCreate" || r.UpdateReplacePolicy != "Retain") {
					t.Errorf("%s: %s/%s: %q, %q", name, s.Name, id, r.DeletionPolicy, r.UpdateReplacePolicy)
				}
				if !kept && strings.HasPrefix(r.DeletionPolicy, "Retain") {
					t.Errorf("%s: %s/%s is kept and not listed as stateful", name, s.Name, id)
				}
				if awstype.Stateful(r.Type) && !kept && !replaceable[r.Type] {
					t.Errorf("%s: %s/%s (%s) can be lost", name, s.Name, id, r.Type)
				}
			}
		}
	}
	data := stackNamed(t, render(t, shipped()), "bp-data").Template.Resources
	if data["MasterSecret"].DeletionPolicy != data["Database"].DeletionPolicy {
		t.Error("a database is of no use without its password")
	}
}

// replaceable are types that hold data which the platform can do without.
var replaceable = map[string]bool{
	"AWS::ECR::Repository":               true, // images are built again
	"AWS::ElastiCache::CacheCluster":     true, // sessions and cache
	"AWS::ElastiCache::ReplicationGroup": true,
	"AWS::Logs::LogGroup":                true, // they expire anyway
}

// TestDatabaseIsCreatedLast: it is protected from deletion, so nothing may
// fail after it in the first creation.
func TestDatabaseIsCreatedLast(t *testing.T) {
	for name, set := range platforms() {
		s := stackNamed(t, render(t, set), set.Platform.Name+"-data")
		edges := s.Template.Dependencies()
		before := map[string]bool{}
		var visit func(string)
		visit = func(id string) {
			for _, e := range edges[id] {
				if !before[e] {
					before[e] = true
					visit(e)
				}
			}
		}
		visit("Database")
		for id := range s.Template.Resources {
			if id != "Database" && id != "DatabaseSecretAttachment" && !before[id] {
				t.Errorf("%s: %s may fail after the database", name, id)
			}
		}
		if !s.Protect {
			t.Errorf("%s: %s is not protected from termination", name, s.Name)
		}
	}
}

func TestWorkerMayTouchOnlyItsOwnFleet(t *testing.T) {
	for _, s := range fleetStacks(render(t, shipped())) {
		stage, slug, _ := strings.Cut(s.Fleet, "/")
		role := plain(t, s.Template.Resources["WorkerRole"].Properties)
		denied := map[string]bool{}
		for _, st := range at(t, role, "Policies", 0, "PolicyDocument", "Statement").([]any) {
			actions, resources := fmt.Sprint(at(t, st, "Action")), fmt.Sprint(at(t, st, "Resource"))
			if at(t, st, "Effect") == "Deny" {
				denied[actions+" "+resources] = true
				continue
			}
			switch {
			case strings.Contains(actions, "autoscaling"):
				if want := "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:*:autoScalingGroupName/asg-" + stage + "-" + slug; resources != want {
					t.Errorf("%s: %s on %s", s.Name, actions, resources)
				}
			case strings.Contains(actions, "ssm"):
				want := fmt.Sprintf("[arn:aws:ssm:us-east-1:123456789012:parameter/bp/fleets/%s/fleet-secret arn:aws:ssm:us-east-1:123456789012:parameter/bp/fleets/%s/%s/active_bundle]", stage, stage, slug)
				if resources != want {
					t.Errorf("%s: %s on %s", s.Name, actions, resources)
				}
			case strings.Contains(actions, "PutLogEvents"):
				if !strings.HasSuffix(resources, ":log-group:/gpu-workers/"+slug+":log-stream:"+stage+"/*") {
					t.Errorf("%s: %s on %s", s.Name, actions, resources)
				}
			}
			if resources == "*" {
				t.Errorf("%s: %s on everything", s.Name, actions)
			}
		}
		// AmazonSSMManagedInstanceCore allows reading every parameter.
		other := map[string]string{"staging": "production", "production": "staging"}[stage]
		if want := "ssm:GetParameter* arn:aws:ssm:us-east-1:123456789012:parameter/bp/fleets/" + other + "/*"; !denied[want] {
			t.Errorf("%s: may read the other stage's secret: %v", s.Name, denied)
		}
	}
}

// TestImageBuildersReadNoFleetSecret: whoever AWS's own policy lets read every
// parameter, and who needs no secret, is kept from them.
func TestImageBuildersReadNoFleetSecret(t *testing.T) {
	for name, set := range platforms() {
		for _, s := range render(t, set).Stacks {
			for id, r := range s.Template.Resources {
				if r.Type != "AWS::IAM::Role" || !strings.Contains(fmt.Sprint(r.Properties["ManagedPolicyArns"]), "AmazonSSMManagedInstanceCore") {
					continue
				}
				statements := at(t, plain(t, r.Properties), "Policies", 0, "PolicyDocument", "Statement").([]any)
				if !slices.ContainsFunc(statements, func(st any) bool {
					return at(t, st, "Effect") == "Deny" && at(t, st, "Action") == "ssm:GetParameter*"
				}) {
					t.Errorf("%s: %s/%s may read every parameter", name, s.Name, id)
				}
			}
		}
	}
	role := plain(t, resource(t, render(t, shipped()), "bp-data", "PackerRole").Properties)
	b, err := json.Marshal(at(t, role, "Policies", 0, "PolicyDocument", "Statement"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Action":"ssm:GetParameter*","Effect":"Deny","Resource":"arn:aws:ssm:us-east-1:123456789012:parameter/bp/fleets/*/fleet-secret"}`; !strings.Contains(string(b), want) {
		t.Errorf("%s\nwithout %s", b, want)
	}
}

func TestNamesFollowThePlatform(t *testing.T) {
	d := render(t, other())
	var names []string
	for _, s := range d.Stacks {
		names = append(names, s.Name)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		for _, foreign := range []string{`"bp-`, `/bp/`, "us-east-1", "123456789012", "bp_admin"} {
			if strings.Contains(string(b), foreign) {
				t.Errorf("%s contains %s", s.Name, foreign)
			}
		}
	}
	want := []string{"studio-eu-cicd", "studio-eu-compute", "studio-eu-data", "studio-eu-gpu-shared", "studio-eu-monitoring", "studio-eu-network", "studio-eu-reconcile"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	db := resource(t, d, "studio-eu-data", "Database").Properties
	if db["DBName"] != "studio_eu" || db["MasterUsername"] != "studio_eu_admin" {
		t.Errorf("database %v, user %v", db["DBName"], db["MasterUsername"])
	}
	if subnets := resource(t, d, "studio-eu-compute", "Alb").Properties["Subnets"].([]any); len(subnets) != 3 {
		t.Errorf("%d subnets for three zones", len(subnets))
	}
}

// TestFleetsDoNotChangeThePlatform: deploying a fleet must not undo what
// others configured, so no stack but the dashboards' depends on which fleets there are.
func TestFleetsDoNotChangeThePlatform(t *testing.T) {
	for _, base := range []spec.Set{shipped(), withTLS()} {
		none := base
		none.Fleets = nil
		with, without := render(t, base), render(t, none)
		for _, s := range without.Stacks {
			got := stackNamed(t, with, s.Name)
			if s.Name == "bp-monitoring" {
				delete(got.Template.Resources, "Dashboard")
				delete(s.Template.Resources, "Dashboard")
			}
			if diff := cmp.Diff(plain(t, s.Template), plain(t, got.Template)); diff != "" {
				t.Errorf("%s changes with a fleet:\n%s", s.Name, diff)
			}
			if diff := cmp.Diff(s.Tags, got.Tags); diff != "" {
				t.Errorf("%s: tags change with a fleet:\n%s", s.Name, diff)
			}
		}
	}
}

func TestNoExportsImportsOrParameters(t *testing.T) {
	for name, set := range platforms() {
		for _, s := range render(t, set).Stacks {
			if len(s.Template.Parameters) > 0 || len(s.Template.Rules) > 0 {
				t.Errorf("%s: %s has template parameters", name, s.Name)
			}
			for id, o := range s.Template.Outputs {
				if o.Export != nil {
					t.Errorf("%s: %s exports %s", name, s.Name, id)
				}
			}
			if b, _ := json.Marshal(s.Template); strings.Contains(string(b), "ImportValue") || strings.Contains(string(b), "AWS::SSM::Parameter::Value") {
				t.Errorf("%s: %s imports", name, s.Name)
			}
		}
	}
}

// TestSwitchingTLSKeepsOutputsAndListeners: the switch changes values, never
// what others can read; and no rule has a priority that another has on the
// same listener while both modes exist.
func TestSwitchingTLSKeepsOutputsAndListeners(t *testing.T) {
	plainHTTP, tls := render(t, shipped()), render(t, withTLS())
	for _, s := range plainHTTP.Stacks {
		other := stackNamed(t, tls, s.Name)
		if diff := cmp.Diff(outputNames(s), outputNames(other)); diff != "" {
			t.Errorf("%s: outputs change:\n%s", s.Name, diff)
		}
		named := cfn.NamedReplacements(s.Template, other.Template, cfn.Diff(s.Template, other.Template))
		if len(named) > 0 {
			t.Errorf("%s: replacements that cannot succeed: %v", s.Name, named)
		}
	}
	before := stackNamed(t, plainHTTP, "bp-compute").Template.Resources
	after := stackNamed(t, tls, "bp-compute").Template.Resources
	if before["HttpListener"].Properties["Port"] != 80 || after["HttpListener"].Properties["Port"] != 80 {
		t.Error("port 80 has another logical id: the new listener would meet the old one")
	}
	taken := map[string]string{}
	for _, resources := range []map[string]cfn.Resource{before, after} {
		for id, r := range resources {
			if r.Type != "AWS::ElasticLoadBalancingV2::ListenerRule" {
				continue
			}
			key := fmt.Sprint(r.Properties["ListenerArn"], r.Properties["Priority"])
			if was, ok := taken[key]; ok && was != id {
				t.Errorf("%s and %s have one priority on one listener", was, id)
			}
			taken[key] = id
		}
	}
	redirect := plain(t, after["HttpListener"].Properties)
	if at(t, redirect, "DefaultActions", 0, "RedirectConfig", "StatusCode") != "HTTP_301" {
		t.Errorf("port 80 does not redirect: %v", redirect)
	}
	if p := after["HttpsListener"].Properties["SslPolicy"]; p != "ELBSecurityPolicy-TLS13-1-2-2021-06" {
		t.Errorf("TLS policy %v", p)
	}
}

func outputNames(s plan.Stack) []string {
	var names []string
	for name := range s.Template.Outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
