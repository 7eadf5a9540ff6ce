package report

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconcile/pkg/spec"
)

func issues() spec.Issues {
	return spec.Issues{
		{File: "specs/fleets.cue", Line: 2, Column: 18, Path: "spec.instanceTypes[0]", Rule: "instance-type", Message: `"g4dn.xlarg" is not allowed by template gpu-default`, Suggestion: "g4dn.xlarge"},
		{File: "specs/gone.yaml", Line: 3, Column: 1, Rule: "syntax", Message: "not readable"},
	}
}

func source(file string) ([]byte, error) {
	if file != "specs/fleets.cue" {
		return nil, errors.New("gone")
	}
	return []byte("package specs\n\tinstanceTypes: [\"g4dn.xlarg\"]\r\n"), nil
}

func hostileIssues() spec.Issues {
	return spec.Issues{{File: "a\nb:c", Line: 1, Column: 99999, Path: "\x1b]0;x\a", Rule: "r\u202e", Message: "m\n::error::x%0A", Suggestion: "\x1b[2J"}}
}

func hostileFile(string) ([]byte, error) {
	return []byte(strings.Repeat("\x1b[31m\u202e€", 20000)), nil
}

func TestIssues(t *testing.T) {
	want := `specs/fleets.cue:2:18: spec.instanceTypes[0]: "g4dn.xlarg" is not allowed by template gpu-default [instance-type]
    2 |     instanceTypes: ["g4dn.xlarg"]
      |                     ^
    help: g4dn.xlarge
specs/gone.yaml:3:1: not readable [syntax]
`
	got := written(t, func(w io.Writer) error { return Issues(w, issues(), Options{Source: source}) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIssuesGitHub(t *testing.T) {
	want := `::error file=specs/fleets.cue,line=2,col=18,title=instance-type::spec.instanceTypes[0]: "g4dn.xlarg" is not allowed by template gpu-default; g4dn.xlarge
::error file=specs/gone.yaml,line=3,col=1,title=syntax::not readable
`
	got := written(t, func(w io.Writer) error { return IssuesGitHub(w, issues()) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := written(t, func(w io.Writer) error { return IssuesGitHub(w, hostileIssues()) }); strings.Count(got, "\n") != 1 {
		t.Errorf("a hostile text makes a command of its own:\n%s", got)
	}
}

func TestIssuesJSON(t *testing.T) {
	got := written(t, func(w io.Writer) error { return IssuesJSON(w, nil) })
	if diff := cmp.Diff("{\n  \"valid\": true,\n  \"issues\": []\n}\n", got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = written(t, func(w io.Writer) error { return IssuesJSON(w, issues()[1:]) })
	want := `{
  "valid": false,
  "issues": [
    {
      "file": "specs/gone.yaml",
      "line": 3,
      "column": 1,
      "rule": "syntax",
      "message": "not readable"
    }
  ]
}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The excerpt would carry into a log what the finding keeps out of git.
func TestNoExcerptOfALineWithASecret(t *testing.T) {
	body := func(string) ([]byte, error) { return []byte("parameters: {Token: hunter2, Topic: x}\nother: y\n"), nil }
	found := spec.Issues{
		{File: "specs/a.yaml", Line: 1, Column: 21, Path: "spec.parameters.Token", Rule: spec.RuleSecret, Message: "is a secret", Suggestion: "keep it elsewhere"},
		{File: "specs/a.yaml", Line: 1, Column: 30, Path: "spec.parameters.Topic", Rule: "stack-parameter", Message: "is no parameter"},
		{File: "specs/a.yaml", Line: 2, Column: 1, Rule: "unknown-field", Message: "is no field"},
	}
	got := written(t, func(w io.Writer) error { return Issues(w, found, Options{Source: body}) })
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "keep it elsewhere") || !strings.Contains(got, "2 | other: y") {
		t.Errorf("got\n%s", got)
	}
}
