package stackengine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"reconcile/pkg/sandbox/stackengine"
)

// sample is a template in the manner of the public samples (testdata/samples:
// their idioms, our words), with a change of its text, what the change replaces,
// and a property that somebody edits by hand.
type sample struct {
	file     string
	from, to string
	replaces string // logical ids
	edits    string // logical id
	property string
	value    any
	left     int // things that outlive the stack
}

var samples = []sample{
	{"rolling-group.yaml", "Default: t3.small", "Default: m5.large", "Config", "Group", "MaxSize", "9", 0},
	{"wait-condition.yaml", "Value: builder", "Value: worker", "", "Machine", "Monitoring", true, 0},
	{"loops.yaml", "Status: Suspended", "Status: Enabled", "", "StoreB", "VersioningConfiguration", map[string]any{"Status": "Suspended"}, 3},
	{"cluster-network.yaml", "GroupDescription: The tasks", "GroupDescription: All tasks", "Tasks FromSelf FromDoor", "Net", "EnableDnsHostnames", false, 0},
	{"database.yaml", "BackupRetentionPeriod: 7", "BackupRetentionPeriod: 14", "", "Cluster", "BackupRetentionPeriod", 1, 0},
	{"network-balancer.yaml", `Value: "20"`, `Value: "30"`, "", "Listener", "Port", 81, 0},
	{"table.json", `"WriteCapacityUnits": 5`, `"WriteCapacityUnits": 7`, "", "Table", "ProvisionedThroughput", map[string]any{"ReadCapacityUnits": 99, "WriteCapacityUnits": 7}, 0},
	{"messages.yaml", "VisibilityTimeout: 60", "VisibilityTimeout: 90", "", "Dead", "MessageRetentionPeriod", 60, 0},
	{"function.yaml", "Default: dev", "Default: prod", "", "Function", "MemorySize", 4096, 1},
	{"site.yaml", "NoncurrentDays: 30", "NoncurrentDays: 31", "", "Access", "OriginAccessControlConfig", map[string]any{"Name": "by-hand"}, 1},
}

func newSampleWorld(t *testing.T) *world {
	w := newWorld(t)
	w.e.Exists = func(_, id string) bool { return strings.Contains(id, "-0ccccccccccccccc") }
	w.e.Parameter = func(name, _ string) (string, bool) {
		return "ami-0ddddddddddddddd1", strings.HasPrefix(name, "/aws/service/ami-amazon-linux-latest/")
	}
	return w
}

func readSample(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// deploy creates or updates a stack and plays the machines that tell when they
// are ready.
func (w *world) deploy(name, body string) {
	w.t.Helper()
	if _, err := try[cfn.DescribeStacksOutput](w, &cfn.DescribeStacksInput{StackName: &name}); err != nil {
		must[cfn.CreateStackOutput](w, &cfn.CreateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities})
	} else {
		must[cfn.UpdateStackOutput](w, &cfn.UpdateStackInput{StackName: &name, TemplateBody: &body, Capabilities: allCapabilities})
	}
	for range 20 {
		w.pass(20 * time.Second)
		w.e.Advance(w.t.Context(), w.now)
		waiting := map[string]int{}
		w.e.Locked(func(s *stackengine.State) {
			for id, r := range s.Stacks[s.Names[name]].Resources {
				if r.Awaits != nil {
					waiting[id] = r.Awaits.Count - len(r.Awaits.Success)
				}
			}
		})
		for id, n := range waiting {
			for i := range n {
				must[cfn.SignalResourceOutput](w, &cfn.SignalResourceInput{StackName: &name, LogicalResourceId: &id, UniqueId: ptr(fmt.Sprint("i-", i)), Status: types.ResourceSignalStatusSuccess})
			}
		}
	}
	w.settle()
}

// Templates as others write them are deployed, changed, edited by hand, brought
// back and deleted.
func TestSamples(t *testing.T) {
	for _, s := range samples {
		t.Run(s.file, func(t *testing.T) {
			t.Parallel()
			w := newSampleWorld(t)
			body := readSample(t, s.file)
			w.deploy("sample", body)
			if got := w.status("sample"); got != "CREATE_COMPLETE" {
				t.Fatalf("%s\n%s", got, w.events("sample"))
			}
			if cs := w.change("sample", "none", "UPDATE", body); cs.Status != "FAILED" {
				t.Errorf("the same template changes %d resources", len(cs.Changes))
			}
			next := strings.Replace(body, s.from, s.to, 1)
			if next == body {
				t.Fatalf("the sample has no %q", s.from)
			}
			var replaced []string
			cs := w.change("sample", "next", "UPDATE", next)
			for _, c := range cs.Changes {
				if c.ResourceChange.Replacement == types.ReplacementTrue {
					replaced = append(replaced, *c.ResourceChange.LogicalResourceId)
				}
			}
			if want := strings.Fields(s.replaces); len(replaced) != len(want) || len(cs.Changes) == 0 {
				t.Errorf("the update replaces %v, want %v; %d changes", replaced, want, len(cs.Changes))
			}
			w.deploy("sample", next)
			if got := w.status("sample"); got != "UPDATE_COMPLETE" {
				t.Fatalf("%s\n%s", got, w.events("sample"))
			}
			w.editAndRevert(s, next)
			w.delete("sample")
			if n := len(w.e.State.Items); n != s.left {
				t.Errorf("%d things are left, want %d", n, s.left)
			}
		})
	}
}

// editAndRevert changes one live property, sees it as drift and takes it back.
func (w *world) editAndRevert(s sample, body string) {
	w.t.Helper()
	id := w.e.State.Names["sample"]
	var props map[string]any
	if err := json.Unmarshal(w.e.State.Stacks[id].Resources[s.edits].Properties, &props); err != nil {
		w.t.Fatal(err)
	}
	props[s.property] = s.value
	raw, err := json.Marshal(props)
	if err != nil {
		w.t.Fatal(err)
	}
	w.byHand(s.edits, string(raw))
	if got := w.drifted("sample"); got != s.edits {
		w.t.Errorf("drifted: %q, want %s", got, s.edits)
	}
	out := w.revertDrift("sample", "back", body)
	if out.StackDriftStatus != "DRIFTED" || len(out.Changes) != 1 {
		w.t.Fatalf("the drift-aware change set is %s:\n%s", out.Status, aware(out))
	}
	w.execute(out.ChangeSetId)
	if got := w.drifted("sample"); got != "" {
		w.t.Errorf("drifted after the revert: %s", got)
	}
}

// drifted runs a detection and lists the logical ids that differ.
func (w *world) drifted(stack string) string {
	w.t.Helper()
	must[cfn.DetectStackDriftOutput](w, &cfn.DetectStackDriftInput{StackName: &stack})
	w.settle()
	out := must[cfn.DescribeStackResourceDriftsOutput](w, &cfn.DescribeStackResourceDriftsInput{
		StackName: &stack, StackResourceDriftStatusFilters: []types.StackResourceDriftStatus{types.StackResourceDriftStatusModified, types.StackResourceDriftStatusDeleted},
	})
	var ids []string
	for _, d := range out.StackResourceDrifts {
		ids = append(ids, *d.LogicalResourceId)
	}
	return strings.Join(ids, " ")
}

// Two samples that lean on each other: exports hold the one that gives them.
func TestSamplesThatShare(t *testing.T) {
	w := newSampleWorld(t)
	w.deploy("sample-cluster-network", readSample(t, "cluster-network.yaml"))
	service := readSample(t, "cluster-service.yaml")
	w.deploy("service", service)
	if got := w.status("service"); got != "CREATE_COMPLETE" {
		t.Fatalf("%s\n%s", got, w.events("service"))
	}
	w.delete("sample-cluster-network")
	if got := w.status("sample-cluster-network"); !strings.HasPrefix(got, "CREATE_COMPLETE: Export sample-cluster-network:") || !strings.Contains(got, "in use by service") {
		t.Errorf("the network that is in use: %s", got)
	}
	w.deploy("service", strings.Replace(service, "Default: nginx", "Default: httpd", 1))
	if got := w.status("service"); got != "UPDATE_COMPLETE" {
		t.Errorf("%s\n%s", got, w.events("service"))
	}
	w.delete("service")
	w.delete("sample-cluster-network")
	if n := len(w.e.State.Items); n != 0 {
		t.Errorf("%d things are left", n)
	}
}
