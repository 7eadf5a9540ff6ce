//go:build unix

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/sandbox"
)

// A bundle's way to a dev instance: the commands as the contract has them, the
// log object, the event; a command outlives the call that waits for it, and is
// not sent twice.
func TestDevApplyBundle(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	var events []map[string]any
	status := http.StatusCreated
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		e := map[string]any{"path": q.URL.Path, "secret": q.Header.Get("X-Asset-Ops-Secret")}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Error(err)
		}
		events = append(events, e)
		w.WriteHeader(status)
	}))
	defer backend.Close()
	r.env = append(r.env, "ASSET_OPS_API_URL="+backend.URL+"/api", "ASSET_OPS_SECRET=hush-hush")

	r.want(0, "dev start staging/gpu-default --cidr 203.0.113.7/32")
	id := r.devList().Instances[0].ID
	apply := "dev apply-bundle " + id
	r.want(4, apply, "has no active bundle", "reconcile apply --sandbox --fleet staging/gpu-default")
	r.want(0, "sandbox mutate --parameter /bp/fleets/staging/gpu-default/active_bundle=bundles/base-1/ --agent "+id+"=lost")
	r.want(4, apply, "the agent of "+id+" is ConnectionLost: it takes no command")

	agent := func(a sandbox.Agent) {
		t.Helper()
		r.box(func(_ context.Context, box *sandbox.Sandbox, _ aws.Config) {
			if err := box.SetAgent("", id, a); err != nil {
				t.Fatal(err)
			}
		})
	}
	// Interrupted while it runs, and while its agent is lost, it is waited for again.
	agent(sandbox.Agent{Seconds: 20_000})
	run := r.start(apply)
	if !run.after(2) {
		t.Fatalf("it ended: %s", run.all)
	}
	run.signal(t, syscall.SIGINT)
	if code := run.end(t); code != exitInterrupted {
		t.Fatalf("exit code %d: %s", code, run.all)
	}
	agent(sandbox.Agent{State: sandbox.AgentSlow, Seconds: 1, Output: "installed 2 of 2"})
	r.want(0, apply, "which an earlier call sent", "installed 2 of 2", "was installed by an earlier call's command on "+id, "http://")
	commands, objects := r.devSent()
	if len(commands) != 1 || len(objects) != 1 {
		t.Fatalf("%d commands, %v", len(commands), objects)
	}
	want := []string{
		`test -x /opt/comfyui/bin/apply-bundle.sh || { echo "/opt/comfyui/bin/apply-bundle.sh is missing: this image cannot install bundles" >&2; exit 1; }`,
		"MODELS_BUCKET='bp-models-123456789012' BUNDLE_PREFIX='bundles/base-1' /opt/comfyui/bin/apply-bundle.sh || exit $?",
		"systemctl restart comfyui.service || exit $?",
		"systemctl restart comfyui-worker.service || true",
	}
	if diff := cmp.Diff(map[string][]string{"commands": want, "executionTimeout": {"21600"}}, commands[0]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	event := map[string]any{
		"path": "/api/ops/comfyui-assets/sync-logs", "secret": "hush-hush", "bundle_id": "base-1", "event": "dev_bundle_applied", "notes": nil, "artifact_s3_key": objects[0],
		"metadata": map[string]any{"fleet_slug": "gpu-default", "instance_id": id, "bundle_prefix": "bundles/base-1"},
	}
	if diff := cmp.Diff([]map[string]any{event}, events); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// The next one is another command. Its answer is lost; the backend refuses.
	status = http.StatusForbidden
	r.rule(sandbox.FaultRule{Service: "ssm", Operation: "SendCommand", Times: 1, Fault: sandbox.Fault{Lost: sandbox.LostAfter}})
	s := r.want(0, apply, "warning: the backend does not hear of it", "answers with status 403", `curl --fail -X POST "$ASSET_OPS_API_URL/ops/`, "X-Asset-Ops-Secret: $ASSET_OPS_SECRET")
	s.saysNot(t, "hush-hush")
	// What fails says so with the end of its errors, and tells the backend nothing.
	agent(sandbox.Agent{Code: 1, Error: "sha256 of x differs\n"})
	r.want(1, apply, "sha256 of x differs", "apply bundles/base-1 to "+id+": Failed: ", "/var/log/comfyui-asset-sync.log")
	commands, objects = r.devSent()
	if len(commands) != 3 || len(objects) != 3 || len(events) != 2 {
		t.Errorf("%d commands, %v, %d events", len(commands), objects, len(events))
	}
	// A bucket that takes no log is a warning.
	agent(sandbox.Agent{})
	r.rule(sandbox.FaultRule{Service: "s3", Operation: "PutObject", Fault: sandbox.Fault{Code: "AccessDenied", Message: "not you"}})
	r.want(0, apply, "was not kept: ", "AccessDenied", "is installed on "+id)
	r.want(0, apply, "which an earlier call sent")
	r.want(0, apply+" --again", "is sent")
}

// devSent are the parameters of the commands that were sent, and the keys of the
// logs that were kept.
func (r *rig) devSent() (commands []map[string][]string, keys []string) {
	r.t.Helper()
	r.box(func(ctx context.Context, _ *sandbox.Sandbox, cfg aws.Config) {
		list, err := ssm.NewFromConfig(cfg).ListCommands(ctx, &ssm.ListCommandsInput{})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, c := range list.Commands {
			commands = append(commands, c.Parameters)
			if c.TimeoutSeconds == nil || *c.TimeoutSeconds != 21600 {
				r.t.Errorf("timeout %v", c.TimeoutSeconds)
			}
		}
		out, err := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bp-logs-123456789012"), Prefix: aws.String("asset-sync/gpu-default/base-1/")})
		if err != nil {
			r.t.Fatal(err)
		}
		for _, o := range out.Contents {
			if !strings.HasSuffix(*o.Key, ".json") {
				r.t.Errorf("key %s", *o.Key)
			}
			keys = append(keys, *o.Key)
		}
	})
	return commands, keys
}
