package dev

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestCheckCIDR(t *testing.T) {
	for cidr, want := range map[string]string{
		"203.0.113.7/32": "", "203.0.113.0/24": "", "10.0.0.0/8": "",
		"":               "--cidr is missing",
		"203.0.113.7":    "--cidr 203.0.113.7/32",
		"203.0.113.7/24": "--cidr 203.0.113.0/24, or --cidr 203.0.113.7/32",
		"0.0.0.0/0":      "--open-to-everyone",
		"128.0.0.0/1":    "--open-to-everyone",
		"2001:db8::/32":  "IPv4 addresses only",
		"::/0":           "IPv4 addresses only",
		"my house":       "is no network",
		"203.0.113.7/33": "is no network",
	} {
		err := CheckCIDR(cidr, false)
		var r *Refusal
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", cidr, err)
		case want != "" && (!errors.As(err, &r) || !strings.Contains(r.Message+" "+r.Next, want)):
			t.Errorf("%q: %v does not say %q", cidr, err, want)
		}
	}
	if err := CheckCIDR("0.0.0.0/0", true); err != nil {
		t.Error(err)
	}
	if err := CheckCIDR("::/0", true); err == nil {
		t.Error("a network of no address that the subnet has")
	}
}

// Whatever rules a group had, what RulesFor says leaves the wanted one alone.
func TestRulesLeaveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rapid.Custom(func(t *rapid.T) Rule {
			return Rule{rapid.SampledFrom([]string{"tcp", "udp", "-1"}).Draw(t, "protocol"), rapid.SampledFrom([]int{Port, 22}).Draw(t, "from"), Port,
				rapid.SampledFrom([]string{"203.0.113.7/32", "0.0.0.0/0", "::/0", "sg-1"}).Draw(t, "peer")}
		})
		g := Group{Rules: rapid.SliceOfDistinct(rule, func(r Rule) Rule { return r }).Draw(t, "rules")}
		revoke, add := g.RulesFor("203.0.113.7/32")
		left := map[Rule]bool{}
		for _, r := range g.Rules {
			left[r] = true
		}
		for _, r := range revoke {
			delete(left, r)
		}
		if add {
			left[Wanted("203.0.113.7/32")] = true
		}
		if diff := cmp.Diff(map[Rule]bool{{"tcp", Port, Port, "203.0.113.7/32"}: true}, left); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestToken(t *testing.T) {
	l := Launch{Group: "sg-1", Subnet: "subnet-a", Hours: 4}
	other := l
	other.Hours, other.Image = 8, "ami-2"
	if l.Token(0) != other.Token(0) {
		t.Error("other settings would make a second instance")
	}
	for _, different := range []string{l.Token(1), Launch{Group: "sg-2", Subnet: "subnet-a"}.Token(0), Launch{Group: "sg-1", Subnet: "subnet-b"}.Token(0)} {
		if different == l.Token(0) {
			t.Error("a new group, zone or try would give the old instance")
		}
	}
	if n := len(l.Token(0)); n > 64 {
		t.Errorf("%d characters; EC2 takes 64", n)
	}
}

func TestUserDataIsCleanShell(t *testing.T) {
	checker, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("no shellcheck")
	}
	script, err := UserData(4)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(checker, "-s", "bash", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if len(script) > 16<<10 {
		t.Errorf("%d bytes; EC2 takes 16 KiB", len(script))
	}
}

// booted is what the user data leaves in a root folder, with a systemctl that
// notes its calls and shows this unit.
func booted(t *testing.T, hours int, unit string) (units, calls string, failed bool) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	script, err := UserData(hours)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	units = filepath.Join(dir, "system")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	stub := "#!/bin/sh\necho \"$*\" >>" + dir + "/calls\ncase \"$*\" in\n'cat comfyui.service') cat <<'X'\n" + unit + "\nX\n;;\n*worker*) exit 5 ;;\nesac\n"
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bash, "-c", strings.ReplaceAll(script, "units=/etc/systemd/system", "units="+units))
	cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s", out)
	}
	b, readErr := os.ReadFile(filepath.Join(dir, "calls"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	return units, string(b), err != nil
}

func unitFile(t *testing.T, folder, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestUserDataBoots(t *testing.T) {
	const unit = "# /etc/systemd/system/comfyui.service\n[Service]\nWorkingDirectory=/opt/comfyui\nExecStart=/opt/comfyui/venv/bin/python main.py --listen 127.0.0.1 --port 8188\nRestart=always"
	units, calls, failed := booted(t, 4, unit)
	if failed {
		t.Fatal("the boot failed")
	}
	// 30 minutes before 4 hours, shutdown gives a warning and 30 minutes.
	for file, want := range map[string]string{
		"dev-shutdown.timer":                "OnBootSec=210min",
		"dev-shutdown.service":              "ExecStart=/sbin/shutdown -P +30 ",
		"comfyui.service.d/dev.conf":        "[Service]\nExecStart=\nExecStart=/opt/comfyui/venv/bin/python main.py --listen 127.0.0.1 --port 8188 --listen 0.0.0.0 --port 8188\n",
		"comfyui-worker.service.d/dev.conf": "ConditionPathExists=!/etc/systemd/system/dev-shutdown.timer",
	} {
		if got := unitFile(t, units, file); !strings.Contains(got, want) {
			t.Errorf("%s has no %q:\n%s", file, want, got)
		}
	}
	want := "daemon-reload\nenable --now dev-shutdown.timer\ndaemon-reload\ndisable --now comfyui-worker.service\ncat comfyui.service\ndaemon-reload\nrestart comfyui.service\n"
	if calls != want {
		t.Errorf("systemctl was called with\n%s", calls)
	}
}

// A unit that the script does not understand leaves ComfyUI alone, and the time
// limit holds.
func TestUserDataKeepsTheLimit(t *testing.T) {
	for name, unit := range map[string]string{
		"no unit":  "",
		"a shell":  `ExecStart=/bin/bash -c "exec python main.py"`,
		"no main":  "ExecStart=/opt/comfyui/run",
		"two rows": "ExecStart=/opt/comfyui/venv/bin/python \\\n  main.py",
	} {
		units, calls, failed := booted(t, 1, unit)
		if !failed {
			t.Errorf("%s: it says nothing", name)
		}
		if !strings.Contains(unitFile(t, units, "dev-shutdown.timer"), "OnBootSec=30min") || !strings.Contains(calls, "enable --now dev-shutdown.timer") {
			t.Errorf("%s: no time limit", name)
		}
		if strings.Contains(calls, "restart") || unitFile(t, units, "comfyui.service.d/dev.conf") != "" {
			t.Errorf("%s: ComfyUI was changed", name)
		}
	}
	for _, hours := range []int{0, -1, MaxHours + 1} {
		if _, err := UserData(hours); err == nil {
			t.Errorf("%d hours", hours)
		}
	}
}

func TestLeftover(t *testing.T) {
	staging, other := Fleet{"bp", "staging", "a"}, Fleet{"bp", "staging", "b"}
	one := Instance{ID: "i-1", Fleet: staging, State: "running", Hours: 4}
	l := Leftover{[]Instance{one, {ID: "i-2", Fleet: other, State: "shutting-down"}}, []Group{{ID: "sg-1", Fleet: staging}, {ID: "sg-3", Fleet: Fleet{"bp", "production", "a"}}}}
	if got := l.Unused(); len(got) != 1 || got[0].ID != "sg-3" {
		t.Errorf("unused: %v", got)
	}
	if i, err := l.Of(staging).Usable(4, true); err != nil || i == nil || i.ID != "i-1" {
		t.Errorf("%v, %v", i, err)
	}
	if i, err := l.Of(other).Usable(4, true); err != nil || i != nil {
		t.Errorf("one that ends is used: %v, %v", i, err)
	}
	if _, err := l.Of(staging).Usable(8, true); err == nil {
		t.Error("another time limit passes in silence")
	}
	if _, err := l.Of(staging).Usable(8, false); err != nil {
		t.Error(err)
	}
	for name, want := range map[string][2]int{"i-1": {1, 1}, "staging/a": {1, 1}, "production/a": {0, 1}, "production/none": {0, 0}} {
		got, err := l.Named("bp", name)
		if err != nil || len(got.Instances) != want[0] || len(got.Groups) != want[1] {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"i-9", "dev/a", "staging", "staging/../x"} {
		if _, err := l.Named("bp", name); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// The second instance of a fleet keeps their group.
	l.Instances = append(l.Instances, Instance{ID: "i-3", Fleet: staging, State: "running"})
	if _, err := l.Of(staging).Usable(4, false); err == nil {
		t.Error("one of two is chosen in silence")
	}
	if got, err := l.Named("bp", "i-1"); err != nil || len(got.Groups) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// What a parameter says goes into a shell on the instance.
func TestBundleOf(t *testing.T) {
	f := Fleet{"bp", "staging", "a"}
	for active, want := range map[string]string{
		"bundles/x-1": "bundles/x-1", "bundles/x-1/": "bundles/x-1",
		"": "", "none": "", "bundles/": "", "bundles/..": "", "bundles/a/b": "", "bundles/x'; reboot; '": "", "bundles/$(id)": "", "bundles/x\ny": "", "other/x": "",
	} {
		b, err := BundleOf(f, "bp-models-1", active)
		if b.Prefix != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", active, b.Prefix, err)
		}
	}
	for _, bucket := range []string{"", "b'x", "$(id)", "UPPER"} {
		if _, err := BundleOf(f, bucket, "bundles/x"); err == nil {
			t.Errorf("bucket %q is taken", bucket)
		}
	}
}

// The document runs the four commands as one script: what fails first must be
// how it ends, and the worker's restart must not.
func TestCommandsEndAtTheFirstFailure(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	b, err := BundleOf(Fleet{"bp", "staging", "a"}, "bp-models-1", "bundles/x")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		installer, systemctl string
		code                 int
		calls                string
	}{
		"all is well":     {"exit 0", "exit 0", 0, "restart comfyui.service\nrestart comfyui-worker.service\n"},
		"no worker":       {"exit 0", `case "$*" in *worker*) exit 5 ;; esac`, 0, "restart comfyui.service\nrestart comfyui-worker.service\n"},
		"install fails":   {"exit 75", "exit 0", 75, ""},
		"ComfyUI fails":   {"exit 0", "exit 3", 3, "restart comfyui.service\n"},
		"no installer":    {"", "exit 0", 1, ""},
		"what it is told": {`[ "$MODELS_BUCKET $BUNDLE_PREFIX" = "bp-models-1 bundles/x" ]`, "exit 0", 0, "restart comfyui.service\nrestart comfyui-worker.service\n"},
	} {
		dir := t.TempDir()
		write := func(name, body string) {
			if body == "" {
				return
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		write("apply-bundle.sh", tt.installer)
		write("systemctl", "echo \"$*\" >>"+dir+"/calls\n"+tt.systemctl)
		cmd := exec.Command(bash, "-c", strings.ReplaceAll(strings.Join(b.Commands(), "\n"), "/opt/comfyui/bin", dir))
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != tt.code || unitFile(t, dir, "calls") != tt.calls {
			t.Errorf("%s: exit code %d, calls %q\n%s", name, got, unitFile(t, dir, "calls"), out)
		}
	}
}
