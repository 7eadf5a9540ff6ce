// Package scaling_test holds what moves a GPU fleet against what it promises:
// the function that sends it to zero is run, and its alarms and policies are
// simulated, both as they are rendered.
package scaling_test

import (
	"encoding/json"
	"os"
	"testing"

	"reconcile/pkg/cfn"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
	"reconcile/pkg/stacks"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

// templates are the backend's fleet templates that the repository ships.
func templates(t testing.TB) []spec.FleetTemplate {
	t.Helper()
	body, err := os.ReadFile("../../../specs/fleet-templates.json")
	if err != nil {
		t.Fatal(err)
	}
	var file []struct {
		Slug    string   `json:"template_slug"`
		Types   []string `json:"allowed_instance_types"`
		Most    int      `json:"max_size"`
		Warmup  int      `json:"warmup_seconds"`
		Backlog int      `json:"backlog_target"`
		Zero    int      `json:"scale_to_zero_minutes"`
	}
	if err := json.Unmarshal(body, &file); err != nil {
		t.Fatal(err)
	}
	var out []spec.FleetTemplate
	for _, f := range file {
		out = append(out, spec.FleetTemplate{
			Slug: f.Slug, AllowedInstanceTypes: f.Types, MaxSize: f.Most, WarmupSeconds: f.Warmup, BacklogTarget: f.Backlog, ScaleToZeroMinutes: f.Zero,
		})
	}
	return out
}

// render renders a platform with one staging fleet per template, of the same name.
func render(t testing.TB, templates ...spec.FleetTemplate) plan.Desired {
	t.Helper()
	set := spec.Set{Templates: templates, Platform: spec.Platform{
		Meta: spec.Meta{Name: "bp"}, Account: account, Region: region,
		Network:  spec.Network{CIDR: "10.0.0.0/16", AvailabilityZones: []string{"us-east-1a", "us-east-1b"}, NATGateways: 1},
		Database: spec.Database{InstanceClass: "db.t4g.medium", EngineVersion: "10.11.16", StorageGiB: 20, MaxStorageGiB: 20, BackupDays: 7},
		Cache:    spec.Cache{NodeType: "cache.t4g.small", EngineVersion: "7.1"},
		Backend:  spec.Service{CPU: 1024, MemoryMiB: 2048, MinTasks: 1, MaxTasks: 4, CPUTargetPercent: 70},
		Frontend: spec.Service{CPU: 512, MemoryMiB: 1024, MinTasks: 1, MaxTasks: 3, CPUTargetPercent: 70},
	}}
	for _, f := range templates {
		set.Fleets = append(set.Fleets, spec.Fleet{
			Meta: spec.Meta{Name: f.Slug}, Stage: "staging", Template: f.Slug, InstanceTypes: f.AllowedInstanceTypes, Enabled: true,
		})
	}
	d, err := stacks.Render(set, stacks.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// resources are a stack's, as plain JSON with its references left open.
func resources(t testing.TB, d plan.Desired, name string) node {
	t.Helper()
	for _, s := range d.Stacks {
		if s.Name == name {
			return data(t, s.Template.Resources)
		}
	}
	t.Fatalf("no stack %s", name)
	return node{}
}

func fleetResources(t testing.TB, d plan.Desired, slug string) node {
	t.Helper()
	return resources(t, d, "bp-gpu-fleet-staging-"+slug)
}

// node is a place in plain JSON data; what is not there fails the test.
type node struct {
	t testing.TB
	v any
}

func data(t testing.TB, v any) node {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return node{t, out}
}

// at goes down by keys.
func (n node) at(keys ...string) node {
	n.t.Helper()
	for _, k := range keys {
		m, ok := n.v.(map[string]any)
		if !ok || m[k] == nil {
			n.t.Fatalf("no %s in %v", k, n.v)
		}
		n.v = m[k]
	}
	return n
}

func (n node) has(key string) bool {
	m, ok := n.v.(map[string]any)
	return ok && m[key] != nil
}

func (n node) list() []node {
	n.t.Helper()
	l, ok := n.v.([]any)
	if !ok {
		n.t.Fatalf("no list: %v", n.v)
	}
	out := make([]node, len(l))
	for i, v := range l {
		out[i] = node{n.t, v}
	}
	return out
}

func (n node) text() string {
	n.t.Helper()
	s, ok := cfn.Text(n.v)
	if !ok {
		n.t.Fatalf("no text: %v", n.v)
	}
	return s
}

func (n node) number() float64 {
	n.t.Helper()
	switch v := n.v.(type) {
	case float64:
		return v
	case string:
		var f float64
		if err := json.Unmarshal([]byte(v), &f); err == nil {
			return f
		}
	}
	n.t.Fatalf("no number: %v", n.v)
	return 0
}
