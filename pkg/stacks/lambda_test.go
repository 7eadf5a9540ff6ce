package stacks_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestScaleToZeroActsOnFreshZerosOnly runs the inline function itself.
func TestScaleToZeroActsOnFreshZerosOnly(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("RECONCILE_REQUIRE_JUDGES") != "" {
			t.Fatal("python3 is not installed")
		}
		t.Skip("python3 is not installed")
	}
	cmd := exec.Command(python, "testdata/scale_to_zero_cases.py")
	cmd.Stdin = strings.NewReader(at(t, plain(t, resource(t, render(t, shipped()), "bp-gpu-shared", "ScaleToZero").Properties), "Code", "ZipFile").(string))
	var told strings.Builder
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, told.String())
	}
	acts := map[string]bool{"idle": true, "a job before the time": true, "a whole day": true, "one minute": true}
	// An alarm that stays in ALARM says nothing again: where the function does not
	// act on an idle group now, the alarm must be able to fire once more.
	rearms := map[string]bool{
		"a job meanwhile": true, "a job within the time": true, "publisher died": true, "publisher just died": true,
		"publisher never lived": true, "only a few points": true,
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		var got struct {
			Case  string
			Calls []struct {
				AutoScalingGroupName string
				DesiredCapacity      int
				HonorCooldown        bool
			}
			States []string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		seen++
		if want := []string{"staging-gpu-default-queue-empty OK"}; rearms[got.Case] != slices.Equal(got.States, want) || !rearms[got.Case] && len(got.States) > 0 {
			t.Errorf("%s: alarm states set: %q", got.Case, got.States)
		}
		switch {
		case acts[got.Case] && len(got.Calls) == 1:
			if c := got.Calls[0]; c.AutoScalingGroupName != "asg-staging-gpu-default" || c.DesiredCapacity != 0 || c.HonorCooldown {
				t.Errorf("%s: %+v", got.Case, c)
			}
		case acts[got.Case] || len(got.Calls) > 0:
			t.Errorf("%s: %d calls", got.Case, len(got.Calls))
		}
	}
	if seen != 15 {
		t.Errorf("%d cases ran", seen)
	}
}
