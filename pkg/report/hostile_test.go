package report

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"reconcile/pkg/apply"
	"reconcile/pkg/plan"
	"reconcile/pkg/spec"
)

// tricks are texts that try to leave their place.
var tricks = []string{
	"</details>\n\n# Approved by @octocat", "```\n</details>\n```", "`` ` ```` x", "<!-- reconcile:plan:specs -->", "-->", "<script>alert(1)</script>",
	"<img src=x onerror=alert(1)>", "[click](https://evil.example)", "![x](https://evil.example/x.png)", "https://evil.example", "www.evil.example",
	"@acme/owners #1 acme/platform#1 GH-1 :tada: $x$", "::add-mask::x", "x\n::error::y", "##[error]x", "%0A::error::x", "\x1b[2J\x1b]0;t\a\x9b31m",
	"\u202edesrever\u2066", "a\u200bb\u00ad", "> [!NOTE]\n> fine", "- [x] approved", "1. one", "# title", "=====", "a | b", "&lt;b&gt; &#64;octocat",
	"\\`x\\`", "~~gone~~ **bold** _it_", "{{.}} {{`x`}}", "\"' onload=alert(1) x='", "javascript:alert(1)", "]]>", "\x00", "\r\n\r\n# x",
}

// hostilePlan has a text wherever a plan can hold one.
func hostilePlan(a, b string) plan.Plan {
	at := spec.Source{File: a, Line: 3}
	step := plan.Step{ID: plan.StepID("stack/" + a), Kind: plan.KindStack, Target: a, Action: plan.ActionUpdate, Source: at, Risk: b, Reason: a,
		Changes: []plan.Change{
			{Resource: a, Type: b, Physical: a, Action: plan.ActionUpdate, Path: "Properties." + b, Before: a, After: b, Source: at},
			{Resource: b, Type: a, Action: plan.ActionUpdate, Path: "Properties.Doc", Document: a + "\n+" + b},
			{Resource: "Gone" + a, Type: b, Action: plan.ActionDelete},
		}}
	risky, blocked := step, step
	risky.ID, risky.Approvals = "stack/risky", []plan.Approval{{Kind: plan.ApproveReplace, Target: a, Why: b}, {Kind: plan.ApprovalKind(a), Target: b, Why: a}}
	blocked.ID, blocked.Blocked = "stack/blocked", &plan.Blocked{Reason: a, Command: b}
	return plan.Plan{Target: plan.Target{Platform: a, Account: b, Region: a, Revision: b}, Steps: []plan.Step{step, risky, blocked},
		Findings: []plan.Finding{{Severity: plan.SeverityWarning, Code: a, Target: b, Message: a, Command: b, Source: at}, {Severity: plan.SeverityNote, Message: b}},
		Drift:    []plan.Change{{Stack: a, Resource: b, Path: a, Before: b, After: a}}, NotRead: []string{a}, Summary: plan.Summary{Change: 3}}
}

// pagesOf are all pages for GitHub, in Markdown.
func pagesOf(t *testing.T, a, b string) map[string]string {
	o := review()
	o.Link, o.Folder = nil, a
	o.Before = &Snapshot{Head: b, Effects: "x", Steps: map[string]string{a: b, "stack/" + b: a}}
	issues := spec.Issues{{File: a, Line: 1, Column: 1, Path: b, Rule: a, Message: b, Suggestion: a}}
	result := apply.Result{Steps: []apply.StepResult{
		{Target: a, Outcome: apply.OutcomeFailed, Message: b, Command: a, Causes: []apply.Cause{{Resource: a, Type: b, Status: a, Reason: b}}},
		{Target: b, Outcome: apply.OutcomeDone}}}
	return map[string]string{
		"plan":     written(t, func(w io.Writer) error { return PlanMarkdown(w, hostilePlan(a, b), o) }),
		"issues":   written(t, func(w io.Writer) error { return IssuesMarkdown(w, issues, o) }),
		"failure":  written(t, func(w io.Writer) error { return FailureMarkdown(w, a+"\n"+b, o) }),
		"outcome":  written(t, func(w io.Writer) error { return OutcomeMarkdown(w, &result, a, o) }),
		"question": written(t, func(w io.Writer) error { return QuestionMarkdown(w, hostilePlan(a, b), "because "+a, b, o) }),
	}
}

// hold checks that nothing of a text has become more than text.
func hold(t *testing.T, name, page string) {
	t.Helper()
	for _, r := range page {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s: %U reaches the page", name, r)
			return
		}
	}
	if bad := activeIn(page); bad != "" {
		t.Errorf("%s: %s is more than text in\n%s", name, bad, page)
	}
}

var (
	ownTags = regexp.MustCompile(`^<(/?details|details open|/?summary|/?code|/?b)>`)
	tag     = regexp.MustCompile(`<[^>]*>?`)
	active  = []*regexp.Regexp{
		regexp.MustCompile(`@[A-Za-z0-9]`), regexp.MustCompile(`(^|[^&])#[0-9]`), regexp.MustCompile(`(?i)gh-[0-9]`), regexp.MustCompile(`://`), regexp.MustCompile(`(?i)www\.[a-z]`),
		regexp.MustCompile(`:tada:`), regexp.MustCompile(`\$x`), regexp.MustCompile(`(^|[^\\])\]\(`), regexp.MustCompile(`(^|[^\\])~~`),
	}
)

// activeIn finds what GitHub would make something of, outside of code: our own
// links to the run are taken out first.
func activeIn(page string) string {
	page = strings.ReplaceAll(page, "](https://github.com/acme/platform/actions/runs/7)", "")
	fence := ""
	for line := range strings.SplitSeq(page, "\n") {
		bare := strings.TrimPrefix(line, "> ")
		switch {
		case fence == "" && strings.HasPrefix(bare, "```") && !strings.Contains(strings.TrimLeft(bare, "`"), "`"): // else it is a code span
			fence = strings.TrimRight(bare, "abcdefghijklmnopqrstuvwxyz")
			continue
		case fence != "" && strings.HasPrefix(bare, fence):
			fence = ""
			continue
		case fence != "":
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			return "a workflow command"
		}
		text := withoutCode(line)
		for _, found := range tag.FindAllString(text, -1) {
			if !ownTags.MatchString(found) {
				return found
			}
		}
		for _, re := range active {
			if m := re.FindString(text); m != "" {
				return m
			}
		}
	}
	if fence != "" {
		return "an open fence"
	}
	return ""
}

var htmlCode = regexp.MustCompile(`<code>[^<]*</code>`)

// withoutCode takes code spans out of a line, as CommonMark finds them.
func withoutCode(line string) string {
	line = htmlCode.ReplaceAllString(line, "")
	var b strings.Builder
	for i := 0; i < len(line); {
		if line[i] == '\\' && i+1 < len(line) {
			b.WriteString(line[i : i+2])
			i += 2
			continue
		}
		if line[i] != '`' {
			b.WriteByte(line[i])
			i++
			continue
		}
		n := len(line[i:]) - len(strings.TrimLeft(line[i:], "`"))
		end := closing(line[i+n:], n)
		if end < 0 {
			b.WriteString(line[i : i+n])
			i += n
			continue
		}
		i += n + end + n
	}
	return b.String()
}

// closing finds a run of exactly n backticks.
func closing(s string, n int) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == n {
			return i
		}
		i += run
	}
	return -1
}

func TestHostileTextStaysText(t *testing.T) {
	for _, a := range tricks {
		for _, b := range []string{a, "plain", tricks[0]} {
			for name, page := range pagesOf(t, a, b) {
				hold(t, name, page)
			}
		}
	}
	if activeIn("hello @octocat") == "" || activeIn("x <img>") == "" || activeIn("`@a` [x](y)") == "" || activeIn("```\nx") == "" {
		t.Error("the test sees nothing")
	}
}

func FuzzHostileText(f *testing.F) {
	for i, a := range tricks {
		f.Add(a, tricks[(i*7+3)%len(tricks)])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for name, page := range pagesOf(t, a, b) {
			hold(t, name, page)
		}
		holdHTML(t, written(t, func(w io.Writer) error { return PlanHTML(w, hostilePlan(a, b), Options{}) }))
		got := written(t, func(w io.Writer) error {
			return IssuesGitHub(w, spec.Issues{{File: a, Line: 1, Column: 1, Path: b, Rule: a, Message: b}})
		})
		if strings.Count(got, "\n") != 1 || !strings.HasPrefix(got, "::error file=") || strings.Contains(got, "##[") {
			t.Errorf("more than one command: %q", got)
		}
		text := written(t, func(w io.Writer) error { return PlanText(w, hostilePlan(a, b), Options{Verbose: true}) })
		for line := range strings.SplitSeq(text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
				t.Errorf("a workflow command in the text: %q", line)
			}
		}
	})
}

var (
	htmlTag  = regexp.MustCompile(`<(/?)([a-zA-Z!][a-zA-Z0-9]*)([^>]*)>`)
	harmless = regexp.MustCompile(`^( (class|lang|charset|name|content|http-equiv)="[^"<>]*"| open)*$`)
)

// holdHTML checks that the page has no tags but those of its template.
func holdHTML(t *testing.T, page string) {
	t.Helper()
	known := map[string]bool{}
	for _, m := range htmlTag.FindAllStringSubmatch(planPage, -1) {
		known[m[2]] = true
	}
	_, body, _ := strings.Cut(page, "</style>")
	for _, m := range htmlTag.FindAllStringSubmatch(body, -1) {
		if !known[m[2]] || !harmless.MatchString(m[3]) {
			t.Errorf("a tag of its own: %s", m[0])
		}
	}
}

func TestHTMLReport(t *testing.T) {
	for _, a := range tricks {
		holdHTML(t, written(t, func(w io.Writer) error { return PlanHTML(w, hostilePlan(a, tricks[0]), Options{}) }))
		holdHTML(t, written(t, func(w io.Writer) error { return FailureHTML(w, a, Options{Review: Review{Folder: a}}) }))
		holdHTML(t, written(t, func(w io.Writer) error {
			return IssuesHTML(w, spec.Issues{{File: a, Line: 1, Message: a, Path: a}}, Options{})
		}))
	}
	o := review()
	got := written(t, func(w io.Writer) error { return PlanHTML(w, updates(), o) })
	golden(t, "updates.html", got)
	for _, external := range []string{"<script", "<link", "src=", "@import", "url("} {
		if strings.Contains(got, external) {
			t.Errorf("the page needs something else: %s", external)
		}
	}
	// Nothing is cut: 200 fleets that differ are all there.
	got = written(t, func(w io.Writer) error { return PlanHTML(w, differing(), o) })
	if n := strings.Count(got, "<details"); n != 200 {
		t.Errorf("%d entries", n)
	}
	evil := o
	evil.Link = func(spec.Source) string { return `javascript:alert("x")` }
	if got := written(t, func(w io.Writer) error { return PlanHTML(w, updates(), evil) }); strings.Contains(got, `href="javascript`) {
		t.Error("a link runs a script")
	}
}

func TestReadResult(t *testing.T) {
	r := apply.Result{Steps: []apply.StepResult{{Step: "stack/x", Target: "x", Outcome: apply.OutcomeDone}}}
	var b bytes.Buffer
	b.WriteString("{\"type\":\"step-done\",\"step\":\"stack/x\"}\nnot JSON\n")
	if _, err := ReadResult(strings.NewReader(b.String())); !errors.Is(err, ErrNoResult) {
		t.Errorf("%v", err)
	}
	if err := ResultJSON(&b, plan.Plan{}, r); err != nil {
		t.Fatal(err)
	}
	b.WriteString(`{"type":"res`)
	got, err := ReadResult(&b)
	if err != nil || len(got.Steps) != 1 || got.Steps[0].Outcome != apply.OutcomeDone {
		t.Errorf("%+v, %v", got, err)
	}
}
