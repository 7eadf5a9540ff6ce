package spec_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

// The specs of the repository are the present system's, with its values.
func TestShipped(t *testing.T) {
	set, err := spec.Load(context.Background(), spec.LoadOptions{Dir: "../../cmd/reconcile/testdata/specs", Name: "specs"})
	if err != nil {
		t.Fatal(err)
	}
	got := set.Platform
	got.Meta = spec.Meta{Name: got.Name}
	want := spec.Platform{
		Meta: spec.Meta{Name: "bp"}, Account: "123456789012", Region: "us-east-1", Owner: "platform-team",
		Alerts:   spec.Alerts{Email: "ops@example.com", MonthlyBudgetUSD: 200},
		Network:  spec.Network{CIDR: "10.0.0.0/16", AvailabilityZones: []string{"us-east-1a", "us-east-1b"}, NATGateways: 1},
		Database: spec.Database{InstanceClass: "db.t4g.medium", EngineVersion: "10.11.16", MultiAZ: true, StorageGiB: 20, MaxStorageGiB: 100, BackupDays: 7},
		Cache:    spec.Cache{NodeType: "cache.t4g.small", EngineVersion: "7.1"},
		Backend:  spec.Service{CPU: 1024, MemoryMiB: 2048, MinTasks: 1, MaxTasks: 4, CPUTargetPercent: 70},
		Frontend: spec.Service{CPU: 512, MemoryMiB: 1024, MinTasks: 1, MaxTasks: 3, CPUTargetPercent: 70},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("platform (-want +got)\n%s", diff)
	}
	var ids []string
	for _, f := range set.Fleets {
		ids = append(ids, f.ID())
		if f.Bundle != "" {
			t.Errorf("fleet %s names bundle %s, which nobody has published", f.ID(), f.Bundle)
		}
		if f.Template != "gpu-default" || f.InstanceTypes[0] != "g4dn.xlarge" || !f.Enabled {
			t.Errorf("fleet %s is not the present one: %+v", f.ID(), f)
		}
	}
	if diff := cmp.Diff([]string{"production/gpu-default", "staging/gpu-default"}, ids); diff != "" {
		t.Errorf("fleets (-want +got)\n%s", diff)
	}
	wantFiles := []string{"specs/base-sdxl.yaml", "specs/fleet-templates.json", "specs/fleets.cue", "specs/platform.yaml"}
	if diff := cmp.Diff(wantFiles, set.Files); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
}
