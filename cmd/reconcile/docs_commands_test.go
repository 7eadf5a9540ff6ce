package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"mvdan.cc/sh/v3/shell"
)

// Every block of shell in the docs is run, in order, a page at a time, by the
// true binary in a copy of the specs. Commands for a real account run on a
// sandbox. The two commands that need the whole repository stand for
// themselves: the first is run as the binary, the second is this very run.
func TestDocsBlocksRun(t *testing.T) {
	t.Parallel()
	for _, page := range docPages(t) {
		blocks := shellBlocks(readFile(t, page))
		if len(blocks) == 0 {
			continue
		}
		var script strings.Builder
		if slices.ContainsFunc(blocks, func(line string) bool { return strings.HasPrefix(line, "git ") }) {
			script.WriteString("[!git] skip 'git is not installed'\n")
		}
		for _, line := range blocks {
			line = strings.ReplaceAll(line, "go run ./cmd/reconcile", "reconcile")
			if line == "go test ./..." {
				continue
			}
			fmt.Fprintf(&script, "exec sh -ec '%s'\n", strings.ReplaceAll(line, "'", "''"))
		}
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(page), ".md")+".txtar")
			if err := os.WriteFile(file, []byte(script.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			params := scriptParams(t)
			params.Files = []string{file}
			setup := params.Setup
			params.Setup = func(env *testscript.Env) error {
				env.Setenv(sandboxEnv, defaultSandbox)
				return setup(env)
			}
			testscript.Run(t, params)
		})
	}
}

// Every command that the docs name inline, or that help shows as an example,
// is one that this program has, flags included.
func TestDocsNameRealCommands(t *testing.T) {
	inline := regexp.MustCompile("`(reconcile [^`]+)`")
	for _, page := range docPages(t) {
		for _, m := range inline.FindAllStringSubmatch(string(readFile(t, page)), -1) {
			if err := parses(m[1]); err != nil {
				t.Errorf("%s: `%s`: %v", page, m[1], err)
			}
		}
	}
	for _, line := range strings.Split(commandsPage(), "\n") {
		if strings.HasPrefix(line, "reconcile ") && !strings.Contains(line, "[flags]") {
			if err := parses(line); err != nil {
				t.Errorf("example %q: %v", line, err)
			}
		}
	}
}

// parses finds the command of a line and parses its flags, without running it.
func parses(line string) error {
	line, _, _ = strings.Cut(line, " > ")
	words, err := shell.Fields(strings.NewReplacer("…", "x", "[", "", "]", "").Replace(line), nil)
	if err != nil {
		return err
	}
	cmd, rest, err := newRoot(stdio{in: bytes.NewReader(nil), out: io.Discard, err: io.Discard}).Find(words[1:])
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if !cmd.Runnable() && !cmd.HasSubCommands() {
		return fmt.Errorf("%s does nothing", cmd.CommandPath())
	}
	return nil
}

func docPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	return append(pages, "../../README.md")
}

// shellBlocks returns the lines of all ```sh blocks of a page, indented ones
// included; a line that ends in a backslash goes on.
func shellBlocks(page []byte) []string {
	var lines []string
	in, open := false, ""
	for _, line := range strings.Split(string(page), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case !in && trimmed == "```sh":
			in = true
		case in && trimmed == "```":
			in = false
		case in && trimmed != "" && !strings.HasPrefix(trimmed, "#"):
			if rest, more := strings.CutSuffix(trimmed, "\\"); more {
				open += rest
				continue
			}
			lines = append(lines, open+trimmed)
			open = ""
		}
	}
	return lines
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
