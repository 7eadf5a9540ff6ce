package stacks_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

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

// TestNewAccountHasItsECSRoleInTime: the account's first cluster creates ECS's
// service-linked role, and the capacity providers need it some seconds later.
// The load balancer takes minutes, and the services wait for it anyway.
func TestNewAccountHasItsECSRoleInTime(t *testing.T) {
	for name, set := range platforms() {
		s := stackNamed(t, render(t, set), set.Platform.Name+"-compute")
		edges := s.Template.Dependencies()
		for _, want := range []string{"Cluster", "Alb"} {
			if !slices.Contains(edges["ClusterCapacity"], want) {
				t.Errorf("%s: capacity does not wait for %s: %v", name, want, edges["ClusterCapacity"])
			}
		}
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
