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
		for _, st := range at(t, role, "Policies", 0, "PolicyDocument", "Statement").([]any) {
			actions, resources := fmt.Sprint(at(t, st, "Action")), fmt.Sprint(at(t, st, "Resource"))
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
	want := []string{"studio-eu-cicd", "studio-eu-compute", "studio-eu-data", "studio-eu-gpu-shared", "studio-eu-monitoring", "studio-eu-network"}
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

func TestCertificateNeedsDomain(t *testing.T) {
	for name, domain := range map[string]spec.Domain{
		"certificate alone": {CertificateARN: "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"},
		"name alone":        {Name: "app.example.com"},
	} {
		set := shipped()
		set.Platform.Domain = domain
		d := render(t, set)
		if got := text(t, stackNamed(t, d, "bp-compute").Template.Outputs["ApiBaseUrl"].Value); got != "http://${Alb.DNSName}" {
			t.Errorf("%s: base URL %s", name, got)
		}
		if d.Certificate != nil {
			t.Errorf("%s: a certificate is waited for", name)
		}
	}
	d := render(t, withTLS())
	if got := text(t, stackNamed(t, d, "bp-compute").Template.Outputs["ApiBaseUrl"].Value); got != "https://app.example.com" {
		t.Errorf("base URL %s", got)
	}
	if d.Certificate == nil || d.Certificate.Stack != "bp-compute" || d.Certificate.Domain != "app.example.com" {
		t.Errorf("certificate %+v", d.Certificate)
	}
}

func TestAlertsFollowTheSpec(t *testing.T) {
	s := stackNamed(t, render(t, shipped()), "bp-monitoring")
	if s.Template.Resources["AlertEmail"].Properties["Endpoint"] != "ops@example.com" {
		t.Error("no e-mail subscription")
	}
	budget := plain(t, s.Template.Resources["Budget"].Properties)
	if at(t, budget, "Budget", "BudgetLimit", "Amount") != 200.0 || len(at(t, budget, "NotificationsWithSubscribers").([]any)) != 2 {
		t.Errorf("budget %v", budget)
	}
	set := shipped()
	set.Platform.Alerts.Email = "others@example.com"
	other := stackNamed(t, render(t, set), "bp-monitoring")
	if named := cfn.NamedReplacements(s.Template, other.Template, cfn.Diff(s.Template, other.Template)); len(named) > 0 {
		t.Errorf("another address needs replacements that cannot succeed: %v", named)
	}
	set.Platform.Alerts = spec.Alerts{MonthlyBudgetUSD: 200}
	for _, id := range []string{"AlertEmail", "Budget"} {
		if _, ok := stackNamed(t, render(t, set), "bp-monitoring").Template.Resources[id]; ok {
			t.Errorf("%s without an address", id)
		}
	}
}

func TestComputeWaitsForImagesAndSecrets(t *testing.T) {
	d := render(t, shipped())
	s := stackNamed(t, d, "bp-compute")
	if !slices.Contains(s.DependsOn, "bp-cicd") {
		t.Errorf("the services do not wait for their registries: %v", s.DependsOn)
	}
	var images []string
	for _, i := range d.Images {
		if i.Stack != "bp-compute" {
			t.Errorf("image %v", i)
		}
		images = append(images, i.Repository+":"+i.Tag)
	}
	if diff := cmp.Diff([]string{"bp-backend:nginx-latest", "bp-backend:php-latest", "bp-frontend:latest"}, images); diff != "" {
		t.Errorf("images:\n%s", diff)
	}
	want := []plan.StepID{
		"parameter/bp/fleets/production/fleet-secret", "parameter/bp/fleets/staging/fleet-secret",
		"secret/bp/laravel/app-key", "secret/bp/oauth/secrets",
	}
	if diff := cmp.Diff(want, s.After); diff != "" {
		t.Errorf("after:\n%s", diff)
	}
}

func TestRegistryKeepsEachImageFamily(t *testing.T) {
	d := render(t, shipped())
	var rules struct {
		Rules []struct {
			RulePriority int
			Selection    struct {
				TagPrefixList []string
				CountNumber   int
			}
		}
	}
	policy := resource(t, d, "bp-cicd", "BackendRepository").Properties["LifecyclePolicy"]
	if err := json.Unmarshal([]byte(text(t, policy.(map[string]any)["LifecyclePolicyText"])), &rules); err != nil {
		t.Fatal(err)
	}
	var families []string
	for i, r := range rules.Rules {
		families = append(families, r.Selection.TagPrefixList...)
		if r.RulePriority != i+1 || r.Selection.CountNumber != 10 {
			t.Errorf("rule %+v", r)
		}
	}
	if diff := cmp.Diff([]string{"nginx-", "php-"}, families); diff != "" {
		t.Errorf("families counted apart:\n%s", diff)
	}
	for _, c := range []string{"nginx", "php-fpm", "scheduler", "queue-worker"} {
		if got := container(t, shipped(), "BackendTask", c)["VersionConsistency"]; got != "enabled" {
			t.Errorf("%s: a rollback would pull the moved tag", c)
		}
	}
}

func TestServicesKeepATaskThroughDeployments(t *testing.T) {
	d := render(t, shipped())
	for _, id := range []string{"BackendService", "FrontendService"} {
		p := plain(t, resource(t, d, "bp-compute", id).Properties)
		if got := at(t, p, "DeploymentConfiguration", "MinimumHealthyPercent"); got != 100.0 {
			t.Errorf("%s: minimum healthy %v", id, got)
		}
		if first := at(t, p, "CapacityProviderStrategy", 0); at(t, first, "CapacityProvider") != "FARGATE" || at(t, first, "Base") != 1.0 {
			t.Errorf("%s: a Spot interruption can take the last task: %v", id, first)
		}
		if at(t, p, "DeploymentConfiguration", "DeploymentCircuitBreaker", "Rollback") != true {
			t.Errorf("%s: no rollback", id)
		}
	}
}

func TestFleetSecretsAreNeverPlaceholders(t *testing.T) {
	d := render(t, other()) // no fleets: the backend's tasks read both all the same
	for _, stage := range []string{"staging", "production"} {
		i := slices.IndexFunc(d.Parameters, func(p plan.Parameter) bool { return p.Name == "/studio-eu/fleets/"+stage+"/fleet-secret" })
		if i < 0 {
			t.Fatalf("%s: no fleet secret", stage)
		}
		p := d.Parameters[i]
		if p.Type != "SecureString" || p.Value != nil || p.Generate != "hex48" || p.Policy != plan.PolicyCreate {
			t.Errorf("%s: %+v", stage, p)
		}
	}
	for name, set := range platforms() {
		b, err := json.Marshal(render(t, set))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "CHANGE_ME") {
			t.Errorf("%s: a placeholder", name)
		}
		for _, s := range render(t, set).Stacks {
			for id, r := range s.Template.Resources {
				if r.Type == "AWS::SSM::Parameter" && strings.Contains(fmt.Sprint(r.Properties["Name"]), "secret") {
					t.Errorf("%s: %s/%s: a secret in a template", name, s.Name, id)
				}
			}
		}
	}
}

func TestUnsetSecretsHaveNoValue(t *testing.T) {
	d := render(t, shipped())
	for _, id := range []string{"LaravelKey", "OAuthSecrets"} {
		p := resource(t, d, "bp-data", id).Properties
		if p["SecretString"] != nil || p["GenerateSecretString"] != nil {
			t.Errorf("%s looks set: %v", id, p)
		}
	}
	want := map[string]string{"/bp/laravel/app-key": "laravel-key", "/bp/oauth/secrets": "oauth-empty"}
	got := map[string]string{}
	for _, s := range d.Secrets {
		got[s.Name] = s.Generate
		if s.Stack != "bp-data" {
			t.Errorf("secret %+v", s)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEngineVersionIsWhole(t *testing.T) {
	p := resource(t, render(t, shipped()), "bp-data", "Database").Properties
	if p["EngineVersion"] != "10.11.16" || p["AutoMinorVersionUpgrade"] != false {
		t.Errorf("version %v, upgrades by AWS %v", p["EngineVersion"], p["AutoMinorVersionUpgrade"])
	}
}

func TestCorsNamesTheFrontend(t *testing.T) {
	for origin, set := range map[string]spec.Set{
		"http://*.us-east-1.elb.amazonaws.com": shipped(), "https://app.example.com": withTLS(),
	} {
		for _, id := range []string{"MediaBucket", "ModelsBucket"} {
			p := plain(t, resource(t, render(t, set), "bp-data", id).Properties)
			if diff := cmp.Diff([]any{origin}, at(t, p, "CorsConfiguration", "CorsRules", 0, "AllowedOrigins")); diff != "" {
				t.Errorf("%s:\n%s", id, diff)
			}
		}
	}
}

func TestAlarmsCoverEveryPart(t *testing.T) {
	d := render(t, shipped())
	var names []string
	for _, s := range d.Stacks {
		for id, r := range s.Template.Resources {
			if r.Type != "AWS::CloudWatch::Alarm" {
				continue
			}
			name := r.Properties["AlarmName"].(string)
			names = append(names, name)
			if r.Properties["AlarmActions"] == nil && !strings.HasSuffix(name, "-queue-has-jobs") {
				t.Errorf("%s/%s tells nobody", s.Name, id)
			}
		}
	}
	slices.Sort(names)
	want := []string{
		"p1-alb-5xx-critical", "p1-backend-unhealthy-hosts", "p1-frontend-unhealthy-hosts", "p1-rds-cpu-critical", "p1-rds-storage-low",
		"p2-alb-5xx-warning", "p2-backend-sidecar-failures", "p2-nat-port-allocation-1", "p2-rds-cpu-warning", "p2-redis-memory",
		"p2-scale-to-zero-errors", "p2-target-5xx-warning",
	}
	for _, stage := range []string{"production", "staging"} {
		want = append(want, stage+"-gpu-default-backlog-without-capacity", stage+"-gpu-default-queue-empty", stage+"-gpu-default-queue-has-jobs",
			stage+"-p2-gpu-default-error-rate", stage+"-p2-gpu-default-metrics-missing", stage+"-p3-gpu-default-queue-deep")
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if p := resource(t, d, "bp-monitoring", "BackendUnhealthy").Properties; p["EvaluationPeriods"].(int) < 3 {
		t.Error("a deployment would page")
	}
	if flow := resource(t, d, "bp-network", "FlowLog").Properties; flow["TrafficType"] != "REJECT" {
		t.Errorf("flow log: %v", flow)
	}
}

// TestNothingIsCarriedAlong: no Lambda, custom resource or asset that the
// platform does not need.
func TestNothingIsCarriedAlong(t *testing.T) {
	var functions []string
	for _, s := range render(t, shipped()).Stacks {
		for id, r := range s.Template.Resources {
			if strings.HasPrefix(r.Type, "Custom::") || r.Type == "AWS::CloudFormation::CustomResource" {
				t.Errorf("%s/%s: %s", s.Name, id, r.Type)
			}
			if r.Type == "AWS::Lambda::Function" {
				functions = append(functions, s.Name+"/"+id)
			}
		}
		if b, _ := json.Marshal(s.Template); strings.Contains(string(b), "aws:cdk") || strings.Contains(string(b), "aws-cdk") {
			t.Errorf("%s: CDK leftovers", s.Name)
		}
	}
	if diff := cmp.Diff([]string{"bp-gpu-shared/ScaleToZero"}, functions); diff != "" {
		t.Errorf("functions:\n%s", diff)
	}
}
