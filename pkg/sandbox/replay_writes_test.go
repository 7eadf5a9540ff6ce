package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	cfntypes "github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// A replayWrite is a write as it goes over the wire. In it, "$name" is what a
// reading call finds, see finders.
type replayWrite struct {
	Op     string            `json:"op"` // "ssm.PutParameter", or "fault": the next rollback of Resource fails
	Call   string            `json:"call,omitempty"`
	In     map[string]any    `json:"in,omitempty"`
	Body   string            `json:"body,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	// Seconds until the next one, where it must come while this one is under way.
	Seconds int `json:"seconds,omitempty"`
}

func replayWrites(t testing.TB) []replayWrite {
	t.Helper()
	var all []replayWrite
	d := json.NewDecoder(bytes.NewReader(must[[]byte](t)(os.ReadFile("testdata/replay/writes.json"))))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// finders are reading calls, and where in their answers a name stands for.
func finders() map[string][2]string {
	const group = `{"AutoScalingGroupNames":["staging-gpu-default"]}`
	return map[string][2]string{
		"$instance": {"autoscaling.DescribeAutoScalingGroups " + group, "AutoScalingGroups.0.Instances.0.InstanceId"},
		"$pending":  {"autoscaling.DescribeAutoScalingGroups " + group, "AutoScalingGroups.0.Instances.2.InstanceId"},
		"$command":  {"ssm.ListCommands {}", "Commands.0.CommandId"},
		"$vpc":      {"ec2.DescribeVpcs {}", "vpcSet.0.vpcId"},
		"$subnet":   {"ec2.DescribeSubnets {}", "subnetSet.0.subnetId"},
		"$group":    {`ec2.DescribeSecurityGroups {"Filter":[{"Name":"group-name","Value":["mine"]}]}`, "securityGroupInfo.0.groupId"},
		"$ami":      {`ssm.GetParameter {"Name":"/bp/ami/fleets/staging/gpu-default"}`, "Parameter.Value"},
		"$own":      {`ec2.DescribeInstances {"Filter":[{"Name":"instance-type","Value":["t3.micro"]}]}`, "reservationSet.0.instancesSet.0.instanceId"},
		"$image":    {`ec2.DescribeImages {"Filter":[{"Name":"name","Value":["mine"]}]}`, "imagesSet.0.imageId"},
		"$snapshot": {`ec2.DescribeSnapshots {"Owner":["self"]}`, "snapshotSet.0.snapshotId"},
		"$task":     {`ecs.ListTasks {"cluster":"bp","family":"bp-backend"}`, "taskArns.0"},
		"$upload":   {"GET /mine?uploads {}", "Upload.UploadId"},
	}
}

// run sends the write, with what it refers to looked up, and returns the answer.
func (w replayWrite) run(t *testing.T, s *sandbox.Sandbox) wireAnswer {
	t.Helper()
	if w.Op == "fault" {
		if err := s.AddResourceFault("", sandbox.ResourceFault{Stack: "w", Logical: "Q", Phase: "rollback", Times: 1, Message: "no way back"}); err != nil {
			t.Fatal(err)
		}
		return wireAnswer{status: 200}
	}
	raw := string(must[[]byte](t)(json.Marshal(w)))
	for _, name := range slices.Sorted(maps.Keys(finders())) {
		if !strings.Contains(raw, name) {
			continue
		}
		call, in, _ := strings.Cut(finders()[name][0], " {")
		step := scenarioStep{Call: call}
		if err := json.Unmarshal([]byte("{"+in), &step.In); err != nil {
			t.Fatal(name, err)
		}
		found, _ := step.sendBy(t, "http://sandbox", s).at(finders()[name][1])
		if found == "" {
			found = "none"
		}
		raw = strings.ReplaceAll(raw, name, found)
	}
	var filled replayWrite
	if err := json.Unmarshal([]byte(raw), &filled); err != nil {
		t.Fatal(err)
	}
	step := scenarioStep{Call: filled.Call, In: filled.In, Body: filled.Body, Header: filled.Header}
	if step.Call == "" {
		step.Call = filled.Op
	}
	return step.sendBy(t, "http://sandbox", s)
}

// Every operation that writes, by the registry of the services, is in the table
// of writes, is accepted there, and gives the same state when the journal is
// served again. A new operation needs its row.
func TestEveryWriteIsReplayed(t *testing.T) {
	path := stateFile(t)
	clk := newClock()
	box := open(t, sandbox.Options{Path: path, Now: clk.now, Seed: "writes"})
	s := newStacks(t, box, clk)
	s.want(s.create("stack0", fleetTemplate(t)), cfntypes.StackStatusCreateComplete)
	s.want(s.create("more", template(map[string]any{
		"Role": resource("AWS::IAM::Role", map[string]any{"AssumeRolePolicyDocument": map[string]any{
			"Version": "2012-10-17", "Statement": []any{map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "ec2.amazonaws.com"}}},
		}}),
		"Profile": resource("AWS::IAM::InstanceProfile", map[string]any{"InstanceProfileName": "packer", "Roles": []any{map[string]any{"Ref": "Role"}}}),
		"Topic":   resource("AWS::SNS::Topic", map[string]any{"TopicName": "topic"}),
		"Db": resource("AWS::RDS::DBInstance", map[string]any{
			"DBInstanceIdentifier": "db", "DBInstanceClass": "db.t3.micro", "Engine": "mysql", "AllocatedStorage": "20", "MasterUsername": "admin", "MasterUserPassword": "{{resolve:secretsmanager:/bp/rds/master-credentials:SecretString:password}}",
		}),
	})), cfntypes.StackStatusCreateComplete)
	missing := map[string]bool{}
	for _, op := range sandbox.WriteOperations() {
		missing[op] = true
	}
	known := maps.Clone(missing)
	writes := replayWrites(t)
	for i, w := range writes {
		if !known[w.Op] && w.Op != "fault" {
			t.Errorf("row %d: %s is no operation that writes", i+1, w.Op)
		}
		got := w.run(t, box)
		if got.status >= 300 {
			t.Errorf("row %d: %s is refused: %d %s", i+1, w.Op, got.status, got.body)
		}
		delete(missing, w.Op)
		pass := 3 * time.Hour
		if w.Seconds > 0 {
			pass = time.Duration(w.Seconds) * time.Second
		}
		clk.pass(pass)
		if i%40 == 39 || i == len(writes)-1 {
			sameAfterKill(t, box, path, clk, fmt.Sprintf("after row %d", i+1))
		}
	}
	for _, op := range slices.Sorted(maps.Keys(missing)) {
		t.Errorf("%s writes and is not in testdata/replay/writes.json", op)
	}
}

// sameAfterKill opens the file as the next process does after a kill.
func sameAfterKill(t *testing.T, live *sandbox.Sandbox, path string, clk *clock, when string) {
	t.Helper()
	want := must[string](t)(sandbox.StateJSON(live))
	again := must[*sandbox.Sandbox](t)(sandbox.Open(sandbox.Options{Path: path, Now: clk.now, Scale: 1}))
	got, err := sandbox.StateJSON(again)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Fatalf("%s:\n%s", when, cmp.Diff(want, got))
	}
}
