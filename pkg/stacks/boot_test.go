package stacks_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// boot runs the user data of a worker in a directory of its own, with stand-ins
// for what an instance has. answers maps a word of an aws call to a shell text.
type boot struct {
	dir    string
	status int
	log    string
	calls  string
	env    string
}

func runBoot(t *testing.T, answers map[string]string, prepare func(dir string)) boot {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	dir := t.TempDir()
	for _, sub := range []string{"bin", "opt/worker", "opt/comfyui/bin", "var/log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	calls := filepath.Join(dir, "calls")
	script := userData(t, shipped(), fleetName)
	script = strings.ReplaceAll(script, "/opt/", dir+"/opt/")
	script = strings.ReplaceAll(script, "/var/log/", dir+"/var/log/")
	script = strings.ReplaceAll(script, "${bp-data.ModelsBucketName}", "bp-models-123456789012")
	script = strings.ReplaceAll(script, "${bp-compute.ApiBaseUrl}", "http://alb.example.com")
	cases := ""
	for word, answer := range answers {
		cases += "*" + word + "*) " + answer + " ;;\n"
	}
	bin := filepath.Join(dir, "bin")
	program(t, bin, "aws", `echo "aws $* [$AWS_REGION $AWS_DEFAULT_REGION]" >>`+calls+`
case "$*" in
`+cases+`*) : ;;
esac`)
	program(t, bin, "curl", `case "$*" in
*api/token*) echo token ;;
*instance-id*) echo i-0123456789abcdef0 ;;
*system_stats*) `+orElse(answers["curl-system-stats"], "exit 0")+` ;;
esac`)
	program(t, bin, "systemctl", `echo "systemctl $*" >>`+calls+orElse(answers["systemctl"], ""))
	program(t, bin, "shutdown", `echo "shutdown $*" >>`+calls)
	program(t, bin, "sleep", "exit 0")
	program(t, bin, "install", `for last; do :; done; : >"$last"; chmod 600 "$last"; echo "install $*" >>`+calls)
	if prepare != nil {
		prepare(dir)
	}
	cmd := exec.Command(bash, "-c", script)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	b := boot{dir: dir, log: string(out), calls: read(calls), env: read(filepath.Join(dir, "opt/worker/env"))}
	if err != nil {
		b.status = 1
	}
	return b
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func read(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(b)
}

var healthyAnswers = map[string]string{
	"fleet-secret":  "echo 0123abcd",
	"active_bundle": "echo none",
}

func with(more map[string]string) map[string]string {
	all := map[string]string{}
	for k, v := range healthyAnswers {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

func TestWorkerEnvironment(t *testing.T) {
	b := runBoot(t, healthyAnswers, nil)
	if b.status != 0 {
		t.Fatalf("boot failed:\n%s", b.log)
	}
	want := `API_BASE_URL=http://alb.example.com
WORKER_ID=i-0123456789abcdef0
FLEET_SECRET=0123abcd
FLEET_SLUG=gpu-default
FLEET_STAGE=staging
ASG_NAME=asg-staging-gpu-default
AWS_REGION=us-east-1
AWS_DEFAULT_REGION=us-east-1
COMFYUI_BASE_URL=http://127.0.0.1:8188
POLL_INTERVAL_SECONDS=3
HEARTBEAT_INTERVAL_SECONDS=30
MAX_CONCURRENCY=1
`
	if b.env != want {
		t.Errorf("environment:\n%s", b.env)
	}
	if !strings.Contains(b.calls, "install -m 600 -o ubuntu -g ubuntu") {
		t.Errorf("the environment file is not the worker's alone:\n%s", b.calls)
	}
	if strings.Contains(b.calls, "shutdown") || strings.Contains(b.calls, "set-instance-health") {
		t.Errorf("a good worker was given up:\n%s", b.calls)
	}
	if strings.Contains(b.log, "0123abcd") || strings.Contains(read(filepath.Join(b.dir, "var/log/comfyui-asset-sync.log")), "0123abcd") {
		t.Error("the fleet secret is in the log")
	}
	order := []string{"stop comfyui-worker.service", "start comfyui.service", "restart comfyui-worker.service", "is-active --quiet comfyui-worker.service"}
	rest := b.calls
	for _, step := range order {
		_, after, ok := strings.Cut(rest, step)
		if !ok {
			t.Fatalf("%q is missing or too early:\n%s", step, b.calls)
		}
		rest = after
	}
}

func TestFailedBootHandsTheInstanceBack(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"no secret":         with(map[string]string{"fleet-secret": "echo denied >&2; exit 255"}),
		"empty secret":      with(map[string]string{"fleet-secret": "echo ''"}),
		"SSM is down":       with(map[string]string{"active_bundle": "echo ThrottlingException >&2; exit 254"}),
		"ComfyUI is silent": with(map[string]string{"curl-system-stats": "exit 7"}),
		"worker dies":       with(map[string]string{"systemctl": "\ncase \"$*\" in is-active*) exit 3 ;; esac"}),
	} {
		b := runBoot(t, answers, nil)
		if b.status == 0 && !strings.Contains(b.calls, "shutdown -h now") {
			t.Errorf("%s: nobody noticed:\n%s\n%s", name, b.log, b.calls)
		}
		if !strings.Contains(b.calls, "set-instance-health --instance-id i-0123456789abcdef0 --health-status Unhealthy") {
			t.Errorf("%s: the group does not replace the instance:\n%s", name, b.calls)
		}
		if !strings.Contains(b.calls, "shutdown -h now") {
			t.Errorf("%s: no shutdown", name)
		}
	}
}

func TestBundleIsInstalledUnlessBaked(t *testing.T) {
	installer := func(baked string) func(string) {
		return func(dir string) {
			program(t, filepath.Join(dir, "opt/comfyui/bin"), "apply-bundle.sh", `echo "apply $MODELS_BUCKET $BUNDLE_PREFIX" >>`+dir+`/calls`)
			if baked != "" {
				if err := os.WriteFile(filepath.Join(dir, "opt/comfyui/.baked_bundle_id"), []byte(baked+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		active  string
		prepare func(string)
		applied string
	}{
		"none":             {"echo none", installer(""), ""},
		"never set":        {"echo 'An error occurred (ParameterNotFound)' >&2; exit 254", installer(""), ""},
		"other than baked": {"echo bundles/b-2/", installer("b-1"), "apply bp-models-123456789012 bundles/b-2\n"},
		"as baked":         {"echo bundles/b-1/", installer("b-1"), ""},
		"no installer":     {"echo bundles/b-2", nil, ""},
	} {
		b := runBoot(t, with(map[string]string{"active_bundle": c.active}), c.prepare)
		if b.status != 0 {
			t.Errorf("%s: boot failed:\n%s", name, b.log)
		}
		_, applied, _ := strings.Cut(b.calls, "apply ")
		if applied != "" {
			applied = "apply " + strings.SplitAfter(applied, "\n")[0]
		}
		if applied != c.applied {
			t.Errorf("%s: applied %q, not %q", name, applied, c.applied)
		}
	}
	b := runBoot(t, with(map[string]string{"active_bundle": "echo bundles/b-2"}), func(dir string) {
		program(t, filepath.Join(dir, "opt/comfyui/bin"), "apply-bundle.sh", "exit 1")
	})
	if !strings.Contains(b.calls, "set-instance-health") {
		t.Error("a worker without its bundle must not serve")
	}
}

func TestWorkerShipsItsLogs(t *testing.T) {
	b := runBoot(t, healthyAnswers, func(dir string) {
		agent := filepath.Join(dir, "opt/aws/amazon-cloudwatch-agent")
		for _, sub := range []string{"bin", "etc"} {
			if err := os.MkdirAll(filepath.Join(agent, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		program(t, filepath.Join(agent, "bin"), "amazon-cloudwatch-agent-ctl", `echo "agent $*" >>`+dir+`/calls`)
		program(t, filepath.Join(dir, "bin"), "systemd-run", `echo "systemd-run $*" >>`+dir+`/calls`)
	})
	config := read(filepath.Join(b.dir, "opt/aws/amazon-cloudwatch-agent/etc/gpu-worker.json"))
	for _, want := range []string{`"log_group_name":"/gpu-workers/gpu-default"`, `"log_stream_name":"staging/i-0123456789abcdef0/worker"`} {
		if !strings.Contains(config, want) {
			t.Errorf("agent configuration lacks %s:\n%s", want, config)
		}
	}
	if !strings.Contains(b.calls, "agent -a fetch-config") || !strings.Contains(b.calls, "systemd-run --unit=gpu-worker-journal") {
		t.Errorf("calls:\n%s", b.calls)
	}
	if bare := runBoot(t, healthyAnswers, nil); bare.status != 0 || !strings.Contains(bare.log, "no CloudWatch agent on this image") {
		t.Errorf("an image without the agent: %s", bare.log)
	}
}
