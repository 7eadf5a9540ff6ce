package spec_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

// The examples of the contracts page, and what is not in it.
func TestContracts(t *testing.T) {
	manifest := `{"manifest_version":1,"bundle_id":"0b3c7a52-5f0e-4d7a-9a52-0d5d1f0c8a11","name":"Base SDXL + nodes","created_at":"2026-02-18T12:34:56Z","notes":null,
 "assets":[{"asset_id":123,"kind":"checkpoint","sha256":"31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
 "asset_s3_key":"assets/checkpoint/31e35c80fc4829d14f90153f4c74cd59c90b779f6afe05a74cd6120b893f7e5b",
 "original_filename":"sdxl.safetensors","target_path":"models/checkpoints/sdxl.safetensors","action":"copy"}]}`
	config := `{"version":1,"template_slug":"gpu-default","instance_type":"g4dn.xlarge","ami_ssm_parameter":"/bp/ami/fleets/staging/gpu-default","enabled":true}`
	templates, err := os.ReadFile("../../cmd/reconcile/testdata/specs/fleet-templates.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ contract, value, want string }{
		"manifest":               {"bundle-manifest", manifest, "valid\n"},
		"manifest without notes": {"bundle-manifest", strings.Replace(manifest, `"notes":null,`, "", 1), "valid\n"},
		"manifest of a spec":     {"bundle-manifest", strings.Replace(manifest, `"asset_id":123,`, "", 1), "valid\n"},
		"manifest version":       {"bundle-manifest", strings.Replace(manifest, `_version":1`, `_version":2`, 1), "value:1:21: manifest_version: is 2; it must be 1 [value]\n"},
		"config":                 {"desired-config", config, "valid\n"},
		"config: a missing key":  {"desired-config", strings.Replace(config, `,"enabled":true`, "", 1), "value:1:1: enabled: is missing; for example enabled: true [missing]\n"},
		"config: one key more":   {"desired-config", strings.Replace(config, `,"enabled"`, `,"max_size":3,"enabled"`, 1), "value:1:131: max_size: is not a field of desired-config; fields here: ami_ssm_parameter, enabled, instance_type, template_slug, version [unknown-field]\n"},
		"config: bool as number": {"desired-config", strings.Replace(config, `true`, `1`, 1), "value:1:141: enabled: is 1; it must be true or false [type]\n"},
		"config: no JSON":        {"desired-config", "none", "value:1:2: not JSON: invalid character 'o' in literal null (expecting 'u') [json-syntax]\n"},
		"templates":              {"fleet-templates", string(templates), "valid\n"},
	} {
		t.Run(name, func(t *testing.T) {
			contract, err := spec.OpenContract(c.contract)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, findings(contract.Check("value", []byte(c.value)))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestVeryManyFindings(t *testing.T) {
	files := fstest.MapFS{"fleet-templates.json": {Data: []byte("[" + strings.Repeat("1,\n", 5000) + "1]")}, "platform.yaml": {Data: []byte("kind: Platform\n")}}
	_, err := spec.Load(context.Background(), spec.LoadOptions{FS: files, Name: "specs"})
	lines := strings.Split(strings.TrimSuffix(findings(err), "\n"), "\n")
	if len(lines) != 1001 || !strings.Contains(lines[1000], "more findings, not shown [too-many]") {
		t.Errorf("%d lines, the last: %s", len(lines), lines[len(lines)-1])
	}
}
