package packer_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"mvdan.cc/sh/v3/syntax"
)

// Scripts are laid out as shfmt lays them out, with two spaces.
func TestScriptsAreFormatted(t *testing.T) {
	files, err := filepath.Glob("scripts/*.sh")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, "../pkg/stacks/scripts/worker-boot.sh", "tests/apply-bundle.bats") {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lang := syntax.LangBash
		if filepath.Ext(file) == ".bats" {
			lang = syntax.LangBats
		}
		tree, err := syntax.NewParser(syntax.KeepComments(true), syntax.Variant(lang)).Parse(bytes.NewReader(body), file)
		if err != nil {
			t.Error(err)
			continue
		}
		var want bytes.Buffer
		if err := syntax.NewPrinter(syntax.Indent(2)).Print(&want, tree); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), string(body)); diff != "" {
			t.Errorf("%s (-shfmt -i 2 +is):\n%s", file, diff)
		}
	}
}
