package scaling_test

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// decider is the function's own decision, in a process that lasts for a test.
type decider struct {
	in  io.WriteCloser
	out *bufio.Reader
}

// newDecider runs the function's code with AWS played by its caller.
func newDecider(t *testing.T) *decider {
	t.Helper()
	client := standIn(t)
	source := filepath.Join(t.TempDir(), "index.py")
	code := resources(t, render(t, templates(t)...), "bp-gpu-shared").at("ScaleToZero", "Properties", "Code", "ZipFile").text()
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(client.path, "testdata/decide.py", source)
	cmd.Env = append(os.Environ(), "AWS_REGION="+region, "PYTHONPATH="+client.modules, "PYTHONDONTWRITEBYTECODE=1")
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
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &decider{in, bufio.NewReader(out)}
}

// zero is what the function makes of the fleet when its alarm goes off, and
// whether it set the alarm to OK.
func (d *decider) zero(s *simulation, a *alarm, now int) (desired int, armed bool) {
	s.t.Helper()
	points := [][2]float64{}
	for m := max(0, now/60-a.periods-10); m <= now/60; m++ {
		if v := s.metrics[s.depthKey].at(m); !math.IsNaN(v) {
			points = append(points, [2]float64{float64(m), v})
		}
	}
	line, err := json.Marshal(map[string]any{
		"alarm": "staging-x-queue-empty", "now": now, "periods": a.periods, "points": points,
		"min": s.group.min, "desired": s.group.desired, "instances": len(s.group.instances), "protected": s.group.protected(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		s.t.Fatal(err)
	}
	answer, err := d.out.ReadBytes('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	var out struct {
		Desired int
		Armed   bool
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.Desired, out.Armed
}
