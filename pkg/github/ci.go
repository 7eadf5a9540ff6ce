package github

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
)

// Secret is a token. No way of printing shows it.
type Secret struct{ value string }

// NewSecret hides a token.
func NewSecret(value string) Secret { return Secret{value: value} }

// Empty tells whether there is none.
func (s Secret) Empty() bool { return s.value == "" }

const hidden = "(secret)"

// String hides the value.
func (s Secret) String() string { return hidden }

// GoString hides the value from %#v.
func (s Secret) GoString() string { return hidden }

// Format hides the value from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the value from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the value from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// CI is a workflow run, as GitHub's environment variables tell it. Outside of
// one, most is empty.
type CI struct {
	Actions    bool   // a workflow run of GitHub Actions
	Repository string // "owner/name"
	SHA        string // commit that is checked out; of a pull request, a merge that is in no branch
	Head       string // last commit of the pull request's branch at the time of the event; empty elsewhere
	Event      string // "pull_request", "push", "schedule", …
	Branch     string // that the run is for; empty for a pull request or a tag
	Workflow   string // file name of the workflow, "apply.yml"
	Actor      string
	Server     string // "https://github.com"
	API        string // "https://api.github.com", or that of an enterprise server
	Run        string // URL of the run
	Workspace  string // folder of the checkout
	Token      Secret

	output, summary string // files
}

// Environment reads the surroundings through getenv.
func Environment(getenv func(string) string) CI {
	ci := CI{
		Actions: getenv("GITHUB_ACTIONS") == "true", Repository: getenv("GITHUB_REPOSITORY"), SHA: getenv("GITHUB_SHA"),
		Event: getenv("GITHUB_EVENT_NAME"), Actor: getenv("GITHUB_ACTOR"), Server: getenv("GITHUB_SERVER_URL"), API: getenv("GITHUB_API_URL"),
		Workspace: getenv("GITHUB_WORKSPACE"), Token: NewSecret(getenv("GITHUB_TOKEN")),
		output: getenv("GITHUB_OUTPUT"), summary: getenv("GITHUB_STEP_SUMMARY"),
	}
	if ci.Server == "" {
		ci.Server = "https://github.com"
	}
	ci.Server = strings.TrimSuffix(ci.Server, "/")
	if id := getenv("GITHUB_RUN_ID"); id != "" && ci.Repository != "" {
		ci.Run = ci.Server + "/" + ci.Repository + "/actions/runs/" + id
		if attempt := getenv("GITHUB_RUN_ATTEMPT"); attempt != "" && attempt != "1" {
			ci.Run += "/attempts/" + attempt
		}
	}
	if branch, ok := strings.CutPrefix(getenv("GITHUB_REF"), "refs/heads/"); ok {
		ci.Branch = branch
	}
	// "acme/platform/.github/workflows/apply.yml@refs/heads/main"
	if file, _, ok := strings.Cut(getenv("GITHUB_WORKFLOW_REF"), "@"); ok {
		ci.Workflow = path.Base(file)
	}
	ci.Head = headOf(getenv("GITHUB_EVENT_PATH"))
	return ci
}

// headOf reads the event's payload; it is a hint, so that none is no error.
func headOf(file string) string {
	if file == "" {
		return ""
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	var event struct {
		PullRequest struct {
			Head struct {
				SHA string `json:"sha"`
			} `json:"head"`
		} `json:"pull_request"`
	}
	if json.Unmarshal(body, &event) != nil {
		return ""
	}
	return event.PullRequest.Head.SHA
}

// Output hands values to later steps of the workflow; it does nothing outside
// of one. A value may have any text: none can end it and begin another.
func (ci CI) Output(values map[string]string, order ...string) error {
	if ci.output == "" {
		return nil
	}
	var b strings.Builder
	for _, name := range order {
		end := "reconcile-" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", name, end, values[name], end)
	}
	return appendTo(ci.output, b.String())
}

// MaxSummary is how much GitHub shows of a step's summary: 1 MiB.
const MaxSummary = 1 << 20

// SummaryRoom is how many bytes the step's summary still takes; 0 outside of a
// workflow.
func (ci CI) SummaryRoom() int {
	if ci.summary == "" {
		return 0
	}
	info, err := os.Stat(ci.summary)
	if err != nil {
		return MaxSummary
	}
	return max(0, MaxSummary-int(info.Size()))
}

// Summary adds Markdown to the step's summary; it does nothing outside of a
// workflow, and nothing where it does not fit.
func (ci CI) Summary(markdown string) error {
	if ci.summary == "" || len(markdown)+1 > ci.SummaryRoom() {
		return nil
	}
	return appendTo(ci.summary, markdown+"\n")
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write for the workflow: %w", err)
	}
	_, err = f.WriteString(text)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write for the workflow: %w", err)
	}
	return nil
}
