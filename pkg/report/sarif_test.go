package report

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"reconcile/pkg/spec"
)

// sarifSchema has of the SARIF 2.1.0 schema what applies to our output: the
// required properties, the types and the bounds.
const sarifSchema = `{
  "type": "object", "required": ["version", "runs"], "additionalProperties": false,
  "properties": {
    "$schema": {"type": "string", "format": "uri"}, "version": {"enum": ["2.1.0"]},
    "runs": {"type": "array", "items": {"type": "object", "required": ["tool"], "additionalProperties": false, "properties": {
      "automationDetails": {"type": "object", "additionalProperties": false, "properties": {"id": {"type": "string"}}},
      "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
      "tool": {"type": "object", "required": ["driver"], "additionalProperties": false, "properties": {
        "driver": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
          "name": {"type": "string"}, "version": {"type": "string"},
          "rules": {"type": "array", "uniqueItems": true, "items": {"type": "object", "required": ["id"], "additionalProperties": false, "properties": {
            "id": {"type": "string"}, "shortDescription": {"$ref": "#/$defs/text"},
            "defaultConfiguration": {"type": "object", "properties": {"level": {"enum": ["none", "note", "warning", "error"]}}}}}}}}}},
      "results": {"type": "array", "items": {"type": "object", "required": ["message"], "additionalProperties": false, "properties": {
        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": -1}, "level": {"enum": ["none", "note", "warning", "error"]},
        "message": {"$ref": "#/$defs/text"},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
        "locations": {"type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {
          "physicalLocation": {"type": "object", "additionalProperties": false, "required": ["artifactLocation"], "properties": {
            "artifactLocation": {"type": "object", "additionalProperties": false, "properties": {
              "uri": {"type": "string", "format": "uri-reference", "minLength": 1}, "uriBaseId": {"type": "string"}}},
            "region": {"type": "object", "additionalProperties": false, "properties": {
              "startLine": {"type": "integer", "minimum": 1}, "startColumn": {"type": "integer", "minimum": 1}}}}}}}}}}}}}}},
  "$defs": {"text": {"type": "object", "required": ["text"], "additionalProperties": false, "properties": {"text": {"type": "string", "minLength": 1}}}}
}`

func sarif(t *testing.T, issues spec.Issues) sarifLog {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat = true
	if err := compiler.AddResource("sarif.json", strings.NewReader(sarifSchema)); err != nil {
		t.Fatal(err)
	}
	got := written(t, func(w io.Writer) error { return SARIF(w, issues, "specs", "1.2.3") })
	var v any
	if err := json.Unmarshal([]byte(got), &v); err != nil {
		t.Fatal(err)
	}
	if err := compiler.MustCompile("sarif.json").Validate(v); err != nil {
		t.Errorf("%#v\n%s", err, got)
	}
	var log sarifLog
	if err := json.Unmarshal([]byte(got), &log); err != nil {
		t.Fatal(err)
	}
	return log
}

func TestSARIF(t *testing.T) {
	log := sarif(t, append(issues(), issues()[1]))
	run := log.Runs[0]
	if len(run.Tool.Driver.Rules) != 2 || len(run.Results) != 3 {
		t.Fatalf("%+v", run)
	}
	if run.Automation.ID != "reconcile/specs/" {
		t.Errorf("the analysis is %q", run.Automation.ID)
	}
	first := run.Results[0]
	if first.RuleID != "instance-type" || run.Tool.Driver.Rules[first.RuleIndex].ID != first.RuleID || first.Locations[0].Physical.Region.Line != 2 ||
		first.Locations[0].Physical.Artifact.URI != "specs/fleets.cue" {
		t.Errorf("%+v", first)
	}
	if run.Results[1].Fingerprints["reconcileFinding/v1"] == run.Results[2].Fingerprints["reconcileFinding/v1"] {
		t.Error("two findings have one fingerprint")
	}
	moved := issues()
	for i := range moved {
		moved[i].Line += 10
	}
	if again := sarif(t, moved).Runs[0].Results[0]; again.Fingerprints["reconcileFinding/v1"] != first.Fingerprints["reconcileFinding/v1"] {
		t.Error("a finding that moved has another fingerprint")
	}
	if none := sarif(t, nil); none.Runs[0].Results == nil {
		t.Error("no list where there are no findings")
	}
	sarif(t, spec.Issues{{File: "a b/c%\n#?.yaml", Rule: "r", Message: "\x1b[31m</b>"}})
}
