package github_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconcile/pkg/github"
	"reconcile/pkg/github/githubtest"
)

// client is the real client against a stand-in; its waits take no time and are
// written down.
func client(t *testing.T, s *githubtest.Server, edit ...func(*github.Options)) (*github.Client, *[]time.Duration) {
	t.Helper()
	var waits []time.Duration
	o := github.Options{API: s.URL, Token: github.NewSecret(githubtest.Token), Repository: s.Repository, UserAgent: "test",
		Sleep: func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }}
	for _, e := range edit {
		e(&o)
	}
	c, err := github.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, &waits
}

func server(t *testing.T) *githubtest.Server {
	t.Helper()
	s := githubtest.New()
	t.Cleanup(s.Close)
	return s
}

var marker = github.Marker("plan", "specs")

func TestOneCommentEditedInPlace(t *testing.T) {
	ctx, s := t.Context(), server(t)
	mallory := githubtest.Author{ID: 7, Login: "mallory", Type: "User"}
	s.AddComment(3, mallory, marker+"\n### No changes.") // a look-alike
	for i := range 130 {                                 // more than a page
		s.AddComment(3, mallory, fmt.Sprint("comment ", i))
	}
	s.AddComment(3, githubtest.Actions(), "> quoted:\n"+marker) // ours, and no plan
	c, _ := client(t, s)
	first, err := c.Upsert(ctx, 3, marker, "one")
	if err != nil {
		t.Fatal(err)
	}
	again, _ := client(t, s) // another run
	second, err := again.Upsert(ctx, 3, marker, "two")
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != second.ID {
		t.Errorf("a second comment: %d and %d", first.ID, second.ID)
	}
	if _, err := again.Upsert(ctx, 3, marker, "two"); err != nil {
		t.Fatal(err)
	}
	all := s.Comments(3)
	last := all[len(all)-1]
	if len(all) != 133 || last.Body != marker+"\ntwo" || last.Edits != 1 {
		t.Errorf("%d comments, the last %+v", len(all), last)
	}
	if all[0].Body != marker+"\n### No changes." {
		t.Error("somebody else's comment was edited")
	}
	found, err := again.Sticky(ctx, 3, marker)
	if err != nil || found == nil || found.ID != first.ID {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestALostAnswerMakesNoSecondComment(t *testing.T) {
	s := server(t)
	s.Fail("POST /repos/acme/platform/issues/3/comments", http.StatusBadGateway, 2, true)
	c, waits := client(t, s)
	if _, err := c.Upsert(t.Context(), 3, marker, "one"); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Comments(3)); n != 1 || len(*waits) != 1 {
		t.Errorf("%d comments after waits %v", n, *waits)
	}
}

func TestTwoCommentsOfOursBecomeOne(t *testing.T) {
	s := server(t)
	for _, body := range []string{"old", "newer"} {
		s.AddComment(3, githubtest.Actions(), marker+"\n"+body)
	}
	c, _ := client(t, s)
	if _, err := c.Upsert(t.Context(), 3, marker, "one"); err != nil {
		t.Fatal(err)
	}
	if all := s.Comments(3); len(all) != 1 || all[0].Body != marker+"\none" {
		t.Errorf("%+v", all)
	}
}

func TestOursIsWhatTheTokenWrote(t *testing.T) {
	for name, setup := range map[string]func(*githubtest.Server, *github.Options){
		"a person's token": func(s *githubtest.Server, _ *github.Options) {
			s.AsPerson(githubtest.Author{ID: 9, Login: "ops", Type: "User"})
		},
		"an app's token":       func(*githubtest.Server, *github.Options) {},
		"without GraphQL":      func(s *githubtest.Server, o *github.Options) { s.Deny("/graphql"); o.Actions = true },
		"an enterprise server": func(s *githubtest.Server, o *github.Options) { o.API = s.URL + "/api/v3" },
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			s.AddComment(3, githubtest.Author{ID: 7, Login: "github-actions", Type: "User"}, marker+"\nx")
			c, _ := client(t, s, func(o *github.Options) { setup(s, o) })
			for _, body := range []string{"one", "two"} {
				if _, err := c.Upsert(t.Context(), 3, marker, body); err != nil {
					t.Fatal(err)
				}
			}
			if all := s.Comments(3); len(all) != 2 || all[1].Body != marker+"\ntwo" {
				t.Errorf("%+v", all)
			}
		})
	}
}

func TestFailuresAreWaitedForWithinBounds(t *testing.T) {
	ctx := t.Context()
	t.Run("secondary limit", func(t *testing.T) {
		s := server(t)
		s.Limit("GET /repos/acme/platform/issues/3/comments", 40)
		c, waits := client(t, s)
		if _, err := c.Upsert(ctx, 3, marker, "x"); err != nil || fmt.Sprint(*waits) != "[40s]" {
			t.Errorf("%v after %v", err, *waits)
		}
	})
	t.Run("a limit that is too long", func(t *testing.T) {
		s := server(t)
		s.Limit("GET /repos/acme/platform/pulls/3", 3600)
		c, waits := client(t, s)
		if _, err := c.Pull(ctx, 3); err == nil || len(*waits) != 0 {
			t.Errorf("%v after %v", err, *waits)
		}
	})
	t.Run("down", func(t *testing.T) {
		s := server(t)
		s.Fail("/issues", http.StatusServiceUnavailable, 1000, false)
		c, waits := client(t, s)
		_, err := c.Upsert(ctx, 3, marker, "x")
		if err == nil || fmt.Sprint(*waits) != "[1s 2s 4s 8s]" {
			t.Errorf("%v after %v", err, *waits)
		}
	})
	t.Run("no connection", func(t *testing.T) {
		s := server(t)
		c, waits := client(t, s)
		s.Close()
		if _, err := c.Pull(ctx, 3); err == nil || len(*waits) != 4 || strings.Contains(err.Error(), githubtest.Token) {
			t.Errorf("%v after %v", err, *waits)
		}
	})
	t.Run("too long", func(t *testing.T) {
		s := server(t)
		c, waits := client(t, s)
		_, err := c.Upsert(ctx, 3, marker, strings.Repeat("x", 65_536))
		var e *github.Error
		if !errors.As(err, &e) || e.Status != 422 || len(*waits) != 0 {
			t.Errorf("%v after %v", err, *waits)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		s := server(t)
		s.Fail("/pulls", 500, 9, false)
		c, _ := client(t, s, func(o *github.Options) { o.Sleep = nil })
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		if _, err := c.Pull(ctx, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func annotations(n int) []github.Annotation {
	var out []github.Annotation
	for i := range n {
		out = append(out, github.Annotation{Path: "specs/p.yaml", Line: i + 1, Column: 2, Level: github.Warning, Title: "t", Message: fmt.Sprint("message ", i)})
	}
	return out
}

func TestACheckHasAllItsAnnotations(t *testing.T) {
	for _, n := range []int{0, 1, 50, 51, 171} {
		s := server(t)
		c, _ := client(t, s)
		status, err := c.Report(t.Context(), github.Check{Name: "reconcile/plan (specs)", SHA: "abc", Conclusion: github.Failure,
			Title: "t", Summary: "s", External: "digest", Annotations: annotations(n)})
		if err != nil || status {
			t.Fatal(status, err)
		}
		checks := s.Checks()
		if len(checks) != 1 || len(checks[0].Output.Annotations) != n || checks[0].Status != "completed" || checks[0].Conclusion != "failure" || checks[0].External != "digest" {
			t.Errorf("%d annotations: %+v", n, checks)
		}
	}
}

func TestWithoutChecksAStatus(t *testing.T) {
	s := server(t)
	s.Deny("/check-runs")
	c, _ := client(t, s)
	status, err := c.Report(t.Context(), github.Check{Name: "n", SHA: "abc", Conclusion: github.Neutral, Title: strings.Repeat("ü", 300), Summary: "s", Annotations: annotations(3)})
	if err != nil || !status {
		t.Fatal(status, err)
	}
	if all := s.Statuses(); len(all) != 1 || all[0].State != "success" || all[0].Context != "n" || all[0].SHA != "abc" {
		t.Errorf("%+v", all)
	}
	s.Deny("/statuses")
	if _, err := c.Report(t.Context(), github.Check{Name: "n", SHA: "abc", Title: "t", Summary: "s"}); !github.Denied(err) {
		t.Errorf("%v", err)
	}
}

func TestTheNewestCheckIsRead(t *testing.T) {
	ctx, s := t.Context(), server(t)
	c, _ := client(t, s)
	if got, err := c.Checked(ctx, "abc", "n"); err != nil || got != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, digest := range []string{"one", "two"} {
		if _, err := c.Report(ctx, github.Check{Name: "n", SHA: "abc", Conclusion: github.Success, Title: "t", Summary: "s", External: digest}); err != nil {
			t.Fatal(err)
		}
	}
	s.AddCheck(githubtest.Check{Name: "n", SHA: "abc", Conclusion: "success", External: "forged", App: githubtest.App{Slug: "somebody"}})
	got, err := c.Checked(ctx, "abc", "n")
	if err != nil || got == nil || got.External != "two" || got.Conclusion != github.Success {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestATicketLives(t *testing.T) {
	ctx, s := t.Context(), server(t)
	m := github.Marker("drift", "bp/staging/gpu")
	s.AddIssue(githubtest.Author{ID: 7, Login: "mallory", Type: "User"}, "drift", m+"\nnothing to see")
	c, _ := client(t, s)
	for _, body := range []string{"a", "a", "b"} { // created, left alone, edited
		if _, err := c.WriteTicket(ctx, m, "drift of bp", body, "drift"); err != nil {
			t.Fatal(err)
		}
	}
	if closed, err := c.CloseTicket(ctx, m, "clean", "drift"); err != nil || closed == nil || closed.Open {
		t.Fatalf("%+v, %v", closed, err)
	}
	if closed, err := c.CloseTicket(ctx, m, "clean", "drift"); err != nil || closed != nil {
		t.Fatalf("closed twice: %+v, %v", closed, err)
	}
	if _, err := c.WriteTicket(ctx, m, "drift of bp", "c", "drift"); err != nil {
		t.Fatal(err)
	}
	all := s.Issues()
	if len(all) != 2 || fmt.Sprint(all[1].Events) != "[opened edited closed reopened]" || all[1].Body != m+"\nc" || all[1].State != "open" {
		t.Errorf("%+v", all)
	}
	if all[0].Body != m+"\nnothing to see" {
		t.Error("somebody else's issue was edited")
	}
}

// A run that writes a ticket for each fleet reads the list once, and again after
// an answer that was lost.
func TestTicketsAreListedOnce(t *testing.T) {
	ctx, s := t.Context(), server(t)
	c, _ := client(t, s)
	s.AddIssue(githubtest.Author{ID: 7, Login: "mallory", Type: "User"}, "drift", github.Marker("drift", "bp/staging/gone")+"\nx")
	s.Fail("POST /repos/acme/platform/issues", 502, 1, true)
	for i := range 5 {
		if _, err := c.WriteTicket(ctx, github.Marker("drift", fmt.Sprintf("bp/staging/gpu-%d", i)), "drift", "text"); err != nil {
			t.Fatal(err)
		}
	}
	lists := 0
	for _, line := range s.Requests() {
		if line == "GET /repos/acme/platform/issues" {
			lists++
		}
	}
	if lists != 2 || len(s.Issues()) != 6 {
		t.Errorf("%d lists, %d issues", lists, len(s.Issues()))
	}
	if _, err := c.CloseTicket(ctx, github.Marker("drift", "bp/staging/gpu-1"), "clean"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteTicket(ctx, github.Marker("drift", "bp-eu/staging/gpu-9"), "drift", "text"); err != nil {
		t.Fatal(err)
	}
	left, err := c.LeftTickets(ctx, "drift", "bp/", []string{"bp/staging/gpu-0", "bp/staging/gpu-2"})
	if names := slices.Sorted(maps.Keys(left)); err != nil || fmt.Sprint(names) != "[bp/staging/gpu-3 bp/staging/gpu-4]" {
		t.Errorf("%v, %v", names, err)
	}
}

func TestPullRequests(t *testing.T) {
	ctx, s := t.Context(), server(t)
	s.AddPull(githubtest.Pull{Number: 1, Head: "h1", Merged: true, Merge: "m1", Patches: map[string]string{
		"specs/p.yaml": "@@ -1,3 +10,2 @@ spec:\n a\n-b\n+c\n@@ -9 +20 @@\n+x", "big": ""}})
	s.AddPull(githubtest.Pull{Number: 2, Head: "m1", Fork: true})
	c, _ := client(t, s)
	p, err := c.PullOf(ctx, "m1")
	if err != nil || p == nil || p.Number != 1 || !p.Merged || p.Fork {
		t.Errorf("%+v, %v", p, err)
	}
	for _, m := range []struct {
		sha, branch string
		want        int
	}{{"m1", "main", 1}, {"m1", "", 1}, {"m1", "trunk", 0}, {"h1", "main", 0}, {"other", "", 0}} {
		got := 0
		p, err := c.MergedAs(ctx, m.sha, m.branch)
		if p != nil {
			got = p.Number
		}
		if err != nil || got != m.want {
			t.Errorf("%s is the merge of %d into %q (%v), want %d", m.sha, got, m.branch, err, m.want)
		}
	}
	if p, err := c.PullOf(ctx, "other"); err != nil || p != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.Pull(ctx, 2); err != nil || !p.Fork || !p.Open || p.Head != "m1" {
		t.Errorf("%+v, %v", p, err)
	}
	files, err := c.Files(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := files["specs/p.yaml"]
	for line, want := range map[int]bool{9: false, 10: true, 11: true, 12: false, 20: true, 21: false} {
		if f.Shows(line) != want {
			t.Errorf("line %d: %v", line, f.Shows(line))
		}
	}
}

func TestASecretNeverPrints(t *testing.T) {
	secret := github.NewSecret(githubtest.Token)
	ci := github.CI{Token: secret}
	encoded, err := json.Marshal(ci)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", secret, "ci", ci)
	for _, text := range []string{fmt.Sprint(ci), fmt.Sprintf("%v %+v %#v %s %q %x %d", ci, ci, ci, secret, secret, secret, secret), string(encoded), log.String()} {
		if strings.Contains(text, "0123456789") || strings.Contains(text, fmt.Sprintf("%x", "0123456789")) {
			t.Errorf("it prints: %s", text)
		}
	}
}

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	event := filepath.Join(dir, "event.json")
	if err := os.WriteFile(event, []byte(`{"pull_request":{"head":{"sha":"cafe"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ci := github.Environment(func(name string) string {
		return map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/platform", "GITHUB_SERVER_URL": "https://ghe.example.com",
			"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_EVENT_PATH": event,
			"GITHUB_OUTPUT": filepath.Join(dir, "out"), "GITHUB_STEP_SUMMARY": filepath.Join(dir, "sum")}[name]
	})
	if ci.Run != "https://ghe.example.com/acme/platform/actions/runs/7/attempts/2" || ci.Head != "cafe" || !ci.Actions {
		t.Errorf("%+v", ci)
	}
	evil := "x\nEOF\nhas-changes<<E\nfalse\nE"
	if err := ci.Output(map[string]string{"summary": evil, "has-changes": "true"}, "has-changes", "summary"); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if got := outputs(t, string(body)); got["summary"] != evil || got["has-changes"] != "true" || len(got) != 2 {
		t.Errorf("%q", got)
	}
	if err := ci.Summary(strings.Repeat("x", github.MaxSummary-2)); err != nil {
		t.Fatal(err)
	}
	if ci.SummaryRoom() != 1 {
		t.Errorf("room %d", ci.SummaryRoom())
	}
	if err := ci.Summary("more"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "sum")); err != nil || info.Size() > github.MaxSummary {
		t.Errorf("%v, %v", info.Size(), err)
	}
	none := github.Environment(func(string) string { return "" })
	if err := errors.Join(none.Summary("x"), none.Output(nil, "a")); err != nil || none.Actions || none.Run != "" {
		t.Errorf("%+v, %v", none, err)
	}
}

// outputs reads the file as a runner does.
func outputs(t *testing.T, body string) map[string]string {
	t.Helper()
	out := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		name, end, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("line %q", lines[i])
		}
		var value []string
		for i++; lines[i] != end; i++ {
			value = append(value, lines[i])
		}
		out[name] = strings.Join(value, "\n")
	}
	return out
}

func TestOpenRefuses(t *testing.T) {
	for _, repo := range []string{"", "acme", "/x", "acme/", "acme/x/y", "acme/x?y"} {
		if _, err := github.Open(github.Options{Repository: repo, Token: github.NewSecret("x")}); err == nil {
			t.Errorf("%q is a repository", repo)
		}
	}
	if _, err := github.Open(github.Options{Repository: "a/b"}); !errors.Is(err, github.ErrNoToken) {
		t.Errorf("%v", err)
	}
}

func TestAMarkerCannotEndItself(t *testing.T) {
	if got := github.Marker("plan", "a-->b --x\n/c"); strings.Count(got, "--") != 2 || strings.Contains(got, "\n") {
		t.Errorf("%q", got)
	}
}
