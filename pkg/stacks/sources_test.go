package stacks_test

import (
	"slices"
	"strings"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/spec"
)

// edits change one field of the specs each; what then differs must name that
// field's line, and nothing but the listed stacks may differ.
var edits = []struct {
	field  string
	stacks string // those that change, without "bp-"
	change func(*spec.Set)
}{
	{"spec.network.cidr", "network", func(s *spec.Set) { s.Platform.Network.CIDR = "10.9.0.0/16" }},
	{"spec.network.natGateways", "monitoring network", func(s *spec.Set) { s.Platform.Network.NATGateways = 2 }},
	{"spec.network.availabilityZones[1]", "network", func(s *spec.Set) { s.Platform.Network.AvailabilityZones[1] = "us-east-1d" }},
	{"spec.domain", "compute data", func(s *spec.Set) { s.Platform.Domain = withTLS().Platform.Domain }},
	{"spec.alerts.email", "monitoring", func(s *spec.Set) { s.Platform.Alerts.Email = "a@example.com" }},
	{"spec.alerts.monthlyBudgetUSD", "monitoring", func(s *spec.Set) { s.Platform.Alerts.MonthlyBudgetUSD = 5 }},
	{"spec.database.instanceClass", "data", func(s *spec.Set) { s.Platform.Database.InstanceClass = "db.t4g.small" }},
	{"spec.database.multiAZ", "data", func(s *spec.Set) { s.Platform.Database.MultiAZ = false }},
	{"spec.database.storageGiB", "data", func(s *spec.Set) { s.Platform.Database.StorageGiB = 30 }},
	{"spec.database.maxStorageGiB", "data", func(s *spec.Set) { s.Platform.Database.MaxStorageGiB = 300 }},
	{"spec.database.backupDays", "data", func(s *spec.Set) { s.Platform.Database.BackupDays = 9 }},
	{"spec.database.engineVersion", "data", func(s *spec.Set) { s.Platform.Database.EngineVersion = "10.11.17" }},
	{"spec.cache.nodeType", "data", func(s *spec.Set) { s.Platform.Cache.NodeType = "cache.t4g.medium" }},
	{"spec.cache.engineVersion", "data", func(s *spec.Set) { s.Platform.Cache.EngineVersion = "7.0" }},
	{"spec.cache.encryption", "compute data", func(s *spec.Set) { s.Platform.Cache.Encryption = true }},
	{"spec.backend.cpu", "compute", func(s *spec.Set) { s.Platform.Backend.CPU = 2048 }},
	{"spec.backend.memoryMiB", "compute", func(s *spec.Set) { s.Platform.Backend.MemoryMiB = 4096 }},
	{"spec.backend.minTasks", "compute", func(s *spec.Set) { s.Platform.Backend.MinTasks = 2 }},
	{"spec.backend.maxTasks", "compute", func(s *spec.Set) { s.Platform.Backend.MaxTasks = 9 }},
	{"spec.backend.cpuTargetPercent", "compute", func(s *spec.Set) { s.Platform.Backend.CPUTargetPercent = 50 }},
	{"spec.frontend.cpu", "compute", func(s *spec.Set) { s.Platform.Frontend.CPU = 1024 }},
	{"spec.frontend.maxTasks", "compute", func(s *spec.Set) { s.Platform.Frontend.MaxTasks = 9 }},
	{"spec.owner", "gpu-fleet-production-gpu-default gpu-fleet-staging-gpu-default", func(s *spec.Set) { s.Platform.Owner = "others" }},
	{"spec.exceptions[0]", "network", exception("vpc-flow-log")},
	{"spec.exceptions[0]", "cicd", exception("ecr-scan-on-push")},
	{"spec.exceptions[0]", "compute data", exception("alb-access-logs")},
	{"spec.exceptions[0]", "compute", exception("alb-drop-invalid-headers")},
	{"spec.exceptions[0]", "data", exception("s3-access-logs")},
	{"spec.exceptions[0]", "data", exception("rds-iam-authentication")},
	{"spec.exceptions[0]", "data", exception("rds-error-log")},
	{"spec.exceptions[0]", "compute", exception("ecs-container-insights")},
	{"spec.exceptions[0]", "gpu-shared monitoring", exception("sns-tls-only")},
	{"", "", exception("redis-encryption")},
}

func exception(rule string) func(*spec.Set) {
	return func(s *spec.Set) {
		s.Platform.Exceptions = []spec.Exception{{Rule: rule, Reason: "a test"}}
	}
}

func TestEachChangeNamesItsLine(t *testing.T) {
	for _, e := range edits {
		before, set := shipped(), shipped()
		e.change(&set)
		old, fresh := render(t, before), render(t, set)
		var changed []string
		for _, s := range fresh.Stacks {
			was := stackNamed(t, old, s.Name)
			ds := cfn.Diff(was.Template, s.Template)
			if len(ds) > 0 {
				changed = append(changed, strings.TrimPrefix(s.Name, "bp-"))
			}
			for _, d := range ds {
				// Order follows other changes, and a dashboard shows everything.
				if strings.HasPrefix(d.Path, "DependsOn") || d.Resource == "Dashboard" {
					continue
				}
				got := s.SourceOf(d.Resource, d.Path)
				within := slices.ContainsFunc(platformFields, func(f string) bool {
					return (f == e.field || strings.HasPrefix(f, e.field+".") || strings.HasPrefix(e.field, f+"[")) && set.Platform.At(f) == got
				})
				if !within {
					t.Errorf("%s: %s %s.%s: the plan would name line %d, not %d", e.field, s.Name, d.Resource, d.Path, got.Line, set.Platform.At(e.field).Line)
				}
			}
		}
		if got := strings.Join(changed, " "); got != e.stacks {
			t.Errorf("%s changes %q, not %q", e.field, got, e.stacks)
		}
		for _, p := range plain(t, fresh.Parameters).([]any) {
			if !slices.ContainsFunc(plain(t, old.Parameters).([]any), func(q any) bool { return encodeAny(t, p) == encodeAny(t, q) }) {
				t.Errorf("%s changes parameter %v", e.field, at(t, p, "Name"))
			}
		}
	}
}

func TestEachFleetChangeNamesItsLine(t *testing.T) {
	set := shipped()
	set.Fleets[1].InstanceTypes = []string{"g4dn.xlarge", "g6e.2xlarge"}
	s := stackNamed(t, render(t, set), fleetName)
	ds := cfn.Diff(stackNamed(t, render(t, shipped()), fleetName).Template, s.Template)
	if len(ds) != 1 || s.SourceOf(ds[0].Resource, ds[0].Path) != set.Fleets[1].At("spec.instanceTypes[1]") {
		t.Errorf("%v from %v", ds, s.SourceOf(ds[0].Resource, ds[0].Path))
	}
	set = shipped()
	for i := range set.Templates {
		set.Templates[i].MaxSize, set.Templates[i].WarmupSeconds = 4, 11
		set.Templates[i].BacklogTarget, set.Templates[i].ScaleToZeroMinutes = 9, 8
	}
	s = stackNamed(t, render(t, set), fleetName)
	for _, d := range cfn.Diff(stackNamed(t, render(t, shipped()), fleetName).Template, s.Template) {
		if got := s.SourceOf(d.Resource, d.Path); got != set.Templates[0].Source {
			t.Errorf("%s.%s names %v", d.Resource, d.Path, got)
		}
	}
}

func encodeAny(t *testing.T, v any) string {
	t.Helper()
	b, err := cfn.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestNoEditReplacesANamedThing: CloudFormation creates the new one first, and
// it would meet the name of the old one. The one exception cannot be had in any
// tool: a subnet cannot move to another zone and keep its range. The plan
// refuses that edit.
func TestNoEditReplacesANamedThing(t *testing.T) {
	for _, e := range edits {
		set := shipped()
		e.change(&set)
		old, fresh := render(t, shipped()), render(t, set)
		for _, s := range fresh.Stacks {
			was := stackNamed(t, old, s.Name)
			for _, n := range cfn.NamedReplacements(was.Template, s.Template, cfn.Diff(was.Template, s.Template)) {
				if n.Type == "AWS::EC2::Subnet" && e.field == "spec.network.availabilityZones[1]" {
					continue
				}
				t.Errorf("%s: %s: %+v", e.field, s.Name, n)
			}
		}
	}
}

// TestExceptionsAreShown in every plan, and misspelt ones stop it.
func TestExceptionsAreShown(t *testing.T) {
	set := shipped()
	set.Platform.Exceptions = []spec.Exception{
		{Rule: "vpc-flow-log", Reason: "another tool does it", Expires: "2027-01-01"}, {Rule: "vpc-flowlog", Reason: "typo"},
	}
	var got []string
	for _, n := range render(t, set).Notes {
		got = append(got, string(n.Severity)+" "+n.Code+" "+n.Target+": "+n.Message)
		if n.Source.Line == 0 {
			t.Errorf("%s: no place", n.Code)
		}
	}
	for _, want := range []string{
		"note security-exception vpc-flow-log: security default off: another tool does it (until 2027-01-01)",
		"error unknown-rule vpc-flowlog: no security default has this name; there are alb-access-logs, alb-drop-invalid-headers, ecr-scan-on-push, ecs-container-insights, rds-error-log, rds-iam-authentication, redis-encryption, s3-access-logs, sns-tls-only, vpc-flow-log",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %q in %q", want, got)
		}
	}
}
