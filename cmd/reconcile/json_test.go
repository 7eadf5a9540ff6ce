package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// With -o json the standard output is JSON and nothing else, whatever happens:
// nothing to do, changes, refusals, failures, bad specs.
func TestJSONIsOnlyJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	for _, c := range []struct {
		line string
		code int
		edit func()
	}{
		{"plan -o json", 0, nil},
		{"apply -o json", 4, nil},
		{"apply --yes -o json", 0, nil},
		{"apply --yes -o json", 0, nil},
		{"plan -o json --detailed-exitcode", 0, nil},
		{"status -o json", 0, nil},
		{"validate -o json", 0, nil},
		{"version -o json", 0, nil},
		{"render -o json --stack bp-cicd", 0, nil},
		{"schema platform", 0, nil},
		{"apply --yes -o json", 0, func() { r.edit("maxTasks: 4", "maxTasks: 5", "specs/platform.yaml") }},
		{"apply --yes -o json", 4, func() {
			r.edit(`["staging", "production"]`, `["staging"]`, "specs/fleets.cue")
		}},
		{"destroy --yes -o json", 4, nil},
		{"apply --yes -o json --fleet */nobody", 1, nil},
		{"apply --yes -o json", 3, func() { r.edit("natGateways: 1", "natGateways: 9", "specs/platform.yaml") }},
		{"validate -o json", 3, nil},
	} {
		if c.edit != nil {
			c.edit()
		}
		s := r.want(c.code, c.line)
		for d := json.NewDecoder(strings.NewReader(s.out)); ; {
			var v any
			err := d.Decode(&v)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Errorf("reconcile %s: %v\n%s", c.line, err, s.out)
				break
			}
		}
	}
}

// A replacement of what holds data needs two consents; each is named, and the
// flags as given do it.
func TestReplacementNeedsConsent(t *testing.T) {
	t.Parallel()
	r := deployedRig(t)
	r.edit("nodeType: cache.t4g.small", "nodeType: cache.t4g.small\n    encryption: true", "specs/platform.yaml")
	p := r.plan("")
	var flags []string
	for _, s := range p.Steps {
		for _, a := range s.Approvals {
			flags = append(flags, "--approve "+a.String())
		}
	}
	if len(flags) == 0 {
		t.Fatalf("the plan needs no consent: %v", steps(p))
	}
	s := r.want(4, "apply --yes")
	for _, f := range flags {
		s.says(t, f)
	}
	r.want(4, "apply --yes "+strings.Join(flags[1:], " "))
	r.want(0, "apply --yes "+strings.Join(flags, " "))
	r.empty()
}
