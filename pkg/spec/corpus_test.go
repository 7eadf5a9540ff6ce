package spec_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"reconcile/pkg/spec"
)

// TestBroken loads every archive of testdata/broken over the valid folder
// testdata/base and compares the findings, each with its rule. In an
// archive's comment "without: FILE" leaves a file of the base out, and
// "escapes: FILE" decodes \xNN, \uNNNN, \r and \t in a file. UPDATE=1 rewrites
// the findings.
func TestBroken(t *testing.T) {
	archives, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) < 100 {
		t.Errorf("only %d broken specs", len(archives))
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = spec.Load(context.Background(), spec.LoadOptions{FS: overlay(t, archive), Name: "specs"})
			got := findings(err)
			if os.Getenv("UPDATE") != "" {
				setFile(archive, "want", got)
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(file(archive, "want"), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if !strings.Contains(got, " [") {
				t.Error("nothing was found")
			}
		})
	}
}

// findings prints what Load refused, one a line, with the rule at its end.
func findings(err error) string {
	var issues spec.Issues
	switch {
	case err == nil:
		return "valid\n"
	case !errors.As(err, &issues):
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	for _, i := range issues {
		b.WriteString(i.String() + " [" + i.Rule + "]\n")
	}
	return b.String()
}

func overlay(t *testing.T, archive *txtar.Archive) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"platform.yaml", "fleet.yaml", "fleet-templates.json"} {
		b, err := os.ReadFile("testdata/base/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	comment := string(archive.Comment)
	for _, m := range regexp.MustCompile(`(?m)^without: (\S+)$`).FindAllStringSubmatch(comment, -1) {
		delete(files, m[1])
	}
	for _, f := range archive.Files {
		if f.Name != "want" {
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^escapes: (\S+)$`).FindAllStringSubmatch(comment, -1) {
		files[m[1]].Data = []byte(unescape(t, string(files[m[1]].Data)))
	}
	return files
}

func unescape(t *testing.T, s string) string {
	t.Helper()
	return regexp.MustCompile(`\\(x[0-9a-f]{2}|u[0-9a-f]{4}|r|t)`).ReplaceAllStringFunc(s, func(e string) string {
		out, err := strconv.Unquote(`"` + e + `"`)
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
}

func file(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setFile(a *txtar.Archive, name, data string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(data)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
}

// The folder that the broken ones differ from is itself valid.
func TestBaseIsValid(t *testing.T) {
	if _, err := spec.Load(context.Background(), spec.LoadOptions{Dir: "testdata/base"}); err != nil {
		t.Fatal(err)
	}
}
