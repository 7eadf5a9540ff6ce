package stacks_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

// shipped is the platform of the present system, with its two fleets.
func shipped() spec.Set {
	return spec.Set{
		Digest: "5eed",
		Platform: spec.Platform{
			Meta:    meta("bp", "specs/platform.yaml", 1, platformFields),
			Account: "123456789012", Region: "us-east-1", Owner: "platform-team",
			Alerts:   spec.Alerts{Email: "ops@example.com", MonthlyBudgetUSD: 200},
			Network:  spec.Network{CIDR: "10.0.0.0/16", AvailabilityZones: []string{"us-east-1a", "us-east-1b"}, NATGateways: 1},
			Database: spec.Database{InstanceClass: "db.t4g.medium", EngineVersion: "10.11.16", MultiAZ: true, StorageGiB: 20, MaxStorageGiB: 100, BackupDays: 7},
			Cache:    spec.Cache{NodeType: "cache.t4g.small", EngineVersion: "7.1"},
			Backend:  spec.Service{CPU: 1024, MemoryMiB: 2048, MinTasks: 1, MaxTasks: 4, CPUTargetPercent: 70},
			Frontend: spec.Service{CPU: 512, MemoryMiB: 1024, MinTasks: 1, MaxTasks: 3, CPUTargetPercent: 70},
		},
		Fleets: []spec.Fleet{
			gpuFleet("production", "gpu-default", "g4dn.xlarge", "g5.xlarge"),
			gpuFleet("staging", "gpu-default", "g4dn.xlarge", "g5.xlarge"),
		},
		Templates: []spec.FleetTemplate{
			{Slug: "gpu-default", DisplayName: "Default GPU Fleet", AllowedInstanceTypes: []string{"g4dn.xlarge", "g5.xlarge", "g6e.2xlarge"},
				MaxSize: 10, WarmupSeconds: 300, BacklogTarget: 2, ScaleToZeroMinutes: 15, Source: spec.Source{File: "specs/fleet-templates.json", Line: 2, Column: 3}},
			{Slug: "gpu-p-series", DisplayName: "P-series (H100) Fleet", AllowedInstanceTypes: []string{"p5.48xlarge"},
				MaxSize: 1, WarmupSeconds: 600, BacklogTarget: 2, ScaleToZeroMinutes: 15, Source: spec.Source{File: "specs/fleet-templates.json", Line: 11, Column: 3}},
		},
	}
}

// withTLS is the same platform under a host name.
func withTLS() spec.Set {
	set := shipped()
	set.Platform.Domain = spec.Domain{
		Name:           "app.example.com",
		CertificateARN: "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555",
	}
	return set
}

// onGitHub is the same platform with roles for a repository's workflows.
func onGitHub() spec.Set {
	set := shipped()
	set.Platform.GitHub = &spec.GitHub{
		Repository: "example/platform", OwnerID: "9919", RepositoryID: "1296269", Branch: "main", ApplyEnvironment: "production-infra",
	}
	return set
}

// other is another platform: prefix, account, region, three zones, TLS, no
// fleets, an encrypted cache, a small database.
func other() spec.Set {
	set := shipped()
	p := &set.Platform
	p.Meta = meta("studio-eu", "specs/studio.yaml", 1, platformFields)
	p.Account, p.Region, p.Owner = "210987654321", "eu-central-1", ""
	p.Alerts = spec.Alerts{}
	p.Domain = spec.Domain{
		Name:           "studio.example.org",
		CertificateARN: "arn:aws:acm:eu-central-1:210987654321:certificate/11111111-2222-3333-4444-555555555555",
	}
	p.Network = spec.Network{CIDR: "10.20.0.0/16", AvailabilityZones: []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}, NATGateways: 3}
	p.Database.InstanceClass, p.Database.MultiAZ, p.Database.MaxStorageGiB = "db.t4g.small", false, 20
	p.Cache.Encryption = true
	set.Fleets = nil
	return set
}

// many is the shipped platform with n fleets.
func many(n int) spec.Set {
	set := shipped()
	set.Fleets = nil
	for i := range n {
		stage := []string{"production", "staging"}[i%2]
		f := gpuFleet(stage, fmt.Sprintf("fleet-%03d", i/2), "g4dn.xlarge", "g5.xlarge")
		if i%10 == 9 {
			f.Template, f.InstanceTypes = "gpu-p-series", []string{"p5.48xlarge"}
		}
		set.Fleets = append(set.Fleets, f)
	}
	return set
}

func gpuFleet(stage, slug string, types ...string) spec.Fleet {
	return spec.Fleet{
		Meta:  meta(slug, "specs/fleets.cue", 10, fleetFields),
		Stage: stage, Template: "gpu-default", InstanceTypes: types, Enabled: true,
		Rollout: spec.Rollout{MinHealthyPercent: 90, CheckpointPercent: 25, CheckpointMinutes: 10, BakeMinutes: 5, BusyWorkers: "wait", WatchAlarms: true},
	}
}

var platformFields = []string{
	"metadata.name", "spec.account", "spec.region", "spec.owner", "spec.domain", "spec.domain.name", "spec.domain.certificateArn",
	"spec.alerts", "spec.alerts.email", "spec.alerts.monthlyBudgetUSD",
	"spec.network", "spec.network.cidr", "spec.network.availabilityZones", "spec.network.availabilityZones[0]",
	"spec.network.availabilityZones[1]", "spec.network.availabilityZones[2]", "spec.network.natGateways",
	"spec.database", "spec.database.instanceClass", "spec.database.engineVersion", "spec.database.multiAZ",
	"spec.database.storageGiB", "spec.database.maxStorageGiB", "spec.database.backupDays",
	"spec.cache", "spec.cache.nodeType", "spec.cache.engineVersion", "spec.cache.encryption",
	"spec.backend", "spec.backend.cpu", "spec.backend.memoryMiB", "spec.backend.minTasks", "spec.backend.maxTasks", "spec.backend.cpuTargetPercent",
	"spec.frontend", "spec.frontend.cpu", "spec.frontend.memoryMiB", "spec.frontend.minTasks", "spec.frontend.maxTasks", "spec.frontend.cpuTargetPercent",
	"spec.exceptions[0]", "spec.exceptions[1]",
}

var fleetFields = []string{"spec.template", "spec.instanceTypes", "spec.instanceTypes[0]", "spec.instanceTypes[1]", "spec.bundle", "spec.enabled"}

// meta puts each field on a line of its own.
func meta(name, file string, line int, fields []string) spec.Meta {
	m := spec.Meta{Name: name, Source: spec.Source{File: file, Line: line, Column: 1}, Positions: map[string]spec.Source{}}
	for i, f := range fields {
		m.Positions[f] = spec.Source{File: file, Line: line + i + 1, Column: 3}
	}
	return m
}

func render(t testing.TB, set spec.Set) plan.Desired {
	t.Helper()
	d, err := stacks.Render(set, stacks.Options{Revision: "abc1234"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func stackNamed(t testing.TB, d plan.Desired, name string) plan.Stack {
	t.Helper()
	for _, s := range d.Stacks {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no stack %s", name)
	return plan.Stack{}
}

func resource(t testing.TB, d plan.Desired, stack, id string) cfn.Resource {
	t.Helper()
	r, ok := stackNamed(t, d, stack).Template.Resources[id]
	if !ok {
		t.Fatalf("stack %s has no resource %s", stack, id)
	}
	return r
}

// plain is a value as JSON data, so that tests can compare and walk it.
func plain(t testing.TB, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// at walks plain data: "LaunchTemplateData.UserData", list elements by number.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, ok := v.(map[string]any)
			if !ok {
				t.Fatalf("%v: %T has no key %q", path, v, step)
			}
			v = m[step]
		case int:
			l, ok := v.([]any)
			if !ok || step >= len(l) {
				t.Fatalf("%v: no element %d", path, step)
			}
			v = l[step]
		}
	}
	return v
}

// text joins a string value, references as ${name}.
func text(t testing.TB, v any) string {
	t.Helper()
	s, ok := cfn.Text(v)
	if !ok {
		t.Fatalf("no text: %v", v)
	}
	return s
}
