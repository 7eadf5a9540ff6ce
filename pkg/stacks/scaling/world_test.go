package scaling_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"reconcile/pkg/sandbox"
	"reconcile/pkg/spec"
)

// python is a way to run the function: with which boto3.
type python struct{ name, path, modules string }

// standIn is python3 with a stand-in for boto3.
func standIn(t *testing.T) python {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil && judged() {
		t.Fatal("python3 is not installed")
	}
	if err != nil {
		t.Skip("python3 is not installed")
	}
	modules, err := filepath.Abs("testdata/standin")
	if err != nil {
		t.Fatal(err)
	}
	return python{"stand-in", path, modules}
}

func judged() bool { return os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" }

// pythons are the ways that are there. Judges bring boto3 with moto.
func pythons(t *testing.T) []python {
	t.Helper()
	out := []python{standIn(t)}
	if err := exec.Command(out[0].path, "-c", "import boto3").Run(); err == nil {
		out = append(out, python{"boto3", out[0].path, ""})
	} else if judged() {
		t.Fatal("boto3 is not installed; moto brings it")
	}
	return out
}

// world is an account with fleets, and the function with a client for it.
type world struct {
	t        *testing.T
	endpoint string
	function node
	limits   struct {
		Connect, Read float64
		Tries, Needed int
	}
	in    io.WriteCloser
	out   *bufio.Reader
	known map[string]int // desired capacities after the last situation

	mu    sync.Mutex
	calls []string
	fault string
}

func newWorld(t *testing.T, client python, all map[string]situation) *world {
	t.Helper()
	w := &world{t: t}
	box, err := sandbox.Open(sandbox.Options{Scale: 1e-6, Seed: "test", Observe: w.observe, Fault: w.refuse})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- box.ServeOn(ctx, l) }()
	w.endpoint = "http://" + l.Addr().String()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	fleets := fleetsOf(all, templates(t)[0])
	desired := render(t, fleets...)
	w.function = resources(t, desired, "bp-gpu-shared").at("ScaleToZero", "Properties")
	w.start(client)
	w.deploy(fleets, func(slug string) node { return fleetResources(t, desired, slug) })
	return w
}

func (w *world) observe(e sandbox.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, e.Operation)
}

func (w *world) refuse(_, operation string, _ int) *sandbox.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if operation != w.fault {
		return nil
	}
	return &sandbox.Fault{Code: "AccessDenied", Message: "not now", Status: http.StatusForbidden}
}

// start runs the function's process. It ends with its input.
func (w *world) start(client python) {
	t := w.t
	source := filepath.Join(t.TempDir(), "index.py")
	if err := os.WriteFile(source, []byte(w.function.at("Code", "ZipFile").text()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(client.path, "testdata/invoke.py", source)
	cmd.Env = append(os.Environ(), "AWS_REGION="+region, "AWS_ENDPOINT_URL="+w.endpoint, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "PYTHONPATH="+client.modules, "PYTHONDONTWRITEBYTECODE=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.in, w.out = in, bufio.NewReader(out)
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	w.answer(&w.limits)
}

func (w *world) answer(v any) {
	w.t.Helper()
	line, err := w.out.ReadBytes('\n')
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		w.t.Fatal(err)
	}
}

type outcome struct {
	Told, Error string
	Seconds     float64
	calls       []string
}

func (w *world) invoke(event any, left int, fault string) outcome {
	w.t.Helper()
	if left == 0 {
		left = int(w.function.at("Timeout").number()) * 1000
	}
	w.mu.Lock()
	w.calls, w.fault = nil, fault
	w.mu.Unlock()
	line, err := json.Marshal(map[string]any{
		"event": event, "left": left, "function": "arn:aws:lambda:" + region + ":" + account + ":function:" + w.function.at("FunctionName").text(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.in.Write(append(line, '\n')); err != nil {
		w.t.Fatal(err)
	}
	var got outcome
	w.answer(&got)
	w.mu.Lock()
	defer w.mu.Unlock()
	got.calls, w.calls, w.fault = w.calls, nil, ""
	return got
}

// deploy makes each fleet's group and alarm as they are rendered, in a stack
// with a network and a launch template of its own, and two groups that have a
// fleet's name and alarm but not its tag.
func (w *world) deploy(fleets []spec.FleetTemplate, rendered func(slug string) node) {
	for _, f := range fleets {
		w.stack(f.Slug, rendered(f.Slug), nil)
	}
	w.stack("foreign", rendered("quiet"), []any{})
	w.stack("stolen", rendered("quiet"), []any{map[string]any{"Key": "FleetSlug", "Value": "quiet", "PropagateAtLaunch": true}})
}

func (w *world) stack(slug string, r node, tags []any) {
	ref := func(id string) any { return map[string]any{"Ref": id} }
	resource := func(kind string, properties any) any { return map[string]any{"Type": kind, "Properties": properties} }
	group, alarm := r.at("Group", "Properties").v.(map[string]any), r.at("QueueEmpty", "Properties").v.(map[string]any)
	group["VPCZoneIdentifier"], alarm["AlarmActions"] = []any{ref("Subnet")}, []any{}
	if tags != nil {
		group["AutoScalingGroupName"], group["Tags"] = "asg-staging-"+slug, tags
		alarm["AlarmName"] = "staging-" + slug + "-queue-empty"
	}
	body, err := json.Marshal(map[string]any{"Resources": map[string]any{
		"Vpc":            resource("AWS::EC2::VPC", map[string]any{"CidrBlock": "10.0.0.0/16"}),
		"Subnet":         resource("AWS::EC2::Subnet", map[string]any{"VpcId": ref("Vpc"), "CidrBlock": "10.0.0.0/16", "AvailabilityZone": region + "b"}),
		"LaunchTemplate": resource("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateData": map[string]any{"ImageId": "{{resolve:ssm:/bp/ami/fleets/staging/gpu-default}}"}}),
		"Group":          resource("AWS::AutoScaling::AutoScalingGroup", group),
		"QueueEmpty":     resource("AWS::CloudWatch::Alarm", alarm),
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.query("cloudformation", "CreateStack", url.Values{"StackName": {slug}, "TemplateBody": {string(body)}})
	w.eventually("stack "+slug, func() bool {
		return strings.Contains(w.query("cloudformation", "DescribeStacks", url.Values{"StackName": {slug}}), "<StackStatus>CREATE_COMPLETE<")
	})
}

// bystandersAreUntouched: groups that have a fleet's name but are none, though all is quiet.
func (w *world) bystandersAreUntouched() {
	for _, slug := range []string{"foreign", "stolen"} {
		w.arrange(slug, situation{})
		if got := w.invoke(event(record(message(slug))), 0, ""); got.Error != "" || w.sizes()["asg-staging-"+slug] != 2 || w.alarmState("staging-"+slug+"-queue-empty") != "ALARM" {
			w.t.Errorf("%s: touched: %s%s", slug, got.Told, got.Error)
		}
	}
}

// arrange brings a fleet into a situation: its size, who is protected, what its
// queue was, and its alarm in ALARM.
func (w *world) arrange(slug string, s situation) {
	group := "asg-staging-" + slug
	desired := s.desired
	if desired == 0 {
		desired = 2
	}
	w.query("autoscaling", "SetDesiredCapacity", url.Values{"AutoScalingGroupName": {group}, "DesiredCapacity": {fmt.Sprint(max(0, desired))}})
	if s.protected > 0 {
		w.protect(group, desired, s.protected)
	}
	form, n := url.Values{"Namespace": {"ComfyUI/Workers"}}, 0
	now := time.Now().UTC()
	for ago := 1; ago <= max(s.zero, 15)+20; ago++ {
		depth, published := 0, true
		if s.queue != nil {
			depth, published = s.queue(ago)
		}
		if !published || ago > 1435 {
			continue
		}
		n++
		at := fmt.Sprintf("MetricData.member.%d.", n)
		form.Set(at+"MetricName", "QueueDepth")
		form.Set(at+"Value", fmt.Sprint(depth))
		form.Set(at+"Timestamp", now.Add(-time.Duration(ago)*time.Minute).Format(time.RFC3339))
		for i, d := range [][2]string{{"FleetSlug", slug}, {"Stage", "staging"}} {
			form.Set(fmt.Sprintf("%sDimensions.member.%d.Name", at, i+1), d[0])
			form.Set(fmt.Sprintf("%sDimensions.member.%d.Value", at, i+1), d[1])
		}
		if n == 1000 { // no more go into one call
			w.query("monitoring", "PutMetricData", form)
			form, n = url.Values{"Namespace": {"ComfyUI/Workers"}}, 0
		}
	}
	if n > 0 {
		w.query("monitoring", "PutMetricData", form)
	}
	w.query("monitoring", "SetAlarmState", url.Values{"AlarmName": {"staging-" + slug + "-queue-empty"}, "StateValue": {"ALARM"}, "StateReason": {"test"}})
}

func (w *world) protect(group string, desired, n int) {
	var ids []string
	w.eventually("instances of "+group, func() bool {
		ids = texts(w.query("autoscaling", "DescribeAutoScalingGroups", url.Values{"AutoScalingGroupNames.member.1": {group}}), "InstanceId")
		return len(ids) == desired
	})
	form := url.Values{"AutoScalingGroupName": {group}, "ProtectedFromScaleIn": {"true"}}
	for i, id := range ids[:n] {
		form.Set(fmt.Sprintf("InstanceIds.member.%d", i+1), id)
	}
	w.query("autoscaling", "SetInstanceProtection", form)
}

// eventually asks again until it is so; each question lets the sandbox go on.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	for range 1000 {
		if so() {
			return
		}
	}
	w.t.Fatalf("%s: never", what)
}

// sizes are the desired capacities of all groups.
func (w *world) sizes() map[string]int {
	out, form := map[string]int{}, url.Values{"MaxRecords": {"100"}}
	for {
		body := w.query("autoscaling", "DescribeAutoScalingGroups", form)
		names, desired := texts(body, "AutoScalingGroupName"), texts(body, "DesiredCapacity")
		for i, name := range names {
			n, err := strconv.Atoi(desired[i])
			if err != nil {
				w.t.Fatal(err)
			}
			out[name] = n
		}
		next := texts(body, "NextToken")
		if len(next) == 0 || next[0] == "" {
			return out
		}
		form.Set("NextToken", next[0])
	}
}

func (w *world) alarmState(name string) string {
	return texts(w.query("monitoring", "DescribeAlarms", url.Values{"AlarmNames.member.1": {name}}), "StateValue")[0]
}

// query makes one call of AWS's Query protocol and returns the answer's XML.
func (w *world) query(service, action string, form url.Values) string {
	w.t.Helper()
	form.Set("Action", action)
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/"+region+"/"+service+"/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		w.t.Fatal(err)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d %v\n%.2000s", action, resp.StatusCode, err, body)
	}
	return string(body)
}

// texts are the contents of an XML document's elements of a name, which have
// no elements of their own.
func texts(body, element string) []string {
	var out []string
	for _, m := range regexp.MustCompile("<"+element+">([^<]*)</").FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}
