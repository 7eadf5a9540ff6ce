package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"reconcile/pkg/github/githubtest"
)

// The scripts in testdata/github run the true binary against a GitHub over
// HTTP, with pull request 12 of acme/platform open.
func TestGitHubScripts(t *testing.T) {
	params := scriptParams(t)
	params.Dir = "testdata/github"
	setup := params.Setup
	params.Setup = func(env *testscript.Env) error {
		s := githubtest.New()
		env.Defer(s.Close)
		s.AddPull(githubtest.Pull{Number: 12, Head: head(1), Patches: map[string]string{
			"specs/platform.yaml": "@@ -30,9 +30,9 @@ spec:\n a\n"}})
		env.Values[githubKey{}] = s
		for name, value := range map[string]string{
			"GITHUB_API_URL": s.URL, "GITHUB_SERVER_URL": "https://github.com", "GITHUB_TOKEN": githubtest.Token, "GITHUB_REPOSITORY": s.Repository,
			"GITHUB_RUN_ID": "77", "GITHUB_OUTPUT": filepath.Join(env.WorkDir, "output"), "GITHUB_STEP_SUMMARY": filepath.Join(env.WorkDir, "summary"),
			"GITHUB_EVENT_PATH": filepath.Join(env.WorkDir, "event.json"), "GITHUB_WORKSPACE": env.WorkDir, sandboxEnv: "box.json",
		} {
			env.Setenv(name, value)
		}
		if err := event(env.WorkDir, head(1)); err != nil {
			return err
		}
		return setup(env)
	}
	params.Cmds["github"] = githubCommand
	testscript.Run(t, params)
}

type githubKey struct{}

// head is the n-th commit of the pull request's branch.
func head(n int) string { return strings.Repeat(strconv.Itoa(n), 40) }

func event(dir, sha string) error {
	body := fmt.Sprintf(`{"pull_request":{"head":{"sha":%q}}}`, sha)
	return os.WriteFile(filepath.Join(dir, "event.json"), []byte(body), 0o600)
}

// githubCommand looks at GitHub and acts there: github push N, github deny
// PART, github down PART, github fake TEXT, github merge COMMIT, and github
// comments|checks|statuses FILE, which writes what there is.
func githubCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: github what argument")
	}
	s, _ := ts.Value(githubKey{}).(*githubtest.Server)
	switch args[0] {
	case "push": // and the workflow that it starts
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		s.Push(12, head(n))
		ts.Check(event(ts.Getenv("WORK"), head(n)))
	case "overtake": // a push after the workflow began
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		s.Push(12, head(n))
	case "deny":
		s.Deny(args[1])
	case "down":
		s.Limit(args[1], 3600)
	case "merge":
		s.Merge(12, args[1])
	case "fake":
		s.AddComment(12, githubtest.Author{ID: 7, Login: "mallory", Type: "User"}, args[1])
	case "comments":
		var b strings.Builder
		for i, c := range s.Comments(12) {
			fmt.Fprintf(&b, "== %d by %s, %d edits\n%s\n", i+1, c.User.Login, c.Edits, c.Body)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
	case "checks":
		writeJSON(ts, args[1], s.Checks())
	case "issues":
		var b strings.Builder
		for _, i := range s.Issues() {
			fmt.Fprintf(&b, "== %s, %s, %s\n%s\n", i.Title, i.State, strings.Join(i.Events, " "), i.Body)
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
	case "statuses":
		writeJSON(ts, args[1], s.Statuses())
	default:
		ts.Fatalf("github %s?", args[0])
	}
}

func writeJSON(ts *testscript.TestScript, file string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	ts.Check(enc.Encode(v))
	ts.Check(os.WriteFile(ts.MkAbs(file), b.Bytes(), 0o600))
}
