package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflowRun runs the shell of a shipped workflow as GitHub would: in a checkout
// of its own, with the expressions that the workflow names.
type workflowRun struct {
	t        testing.TB
	checkout string
	env      []string
	values   map[string]string // expression → value
	files    map[string]string // GITHUB_OUTPUT and the like → file
}

type workflowJob struct {
	Steps []struct {
		ID, Name, If, Run string
		Env               map[string]string
	} `yaml:"steps"`
}

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

// job runs the one job of a workflow. It gives the exit code of the step that
// failed, which later steps see as GitHub shows it to them, and what was said.
func (w *workflowRun) job(file string) (code int, said string) {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", ".github", "workflows", file))
	if err != nil {
		w.t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]workflowJob `yaml:"jobs"`
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil || len(workflow.Jobs) != 1 {
		w.t.Fatalf("%s: %d jobs, %v", file, len(workflow.Jobs), err)
	}
	var all strings.Builder
	for _, j := range workflow.Jobs {
		for _, s := range j.Steps {
			also, always := strings.CutPrefix(strings.TrimPrefix(s.If, "always()"), " && ")
			always = always || s.If == "always()"
			holds, known := w.values[also]
			if s.Run == "" || code != 0 && !always || known && holds != "true" {
				continue
			}
			if also != "" && !known {
				w.t.Fatalf("%s: if %q is not known here", file, s.If)
			}
			out, ended := w.step(s.Run, s.Env)
			all.WriteString(out)
			if ended != 0 && code == 0 {
				code = ended
			}
			w.outputs(s.ID)
		}
	}
	return code, all.String()
}

func (w *workflowRun) step(run string, env map[string]string) (string, int) {
	w.t.Helper()
	if strings.Contains(run, "${{") {
		w.t.Fatalf("an expression in a shell: %s", run)
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run)
	cmd.Dir, cmd.Env = w.checkout, append([]string{}, w.env...)
	for name, file := range w.files {
		cmd.Env = append(cmd.Env, name+"="+file)
	}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+expression.ReplaceAllStringFunc(value, func(e string) string {
			known, ok := w.values[expression.FindStringSubmatch(e)[1]]
			if !ok {
				w.t.Fatalf("%s is not known here", e)
			}
			return known
		}))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// outputs makes the one-line outputs of a step known to later ones.
func (w *workflowRun) outputs(id string) {
	w.t.Helper()
	b, err := os.ReadFile(w.files["GITHUB_OUTPUT"])
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if name, value, ok := strings.Cut(line, "="); ok && id != "" && !strings.Contains(name, "<<") {
			w.values["steps."+id+".outputs."+name] = value
		}
	}
}
